/// What an app writes: weighing with a scale, and settling what waits.
library;

import 'dart:async';

import 'package:farmtally_field/farmtally_field.dart';

import '../../bindgen/fixture/test/check.dart';
import 'market.dart';

Future<DeliveryView> weigh(
  FieldClient client,
  StartDraft input,
  Stream<String> weights,
  Future<bool> Function(List<Check>) ask,
) async {
  var delivery = await client.startDraft(input);
  await for (final weight in weights) {
    delivery = await client.editDraft(delivery.basis, [DraftEdit.addBag(weight: weight)]);
  }
  try {
    return await client.recordDelivery(delivery.basis);
  } on FieldConfirm catch (e) {
    return await ask(e.checks) ? client.recordDelivery(delivery.basis, accept: e.checks) : delivery;
  }
}

Future<void> syncAndSettle(FieldClient client, Future<Choice?> Function(InboxItem) pick) async {
  if ((await client.sync()).outcome == SyncOutcome.offline) return;
  for (final item in (await client.inbox()).items) {
    if (await pick(item) case final choice?) await client.resolve(item.basis, choice);
  }
}

void usageTests(Server server) {
  test('an app weighs and settles in a few lines', () async {
    final market = await Market.on(server);
    try {
      final (asha, ravi) = (await market.hires('Asha', 'field_manager'), await market.hires('Ravi', 'dispatcher'));
      final farmer = await asha.registers('Lakshmi Devi');
      final input = StartDraft(centre: kolar, commodity: tomato, farmerId: farmer.farmerId);
      Stream<String> weights() => Stream.fromIterable(['20', '5']);
      expect((await weigh(asha.client, input, weights(), (_) async => false)).lifecycle, Lifecycle.draft);
      final asked = <String>[];
      final recorded = await weigh(asha.client, input, weights(), (checks) async {
        asked.addAll([for (final check in checks) check.code]);
        return true;
      });
      expect((recorded.lifecycle, recorded.totals.grossG), (Lifecycle.recorded, 25000));
      expect(asked, ['uncommon_bag_weight']);

      final loads = [await asha.opens('KA07A1111'), await asha.opens('KA07A2222')];
      for (final person in [asha, ravi]) {
        await person.client.sync();
      }
      for (final (person, load) in [(asha, loads[0]), (ravi, loads[1])]) {
        final shown = await person.client.delivery(recorded.deliveryId);
        await person.client.amendDelivery(shown.basis, mistyped, [DeliveryEdit.setLoad(loadId: load.loadId)]);
        await person.client.sync();
      }
      await syncAndSettle(asha.client, (item) async => item.choices.lastOrNull);
      expect(await asha.conflicts(), []);
    } finally {
      await market.close();
    }
  });
}
