/// A server process, a market on it, and people with phones.
library;

import 'dart:convert';
import 'dart:io';
import 'dart:typed_data';

import 'package:farmtally_field/farmtally_field.dart';

import '../../bindgen/fixture/test/check.dart';

const mistyped = Reason(code: 'mistyped');

const kolar = CentreCode('KOLAR'), malur = CentreCode('MALUR'), tomato = CommodityCode('TOMATO');

final _reference = {
  'centres': [
    {'code': 'KOLAR', 'name': 'Kolar'},
    {'code': 'MALUR', 'name': 'Malur'},
  ],
  'commodities': [
    {'code': 'TOMATO', 'name': 'Tomato'},
  ],
  'seasons': [
    {'code': 'ALL', 'commodity': 'TOMATO', 'from': '2020-01-01', 'to': '2099-12-31'},
  ],
  'lorries': [
    for (final number in [1111, 2222, 3333]) {'plate': 'KA07A$number', 'payload_g': 9000000},
  ],
  'rule_sets': [
    {
      'number': 1,
      'commodity': 'TOMATO',
      'valid_from': '2020-01-01',
      'bag_types': [
        {'number': 0, 'name': 'crate', 'tare_g': 1500},
        {'number': 1, 'name': 'sack', 'tare_g': 250},
      ],
      'grades': [
        {'code': 'A', 'name': 'first'},
        {'code': 'B', 'name': 'second'},
      ],
      'factors': [
        {'code': 'BROKEN', 'name': 'broken', 'unit': 'percent', 'limit': 500},
      ],
    },
  ],
  'instruments': [
    {
      ...{'code': 'SCALE7', 'type': 'scale', 'serial': 'A-4711', 'accuracy_class': 'III'},
      ...{'min_value': 1000, 'max_value': 60000, 'certificate': 'LM-88', 'valid_until': '2099-12-31'},
      'intervals': [
        {'up_to_value': 60000, 'interval_value': 20},
      ],
    },
  ],
  'paper_books': [
    {'code': 'BOOK17', 'centre': 'KOLAR', 'purpose': 'deliveries', 'first_serial': 1001, 'last_serial': 1050},
  ],
};

/// The process of a `farmtally-server`, and its command line.
class Server {
  Server() {
    File(reference).writeAsStringSync(jsonEncode(_reference));
  }

  final String _binary = Platform.environment['FARMTALLY_SERVER']!;
  final Directory folder = Directory.systemTemp.createTempSync('farmtally-');
  late final String reference = '${folder.path}/reference.json';
  late String url;
  Process? _process;
  int _port = 0;

  List<String> _arguments(List<String> command) => [...command, '--data', '${folder.path}/server'];

  /// Starts the process: on any free port, and after a stop on the same one.
  Future<Server> start() async {
    // `serve` refuses a folder without an organisation.
    if (_port == 0) await run(['org', 'create', 'Head office', '--country', 'IN']);
    final process = _process = await Process.start(_binary, _arguments(['serve', '--port', '$_port']));
    final log = File('${folder.path}/server.log');
    final logged = process.stderr.pipe(log.openWrite(mode: FileMode.append));
    final lines = process.stdout.transform(utf8.decoder).transform(const LineSplitter()).asBroadcastStream();
    url = await lines.firstWhere((line) => true, orElse: () => '');
    if (url.isEmpty) {
      await logged;
      throw log.readAsStringSync();
    }
    _port = Uri.parse(url).port;
    return this;
  }

  /// Ends the process in order, and waits for its end.
  Future<void> stop() async {
    final process = _process;
    if (process == null) return;
    _process = null;
    process.kill();
    final code = await process.exitCode.timeout(const Duration(seconds: 30));
    if (code != 0) throw 'the server ended with $code';
  }

  /// Stops the process and removes all files.
  Future<void> close() async {
    await stop();
    folder.deleteSync(recursive: true);
  }

  /// What a command of the office prints.
  Future<String> run(List<String> command) async {
    final done = await Process.run(_binary, _arguments(command));
    if (done.exitCode != 0) throw '$command: ${done.stderr}';
    return '${done.stdout}'.trim();
  }
}

/// An organisation of its own, with the centres KOLAR and MALUR, tomatoes of two grades, crates, sacks, three lorries, a scale and a
/// paper book.
class Market {
  Market._(this.server, this.organisation);

  static Future<Market> on(Server server) async =>
      Market._(server, await server.run(['org', 'create', 'Kolar growers', '--country', 'IN', '--same-name', '--reference', server.reference]));

  final Server server;
  final String organisation;
  final List<Person> _people = [];

  /// A code from the office.
  Future<String> code(String name, String role, [List<String> centres = const ['KOLAR']]) => server.run([
        ...['enrol-code', '--org', organisation, '--user', name, '--role', role],
        for (final centre in centres) ...['--centre', centre],
      ]);

  /// Lets somebody else work at KOLAR on a phone too.
  Future<void> shares(DeviceCode device, String name, String role) => server.run([
        ...['grant', 'add', '--org', organisation, '--device', device.value],
        ...['--user', name, '--role', role, '--centre', 'KOLAR'],
      ]);

  /// Lets somebody pay out this amount, and tells their phone.
  Future<void> leases(Person person, int amount) async {
    final session = (await person.client.session())!;
    await server.run([
      ...['lease', '--org', organisation, '--user', session.userName, '--phone', session.deviceCode.value],
      ...['--amount', '$amount', '--until', '2099-12-31'],
    ]);
    await person.client.sync();
  }

  /// Adds to the reference data.
  Future<void> publishes(Map<String, Object> reference) async {
    final file = File('${server.folder.path}/$organisation.json')..writeAsStringSync(jsonEncode(reference));
    await server.run(['org', 'update', '--org', organisation, '--reference', file.path]);
  }

  /// Somebody with a phone that is not enrolled.
  Future<Person> meets(String name, {Transport? transport, String? folder}) async {
    folder ??= '${server.folder.path}/phones/$organisation/$name';
    final keys = Keys();
    final client = await FieldClient.open(ClientConfig(dataDir: folder), keyStore: keys, transport: transport);
    final person = Person(folder, keys, client);
    _people.add(person);
    return person;
  }

  /// Somebody with a phone that is enrolled.
  Future<Person> hires(String name, String role, [List<String> centres = const ['KOLAR']]) async {
    final person = await meets(name);
    await person.client.enrol(server.url, await code(name, role, centres), 'test phone');
    return person;
  }

  /// Shuts everybody's phone down.
  Future<void> close() async {
    for (final person in _people) {
      await person.client.shutDown();
    }
  }
}

/// Syncs one phone after the other.
Future<void> sync(List<Person> people) async {
  for (final person in people) {
    await person.client.sync();
  }
}

/// The names of the scenarios that are tested.
final scenarios = <String>[];

/// A test with a market of its own, and with the name of a scenario of bindings/scenarios.md.
void scenario(Server server, String name, Future<void> Function(Market market) tell) {
  scenarios.add(name);
  test(name, () async {
    final market = await Market.on(server);
    try {
      await tell(market);
    } finally {
      await market.close();
    }
  });
}

/// The app's own way to the server.
class Carrier extends Transport {
  int sent = 0;
  bool isBroken = false;

  /// What comes instead of the server's answer.
  int? status;

  /// Its body.
  Uint8List body = Uint8List(0);

  /// What each request waits for, from the second one on.
  Future<void> Function() next = () async {};

  @override
  Future<WireResponse> send(WireRequest request) async {
    if (sent++ > 0) await next();
    if (isBroken) throw const TransportNoConnection(reason: 'no network');
    if (status case final status?) return WireResponse(status: status, body: body);
    final http = HttpClient();
    try {
      final post = await http.openUrl(request.method, Uri.parse(request.url));
      request.headers.forEach(post.headers.set);
      post.add(request.body);
      final answer = await post.close();
      final received = BytesBuilder();
      await answer.forEach(received.add);
      return WireResponse(status: answer.statusCode, body: received.takeBytes());
    } finally {
      http.close();
    }
  }
}

/// A key store in memory.
class Keys extends KeyStore {
  Keys([this.key, this.isBroken = false]);

  Uint8List? key;
  final bool isBroken;

  @override
  Future<Uint8List?> load() async => isBroken ? throw const KeyStoreFailed(reason: 'not unlocked') : key;

  @override
  Future<void> save(Uint8List key) async => this.key = key;
}

/// Somebody with a phone at KOLAR.
class Person {
  Person(this.folder, this.keys, this.client);

  final String folder;
  final Keys keys;
  FieldClient client;

  /// Closes the app and opens it again.
  Future<void> restarts() async {
    await client.shutDown();
    await opensAgain();
  }

  Future<void> opensAgain() async {
    client = await FieldClient.open(ClientConfig(dataDir: folder), keyStore: keys);
  }

  Future<FarmerView> registers(String name, {String village = '', String phone = '', List<Check> accept = const []}) =>
      client.registerFarmer(kolar, Contact(name: name, village: village, phone: phone), accept: accept);

  Future<LoadView> opens(String lorry) =>
      client.openLoad(OpenLoad(centre: kolar, commodity: tomato, lorry: LorryPlate(lorry)));

  /// A draft with these bags.
  Future<DeliveryView> begins(FarmerView farmer, List<String> weights, {LoadView? load}) async {
    final draft = await client.startDraft(
      StartDraft(centre: kolar, commodity: tomato, farmerId: farmer.farmerId, loadId: load?.loadId),
    );
    return client.editDraft(draft.basis, [for (final weight in weights) DraftEdit.addBag(weight: weight)]);
  }

  /// A recorded delivery with these bags.
  Future<DeliveryView> weighs(FarmerView farmer, List<String> weights, {LoadView? load}) async =>
      client.recordDelivery((await begins(farmer, weights, load: load)).basis);

  Future<Sum> totals() async => (await client.today(kolar)).sum;

  /// What there is to say about the items of one kind in the inbox.
  Future<List<T>> inbox<T extends InboxKind>() async => [
        for (final item in (await client.inbox()).items)
          if (item.kind case final T kind) kind,
      ];

  /// The codes of the reviews in the inbox, sorted.
  Future<List<String>> reviews() async => [for (final it in await inbox<InboxKindReview>()) it.code.value]..sort();

  /// Field, hardness and number of values of the conflicts in the inbox.
  Future<List<(String, bool, int)>> conflicts() async => [
        for (final InboxKindConflict(:conflict) in await inbox<InboxKindConflict>())
          (conflict.field, conflict.isHard, conflict.values.length),
      ];
}
