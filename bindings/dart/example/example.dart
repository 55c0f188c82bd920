import 'package:farmtally_field/farmtally_field.dart';

/// Enrols a phone with a code from the office, and weighs what a farmer brings: `dart example.dart FOLDER SERVER CODE`.
Future<void> main(List<String> arguments) async {
  final client = await FieldClient.open(ClientConfig(dataDir: arguments[0]));
  await client.enrol(arguments[1], arguments[2], 'my phone');
  const kolar = CentreCode('KOLAR'), tomato = CommodityCode('TOMATO');
  final lakshmi = await client.registerFarmer(kolar, const Contact(name: 'Lakshmi Devi'));
  var delivery = await client.startDraft(StartDraft(centre: kolar, commodity: tomato, farmerId: lakshmi.farmerId));
  for (final weight in ['20.5', '21500 g']) {
    delivery = await client.editDraft(delivery.basis, [DraftEdit.addBag(weight: weight)]);
  }
  delivery = await client.recordDelivery(delivery.basis);
  print('${delivery.totals.netG} g net, sync ${(await client.sync()).outcome.name}');
  await client.shutDown();
}
