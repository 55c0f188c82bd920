/// The scenarios of bindings/scenarios.md about deliveries and their loads, in its order.
library;

import 'package:farmtally_field/farmtally_field.dart';

import '../../bindgen/fixture/test/check.dart';
import 'market.dart';

const _drawn = Mark.drawn(strokes: [
  Stroke(points: [Point(x: 0, y: 0), Point(x: 1023, y: 512)]),
]);

void deliveryTests(Server server) {
  Future<(Person, Person)> ashaAndRavi(Market market, [String role = 'dispatcher']) async =>
      (await market.hires('Asha', 'field_manager'), await market.hires('Ravi', role));

  /// The codes of the checks that the call asks to confirm.
  Future<List<String>> asked(Future<Object?> Function() call) async =>
      [for (final it in (await thrown<FieldConfirm>(call)).checks) it.code];

  scenario(server, 'a signature is put under a delivery and a load and withdrawn', (market) async {
    final (asha, ravi) = await ashaAndRavi(market);
    final (client, load) = (asha.client, await asha.opens('KA07A1111'));
    final lakshmi = await asha.registers('Lakshmi Devi');
    final draft = await asha.begins(lakshmi, ['20']);
    expect((await thrown<FieldInvalid>(() => client.sign(draft.basis, _drawn))).field, 'record_id');
    final marked = await client.editDraft(draft.basis, const [DraftEdit.setMark(mark: _drawn)]);
    isTrue(marked.isSigned, 'the draft has a mark');
    final recorded = await client.recordDelivery(marked.basis);
    final signature = recorded.signatures.single;
    expect((signature.content.mark, signature.content.farmerId), (_drawn, lakshmi.farmerId));
    final withdrawn = await client.withdrawSignature(signature.basis, mistyped);
    expect([withdrawn.state, for (final it in withdrawn.steps) it.reason], [SimpleState.withdrawn, mistyped]);
    final twice = await thrown<FieldRefused>(() => client.withdrawSignature(withdrawn.basis, mistyped));
    expect(twice.code, 'not_allowed');
    final signed = await client.sign(load.basis, Mark.thumb(photo: PhotoHash('ab' * 32)));
    expect([signed.content.recordId, signed.content.farmerId], [load.loadId, null]);
    await sync([asha, ravi]);
    final seen = await ravi.client.delivery(recorded.deliveryId);
    expect([seen.isSigned, for (final it in seen.signatures) it.state], [false, SimpleState.withdrawn]);
    final page = await ravi.client.signatures(DocumentId(load.loadId.value));
    expect([for (final it in page.items) it.content], [signed.content]);
  });

  scenario(server, 'a delivery is copied from a paper form once', (market) async {
    final (asha, ravi) = await ashaAndRavi(market);
    final (client, lakshmi) = (asha.client, await asha.registers('Lakshmi Devi'));
    Future<Basis> copies(int serial, [String book = 'BOOK17']) async {
      final entry = PaperEntry(book: PaperBookCode(book), serial: serial);
      final edits = [const DraftEdit.setSecondHeap(isSecondHeap: true), DraftEdit.setPaperEntry(entry: entry)];
      return (await client.editDraft((await asha.begins(lakshmi, ['20'])).basis, edits)).basis;
    }

    final recorded = await client.recordDelivery(await copies(1007));
    expect(recorded.paperEntry, const PaperEntry(book: PaperBookCode('BOOK17'), serial: 1007));
    final (again, other) = (await copies(1007), await copies(1051));
    expect(await asked(() => client.recordDelivery(again)), ['paper_serial_repeated']);
    expect(await asked(() => client.recordDelivery(other)), ['paper_serial_unknown']);
    expect((await thrown<FieldInvalid>(() => copies(100000000))).field, 'paper_entry');
    expect((await thrown<FieldInvalid>(() => copies(1008, 'no book!'))).field, 'paper_book');
    await client.voidDelivery(recorded.basis, mistyped);
    final second = await client.recordDelivery(again);
    await sync([asha, ravi]);
    expect((await ravi.client.delivery(second.deliveryId)).paperEntry, recorded.paperEntry);
  });

  scenario(server, 'bags of one delivery are on two loads', (market) async {
    final (asha, ravi) = await ashaAndRavi(market);
    final client = asha.client;
    final (one, two) = (await asha.opens('KA07A1111'), await asha.opens('KA07A2222'));
    final (first, second) = (one.loadId, two.loadId);
    final draft = await asha.begins(await asha.registers('Lakshmi Devi'), ['20', '21', '22'], load: two);
    DraftEdit puts(List<int> numbers) => DraftEdit.setLoadOfBags(loadId: first, numbers: numbers);
    final apart = await client.editDraft(draft.basis, [puts([2, 3])]);
    for (final numbers in [[9], <int>[]]) {
      expect((await thrown<FieldInvalid>(() => client.editDraft(apart.basis, [puts(numbers)]))).field, 'numbers');
    }
    final recorded = await client.recordDelivery(apart.basis);
    expect([for (final it in recorded.bags) it.loadId], [second, first, first]);
    void divided(DeliveryView view, Map<LoadId?, (int, Grams)> expected) {
      final parts = {for (final it in view.parts) it.loadId: (it.bags, it.grossG)};
      expect(parts.length, expected.length);
      expect([for (final load in expected.keys) parts[load]], expected.values.toList());
    }

    divided(recorded, {second: (1, const Grams(20000)), first: (2, const Grams(43000))});
    await sync([asha, ravi]);
    final row = (await ravi.client.deliveries(DeliveryQuery(loadId: first))).items.single.row;
    expect((row.deliveryId, row.loadId, row.parts), (recorded.deliveryId, null, 2));
    final seen = await ravi.client.delivery(recorded.deliveryId);
    final off = DeliveryEdit.setLoadOfBags(loadId: null, ids: [seen.bags[2].bagId]);
    final moved = await ravi.client.amendDelivery(seen.basis, const Reason(code: 'no_room'), [off]);
    divided(moved, {second: (1, const Grams(20000)), first: (1, const Grams(21000)), null: (1, const Grams(22000))});
    const unknown = [DeliveryEdit.setLoadOfBags(loadId: null, ids: ['no bag'])];
    final wrong = await thrown<FieldInvalid>(() => ravi.client.amendDelivery(moved.basis, mistyped, unknown));
    expect(wrong.field, 'ids');
    await sync([ravi, asha]);
    final sums = [for (final load in [first, second]) (await client.load(load)).sum];
    expect([for (final it in sums) (it.deliveries, it.bags, it.grossG)],
        const [(1, 1, Grams(21000)), (1, 1, Grams(20000))]);
  });

  scenario(server, 'a lorry records its track on the way', (market) async {
    final (asha, manju) = await ashaAndRavi(market, 'driver');
    final opened = await asha.opens('KA07A1111');
    await asha.weighs(await asha.registers('Lakshmi Devi'), ['20'], load: opened);
    final shown = await asha.client.load(opened.loadId);
    await asha.client.changeLoad(shown.basis, LoadEdit.requestClose(manifestHash: shown.manifestHash));
    await sync([asha, manju]);
    final (client, load) = (manju.client, opened.loadId);
    final now = DateTime.now().toUtc().millisecondsSinceEpoch ~/ 1000 * 1000;
    TrackPoint at(int minute, int north, {bool isMock = false}) => TrackPoint(
          at: DateTime.fromMillisecondsSinceEpoch(now - (60 - minute) * 60000, isUtc: true),
          latitudeE7: 130000000 + north,
          longitudeE7: 780000000,
          accuracyCm: 500,
          isMock: isMock,
        );

    expect((await thrown<FieldRefused>(() => client.addTrack(load, [at(0, 0)]))).code, 'not_allowed');
    final closed = await client.load(load);
    const depart = LoadEdit.depart();
    final unsealed = (await thrown<FieldConfirm>(() => client.changeLoad(closed.basis, depart))).checks;
    expect(unsealed, const [Check(code: 'load_not_sealed')]);
    await client.changeLoad(closed.basis, depart, accept: unsealed);
    for (final points in [<TrackPoint>[], [at(0, 900000000)]]) {
      expect((await thrown<FieldInvalid>(() => client.addTrack(load, points))).field, 'points');
    }
    // 0.01 degrees to the north are 1.1 km; between the second and the third point nothing is known.
    final points = [at(0, 0), at(5, 100000), at(30, 300000, isMock: true)];
    final added = (await client.addTrack(load, points)).summary;
    expect((added.points, added.last), (3, points[2]));
    isTrue(3200 < added.distanceM && added.distanceM < 3500, '${added.distanceM} m');
    expect([for (final it in added.gaps) (it.fromAt, it.toAt)], [(points[1].at, points[2].at)]);
    expect((await client.addTrack(load, points)).summary, added, 'the same points again');

    await sync([manju, asha]);
    const route = [
      RoutePoint(latitudeE7: 130000000, longitudeE7: 780000000),
      RoutePoint(latitudeE7: 130100000, longitudeE7: 780000000),
    ];
    final seen = await asha.client.track(load, route: route);
    final off = seen.summary.offRouteM!;
    isTrue(2000 < off && off < 2500, '$off m off the route');
    isTrue(seen.lastAgeMs! >= 30 * 60000, '${seen.lastAgeMs} ms');
    final track = (await asha.client.trackPoints(load)).single;
    expect([track.deviceCode, track.points], [(await client.session())!.deviceCode, points]);
  });

  scenario(server, 'warnings of a draft are accepted by a person', (market) async {
    final asha = await market.hires('Asha', 'field_manager');
    final (client, lakshmi) = (asha.client, await asha.registers('Lakshmi Devi'));
    const scale = InstrumentCode('SCALE7');
    DraftEdit onScale(String weight) => DraftEdit.addBag(weight: weight, source: WeightSource.scale, scale: scale);
    InstrumentCheck check({required bool hasPassed}) => InstrumentCheck(
          instrument: scale,
          commodity: tomato,
          date: BusinessDate(DateTime.now().toUtc().toIso8601String().substring(0, 10)),
          referenceValue: 20000,
          shownValue: 20000,
          hasPassed: hasPassed,
        );

    final begun = await asha.begins(lakshmi, []);
    final weighed = await client.editDraft(begun.basis, [onScale('20.01'), onScale('20.02')]);
    const overdue = CheckCode('instrument_check_overdue'), off = CheckCode('off_interval');
    expect(weighed.warnings, const [
      Warning(check: off, instrument: scale, number: 1, count: 1, value: 20010, limit: 20),
      Warning(check: overdue, instrument: scale, number: 1, count: 2, value: null, limit: 1),
    ]);
    final unusual = (await thrown<FieldConfirm>(() => client.recordDelivery(weighed.basis))).checks;
    expect([for (final it in unusual) it.code], [off, overdue]);
    await client.addInstrumentCheck(kolar, check(hasPassed: true));
    final draft = await client.delivery(weighed.deliveryId);
    expect([for (final it in draft.warnings) it.check], [off]);
    final recorded = await client.recordDelivery(draft.basis, accept: unusual);
    expect(recorded.warnings, []);
    final failed = await client.addInstrumentCheck(kolar, check(hasPassed: false));
    expect(await client.deliveriesInDoubt(failed.recordId), [recorded.deliveryId]);
    final next = await asha.begins(lakshmi, []);
    expect((await thrown<FieldInvalid>(() => client.editDraft(next.basis, [onScale('1001')]))).field, 'weight');
  });
}
