/// All tests of the package: `dart test/all.dart LIBRARY`, with the program `farmtally-server` in FARMTALLY_SERVER.
library;

import 'dart:io';

import 'package:farmtally_field/farmtally_field.dart';

import '../../bindgen/fixture/test/check.dart';
import 'deliveries_test.dart';
import 'documents_test.dart';
import 'farmers_test.dart';
import 'market.dart';
import 'market_day_test.dart';
import 'records_test.dart';
import 'usage_test.dart';
import 'watch_test.dart';

Future<void> main(List<String> arguments) async {
  if (arguments.length != 1) {
    stderr.writeln('usage: dart test/all.dart LIBRARY');
    exit(2);
  }
  final library = File(arguments.single).absolute;
  FarmtallyFfiLibrary.load(path: library.path);
  final server = await Server().start();
  marketDay(server, library.path);
  recordTests(server);
  farmerTests(server);
  deliveryTests(server);
  watchTests(server, library.path);
  usageTests(server);
  documentTests(server, library.parent.path);
  await finish(server.close);
}
