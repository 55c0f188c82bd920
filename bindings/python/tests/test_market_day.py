"""The scenarios of bindings/scenarios.md about the client, in its order; those about records are in test_records.py, test_farmers.py and test_deliveries.py."""

import asyncio
import gc
import os
import re
import sqlite3
import subprocess
import sys
import textwrap
import unittest
from pathlib import Path

import test_deliveries
import test_farmers
import test_records
from farmtally_field import (
    Advance,
    AdvanceKind,
    Calculation,
    Check,
    Choice,
    ClientConfig,
    Contact,
    DeliveryEdit,
    DeliveryQuery,
    DraftEdit,
    FactorUnit,
    FarmerQuery,
    FieldClient,
    FieldError,
    InstrumentType,
    Lifecycle,
    LineKind,
    LoadEdit,
    LoadState,
    Measured,
    PaperPurpose,
    PaymentMethod,
    ReadingInput,
    RecordRef,
    Role,
    StartDraft,
    Sum,
    SyncOutcome,
    SyncState,
    Topic,
    Totals,
)
from market import MISTYPED, PACKAGE, Carrier, Keys, Market, MarketCase, Server, examples

# An app that weighs one bag after another and tells how many it has, until it is killed.
# A server's answer that the app is too old: the CBOR of a problem in a zstd frame.
TOO_OLD = "28b52ffd2019c90000a20074696e636f6d70617469626c655f76657273696f6e0160"

WEIGHING = """
import asyncio, sys
from farmtally_field import ClientConfig, DraftEdit, FieldClient

async def main():
    client = await FieldClient.open(ClientConfig(data_dir=sys.argv[1]))
    [draft] = (await client.today("KOLAR")).drafts
    while True:
        draft = await client.edit_draft(draft.basis, [DraftEdit.ADD_BAG("25")])
        print(draft.totals.bags, flush=True)

asyncio.run(main())
"""

# An app that ends while a bag is weighed, a sync waits for an answer, and a screen waits for changes; prints how many bags it had by then.
ENDING = """
import asyncio, sys, threading
from farmtally_field import ClientConfig, DraftEdit, FieldClient, Transport

class Silent(Transport):
    async def send(self, request):
        await asyncio.Event().wait()

bags, ten_bags = 0, threading.Event()

async def weighs(client):
    global bags
    [draft] = (await client.today("KOLAR")).drafts
    while True:
        draft = await client.edit_draft(draft.basis, [DraftEdit.ADD_BAG("25")])
        bags = draft.totals.bags
        if bags > 10:
            ten_bags.set()

async def watches(client):
    async for today in client.watch_today("KOLAR"):
        pass

async def main():
    client = await FieldClient.open(ClientConfig(data_dir=sys.argv[1]), transport=Silent())
    await asyncio.gather(weighs(client), client.sync(), watches(client))

threading.Thread(target=asyncio.run, args=(main(),), daemon=True).start()
ten_bags.wait()
print(bags)
"""

# An app that uses a client in one loop after another, each of which ends while calls run; prints how many bags the client has seen at the end.
LOOPS = """
import asyncio, sys
from farmtally_field import ClientConfig, DraftEdit, FieldClient

async def gives_up():
    calls = [asyncio.ensure_future(call) for call in (client.today("KOLAR"), client.sync_status(), client.wait_for_event(1_000_000))]
    await asyncio.sleep(0)

async def weighs():
    [draft] = (await client.today("KOLAR")).drafts
    print((await client.edit_draft(draft.basis, [DraftEdit.ADD_BAG("25")])).totals.bags, (await client.sync()).outcome.name)

client = asyncio.run(FieldClient.open(ClientConfig(data_dir=sys.argv[1])))
for _ in range(500):
    asyncio.run(gives_up())
asyncio.run(weighs())
"""


class MarketDay(MarketCase):
    async def test_a_new_phone_has_no_session_and_may_not_record(self):
        asha = await self.market.meets("Asha")
        self.assertIsNone(await asha.client.session())
        start = StartDraft(centre="KOLAR", commodity="TOMATO")
        await self.refused(FieldError.Unauthorized, asha.client.start_draft(start), code="unauthorized")
        await self.refused(FieldError.Unauthorized, asha.registers("Lakshmi Devi"), code="unauthorized")

    async def test_a_wrong_or_used_code_is_refused(self):
        asha, ravi = await self.market.meets("Asha"), await self.market.meets("Ravi")
        code = self.market.code("Asha", "clerk")
        await asha.client.enrol(self.server.url, code, "test phone")
        for wrong in ("ABCD-EFGH-IJKL-MNOP", "", code):
            enrol = ravi.client.enrol(self.server.url, wrong, "test phone")
            await self.refused(FieldError.Invalid, enrol, code="invalid_input", field="code")
        self.assertIsNone(await ravi.client.session())

    async def test_enrolment_brings_session_and_reference(self):
        asha = await self.market.hires("Asha", "field_manager", "KOLAR", "MALUR")
        session = await asha.client.session()
        self.assertEqual((session.organisation_name, session.organisation_id), ("Kolar growers", self.market.organisation))
        self.assertEqual((session.user_name, session.role), ("Asha", Role.FIELD_MANAGER))
        self.assertEqual(session.centres, ["KOLAR", "MALUR"])
        self.assertIsNotNone(session.synced_at)
        reference = await asha.client.reference()
        organisation = reference.organisation
        self.assertEqual((organisation.name, organisation.country, organisation.zone_minutes), ("Kolar growers", "IN", 0))
        self.assertEqual((organisation.currency, organisation.currency_exponent), ("INR", 2))
        self.assertEqual([it.code for it in reference.centres], ["KOLAR", "MALUR"])
        [commodity] = reference.commodities
        self.assertEqual((commodity.code, commodity.season, commodity.rule_set), ("TOMATO", "ALL", 1))
        bag_types = [(it.number, it.name, it.tare_g) for it in commodity.bag_types]
        self.assertEqual(bag_types, [(0, "crate", 1_500), (1, "sack", 250)])
        self.assertEqual([it.name for it in commodity.grades], ["first", "second"])
        factors = [(it.code, it.name, it.unit, it.limit) for it in commodity.factors]
        self.assertEqual(factors, [("BROKEN", "broken", FactorUnit.PERCENT, 500)])
        lorries = [(it.plate, it.payload_g) for it in reference.lorries]
        self.assertEqual(lorries, [("KA07A1111", 9_000_000), ("KA07A2222", 9_000_000), ("KA07A3333", 9_000_000)])
        [scale], [book] = reference.instruments, reference.paper_books
        self.assertEqual((scale.code, scale.instrument_type, scale.max_value), ("SCALE7", InstrumentType.SCALE, 60_000))
        self.assertEqual([(it.up_to_value, it.interval_value) for it in scale.intervals], [(60_000, 20)])
        self.assertEqual((book.code, book.purpose, book.first_serial), ("BOOK17", PaperPurpose.DELIVERIES, 1_001))

    async def test_a_delivery_is_weighed_and_recorded_once_confirmed(self):
        asha = await self.market.hires("Asha", "clerk")
        client, lakshmi = asha.client, await asha.registers("Lakshmi Devi")
        # The example of the README begins here.
        start = StartDraft(centre="KOLAR", commodity="TOMATO", farmer_id=lakshmi.farmer_id)
        delivery = await client.start_draft(start)
        for weight in ("20.5", "21500 g", "5"):
            delivery = await client.edit_draft(delivery.basis, [DraftEdit.ADD_BAG(weight)])
        more = [DraftEdit.ADD_READING(ReadingInput.MOISTURE("14.5")), DraftEdit.SET_DECLARED_BAGS(3)]
        delivery = await client.edit_draft(delivery.basis, more)
        try:
            delivery = await client.record_delivery(delivery.basis)
        except FieldError.Confirm as unusual:
            asked = unusual.checks  # and the person said yes
            delivery = await client.record_delivery(delivery.basis, asked)
        # And ends here.
        self.assertEqual(asked, [Check(code="uncommon_bag_weight")])
        self.assertEqual((delivery.lifecycle, delivery.sync), (Lifecycle.RECORDED, SyncState.UNSENT()))
        totals = Totals(
            bags=3,
            gross_g=47_000,
            tare_g=4_500,
            quality_g=0,
            moisture_g=0,
            allowance_g=0,
            net_g=42_500,
            bags_of_unknown_type=0,
            deductions_exceed_weight=False,
        )
        self.assertEqual(delivery.totals, totals)
        lines = delivery.grades[0].lines
        self.assertEqual([(it.kind, it.amount_g) for it in lines], [(LineKind.GROSS, 47_000), (LineKind.TARE, -4_500)])
        self.assertEqual(lines[-1].calculation, Calculation.PER_BAG(bags=3, each_g=1_500))
        self.assertEqual([(bag.number, bag.gross_g) for bag in delivery.bags], [(1, 20_500), (2, 21_500), (3, 5_000)])
        self.assertEqual(([it.measured for it in delivery.readings], delivery.declared_bags), ([Measured.MOISTURE("14.50")], 3))
        device = (await client.session()).device_code
        self.assertIn(device, delivery.receipt_number)
        self.assertEqual(await client.delivery(delivery.delivery_id), delivery)
        self.assertEqual(await asha.totals(), Sum(deliveries=1, voided=0, bags=3, gross_g=47_000))

    async def test_a_draft_survives_the_end_of_the_app(self):
        asha = await self.market.hires("Asha", "clerk")
        draft = await asha.begins(await asha.registers("Lakshmi Devi"), "20", "21.5", "22.345")
        await asha.restarts()
        self.assertEqual((await asha.client.today("KOLAR")).drafts, [draft])
        self.assertEqual((await asha.totals()).deliveries, 0)

        await asha.client.shut_down()
        with subprocess.Popen([sys.executable, "-c", WEIGHING, asha.folder], stdout=subprocess.PIPE, text=True) as app:
            for _ in range(10):
                told = int(app.stdout.readline())
            app.kill()
            told = max([told, *map(int, app.stdout.read().split())])
        self.assertGreaterEqual(told, 13)
        asha.client = await FieldClient.open(ClientConfig(data_dir=str(asha.folder)))
        [draft] = (await asha.client.today("KOLAR")).drafts
        self.assertIn(draft.totals.bags, (told, told + 1), "the last bag may not have been told any more")

        draft = await asha.client.edit_draft(draft.basis, [DraftEdit.ADD_BAG("30", bag_type=1)])
        weighed = [20_000, 21_500, 22_345] + [25_000] * (draft.totals.bags - 4) + [30_000]
        unusual = [Check(code="weights_repeated"), Check(code="weighed_too_fast")]
        recorded = await asha.client.record_delivery(draft.basis, unusual)
        self.assertEqual([bag.gross_g for bag in recorded.bags], weighed)
        self.assertEqual(recorded.totals.gross_g, sum(weighed))
        self.assertEqual((await asha.client.today("KOLAR")).drafts, [])
        await asha.client.shut_down()

    async def test_a_stale_basis_and_a_bad_weight_add_nothing(self):
        asha = await self.market.hires("Asha", "clerk")
        draft = await asha.begins(await asha.registers("Lakshmi Devi"), "20")
        taps = [asha.client.edit_draft(draft.basis, [DraftEdit.ADD_BAG("21")]) for _ in range(2)]
        first, second = await asyncio.gather(*taps, return_exceptions=True)
        if isinstance(first, FieldError):
            first, second = second, first
        self.assertIsInstance(second, FieldError.Stale)
        self.assertEqual(first.totals.gross_g, 41_000)
        await self.refused(FieldError.Stale, asha.client.record_delivery(draft.basis), code="stale")
        await self.refused(FieldError.Stale, asha.client.discard_draft(draft.basis), code="stale")
        for weight in ("abc", "", "0", "-5", "1000.1", "62.4321", "62,4"):
            edits = [DraftEdit.ADD_BAG("22"), DraftEdit.ADD_BAG(weight)]
            await self.refused(FieldError.Invalid, asha.client.edit_draft(first.basis, edits), field="weight")
        self.assertEqual(await asha.client.delivery(draft.delivery_id), first)

    async def test_two_phones_without_network_agree_after_they_sync(self):
        asha, ravi = await self.market.hires("Asha", "field_manager"), await self.market.hires("Ravi", "dispatcher")
        lakshmi = await asha.registers("Lakshmi Devi", "Vemagal", "+91 98450 11111")
        twice = await ravi.registers("L. Devi", "Vemagal", "+919845011111")
        load = await asha.opens("KA07A1111")
        await ravi.client.join_load(load.join_code)
        await asha.opens("KA07A2222")
        await ravi.opens("KA07A2222")
        first = await asha.weighs(lakshmi, "20", "21.5", load=load)
        for person in (asha, ravi):
            self.assertEqual((await person.client.sync()).outcome, SyncOutcome.COMPLETE)

        # From here on neither has network. Ravi sees what Asha recorded.
        first = await asha.client.delivery(first.delivery_id)
        seen = await ravi.client.delivery(first.delivery_id)
        self.assertEqual((seen.basis, seen.totals), (first.basis, first.totals))
        await asha.client.amend_delivery(first.basis, MISTYPED, [DeliveryEdit.ADD_BAG("19")])
        await ravi.client.void_delivery(seen.basis, MISTYPED)
        second = await asha.weighs(lakshmi, "22", load=load)
        shown = await asha.client.load(load.load_id)
        closing = await asha.client.change_load(shown.basis, LoadEdit.REQUEST_CLOSE(shown.manifest_hash))
        self.assertEqual(closing.state, LoadState.CLOSING)
        late = await ravi.weighs(twice, "18.2", "18.3", load=load)

        for person in (asha, ravi, asha):
            self.assertEqual((await person.client.sync()).outcome, SyncOutcome.COMPLETE)
        for person in (asha, ravi):
            self.assertEqual(await person.totals(), Sum(deliveries=2, voided=1, bags=3, gross_g=58_500))
            self.assertEqual((await person.client.load(load.load_id)).sum.gross_g, 58_500)
            self.assertEqual(await person.reviews(), ["farmer_look_alike", "late_delivery", "load_contention"])
            self.assertEqual(await person.conflicts(), [("lifecycle", False, 2)])
            voided = await person.client.delivery(first.delivery_id)
            self.assertEqual((voided.lifecycle, len(voided.amendments), len(voided.voids)), (Lifecycle.VOIDED, 1, 1))
            self.assertEqual((await person.client.delivery(late.delivery_id)).reviews, ["late_delivery"])
            self.assertEqual((await person.client.delivery(second.delivery_id)).reviews, [])
        alike = asha.registers("Lakshmi", "Malur", "+91 98450-11111")
        checks = [Check(code="farmer_looks_alike")]
        await self.refused(FieldError.Confirm, alike, checks=checks)
        await asha.registers("Lakshmi", "Malur", "+91 98450-11111", accept=checks)

    async def test_the_status_is_honest_while_the_server_is_away(self):
        server = Server().start()
        self.addCleanup(server.close)
        market = Market(server)
        self.addAsyncCleanup(market.close)
        asha = await market.hires("Asha", "clerk")

        async def waiting():
            backlog = (await asha.client.sync_status()).backlog
            return backlog.unsent + backlog.sent + backlog.held

        self.assertEqual(await waiting(), 0)
        lakshmi = await asha.registers("Lakshmi Devi")
        delivery = await asha.weighs(lakshmi, "20")
        before = await asha.client.sync_status()
        self.assertEqual((before.backlog.unsent, before.backlog.sent, before.backlog.held), (3, 0, 0))
        self.assertIsNotNone(before.backlog.oldest_at)

        server.stop()
        report = await asha.client.sync()
        self.assertEqual((report.outcome, report.counts.logged), (SyncOutcome.OFFLINE, 0))
        self.assertEqual((await asha.client.sync(in_background=True)).outcome, SyncOutcome.NOT_DUE)
        self.assertEqual(await waiting(), 3)
        self.assertEqual((await asha.client.sync_status()).synced_at, before.synced_at)
        self.assertNotEqual((await asha.client.delivery(delivery.delivery_id)).sync, SyncState.LOGGED())

        server.start()
        report = await asha.client.sync()
        self.assertEqual((report.outcome, report.counts.logged, report.counts.held), (SyncOutcome.COMPLETE, 3, 0))
        after = await asha.client.sync_status()
        self.assertEqual((await waiting(), after.backlog.oldest_at), (0, None))
        self.assertGreater(after.synced_at, before.synced_at)
        self.assertEqual((await asha.client.delivery(delivery.delivery_id)).sync, SyncState.LOGGED())

    async def test_farmers_are_found_by_the_beginnings_of_words(self):
        asha = await self.market.hires("Asha", "clerk", "KOLAR", "MALUR")
        await asha.registers("Lakshmi Devi", "Vemagal", "+91 98450 11111")
        await asha.registers("Ramesh Gowda", "Devanahalli")
        expected = {
            "lak": ["Lakshmi Devi"],
            "dev": ["Lakshmi Devi", "Ramesh Gowda"],
            "dev lak": ["Lakshmi Devi"],
            "vema": ["Lakshmi Devi"],
            "9198450": ["Lakshmi Devi"],
            "gowda dev": ["Ramesh Gowda"],
            "shmi": [],
            "": ["Lakshmi Devi", "Ramesh Gowda"],
        }
        for text, names in expected.items():
            found = await asha.client.farmers(FarmerQuery(centre="KOLAR", text=text))
            self.assertEqual(sorted(row.contact.name for row in found.items), names, text)
        first = await asha.client.farmers(FarmerQuery(centre="KOLAR", text="dev", limit=1))
        second = await asha.client.farmers(FarmerQuery(centre="KOLAR", text="dev", limit=1, after=first.next))
        self.assertEqual([row.contact.name for row in first.items + second.items], ["Ramesh Gowda", "Lakshmi Devi"])
        self.assertIsNone(second.next)
        self.assertEqual((await asha.client.farmers(FarmerQuery(centre="MALUR", text="lak"))).items, [])

    async def test_shutting_down_twice_is_fine_and_later_calls_are_refused(self):
        asha = await self.market.hires("Asha", "clerk")
        await asha.client.shut_down()
        await asha.client.shut_down()
        for call in (asha.client.session(), asha.client.sync(), asha.totals(), asha.registers("Lakshmi Devi")):
            await self.refused(FieldError.ShutDown, call, code="shut_down")

    async def test_a_cancelled_call_is_done_wholly_or_not_at_all(self):
        asha = await self.market.hires("Asha", "clerk")
        lakshmi = await asha.registers("Lakshmi Devi")
        recording, weighing, cut = [], [], 0
        for turn in range(50):
            draft = await asha.begins(lakshmi, "20", "21")
            recording.append(draft.delivery_id)
            cut += await self.cancel(asha.client.record_delivery(draft.basis, [Check(code="possible_duplicate")]), turn % 5)
            draft = await asha.begins(lakshmi, "30")
            weighing.append(draft.delivery_id)
            edits = [DraftEdit.ADD_BAG("31"), DraftEdit.ADD_BAG("32")]
            cut += await self.cancel(asha.client.edit_draft(draft.basis, edits), turn % 5)
        # Shutting down waits for what has begun, and nothing more begins.
        await asha.restarts()
        recorded = 0
        for delivery_id in recording:
            view = await asha.client.delivery(delivery_id)
            self.assertEqual(view.totals.gross_g, 41_000)
            recorded += view.lifecycle == Lifecycle.RECORDED
        weighed = 0
        for delivery_id in weighing:
            view = await asha.client.delivery(delivery_id)
            self.assertEqual(view.lifecycle, Lifecycle.DRAFT)
            self.assertIn(view.totals.gross_g, (30_000, 93_000))
            weighed += view.totals.bags == 3
        self.assertEqual(await asha.totals(), Sum(deliveries=recorded, voided=0, bags=2 * recorded, gross_g=41_000 * recorded))
        self.assertEqual(len((await asha.client.today("KOLAR")).drafts), 100 - recorded)
        self.assertTrue(recorded and weighed, "no cancelled call was done: they were cancelled too early")
        self.assertTrue(cut, "none was cut short: they were cancelled too late")

    async def cancel(self, call, turns):
        """Lets the call begin, cancels it after some turns of the loop, and waits for its end: whether it was cut short."""
        task = asyncio.ensure_future(call)
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        [end] = await asyncio.gather(task, return_exceptions=True)
        if isinstance(end, Exception):
            raise end
        return isinstance(end, asyncio.CancelledError)

    async def test_what_is_no_id_or_date_is_refused_by_its_field(self):
        asha = await self.market.hires("Asha", "field_manager")
        client, lakshmi = asha.client, await asha.registers("Lakshmi Devi")
        draft = await asha.begins(lakshmi, "20")
        recorded = await asha.weighs(lakshmi, "20")
        contact, bad = Contact(name="Lakshmi"), "no-id"

        def start(**more):
            return client.start_draft(StartDraft(centre="KOLAR", commodity="TOMATO", **more))

        def edit(step):
            return client.edit_draft(draft.basis, [step])

        def amend(step):
            return client.amend_delivery(recorded.basis, MISTYPED, [step])

        calls = {
            "delivery_id": [client.delivery(bad), client.delivery(""), start(replaces=bad)],
            "farmer_id": [
                client.farmer(bad),
                client.edit_farmer(bad, lakshmi.basis, contact),
                start(farmer_id=bad),
                edit(DraftEdit.SET_FARMER(bad)),
                client.deliveries(DeliveryQuery(farmer_id=bad)),
            ],
            "load_id": [
                client.load(bad),
                start(load_id=bad),
                edit(DraftEdit.SET_LOAD(bad)),
                amend(DeliveryEdit.SET_LOAD(bad)),
                client.deliveries(DeliveryQuery(load_id=bad)),
            ],
            "bag_id": [amend(DeliveryEdit.VOID_BAG(bad, MISTYPED))],
            "number": [edit(DraftEdit.REMOVE(7))],
            "bag_type": [edit(DraftEdit.ADD_BAG("20", bag_type=16))],
            "moisture": [edit(DraftEdit.ADD_READING(ReadingInput.MOISTURE("100.5")))],
            "edits": [client.amend_delivery(recorded.basis, MISTYPED, [])],
            "change": [client.resolve(recorded.basis, Choice.KEEP("load", bad))],
            "accept": [client.record_delivery(draft.basis, [Check(code=bad)])],
            "user_id": [client.switch_user(bad)],
            "basis": [
                client.edit_draft(bad, []),
                client.discard_draft(draft.delivery_id),
                client.record_delivery(draft.basis + "0"),
                client.amend_delivery(bad, MISTYPED, []),
                client.void_delivery(bad, MISTYPED),
                client.edit_farmer(lakshmi.farmer_id, bad, contact),
                client.change_load(bad, LoadEdit.SET_LORRY("KA07A1111")),
                client.change_load(bad, LoadEdit.REQUEST_CLOSE("")),
            ],
            "date": [
                edit(DraftEdit.SET_BUSINESS_DATE("2026-02-30")),
                amend(DeliveryEdit.SET_BUSINESS_DATE("today")),
                client.today("KOLAR", "21.11.2026"),
                client.deliveries(DeliveryQuery(from_date="2026-13-01")),
            ],
            "commodity": [client.start_draft(StartDraft(centre="KOLAR", commodity=""))],
            "lorry": [client.change_load(lakshmi.basis, LoadEdit.SET_LORRY("?"))],
            "join_code": [client.join_load(bad)],
            "centre": [client.today("not a centre"), client.farmers(FarmerQuery(centre=""))],
        }
        for field, refused in calls.items():
            for call in refused:
                with self.subTest(field=field, call=call.__name__):
                    await self.refused(FieldError.Invalid, call, code="invalid_input", field=field)
        self.assertEqual(await client.delivery(draft.delivery_id), draft)
        self.assertEqual(await client.delivery(recorded.delivery_id), recorded)

    async def test_two_stores_in_one_process_do_not_disturb_each_other(self):
        other = Market(self.server)
        self.addAsyncCleanup(other.close)
        asha, ravi = await self.market.hires("Asha", "clerk"), await other.hires("Ravi", "clerk")

        async def works(person, name, weights):
            farmer = await person.registers(name)
            for weight in weights:
                await person.weighs(farmer, weight)
            return await person.client.sync()

        reports = await asyncio.gather(works(asha, "Lakshmi", [f"{20 + it}" for it in range(10)]), works(ravi, "Ramesh", [f"{30 + it}" for it in range(20)]))
        self.assertEqual([(it.outcome, it.counts.logged) for it in reports], [(SyncOutcome.COMPLETE, 12), (SyncOutcome.COMPLETE, 22)])
        await asha.client.shut_down()
        self.assertEqual(await ravi.totals(), Sum(deliveries=20, voided=0, bags=20, gross_g=790_000))
        self.assertEqual([row.contact.name for row in (await ravi.client.farmers(FarmerQuery(centre="KOLAR"))).items], ["Ramesh"])
        await asha.restarts()
        self.assertEqual(await asha.totals(), Sum(deliveries=10, voided=0, bags=10, gross_g=245_000))

    async def test_five_hundred_parallel_calls_answer(self):
        asha = await self.market.hires("Asha", "clerk")
        lakshmi = await asha.registers("Lakshmi Devi")
        await asha.weighs(lakshmi, "20")
        answers = await asyncio.gather(*[asha.totals() for _ in range(500)])
        self.assertEqual([it.gross_g for it in answers], [20_000] * 500)

    async def test_a_colleague_carries_what_a_phone_without_network_recorded(self):
        asha, ravi = await self.market.hires("Asha", "clerk"), await self.market.hires("Ravi", "dispatcher")
        lakshmi = await asha.registers("Lakshmi Devi")
        delivery = await asha.weighs(lakshmi, "20.5")
        frames = await asha.client.parcel_qr_frames()
        for number, frame in reversed(list(enumerate(frames))):
            progress = await ravi.client.add_qr_frame(frame)
            self.assertEqual((progress.received, progress.total), (len(frames) - number, len(frames)))
            self.assertEqual(progress.missing, list(range(number)))
        self.assertEqual((await ravi.client.sync_status()).carried.parcels, 1)
        report = await ravi.client.sync()
        counts = report.counts
        self.assertEqual((report.outcome, counts.parcels_taken, counts.parcels_refused), (SyncOutcome.COMPLETE, 1, 0))
        self.assertEqual((await ravi.totals()).gross_g, 20_500)

        # Ravi's phone was the carrier; Asha's has heard of nobody.
        self.assertEqual((await asha.client.delivery(delivery.delivery_id)).sync, SyncState.UNSENT())
        await asha.weighs(lakshmi, "30")
        stick = self.server.path / f"{self.market.organisation}.parcels"
        await asha.client.export_parcel(str(stick))
        status = await asha.client.sync_status()
        self.assertEqual((status.backlog.unsent, status.backlog.sent), (4, 0))
        self.assertIsNotNone(status.exported_at)
        await ravi.client.carry_parcel(str(stick))
        taken = "bundles 2, entries logged 4, held 0, deferred 0, bundles refused 0"
        self.assertEqual(self.server.run("import", stick), f"{stick}: {taken}")
        self.assertEqual((await ravi.client.sync()).counts.parcels_taken, 1)
        self.assertEqual((await ravi.totals()).gross_g, 50_500)

        self.assertEqual((await asha.client.sync()).counts.logged, 4)
        self.assertEqual((await asha.client.delivery(delivery.delivery_id)).sync, SyncState.LOGGED())
        self.assertEqual(await asha.totals(), await ravi.totals())
        await self.refused(FieldError.Refused, asha.client.export_parcel(str(stick)), code="not_allowed")
        await self.refused(FieldError.Invalid, ravi.client.add_qr_frame(b"a menu"), code="invalid_input", field="parcel")
        photo = self.server.path / "photo"
        photo.write_bytes(b"x" * 100)
        await self.refused(FieldError.Invalid, ravi.client.carry_parcel(str(photo)), code="invalid_input", field="parcel")
        missing = ravi.client.carry_parcel(str(self.server.path / "missing"))
        await self.refused(FieldError.Invalid, missing, code="invalid_input", field="path")

    async def test_a_conflict_is_resolved_by_a_choice(self):
        asha, ravi = await self.market.hires("Asha", "field_manager"), await self.market.hires("Ravi", "dispatcher")
        loads = [await asha.opens("KA07A1111"), await asha.opens("KA07A2222")]
        recorded = await asha.weighs(await asha.registers("Lakshmi Devi"), "20")
        for person in (asha, ravi):
            await person.client.sync()
        for person, load in zip((asha, ravi), loads):
            shown = await person.client.delivery(recorded.delivery_id)
            edits = [DeliveryEdit.SET_LOAD(load.load_id)]
            await person.client.amend_delivery(shown.basis, MISTYPED, edits)
        for person in (asha, ravi, asha):
            await person.client.sync()
        self.assertEqual(await asha.conflicts(), [("load", True, 2)])
        [item] = [it for it in (await asha.client.inbox()).items if it.kind.is_CONFLICT()]
        values = item.kind.conflict.values
        self.assertEqual(item.records, [RecordRef.DELIVERY(recorded.delivery_id)])
        self.assertEqual(item.choices, [Choice.KEEP("load", value.change) for value in values])
        kept, other = item.choices
        page = await asha.client.resolve(item.basis, other)
        self.assertEqual([it for it in page.items if it.kind.is_CONFLICT()], [])
        again = asha.client.resolve(item.basis, kept)
        await self.refused(FieldError.Stale, again, code="stale")
        for person in (asha, ravi, asha):
            await person.client.sync()
            self.assertEqual(await person.conflicts(), [])
            self.assertEqual((await person.client.delivery(recorded.delivery_id)).load_id, values[1].text)

    async def test_changes_are_notified_after_they_are_durable(self):
        asha = await self.market.hires("Asha", "clerk")
        client = asha.client
        first = await client.wait_for_event(0)
        self.assertEqual(set(first.topics), set(Topic))
        given_up = asyncio.ensure_future(client.wait_for_event(first.sequence))
        await self.cancel(given_up, 3)
        lakshmi = await asha.registers("Lakshmi Devi")
        for weight in ("20", "21", "22"):
            await asha.weighs(lakshmi, weight)
        told = await client.wait_for_event(first.sequence)
        self.assertGreater(told.sequence, first.sequence)
        self.assertEqual(set(told.topics), {Topic.DELIVERIES, Topic.LOADS, Topic.FARMERS, Topic.INBOX, Topic.SYNC})
        waiting = asyncio.ensure_future(client.wait_for_event(told.sequence))
        await asyncio.sleep(0.3)
        self.assertFalse(waiting.done(), "nothing has changed since")
        draft = await asha.begins(lakshmi, "23")
        self.assertEqual((await waiting).topics, [Topic.DELIVERIES])
        self.assertEqual((await client.today("KOLAR")).drafts, [draft])
        seen, after = set(), (await client.wait_for_event(0)).sequence
        run = asyncio.ensure_future(client.sync())
        while not run.done() or Topic.SESSION not in seen:
            event = await client.wait_for_event(after)
            seen.update(event.topics)
            after = event.sequence
        self.assertEqual((await run).outcome, SyncOutcome.COMPLETE)
        last = await client.wait_for_event(0)
        self.assertIsNone(last.progress)
        waiting = asyncio.ensure_future(client.wait_for_event(last.sequence))
        await client.shut_down()
        self.assertIsNone(await waiting)
        self.assertIsNone(await client.wait_for_event(0))

    async def test_an_app_may_carry_the_requests_itself(self):
        carrier = Carrier()
        asha = await self.market.meets("Asha", transport=carrier)
        await asha.client.enrol(self.server.url, self.market.code("Asha", "clerk"), "test phone")
        await asha.weighs(await asha.registers("Lakshmi Devi"), "20")
        self.assertEqual((await asha.client.sync()).outcome, SyncOutcome.COMPLETE)
        sent = carrier.sent
        self.assertGreater(sent, 1)
        carrier.is_broken = True
        self.assertEqual((await asha.client.sync()).outcome, SyncOutcome.OFFLINE)
        self.assertEqual(carrier.sent, sent + 1)
        self.assertEqual((await asha.client.sync_status()).backlog.unsent, 0)

    async def test_every_error_has_its_code(self):
        asha, manju = await self.market.hires("Asha", "field_manager"), await self.market.hires("Manju", "clerk", "MALUR")
        lakshmi = await asha.registers("Lakshmi Devi")
        draft = await asha.begins(lakshmi, "20")
        amended = [DraftEdit.ADD_BAG("20")]
        bags = [DraftEdit.ADD_BAG("20")] * 2_001
        small = await asha.begins(lakshmi, "5")
        carrier = Carrier()
        elsewhere = await self.market.meets("Nobody", transport=carrier)
        lost = await self.market.hires("Ravi", "clerk")
        device = (await lost.client.session()).device_code
        self.server.run("order", "--org", self.market.organisation, device, "lost")
        await lost.client.sync()
        folder = self.server.path / "folders" / self.market.organisation
        for name, bytes_ in {"damaged": b"x" * 8192, "newer": b""}.items():
            (folder / name).mkdir(parents=True)
            (folder / name / "field.db").write_bytes(bytes_)
        with sqlite3.connect(folder / "newer" / "field.db") as db:
            db.execute("PRAGMA user_version = 999")
        db.close()
        (folder / "file").write_text("no folder")

        def opens(name):
            return FieldClient.open(ClientConfig(data_dir=str(folder / name)))

        async def answered(status):
            carrier.status = status
            await elsewhere.client.enrol(self.server.url, "ABCD-EFGH-IJKL-MNOP", "phone")

        async def too_old():
            # Of another than the server, the status alone says nothing.
            carrier.body = bytes.fromhex(TOO_OLD)
            await answered(426)

        async def unreachable():
            carrier.is_broken = True
            await elsewhere.client.enrol(self.server.url, "ABCD-EFGH-IJKL-MNOP", "phone")

        method, kind = PaymentMethod.CASH, AdvanceKind.CASH()
        advance = Advance(farmer_id=lakshmi.farmer_id, amount_minor=1, method=method, date=draft.business_date, reason_code="sowing", kind=kind)
        calls = [
            (FieldError.Invalid, "invalid_input", asha.client.delivery("x")),
            (FieldError.TooLarge, "too_large", asha.client.edit_draft(draft.basis, bags)),
            (FieldError.Confirm, "confirm_needed", asha.client.record_delivery(small.basis)),
            (FieldError.Stale, "stale", asha.client.edit_draft(draft.basis[:-1] + "9", amended)),
            (FieldError.Refused, "not_allowed", asha.client.switch_user(lakshmi.farmer_id)),
            (FieldError.Refused, "out_of_scope", manju.client.today("KOLAR")),
            (FieldError.AllowanceExceeded, "allowance_exceeded", asha.client.record_advance(advance)),
            (FieldError.NotFound, "not_found", asha.client.delivery(lakshmi.farmer_id)),
            (FieldError.Unauthorized, "unauthorized", elsewhere.client.sync()),
            (FieldError.Unavailable, "rate_limited", answered(429)),
            (FieldError.Unavailable, "interrupted", answered(503)),
            (FieldError.UpdateNeeded, "incompatible_version", too_old()),
            (FieldError.Unavailable, "offline", unreachable()),
            (FieldError.Refused, "locked", lost.client.today("KOLAR")),
            (FieldError.KeyNeeded, "wrong_key", FieldClient.open(ClientConfig(data_dir=str(folder / "new")), Keys(b"short"))),
            (FieldError.KeyNeeded, "key_unavailable", FieldClient.open(ClientConfig(data_dir=str(folder / "new")), Keys(is_broken=True))),
            (FieldError.UpdateNeeded, "storage_too_new", opens("newer")),
            (FieldError.StorageDamaged, "storage_corrupt", opens("damaged")),
            (FieldError.Invalid, "invalid_input", opens("file")),
            (FieldError.Internal, "internal", asha.client.probe_panic()),
            (FieldError.Refused, "not_allowed", FieldClient.open(ClientConfig(data_dir=str(asha.folder)))),
        ]
        listed = (PACKAGE.parents[1] / "docs" / "errors.md").read_text().split("\n## ")[1]
        retry = dict(re.findall(r"^\| `(\w+)` \|[^|]*\| ([^|]*) \|", listed, re.MULTILINE))
        for error, code, call in calls:
            with self.subTest(code=code), self.assertRaises(error) as caught:
                await call
            self.assertEqual((caught.exception.code, caught.exception.is_retryable()), (code, retry[code] == "yes"))
        self.assertEqual({code for _, code, _ in calls} | {"storage_full", "storage_denied"}, set(retry))
        await elsewhere.client.shut_down()
        await self.refused(FieldError.ShutDown, elsewhere.client.sync(), code="shut_down")

    async def test_a_watched_read_gives_the_newest_state_until_the_client_ends(self):
        asha = await self.market.hires("Asha", "clerk")
        lakshmi = await asha.registers("Lakshmi Devi")
        async with asha.client as client:
            waits, wait_for_event = [], client.wait_for_event

            def counted(after):
                waits.append(after)
                return wait_for_event(after)

            client.wait_for_event = counted
            today, reference = client.watch_today("KOLAR"), client.watch_reference()
            self.assertEqual((await self.soon(today)).sum.deliveries, 0)
            self.assertEqual(await self.soon(reference), await client.reference())
            given_up = self.collect(client.watch_today("KOLAR"))
            await self.cancel(given_up, 5)
            [*_, recorded] = [await asha.weighs(lakshmi, weight) for weight in ("20", "21", "22")]
            self.assertEqual((await self.soon(today)).sum.gross_g, 63_000, "only the newest counts")
            delivery = client.watch_delivery(recorded.delivery_id)
            self.assertEqual(await self.soon(delivery), recorded)
            voided = await client.void_delivery(recorded.basis, MISTYPED)
            self.assertEqual(await self.soon(delivery), voided)
            # What comes of these until the end; a sync tells of both.
            days, references = self.collect(today), self.collect(reference)
            self.assertEqual((await client.sync()).outcome, SyncOutcome.COMPLETE)
            async for seen in delivery:
                if seen.sync == SyncState.LOGGED():
                    break
            async for status in client.watch_sync_status():
                if status.backlog.unsent + status.backlog.sent == 0:
                    break
        self.assertEqual({day.sum.gross_g for day in await days}, {41_000})
        self.assertEqual(await references, [], "what is as it was is not given again")
        self.assertEqual(waits.count(0), 5, "each waits for all once, then for what is newer")
        await self.refused(FieldError.ShutDown, client.today("KOLAR"), code="shut_down")
        self.assertEqual(await self.collect(client.watch_today("KOLAR")), [])
        missing = (await self.market.hires("Ravi", "clerk")).client.watch_delivery(lakshmi.farmer_id)
        await self.refused(FieldError.NotFound, self.soon(missing), code="not_found")

    async def soon(self, watched):
        """What comes next, which has happened already."""
        return await asyncio.wait_for(watched.__anext__(), 10)

    def collect(self, watched):
        """All that comes, once the client has ended."""

        async def gather():
            return [value async for value in watched]

        return asyncio.ensure_future(gather())

    async def test_a_wrong_key_opens_nothing_and_loses_nothing(self):
        keys = Keys()
        asha = await self.market.meets("Asha", keys)
        await asha.client.enrol(self.server.url, self.market.code("Asha", "clerk"), "test phone")
        await asha.weighs(await asha.registers("Lakshmi Devi"), "20")
        await asha.client.shut_down()
        self.assertEqual(len(keys.key), 32)
        for file in asha.folder.iterdir():
            self.assertNotIn(b"Lakshmi", file.read_bytes(), file)

        def opens(key_store):
            return FieldClient.open(ClientConfig(data_dir=str(asha.folder)), key_store)

        broken = Keys(keys.key, is_broken=True)
        for key_store, code in [
            (Keys(bytes(32)), "wrong_key"),
            (Keys(bytes(31)), "wrong_key"),
            (Keys(), "wrong_key"),
            (None, "wrong_key"),
            (broken, "key_unavailable"),
        ]:
            await self.refused(FieldError.KeyNeeded, opens(key_store), code=code)
        asha.client = await opens(keys)
        self.assertEqual((await asha.totals()).gross_g, 20_000)
        self.assertEqual((await asha.client.sync()).outcome, SyncOutcome.COMPLETE)
        await asha.client.shut_down()

    async def test_a_panic_inside_is_contained(self):
        asha = await self.market.hires("Asha", "clerk")
        lakshmi = await asha.registers("Lakshmi Devi")
        for _ in range(20):
            await self.refused(FieldError.Internal, asha.client.probe_panic(), code="internal")
        await asha.weighs(lakshmi, "20")
        self.assertEqual((await asha.totals()).gross_g, 20_000)

    async def test_a_sync_tells_how_far_it_is_and_can_be_cancelled(self):
        carrier = Carrier()
        asha = await self.market.meets("Asha", transport=carrier)
        await asha.client.enrol(self.server.url, self.market.code("Asha", "clerk"), "test phone")
        # More than goes into the first four requests, although each is larger than the one before.
        for number in range(1_000):
            await asha.registers(f"Farmer {number}")
        carrier.next = asha.client.cancel_sync
        cancelled = await asha.client.sync()
        self.assertEqual(cancelled.outcome, SyncOutcome.CANCELLED)
        # None, if the answer to the first request had not been read.
        self.assertLess(cancelled.counts.logged, 2_000)

        carrier.sent, carrier.next = -100, None
        slice_ = await asha.client.sync(in_background=True, budget_ms=0)
        self.assertEqual(slice_.outcome, SyncOutcome.PARTIAL)
        self.assertLess(slice_.counts.logged, 2_000)

        seen = []

        async def look():
            seen.append((await asha.client.wait_for_event(0)).progress)

        carrier.next, carrier.sent = look, 0
        report = await asha.client.sync()
        logged = sum(it.counts.logged for it in (cancelled, slice_, report))
        self.assertEqual((report.outcome, logged), (SyncOutcome.COMPLETE, 2_000))
        self.assertTrue(any(it is not None and 0 < it.done < it.total for it in seen), seen)
        self.assertIsNone((await asha.client.wait_for_event(0)).progress)

    async def test_what_is_given_up_holds_nothing(self):
        carrier, keys = Carrier(), Keys()
        asha = await self.market.meets("Asha", keys, transport=carrier)
        await asha.client.enrol(self.server.url, self.market.code("Asha", "clerk"), "test phone")
        lakshmi = await asha.registers("Lakshmi Devi")
        gate = asyncio.Event()
        carrier.next = gate.wait
        for _ in range(10):
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(asha.client.sync(), 0.05)
        await asyncio.wait_for(asha.weighs(lakshmi, "20"), 10)
        gate.set()
        self.assertEqual((await asha.client.sync()).outcome, SyncOutcome.COMPLETE)

        silent = Keys(keys.key)
        silent.load = asyncio.Event().wait
        folders = [ClientConfig(data_dir=str(self.server.path / f"silent-{number}")) for number in range(9)]
        openings = [asyncio.ensure_future(FieldClient.open(config, silent)) for config in folders]
        await asyncio.wait_for(asha.weighs(lakshmi, "21"), 10)
        for opening in openings:
            opening.cancel()
        await asyncio.gather(*openings, return_exceptions=True)
        await asha.client.shut_down()

        for _ in range(10):
            with self.assertRaises((asyncio.TimeoutError, FieldError.Refused)):
                await asyncio.wait_for(FieldClient.open(ClientConfig(data_dir=str(asha.folder)), silent), 0.05)
        asha.client = await self.opens_soon(asha.folder, keys)
        self.assertEqual((await asha.totals()).gross_g, 41_000)
        await asha.client.shut_down()

    async def opens_soon(self, folder, keys=None):
        """A client, once nobody else has the folder."""
        for _ in range(100):
            try:
                return await FieldClient.open(ClientConfig(data_dir=str(folder)), keys)
            except FieldError.Refused:
                await asyncio.sleep(0.1)
        self.fail("the folder is never released")

    async def test_shutting_down_ends_what_waits_for_the_network(self):
        carrier = Carrier()
        asha = await self.market.meets("Asha", transport=carrier)
        gate, asked = asyncio.Event(), asyncio.Event()
        carrier.sent = 1

        async def hang():
            asked.set()
            await gate.wait()

        carrier.next = hang
        enrolling = asyncio.ensure_future(asha.client.enrol(self.server.url, self.market.code("Asha", "clerk"), "phone"))
        await asked.wait()
        closing = asyncio.ensure_future(asha.client.shut_down())
        await asyncio.wait_for(closing, 10)
        gate.set()
        await asyncio.wait_for(enrolling, 10)
        self.assertEqual(carrier.sent, 2, "the enrolment, and no sync after it")
        again = await self.opens_soon(asha.folder)
        self.assertIsNotNone(await again.session())
        await again.shut_down()

    async def test_a_full_disk_refuses_and_loses_nothing(self):
        if "FARMTALLY_SMALL_DISK" not in os.environ:
            self.skipTest("FARMTALLY_SMALL_DISK names no filesystem that may be filled")
        disk = Path(os.environ["FARMTALLY_SMALL_DISK"])
        photos = disk / "photos"

        def fill():
            with photos.open("wb", buffering=0) as file, self.assertRaises(OSError):
                while True:
                    file.write(bytes(4_096))

        asha = await self.market.meets("Asha", folder=disk / "phone")
        await asha.client.enrol(self.server.url, self.market.code("Asha", "clerk"), "test phone")
        draft = await asha.begins(await asha.registers("Lakshmi Devi"), "20")
        fill()
        bag = [DraftEdit.ADD_BAG("20")]
        with self.assertRaises(FieldError.StorageFull) as caught:
            while True:
                draft = await asha.client.edit_draft(draft.basis, bag)
        self.assertEqual(caught.exception.code, "storage_full")
        self.assertEqual((await asha.client.today("KOLAR")).drafts, [draft])
        await asha.client.shut_down()
        fill()
        # Opening needs 32 KiB for the index of the write-ahead log.
        os.truncate(photos, photos.stat().st_size - 65_536)
        await asha.restarts()
        [draft] = (await asha.client.today("KOLAR")).drafts
        fill()
        await self.refused(FieldError.StorageFull, asha.client.edit_draft(draft.basis, bag), code="storage_full")
        photos.unlink()
        draft = await asha.client.edit_draft(draft.basis, bag)
        recorded = await asha.client.record_delivery(draft.basis)
        self.assertEqual((await asha.client.sync()).outcome, SyncOutcome.COMPLETE)
        self.assertEqual((await asha.totals()).gross_g, 20_000 * len(recorded.bags))

    async def run_app(self, program, person):
        """What an app printed that used the person's phone; it must end in order, and print no error."""
        await person.client.shut_down()
        ran = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", program, person.folder], capture_output=True, text=True, timeout=100)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        await person.restarts()
        return ran.stdout.split()

    async def test_a_program_that_ends_while_calls_run_loses_nothing(self):
        asha = await self.market.hires("Asha", "clerk")
        await asha.begins(await asha.registers("Lakshmi Devi"), "20")
        [told] = await self.run_app(ENDING, asha)
        [draft] = (await asha.client.today("KOLAR")).drafts
        self.assertGreaterEqual(draft.totals.bags, int(told))
        self.assertEqual((await asha.client.sync()).outcome, SyncOutcome.COMPLETE)

    async def test_event_loops_that_end_leave_a_client_usable(self):
        asha = await self.market.hires("Asha", "clerk")
        await asha.begins(await asha.registers("Lakshmi Devi"), "20")
        self.assertEqual(await self.run_app(LOOPS, asha), ["2", "COMPLETE"])
        [draft] = (await asha.client.today("KOLAR")).drafts
        self.assertEqual(draft.totals.bags, 2)

    async def test_ten_thousand_calls_leave_no_memory_behind(self):
        asha = await self.market.hires("Asha", "clerk")
        draft = await asha.begins(await asha.registers("Lakshmi Devi"), *["20"] * 20)

        async def thousand():
            for _ in range(1_000):
                await asha.client.delivery(draft.delivery_id)
            gc.collect()
            status = Path("/proc/self/status").read_text()
            return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1))

        before = await thousand()
        for _ in range(9):
            after = await thousand()
        self.assertLess(after - before, 8_192, "KiB: a view is some 4 KiB, 9,000 leaked ones would be 36 MiB")


class Documents(unittest.TestCase):
    def test_the_tests_are_the_scenarios(self):
        text = (PACKAGE.parent / "scenarios.md").read_text()
        names = re.findall(r"^\d+\. ([^:]+):", text, re.MULTILINE)
        expected = {"test_" + name.replace(" ", "_") for name in names}
        cases = MarketDay, test_records.Records, test_farmers.Farmers, test_deliveries.Deliveries
        self.assertEqual({name for case in cases for name in vars(case) if name.startswith("test_")}, expected)

    def test_the_example_with_a_question_is_what_runs(self):
        [example] = [it for it in examples() if "Confirm" in it]
        self.assertIn(textwrap.indent(example, " " * 8), Path(__file__).read_text())


if __name__ == "__main__":
    unittest.main()
