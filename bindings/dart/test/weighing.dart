/// An app that weighs one bag after another and tells how many it has, until it is killed: `dart weighing.dart LIBRARY FOLDER KEY`.
library;

import 'dart:convert';
import 'dart:io';

import 'package:farmtally_field/farmtally_field.dart';

import 'market.dart';

Future<void> main(List<String> arguments) async {
  final [library, folder, key] = arguments;
  FarmtallyFfiLibrary.load(path: library);
  final client = await FieldClient.open(ClientConfig(dataDir: folder), keyStore: Keys(base64.decode(key)));
  var draft = (await client.today(kolar)).drafts.single;
  while (true) {
    draft = await client.editDraft(draft.basis, [const DraftEdit.addBag(weight: '25')]);
    stdout.writeln(draft.totals.bags);
    await stdout.flush();
  }
}
