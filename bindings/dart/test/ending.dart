/// An app that ends while a bag is weighed, a sync waits for an answer, and a screen waits for changes; prints how many bags it had by then:
/// `dart ending.dart LIBRARY FOLDER KEY`.
library;

import 'dart:async';
import 'dart:convert';
import 'dart:io';

import 'package:farmtally_field/farmtally_field.dart';

import 'market.dart';

class Silent extends Transport {
  @override
  Future<WireResponse> send(WireRequest request) => Completer<WireResponse>().future;
}

Future<void> main(List<String> arguments) async {
  final [library, folder, key] = arguments;
  FarmtallyFfiLibrary.load(path: library);
  final keys = Keys(base64.decode(key));
  final client = await FieldClient.open(ClientConfig(dataDir: folder), keyStore: keys, transport: Silent());
  client.sync().ignore();
  client.watchToday(kolar).listen(null);
  var draft = (await client.today(kolar)).drafts.single;
  while (draft.totals.bags < 11) {
    draft = await client.editDraft(draft.basis, [const DraftEdit.addBag(weight: '25')]);
  }
  print(draft.totals.bags);
  await stdout.flush();
  for (var call = 0; call < 20; call++) {
    client.editDraft(draft.basis, [const DraftEdit.addBag(weight: '25')]).ignore();
  }
  exit(0);
}
