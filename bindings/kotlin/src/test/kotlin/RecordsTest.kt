package org.farmtally.field.tests

import java.io.ByteArrayOutputStream
import java.io.File
import java.time.LocalDate
import kotlinx.coroutines.async
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import org.farmtally.field.BagCount
import org.farmtally.field.BusinessDate
import org.farmtally.field.Cell
import org.farmtally.field.CodePage
import org.farmtally.field.DeliveryId
import org.farmtally.field.DocumentId
import org.farmtally.field.DraftEdit
import org.farmtally.field.FarmerQuery
import org.farmtally.field.FieldException
import org.farmtally.field.GradeCode
import org.farmtally.field.Grams
import org.farmtally.field.ImportInput
import org.farmtally.field.Language
import org.farmtally.field.Lifecycle
import org.farmtally.field.LoadQuery
import org.farmtally.field.LorryPlate
import org.farmtally.field.LorryRequest
import org.farmtally.field.Mark
import org.farmtally.field.Measured
import org.farmtally.field.PaperWidth
import org.farmtally.field.Point
import org.farmtally.field.PrintEnd
import org.farmtally.field.PrintMedium
import org.farmtally.field.Printer
import org.farmtally.field.PrinterException
import org.farmtally.field.PrinterProfile
import org.farmtally.field.Priority
import org.farmtally.field.QueueTicket
import org.farmtally.field.ReadingInput
import org.farmtally.field.Reason
import org.farmtally.field.Report
import org.farmtally.field.ReportQuery
import org.farmtally.field.Sheet
import org.farmtally.field.SimpleQuery
import org.farmtally.field.SimpleState
import org.farmtally.field.Stroke
import org.farmtally.field.Sum
import org.farmtally.field.Topic
import org.farmtally.field.WeighbridgeTicket
import org.farmtally.field.WeighingSource
import org.farmtally.field.Wording
import org.farmtally.field.watch
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNotEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

private val ENGLISH = Wording(Language.ENGLISH)
private val PROFILE = PrinterProfile(PaperWidth.MM58, CodePage.ASCII, hasQr = true, cuts = false)

/** A receipt printer that has paper for so many bytes. */
private class Roll(private var paper: Int) : Printer {
    val printed = ByteArrayOutputStream()
    var isConnected = true

    override suspend fun send(bytes: ByteArray): UInt {
        if (!isConnected) throw PrinterException.Disconnected("switched off")
        paper -= bytes.size
        printed.write(bytes)
        return bytes.size.toUInt()
    }

    override suspend fun ask(question: ByteArray): UByte? = when (question.toList()) {
        // GS r 1, answered when all is printed; DLE EOT 4: the paper; DLE EOT 2: why it is offline.
        listOf<Byte>(0x1d, 'r'.code.toByte(), 1) -> if (paper < 0) null else 0u
        listOf<Byte>(0x10, 4, 4) -> if (paper < 0) 0x72u else 0x12u
        else -> if (paper < 0) 0x32u else 0x12u
    }
}

/** The scenarios of bindings/scenarios.md about what is recorded, printed, reported and imported, in its order. */
class RecordsTest : Scenarios() {
    @Test
    fun `a delivery gets readings a signature and prints after it was recorded`() = story {
        val (asha, ravi) = listOf(market.hires("Asha", "clerk"), market.hires("Ravi", "dispatcher"))
        val recorded = asha.weighs(asha.registers("Lakshmi Devi"), "20", "21")
        assertEquals(listOf("amend", "void", "correct_farmer", "add_readings", "sign", "print"), recorded.actions)
        val readings = listOf(ReadingInput.Moisture("14.5"), ReadingInput.Moisture("15"))
        val read = asha.client.addReadings(recorded.basis, readings)
        val mark = Mark.Drawn(listOf(Stroke(listOf(Point(0u, 0u), Point(1_023u, 512u)))))
        val signed = asha.client.sign(read.basis, mark)
        assertEquals(recorded.deliveryId.value to recorded.farmerId, signed.content.recordId.value to signed.content.farmerId)
        val printed = asha.client.recordPrint(read.basis, PrintMedium.MESSAGE)
        assertEquals(listOf(Measured.Moisture("14.50"), Measured.Moisture("15.00")), printed.readings.map { it.measured })
        assertEquals(listOf<Mark>(mark), printed.signatures.map { it.content.mark })
        assertEquals(listOf(PrintMedium.MESSAGE), printed.prints.map { it.medium })
        val far = Mark.Drawn(listOf(Stroke(listOf(Point(1_024u, 0u)))))
        assertEquals("mark", refused<FieldException.Invalid> { asha.client.sign(printed.basis, far) }.field)
        assertEquals("stale", refused<FieldException.Stale> { asha.client.recordPrint(read.basis, PrintMedium.PAPER) }.code)

        for (person in listOf(asha, ravi)) person.client.sync()
        val seen = ravi.client.delivery(recorded.deliveryId)
        assertEquals(printed.readings, seen.readings)
        assertEquals(listOf(signed.content), ravi.client.signatures(DocumentId(recorded.deliveryId.value)).items.map { it.content })
        assertEquals(printed.prints to true, seen.prints to seen.isSigned)
        val voided = ravi.client.voidDelivery(seen.basis, MISTYPED)
        assertEquals(listOf("replace", "print"), voided.actions)
        assertEquals("not_allowed", refused<FieldException.Refused> { ravi.client.addReadings(voided.basis, readings) }.code)
    }

    @Test
    fun `the farmer of a delivery is corrected in one step`() = story {
        val (asha, ravi) = listOf(market.hires("Asha", "clerk"), market.hires("Ravi", "dispatcher"))
        val (lakshmi, meena) = listOf(asha.registers("Lakshmi Devi"), asha.registers("Meena"))
        val first = asha.weighs(lakshmi, "20", "21")
        val why = Reason("wrong_farmer")
        val same = refused<FieldException.Invalid> { asha.client.correctFarmer(first.basis, lakshmi.farmerId, why) }
        assertEquals("farmer_id", same.field)
        val second = asha.client.correctFarmer(first.basis, meena.farmerId, why)
        assertEquals(meena.farmerId to first.deliveryId, second.farmerId to second.replaces)
        assertEquals(first.totals to first.bags.map { it.grossG }, second.totals to second.bags.map { it.grossG })
        assertNotEquals(first.receiptNumber, second.receiptNumber)
        refused<FieldException.Stale> { asha.client.correctFarmer(first.basis, meena.farmerId, why) }
        for (person in listOf(asha, ravi)) {
            person.client.sync()
            val voided = person.client.delivery(first.deliveryId)
            assertEquals(Lifecycle.VOIDED to listOf(second.deliveryId), voided.lifecycle to voided.replacedBy)
            assertEquals(listOf(why), voided.voids.map { it.reason })
            assertEquals(Sum(deliveries = 1u, voided = 1u, bags = 2u, grossG = Grams(41_000)), person.totals())
        }
    }

    @Test
    fun `lots and vehicles are weighed with grades`() = story {
        val (asha, ravi) = listOf(market.hires("Asha", "clerk"), market.hires("Ravi", "dispatcher"))
        val (a, b) = listOf(GradeCode("A"), GradeCode("B"))
        val draft = asha.begins(asha.registers("Lakshmi Devi"))
        val weighing = listOf(
            DraftEdit.AddLot("500", grade = a),
            DraftEdit.AddLot("12000", vehicle = "9000", grade = b),
            DraftEdit.AddBag("50", grade = a),
        )
        val weighed = asha.client.editDraft(draft.basis, weighing)
        assertEquals("bag_counts", refused<FieldException.Invalid> { asha.client.recordDelivery(weighed.basis) }.field)
        val bad = mapOf(
            "grade" to DraftEdit.AddBag("50", grade = GradeCode("C")), "weight" to DraftEdit.AddLot("100001"),
            "vehicle" to DraftEdit.AddLot("9000", vehicle = "9001"),
        )
        for ((field, edit) in bad)
            assertEquals(field, refused<FieldException.Invalid> { asha.client.editDraft(weighed.basis, listOf(edit)) }.field)
        val counts = listOf(BagCount(bagType = 0u, grade = a, count = 10u), BagCount(bagType = 0u, grade = b, count = 60u))
        val counted = asha.client.editDraft(weighed.basis, listOf(DraftEdit.SetBagCounts(counts)))
        val recorded = asha.client.recordDelivery(counted.basis)
        for (person in listOf(asha, ravi)) {
            person.client.sync()
            val seen = person.client.delivery(recorded.deliveryId)
            assertEquals(listOf(1u to null, 2u to Grams(9_000_000)), seen.lots.map { it.number to it.vehicleG })
            assertEquals(listOf(3u) to counts, seen.bags.map { it.number } to seen.bagCounts)
            val grades = listOf(Triple(a, 11u, Grams(533_500)), Triple(b, 60u, Grams(2_910_000)))
            assertEquals(grades, seen.grades.map { Triple(it.grade, it.totals.bags, it.totals.netG) })
            assertEquals(Grams(3_550_000) to Grams(3_443_500), seen.totals.grossG to seen.totals.netG)
        }
    }

    @Test
    fun `a draft is taken over by a colleague on the same phone`() = story {
        val asha = market.hires("Asha", "field_manager")
        val client = asha.client
        val session = checkNotNull(client.session())
        market.shares(session.deviceCode, "Ravi", "clerk")
        client.sync()
        val draft = asha.begins(asha.registers("Lakshmi Devi"), "20")
        assertEquals("not_allowed", refused<FieldException.Refused> { client.takeOverDraft(draft.basis) }.code)

        val ravi = client.users().single { it.name == "Ravi" }.userId
        client.switchUser(ravi)
        val seen = client.today(KOLAR).drafts.single()
        assertEquals(listOf("take_over"), seen.actions)
        val bag = listOf(DraftEdit.AddBag("21"))
        val calls = listOf<suspend () -> Any>(
            { client.editDraft(seen.basis, bag) }, { client.recordDelivery(seen.basis) }, { client.discardDraft(seen.basis) },
        )
        for (call in calls) assertEquals("not_allowed", refused<FieldException.Refused> { call() }.code)
        val taken = client.editDraft(client.takeOverDraft(seen.basis).basis, bag)
        assertEquals(listOf("edit", "record", "discard"), taken.actions)
        val recorded = client.recordDelivery(taken.basis)
        val both = listOf(session.userId, ravi)
        assertEquals(both to both, recorded.users to recorded.bags.map { it.userId })
        assertEquals(ravi, recorded.recorded?.userId)
    }

    @Test
    fun `a receipt becomes text a message a page a file and printer commands`() = story {
        val asha = market.hires("Asha", "clerk")
        val client = asha.client
        var delivery = asha.weighs(asha.registers("Lakshmi Devi"), "20", "21")
        val number = checkNotNull(delivery.receiptNumber).value
        val fonts = listOf("NotoSans-Latin", "NotoSansKannada").map { File("../../tests/fixtures/fonts/$it.ttf").readBytes() }
        client.receipt(delivery.deliveryId, ENGLISH).use { receipt ->
            val commands = receipt.commands(PROFILE).toString(Charsets.ISO_8859_1)
            val texts = PaperWidth.entries.map { receipt.text(it) } + receipt.message().text + receipt.html() + commands
            for (text in texts) assertTrue(number in text && "38.0" in text, text)
            assertTrue("Original" in texts[0] && receipt.title().isNotBlank())
            assertEquals("fonts", refused<FieldException.Invalid> { receipt.pdf(Sheet.A4, listOf()) }.field)
            assertEquals("most_parts", refused<FieldException.Invalid> { receipt.message(mostParts = 0u) }.field)
            assertTrue(receipt.pdf(Sheet.A5, fonts).toString(Charsets.ISO_8859_1).startsWith("%PDF-1.7"))
        }
        client.receipt(delivery.deliveryId, Wording(Language.KANNADA)).use { receipt ->
            assertEquals("fonts", refused<FieldException.Invalid> { receipt.commands(PROFILE) }.field)
            assertTrue(receipt.commands(PROFILE, fonts).size > 10_000, "pictures")
        }

        val roll = Roll(200)
        val first = client.receipt(delivery.deliveryId, ENGLISH).use { it.print(roll, PROFILE) }
        assertEquals(PrintEnd.OUT_OF_PAPER to true, first.end to first.hasUsedPaper)
        assertTrue(first.linesPrinted in 1u..<first.lines, "$first")
        delivery = client.recordPrint(delivery.basis, PrintMedium.PAPER)
        val printer = Roll(10_000)
        // The example of the README begins here.
        val receipt = client.receipt(delivery.deliveryId, Wording(Language.ENGLISH))
        val profile = PrinterProfile(PaperWidth.MM58, CodePage.ASCII, hasQr = true, cuts = false)
        val report = receipt.use { it.print(printer, profile) }
        if (report.hasUsedPaper) delivery = client.recordPrint(delivery.basis, PrintMedium.PAPER)
        if (report.end != PrintEnd.COMPLETE) println("insert paper or connect, and print the next copy: ${report.end}")
        // And ends here.
        assertEquals(Triple(PrintEnd.COMPLETE, report.lines, true), report.run { Triple(end, linesPrinted, isConfirmed) })
        val printed = printer.printed.toString(Charsets.ISO_8859_1)
        assertTrue("Copy 2" in printed && number in printed, printed)
        val gone = Roll(10_000).apply { isConnected = false }
        assertEquals(PrintEnd.DISCONNECTED, client.receipt(delivery.deliveryId, ENGLISH).use { it.print(gone, PROFILE) }.end)
        assertTrue("Copy 3" in client.receipt(delivery.deliveryId, ENGLISH).use { it.text(PaperWidth.MM80) })
        val nobody = DeliveryId(checkNotNull(delivery.farmerId).value)
        refused<FieldException.NotFound> { client.receipt(nobody, ENGLISH) }
    }

    @Test
    fun `records of other kinds are made listed page by page and withdrawn`() = story {
        val (asha, ravi) = listOf(market.hires("Asha", "dispatcher"), market.hires("Ravi", "dispatcher"))
        val client = asha.client
        val lakshmi = asha.registers("Lakshmi Devi")
        val load = asha.opens("KA07A1111")
        val delivery = DocumentId(asha.weighs(lakshmi, "20").deliveryId.value)
        val today = BusinessDate("${LocalDate.now()}")

        for (text in listOf("wet", "torn bag", "paid")) client.addNote(delivery, text)
        assertEquals("text", refused<FieldException.Invalid> { client.addNote(delivery, "") }.field)
        val (first, second) = client.notes(delivery, limit = 2u).let { it to client.notes(delivery, after = it.next, limit = 2u) }
        assertEquals(listOf("wet", "torn bag", "paid"), (first.items + second.items).map { it.content.text })
        assertNull(second.next)

        val content = WeighbridgeTicket(
            DocumentId(load.loadId.value), "12340", WeighingSource.SCALE, "9000", WeighingSource.MANUAL, number = "7",
        )
        val ticket = client.addWeighbridgeTicket(content)
        assertEquals(Grams(3_340_000) to SimpleState.OPEN, ticket.netG to ticket.state)
        assertEquals("tare", refused<FieldException.Invalid> { client.addWeighbridgeTicket(content.copy(tare = "12341")) }.field)

        val wanted = LorryRequest(
            TOMATO, today, fromMinute = 480u, toMinute = 600u, purpose = "harvest", farmers = 12u, bags = 300u,
            weightG = Grams(6_000_000), priority = Priority.HIGH,
        )
        val request = client.addLorryRequest(KOLAR, wanted)
        val changed = client.changeLorryRequest(request.basis, wanted.copy(bags = 400u))
        assertEquals(400u to listOf("correct", "withdraw"), changed.content.bags to changed.actions)
        refused<FieldException.Stale> { client.withdrawLorryRequest(request.basis, MISTYPED) }
        val states = client.watch(Topic.RECORDS) { lorryRequests(SimpleQuery()).items.map { it.state } }
        val watching = async { states.take(2).toList() }
        assertEquals(listOf(SimpleState.OPEN), states.first())
        val withdrawn = client.withdrawLorryRequest(changed.basis, MISTYPED)
        assertEquals(listOf(SimpleState.WITHDRAWN), watching.await().last())
        assertEquals(SimpleState.WITHDRAWN to listOf(MISTYPED), withdrawn.state to withdrawn.steps.map { it.reason })
        refused<FieldException.Refused> { client.withdrawLorryRequest(withdrawn.basis, MISTYPED) }

        val waiting = client.addQueueTicket(KOLAR, QueueTicket(TOMATO, today, farmerId = lakshmi.farmerId))
        assertEquals(1u, client.queuePosition(waiting.recordId))
        val served = client.serveQueueTicket(client.callQueueTicket(waiting.basis).basis)
        assertEquals(SimpleState.SERVED to null, served.state to client.queuePosition(waiting.recordId))

        for (person in listOf(asha, ravi)) {
            person.client.sync()
            val query = SimpleQuery(centre = KOLAR)
            assertEquals(listOf(SimpleState.WITHDRAWN), person.client.lorryRequests(query).items.map { it.state })
            assertTrue(person.client.lorryRequests(query.copy(state = SimpleState.OPEN)).items.isEmpty())
            assertEquals(listOf(ticket.recordId), person.client.weighbridgeTickets(query).items.map { it.recordId })
            assertEquals(content.number, person.client.weighbridgeTicket(ticket.recordId).content.number)
            assertEquals(listOf("wet", "torn bag", "paid"), person.client.notes(delivery).items.map { it.content.text })
        }
    }

    /** Rows as maps from column to value. */
    private fun Report.table() = rows.map { row ->
        columns.zip(row) { column, cell ->
            column to when (cell) {
                is Cell.Text -> cell.text
                is Cell.Number -> cell.number
                Cell.Empty -> null
            }
        }.toMap()
    }

    @Test
    fun `reports agree with what was recorded and are exported as CSV and NDJSON`() = story {
        val asha = market.hires("Asha", "field_manager")
        val client = asha.client
        val (lakshmi, meena) = listOf(asha.registers("Lakshmi Devi"), asha.registers("Meena, of Malur"))
        val load = asha.opens("KA07A1111")
        val recorded = listOf(asha.weighs(lakshmi, "20", "21"), asha.weighs(meena, "30", load = load), asha.weighs(lakshmi, "50"))
        client.voidDelivery(recorded[2].basis, MISTYPED)
        val sum = asha.totals()
        val day = client.report(ReportQuery("by_day", centre = KOLAR)).table().single()
        val totals = listOf("deliveries", "voided", "bags", "gross_g").map { day[it] }
        assertEquals(listOf<Any>(2L, 1L, 3L, 71_000L), totals)
        assertEquals(totals, sum.run { listOf(deliveries, voided, bags).map { it.toLong() } + grossG.value })
        val byFarmer = client.report(ReportQuery("by_farmer")).table().map { it["farmer_name"] to it["net_g"] }
        assertEquals(listOf<Any>("Lakshmi Devi" to 38_000L, "Meena, of Malur" to 28_500L), byFarmer)
        val listed = client.loads(LoadQuery(lorry = LorryPlate("KA07A1111"))).items.single()
        assertEquals(load.loadId to Grams(30_000), listed.row.loadId to listed.sum.grossG)
        val date = recorded[0].businessDate
        val query = ReportQuery("day_book", KOLAR, fromDate = date, toDate = date)
        val report = client.report(query)
        val numbers = report.table().map { it["receipt_number"] to it["is_voided"] }
        assertEquals(recorded.map { "${it.receiptNumber}" } zip listOf(0L, 0L, 1L), numbers)

        val (csv, ndjson) = listOf("csv", "ndjson").map { server.folder.resolve("${market.organisation}.$it") }
        assertEquals(3uL, client.exportReport(query, "csv", csv.path))
        val lines = csv.readText().removeSuffix("\r\n").split("\r\n")
        assertEquals(report.columns.joinToString(",") to 4, lines[0] to lines.size)
        assertTrue("\"Meena, of Malur\"" in lines[2], lines[2])
        assertEquals(3uL, client.exportReport(query, "ndjson", ndjson.path))
        val objects = ndjson.readLines()
        assertEquals(recorded.map { true }, objects.zip(recorded) { line, it -> "\"${it.receiptNumber}\"" in line })

        val bad = mapOf<String, suspend () -> Any>(
            "centre" to { client.report(ReportQuery("day_book", fromDate = date, toDate = date)) },
            "from_date" to { client.report(ReportQuery("day_book", centre = KOLAR)) },
            "farmer_id" to { client.report(ReportQuery("farmer_statement")) },
            "top" to { client.report(ReportQuery("top_farmers", top = 0u)) },
            "report" to { client.report(ReportQuery("profit")) },
            "format" to { client.exportReport(query, "xlsx", csv.path) },
            "path" to { client.exportReport(query, "csv", csv.resolve("in a file").path) },
        )
        for ((field, call) in bad) assertEquals(field, refused<FieldException.Invalid> { call() }.field)
    }

    @Test
    fun `farmers are imported from a spreadsheet`() = story {
        val asha = market.hires("Asha", "clerk")
        val client = asha.client
        val file = server.folder.resolve("${market.organisation}.csv")
        val lines = listOf(
            "Name,Village,Mobile No.,Remarks", "Lakshmi Devi,Vemagal,98450 11111,", "Ramesh,Malur,call his son,",
            ",Malur,,", "Meena,Malur,9.845033333E+09,", "Lakshmi Devi,Vemagal,9845011111,again",
        )
        file.writeText(lines.joinToString("\r\n"))
        suspend fun names() = client.farmers(FarmerQuery(KOLAR)).items.map { it.contact.name }.sorted()
        val dry = client.importFarmers(file.path, ImportInput(KOLAR, isDryRun = true))
        assertEquals(listOf(5uL, 2uL, 0uL, 3uL), dry.run { listOf(this.lines, registered, known, failed) })
        val issues = listOf("3 Mobile No. phone_invalid call his son", "4 Name name_missing ", "6 Name duplicate_line 2")
        assertEquals(issues, dry.issues.map { "${it.line} ${it.column} ${it.code} ${it.text}" })
        assertEquals(listOf("Remarks"), dry.ignoredColumns)
        assertEquals(listOf<String>(), names())

        val imported = client.importFarmers(file.path, ImportInput(KOLAR))
        assertEquals(dry, imported)
        assertNull(client.importProgress())
        assertEquals(listOf("Lakshmi Devi", "Meena"), names())
        val again = client.importFarmers(file.path, ImportInput(KOLAR))
        assertEquals(0uL to 3uL, again.registered to again.known)
        assertEquals(listOf("Lakshmi Devi", "Meena"), names())
        assertEquals("path", refused<FieldException.Invalid> { client.importFarmers("${file.path}x", ImportInput(KOLAR)) }.field)
        file.writeText("Village\r\nMalur\r\n")
        assertEquals("columns", refused<FieldException.Invalid> { client.importFarmers(file.path, ImportInput(KOLAR)) }.field)
    }
}
