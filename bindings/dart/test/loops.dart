/// An app with isolates that end while calls run, one after another, beside a client; prints what that client brought at last:
/// `dart loops.dart LIBRARY FOLDER KEY`.
library;

import 'dart:convert';
import 'dart:isolate';

import 'package:farmtally_field/farmtally_field.dart';

import 'market.dart';

/// Tries to open the folder that the other isolate has open, and ends before it is refused.
void givesUp(List<String> arguments) {
  final [library, folder] = arguments;
  FarmtallyFfiLibrary.load(path: library);
  for (var call = 0; call < 3; call++) {
    FieldClient.open(ClientConfig(dataDir: folder)).ignore();
  }
  Isolate.exit();
}

Future<void> main(List<String> arguments) async {
  final [library, folder, key] = arguments;
  FarmtallyFfiLibrary.load(path: library);
  final client = await FieldClient.open(ClientConfig(dataDir: folder), keyStore: Keys(base64.decode(key)));
  for (var turn = 0; turn < 500; turn++) {
    final ended = ReceivePort();
    await Isolate.spawn(givesUp, [library, folder], onExit: ended.sendPort);
    await ended.first;
  }
  final draft = (await client.today(kolar)).drafts.single;
  final weighed = await client.editDraft(draft.basis, [const DraftEdit.addBag(weight: '25')]);
  print('${weighed.totals.bags} ${(await client.sync()).outcome.name}');
  await client.shutDown();
}
