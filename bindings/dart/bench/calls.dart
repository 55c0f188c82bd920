/// What a call costs: run by `tests/run calls`.
library;

import 'dart:io';

import 'package:farmtally_field/farmtally_field.dart';

Future<void> main(List<String> arguments) async {
  FarmtallyFfiLibrary.load(path: File(arguments.single).absolute.path);
  final folder = Directory.systemTemp.createTempSync('farmtally-');
  final client = await FieldClient.open(ClientConfig(dataDir: folder.path));
  final row = probeRecordsOut(1).single;
  _report('bare', 20000, (calls) {
    for (var call = 0; call < calls; call++) {
      probeBare(7);
    }
  });
  _report('one record in', 2000, (calls) {
    for (var call = 0; call < calls; call++) {
      probeRecordIn(row);
    }
  });
  _report('1,000 records out', 10, (calls) {
    for (var call = 0; call < calls; call++) {
      probeRecordsOut(1000);
    }
  });
  await _reportAsync('async no-op', 500, probeAsync);
  await _reportAsync('a read on a thread of the library', 200, client.session);
  await _reportAsync('an event', 200, () => client.waitForEvent(0));
  await client.shutDown();
  folder.deleteSync(recursive: true);
}

const _warming = 20;
const _batches = 41;

void _report(String name, int batch, void Function(int calls) run) {
  final costs = <double>[];
  for (var round = 0; round < _warming + _batches; round++) {
    final watch = Stopwatch()..start();
    run(batch);
    costs.add(watch.elapsedMicroseconds / batch);
  }
  _print(name, costs);
}

Future<void> _reportAsync(String name, int batch, Future<Object?> Function() call) async {
  final costs = <double>[];
  for (var round = 0; round < _warming + _batches; round++) {
    final watch = Stopwatch()..start();
    for (var calls = 0; calls < batch; calls++) {
      await call();
    }
    costs.add(watch.elapsedMicroseconds / batch);
  }
  _print(name, costs);
}

/// The median over the batches after the warming, in microseconds a call.
void _print(String name, List<double> costs) {
  final measured = costs.sublist(_warming)..sort();
  print('Dart | $name | ${measured[_batches ~/ 2].toStringAsFixed(2)}');
}
