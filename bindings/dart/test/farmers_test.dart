/// The scenarios of bindings/scenarios.md about farmers, their land and their money, in its order.
library;

import 'package:farmtally_field/farmtally_field.dart';

import '../../bindgen/fixture/test/check.dart';
import 'market.dart';

void farmerTests(Server server) {
  BusinessDate day([int ago = 0]) =>
      BusinessDate(DateTime.now().toUtc().subtract(Duration(days: ago)).toIso8601String().substring(0, 10));
  final today = day();

  /// Two people whose phones know Lakshmi.
  Future<(Person, Person, FarmerId)> ashaAndRavi(Market market) async {
    final (asha, ravi) = (await market.hires('Asha', 'field_manager'), await market.hires('Ravi', 'dispatcher'));
    final lakshmi = await asha.registers('Lakshmi Devi');
    await sync([asha, ravi]);
    return (asha, ravi, lakshmi.farmerId);
  }

  scenario(server, 'a farmer has tags several phones and consents and may be inactive', (market) async {
    final (asha, ravi) = (await market.hires('Asha', 'field_manager'), await market.hires('Ravi', 'dispatcher'));
    final client = asha.client;
    const contact = Contact(
      name: 'Lakshmi Devi',
      phone: '98450 11111',
      otherPhones: ['98450 22222'],
      language: 'kn',
      messagesConsent: true,
    );
    final lakshmi = await client.registerFarmer(kolar, contact, tags: const [FarmerTag('organic'), FarmerTag('A1')]);
    expect(lakshmi.tags, const [FarmerTag('A1'), FarmerTag('ORGANIC')]);
    isTrue(lakshmi.isActive, 'new records are expected');
    expect(lakshmi.contact.phone, '+919845011111');
    expect(lakshmi.contact.otherPhones, ['+919845022222']);
    expect((lakshmi.contact.language, lakshmi.contact.messagesConsent, lakshmi.contact.photoConsent), ('kn', true, null));
    const alike = Contact(name: 'Meena', phone: '98450 22222');
    final asked = (await thrown<FieldConfirm>(() => client.registerFarmer(kolar, alike))).checks;
    expect(asked, const [Check(code: 'farmer_looks_alike')]);
    await client.registerFarmer(kolar, alike, accept: asked);
    final found = await client.farmers(const FarmerQuery(centre: kolar, text: '22222'));
    expect([for (final it in found.items) it.contact.name], ['Meena', 'Lakshmi Devi']);

    // Contact details and identity have a version each.
    const changed = Contact(name: 'Lakshmi Devi', phone: '98450 11111', messagesConsent: false, photoConsent: true);
    final edited = (await client.editFarmer(lakshmi.farmerId, lakshmi.basis, changed)).contact;
    expect([edited.otherPhones, edited.messagesConsent, edited.photoConsent], [[], false, true]);
    const small = FarmerEdit.setTags(tags: [FarmerTag('SMALL')]);
    final tagged = await client.changeFarmer(lakshmi.identityBasis, small);
    expect(tagged.tags, const [FarmerTag('SMALL')]);
    await thrown<FieldStale>(() => client.changeFarmer(lakshmi.identityBasis, const FarmerEdit.setTags(tags: [])));
    for (final tags in [
      [for (var number = 0; number < 21; number++) FarmerTag('T$number')],
      [const FarmerTag('no tag!')],
    ]) {
      final edit = FarmerEdit.setTags(tags: tags);
      expect((await thrown<FieldInvalid>(() => client.changeFarmer(tagged.identityBasis, edit))).field, 'tags');
    }

    final left = await client.changeFarmer(tagged.identityBasis, const FarmerEdit.setActive(isActive: false));
    expect((left.isActive, left.actions.contains(const ActionCode('reactivate'))), (false, true));
    final draft = await asha.begins(lakshmi, ['20']);
    final inactive = (await thrown<FieldConfirm>(() => client.recordDelivery(draft.basis))).checks;
    expect(inactive, const [Check(code: 'farmer_inactive')]);
    final recorded = await client.recordDelivery(draft.basis, accept: inactive);
    await sync([asha, ravi]);
    final seen = await ravi.client.farmer(lakshmi.farmerId);
    expect([seen.tags, seen.isActive, seen.contact], [tagged.tags, false, edited]);
    expect((await ravi.client.delivery(recorded.deliveryId)).reviews, ['farmer_inactive']);
  });

  scenario(server, 'payout details are masked and revealed for a reason', (market) async {
    final (asha, ravi, lakshmi) = await ashaAndRavi(market);
    final before = (await asha.client.farmer(lakshmi)).payout;
    expect((before.state, before.account), (PayoutState.missing, null));
    const account = PayoutAccount(method: PayoutMethod.bank, account: '5010-0012 3456 78', bankCode: 'HDFC0001234');
    const details = PayoutInput(nationalId: '1234 5678 9012', account: account);
    final proposed = (await asha.client.proposePayout(lakshmi, before.basis, details)).payout;
    expect((proposed.state, proposed.nationalId), (PayoutState.unconfirmed, '••••••••9012'));
    const masked = PayoutAccount(method: PayoutMethod.bank, account: '••••••••••5678', bankCode: 'HDFC0001234');
    expect(proposed.account, masked);
    Future<FarmerView> proposes(Basis basis, PayoutInput input) => asha.client.proposePayout(lakshmi, basis, input);
    final none = await thrown<FieldInvalid>(() => proposes(proposed.basis, const PayoutInput()));
    expect(none.field, 'payout');
    await thrown<FieldStale>(() => proposes(before.basis, const PayoutInput(nationalId: '99999')));

    await sync([asha, ravi]);
    const why = Reason(code: 'bank_called');
    Future<RevealedPayout> reveals(Person person, FarmerId farmer, Reason reason) =>
        person.client.revealPayout(farmer, PayoutField.account, reason);
    expect((await thrown<FieldInvalid>(() => reveals(ravi, lakshmi, const Reason(code: '')))).field, 'reason');
    expect((await ravi.client.farmer(lakshmi)).payout.reveals, []);
    expect((await thrown<FieldRefused>(() => reveals(asha, lakshmi, why))).code, 'not_allowed');
    final shown = await reveals(ravi, lakshmi, why);
    expect([for (final it in shown.accounts) it.account], ['50100012345678']);
    expect(shown.nationalIds, []);
    await sync([ravi, asha]);
    final seen = (await asha.client.farmer(lakshmi)).payout;
    expect([for (final it in seen.reveals) (it.field, it.reason)], [(PayoutField.account, why)]);
    expect(seen.account, masked);
    final meena = await ravi.registers('Meena');
    await thrown<FieldNotFound>(() => reveals(ravi, meena.farmerId, why));
  });

  scenario(server, 'plots certificates and quotas are shown with their farmer', (market) async {
    final (asha, ravi, lakshmi) = await ashaAndRavi(market);
    final client = asha.client;
    final border = [
      for (final (north, east) in [(0, 0), (0, 10000), (10000, 10000), (10000, 0)])
        GeoPoint(latitudeE7: 131367000 + north, longitudeE7: 781289000 + east),
    ];
    final area = await client.plotArea(border);
    isTrue(11000 < area && area < 12500, '$area square metres');
    final shape = PlotShape.ring(points: border);
    final tank = Plot(farmerId: lakshmi, name: 'by the tank', shape: shape, declaredAreaM2: 12000);
    final plot = (await client.addPlot(tank)).recordId;
    final line = Plot(farmerId: lakshmi, name: 'a line', shape: PlotShape.ring(points: border.sublist(2)));
    expect((await thrown<FieldInvalid>(() => client.addPlot(line))).field, 'shape');
    final hill = Plot(farmerId: lakshmi, name: 'on the hill', shape: PlotShape.point(point: border[0]));
    final sold = await client.withdrawPlot((await client.addPlot(hill)).basis, const Reason(code: 'sold'));
    expect(sold.state, SimpleState.withdrawn);
    await client.sync();
    await market.publishes({
      'certificates': [
        {
          ...{'plot': plot.value, 'scheme': 'ORGANIC', 'number': 'O-77'},
          ...{'valid_from': '2020-01-01', 'valid_until': '2020-12-31'},
        },
      ],
      'quotas': [
        {'farmer': (await client.farmer(lakshmi)).code, 'commodity': 'TOMATO', 'season': 'ALL', 'most_g': 30000},
      ],
    });
    await sync([asha, ravi]);

    for (final person in [asha, ravi]) {
      final land = (await person.client.farmer(lakshmi)).land;
      expect(land.plots, [PlotSummary(recordId: plot, name: 'by the tank', areaM2: area, declaredAreaM2: 12000)]);
      expect(land.certificates, [
        Certificate(
          subject: LandSubject.plot(plotId: plot),
          scheme: const SchemeCode('ORGANIC'),
          number: 'O-77',
          validFrom: const BusinessDate('2020-01-01'),
          validUntil: const BusinessDate('2020-12-31'),
        ),
      ]);
      const season = SeasonCode('ALL');
      const quota = QuotaUse(season: season, commodity: tomato, mostG: Grams(30000), usedG: Grams(0));
      expect(land.quotas, const [quota]);
    }
    final draft = await asha.begins(await client.farmer(lakshmi), ['40']);
    final asked = (await thrown<FieldConfirm>(() => client.recordDelivery(draft.basis))).checks;
    expect([for (final it in asked) it.code], ['certificate_expired', 'quota_exceeded']);
    await client.recordDelivery(draft.basis, accept: asked);
    expect((await client.farmer(lakshmi)).land.quotas.single.usedG, const Grams(40000));
  });

  scenario(server, 'advances stay within what was leased', (market) async {
    final (asha, ravi, lakshmi) = await ashaAndRavi(market);
    final client = asha.client;
    Advance advance(int amount, [AdvanceKind kind = const AdvanceKind.cash(), PaymentMethod method = PaymentMethod.cash]) =>
        Advance(
          farmerId: lakshmi,
          amountMinor: Money(amount),
          method: method,
          date: today,
          reasonCode: 'sowing',
          kind: kind,
        );
    List<AdvanceItem> seed(int quantity) =>
        [AdvanceItem(item: 'seed', unit: 'kg', quantity: quantity, unitPriceMinor: const Money(50))];
    Future<void> exceeds(Person person, int amount, {required int left}) async {
      final error = await thrown<FieldAllowanceExceeded>(() => person.client.recordAdvance(advance(amount)));
      expect((error.code, error.limit, error.leftMinor), ('allowance_exceeded', 'lease', Money(left)));
    }

    await exceeds(asha, 1, left: 0);
    expect((await client.allowance()).validUntil, null);
    await market.leases(asha, 10000);
    final allowance = await client.allowance();
    expect((allowance.leftMinor, allowance.totalMinor), (const Money(10000), const Money(10000)));
    expect(allowance.validUntil, const BusinessDate('2099-12-31'));
    final paid = await client.recordAdvance(advance(4000));
    await exceeds(asha, 6001, left: 6000);
    expect((await thrown<FieldInvalid>(() => client.recordAdvance(advance(0)))).field, 'amount_minor');
    final delivery = (await asha.weighs(await client.farmer(lakshmi), ['20'])).deliveryId;
    final spot = await client.recordAdvance(advance(1000, AdvanceKind.onAccount(deliveryId: delivery)));
    // Goods are no money, and what comes back reduces what was given.
    final goods = AdvanceKind.inKind(items: seed(10), store: 'the yard');
    final given = await client.recordAdvance(advance(500, goods, PaymentMethod.goods));
    final wrong = advance(501, goods, PaymentMethod.goods);
    expect((await thrown<FieldInvalid>(() => client.recordAdvance(wrong))).field, 'amount_minor');
    final back = AdvanceKind.returned(advanceId: given.recordId, items: seed(4));
    await client.recordAdvance(advance(200, back, PaymentMethod.goods));
    expect((await client.allowance()).leftMinor, const Money(5000));
    final balance = await client.farmerBalance(lakshmi);
    final open = {for (final it in balance.advances) it.recordId: it.outstandingMinor};
    expect(open.length, 3);
    expect([open[paid.recordId], open[spot.recordId], open[given.recordId]], [4000, 1000, 300]);
    expect((balance.asOf, balance.outstandingMinor), (today, const Money(5300)));

    const without = Reason(code: 'not_handed_over');
    expect((await thrown<FieldInvalid>(() => client.cancelAdvance(paid.basis, without))).field, 'evidence');
    const evidence = Reason(code: 'not_handed_over', text: 'the farmer did not come');
    expect((await client.cancelAdvance(paid.basis, evidence)).state, SimpleState.withdrawn);
    expect((await client.allowance()).leftMinor, const Money(5000));
    await sync([asha, ravi]);
    expect((await ravi.client.farmerBalance(lakshmi)).outstandingMinor, const Money(1300));
    final page = await ravi.client.advances(SimpleQuery(farmerId: lakshmi, state: SimpleState.open));
    expect([for (final it in page.items) it.content.amountMinor], [200, 500, 1000]);
    await exceeds(ravi, 1, left: 0);
  });

  scenario(server, 'cash is handed over confirmed counted and booked', (market) async {
    final (asha, ravi, _) = await ashaAndRavi(market);
    final users = [for (final person in [asha, ravi]) (await person.client.session())!.userId];
    final [toAsha, toRavi] = [for (final user in users) CashHolder.user(userId: user)];
    const office = CashHolder.office();
    CashMovement moves(CashHolder from, CashHolder to, int amount) =>
        CashMovement(from: from, to: to, amountMinor: Money(amount), date: today);

    final given = await ravi.client.addCashMovement(kolar, moves(toRavi, toAsha, 1000));
    expect([given.state, given.actions], [SimpleState.open, ['withdraw']]);
    final own = await thrown<FieldRefused>(() => ravi.client.confirmCashMovement(given.basis));
    expect(own.code, 'not_allowed');
    final bad = {
      'from': moves(office, toAsha, 1000),
      'to': moves(toRavi, toRavi, 1000),
      'amount_minor': moves(toRavi, toAsha, 0),
    };
    for (final MapEntry(key: field, value: movement) in bad.entries) {
      expect((await thrown<FieldInvalid>(() => ravi.client.addCashMovement(kolar, movement))).field, field);
    }
    final back = await ravi.client.addCashMovement(kolar, moves(toRavi, office, 1));
    expect((await ravi.client.withdrawCashMovement(back.basis, mistyped)).state, SimpleState.withdrawn);
    await sync([ravi, asha]);

    final client = asha.client;
    expect((await client.cashBook(today, today)).lines, []);
    final seen = await client.cashMovement(given.recordId);
    isTrue(seen.actions.contains(const ActionCode('confirm')), '${seen.actions}');
    expect((await client.confirmCashMovement(seen.basis)).state, SimpleState.confirmed);
    final negative = await thrown<FieldInvalid>(() => client.countCash(kolar, today, const Money(-1)));
    expect(negative.field, 'counted_minor');
    final count = (await client.countCash(kolar, today, const Money(990))).content;
    expect((count.userId, count.countedMinor, count.expectedMinor), (users[0], const Money(990), const Money(1000)));
    final book = await client.cashBook(today, today);
    expect([for (final it in book.lines) (it.kind, it.amountMinor, it.balanceMinor)], const [
      (CashLineKind.received, Money(1000), Money(1000)),
      (CashLineKind.count, Money(-10), Money(990)),
    ]);
    expect((book.openingMinor, book.closingMinor), (const Money(0), const Money(990)));
    expect((await thrown<FieldInvalid>(() => client.cashBook(today, day(1)))).field, 'from_date');
    await sync([asha, ravi]);
    expect(await ravi.client.cashBook(today, today, userId: users[0]), book);
    expect(await ravi.reviews(), ['cash_difference']);
    final clerk = (await market.hires('Meena', 'clerk')).client;
    final refused = await thrown<FieldRefused>(() => clerk.cashBook(today, today, userId: users[0]));
    expect(refused.code, 'not_allowed');
  });
}
