/// The scenarios of bindings/scenarios.md about what is recorded, printed, reported and imported, in its order.
library;

import 'dart:convert';
import 'dart:io';
import 'dart:typed_data';

import 'package:farmtally_field/farmtally_field.dart';

import '../../bindgen/fixture/test/check.dart';
import 'market.dart';

const _english = Wording(language: Language.english);
const _profile = PrinterProfile(width: PaperWidth.mm58, codePage: CodePage.ascii, hasQr: true, cuts: false);

/// A receipt printer that has paper for so many bytes.
class Roll extends Printer {
  Roll(this.paper);

  int paper;
  final BytesBuilder printed = BytesBuilder();
  bool isConnected = true;

  @override
  Future<int> send(Uint8List bytes) async {
    if (!isConnected) throw const PrinterDisconnected(reason: 'switched off');
    paper -= bytes.length;
    printed.add(bytes);
    return bytes.length;
  }

  @override
  Future<int?> ask(Uint8List question) async => switch (question) {
        // GS r 1, answered when all is printed; DLE EOT 4: the paper; DLE EOT 2: why it is offline.
        [0x1d, 0x72, 1] => paper < 0 ? null : 0,
        [0x10, 4, 4] => paper < 0 ? 0x72 : 0x12,
        _ => paper < 0 ? 0x32 : 0x12,
      };
}

void recordTests(Server server) {
  Future<(Person, Person)> ashaAndRavi(Market market, [String role = 'clerk']) async =>
      (await market.hires('Asha', role), await market.hires('Ravi', 'dispatcher'));

  scenario(server, 'a delivery gets readings a signature and prints after it was recorded', (market) async {
    final (asha, ravi) = await ashaAndRavi(market);
    final recorded = await asha.weighs(await asha.registers('Lakshmi Devi'), ['20', '21']);
    expect(recorded.actions, ['amend', 'void', 'correct_farmer', 'add_readings', 'sign', 'print']);
    const readings = [ReadingInput.moisture(moisture: '14.5'), ReadingInput.moisture(moisture: '15')];
    final read = await asha.client.addReadings(recorded.basis, readings);
    Mark drawn(int x) => Mark.drawn(strokes: [
          Stroke(points: [const Point(x: 0, y: 0), Point(x: x, y: 512)]),
        ]);
    final signed = await asha.client.sign(read.basis, drawn(1023));
    expect([signed.content.recordId, signed.content.farmerId], [recorded.deliveryId, recorded.farmerId]);
    final printed = await asha.client.recordPrint(read.basis, PrintMedium.message);
    const measured = [Measured.moisture(moisture: '14.50'), Measured.moisture(moisture: '15.00')];
    expect([for (final it in printed.readings) it.measured], measured);
    expect([for (final it in printed.signatures) it.content.mark], [drawn(1023)]);
    expect([for (final it in printed.prints) it.medium], [PrintMedium.message]);
    final far = await thrown<FieldInvalid>(() => asha.client.sign(printed.basis, drawn(1024)));
    expect(far.field, 'mark');
    await thrown<FieldStale>(() => asha.client.recordPrint(read.basis, PrintMedium.paper));

    for (final person in [asha, ravi]) {
      await person.client.sync();
    }
    final seen = await ravi.client.delivery(recorded.deliveryId);
    expect(seen.readings, printed.readings);
    expect(seen.prints, printed.prints);
    final page = await ravi.client.signatures(DocumentId(recorded.deliveryId.value));
    expect([for (final it in page.items) it.content], [signed.content]);
    isTrue(seen.isSigned, 'it is signed');
    final voided = await ravi.client.voidDelivery(seen.basis, mistyped);
    expect(voided.actions, ['replace', 'print']);
    final refused = await thrown<FieldRefused>(() => ravi.client.addReadings(voided.basis, readings));
    expect(refused.code, 'not_allowed');
  });

  scenario(server, 'the farmer of a delivery is corrected in one step', (market) async {
    final (asha, ravi) = await ashaAndRavi(market);
    final (lakshmi, meena) = (await asha.registers('Lakshmi Devi'), await asha.registers('Meena'));
    final first = await asha.weighs(lakshmi, ['20', '21']);
    const why = Reason(code: 'wrong_farmer');
    final same = await thrown<FieldInvalid>(() => asha.client.correctFarmer(first.basis, lakshmi.farmerId, why));
    expect(same.field, 'farmer_id');
    final second = await asha.client.correctFarmer(first.basis, meena.farmerId, why);
    expect((second.farmerId, second.replaces, second.totals), (meena.farmerId, first.deliveryId, first.totals));
    expect([for (final it in second.bags) it.grossG], [for (final it in first.bags) it.grossG]);
    isTrue(second.receiptNumber != first.receiptNumber, 'a new receipt');
    await thrown<FieldStale>(() => asha.client.correctFarmer(first.basis, meena.farmerId, why));
    for (final person in [asha, ravi]) {
      await person.client.sync();
      final voided = await person.client.delivery(first.deliveryId);
      expect([voided.lifecycle, voided.replacedBy], [
        Lifecycle.voided,
        [second.deliveryId],
      ]);
      expect([for (final it in voided.voids) it.reason], [why]);
      expect(await person.totals(), const Sum(deliveries: 1, voided: 1, bags: 2, grossG: Grams(41000)));
    }
  });

  scenario(server, 'lots and vehicles are weighed with grades', (market) async {
    final (asha, ravi) = await ashaAndRavi(market);
    const a = GradeCode('A'), b = GradeCode('B');
    final draft = await asha.begins(await asha.registers('Lakshmi Devi'), []);
    final weighed = await asha.client.editDraft(draft.basis, const [
      DraftEdit.addLot(weight: '500', grade: a),
      DraftEdit.addLot(weight: '12000', vehicle: '9000', grade: b),
      DraftEdit.addBag(weight: '50', grade: a),
    ]);
    final uncounted = await thrown<FieldInvalid>(() => asha.client.recordDelivery(weighed.basis));
    expect(uncounted.field, 'bag_counts');
    const bad = {
      'grade': DraftEdit.addBag(weight: '50', grade: GradeCode('C')),
      'weight': DraftEdit.addLot(weight: '100001'),
      'vehicle': DraftEdit.addLot(weight: '9000', vehicle: '9001'),
    };
    for (final MapEntry(key: field, value: edit) in bad.entries) {
      expect((await thrown<FieldInvalid>(() => asha.client.editDraft(weighed.basis, [edit]))).field, field);
    }
    const counts = [
      BagCount(bagType: BagType(0), grade: a, count: 10),
      BagCount(bagType: BagType(0), grade: b, count: 60),
    ];
    final counted = await asha.client.editDraft(weighed.basis, const [DraftEdit.setBagCounts(counts: counts)]);
    final recorded = await asha.client.recordDelivery(counted.basis);
    for (final person in [asha, ravi]) {
      await person.client.sync();
      final seen = await person.client.delivery(recorded.deliveryId);
      expect([for (final it in seen.lots) (it.number, it.vehicleG)], [(1, null), (2, const Grams(9000000))]);
      expect([for (final it in seen.bags) it.number], [3]);
      expect(seen.bagCounts, counts);
      expect([for (final it in seen.grades) (it.grade, it.totals.bags, it.totals.netG)],
          [(a, 11, const Grams(533500)), (b, 60, const Grams(2910000))]);
      expect((seen.totals.grossG, seen.totals.netG), (const Grams(3550000), const Grams(3443500)));
    }
  });

  scenario(server, 'a draft is taken over by a colleague on the same phone', (market) async {
    final asha = await market.hires('Asha', 'field_manager');
    final client = asha.client;
    final session = (await client.session())!;
    await market.shares(session.deviceCode, 'Ravi', 'clerk');
    await client.sync();
    final draft = await asha.begins(await asha.registers('Lakshmi Devi'), ['20']);
    expect((await thrown<FieldRefused>(() => client.takeOverDraft(draft.basis))).code, 'not_allowed');

    final ravi = (await client.users()).singleWhere((it) => it.name == 'Ravi').userId;
    await client.switchUser(ravi);
    final seen = (await client.today(kolar)).drafts.single;
    expect(seen.actions, ['take_over']);
    const bag = [DraftEdit.addBag(weight: '21')];
    for (final call in <Future<void> Function()>[
      () => client.editDraft(seen.basis, bag),
      () => client.recordDelivery(seen.basis),
      () => client.discardDraft(seen.basis),
    ]) {
      expect((await thrown<FieldRefused>(call)).code, 'not_allowed');
    }
    final taken = await client.editDraft((await client.takeOverDraft(seen.basis)).basis, bag);
    expect(taken.actions, ['edit', 'record', 'discard']);
    final recorded = await client.recordDelivery(taken.basis);
    expect(recorded.users, [session.userId, ravi]);
    expect([for (final it in recorded.bags) it.userId], [session.userId, ravi]);
    expect(recorded.recorded!.userId, ravi);
  });

  scenario(server, 'a receipt becomes text a message a page a file and printer commands', (market) async {
    final asha = await market.hires('Asha', 'clerk');
    final client = asha.client;
    var delivery = await asha.weighs(await asha.registers('Lakshmi Devi'), ['20', '21']);
    final number = delivery.receiptNumber!.value;
    final fonts = [
      for (final name in ['NotoSans-Latin', 'NotoSansKannada'])
        File.fromUri(Platform.script.resolve('../../../tests/fixtures/fonts/$name.ttf')).readAsBytesSync(),
    ];
    final paper = await client.receipt(delivery.deliveryId, _english);
    final commands = latin1.decode(await paper.commands(_profile));
    for (final text in [...PaperWidth.values.map(paper.text), paper.message().text, paper.html(), commands]) {
      isTrue(text.contains(number) && text.contains('38.0'), text);
    }
    isTrue(paper.text(PaperWidth.mm58).contains('Original') && paper.title().isNotEmpty, 'it is the original');
    expect((await thrown<FieldInvalid>(() => paper.pdf(Sheet.a4, []))).field, 'fonts');
    expect((await thrown<FieldInvalid>(() => paper.message(mostParts: 0))).field, 'most_parts');
    isTrue(latin1.decode(await paper.pdf(Sheet.a5, fonts)).startsWith('%PDF-1.7'), 'a PDF');
    final kannada = await client.receipt(delivery.deliveryId, const Wording(language: Language.kannada));
    expect((await thrown<FieldInvalid>(() => kannada.commands(_profile))).field, 'fonts');
    isTrue((await kannada.commands(_profile, fonts: fonts)).length > 10000, 'pictures');

    final first = await paper.print(Roll(200), _profile);
    expect((first.end, first.hasUsedPaper), (PrintEnd.outOfPaper, true));
    isTrue(first.linesPrinted > 0 && first.linesPrinted < first.lines, '$first');
    delivery = await client.recordPrint(delivery.basis, PrintMedium.paper);
    final printer = Roll(10000);
    // The example of the README begins here.
    final receipt = await client.receipt(delivery.deliveryId, const Wording(language: Language.english));
    const profile = PrinterProfile(width: PaperWidth.mm58, codePage: CodePage.ascii, hasQr: true, cuts: false);
    final report = await receipt.print(printer, profile);
    if (report.hasUsedPaper) delivery = await client.recordPrint(delivery.basis, PrintMedium.paper);
    if (report.end != PrintEnd.complete) print('insert paper or connect, and print the next copy: ${report.end}');
    // And ends here.
    expect((report.end, report.linesPrinted, report.isConfirmed), (PrintEnd.complete, report.lines, true));
    final printed = latin1.decode(printer.printed.toBytes());
    isTrue(printed.contains('Copy 2') && printed.contains(number), printed);
    printer.isConnected = false;
    expect((await receipt.print(printer, profile)).end, PrintEnd.disconnected);
    final copy = await client.receipt(delivery.deliveryId, _english);
    isTrue(copy.text(PaperWidth.mm80).contains('Copy 3'), 'each print is counted');
    await thrown<FieldNotFound>(() => client.receipt(DeliveryId(delivery.farmerId!.value), _english));
    for (final it in [paper, kannada, receipt, copy]) {
      it.dispose();
    }
  });

  scenario(server, 'records of other kinds are made listed page by page and withdrawn', (market) async {
    final (asha, ravi) = await ashaAndRavi(market, 'dispatcher');
    final client = asha.client;
    final lakshmi = await asha.registers('Lakshmi Devi');
    final load = await asha.opens('KA07A1111');
    final delivery = DocumentId((await asha.weighs(lakshmi, ['20'])).deliveryId.value);
    final today = BusinessDate('${DateTime.now()}'.substring(0, 10));

    for (final text in ['wet', 'torn bag', 'paid']) {
      await client.addNote(delivery, text);
    }
    expect((await thrown<FieldInvalid>(() => client.addNote(delivery, ''))).field, 'text');
    final first = await client.notes(delivery, limit: 2);
    final second = await client.notes(delivery, after: first.next, limit: 2);
    expect([for (final it in first.items + second.items) it.content.text], ['wet', 'torn bag', 'paid']);
    expect(second.next, null);

    WeighbridgeTicket weighed(String tare) => WeighbridgeTicket(
          recordId: DocumentId(load.loadId.value),
          gross: '12340',
          grossSource: WeighingSource.scale,
          tare: tare,
          tareSource: WeighingSource.manual,
          number: '7',
        );
    final ticket = await client.addWeighbridgeTicket(weighed('9000'));
    expect((ticket.netG, ticket.state), (const Grams(3340000), SimpleState.open));
    expect((await thrown<FieldInvalid>(() => client.addWeighbridgeTicket(weighed('12341')))).field, 'tare');

    LorryRequest wanted(int bags) => LorryRequest(
          commodity: tomato,
          wantedDate: today,
          fromMinute: 480,
          toMinute: 600,
          purpose: 'harvest',
          farmers: 12,
          bags: bags,
          weightG: const Grams(6000000),
          priority: Priority.high,
        );
    final request = await client.addLorryRequest(kolar, wanted(300));
    final changed = await client.changeLorryRequest(request.basis, wanted(400));
    expect([changed.content.bags, changed.actions], [
      400,
      ['correct', 'withdraw'],
    ]);
    await thrown<FieldStale>(() => client.withdrawLorryRequest(request.basis, mistyped));
    const all = SimpleQuery(centre: kolar), stillOpen = SimpleQuery(centre: kolar, state: SimpleState.open);
    final emptied = client
        .watch(const {Topic.records}, () => client.lorryRequests(stillOpen)).firstWhere((page) => page.items.isEmpty);
    final withdrawn = await client.withdrawLorryRequest(changed.basis, mistyped);
    expect((withdrawn.state, withdrawn.steps.single.reason), (SimpleState.withdrawn, mistyped));
    await emptied;
    await thrown<FieldRefused>(() => client.withdrawLorryRequest(withdrawn.basis, mistyped));

    final waiting = await client.addQueueTicket(
      kolar,
      QueueTicket(commodity: tomato, date: today, farmerId: lakshmi.farmerId),
    );
    expect(await client.queuePosition(waiting.recordId), 1);
    final served = await client.serveQueueTicket((await client.callQueueTicket(waiting.basis)).basis);
    expect((served.state, await client.queuePosition(waiting.recordId)), (SimpleState.served, null));

    for (final person in [asha, ravi]) {
      await person.client.sync();
      final requests = await person.client.lorryRequests(all);
      expect([for (final it in requests.items) it.state], [SimpleState.withdrawn]);
      expect((await person.client.lorryRequests(stillOpen)).items, []);
      final tickets = await person.client.weighbridgeTickets(all);
      expect([for (final it in tickets.items) it.recordId], [ticket.recordId]);
      expect((await person.client.weighbridgeTicket(ticket.recordId)).content.number, '7');
      final notes = [for (final it in (await person.client.notes(delivery)).items) it.content.text];
      expect(notes, ['wet', 'torn bag', 'paid']);
    }
  });

  /// Rows as maps from column to value.
  List<Map<String, Object?>> table(Report report) => [
        for (final row in report.rows)
          {
            for (final (index, column) in report.columns.indexed)
              column: switch (row[index]) {
                CellText(:final text) => text,
                CellNumber(:final number) => number,
                CellEmpty() => null,
              },
          },
      ];

  scenario(server, 'reports agree with what was recorded and are exported as CSV and NDJSON', (market) async {
    final asha = await market.hires('Asha', 'field_manager');
    final client = asha.client;
    final (lakshmi, meena) = (await asha.registers('Lakshmi Devi'), await asha.registers('Meena, of Malur'));
    final load = await asha.opens('KA07A1111');
    final recorded = [
      await asha.weighs(lakshmi, ['20', '21']),
      await asha.weighs(meena, ['30'], load: load),
      await asha.weighs(lakshmi, ['50']),
    ];
    await client.voidDelivery(recorded[2].basis, mistyped);
    final sum = await asha.totals();
    final day = table(await client.report(const ReportQuery(report: ReportCode('by_day'), centre: kolar))).single;
    final totals = [for (final name in ['deliveries', 'voided', 'bags', 'gross_g']) day[name]];
    expect(totals, [2, 1, 3, 71000]);
    expect(totals, [sum.deliveries, sum.voided, sum.bags, sum.grossG]);
    final byFarmer = table(await client.report(const ReportQuery(report: ReportCode('by_farmer'))));
    expect([for (final it in byFarmer) (it['farmer_name'], it['net_g'])],
        [('Lakshmi Devi', 38000), ('Meena, of Malur', 28500)]);
    final listed = (await client.loads(const LoadQuery(lorry: LorryPlate('KA07A1111')))).items.single;
    expect((listed.row.loadId, listed.sum.grossG), (load.loadId, const Grams(30000)));
    final date = recorded[0].businessDate;
    const dayBook = ReportCode('day_book');
    final query = ReportQuery(report: dayBook, centre: kolar, fromDate: date, toDate: date);
    final report = await client.report(query);
    final numbers = [for (final it in table(report)) (it['receipt_number'], it['is_voided'])];
    expect(numbers, [for (final (index, it) in recorded.indexed) (it.receiptNumber, index == 2 ? 1 : 0)]);

    final path = '${server.folder.path}/${market.organisation}';
    const csv = ExportFormat('csv'), ndjson = ExportFormat('ndjson');
    expect(await client.exportReport(query, csv, '$path.csv'), 3);
    final lines = File('$path.csv').readAsStringSync().split('\r\n');
    expect((lines[0], lines.length, lines.last), (report.columns.join(','), 5, ''));
    isTrue(lines[2].contains('"Meena, of Malur"'), lines[2]);
    expect(await client.exportReport(query, ndjson, '$path.ndjson'), 3);
    final objects = [for (final line in File('$path.ndjson').readAsLinesSync()) jsonDecode(line) as Map<String, Object?>];
    expect(['$objects'], ['${table(report)}']);

    final bad = <String, Future<Object?> Function()>{
      'centre': () => client.report(ReportQuery(report: dayBook, fromDate: date, toDate: date)),
      'from_date': () => client.report(const ReportQuery(report: dayBook, centre: kolar)),
      'farmer_id': () => client.report(const ReportQuery(report: ReportCode('farmer_statement'))),
      'top': () => client.report(const ReportQuery(report: ReportCode('top_farmers'), top: 0)),
      'report': () => client.report(const ReportQuery(report: ReportCode('profit'))),
      'format': () => client.exportReport(query, const ExportFormat('xlsx'), '$path.csv'),
      'path': () => client.exportReport(query, csv, '$path.csv/in a file'),
    };
    for (final MapEntry(key: field, value: call) in bad.entries) {
      expect((await thrown<FieldInvalid>(call)).field, field);
    }
  });

  scenario(server, 'farmers are imported from a spreadsheet', (market) async {
    final asha = await market.hires('Asha', 'clerk');
    final client = asha.client;
    final file = File('${server.folder.path}/${market.organisation}.csv')
      ..writeAsStringSync([
        ...['Name,Village,Mobile No.,Remarks', 'Lakshmi Devi,Vemagal,98450 11111,', 'Ramesh,Malur,call his son,'],
        ...[',Malur,,', 'Meena,Malur,9.845033333E+09,', 'Lakshmi Devi,Vemagal,9845011111,again'],
      ].join('\r\n'));
    Future<List<String>> names() async =>
        [for (final it in (await client.farmers(const FarmerQuery(centre: kolar))).items) it.contact.name]..sort();
    const input = ImportInput(centre: kolar);
    final dry = await client.importFarmers(file.path, const ImportInput(centre: kolar, isDryRun: true));
    expect((dry.lines, dry.registered, dry.known, dry.failed), (5, 2, 0, 3));
    expect([for (final it in dry.issues) (it.line, it.column, it.code, it.text)], [
      (3, 'Mobile No.', 'phone_invalid', 'call his son'),
      (4, 'Name', 'name_missing', ''),
      (6, 'Name', 'duplicate_line', '2'),
    ]);
    expect(dry.ignoredColumns, ['Remarks']);
    expect(await names(), []);

    expect(await client.importFarmers(file.path, input), dry);
    expect(await client.importProgress(), null);
    expect(await names(), ['Lakshmi Devi', 'Meena']);
    final again = await client.importFarmers(file.path, input);
    expect((again.registered, again.known), (0, 3));
    expect(await names(), ['Lakshmi Devi', 'Meena']);
    expect((await thrown<FieldInvalid>(() => client.importFarmers('${file.path}x', input))).field, 'path');
    file.writeAsStringSync('Village\nMalur\n');
    expect((await thrown<FieldInvalid>(() => client.importFarmers(file.path, input))).field, 'columns');
  });
}
