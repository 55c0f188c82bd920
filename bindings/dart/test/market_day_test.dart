/// The scenarios of bindings/scenarios.md about the client, in its order; those about records are in records_test.dart,
/// farmers_test.dart and deliveries_test.dart.
library;

import 'dart:async';
import 'dart:convert';
import 'dart:io';
import 'dart:math';
import 'dart:typed_data';

import 'package:farmtally_field/farmtally_field.dart';

import '../../bindgen/fixture/test/check.dart';
import 'market.dart';

void marketDay(Server server, String library) {
  scenario(server, 'a new phone has no session and may not record', (market) async {
    final asha = await market.meets('Asha');
    expect(await asha.client.session(), null);
    const start = StartDraft(centre: kolar, commodity: tomato);
    expect((await thrown<FieldUnauthorized>(() => asha.client.startDraft(start))).code, 'unauthorized');
    expect((await thrown<FieldUnauthorized>(() => asha.registers('Lakshmi Devi'))).code, 'unauthorized');
  });

  scenario(server, 'a wrong or used code is refused', (market) async {
    final (asha, ravi) = (await market.meets('Asha'), await market.meets('Ravi'));
    final code = await market.code('Asha', 'clerk');
    await asha.client.enrol(server.url, code, 'test phone');
    for (final wrong in ['ABCD-EFGH-IJKL-MNOP', '', code]) {
      final error = await thrown<FieldInvalid>(() => ravi.client.enrol(server.url, wrong, 'test phone'));
      expect((error.code, error.field), ('invalid_input', 'code'));
    }
    expect(await ravi.client.session(), null);
  });

  scenario(server, 'enrolment brings session and reference', (market) async {
    final asha = await market.hires('Asha', 'field_manager', ['KOLAR', 'MALUR']);
    final session = (await asha.client.session())!;
    expect((session.organisationName, session.organisationId), ('Kolar growers', OrganisationId(market.organisation)));
    expect((session.userName, session.role), ('Asha', Role.fieldManager));
    expect(session.centres, [kolar, malur]);
    isTrue(session.syncedAt != null, 'the phone has everything');
    final reference = await asha.client.reference();
    expect(reference.organisation, const Organisation(
      name: 'Kolar growers', country: 'IN', zoneMinutes: 0, currency: 'INR', currencyExponent: 2));
    expect([for (final it in reference.centres) it.code], [kolar, malur]);
    final [commodity] = reference.commodities;
    expect([commodity.code, commodity.season, commodity.ruleSet], [tomato, const SeasonCode('ALL'), 1]);
    expect(commodity.bagTypes, const [
      BagTypeRule(number: 0, name: 'crate', tareG: Grams(1500)),
      BagTypeRule(number: 1, name: 'sack', tareG: Grams(250)),
    ]);
    expect([for (final it in commodity.grades) it.name], ['first', 'second']);
    expect(commodity.factors, const [
      QualityFactor(code: FactorCode('BROKEN'), name: 'broken', unit: FactorUnit.percent, limit: 500),
    ]);
    expect(reference.lorries, [
      for (final plate in ['KA07A1111', 'KA07A2222', 'KA07A3333'])
        Lorry(plate: LorryPlate(plate), payloadG: Grams(9000000)),
    ]);
    final scale = reference.instruments.single;
    expect((scale.code, scale.instrumentType), (const InstrumentCode('SCALE7'), InstrumentType.scale));
    expect(scale.intervals, const [InstrumentInterval(upToValue: 60000, intervalValue: 20)]);
    const book = PaperBookCode('BOOK17'), purpose = PaperPurpose.deliveries;
    expect(reference.paperBooks, const [
      PaperBook(code: book, firstSerial: 1001, lastSerial: 1050, centre: kolar, purpose: purpose),
    ]);
  });

  scenario(server, 'a delivery is weighed and recorded once confirmed', (market) async {
    final asha = await market.hires('Asha', 'clerk');
    final client = asha.client;
    final lakshmi = await asha.registers('Lakshmi Devi');
    var asked = <Check>[];
    // Times are those of the server, as the phone estimates them.
    const about = Duration(minutes: 1);
    final opened = DateTime.now().subtract(about);
    // The example of the README begins here.
    const kolar = CentreCode('KOLAR'), tomato = CommodityCode('TOMATO');
    final start = StartDraft(centre: kolar, commodity: tomato, farmerId: lakshmi.farmerId);
    var delivery = await client.startDraft(start);
    for (final weight in ['20.5', '21500 g', '5']) {
      delivery = await client.editDraft(delivery.basis, [DraftEdit.addBag(weight: weight)]);
    }
    const reading = ReadingInput.moisture(moisture: '14.5');
    const more = [DraftEdit.addReading(reading: reading), DraftEdit.setDeclaredBags(count: 3)];
    delivery = await client.editDraft(delivery.basis, more);
    try {
      delivery = await client.recordDelivery(delivery.basis);
    } on FieldConfirm catch (unusual) {
      asked = unusual.checks; // and the person said yes
      delivery = await client.recordDelivery(delivery.basis, accept: asked);
    }
    // And ends here.
    expect(asked, const [Check(code: 'uncommon_bag_weight')]);
    expect((delivery.lifecycle, delivery.sync), (Lifecycle.recorded, const SyncState.unsent()));
    const none = Grams(0);
    const totals = Totals(
        bags: 3,
        grossG: Grams(47000),
        tareG: Grams(4500),
        qualityG: none,
        moistureG: none,
        allowanceG: none,
        netG: Grams(42500),
        bagsOfUnknownType: 0,
        deductionsExceedWeight: false);
    expect(delivery.totals, totals);
    final lines = delivery.grades.single.lines;
    expect([for (final it in lines) (it.kind, it.amountG)],
        [(LineKind.gross, const Grams(47000)), (LineKind.tare, const Grams(-4500))]);
    expect(lines.last.calculation, const Calculation.perBag(bags: 3, eachG: Grams(1500)));
    expect([for (final bag in delivery.bags) (bag.number, bag.grossG)], [(1, 20500), (2, 21500), (3, 5000)]);
    for (final bag in delivery.bags) {
      isTrue(bag.weighedAt.isAfter(opened) && !bag.weighedAt.isAfter(DateTime.now().add(about)), '${bag.weighedAt}');
    }
    expect((delivery.readings.single.measured, delivery.declaredBags), (const Measured.moisture(moisture: '14.50'), 3));
    final device = (await client.session())!.deviceCode;
    isTrue(delivery.receiptNumber!.value.contains(device.value), '${delivery.receiptNumber} of $device');
    expect(await client.delivery(delivery.deliveryId), delivery);
    expect(await asha.totals(), const Sum(deliveries: 1, voided: 0, bags: 3, grossG: Grams(47000)));
  });

  scenario(server, 'a draft survives the end of the app', (market) async {
    final asha = await market.hires('Asha', 'clerk');
    var draft = await asha.begins(await asha.registers('Lakshmi Devi'), ['20', '21.5', '22.345']);
    await asha.restarts();
    expect((await asha.client.today(kolar)).drafts, [draft]);
    expect((await asha.totals()).deliveries, 0);

    await asha.client.shutDown();
    final program = Platform.script.resolve('weighing.dart').toFilePath();
    final key = base64.encode(asha.keys.key!);
    final app = await Process.start(Platform.resolvedExecutable, [program, library, asha.folder, key]);
    final errors = app.stderr.transform(utf8.decoder).join();
    var told = 0;
    await for (final line in app.stdout.transform(utf8.decoder).transform(const LineSplitter())) {
      told = int.parse(line);
      if (told >= 13) app.kill(ProcessSignal.sigkill);
    }
    expect(await app.exitCode, -9, await errors);
    await asha.opensAgain();
    draft = (await asha.client.today(kolar)).drafts.single;
    // The last bag may not have been told any more.
    isTrue([told, told + 1].contains(draft.totals.bags), '$told told, ${draft.totals.bags} there');

    draft = await asha.client.editDraft(draft.basis, [const DraftEdit.addBag(weight: '30', bagType: BagType(1))]);
    final weighed = [20000, 21500, 22345, ...List.filled(draft.totals.bags - 4, 25000), 30000];
    const unusual = [Check(code: 'weights_repeated'), Check(code: 'weighed_too_fast')];
    final recorded = await asha.client.recordDelivery(draft.basis, accept: unusual);
    expect([for (final bag in recorded.bags) bag.grossG], weighed);
    expect(recorded.totals.grossG, weighed.reduce((sum, bag) => sum + bag));
    expect((await asha.client.today(kolar)).drafts, []);
  });

  scenario(server, 'a stale basis and a bad weight add nothing', (market) async {
    final asha = await market.hires('Asha', 'clerk');
    final draft = await asha.begins(await asha.registers('Lakshmi Devi'), ['20']);
    Future<Object> tap() =>
        asha.client.editDraft(draft.basis, [const DraftEdit.addBag(weight: '21')]).then<Object>((view) => view,
            onError: (Object error) => error);
    final taps = await Future.wait([tap(), tap()]);
    expect(taps.whereType<FieldStale>().length, 1);
    final first = taps.whereType<DeliveryView>().single;
    expect(first.totals.grossG, Grams(41000));
    expect((await thrown<FieldStale>(() => asha.client.recordDelivery(draft.basis))).code, 'stale');
    expect((await thrown<FieldStale>(() => asha.client.discardDraft(draft.basis))).code, 'stale');
    for (final weight in ['abc', '', '0', '-5', '1000.1', '62.4321', '62,4']) {
      final bags = [const DraftEdit.addBag(weight: '22'), DraftEdit.addBag(weight: weight)];
      expect((await thrown<FieldInvalid>(() => asha.client.editDraft(first.basis, bags))).field, 'weight');
    }
    expect(await asha.client.delivery(draft.deliveryId), first);
  });

  scenario(server, 'two phones without network agree after they sync', (market) async {
    final (asha, ravi) = (await market.hires('Asha', 'field_manager'), await market.hires('Ravi', 'dispatcher'));
    final lakshmi = await asha.registers('Lakshmi Devi', village: 'Vemagal', phone: '+91 98450 11111');
    final twice = await ravi.registers('L. Devi', village: 'Vemagal', phone: '+919845011111');
    final load = await asha.opens('KA07A1111');
    await ravi.client.joinLoad(load.joinCode);
    await asha.opens('KA07A2222');
    await ravi.opens('KA07A2222');
    final recorded = await asha.weighs(lakshmi, ['20', '21.5'], load: load);
    for (final person in [asha, ravi]) {
      expect((await person.client.sync()).outcome, SyncOutcome.complete);
    }

    // From here on neither has network. Ravi sees what Asha recorded.
    final first = await asha.client.delivery(recorded.deliveryId);
    final seen = await ravi.client.delivery(recorded.deliveryId);
    expect((seen.basis, seen.totals), (first.basis, first.totals));
    await asha.client.amendDelivery(first.basis, mistyped, [const DeliveryEdit.addBag(weight: '19')]);
    await ravi.client.voidDelivery(seen.basis, mistyped);
    final second = await asha.weighs(lakshmi, ['22'], load: load);
    final shown = await asha.client.load(load.loadId);
    expect((await asha.client.changeLoad(shown.basis, LoadEdit.requestClose(manifestHash: shown.manifestHash))).state, LoadState.closing);
    final late = await ravi.weighs(twice, ['18.2', '18.3'], load: load);

    for (final person in [asha, ravi, asha]) {
      expect((await person.client.sync()).outcome, SyncOutcome.complete);
    }
    for (final person in [asha, ravi]) {
      expect(await person.totals(), const Sum(deliveries: 2, voided: 1, bags: 3, grossG: Grams(58500)));
      expect((await person.client.load(load.loadId)).sum.grossG, Grams(58500));
      expect(await person.reviews(), ['farmer_look_alike', 'late_delivery', 'load_contention']);
      expect(await person.conflicts(), [('lifecycle', false, 2)]);
      final voided = await person.client.delivery(first.deliveryId);
      expect((voided.lifecycle, voided.amendments.length, voided.voids.length), (Lifecycle.voided, 1, 1));
      expect((await person.client.delivery(late.deliveryId)).reviews, ['late_delivery']);
      expect((await person.client.delivery(second.deliveryId)).reviews, []);
    }
    Future<FarmerView> again({List<Check> accept = const []}) =>
        asha.registers('Lakshmi', village: 'Malur', phone: '+91 98450-11111', accept: accept);
    final alike = await thrown<FieldConfirm>(again);
    expect([for (final check in alike.checks) check.code], ['farmer_looks_alike']);
    await again(accept: alike.checks);
  });

  scenario(server, 'the status is honest while the server is away', (_) async {
    final server = await Server().start();
    final market = await Market.on(server);
    try {
      final asha = await market.hires('Asha', 'clerk');
      Future<int> waiting() async {
        final status = await asha.client.syncStatus();
        return status.backlog.unsent + status.backlog.sent + status.backlog.held;
      }

      expect(await waiting(), 0);
      final delivery = await asha.weighs(await asha.registers('Lakshmi Devi'), ['20']);
      final before = await asha.client.syncStatus();
      expect((before.backlog.unsent, before.backlog.sent, before.backlog.held), (3, 0, 0));
      isTrue(before.backlog.oldestAt != null, 'since when');

      await server.stop();
      final offline = await asha.client.sync();
      expect((offline.outcome, offline.counts.logged), (SyncOutcome.offline, 0));
      expect((await asha.client.sync(inBackground: true)).outcome, SyncOutcome.notDue);
      expect(await waiting(), 3);
      expect((await asha.client.syncStatus()).syncedAt, before.syncedAt);
      isTrue((await asha.client.delivery(delivery.deliveryId)).sync is! SyncStateLogged, 'not logged');

      await server.start();
      final complete = await asha.client.sync();
      expect((complete.outcome, complete.counts.logged, complete.counts.held), (SyncOutcome.complete, 3, 0));
      final after = await asha.client.syncStatus();
      expect((await waiting(), after.backlog.oldestAt), (0, null));
      isTrue(after.syncedAt!.isAfter(before.syncedAt!), 'complete again');
      expect((await asha.client.delivery(delivery.deliveryId)).sync, const SyncState.logged());
    } finally {
      await market.close();
      await server.close();
    }
  });

  scenario(server, 'farmers are found by the beginnings of words', (market) async {
    final asha = await market.hires('Asha', 'clerk', ['KOLAR', 'MALUR']);
    await asha.registers('Lakshmi Devi', village: 'Vemagal', phone: '+91 98450 11111');
    await asha.registers('Ramesh Gowda', village: 'Devanahalli');
    final expected = {
      'lak': ['Lakshmi Devi'],
      'dev': ['Lakshmi Devi', 'Ramesh Gowda'],
      'dev lak': ['Lakshmi Devi'],
      'vema': ['Lakshmi Devi'],
      '9198450': ['Lakshmi Devi'],
      'gowda dev': ['Ramesh Gowda'],
      'shmi': <String>[],
      '': ['Lakshmi Devi', 'Ramesh Gowda'],
    };
    for (final MapEntry(key: text, value: names) in expected.entries) {
      final found = await asha.client.farmers(FarmerQuery(centre: kolar, text: text));
      expect([for (final row in found.items) row.contact.name]..sort(), names, text);
    }
    final first = await asha.client.farmers(const FarmerQuery(centre: kolar, text: 'dev', limit: 1));
    final second = await asha.client.farmers(FarmerQuery(centre: kolar, text: 'dev', limit: 1, after: first.next));
    final names = [for (final row in first.items + second.items) row.contact.name];
    expect(names, ['Ramesh Gowda', 'Lakshmi Devi']);
    expect(second.next, null);
    expect((await asha.client.farmers(const FarmerQuery(centre: malur, text: 'lak'))).items, []);
  });

  scenario(server, 'shutting down twice is fine and later calls are refused', (market) async {
    final asha = await market.hires('Asha', 'clerk');
    await asha.client.shutDown();
    await asha.client.shutDown();
    final calls = <Future<Object?> Function()>[
      asha.client.session,
      asha.client.sync,
      asha.totals,
      () => asha.registers('Lakshmi Devi'),
    ];
    for (final call in calls) {
      expect((await thrown<FieldShutDown>(call)).code, 'shut_down');
    }
  });

  scenario(server, 'a cancelled call is done wholly or not at all', (market) async {
    final asha = await market.hires('Asha', 'clerk');
    final lakshmi = await asha.registers('Lakshmi Devi');
    const duplicate = [Check(code: 'possible_duplicate')];
    final (recording, weighing) = (<DeliveryId>[], <DeliveryId>[]);
    var cut = 0;
    for (var turn = 0; turn < 50; turn++) {
      final whole = await asha.begins(lakshmi, ['20', '21']);
      recording.add(whole.deliveryId);
      if (await _cancelled(turn % 5, (token) => asha.client.recordDelivery(whole.basis, accept: duplicate, cancelToken: token))) cut++;
      final part = await asha.begins(lakshmi, ['30']);
      weighing.add(part.deliveryId);
      const edits = [DraftEdit.addBag(weight: '31'), DraftEdit.addBag(weight: '32')];
      if (await _cancelled(turn % 5, (token) => asha.client.editDraft(part.basis, edits, cancelToken: token))) cut++;
    }
    // Shutting down waits for what has begun, and nothing more begins.
    await asha.restarts();
    var (recorded, weighed) = (0, 0);
    for (final id in recording) {
      final view = await asha.client.delivery(id);
      expect(view.totals.grossG, Grams(41000));
      if (view.lifecycle == Lifecycle.recorded) recorded++;
    }
    for (final id in weighing) {
      final view = await asha.client.delivery(id);
      expect(view.lifecycle, Lifecycle.draft);
      isTrue([30000, 93000].contains(view.totals.grossG), '${view.totals}');
      if (view.totals.bags == 3) weighed++;
    }
    expect(
        await asha.totals(), Sum(deliveries: recorded, voided: 0, bags: 2 * recorded, grossG: Grams(41000 * recorded)));
    expect((await asha.client.today(kolar)).drafts.length, 100 - recorded);
    isTrue(recorded > 0 && weighed > 0, 'some cancelled calls were done, or they were cancelled too early');
    isTrue(cut > 0, 'some were cut short, or they were cancelled too late');
  });

  scenario(server, 'what is no id or date is refused by its field', (market) async {
    final asha = await market.hires('Asha', 'field_manager');
    final client = asha.client;
    final lakshmi = await asha.registers('Lakshmi Devi');
    final draft = await asha.begins(lakshmi, ['20']);
    final recorded = await asha.weighs(lakshmi, ['20']);
    const contact = Contact(name: 'Lakshmi');
    const delivery = DeliveryId('no-id'), farmer = FarmerId('no-id'), load = LoadId('no-id'), basis = Basis('no-id');
    Future<DeliveryView> start({FarmerId? farmerId, LoadId? loadId, DeliveryId? replaces}) => client.startDraft(
          StartDraft(centre: kolar, commodity: tomato, farmerId: farmerId, loadId: loadId, replaces: replaces),
        );
    Future<DeliveryView> edit(DraftEdit step) => client.editDraft(draft.basis, [step]);
    Future<DeliveryView> amend(DeliveryEdit step) => client.amendDelivery(recorded.basis, mistyped, [step]);
    final calls = <String, List<Future<Object?> Function()>>{
      'delivery_id': [
        () => client.delivery(delivery),
        () => client.delivery(const DeliveryId('')),
        () => start(replaces: delivery),
      ],
      'farmer_id': [
        () => client.farmer(farmer),
        () => client.editFarmer(farmer, lakshmi.basis, contact),
        () => start(farmerId: farmer),
        () => edit(const DraftEdit.setFarmer(farmerId: farmer)),
        () => client.deliveries(const DeliveryQuery(farmerId: farmer)),
      ],
      'load_id': [
        () => client.load(load),
        () => start(loadId: load),
        () => edit(const DraftEdit.setLoad(loadId: load)),
        () => amend(const DeliveryEdit.setLoad(loadId: load)),
        () => client.deliveries(const DeliveryQuery(loadId: load)),
      ],
      'bag_id': [() => amend(const DeliveryEdit.voidBag(bagId: 'no-id', reason: mistyped))],
      'number': [() => edit(const DraftEdit.remove(number: 7))],
      'bag_type': [() => edit(const DraftEdit.addBag(weight: '20', bagType: BagType(16)))],
      'moisture': [() => edit(const DraftEdit.addReading(reading: ReadingInput.moisture(moisture: '100.5')))],
      'edits': [() => client.amendDelivery(recorded.basis, mistyped, [])],
      'change': [() => client.resolve(recorded.basis, const Choice.keep(field: 'load', change: ChangeHash('no-id')))],
      'accept': [() => client.recordDelivery(draft.basis, accept: const [Check(code: 'no-id')])],
      'user_id': [() => client.switchUser(const UserId('no-id'))],
      'basis': [
        () => client.editDraft(basis, []),
        () => client.discardDraft(Basis(draft.deliveryId.value)),
        () => client.recordDelivery(Basis('${draft.basis.value}0')),
        () => client.amendDelivery(basis, mistyped, []),
        () => client.voidDelivery(basis, mistyped),
        () => client.editFarmer(lakshmi.farmerId, basis, contact),
        () => client.changeLoad(basis, const LoadEdit.setLorry(lorry: LorryPlate('KA07A1111'))),
        () => client.changeLoad(basis, const LoadEdit.requestClose(manifestHash: '')),
      ],
      'date': [
        () => edit(const DraftEdit.setBusinessDate(date: BusinessDate('2026-02-30'))),
        () => amend(const DeliveryEdit.setBusinessDate(date: BusinessDate('today'))),
        () => client.today(kolar, date: const BusinessDate('21.11.2026')),
        () => client.deliveries(const DeliveryQuery(fromDate: BusinessDate('2026-13-01'))),
      ],
      'commodity': [() => client.startDraft(const StartDraft(centre: kolar, commodity: CommodityCode('')))],
      'lorry': [() => client.changeLoad(lakshmi.basis, const LoadEdit.setLorry(lorry: LorryPlate('?')))],
      'join_code': [() => client.joinLoad('no-id')],
      'centre': [
        () => client.today(const CentreCode('not a centre')),
        () => client.farmers(const FarmerQuery(centre: CentreCode(''))),
      ],
    };
    for (final MapEntry(key: field, value: refused) in calls.entries) {
      for (final (index, call) in refused.indexed) {
        final error = await thrown<FieldInvalid>(call);
        expect((error.code, error.field), ('invalid_input', field), 'call $index of $field');
      }
    }
    expect(await client.delivery(draft.deliveryId), draft);
    expect(await client.delivery(recorded.deliveryId), recorded);
  });

  scenario(server, 'two stores in one process do not disturb each other', (market) async {
    final other = await Market.on(server);
    try {
      final (asha, ravi) = (await market.hires('Asha', 'clerk'), await other.hires('Ravi', 'clerk'));
      Future<SyncReport> works(Person person, String name, List<String> weights) async {
        final farmer = await person.registers(name);
        for (final weight in weights) {
          await person.weighs(farmer, [weight]);
        }
        return person.client.sync();
      }

      final reports = await Future.wait([
        works(asha, 'Lakshmi', [for (var it = 0; it < 10; it++) '${20 + it}']),
        works(ravi, 'Ramesh', [for (var it = 0; it < 20; it++) '${30 + it}']),
      ]);
      const complete = SyncOutcome.complete;
      expect([for (final report in reports) (report.outcome, report.counts.logged)], [(complete, 12), (complete, 22)]);
      await asha.client.shutDown();
      expect(await ravi.totals(), const Sum(deliveries: 20, voided: 0, bags: 20, grossG: Grams(790000)));
      expect([for (final row in (await ravi.client.farmers(const FarmerQuery(centre: kolar))).items) row.contact.name], ['Ramesh']);
      await asha.restarts();
      expect(await asha.totals(), const Sum(deliveries: 10, voided: 0, bags: 10, grossG: Grams(245000)));
    } finally {
      await other.close();
    }
  });

  scenario(server, 'five hundred parallel calls answer', (market) async {
    final asha = await market.hires('Asha', 'clerk');
    await asha.weighs(await asha.registers('Lakshmi Devi'), ['20']);
    final answers = await Future.wait([for (var i = 0; i < 500; i++) asha.totals()]);
    expect([for (final sum in answers) sum.grossG], List.filled(500, 20000));
  });

  scenario(server, 'a colleague carries what a phone without network recorded', (market) async {
    final (asha, ravi) = (await market.hires('Asha', 'clerk'), await market.hires('Ravi', 'dispatcher'));
    final lakshmi = await asha.registers('Lakshmi Devi');
    final delivery = await asha.weighs(lakshmi, ['20.5']);
    final frames = await asha.client.parcelQrFrames();
    for (final (number, frame) in frames.indexed.toList().reversed) {
      final progress = await ravi.client.addQrFrame(frame);
      expect((progress.received, progress.total), (frames.length - number, frames.length));
      expect(progress.missing, [for (var left = 0; left < number; left++) left]);
    }
    expect((await ravi.client.syncStatus()).carried.parcels, 1);
    final report = await ravi.client.sync();
    final SyncReport(:outcome, :counts) = report;
    expect((outcome, counts.parcelsTaken, counts.parcelsRefused), (SyncOutcome.complete, 1, 0));
    expect((await ravi.totals()).grossG, Grams(20500));

    // Ravi's phone was the carrier; Asha's has heard of nobody.
    expect((await asha.client.delivery(delivery.deliveryId)).sync, const SyncState.unsent());
    await asha.weighs(lakshmi, ['30']);
    final stick = '${server.folder.path}/${market.organisation}.parcels';
    await asha.client.exportParcel(stick);
    final status = await asha.client.syncStatus();
    expect((status.backlog.unsent, status.backlog.sent), (4, 0));
    isTrue(status.exportedAt != null, 'when it was handed over');
    await ravi.client.carryParcel(stick);
    const taken = 'bundles 2, entries logged 4, held 0, deferred 0, bundles refused 0';
    expect(await server.run(['import', stick]), '$stick: $taken');
    expect((await ravi.client.sync()).counts.parcelsTaken, 1);
    expect((await ravi.totals()).grossG, Grams(50500));

    expect((await asha.client.sync()).counts.logged, 4);
    expect((await asha.client.delivery(delivery.deliveryId)).sync, const SyncState.logged());
    expect(await asha.totals(), await ravi.totals());
    expect((await thrown<FieldRefused>(() => asha.client.exportParcel(stick))).code, 'not_allowed');
    expect((await thrown<FieldInvalid>(() => ravi.client.addQrFrame(utf8.encode('a menu')))).field, 'parcel');
    final photo = File('${server.folder.path}/photo')..writeAsBytesSync(Uint8List(100));
    expect((await thrown<FieldInvalid>(() => ravi.client.carryParcel(photo.path))).field, 'parcel');
    final missing = '${server.folder.path}/missing';
    expect((await thrown<FieldInvalid>(() => ravi.client.carryParcel(missing))).field, 'path');
  });

  scenario(server, 'a conflict is resolved by a choice', (market) async {
    final (asha, ravi) = (await market.hires('Asha', 'field_manager'), await market.hires('Ravi', 'dispatcher'));
    final loads = [await asha.opens('KA07A1111'), await asha.opens('KA07A2222')];
    final recorded = await asha.weighs(await asha.registers('Lakshmi Devi'), ['20']);
    for (final person in [asha, ravi]) {
      await person.client.sync();
    }
    for (final (person, load) in [(asha, loads[0]), (ravi, loads[1])]) {
      final shown = await person.client.delivery(recorded.deliveryId);
      await person.client.amendDelivery(shown.basis, mistyped, [DeliveryEdit.setLoad(loadId: load.loadId)]);
    }
    for (final person in [asha, ravi, asha]) {
      await person.client.sync();
    }
    expect(await asha.conflicts(), [('load', true, 2)]);
    final item = (await asha.client.inbox()).items.singleWhere((item) => item.kind is InboxKindConflict);
    final InboxKindConflict(:conflict) = item.kind as InboxKindConflict;
    expect(item.records, [RecordRef.delivery(deliveryId: recorded.deliveryId)]);
    expect(item.choices, [for (final value in conflict.values) Choice.keep(field: 'load', change: value.change!)]);
    final [kept, other] = item.choices;
    final page = await asha.client.resolve(item.basis, other);
    isTrue(page.items.every((item) => item.kind is! InboxKindConflict), 'it is settled');
    final again = await thrown<FieldStale>(() => asha.client.resolve(item.basis, kept));
    expect(again.code, 'stale');
    for (final person in [asha, ravi, asha]) {
      await person.client.sync();
      expect(await person.conflicts(), []);
      expect((await person.client.delivery(recorded.deliveryId)).loadId, LoadId(conflict.values.last.text));
    }
  });

  scenario(server, 'changes are notified after they are durable', (market) async {
    final asha = await market.hires('Asha', 'clerk');
    final client = asha.client;
    final first = (await client.waitForEvent(0))!;
    expect(first.topics, Topic.values);
    await _cancelled(3, (token) => client.waitForEvent(first.sequence, cancelToken: token));
    final lakshmi = await asha.registers('Lakshmi Devi');
    for (final weight in ['20', '21', '22']) {
      await asha.weighs(lakshmi, [weight]);
    }
    final told = (await client.waitForEvent(first.sequence))!;
    isTrue(told.sequence > first.sequence, '${told.sequence}');
    expect(told.topics, [Topic.deliveries, Topic.farmers, Topic.loads, Topic.inbox, Topic.sync]);
    var isDone = false;
    final waiting = client.waitForEvent(told.sequence).whenComplete(() => isDone = true);
    await Future<void>.delayed(const Duration(milliseconds: 300));
    isTrue(!isDone, 'nothing has changed since');
    final draft = await asha.begins(lakshmi, ['23']);
    expect((await waiting)!.topics, [Topic.deliveries]);
    expect((await client.today(kolar)).drafts, [draft]);
    final seen = <Topic>{};
    var after = (await client.waitForEvent(0))!.sequence;
    SyncReport? report;
    final run = client.sync().then((it) => report = it);
    while (report == null || !seen.contains(Topic.session)) {
      final event = (await client.waitForEvent(after))!;
      seen.addAll(event.topics);
      after = event.sequence;
    }
    expect((await run).outcome, SyncOutcome.complete);
    final last = (await client.waitForEvent(0))!;
    expect(last.progress, null);
    final end = client.waitForEvent(last.sequence);
    await client.shutDown();
    expect(await end, null);
    expect(await client.waitForEvent(0), null);
  });

  scenario(server, 'an app may carry the requests itself', (market) async {
    final carrier = Carrier();
    final asha = await market.meets('Asha', transport: carrier);
    await asha.client.enrol(server.url, await market.code('Asha', 'clerk'), 'test phone');
    await asha.weighs(await asha.registers('Lakshmi Devi'), ['20']);
    expect((await asha.client.sync()).outcome, SyncOutcome.complete);
    final sent = carrier.sent;
    isTrue(sent > 1, '$sent');
    carrier.isBroken = true;
    expect((await asha.client.sync()).outcome, SyncOutcome.offline);
    expect(carrier.sent, sent + 1);
    expect((await asha.client.syncStatus()).backlog.unsent, 0);
  });

  scenario(server, 'every error has its code', (market) async {
    final (asha, manju) = (await market.hires('Asha', 'field_manager'), await market.hires('Manju', 'clerk', ['MALUR']));
    final lakshmi = await asha.registers('Lakshmi Devi');
    final draft = await asha.begins(lakshmi, ['20']);
    final small = await asha.begins(lakshmi, ['5']);
    final carrier = Carrier();
    final elsewhere = await market.meets('Nobody', transport: carrier);
    final lost = await market.hires('Ravi', 'clerk');
    final device = (await lost.client.session())!.deviceCode;
    await server.run(['order', '--org', market.organisation, device.value, 'lost']);
    await lost.client.sync();
    final folder = '${server.folder.path}/folders/${market.organisation}';
    File('$folder/damaged/field.db')
      ..createSync(recursive: true)
      ..writeAsStringSync('x' * 8192);
    File('$folder/file').writeAsStringSync('no folder');
    Future<FieldClient> opens(String name, [Keys? keys]) =>
        FieldClient.open(ClientConfig(dataDir: '$folder/$name'), keyStore: keys);
    Future<Session> enrols() => elsewhere.client.enrol(server.url, 'ABCD-EFGH-IJKL-MNOP', 'phone');
    Future<Session> answered(int status) {
      carrier.status = status;
      return enrols();
    }

    await (await opens('newer')).shutDown();
    // The version of the database, in its header.
    File('$folder/newer/field.db').openSync(mode: FileMode.append)
      ..setPositionSync(60)
      ..writeFromSync([0, 0, 3, 231])
      ..closeSync();
    final other = Basis(draft.basis.value.replaceRange(draft.basis.value.length - 1, null, '9'));
    const bag = DraftEdit.addBag(weight: '20');
    final advance = Advance(
      farmerId: lakshmi.farmerId,
      amountMinor: const Money(1),
      method: PaymentMethod.cash,
      date: draft.businessDate,
      reasonCode: 'sowing',
      kind: const AdvanceKind.cash(),
    );
    final calls = <String, Future<Object?> Function()>{
      'FieldInvalid invalid_input': () => asha.client.delivery(const DeliveryId('x')),
      'FieldTooLarge too_large': () => asha.client.editDraft(draft.basis, List.filled(2001, bag)),
      'FieldConfirm confirm_needed': () => asha.client.recordDelivery(small.basis),
      'FieldStale stale': () => asha.client.editDraft(other, [bag]),
      'FieldRefused not_allowed': () => opens('../../phones/${market.organisation}/Asha'),
      'FieldRefused out_of_scope': () => manju.client.today(kolar),
      'FieldAllowanceExceeded allowance_exceeded': () => asha.client.recordAdvance(advance),
      'FieldNotFound not_found': () => asha.client.delivery(DeliveryId(lakshmi.farmerId.value)),
      'FieldUnauthorized unauthorized': elsewhere.client.sync,
      'FieldUnavailable rate_limited': () => answered(429),
      'FieldUnavailable interrupted': () => answered(503),
      // Of another than the server, the status alone says nothing.
      'FieldUpdateNeeded incompatible_version': () {
        carrier.body = _tooOld();
        return answered(426);
      },
      'FieldUnavailable offline': () {
        carrier.isBroken = true;
        return enrols();
      },
      'FieldRefused locked': () => lost.client.today(kolar),
      'FieldKeyNeeded wrong_key': () => opens('new', Keys(Uint8List(31))),
      'FieldKeyNeeded key_unavailable': () => opens('new', Keys(null, true)),
      'FieldUpdateNeeded storage_too_new': () => opens('newer'),
      'FieldStorageDamaged storage_corrupt': () => opens('damaged'),
      'FieldInternal internal': asha.client.probePanic,
    };
    expect(_named(await thrown<FieldException>(() => opens('file'))), 'FieldInvalid invalid_input');
    final document = File.fromUri(Platform.script.resolve('../../../docs/errors.md')).readAsStringSync();
    final rows = RegExp(r'^\| `(\w+)` \|[^|]*\| ([^|]*) \|', multiLine: true).allMatches(document.split('\n## ')[1]);
    final retry = {for (final row in rows) row[1]!: row[2] == 'yes'};
    for (final MapEntry(key: expected, value: call) in calls.entries) {
      final error = await thrown<FieldException>(call);
      expect((_named(error), error.isRetryable()), (expected, retry[expected.split(' ').last]));
    }
    final told = {for (final expected in calls.keys) expected.split(' ').last, 'storage_full', 'storage_denied'};
    expect(retry.keys.toList()..sort(), told.toList()..sort());
    await elsewhere.client.shutDown();
    expect(_named(await thrown<FieldException>(elsewhere.client.sync)), 'FieldShutDown shut_down');
  });

  scenario(server, 'ten thousand calls leave no memory behind', (market) async {
    final asha = await market.hires('Asha', 'clerk');
    final draft = await asha.begins(await asha.registers('Lakshmi Devi'), List.filled(20, '20'));
    Future<int> thousand() async {
      for (var call = 0; call < 1000; call++) {
        await asha.client.delivery(draft.deliveryId);
      }
      return ProcessInfo.currentRss ~/ 1024;
    }

    // The virtual machine's own memory settles first.
    final before = [for (var round = 0; round < 3; round++) await thousand()].reduce(max);
    final after = [for (var round = 0; round < 7; round++) await thousand()].last;
    isTrue(after - before < 16384, '$before, then $after KiB: 7,000 views of 4 KiB would be 28 MiB');
  });

  scenario(server, 'a watched read gives the newest state until the client ends', (market) async {
    final asha = await market.hires('Asha', 'clerk');
    final totals = StreamIterator(asha.client.watchToday(kolar).map((today) => today.sum.grossG));
    isTrue(await totals.moveNext() && totals.current == const Grams(0), 'what is there');
    final lakshmi = await asha.registers('Lakshmi Devi');
    for (final weight in ['20', '21', '22']) {
      await asha.weighs(lakshmi, [weight]);
    }
    while (totals.current != const Grams(63000)) {
      final last = totals.current;
      isTrue(await totals.moveNext() && totals.current >= last, '${totals.current} after $last');
    }
    final statuses = asha.client.watchSyncStatus().toList();
    expect((await asha.client.sync()).outcome, SyncOutcome.complete);
    // One that is given up disturbs nobody.
    expect((await asha.client.watchSession().first)!.userName, 'Asha');
    expect((await asha.client.watchInbox().first).items, []);
    await Future<void>.delayed(const Duration(milliseconds: 300));
    await asha.client.shutDown();
    while (await totals.moveNext()) {}
    expect((await statuses).last.backlog.unsent, 0);
  });

  scenario(server, 'a wrong key opens nothing and loses nothing', (market) async {
    final asha = await market.hires('Asha', 'clerk');
    await asha.weighs(await asha.registers('Lakshmi Devi'), ['20']);
    await asha.client.shutDown();
    expect(asha.keys.key?.length, 32);
    for (final file in Directory(asha.folder).listSync().cast<File>()) {
      isTrue(!latin1.decode(file.readAsBytesSync()).contains('Lakshmi'), '${file.path} is encrypted');
    }
    Future<FieldClient> opens(Keys? keys) => FieldClient.open(ClientConfig(dataDir: asha.folder), keyStore: keys);
    for (final keys in [Keys(Uint8List(32)), Keys(Uint8List(31)), Keys(), null]) {
      expect((await thrown<FieldKeyNeeded>(() => opens(keys))).code, 'wrong_key');
    }
    final broken = Keys(asha.keys.key, true);
    expect((await thrown<FieldKeyNeeded>(() => opens(broken))).code, 'key_unavailable');
    asha.client = await opens(asha.keys);
    expect((await asha.totals()).grossG, const Grams(20000));
    expect((await asha.client.sync()).outcome, SyncOutcome.complete);
  });

  scenario(server, 'a panic inside is contained', (market) async {
    final asha = await market.hires('Asha', 'clerk');
    final lakshmi = await asha.registers('Lakshmi Devi');
    for (var round = 0; round < 20; round++) {
      expect((await thrown<FieldInternal>(asha.client.probePanic)).code, 'internal');
    }
    await asha.weighs(lakshmi, ['20']);
    expect((await asha.totals()).grossG, const Grams(20000));
  });

  scenario(server, 'a sync tells how far it is and can be cancelled', (market) async {
    final carrier = Carrier();
    final asha = await market.meets('Asha', transport: carrier);
    await asha.client.enrol(server.url, await market.code('Asha', 'clerk'), 'test phone');
    // More than goes into the first four requests, although each is larger than the one before.
    for (var number = 0; number < 1000; number++) {
      await asha.registers('Farmer $number');
    }
    carrier.next = asha.client.cancelSync;
    final cancelled = await asha.client.sync();
    expect(cancelled.outcome, SyncOutcome.cancelled);
    // None, if the answer to the first request had not been read.
    isTrue(cancelled.counts.logged < 2000, '$cancelled');

    carrier.next = () async {};
    final slice = await asha.client.sync(inBackground: true, budgetMs: 0);
    expect(slice.outcome, SyncOutcome.partial);
    isTrue(slice.counts.logged < 2000, '$slice');

    final seen = <SyncProgress?>[];
    carrier.next = () async => seen.add((await asha.client.waitForEvent(0))!.progress);
    carrier.sent = 0;
    final report = await asha.client.sync();
    final logged = [cancelled, slice, report].fold(0, (sum, it) => sum + it.counts.logged);
    expect((report.outcome, logged), (SyncOutcome.complete, 2000));
    isTrue(seen.whereType<SyncProgress>().any((it) => it.done > 0 && it.done < it.total), '$seen');
    expect((await asha.client.waitForEvent(0))!.progress, null);
  });

  scenario(server, 'what is given up holds nothing', (market) async {
    final carrier = Carrier();
    final asha = await market.meets('Asha', transport: carrier);
    await asha.client.enrol(server.url, await market.code('Asha', 'clerk'), 'test phone');
    final lakshmi = await asha.registers('Lakshmi Devi');
    Future<void> givenUp(Future<Object?> Function(CancelToken token) call) async {
      final token = CancelToken();
      Timer(const Duration(milliseconds: 50), token.cancel);
      await thrown<CallCancelled>(() => call(token));
    }

    final gate = Completer<void>();
    carrier.next = () => gate.future;
    for (var round = 0; round < 10; round++) {
      await givenUp((token) => asha.client.sync(cancelToken: token));
    }
    await asha.weighs(lakshmi, ['20']).timeout(const Duration(seconds: 10));
    gate.complete();
    expect((await asha.client.sync()).outcome, SyncOutcome.complete);

    final token = CancelToken();
    final openings = [
      for (var number = 0; number < 9; number++)
        thrown<CallCancelled>(() => FieldClient.open(ClientConfig(dataDir: '${server.folder.path}/silent-$number'),
            keyStore: _Silent(), cancelToken: token)),
    ];
    await asha.weighs(lakshmi, ['21']).timeout(const Duration(seconds: 10));
    token.cancel();
    await openings.wait;
    await asha.client.shutDown();

    for (var round = 0; round < 10; round++) {
      await _opensSoon(asha, (config) => givenUp((token) => FieldClient.open(config, keyStore: _Silent(), cancelToken: token)));
    }
    asha.client = await _opensSoon(asha, (config) => FieldClient.open(config, keyStore: asha.keys));
    expect((await asha.totals()).grossG, const Grams(41000));
  });

  scenario(server, 'shutting down ends what waits for the network', (market) async {
    final carrier = Carrier();
    final asha = await market.meets('Asha', transport: carrier);
    final (asked, gate) = (Completer<void>(), Completer<void>());
    carrier.sent = 1;
    carrier.next = () {
      asked.complete();
      return gate.future;
    };
    final enrolling = asha.client.enrol(server.url, await market.code('Asha', 'clerk'), 'test phone');
    await asked.future;
    await asha.client.shutDown().timeout(const Duration(seconds: 10));
    gate.complete();
    await enrolling.timeout(const Duration(seconds: 10));
    expect(carrier.sent, 2, 'the enrolment, and no sync after it');
    asha.client = await _opensSoon(asha, (config) => FieldClient.open(config, keyStore: asha.keys));
    isTrue(await asha.client.session() != null, 'enrolled');
  });

  scenario(server, 'a full disk refuses and loses nothing', (market) async {
    final disk = Platform.environment['FARMTALLY_SMALL_DISK'];
    if (disk == null) skip('FARMTALLY_SMALL_DISK names no filesystem that may be filled');
    final photos = File('$disk/photos');
    Future<void> fill() => thrown<FileSystemException>(() {
          final file = photos.openSync(mode: FileMode.write);
          try {
            while (true) {
              file.writeFromSync(Uint8List(4096));
            }
          } finally {
            file.closeSync();
          }
        });
    final asha = await market.meets('Asha', folder: '$disk/phone');
    await asha.client.enrol(server.url, await market.code('Asha', 'clerk'), 'test phone');
    var draft = await asha.begins(await asha.registers('Lakshmi Devi'), ['20']);
    await fill();
    const bag = [DraftEdit.addBag(weight: '20')];
    final full = await thrown<FieldStorageFull>(() async {
      while (true) {
        draft = await asha.client.editDraft(draft.basis, bag);
      }
    });
    expect(full.code, 'storage_full');
    expect((await asha.client.today(kolar)).drafts, [draft]);
    await asha.client.shutDown();
    await fill();
    // Opening needs 32 KiB for the index of the write-ahead log.
    photos.openSync(mode: FileMode.append)
      ..truncateSync(photos.lengthSync() - 65536)
      ..closeSync();
    await asha.restarts();
    expect((await asha.client.today(kolar)).drafts, [draft]);
    await fill();
    expect((await thrown<FieldStorageFull>(() => asha.client.editDraft(draft.basis, bag))).code, 'storage_full');
    photos.deleteSync();
    final recorded = await asha.client.recordDelivery((await asha.client.editDraft(draft.basis, bag)).basis);
    expect((await asha.client.sync()).outcome, SyncOutcome.complete);
    expect((await asha.totals()).grossG, Grams(20000 * recorded.bags.length));
  });

  /// Returns what an app printed that used the person's phone; it must end in order, and print no error.
  Future<String> runApp(String program, Person phone) async {
    await phone.client.shutDown();
    final arguments = [Platform.script.resolve(program).toFilePath(), library, phone.folder, base64.encode(phone.keys.key!)];
    final ran = await Process.run(Platform.resolvedExecutable, arguments);
    expect((ran.exitCode, ran.stderr), (0, ''));
    await phone.opensAgain();
    return '${ran.stdout}'.trim();
  }

  scenario(server, 'a program that ends while calls run loses nothing', (market) async {
    final asha = await market.hires('Asha', 'clerk');
    await asha.begins(await asha.registers('Lakshmi Devi'), ['20']);
    final told = int.parse(await runApp('ending.dart', asha));
    isTrue((await asha.client.today(kolar)).drafts.single.totals.bags >= told, 'the bags are there');
    expect((await asha.client.sync()).outcome, SyncOutcome.complete);
  });

  scenario(server, 'event loops that end leave a client usable', (market) async {
    final asha = await market.hires('Asha', 'clerk');
    await asha.begins(await asha.registers('Lakshmi Devi'), ['20']);
    expect(await runApp('loops.dart', asha), '2 complete');
    expect((await asha.client.today(kolar)).drafts.single.totals.bags, 2);
  });
}

/// A key store that never answers.
class _Silent extends KeyStore {
  @override
  Future<Uint8List?> load() => Completer<Uint8List?>().future;

  @override
  Future<void> save(Uint8List key) async {}
}

/// Opens a phone's folder, once nobody else has it.
Future<T> _opensSoon<T>(Person phone, Future<T> Function(ClientConfig config) open) async {
  for (var round = 0; round < 100; round++) {
    try {
      return await open(ClientConfig(dataDir: phone.folder));
    } catch (error) {
      if (!'$error'.contains('open already')) rethrow;
      await Future<void>.delayed(const Duration(milliseconds: 100));
    }
  }
  throw 'the folder is never released';
}

/// A new class does not compile until it is thought of here.
/// A server's answer that the app is too old: the CBOR of a problem in a zstd frame.
Uint8List _tooOld() {
  const hex = '28b52ffd2019c90000a20074696e636f6d70617469626c655f76657273696f6e0160';
  return Uint8List.fromList([for (var i = 0; i < hex.length; i += 2) int.parse(hex.substring(i, i + 2), radix: 16)]);
}

String _named(FieldException error) => switch (error) {
      FieldInvalid() || FieldTooLarge() || FieldConfirm() => '${error.runtimeType} ${error.code}',
      FieldStale() || FieldRefused() || FieldAllowanceExceeded() => '${error.runtimeType} ${error.code}',
      FieldNotFound() ||
      FieldUnauthorized() ||
      FieldUnavailable() ||
      FieldUpdateNeeded() =>
        '${error.runtimeType} ${error.code}',
      FieldKeyNeeded() || FieldStorageFull() || FieldStorageDenied() || FieldStorageDamaged() => '${error.runtimeType} ${error.code}',
      FieldShutDown() || FieldInternal() => '${error.runtimeType} ${error.code}',
    };

/// Lets the call begin, cancels it after some turns of the event loop, and waits for its end: whether it was cut short.
Future<bool> _cancelled(int turns, Future<Object?> Function(CancelToken token) call) async {
  final token = CancelToken();
  final end = call(token).then((_) => false, onError: (Object error) => error is CallCancelled || (throw error));
  for (var turn = 0; turn < turns; turn++) {
    await Future<void>.delayed(Duration.zero);
  }
  token.cancel();
  return end;
}
