"""The scenarios of bindings/scenarios.md about farmers, their land and their money, in its order."""

import datetime
import unittest

from farmtally_field import (
    Advance,
    AdvanceItem,
    AdvanceKind,
    CashHolder,
    CashLineKind,
    CashMovement,
    Certificate,
    Check,
    Contact,
    FarmerEdit,
    FarmerQuery,
    FieldError,
    GeoPoint,
    LandSubject,
    PaymentMethod,
    PayoutAccount,
    PayoutField,
    PayoutInput,
    PayoutMethod,
    PayoutState,
    Plot,
    PlotShape,
    PlotSummary,
    QuotaUse,
    Reason,
    SimpleQuery,
    SimpleState,
)
from market import MISTYPED, MarketCase

TODAY = str(datetime.date.today())
YESTERDAY = str(datetime.date.today() - datetime.timedelta(days=1))


class Farmers(MarketCase):
    async def asha_and_ravi(self):
        """Two people whose phones know Lakshmi."""
        asha, ravi = await self.market.hires("Asha", "field_manager"), await self.market.hires("Ravi", "dispatcher")
        lakshmi = await asha.registers("Lakshmi Devi")
        await self.sync(asha, ravi)
        return asha, ravi, lakshmi.farmer_id

    async def sync(self, *people):
        for person in people:
            await person.client.sync()

    async def test_a_farmer_has_tags_several_phones_and_consents_and_may_be_inactive(self):
        asha, ravi = await self.market.hires("Asha", "field_manager"), await self.market.hires("Ravi", "dispatcher")
        client = asha.client
        contact = Contact(name="Lakshmi Devi", phone="98450 11111", other_phones=["98450 22222"], language="kn", messages_consent=True)
        lakshmi = await client.register_farmer("KOLAR", contact, tags=["organic", "A1"])
        self.assertEqual((lakshmi.tags, lakshmi.is_active), (["A1", "ORGANIC"], True))
        seen = lakshmi.contact
        self.assertEqual((seen.phone, seen.other_phones), ("+919845011111", ["+919845022222"]))
        self.assertEqual((seen.language, seen.messages_consent, seen.photo_consent), ("kn", True, None))
        alike = Contact(name="Meena", phone="98450 22222")
        with self.assertRaises(FieldError.Confirm) as caught:
            await client.register_farmer("KOLAR", alike)
        self.assertEqual(caught.exception.checks, [Check(code="farmer_looks_alike")])
        await client.register_farmer("KOLAR", alike, caught.exception.checks)
        found = await client.farmers(FarmerQuery(centre="KOLAR", text="22222"))
        self.assertEqual([it.contact.name for it in found.items], ["Meena", "Lakshmi Devi"])

        # Contact details and identity have a version each.
        contact = Contact(name="Lakshmi Devi", phone="98450 11111", messages_consent=False, photo_consent=True)
        edited = await client.edit_farmer(lakshmi.farmer_id, lakshmi.basis, contact)
        self.assertEqual((edited.contact.other_phones, edited.contact.messages_consent, edited.contact.photo_consent), ([], False, True))
        tagged = await client.change_farmer(lakshmi.identity_basis, FarmerEdit.SET_TAGS(["SMALL"]))
        self.assertEqual(tagged.tags, ["SMALL"])
        none = FarmerEdit.SET_TAGS([])
        await self.refused(FieldError.Stale, client.change_farmer(lakshmi.identity_basis, none))
        for tags in ([f"T{number}" for number in range(21)], ["no tag!"]):
            await self.refused(FieldError.Invalid, client.change_farmer(tagged.identity_basis, FarmerEdit.SET_TAGS(tags)), field="tags")

        left = await client.change_farmer(tagged.identity_basis, FarmerEdit.SET_ACTIVE(False))
        self.assertEqual((left.is_active, "reactivate" in left.actions), (False, True))
        draft = await asha.begins(lakshmi, "20")
        with self.assertRaises(FieldError.Confirm) as caught:
            await client.record_delivery(draft.basis)
        self.assertEqual(caught.exception.checks, [Check(code="farmer_inactive")])
        recorded = await client.record_delivery(draft.basis, caught.exception.checks)
        await self.sync(asha, ravi)
        seen = await ravi.client.farmer(lakshmi.farmer_id)
        self.assertEqual((seen.tags, seen.is_active, seen.contact), (["SMALL"], False, edited.contact))
        self.assertEqual((await ravi.client.delivery(recorded.delivery_id)).reviews, ["farmer_inactive"])

    async def test_payout_details_are_masked_and_revealed_for_a_reason(self):
        asha, ravi, lakshmi = await self.asha_and_ravi()
        before = (await asha.client.farmer(lakshmi)).payout
        self.assertEqual((before.state, before.account), (PayoutState.MISSING, None))
        account = PayoutAccount(method=PayoutMethod.BANK, account="5010-0012 3456 78", bank_code="HDFC0001234")
        details = PayoutInput(national_id="1234 5678 9012", account=account)
        proposed = (await asha.client.propose_payout(lakshmi, before.basis, details)).payout
        self.assertEqual((proposed.state, proposed.national_id), (PayoutState.UNCONFIRMED, "••••••••9012"))
        self.assertEqual((proposed.account.account, proposed.account.bank_code), ("••••••••••5678", "HDFC0001234"))
        await self.refused(FieldError.Invalid, asha.client.propose_payout(lakshmi, proposed.basis, PayoutInput()), field="payout")
        await self.refused(FieldError.Stale, asha.client.propose_payout(lakshmi, before.basis, PayoutInput(national_id="99999")))

        await self.sync(asha, ravi)
        why, nothing = Reason(code="bank_called"), Reason(code="")
        await self.refused(FieldError.Invalid, ravi.client.reveal_payout(lakshmi, PayoutField.ACCOUNT, nothing), field="reason")
        self.assertEqual((await ravi.client.farmer(lakshmi)).payout.reveals, [])
        await self.refused(FieldError.Refused, asha.client.reveal_payout(lakshmi, PayoutField.ACCOUNT, why), code="not_allowed")
        shown = await ravi.client.reveal_payout(lakshmi, PayoutField.ACCOUNT, why)
        self.assertEqual(([it.account for it in shown.accounts], shown.national_ids), (["50100012345678"], []))
        await self.sync(ravi, asha)
        seen = (await asha.client.farmer(lakshmi)).payout
        self.assertEqual([(it.field, it.reason) for it in seen.reveals], [(PayoutField.ACCOUNT, why)])
        self.assertEqual(seen.account, proposed.account)
        meena = await ravi.registers("Meena")
        await self.refused(FieldError.NotFound, ravi.client.reveal_payout(meena.farmer_id, PayoutField.ACCOUNT, why))

    async def test_plots_certificates_and_quotas_are_shown_with_their_farmer(self):
        asha, ravi, lakshmi = await self.asha_and_ravi()
        client = asha.client
        corners = [(0, 0), (0, 10_000), (10_000, 10_000), (10_000, 0)]
        border = [GeoPoint(latitude_e7=131_367_000 + north, longitude_e7=781_289_000 + east) for north, east in corners]
        area = await client.plot_area(border)
        self.assertTrue(11_000 < area < 12_500, area)
        shape = PlotShape.RING(border)
        plot = await client.add_plot(Plot(farmer_id=lakshmi, name="by the tank", shape=shape, declared_area_m2=12_000))
        line = Plot(farmer_id=lakshmi, name="a line", shape=PlotShape.RING(border[:2]))
        await self.refused(FieldError.Invalid, client.add_plot(line), field="shape")
        point = await client.add_plot(Plot(farmer_id=lakshmi, name="on the hill", shape=PlotShape.POINT(border[0])))
        sold = await client.withdraw_plot(point.basis, Reason(code="sold"))
        self.assertEqual(sold.state, SimpleState.WITHDRAWN)
        await client.sync()
        code = (await client.farmer(lakshmi)).code
        organic = {"scheme": "ORGANIC", "number": "O-77", "valid_from": "2020-01-01", "valid_until": "2020-12-31"}
        quota = {"commodity": "TOMATO", "season": "ALL", "most_g": 30_000}
        self.market.publishes({"certificates": [{"plot": plot.record_id, **organic}], "quotas": [{"farmer": code, **quota}]})
        await self.sync(asha, ravi)

        for person in (asha, ravi):
            land = (await person.client.farmer(lakshmi)).land
            summary = PlotSummary(record_id=plot.record_id, name="by the tank", area_m2=area, declared_area_m2=12_000)
            self.assertEqual(land.plots, [summary])
            subject = LandSubject.PLOT(plot.record_id)
            self.assertEqual(land.certificates, [Certificate(subject=subject, **organic)])
            self.assertEqual(land.quotas, [QuotaUse(season="ALL", commodity="TOMATO", most_g=30_000, used_g=0)])
        draft = await asha.begins(await client.farmer(lakshmi), "40")
        with self.assertRaises(FieldError.Confirm) as caught:
            await client.record_delivery(draft.basis)
        self.assertEqual([it.code for it in caught.exception.checks], ["certificate_expired", "quota_exceeded"])
        await client.record_delivery(draft.basis, caught.exception.checks)
        self.assertEqual((await client.farmer(lakshmi)).land.quotas[0].used_g, 40_000)

    async def test_advances_stay_within_what_was_leased(self):
        asha, ravi, lakshmi = await self.asha_and_ravi()
        client = asha.client

        def advance(amount, kind=AdvanceKind.CASH(), method=PaymentMethod.CASH):
            return Advance(farmer_id=lakshmi, amount_minor=amount, method=method, date=TODAY, reason_code="sowing", kind=kind)

        def seed(quantity):
            return [AdvanceItem(item="seed", unit="kg", quantity=quantity, unit_price_minor=50)]

        def exceeds(call, left):
            return self.refused(FieldError.AllowanceExceeded, call, code="allowance_exceeded", limit="lease", left_minor=left)

        await exceeds(client.record_advance(advance(1)), 0)
        self.assertIsNone((await client.allowance()).valid_until)
        await self.market.leases(asha, 10_000)
        allowance = await client.allowance()
        self.assertEqual((allowance.left_minor, allowance.total_minor, allowance.valid_until), (10_000, 10_000, "2099-12-31"))
        paid = await client.record_advance(advance(4_000))
        await exceeds(client.record_advance(advance(6_001)), 6_000)
        await self.refused(FieldError.Invalid, client.record_advance(advance(0)), field="amount_minor")
        delivery = (await asha.weighs(await client.farmer(lakshmi), "20")).delivery_id
        spot = await client.record_advance(advance(1_000, AdvanceKind.ON_ACCOUNT(delivery)))
        # Goods are no money, and what comes back reduces what was given.
        goods = advance(500, AdvanceKind.IN_KIND(seed(10), "the yard"), PaymentMethod.GOODS)
        given = await client.record_advance(goods)
        wrong = advance(501, goods.kind, PaymentMethod.GOODS)
        await self.refused(FieldError.Invalid, client.record_advance(wrong), field="amount_minor")
        await client.record_advance(advance(200, AdvanceKind.RETURNED(given.record_id, seed(4)), PaymentMethod.GOODS))
        self.assertEqual((await client.allowance()).left_minor, 5_000)
        balance = await client.farmer_balance(lakshmi)
        expected = {paid.record_id: 4_000, spot.record_id: 1_000, given.record_id: 300}
        self.assertEqual({it.record_id: it.outstanding_minor for it in balance.advances}, expected)
        self.assertEqual((balance.as_of, balance.outstanding_minor), (TODAY, 5_300))

        without = Reason(code="not_handed_over")
        await self.refused(FieldError.Invalid, client.cancel_advance(paid.basis, without), field="evidence")
        evidence = Reason(code="not_handed_over", text="the farmer did not come")
        cancelled = await client.cancel_advance(paid.basis, evidence)
        self.assertEqual((cancelled.state, (await client.allowance()).left_minor), (SimpleState.WITHDRAWN, 5_000))
        await self.sync(asha, ravi)
        self.assertEqual((await ravi.client.farmer_balance(lakshmi)).outstanding_minor, 1_300)
        page = await ravi.client.advances(SimpleQuery(farmer_id=lakshmi, state=SimpleState.OPEN))
        self.assertEqual([it.content.amount_minor for it in page.items], [200, 500, 1_000])
        await exceeds(ravi.client.record_advance(advance(1)), 0)

    async def test_cash_is_handed_over_confirmed_counted_and_booked(self):
        asha, ravi, _ = await self.asha_and_ravi()
        users = [(await person.client.session()).user_id for person in (asha, ravi)]
        [to_asha, to_ravi] = map(CashHolder.USER, users)

        def moves(from_holder, to_holder, amount):
            return CashMovement(from_holder=from_holder, to_holder=to_holder, amount_minor=amount, date=TODAY)

        given = await ravi.client.add_cash_movement("KOLAR", moves(to_ravi, to_asha, 1_000))
        self.assertEqual((given.state, given.actions), (SimpleState.OPEN, ["withdraw"]))
        await self.refused(FieldError.Refused, ravi.client.confirm_cash_movement(given.basis), code="not_allowed")
        bad = {
            "from": moves(CashHolder.OFFICE(), to_asha, 1_000),
            "to": moves(to_ravi, to_ravi, 1_000),
            "amount_minor": moves(to_ravi, to_asha, 0),
        }
        for field, movement in bad.items():
            await self.refused(FieldError.Invalid, ravi.client.add_cash_movement("KOLAR", movement), field=field)
        back = await ravi.client.add_cash_movement("KOLAR", moves(to_ravi, CashHolder.OFFICE(), 1))
        self.assertEqual((await ravi.client.withdraw_cash_movement(back.basis, MISTYPED)).state, SimpleState.WITHDRAWN)
        await self.sync(ravi, asha)

        client = asha.client
        self.assertEqual((await client.cash_book(TODAY, TODAY)).lines, [])
        seen = await client.cash_movement(given.record_id)
        self.assertIn("confirm", seen.actions)
        self.assertEqual((await client.confirm_cash_movement(seen.basis)).state, SimpleState.CONFIRMED)
        await self.refused(FieldError.Invalid, client.count_cash("KOLAR", TODAY, -1), field="counted_minor")
        count = (await client.count_cash("KOLAR", TODAY, 990)).content
        self.assertEqual((count.user_id, count.counted_minor, count.expected_minor), (users[0], 990, 1_000))
        book = await client.cash_book(TODAY, TODAY)
        lines = [(it.kind, it.amount_minor, it.balance_minor) for it in book.lines]
        self.assertEqual(lines, [(CashLineKind.RECEIVED, 1_000, 1_000), (CashLineKind.COUNT, -10, 990)])
        self.assertEqual((book.opening_minor, book.closing_minor), (0, 990))
        await self.refused(FieldError.Invalid, client.cash_book(TODAY, YESTERDAY), field="from_date")
        await self.sync(asha, ravi)
        self.assertEqual(await ravi.client.cash_book(TODAY, TODAY, users[0]), book)
        self.assertEqual(await ravi.reviews(), ["cash_difference"])
        clerk = await self.market.hires("Meena", "clerk")
        await self.refused(FieldError.Refused, clerk.client.cash_book(TODAY, TODAY, users[0]), code="not_allowed")


if __name__ == "__main__":
    unittest.main()
