"""The scenarios of bindings/scenarios.md about what is recorded, printed, reported and imported, in its order."""

import datetime
import json
import textwrap
import unittest
from pathlib import Path

from farmtally_field import (
    BagCount,
    CodePage,
    DraftEdit,
    FarmerQuery,
    FieldError,
    ImportInput,
    Language,
    Lifecycle,
    LoadQuery,
    LorryRequest,
    Mark,
    Measured,
    PaperWidth,
    Point,
    PrintEnd,
    PrintMedium,
    Printer,
    PrinterError,
    PrinterProfile,
    Priority,
    QueueTicket,
    ReadingInput,
    Reason,
    ReportQuery,
    Sheet,
    SimpleQuery,
    SimpleState,
    Stroke,
    Sum,
    Topic,
    WeighbridgeTicket,
    WeighingSource,
    Wording,
)
from market import MISTYPED, PACKAGE, MarketCase, examples

ENGLISH = Wording(language=Language.ENGLISH)
PROFILE = PrinterProfile(width=PaperWidth.MM58, code_page=CodePage.ASCII, has_qr=True, cuts=False)


class Roll(Printer):
    """A receipt printer that has paper for so many bytes."""

    def __init__(self, paper):
        self.paper, self.printed, self.error = paper, b"", None

    async def send(self, bytes):
        if self.error:
            raise self.error
        self.paper -= len(bytes)
        self.printed += bytes
        return len(bytes)

    async def ask(self, question):
        # GS r 1, answered when all is printed; DLE EOT 4: the paper; DLE EOT 2: why it is offline.
        has_paper, has_none = {b"\x1dr\x01": (0, None), b"\x10\x04\x04": (0x12, 0x72), b"\x10\x04\x02": (0x12, 0x32)}[question]
        return has_none if self.paper < 0 else has_paper


class Records(MarketCase):
    async def asha_and_ravi(self, role="clerk"):
        return await self.market.hires("Asha", role), await self.market.hires("Ravi", "dispatcher")

    async def test_a_delivery_gets_readings_a_signature_and_prints_after_it_was_recorded(self):
        asha, ravi = await self.asha_and_ravi()
        recorded = await asha.weighs(await asha.registers("Lakshmi Devi"), "20", "21")
        self.assertEqual(recorded.actions, ["amend", "void", "correct_farmer", "add_readings", "sign", "print"])
        readings = [ReadingInput.MOISTURE("14.5"), ReadingInput.MOISTURE("15")]
        read = await asha.client.add_readings(recorded.basis, readings)
        mark = Mark.DRAWN([Stroke(points=[Point(x=0, y=0), Point(x=1_023, y=512)])])
        signed = await asha.client.sign(read.basis, mark)
        self.assertEqual((signed.content.record_id, signed.content.farmer_id), (recorded.delivery_id, recorded.farmer_id))
        printed = await asha.client.record_print(read.basis, PrintMedium.MESSAGE)
        self.assertEqual([it.measured for it in printed.readings], [Measured.MOISTURE("14.50"), Measured.MOISTURE("15.00")])
        self.assertEqual([it.content.mark for it in printed.signatures], [mark])
        self.assertEqual([it.medium for it in printed.prints], [PrintMedium.MESSAGE])
        far = Mark.DRAWN([Stroke(points=[Point(x=1_024, y=0)])])
        await self.refused(FieldError.Invalid, asha.client.sign(printed.basis, far), field="mark")
        await self.refused(FieldError.Stale, asha.client.record_print(read.basis, PrintMedium.PAPER), code="stale")

        for person in (asha, ravi):
            await person.client.sync()
        seen = await ravi.client.delivery(recorded.delivery_id)
        self.assertEqual(seen.readings, printed.readings)
        page = await ravi.client.signatures(recorded.delivery_id)
        self.assertEqual([it.content for it in page.items], [signed.content])
        self.assertEqual((seen.prints, seen.is_signed), (printed.prints, True))
        voided = await ravi.client.void_delivery(seen.basis, MISTYPED)
        self.assertEqual(voided.actions, ["replace", "print"])
        await self.refused(FieldError.Refused, ravi.client.add_readings(voided.basis, readings), code="not_allowed")

    async def test_the_farmer_of_a_delivery_is_corrected_in_one_step(self):
        asha, ravi = await self.asha_and_ravi()
        lakshmi, meena = await asha.registers("Lakshmi Devi"), await asha.registers("Meena")
        first, why = await asha.weighs(lakshmi, "20", "21"), Reason(code="wrong_farmer")
        same = asha.client.correct_farmer(first.basis, lakshmi.farmer_id, why)
        await self.refused(FieldError.Invalid, same, field="farmer_id")
        second = await asha.client.correct_farmer(first.basis, meena.farmer_id, why)
        self.assertEqual((second.farmer_id, second.replaces), (meena.farmer_id, first.delivery_id))
        weights = [(view.totals, [bag.gross_g for bag in view.bags]) for view in (first, second)]
        self.assertEqual(weights[0], weights[1])
        self.assertNotEqual(first.receipt_number, second.receipt_number)
        await self.refused(FieldError.Stale, asha.client.correct_farmer(first.basis, meena.farmer_id, why))
        for person in (asha, ravi):
            await person.client.sync()
            voided = await person.client.delivery(first.delivery_id)
            self.assertEqual((voided.lifecycle, voided.replaced_by), (Lifecycle.VOIDED, [second.delivery_id]))
            self.assertEqual([it.reason for it in voided.voids], [why])
            self.assertEqual(await person.totals(), Sum(deliveries=1, voided=1, bags=2, gross_g=41_000))

    async def test_lots_and_vehicles_are_weighed_with_grades(self):
        asha, ravi = await self.asha_and_ravi()
        draft = await asha.begins(await asha.registers("Lakshmi Devi"))
        weighing = [
            DraftEdit.ADD_LOT("500", grade="A"),
            DraftEdit.ADD_LOT("12000", vehicle="9000", grade="B"),
            DraftEdit.ADD_BAG("50", grade="A"),
        ]
        weighed = await asha.client.edit_draft(draft.basis, weighing)
        await self.refused(FieldError.Invalid, asha.client.record_delivery(weighed.basis), field="bag_counts")
        bad = {
            "grade": DraftEdit.ADD_BAG("50", grade="C"),
            "weight": DraftEdit.ADD_LOT("100001"),
            "vehicle": DraftEdit.ADD_LOT("9000", vehicle="9001"),
        }
        for field, edit in bad.items():
            await self.refused(FieldError.Invalid, asha.client.edit_draft(weighed.basis, [edit]), field=field)
        counts = [BagCount(bag_type=0, grade="A", count=10), BagCount(bag_type=0, grade="B", count=60)]
        counted = await asha.client.edit_draft(weighed.basis, [DraftEdit.SET_BAG_COUNTS(counts)])
        recorded = await asha.client.record_delivery(counted.basis)
        for person in (asha, ravi):
            await person.client.sync()
            seen = await person.client.delivery(recorded.delivery_id)
            self.assertEqual([(it.number, it.vehicle_g) for it in seen.lots], [(1, None), (2, 9_000_000)])
            self.assertEqual(([it.number for it in seen.bags], seen.bag_counts), ([3], counts))
            grades = [(it.grade, it.totals.bags, it.totals.net_g) for it in seen.grades]
            self.assertEqual(grades, [("A", 11, 533_500), ("B", 60, 2_910_000)])
            self.assertEqual((seen.totals.gross_g, seen.totals.net_g), (3_550_000, 3_443_500))

    async def test_a_draft_is_taken_over_by_a_colleague_on_the_same_phone(self):
        asha = await self.market.hires("Asha", "field_manager")
        client, session = asha.client, await asha.client.session()
        self.market.shares(session.device_code, "Ravi", "clerk")
        await client.sync()
        draft = await asha.begins(await asha.registers("Lakshmi Devi"), "20")
        await self.refused(FieldError.Refused, client.take_over_draft(draft.basis), code="not_allowed")

        [ravi] = [it.user_id for it in await client.users() if it.name == "Ravi"]
        await client.switch_user(ravi)
        [seen] = (await client.today("KOLAR")).drafts
        self.assertEqual(seen.actions, ["take_over"])
        bag = [DraftEdit.ADD_BAG("21")]
        for call in (client.edit_draft(seen.basis, bag), client.record_delivery(seen.basis), client.discard_draft(seen.basis)):
            await self.refused(FieldError.Refused, call, code="not_allowed")
        taken = await client.edit_draft((await client.take_over_draft(seen.basis)).basis, bag)
        self.assertEqual(taken.actions, ["edit", "record", "discard"])
        recorded = await client.record_delivery(taken.basis)
        both = [session.user_id, ravi]
        self.assertEqual((recorded.users, [bag.user_id for bag in recorded.bags]), (both, both))
        self.assertEqual(recorded.recorded.user_id, ravi)

    async def test_a_receipt_becomes_text_a_message_a_page_a_file_and_printer_commands(self):
        asha = await self.market.hires("Asha", "clerk")
        client = asha.client
        delivery = await asha.weighs(await asha.registers("Lakshmi Devi"), "20", "21")
        number = delivery.receipt_number
        folder = PACKAGE.parent.parent / "tests" / "fixtures" / "fonts"
        fonts = [(folder / f"{name}.ttf").read_bytes() for name in ("NotoSans-Latin", "NotoSansKannada")]
        receipt = await client.receipt(delivery.delivery_id, ENGLISH)
        commands = (await receipt.commands(PROFILE)).decode("latin-1")
        for text in (*map(receipt.text, PaperWidth), receipt.message().text, receipt.html(), commands):
            self.assertIn(number, text)
            self.assertIn("38.0", text)
        self.assertIn("Original", receipt.text(PaperWidth.MM58))
        self.assertTrue(receipt.title())
        await self.refused(FieldError.Invalid, receipt.pdf(Sheet.A4, []), field="fonts")
        with self.assertRaises(FieldError.Invalid) as caught:
            receipt.message(most_parts=0)
        self.assertEqual(caught.exception.field, "most_parts")
        self.assertTrue((await receipt.pdf(Sheet.A5, fonts)).startswith(b"%PDF-1.7"))
        kannada = await client.receipt(delivery.delivery_id, Wording(language=Language.KANNADA))
        await self.refused(FieldError.Invalid, kannada.commands(PROFILE), field="fonts")
        self.assertGreater(len(await kannada.commands(PROFILE, fonts)), 10_000, "pictures")

        first = await receipt.print(Roll(200), PROFILE)
        self.assertEqual((first.end, first.has_used_paper), (PrintEnd.OUT_OF_PAPER, True))
        self.assertTrue(0 < first.lines_printed < first.lines, first)
        delivery = await client.record_print(delivery.basis, PrintMedium.PAPER)
        printer = Roll(10_000)
        # The example of the README begins here.
        receipt = await client.receipt(delivery.delivery_id, Wording(language=Language.ENGLISH))
        profile = PrinterProfile(width=PaperWidth.MM58, code_page=CodePage.ASCII, has_qr=True, cuts=False)
        report = await receipt.print(printer, profile)
        if report.has_used_paper:
            delivery = await client.record_print(delivery.basis, PrintMedium.PAPER)
        if report.end != PrintEnd.COMPLETE:
            print("insert paper or connect, and print the next copy:", report.end)
        # And ends here.
        self.assertEqual((report.end, report.lines_printed, report.is_confirmed), (PrintEnd.COMPLETE, report.lines, True))
        printed = printer.printed.decode("latin-1")
        self.assertIn("Copy 2", printed)
        self.assertIn(number, printed)
        # An error that is not of its kind is taken for the end of the connection.
        for error, end in ((PrinterError.TimedOut("silent"), PrintEnd.TIMED_OUT), (OSError("switched off"), PrintEnd.DISCONNECTED)):
            printer.error = error
            self.assertEqual((await receipt.print(printer, profile)).end, end)
        copy = await client.receipt(delivery.delivery_id, ENGLISH)
        self.assertIn("Copy 3", copy.text(PaperWidth.MM80))
        await self.refused(FieldError.NotFound, client.receipt(delivery.farmer_id, ENGLISH))

    async def test_records_of_other_kinds_are_made_listed_page_by_page_and_withdrawn(self):
        asha, ravi = await self.asha_and_ravi("dispatcher")
        client, lakshmi = asha.client, await asha.registers("Lakshmi Devi")
        load = await asha.opens("KA07A1111")
        delivery = (await asha.weighs(lakshmi, "20")).delivery_id
        today = str(datetime.date.today())

        for text in ("wet", "torn bag", "paid"):
            await client.add_note(delivery, text)
        await self.refused(FieldError.Invalid, client.add_note(delivery, ""), field="text")
        first = await client.notes(delivery, limit=2)
        second = await client.notes(delivery, after=first.next, limit=2)
        self.assertEqual([it.content.text for it in first.items + second.items], ["wet", "torn bag", "paid"])
        self.assertIsNone(second.next)

        def weighed(tare):
            scale, manual = WeighingSource.SCALE, WeighingSource.MANUAL
            return WeighbridgeTicket(record_id=load.load_id, gross="12340", gross_source=scale, tare=tare, tare_source=manual, number="7")

        ticket = await client.add_weighbridge_ticket(weighed("9000"))
        self.assertEqual((ticket.net_g, ticket.state), (3_340_000, SimpleState.OPEN))
        await self.refused(FieldError.Invalid, client.add_weighbridge_ticket(weighed("12341")), field="tare")

        def wanted(bags):
            return LorryRequest(
                commodity="TOMATO",
                wanted_date=today,
                from_minute=480,
                to_minute=600,
                purpose="harvest",
                farmers=12,
                bags=bags,
                weight_g=6_000_000,
                priority=Priority.HIGH,
            )

        request = await client.add_lorry_request("KOLAR", wanted(300))
        changed = await client.change_lorry_request(request.basis, wanted(400))
        self.assertEqual((changed.content.bags, changed.actions), (400, ["correct", "withdraw"]))
        await self.refused(FieldError.Stale, client.withdraw_lorry_request(request.basis, MISTYPED))
        requests = client.watch(lambda: client.lorry_requests(SimpleQuery()), Topic.RECORDS)
        self.assertEqual([it.state for it in (await anext(requests)).items], [SimpleState.OPEN])
        withdrawn = await client.withdraw_lorry_request(changed.basis, MISTYPED)
        self.assertEqual([it.state for it in (await anext(requests)).items], [SimpleState.WITHDRAWN])
        await requests.aclose()
        self.assertEqual((withdrawn.state, [it.reason for it in withdrawn.steps]), (SimpleState.WITHDRAWN, [MISTYPED]))
        await self.refused(FieldError.Refused, client.withdraw_lorry_request(withdrawn.basis, MISTYPED))

        waiting = QueueTicket(commodity="TOMATO", date=today, farmer_id=lakshmi.farmer_id)
        waiting = await client.add_queue_ticket("KOLAR", waiting)
        self.assertEqual(await client.queue_position(waiting.record_id), 1)
        served = await client.serve_queue_ticket((await client.call_queue_ticket(waiting.basis)).basis)
        self.assertEqual((served.state, await client.queue_position(waiting.record_id)), (SimpleState.SERVED, None))

        for person in (asha, ravi):
            await person.client.sync()
            query, still_open = SimpleQuery(centre="KOLAR"), SimpleQuery(centre="KOLAR", state=SimpleState.OPEN)
            states = [it.state for it in (await person.client.lorry_requests(query)).items]
            self.assertEqual(states, [SimpleState.WITHDRAWN])
            self.assertEqual((await person.client.lorry_requests(still_open)).items, [])
            tickets = [it.record_id for it in (await person.client.weighbridge_tickets(query)).items]
            self.assertEqual(tickets, [ticket.record_id])
            self.assertEqual((await person.client.weighbridge_ticket(ticket.record_id)).content.number, "7")
            notes = [it.content.text for it in (await person.client.notes(delivery)).items]
            self.assertEqual(notes, ["wet", "torn bag", "paid"])

    def table(self, report):
        """Rows as dictionaries from column to value."""

        def value(cell):
            return cell.text if cell.is_TEXT() else cell.number if cell.is_NUMBER() else None

        return [dict(zip(report.columns, map(value, row))) for row in report.rows]

    async def test_reports_agree_with_what_was_recorded_and_are_exported_as_CSV_and_NDJSON(self):
        asha = await self.market.hires("Asha", "field_manager")
        client = asha.client
        lakshmi, meena = await asha.registers("Lakshmi Devi"), await asha.registers("Meena, of Malur")
        load = await asha.opens("KA07A1111")
        weighed = ((lakshmi, ["20", "21"], None), (meena, ["30"], load), (lakshmi, ["50"], None))
        recorded = [await asha.weighs(farmer, *weights, load=load) for farmer, weights, load in weighed]
        await client.void_delivery(recorded[2].basis, MISTYPED)
        sum = await asha.totals()
        [day] = self.table(await client.report(ReportQuery(report="by_day", centre="KOLAR")))
        totals = [day[name] for name in ("deliveries", "voided", "bags", "gross_g")]
        self.assertEqual(totals, [2, 1, 3, 71_000])
        self.assertEqual(totals, [sum.deliveries, sum.voided, sum.bags, sum.gross_g])
        by_farmer = self.table(await client.report(ReportQuery(report="by_farmer")))
        nets = [(it["farmer_name"], it["net_g"]) for it in by_farmer]
        self.assertEqual(nets, [("Lakshmi Devi", 38_000), ("Meena, of Malur", 28_500)])
        [listed] = (await client.loads(LoadQuery(lorry="KA07A1111"))).items
        self.assertEqual((listed.row.load_id, listed.sum.gross_g), (load.load_id, 30_000))
        date = recorded[0].business_date
        query = ReportQuery(report="day_book", centre="KOLAR", from_date=date, to_date=date)
        report = await client.report(query)
        numbers = [(it["receipt_number"], it["is_voided"]) for it in self.table(report)]
        self.assertEqual(numbers, list(zip([it.receipt_number for it in recorded], (0, 0, 1))))

        csv, ndjson = (self.server.path / f"{self.market.organisation}.{format}" for format in ("csv", "ndjson"))
        self.assertEqual(await client.export_report(query, "csv", str(csv)), 3)
        lines = csv.read_bytes().decode().removesuffix("\r\n").split("\r\n")
        self.assertEqual((lines[0], len(lines)), (",".join(report.columns), 4))
        self.assertIn('"Meena, of Malur"', lines[2])
        self.assertEqual(await client.export_report(query, "ndjson", str(ndjson)), 3)
        self.assertEqual([json.loads(line) for line in ndjson.read_text().splitlines()], self.table(report))

        bad = {
            "centre": client.report(ReportQuery(report="day_book", from_date=date, to_date=date)),
            "from_date": client.report(ReportQuery(report="day_book", centre="KOLAR")),
            "farmer_id": client.report(ReportQuery(report="farmer_statement")),
            "top": client.report(ReportQuery(report="top_farmers", top=0)),
            "report": client.report(ReportQuery(report="profit")),
            "format": client.export_report(query, "xlsx", str(csv)),
            "path": client.export_report(query, "csv", str(csv / "in a file")),
        }
        for field, call in bad.items():
            await self.refused(FieldError.Invalid, call, field=field)

    async def test_farmers_are_imported_from_a_spreadsheet(self):
        asha = await self.market.hires("Asha", "clerk")
        client, file = asha.client, self.server.path / f"{self.market.organisation}.csv"
        file.write_text(
            newline="\r\n",
            data="Name,Village,Mobile No.,Remarks\nLakshmi Devi,Vemagal,98450 11111,\nRamesh,Malur,call his son,\n"
            ",Malur,,\nMeena,Malur,9.845033333E+09,\nLakshmi Devi,Vemagal,9845011111,again\n"
        )

        async def names():
            return sorted(it.contact.name for it in (await client.farmers(FarmerQuery(centre="KOLAR"))).items)

        dry = await client.import_farmers(str(file), ImportInput(centre="KOLAR", is_dry_run=True))
        self.assertEqual((dry.lines, dry.registered, dry.known, dry.failed), (5, 2, 0, 3))
        issues = [(it.line, it.column, it.code, it.text) for it in dry.issues]
        expected = [(3, "Mobile No.", "phone_invalid", "call his son"), (4, "Name", "name_missing", ""), (6, "Name", "duplicate_line", "2")]
        self.assertEqual((issues, dry.ignored_columns), (expected, ["Remarks"]))
        self.assertEqual(await names(), [])

        self.assertEqual(await client.import_farmers(str(file), ImportInput(centre="KOLAR")), dry)
        self.assertIsNone(await client.import_progress())
        self.assertEqual(await names(), ["Lakshmi Devi", "Meena"])
        again = await client.import_farmers(str(file), ImportInput(centre="KOLAR"))
        self.assertEqual((again.registered, again.known), (0, 3))
        self.assertEqual(await names(), ["Lakshmi Devi", "Meena"])
        await self.refused(FieldError.Invalid, client.import_farmers(f"{file}x", ImportInput(centre="KOLAR")), field="path")
        file.write_text("Village\nMalur\n")
        await self.refused(FieldError.Invalid, client.import_farmers(str(file), ImportInput(centre="KOLAR")), field="columns")


class Documents(unittest.TestCase):
    def test_the_example_with_a_printer_is_what_runs(self):
        [example] = [it for it in examples() if "PrinterProfile" in it]
        self.assertIn(textwrap.indent(example, " " * 8), Path(__file__).read_text())


if __name__ == "__main__":
    unittest.main()
