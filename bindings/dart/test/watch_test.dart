/// The streams over the reads.
library;

import 'dart:async';
import 'dart:io';

import 'package:farmtally_field/farmtally_field.dart';

import '../../bindgen/fixture/test/check.dart';
import 'market.dart';

/// What a stream brought so far.
class _Heard<T> {
  _Heard(Stream<T> stream) {
    subscription = stream.listen(values.add, onError: errors.add, onDone: () => isDone = true);
  }

  late final StreamSubscription<T> subscription;
  final List<T> values = [];
  final List<Object> errors = [];
  bool isDone = false;

  /// Waits until the newest value is one of these.
  Future<void> becomes(bool Function(T value) wanted, String what) =>
      until(() => values.isNotEmpty && wanted(values.last), what);
}

void watchTests(Server server, String library) {
  void watching(String name, Future<void> Function(Person asha) tell) => test('watching: $name', () async {
        final market = await Market.on(server);
        try {
          await tell(await market.hires('Asha', 'field_manager'));
        } finally {
          await market.close();
        }
      });

  watching('what is listened to is read, and read again when it has changed', (asha) async {
    final client = asha.client;
    final today = _Heard(client.watchToday(kolar));
    final inbox = _Heard(client.watchInbox());
    await today.becomes((it) => it.sum.deliveries == 0, 'the first read');
    final lakshmi = await asha.registers('Lakshmi Devi');
    final recorded = await asha.weighs(lakshmi, ['20']);
    await today.becomes((it) => it.sum.grossG == Grams(20000), 'the delivery');
    await today.becomes((it) => it.sync.backlog.unsent == 3, 'what is unsent');

    // A stream that comes later begins with what is there.
    final delivery = _Heard(client.watchDelivery(recorded.deliveryId));
    await delivery.becomes((it) => it.sync == const SyncState.unsent(), 'the delivery as it is');
    await client.sync();
    await delivery.becomes((it) => it.sync == const SyncState.logged(), 'the delivery in the log');
    await client.voidDelivery(delivery.values.last.basis, mistyped);
    await delivery.becomes((it) => it.lifecycle == Lifecycle.voided, 'the delivery voided');
    await today.becomes((it) => it.sum.voided == 1, 'the day without it');
    isTrue(inbox.values.isNotEmpty, 'the inbox was read');
  });

  watching('every read has a stream', (asha) async {
    final client = asha.client;
    final lakshmi = await asha.registers('Lakshmi Devi');
    final load = await asha.opens('KA07A1111');
    await asha.weighs(lakshmi, ['20'], load: load);
    expect(await client.watchSession().first, await client.session());
    expect(await client.watchUsers().first, await client.users());
    expect(await client.watchAccess().first, await client.access());
    expect(await client.watchReference().first, await client.reference());
    expect(await client.watchDeliveries(const DeliveryQuery()).first, await client.deliveries(const DeliveryQuery()));
    const lak = FarmerQuery(centre: kolar, text: 'lak');
    expect(await client.watchFarmers(lak).first, await client.farmers(lak));
    expect(await client.watchFarmer(lakshmi.farmerId).first, await client.farmer(lakshmi.farmerId));
    expect(await client.watchLoads(const LoadQuery()).first, await client.loads(const LoadQuery()));
    expect(await client.watchLoad(load.loadId).first, await client.load(load.loadId));
    expect((await client.watchSyncStatus().first).backlog.unsent, 4);
  });

  watching('what is the same as before is not told', (asha) async {
    final reference = _Heard(asha.client.watchReference());
    final session = _Heard(asha.client.watchSession());
    await reference.becomes((_) => true, 'the first read');
    await session.becomes((_) => true, 'the first read');
    final before = session.values.last;
    await asha.client.sync();
    await session.becomes((it) => it != before, 'when the phone had everything');
    expect(reference.values.length, 1);
  });

  watching('what does not concern a stream is not read again', (asha) async {
    // Each of their reads is refused, and tells so.
    final farmers = _Heard(asha.client.watchFarmers(const FarmerQuery(centre: CentreCode(''))));
    final deliveries = _Heard(asha.client.watchDeliveries(const DeliveryQuery(fromDate: BusinessDate('no date'))));
    await until(() => farmers.errors.length + deliveries.errors.length == 2, 'the first reads');
    for (var drafts = 1; drafts < 4; drafts++) {
      await asha.client.startDraft(const StartDraft(centre: kolar, commodity: tomato));
      await until(() => deliveries.errors.length == 1 + drafts, 'a read for draft $drafts');
    }
    expect(farmers.errors.length, 1);
  });

  watching('a run of sync says how far it is', (_) async {
    final market = await Market.on(server);
    final carrier = Carrier();
    final asha = await market.meets('Asha', transport: carrier);
    try {
      await asha.client.enrol(server.url, await market.code('Asha', 'clerk'), 'test phone');
      // More than goes into the first request.
      for (var number = 0; number < 150; number++) {
        await asha.registers('Farmer $number');
      }
      final progress = _Heard(asha.client.watchSyncProgress());
      await progress.becomes((it) => it == null, 'no run');
      carrier.sent = 0;
      carrier.next = () => progress.becomes((it) => it != null && it.done > 0 && it.done < it.total, 'half of it');
      final report = await asha.client.sync();
      expect((report.outcome, report.counts.logged), (SyncOutcome.complete, 300));
      isTrue(carrier.sent > 1, 'more than one request');
      await progress.becomes((it) => it == null, 'the end of the run');
    } finally {
      await market.close();
    }
  });

  watching('who cancels hears no more, and the others go on', (asha) async {
    final first = _Heard(asha.client.watchFarmers(const FarmerQuery(centre: kolar)));
    final other = _Heard(asha.client.watchFarmers(const FarmerQuery(centre: kolar)));
    await first.becomes((page) => page.items.isEmpty, 'the first read');
    await first.subscription.cancel().timeout(const Duration(seconds: 1));
    final before = first.values.length;
    await asha.registers('Lakshmi');
    await other.becomes((page) => page.items.length == 1, 'the other one');
    expect(first.values.length, before);

    // The last one ends the loop; the next listener begins another.
    await other.subscription.cancel().timeout(const Duration(seconds: 1));
    final third = _Heard(asha.client.watchFarmers(const FarmerQuery(centre: kolar)));
    await third.becomes((page) => page.items.length == 1, 'the next one');
    await asha.registers('Ramesh');
    await third.becomes((page) => page.items.length == 2, 'its change');
  });

  watching('who pauses reads once when resumed', (asha) async {
    final farmers = _Heard(asha.client.watchFarmers(const FarmerQuery(centre: kolar)));
    final other = _Heard(asha.client.watchFarmers(const FarmerQuery(centre: kolar)));
    await farmers.becomes((page) => page.items.isEmpty, 'the first read');
    farmers.subscription.pause();
    for (final (index, name) in ['Lakshmi', 'Ramesh', 'Manju'].indexed) {
      await asha.registers(name);
      await other.becomes((page) => page.items.length == index + 1, name);
    }
    farmers.subscription.resume();
    await farmers.becomes((page) => page.items.length == 3, 'all of them');
    expect(farmers.values.length, 2);
  });

  watching('an error is reported, and the stream continues', (asha) async {
    final lakshmi = await asha.registers('Lakshmi Devi');
    final farmer = _Heard(asha.client.watchFarmer(lakshmi.farmerId));
    final nobody = _Heard(asha.client.watchDelivery(DeliveryId(lakshmi.farmerId.value)));
    await farmer.becomes((_) => true, 'the first read');
    await until(() => nobody.errors.length == 1, 'the first error');
    await asha.begins(lakshmi, ['20']);
    await until(() => nobody.errors.length > 1, 'the next one');
    isTrue(nobody.errors.every((error) => error is FieldNotFound), '${nobody.errors}');
    expect((nobody.values.length, nobody.isDone, farmer.isDone), (0, false, false));
  });

  watching('shutting down ends the streams, and those that come later', (asha) async {
    final all = [for (var index = 0; index < 50; index++) _Heard(asha.client.watchToday(kolar))];
    await all.last.becomes((_) => true, 'the first reads');
    await asha.client.shutDown();
    await until(() => all.every((heard) => heard.isDone), 'the end');
    isTrue(all.every((heard) => heard.errors.isEmpty), '${all.first.errors}');
    expect(await asha.client.watchToday(kolar).toList(), []);
  });

  test('watching: a program ends once nobody listens', () async {
    final folder = '${server.folder.path}/watching';
    final program = File('${server.folder.path}/watching.dart')..writeAsStringSync('''
import '${Platform.script.resolve('../lib/farmtally_field.dart')}';

Future<void> main(List<String> arguments) async {
  FarmtallyFfiLibrary.load(path: arguments[0]);
  final client = await FieldClient.open(ClientConfig(dataDir: arguments[1]));
  print((await client.watchSyncStatus().first).backlog.unsent);
}
''');
    final run = await Process.run(Platform.resolvedExecutable, [program.path, library, folder])
        .timeout(const Duration(seconds: 60));
    expect(('${run.stdout}'.trim(), run.exitCode), ('0', 0), '${run.stderr}');
  });
}
