"""The scenarios of bindings/scenarios.md about deliveries and their loads, in its order."""

import datetime
import unittest

from farmtally_field import (
    DeliveryEdit,
    DeliveryQuery,
    DraftEdit,
    FieldError,
    InstrumentCheck,
    LoadEdit,
    Mark,
    PaperEntry,
    Point,
    Reason,
    RoutePoint,
    SimpleState,
    Stroke,
    TrackPoint,
    WeightSource,
)
from market import MISTYPED, MarketCase

DRAWN = Mark.DRAWN([Stroke(points=[Point(x=0, y=0), Point(x=1_023, y=512)])])


class Deliveries(MarketCase):
    async def asha_and_ravi(self, role="dispatcher"):
        return await self.market.hires("Asha", "field_manager"), await self.market.hires("Ravi", role)

    async def sync(self, *people):
        for person in people:
            await person.client.sync()

    async def asked(self, call):
        """The checks that the call asks to confirm."""
        with self.assertRaises(FieldError.Confirm) as caught:
            await call
        return caught.exception.checks

    async def test_a_signature_is_put_under_a_delivery_and_a_load_and_withdrawn(self):
        asha, ravi = await self.asha_and_ravi()
        client, load = asha.client, await asha.opens("KA07A1111")
        lakshmi = await asha.registers("Lakshmi Devi")
        draft = await asha.begins(lakshmi, "20")
        await self.refused(FieldError.Invalid, client.sign(draft.basis, DRAWN), field="record_id")
        marked = await client.edit_draft(draft.basis, [DraftEdit.SET_MARK(DRAWN)])
        self.assertTrue(marked.is_signed)
        recorded = await client.record_delivery(marked.basis)
        [signature] = recorded.signatures
        self.assertEqual((signature.content.mark, signature.content.farmer_id), (DRAWN, lakshmi.farmer_id))
        withdrawn = await client.withdraw_signature(signature.basis, MISTYPED)
        self.assertEqual((withdrawn.state, [it.reason for it in withdrawn.steps]), (SimpleState.WITHDRAWN, [MISTYPED]))
        await self.refused(FieldError.Refused, client.withdraw_signature(withdrawn.basis, MISTYPED), code="not_allowed")
        signed = await client.sign(load.basis, Mark.THUMB("ab" * 32))
        self.assertEqual((signed.content.record_id, signed.content.farmer_id), (load.load_id, None))
        await self.sync(asha, ravi)
        seen = await ravi.client.delivery(recorded.delivery_id)
        self.assertEqual((seen.is_signed, [it.state for it in seen.signatures]), (False, [SimpleState.WITHDRAWN]))
        page = await ravi.client.signatures(load.load_id)
        self.assertEqual([it.content for it in page.items], [signed.content])

    async def test_a_delivery_is_copied_from_a_paper_form_once(self):
        asha, ravi = await self.asha_and_ravi()
        client, lakshmi = asha.client, await asha.registers("Lakshmi Devi")

        async def copies(serial, book="BOOK17"):
            draft = await asha.begins(lakshmi, "20")
            entry = DraftEdit.SET_PAPER_ENTRY(PaperEntry(book=book, serial=serial))
            return (await client.edit_draft(draft.basis, [DraftEdit.SET_SECOND_HEAP(True), entry])).basis

        recorded = await client.record_delivery(await copies(1_007))
        self.assertEqual(recorded.paper_entry, PaperEntry(book="BOOK17", serial=1_007))
        again, other = await copies(1_007), await copies(1_051)
        self.assertEqual([it.code for it in await self.asked(client.record_delivery(again))], ["paper_serial_repeated"])
        self.assertEqual([it.code for it in await self.asked(client.record_delivery(other))], ["paper_serial_unknown"])
        await self.refused(FieldError.Invalid, copies(100_000_000), field="paper_entry")
        await self.refused(FieldError.Invalid, copies(1_008, book="no book!"), field="paper_book")
        await client.void_delivery(recorded.basis, MISTYPED)
        second = await client.record_delivery(again)
        await self.sync(asha, ravi)
        self.assertEqual((await ravi.client.delivery(second.delivery_id)).paper_entry, recorded.paper_entry)

    async def test_bags_of_one_delivery_are_on_two_loads(self):
        asha, ravi = await self.asha_and_ravi()
        client = asha.client
        first, second = (await asha.opens("KA07A1111")).load_id, await asha.opens("KA07A2222")
        draft = await asha.begins(await asha.registers("Lakshmi Devi"), "20", "21", "22", load=second)
        apart = await client.edit_draft(draft.basis, [DraftEdit.SET_LOAD_OF_BAGS(first, [2, 3])])
        second = second.load_id
        for numbers in ([9], []):
            wrong = client.edit_draft(apart.basis, [DraftEdit.SET_LOAD_OF_BAGS(first, numbers)])
            await self.refused(FieldError.Invalid, wrong, field="numbers")
        recorded = await client.record_delivery(apart.basis)
        self.assertEqual([it.load_id for it in recorded.bags], [second, first, first])

        def parts(view):
            return {it.load_id: (it.bags, it.gross_g) for it in view.parts}

        self.assertEqual(parts(recorded), {second: (1, 20_000), first: (2, 43_000)})
        await self.sync(asha, ravi)
        [listed] = (await ravi.client.deliveries(DeliveryQuery(load_id=first))).items
        self.assertEqual((listed.row.delivery_id, listed.row.load_id, listed.row.parts), (recorded.delivery_id, None, 2))
        seen = await ravi.client.delivery(recorded.delivery_id)
        off = DeliveryEdit.SET_LOAD_OF_BAGS(None, [seen.bags[2].bag_id])
        moved = await ravi.client.amend_delivery(seen.basis, Reason(code="no_room"), [off])
        self.assertEqual(parts(moved), {second: (1, 20_000), first: (1, 21_000), None: (1, 22_000)})
        wrong = ravi.client.amend_delivery(moved.basis, MISTYPED, [DeliveryEdit.SET_LOAD_OF_BAGS(None, ["no bag"])])
        await self.refused(FieldError.Invalid, wrong, field="ids")
        await self.sync(ravi, asha)
        sums = [(await client.load(load)).sum for load in (first, second)]
        self.assertEqual([(it.deliveries, it.bags, it.gross_g) for it in sums], [(1, 1, 21_000), (1, 1, 20_000)])

    async def test_a_lorry_records_its_track_on_the_way(self):
        asha, manju = await self.asha_and_ravi("driver")
        load = await asha.opens("KA07A1111")
        await asha.weighs(await asha.registers("Lakshmi Devi"), "20", load=load)
        shown = await asha.client.load(load.load_id)
        await asha.client.change_load(shown.basis, LoadEdit.REQUEST_CLOSE(shown.manifest_hash))
        await self.sync(asha, manju)
        client, load = manju.client, load.load_id
        now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)

        def at(minute, north, **more):
            when = now - datetime.timedelta(minutes=60 - minute)
            return TrackPoint(at=when, latitude_e7=130_000_000 + north, longitude_e7=780_000_000, accuracy_cm=500, **more)

        await self.refused(FieldError.Refused, client.add_track(load, [at(0, 0)]), code="not_allowed")
        closed = await client.load(load)
        depart = LoadEdit.DEPART()
        asked = await self.asked(client.change_load(closed.basis, depart))
        self.assertEqual([it.code for it in asked], ["load_not_sealed"])
        await client.change_load(closed.basis, depart, asked)
        await self.refused(FieldError.Invalid, client.add_track(load, []), field="points")
        await self.refused(FieldError.Invalid, client.add_track(load, [at(0, 900_000_000)]), field="points")
        # 0.01 degrees to the north are 1.1 km; between the second and the third point nothing is known.
        points = [at(0, 0), at(5, 100_000), at(30, 300_000, is_mock=True)]
        added = (await client.add_track(load, points)).summary
        self.assertEqual((added.points, added.last), (3, points[2]))
        self.assertTrue(3_200 < added.distance_m < 3_500, added)
        [gap] = added.gaps
        self.assertEqual((gap.from_at, gap.to_at), (points[1].at, points[2].at))
        self.assertEqual((await client.add_track(load, points)).summary, added, "the same points again")

        await self.sync(manju, asha)
        route = [RoutePoint(latitude_e7=130_000_000, longitude_e7=780_000_000), RoutePoint(latitude_e7=130_100_000, longitude_e7=780_000_000)]
        seen = await asha.client.track(load, route)
        self.assertTrue(2_000 < seen.summary.off_route_m < 2_500, seen)
        self.assertGreaterEqual(seen.last_age_ms, 30 * 60_000)
        [track] = await asha.client.track_points(load)
        self.assertEqual((track.device_code, track.points), ((await client.session()).device_code, points))

    async def test_warnings_of_a_draft_are_accepted_by_a_person(self):
        asha, _ = await self.asha_and_ravi()
        client, lakshmi = asha.client, await asha.registers("Lakshmi Devi")

        def on_scale(weight):
            return DraftEdit.ADD_BAG(weight, source=WeightSource.SCALE, scale="SCALE7")

        def check(has_passed):
            value = dict(reference_value=20_000, shown_value=20_000)
            day = str(datetime.date.today())
            return InstrumentCheck(instrument="SCALE7", commodity="TOMATO", date=day, has_passed=has_passed, **value)

        draft = await asha.begins(lakshmi)
        draft = await client.edit_draft(draft.basis, [on_scale("20.01"), on_scale("20.02")])
        warnings = [(it.check, it.instrument, it.number, it.count, it.value, it.limit) for it in draft.warnings]
        expected = [("off_interval", "SCALE7", 1, 1, 20_010, 20), ("instrument_check_overdue", "SCALE7", 1, 2, None, 1)]
        self.assertEqual(warnings, expected)
        asked = await self.asked(client.record_delivery(draft.basis))
        self.assertEqual([it.code for it in asked], [it.check for it in draft.warnings])
        await client.add_instrument_check("KOLAR", check(True))
        draft = await client.delivery(draft.delivery_id)
        self.assertEqual([it.check for it in draft.warnings], ["off_interval"])
        recorded = await client.record_delivery(draft.basis, asked)
        self.assertEqual(recorded.warnings, [])
        failed = await client.add_instrument_check("KOLAR", check(False))
        self.assertEqual(await client.deliveries_in_doubt(failed.record_id), [recorded.delivery_id])
        await self.refused(FieldError.Invalid, client.edit_draft((await asha.begins(lakshmi)).basis, [on_scale("1001")]), field="weight")


if __name__ == "__main__":
    unittest.main()
