/// What the documents say is what is tested, and the example runs.
library;

import 'dart:convert';
import 'dart:io';

import '../../bindgen/fixture/test/check.dart';
import 'market.dart';

final _here = Platform.script;

String _text(String path) => File.fromUri(_here.resolve(path)).readAsStringSync();

/// The pieces of Dart in the README.
List<String> get _examples =>
    [for (final match in RegExp(r'```dart\n(.*?)```', dotAll: true).allMatches(_text('../README.md'))) match[1]!];

void documentTests(Server server, String libraryFolder) {
  test('the tests are the scenarios', () {
    final lines = RegExp(r'^\d+\. ([^:]+):', multiLine: true).allMatches(_text('../../scenarios.md'));
    expect(scenarios, [for (final line in lines) line[1]]);
  });

  test('every read has a stream', () {
    final generated = _text('../lib/src/generated/farmtally_ffi.dart');
    final client =
        RegExp(r'^final class FieldClient \{.*?^}', multiLine: true, dotAll: true).firstMatch(generated)![0]!;
    final signatures = RegExp(r'^  Future<(.+?)> (\w+)\(', multiLine: true).allMatches(client);
    final streams = RegExp(r' watch(\w)(\w+)\(').allMatches(_text('../lib/src/watch.dart'));
    final watched = {for (final it in streams) '${it[1]!.toLowerCase()}${it[2]}'};
    // `watch` makes streams of simple records and their lists.
    final kinds = [for (final it in RegExp(r'Future<(\w+)Page> \w+\(SimpleQuery ').allMatches(client)) it[1]!, 'Note', 'Signature'];
    final simple = {for (final kind in kinds) ...['${kind}View', '${kind}Page']};
    const others = {
      ...{'waitForEvent', 'shutDown', 'enrol', 'switchUser', 'sync', 'cancelSync', 'setServerUrl', 'resolve'},
      ...{'startDraft', 'editDraft', 'discardDraft', 'recordDelivery', 'amendDelivery', 'voidDelivery'},
      ...{'registerFarmer', 'editFarmer', 'openLoad', 'joinLoad', 'changeLoad'},
      ...{'exportParcel', 'parcelQrFrames', 'carryParcel', 'addQrFrame', 'probePanic'},
      ...{'addReadings', 'recordPrint', 'correctFarmer', 'takeOverDraft'},
      ...{'changeFarmer', 'proposePayout', 'revealPayout', 'addTrack', 'track', 'trackPoints', 'plotArea'},
      ...{'allowance', 'farmerBalance', 'cashBook'},
      ...{'queuePosition', 'containerBalances', 'deliveriesInDoubt', 'proposeSupply'},
      ...{'receipt', 'manifest', 'statement', 'dayBook'},
      ...{'report', 'exportReport', 'importFarmers', 'importProgress'},
    };
    final calls = [for (final it in signatures) if (!simple.contains(it[1])) it[2]!];
    isTrue(kinds.length > 10, '$kinds');
    expect(calls.where((call) => !watched.contains(call) && !others.contains(call)).toList(), []);
    expect(watched.where((read) => !calls.contains(read)).toList(), ['syncProgress']);
  });

  test('the version is that of the library', () {
    String? version(RegExp line, String path) => line.firstMatch(_text(path))?[1];
    final library = version(RegExp('^version = "(.+)"', multiLine: true), '../../../Cargo.toml');
    isTrue(library != null, 'the workspace has a version');
    expect(version(RegExp(r'^version: (.+)', multiLine: true), '../pubspec.yaml'), library);
  });

  test('the examples of the README are what runs', () {
    final [weighing, printing, program] = _examples;
    for (final (example, file) in [(weighing, 'market_day_test.dart'), (printing, 'records_test.dart')]) {
      final indented = const LineSplitter().convert(example).map((line) => '    $line\n').join();
      isTrue(_text(file).contains(indented), '$file does so');
    }
    expect(_text('../example/example.dart'), program);
  });

  test('the example runs, finds the library by its name, and ends', () async {
    final code = await (await Market.on(server)).code('Asha', 'clerk');
    final example = _here.resolve('../example/example.dart').toFilePath();
    final run = await Process.run(
      Platform.resolvedExecutable,
      [example, '${server.folder.path}/example', server.url, code],
      environment: {'LD_LIBRARY_PATH': libraryFolder, 'DYLD_LIBRARY_PATH': libraryFolder},
    );
    expect('${run.stdout}'.trim(), '39000 g net, sync complete', '${run.stderr}');
    expect(run.exitCode, 0, '${run.stderr}');
  });
}
