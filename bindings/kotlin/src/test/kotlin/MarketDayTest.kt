package org.farmtally.field.tests

import java.io.File
import java.io.IOException
import java.io.RandomAccessFile
import java.time.Instant
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.withTimeout
import kotlinx.coroutines.withTimeoutOrNull
import kotlinx.coroutines.yield
import org.farmtally.field.Advance
import org.farmtally.field.AdvanceKind
import org.farmtally.field.BagTypeRule
import org.farmtally.field.Basis
import org.farmtally.field.BusinessDate
import org.farmtally.field.Calculation
import org.farmtally.field.CentreCode
import org.farmtally.field.ChangeHash
import org.farmtally.field.Check
import org.farmtally.field.Choice
import org.farmtally.field.ClientConfig
import org.farmtally.field.CommodityCode
import org.farmtally.field.Contact
import org.farmtally.field.DeliveryEdit
import org.farmtally.field.DeliveryId
import org.farmtally.field.DeliveryQuery
import org.farmtally.field.DraftEdit
import org.farmtally.field.FactorCode
import org.farmtally.field.FactorUnit
import org.farmtally.field.FarmerId
import org.farmtally.field.FarmerQuery
import org.farmtally.field.FieldClient
import org.farmtally.field.FieldException
import org.farmtally.field.Grams
import org.farmtally.field.InboxKind
import org.farmtally.field.InstrumentCode
import org.farmtally.field.InstrumentInterval
import org.farmtally.field.InstrumentType
import org.farmtally.field.KeyStore
import org.farmtally.field.Lifecycle
import org.farmtally.field.LineKind
import org.farmtally.field.LoadId
import org.farmtally.field.LoadEdit
import org.farmtally.field.LoadState
import org.farmtally.field.LorryPlate
import org.farmtally.field.Measured
import org.farmtally.field.Money
import org.farmtally.field.Organisation
import org.farmtally.field.PaperBook
import org.farmtally.field.PaperBookCode
import org.farmtally.field.PaperPurpose
import org.farmtally.field.PaymentMethod
import org.farmtally.field.QualityFactor
import org.farmtally.field.ReadingInput
import org.farmtally.field.RecordRef
import org.farmtally.field.Role
import org.farmtally.field.SeasonCode
import org.farmtally.field.StartDraft
import org.farmtally.field.Sum
import org.farmtally.field.SyncOutcome
import org.farmtally.field.SyncProgress
import org.farmtally.field.SyncReport
import org.farmtally.field.SyncState
import org.farmtally.field.Topic
import org.farmtally.field.Totals
import org.farmtally.field.UserId
import org.farmtally.field.watchInbox
import org.farmtally.field.watchSession
import org.farmtally.field.watchSyncStatus
import org.farmtally.field.watchToday
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNotEquals
import org.junit.jupiter.api.Assertions.assertNotNull
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Assumptions.assumeTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import org.junit.jupiter.api.fail

/** The scenarios of bindings/scenarios.md about the client, in its order; those about records are in RecordsTest, FarmersTest and DeliveriesTest. */
class MarketDayTest : Scenarios() {
    @Test
    fun `a new phone has no session and may not record`() = story {
        val asha = market.meets("Asha")
        assertNull(asha.client.session())
        val start = StartDraft(KOLAR, TOMATO)
        assertEquals("unauthorized", refused<FieldException.Unauthorized> { asha.client.startDraft(start) }.code)
        assertEquals("unauthorized", refused<FieldException.Unauthorized> { asha.registers("Lakshmi Devi") }.code)
    }

    @Test
    fun `a wrong or used code is refused`() = story {
        val (asha, ravi) = listOf(market.meets("Asha"), market.meets("Ravi"))
        val code = market.code("Asha", "clerk")
        asha.client.enrol(server.url, code, "test phone")
        for (wrong in listOf("ABCD-EFGH-IJKL-MNOP", "", code)) {
            val refusal = refused<FieldException.Invalid> { ravi.client.enrol(server.url, wrong, "test phone") }
            assertEquals("invalid_input" to "code", refusal.code to refusal.field)
        }
        assertNull(ravi.client.session())
    }

    @Test
    fun `enrolment brings session and reference`() = story {
        val asha = market.hires("Asha", "field_manager", "KOLAR", "MALUR")
        val session = checkNotNull(asha.client.session())
        assertEquals("Kolar growers" to market.organisation, session.organisationName to session.organisationId.value)
        assertEquals("Asha" to Role.FIELD_MANAGER, session.userName to session.role)
        assertEquals(listOf(KOLAR, MALUR), session.centres)
        assertNotNull(session.syncedAt)
        val reference = asha.client.reference()
        assertEquals(Organisation("Kolar growers", "IN", 0, "INR", 2u), reference.organisation)
        assertEquals(listOf(KOLAR, MALUR), reference.centres.map { it.code })
        val commodity = reference.commodities.single()
        assertEquals(listOf(TOMATO, SeasonCode("ALL"), 1u), listOf(commodity.code, commodity.season, commodity.ruleSet))
        val crate = BagTypeRule(0u, "crate", Grams(1_500))
        assertEquals(listOf(crate, BagTypeRule(1u, "sack", Grams(250))), commodity.bagTypes)
        assertEquals(listOf("first", "second"), commodity.grades.map { it.name })
        assertEquals(listOf(QualityFactor(FactorCode("BROKEN"), "broken", FactorUnit.PERCENT, 500u)), commodity.factors)
        val lorries = listOf("KA07A1111", "KA07A2222", "KA07A3333").map { LorryPlate(it) to Grams(9_000_000) }
        assertEquals(lorries, reference.lorries.map { it.plate to it.payloadG })
        val scale = reference.instruments.single()
        assertEquals(InstrumentType.SCALE to listOf(InstrumentInterval(60_000u, 20u)), scale.instrumentType to scale.intervals)
        val book = PaperBook(PaperBookCode("BOOK17"), 1_001u, 1_050u, KOLAR, PaperPurpose.DELIVERIES)
        assertEquals(InstrumentCode("SCALE7") to listOf(book), scale.code to reference.paperBooks)
    }

    @Test
    fun `a delivery is weighed and recorded once confirmed`() = story {
        val asha = market.hires("Asha", "clerk")
        val client = asha.client
        val lakshmi = asha.registers("Lakshmi Devi")
        var asked = listOf<Check>()
        // Times are those of the server, as the phone estimates them.
        val opened = Instant.now().minusSeconds(60)
        // The example of the README begins here.
        val start = StartDraft(CentreCode("KOLAR"), CommodityCode("TOMATO"), farmerId = lakshmi.farmerId)
        var delivery = client.startDraft(start)
        for (weight in listOf("20.5", "21500 g", "5"))
            delivery = client.editDraft(delivery.basis, listOf(DraftEdit.AddBag(weight)))
        val more = listOf(DraftEdit.AddReading(ReadingInput.Moisture("14.5")), DraftEdit.SetDeclaredBags(3u))
        delivery = client.editDraft(delivery.basis, more)
        delivery = try {
            client.recordDelivery(delivery.basis)
        } catch (unusual: FieldException.Confirm) {
            asked = unusual.checks // and the person said yes
            client.recordDelivery(delivery.basis, asked)
        }
        // And ends here.
        assertEquals(listOf(Check("uncommon_bag_weight")), asked)
        assertEquals(Lifecycle.RECORDED to SyncState.Unsent, delivery.lifecycle to delivery.sync)
        val none = Grams(0)
        val totals = Totals(
            bags = 3u, grossG = Grams(47_000), tareG = Grams(4_500), qualityG = none, moistureG = none, allowanceG = none,
            netG = Grams(42_500), bagsOfUnknownType = 0u, deductionsExceedWeight = false,
        )
        assertEquals(totals, delivery.totals)
        val lines = delivery.grades.single().lines
        assertEquals(listOf(LineKind.GROSS to Grams(47_000), LineKind.TARE to Grams(-4_500)), lines.map { it.kind to it.amountG })
        assertEquals(Calculation.PerBag(bags = 3u, eachG = Grams(1_500)), lines.last().calculation)
        val bags = listOf(1u to Grams(20_500), 2u to Grams(21_500), 3u to Grams(5_000))
        assertEquals(bags, delivery.bags.map { it.number to it.grossG })
        assertTrue(delivery.bags.all { it.weighedAt in opened..Instant.now().plusSeconds(60) })
        assertEquals(listOf(Measured.Moisture("14.50")) to 3u, delivery.readings.map { it.measured } to delivery.declaredBags)
        val device = checkNotNull(client.session()).deviceCode
        assertTrue(device.value in checkNotNull(delivery.receiptNumber).value, "${delivery.receiptNumber} of $device")
        assertEquals(delivery, client.delivery(delivery.deliveryId))
        assertEquals(Sum(deliveries = 1u, voided = 0u, bags = 3u, grossG = Grams(47_000)), asha.totals())
    }

    @Test
    fun `a draft survives the end of the app`() = story {
        val asha = market.hires("Asha", "clerk")
        var draft = asha.begins(asha.registers("Lakshmi Devi"), "20", "21.5", "22.345")
        asha.restarts()
        assertEquals(listOf(draft), asha.client.today(KOLAR).drafts)
        assertEquals(0uL, asha.totals().deliveries)

        asha.client.shutDown()
        val app = Weighing.start(asha)
        val told = app.inputReader().let { printed ->
            val first = List(10) { printed.readLine().toLong() }
            app.toHandle().destroyForcibly()
            (first + printed.readLines().map { it.toLong() }).max()
        }
        assertTrue(told >= 13)
        assertEquals(137, app.waitFor(), "killed")
        asha.client = FieldClient.open(ClientConfig(asha.folder), asha.keys)
        draft = asha.client.today(KOLAR).drafts.single()
        // The last bag may not have been told any more.
        assertTrue(draft.totals.bags.toLong() in told..told + 1, "$told told, ${draft.totals.bags} there")

        draft = asha.client.editDraft(draft.basis, listOf(DraftEdit.AddBag("30", bagType = 1u)))
        val weighed = listOf(20_000L, 21_500, 22_345) + List(draft.bags.size - 4) { 25_000L } + 30_000
        val unusual = listOf(Check("weights_repeated"), Check("weighed_too_fast"))
        val recorded = asha.client.recordDelivery(draft.basis, unusual)
        assertEquals(weighed.map { Grams(it) }, recorded.bags.map { it.grossG })
        assertEquals(Grams(weighed.sum()), recorded.totals.grossG)
        assertTrue(asha.client.today(KOLAR).drafts.isEmpty())
    }

    @Test
    fun `a stale basis and a bad weight add nothing`() = story {
        val asha = market.hires("Asha", "clerk")
        val draft = asha.begins(asha.registers("Lakshmi Devi"), "20")
        val edits = listOf(DraftEdit.AddBag("21"))
        val taps = List(2) { async { runCatching { asha.client.editDraft(draft.basis, edits) } } }.awaitAll()
        assertEquals(1, taps.count { it.exceptionOrNull() is FieldException.Stale })
        val first = taps.firstNotNullOf { it.getOrNull() }
        assertEquals(Grams(41_000), first.totals.grossG)
        assertEquals("stale", refused<FieldException.Stale> { asha.client.recordDelivery(draft.basis) }.code)
        assertEquals("stale", refused<FieldException.Stale> { asha.client.discardDraft(draft.basis) }.code)
        for (weight in listOf("abc", "", "0", "-5", "1000.1", "62.4321", "62,4")) {
            val bags = listOf(DraftEdit.AddBag("22"), DraftEdit.AddBag(weight))
            assertEquals("weight", refused<FieldException.Invalid> { asha.client.editDraft(first.basis, bags) }.field)
        }
        assertEquals(first, asha.client.delivery(draft.deliveryId))
    }

    @Test
    fun `two phones without network agree after they sync`() = story {
        val (asha, ravi) = listOf(market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"))
        val lakshmi = asha.registers("Lakshmi Devi", "Vemagal", "+91 98450 11111")
        val twice = ravi.registers("L. Devi", "Vemagal", "+919845011111")
        val load = asha.opens("KA07A1111")
        ravi.client.joinLoad(load.joinCode)
        asha.opens("KA07A2222")
        ravi.opens("KA07A2222")
        val recorded = asha.weighs(lakshmi, "20", "21.5", load = load)
        for (person in listOf(asha, ravi)) assertEquals(SyncOutcome.COMPLETE, person.client.sync().outcome)

        // From here on neither has network. Ravi sees what Asha recorded.
        val first = asha.client.delivery(recorded.deliveryId)
        val seen = ravi.client.delivery(recorded.deliveryId)
        assertEquals(first.basis to first.totals, seen.basis to seen.totals)
        asha.client.amendDelivery(first.basis, MISTYPED, listOf(DeliveryEdit.AddBag("19")))
        ravi.client.voidDelivery(seen.basis, MISTYPED)
        val second = asha.weighs(lakshmi, "22", load = load)
        val shown = asha.client.load(load.loadId)
        assertEquals(LoadState.CLOSING, asha.client.changeLoad(shown.basis, LoadEdit.RequestClose(shown.manifestHash)).state)
        val late = ravi.weighs(twice, "18.2", "18.3", load = load)

        for (person in listOf(asha, ravi, asha)) assertEquals(SyncOutcome.COMPLETE, person.client.sync().outcome)
        for (person in listOf(asha, ravi)) {
            assertEquals(Sum(deliveries = 2u, voided = 1u, bags = 3u, grossG = Grams(58_500)), person.totals())
            assertEquals(Grams(58_500), person.client.load(load.loadId).sum.grossG)
            assertEquals(listOf("farmer_look_alike", "late_delivery", "load_contention"), person.reviews())
            assertEquals(listOf(Triple("lifecycle", false, 2)), person.conflicts())
            val voided = person.client.delivery(first.deliveryId)
            assertEquals(Triple(Lifecycle.VOIDED, 1, 1), Triple(voided.lifecycle, voided.amendments.size, voided.voids.size))
            assertEquals(listOf("late_delivery"), person.client.delivery(late.deliveryId).reviews)
            assertEquals(listOf<String>(), person.client.delivery(second.deliveryId).reviews)
        }
        val alike = refused<FieldException.Confirm> { asha.registers("Lakshmi", "Malur", "+91 98450-11111") }
        assertEquals(listOf("farmer_looks_alike"), alike.checks.map { it.code })
        asha.registers("Lakshmi", "Malur", "+91 98450-11111", accept = alike.checks)
    }

    @Test
    fun `the status is honest while the server is away`() = Server().start().use { server ->
        Market(server).use { market -> story { isHonest(server, market.hires("Asha", "clerk")) } }
    }

    private suspend fun isHonest(server: Server, asha: Person) {
        suspend fun waiting() = asha.client.syncStatus().backlog.run { unsent + sent + held }
        assertEquals(0uL, waiting())
        val delivery = asha.weighs(asha.registers("Lakshmi Devi"), "20")
        val before = asha.client.syncStatus()
        assertEquals(Triple(3uL, 0uL, 0uL), before.backlog.run { Triple(unsent, sent, held) })
        assertNotNull(before.backlog.oldestAt)

        server.stop()
        val offline = asha.client.sync()
        assertEquals(SyncOutcome.OFFLINE to 0uL, offline.outcome to offline.counts.logged)
        assertEquals(SyncOutcome.NOT_DUE, asha.client.sync(inBackground = true).outcome)
        assertEquals(3uL, waiting())
        assertEquals(before.syncedAt, asha.client.syncStatus().syncedAt)
        assertNotEquals(SyncState.Logged, asha.client.delivery(delivery.deliveryId).sync)

        server.start()
        val complete = asha.client.sync()
        assertEquals(Triple(SyncOutcome.COMPLETE, 3uL, 0uL), complete.run { Triple(outcome, counts.logged, counts.held) })
        val after = asha.client.syncStatus()
        assertEquals(0uL to null, waiting() to after.backlog.oldestAt)
        assertTrue(checkNotNull(after.syncedAt) > checkNotNull(before.syncedAt))
        assertEquals(SyncState.Logged, asha.client.delivery(delivery.deliveryId).sync)
    }

    @Test
    fun `farmers are found by the beginnings of words`() = story {
        val asha = market.hires("Asha", "clerk", "KOLAR", "MALUR")
        asha.registers("Lakshmi Devi", "Vemagal", "+91 98450 11111")
        asha.registers("Ramesh Gowda", "Devanahalli")
        val expected = mapOf(
            "lak" to listOf("Lakshmi Devi"),
            "dev" to listOf("Lakshmi Devi", "Ramesh Gowda"),
            "dev lak" to listOf("Lakshmi Devi"),
            "vema" to listOf("Lakshmi Devi"),
            "9198450" to listOf("Lakshmi Devi"),
            "gowda dev" to listOf("Ramesh Gowda"),
            "shmi" to listOf(),
            "" to listOf("Lakshmi Devi", "Ramesh Gowda"),
        )
        for ((text, names) in expected)
            assertEquals(names, asha.client.farmers(FarmerQuery(KOLAR, text)).items.map { it.contact.name }.sorted(), text)
        val first = asha.client.farmers(FarmerQuery(KOLAR, "dev", limit = 1u))
        val second = asha.client.farmers(FarmerQuery(KOLAR, "dev", limit = 1u, after = first.next))
        assertEquals(listOf("Ramesh Gowda", "Lakshmi Devi"), (first.items + second.items).map { it.contact.name })
        assertNull(second.next)
        assertTrue(asha.client.farmers(FarmerQuery(MALUR, "lak")).items.isEmpty())
    }

    @Test
    fun `shutting down twice is fine and later calls are refused`() = story {
        val asha = market.hires("Asha", "clerk")
        asha.client.shutDown()
        asha.client.shutDown()
        val calls = listOf<suspend () -> Any?>(
            { asha.client.session() }, { asha.client.sync() }, { asha.totals() }, { asha.registers("Lakshmi Devi") },
        )
        for (call in calls) assertEquals("shut_down", refused<FieldException.ShutDown> { call() }.code)
    }

    @Test
    fun `a cancelled call is done wholly or not at all`() = story {
        val asha = market.hires("Asha", "clerk")
        val lakshmi = asha.registers("Lakshmi Devi")
        val recording = mutableListOf<DeliveryId>()
        val weighing = mutableListOf<DeliveryId>()
        var cut = 0
        repeat(50) { turn ->
            val whole = asha.begins(lakshmi, "20", "21").also { recording += it.deliveryId }
            if (cancelled(turn % 5) { asha.client.recordDelivery(whole.basis, listOf(Check("possible_duplicate"))) }) cut++
            val part = asha.begins(lakshmi, "30").also { weighing += it.deliveryId }
            val edits = listOf(DraftEdit.AddBag("31"), DraftEdit.AddBag("32"))
            if (cancelled(turn % 5) { asha.client.editDraft(part.basis, edits) }) cut++
        }
        // Shutting down waits for what has begun, and nothing more begins.
        asha.restarts()
        val wholes = recording.map { asha.client.delivery(it) }
        assertEquals(setOf(Grams(41_000)), wholes.map { it.totals.grossG }.toSet())
        val recorded = wholes.count { it.lifecycle == Lifecycle.RECORDED }
        val parts = weighing.map { asha.client.delivery(it) }
        assertTrue(parts.all { it.lifecycle == Lifecycle.DRAFT && it.totals.grossG in listOf(Grams(30_000), Grams(93_000)) })
        val sum = Sum(recorded.toULong(), 0uL, 2uL * recorded.toULong(), Grams(41_000L * recorded))
        assertEquals(sum, asha.totals())
        assertEquals(100 - recorded, asha.client.today(KOLAR).drafts.size)
        val weighed = parts.count { it.totals.bags == 3u }
        assertTrue(recorded > 0 && weighed > 0, "no cancelled call was done: they were cancelled too early")
        assertTrue(cut > 0, "none was cut short: they were cancelled too late")
    }

    @Test
    fun `what is no id or date is refused by its field`() = story {
        val asha = market.hires("Asha", "field_manager")
        val client = asha.client
        val lakshmi = asha.registers("Lakshmi Devi")
        val draft = asha.begins(lakshmi, "20")
        val recorded = asha.weighs(lakshmi, "20")
        val contact = Contact("Lakshmi")
        val bad = "no-id"
        val badLoad = LoadId(bad)
        val badFarmer = FarmerId(bad)
        val badBasis = Basis(bad)
        val start = StartDraft(KOLAR, TOMATO)
        suspend fun edit(step: DraftEdit) = client.editDraft(draft.basis, listOf(step))
        suspend fun amend(step: DeliveryEdit) = client.amendDelivery(recorded.basis, MISTYPED, listOf(step))
        val calls = listOf<Pair<String, suspend () -> Any>>(
            "delivery_id" to { client.delivery(DeliveryId(bad)) },
            "delivery_id" to { client.delivery(DeliveryId("")) },
            "farmer_id" to { client.farmer(badFarmer) },
            "farmer_id" to { client.editFarmer(badFarmer, lakshmi.basis, contact) },
            "farmer_id" to { client.startDraft(start.copy(farmerId = badFarmer)) },
            "farmer_id" to { edit(DraftEdit.SetFarmer(badFarmer)) },
            "farmer_id" to { client.deliveries(DeliveryQuery(farmerId = badFarmer)) },
            "load_id" to { client.load(badLoad) },
            "load_id" to { client.startDraft(start.copy(loadId = badLoad)) },
            "load_id" to { edit(DraftEdit.SetLoad(badLoad)) },
            "load_id" to { amend(DeliveryEdit.SetLoad(badLoad)) },
            "load_id" to { client.deliveries(DeliveryQuery(loadId = badLoad)) },
            "delivery_id" to { client.startDraft(start.copy(replaces = DeliveryId(bad))) },
            "bag_id" to { amend(DeliveryEdit.VoidBag(bad, MISTYPED)) },
            "number" to { edit(DraftEdit.Remove(7u)) },
            "bag_type" to { edit(DraftEdit.AddBag("20", bagType = 16u)) },
            "moisture" to { edit(DraftEdit.AddReading(ReadingInput.Moisture("100.5"))) },
            "edits" to { client.amendDelivery(recorded.basis, MISTYPED, listOf()) },
            "change" to { client.resolve(recorded.basis, Choice.Keep("load", ChangeHash(bad))) },
            "accept" to { client.recordDelivery(draft.basis, listOf(Check(bad))) },
            "user_id" to { client.switchUser(UserId(bad)) },
            "basis" to { client.editDraft(badBasis, listOf()) },
            "basis" to { client.discardDraft(Basis(draft.deliveryId.value)) },
            "basis" to { client.recordDelivery(Basis("${draft.basis}0")) },
            "basis" to { client.amendDelivery(badBasis, MISTYPED, listOf()) },
            "basis" to { client.voidDelivery(badBasis, MISTYPED) },
            "basis" to { client.editFarmer(lakshmi.farmerId, badBasis, contact) },
            "basis" to { client.changeLoad(badBasis, LoadEdit.SetLorry(LorryPlate("KA07A1111"))) },
            "basis" to { client.changeLoad(badBasis, LoadEdit.RequestClose("")) },
            "date" to { edit(DraftEdit.SetBusinessDate(BusinessDate("2026-02-30"))) },
            "date" to { amend(DeliveryEdit.SetBusinessDate(BusinessDate("today"))) },
            "date" to { client.today(KOLAR, BusinessDate("21.11.2026")) },
            "date" to { client.deliveries(DeliveryQuery(fromDate = BusinessDate("2026-13-01"))) },
            "commodity" to { client.startDraft(start.copy(commodity = CommodityCode(""))) },
            "lorry" to { client.changeLoad(lakshmi.basis, LoadEdit.SetLorry(LorryPlate("?"))) },
            "join_code" to { client.joinLoad(bad) },
            "centre" to { client.today(CentreCode("not a centre")) },
            "centre" to { client.farmers(FarmerQuery(CentreCode(""))) },
        )
        calls.forEachIndexed { index, (field, call) ->
            val refusal = refused<FieldException.Invalid> { call() }
            assertEquals("invalid_input" to field, refusal.code to refusal.field, "call $index")
        }
        assertEquals(draft, client.delivery(draft.deliveryId))
        assertEquals(recorded, client.delivery(recorded.deliveryId))
    }

    @Test
    fun `two stores in one process do not disturb each other`() = Market(server).use { other -> story {
        val (asha, ravi) = listOf(market.hires("Asha", "clerk"), other.hires("Ravi", "clerk"))
        suspend fun works(person: Person, name: String, weights: List<String>): SyncReport {
            val farmer = person.registers(name)
            for (weight in weights) person.weighs(farmer, weight)
            return person.client.sync()
        }
        val reports = listOf(
            async(Dispatchers.Default) { works(asha, "Lakshmi", List(10) { "${20 + it}" }) },
            async(Dispatchers.Default) { works(ravi, "Ramesh", List(20) { "${30 + it}" }) },
        ).awaitAll()
        val complete = listOf(SyncOutcome.COMPLETE to 12uL, SyncOutcome.COMPLETE to 22uL)
        assertEquals(complete, reports.map { it.outcome to it.counts.logged })
        asha.client.shutDown()
        assertEquals(Sum(deliveries = 20u, voided = 0u, bags = 20u, grossG = Grams(790_000)), ravi.totals())
        assertEquals(listOf("Ramesh"), ravi.client.farmers(FarmerQuery(KOLAR)).items.map { it.contact.name })
        asha.restarts()
        assertEquals(Sum(deliveries = 10u, voided = 0u, bags = 10u, grossG = Grams(245_000)), asha.totals())
    } }

    @Test
    fun `five hundred parallel calls answer`() = story {
        val asha = market.hires("Asha", "clerk")
        asha.weighs(asha.registers("Lakshmi Devi"), "20")
        val answers = List(500) { async(Dispatchers.Default) { asha.totals() } }.awaitAll()
        assertEquals(List(500) { Grams(20_000) }, answers.map { it.grossG })
    }

    @Test
    fun `a colleague carries what a phone without network recorded`() = story {
        val (asha, ravi) = listOf(market.hires("Asha", "clerk"), market.hires("Ravi", "dispatcher"))
        val lakshmi = asha.registers("Lakshmi Devi")
        val delivery = asha.weighs(lakshmi, "20.5")
        val frames = asha.client.parcelQrFrames()
        for (number in frames.indices.reversed()) {
            val progress = ravi.client.addQrFrame(frames[number])
            assertEquals(frames.size - number to frames.size, progress.received.toInt() to progress.total.toInt())
            assertEquals(List(number) { it.toUInt() }, progress.missing)
        }
        assertEquals(1uL, ravi.client.syncStatus().carried.parcels)
        val report = ravi.client.sync()
        val carried = Triple(SyncOutcome.COMPLETE, 1uL, 0uL)
        assertEquals(carried, report.run { Triple(outcome, counts.parcelsTaken, counts.parcelsRefused) })
        assertEquals(Grams(20_500), ravi.totals().grossG)

        // Ravi's phone was the carrier; Asha's has heard of nobody.
        assertEquals(SyncState.Unsent, asha.client.delivery(delivery.deliveryId).sync)
        asha.weighs(lakshmi, "30")
        val stick = server.folder.resolve("${market.organisation}.parcels").path
        asha.client.exportParcel(stick)
        val status = asha.client.syncStatus()
        assertEquals(4uL to 0uL, status.backlog.unsent to status.backlog.sent)
        assertNotNull(status.exportedAt)
        ravi.client.carryParcel(stick)
        val taken = "bundles 2, entries logged 4, held 0, deferred 0, bundles refused 0"
        assertEquals("$stick: $taken", server.run("import", stick))
        assertEquals(1uL, ravi.client.sync().counts.parcelsTaken)
        assertEquals(Grams(50_500), ravi.totals().grossG)

        assertEquals(4uL, asha.client.sync().counts.logged)
        assertEquals(SyncState.Logged, asha.client.delivery(delivery.deliveryId).sync)
        assertEquals(asha.totals(), ravi.totals())
        assertEquals("not_allowed", refused<FieldException.Refused> { asha.client.exportParcel(stick) }.code)
        assertEquals("parcel", refused<FieldException.Invalid> { ravi.client.addQrFrame("a menu".toByteArray()) }.field)
        val photo = server.folder.resolve("photo").apply { writeBytes(ByteArray(100)) }.path
        assertEquals("parcel", refused<FieldException.Invalid> { ravi.client.carryParcel(photo) }.field)
        val missing = server.folder.resolve("missing").path
        assertEquals("path", refused<FieldException.Invalid> { ravi.client.carryParcel(missing) }.field)
    }

    @Test
    fun `a conflict is resolved by a choice`() = story {
        val (asha, ravi) = listOf(market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"))
        val loads = listOf(asha.opens("KA07A1111"), asha.opens("KA07A2222"))
        val recorded = asha.weighs(asha.registers("Lakshmi Devi"), "20")
        for (person in listOf(asha, ravi)) person.client.sync()
        for ((person, load) in listOf(asha, ravi) zip loads) {
            val shown = person.client.delivery(recorded.deliveryId)
            person.client.amendDelivery(shown.basis, MISTYPED, listOf(DeliveryEdit.SetLoad(load.loadId)))
        }
        for (person in listOf(asha, ravi, asha)) person.client.sync()
        assertEquals(listOf(Triple("load", true, 2)), asha.conflicts())
        val item = asha.client.inbox().items.single { it.kind is InboxKind.Conflict }
        val (conflict) = item.kind as InboxKind.Conflict
        assertEquals(listOf(RecordRef.Delivery(recorded.deliveryId)), item.records)
        assertEquals(conflict.values.map { Choice.Keep("load", checkNotNull(it.change)) }, item.choices)
        val (kept, other) = item.choices
        val page = asha.client.resolve(item.basis, other)
        assertTrue(page.items.none { it.kind is InboxKind.Conflict })
        assertEquals("stale", refused<FieldException.Stale> { asha.client.resolve(item.basis, kept) }.code)
        for (person in listOf(asha, ravi, asha)) {
            person.client.sync()
            assertTrue(person.conflicts().isEmpty())
            assertEquals(LoadId(conflict.values[1].text), person.client.delivery(recorded.deliveryId).loadId)
        }
    }

    @Test
    fun `changes are notified after they are durable`() = story {
        val asha = market.hires("Asha", "clerk")
        val client = asha.client
        val first = checkNotNull(client.waitForEvent(0uL))
        assertEquals(Topic.entries.toSet(), first.topics.toSet())
        cancelled(3) { client.waitForEvent(first.sequence) }
        val lakshmi = asha.registers("Lakshmi Devi")
        for (weight in listOf("20", "21", "22")) asha.weighs(lakshmi, weight)
        val told = checkNotNull(client.waitForEvent(first.sequence))
        assertTrue(told.sequence > first.sequence)
        val changed = setOf(Topic.DELIVERIES, Topic.LOADS, Topic.FARMERS, Topic.INBOX, Topic.SYNC)
        assertEquals(changed, told.topics.toSet())
        val waiting = async { client.waitForEvent(told.sequence) }
        delay(300)
        assertTrue(waiting.isActive, "nothing has changed since")
        val draft = asha.begins(lakshmi, "23")
        assertEquals(listOf(Topic.DELIVERIES), waiting.await()?.topics)
        assertEquals(listOf(draft), client.today(KOLAR).drafts)
        val seen = mutableSetOf<Topic>()
        var after = checkNotNull(client.waitForEvent(0uL)).sequence
        val run = async { client.sync() }
        while (run.isActive || Topic.SESSION !in seen) {
            val event = checkNotNull(client.waitForEvent(after))
            seen += event.topics
            after = event.sequence
        }
        assertEquals(SyncOutcome.COMPLETE, run.await().outcome)
        val last = checkNotNull(client.waitForEvent(0uL))
        assertNull(last.progress)
        val end = async { client.waitForEvent(last.sequence) }
        client.shutDown()
        assertNull(end.await())
        assertNull(client.waitForEvent(0uL))
    }

    @Test
    fun `an app may carry the requests itself`() = story {
        val carrier = Carrier()
        val asha = market.meets("Asha", carrier)
        asha.client.enrol(server.url, market.code("Asha", "clerk"), "test phone")
        asha.weighs(asha.registers("Lakshmi Devi"), "20")
        assertEquals(SyncOutcome.COMPLETE, asha.client.sync().outcome)
        val sent = carrier.sent
        assertTrue(sent > 1)
        carrier.isBroken = true
        assertEquals(SyncOutcome.OFFLINE, asha.client.sync().outcome)
        assertEquals(sent + 1, carrier.sent)
        assertEquals(0uL, asha.client.syncStatus().backlog.unsent)
    }

    @Test
    fun `every error has its code`() = story {
        val (asha, manju) = listOf(market.hires("Asha", "field_manager"), market.hires("Manju", "clerk", "MALUR"))
        val lakshmi = asha.registers("Lakshmi Devi")
        val draft = asha.begins(lakshmi, "20")
        val small = asha.begins(lakshmi, "5")
        val carrier = Carrier()
        val elsewhere = market.meets("Nobody", carrier)
        val lost = market.hires("Ravi", "clerk")
        val device = checkNotNull(lost.client.session()).deviceCode
        server.run("order", "--org", market.organisation, device.value, "lost")
        lost.client.sync()
        val folder = server.folder.resolve("folders/${market.organisation}").apply { mkdirs() }
        folder.resolve("damaged").apply { mkdirs() }.resolve("field.db").writeBytes(ByteArray(8192) { 'x'.code.toByte() })
        folder.resolve("file").writeText("no folder")
        // The header of an empty database whose version is 999.
        val newer = folder.resolve("newer/field.db").apply { parentFile.mkdirs() }
        FieldClient.open(ClientConfig(newer.parent)).shutDown()
        RandomAccessFile(newer, "rw").use { it.seek(60); it.writeInt(999) }
        suspend fun opens(name: String, keys: Keys? = null) =
            FieldClient.open(ClientConfig(folder.resolve(name).path), keys)
        suspend fun enrols() = elsewhere.client.enrol(server.url, "ABCD-EFGH-IJKL-MNOP", "phone")
        suspend fun answered(status: Int) {
            carrier.status = status.toUShort()
            enrols()
        }
        val bags = List(2_001) { DraftEdit.AddBag("20") }
        val (farmer, day) = lakshmi.farmerId to draft.businessDate
        val advance = Advance(farmer, Money(1), PaymentMethod.CASH, day, reasonCode = "sowing", kind = AdvanceKind.Cash)
        val calls = listOf<Pair<String, suspend () -> Any?>>(
            "Invalid invalid_input" to { asha.client.delivery(DeliveryId("x")) },
            "TooLarge too_large" to { asha.client.editDraft(draft.basis, bags) },
            "Confirm confirm_needed" to { asha.client.recordDelivery(small.basis) },
            "Stale stale" to { asha.client.editDraft(Basis(draft.basis.value.dropLast(1) + "9"), bags.take(1)) },
            "Refused not_allowed" to { asha.client.switchUser(UserId(lakshmi.farmerId.value)) },
            "Refused out_of_scope" to { manju.client.today(KOLAR) },
            "AllowanceExceeded allowance_exceeded" to { asha.client.recordAdvance(advance) },
            "NotFound not_found" to { asha.client.delivery(DeliveryId(lakshmi.farmerId.value)) },
            "Unauthorized unauthorized" to { elsewhere.client.sync() },
            "Unavailable rate_limited" to { answered(429) },
            "Unavailable interrupted" to { answered(503) },
            // Of another than the server, the status alone says nothing.
            "UpdateNeeded incompatible_version" to { carrier.body = TOO_OLD; answered(426) },
            "Unavailable offline" to { carrier.isBroken = true; enrols() },
            "Refused locked" to { lost.client.today(KOLAR) },
            "KeyNeeded wrong_key" to { opens("new", Keys(ByteArray(31))) },
            "KeyNeeded key_unavailable" to { opens("new", Keys(isBroken = true)) },
            "UpdateNeeded storage_too_new" to { opens("newer") },
            "StorageDamaged storage_corrupt" to { opens("damaged") },
            "Invalid invalid_input" to { opens("file") },
            "Internal internal" to { asha.client.probePanic() },
            "Refused not_allowed" to { FieldClient.open(ClientConfig(asha.folder)) },
        )
        val listed = File("../../docs/errors.md").readText().split("\n## ")[1]
        val rows = Regex("""^\| `(\w+)` \|[^|]*\| ([^|]*) \|""", RegexOption.MULTILINE).findAll(listed)
        val retry = rows.associate { it.groupValues[1] to (it.groupValues[2] == "yes") }
        for ((expected, call) in calls) {
            val error = refused<FieldException> { call() }
            assertEquals(expected to retry[expected.substringAfter(' ')], named(error) to error.isRetryable())
        }
        assertEquals(retry.keys, calls.map { it.first.substringAfter(' ') }.toSet() + "storage_full" + "storage_denied")
        elsewhere.client.shutDown()
        assertEquals("ShutDown shut_down", named(refused<FieldException> { elsewhere.client.sync() }))
    }

    /** Every variant, so that a new one does not compile until it is thought of here. */
    private fun named(error: FieldException) = "${error::class.simpleName} " + when (error) {
        is FieldException.Invalid -> error.code
        is FieldException.TooLarge -> error.code
        is FieldException.Confirm -> error.code
        is FieldException.Stale -> error.code
        is FieldException.Refused -> error.code
        is FieldException.AllowanceExceeded -> error.code
        is FieldException.KeyNeeded -> error.code
        is FieldException.NotFound -> error.code
        is FieldException.Unauthorized -> error.code
        is FieldException.Unavailable -> error.code
        is FieldException.UpdateNeeded -> error.code
        is FieldException.StorageFull -> error.code
        is FieldException.StorageDenied -> error.code
        is FieldException.StorageDamaged -> error.code
        is FieldException.ShutDown -> error.code
        is FieldException.Internal -> error.code
    }

    @Test
    fun `a watched read gives the newest state until the client ends`() = story {
        val asha = market.hires("Asha", "clerk")
        val totals = Channel<Grams>(Channel.UNLIMITED)
        val watching = launch { asha.client.watchToday(KOLAR).map { it.sum.grossG }.collect(totals::send) }
        assertEquals(Grams(0), totals.receive())
        val lakshmi = asha.registers("Lakshmi Devi")
        for (weight in listOf("20", "21", "22")) asha.weighs(lakshmi, weight)
        var last = totals.receive()
        while (last != Grams(63_000)) last = totals.receive().also { assertTrue(it >= last) }
        assertEquals(5uL, asha.client.watchSyncStatus().first().backlog.unsent)
        val statuses = async { asha.client.watchSyncStatus().toList() }
        assertEquals(SyncOutcome.COMPLETE, asha.client.sync().outcome)
        // One that is given up disturbs nobody.
        assertEquals("Asha", asha.client.watchSession().first()?.userName)
        assertTrue(asha.client.watchInbox().first().items.isEmpty())
        delay(300)
        asha.client.shutDown()
        watching.join()
        assertEquals(0uL, statuses.await().last().backlog.unsent)
    }

    @Test
    fun `a wrong key opens nothing and loses nothing`() = story {
        val asha = market.hires("Asha", "clerk")
        asha.weighs(asha.registers("Lakshmi Devi"), "20")
        asha.client.shutDown()
        assertEquals(32, asha.keys.key?.size)
        for (file in checkNotNull(File(asha.folder).listFiles()))
            assertFalse("Lakshmi" in file.readText(Charsets.ISO_8859_1), file.name)

        suspend fun opens(keys: Keys?) = FieldClient.open(ClientConfig(asha.folder), keys)
        val wrong = listOf(Keys(ByteArray(32)), Keys(ByteArray(31)), Keys(), null)
        for (keys in wrong) assertEquals("wrong_key", refused<FieldException.KeyNeeded> { opens(keys) }.code)
        val broken = Keys(asha.keys.key, isBroken = true)
        assertEquals("key_unavailable", refused<FieldException.KeyNeeded> { opens(broken) }.code)
        asha.client = opens(asha.keys)
        assertEquals(Grams(20_000), asha.totals().grossG)
        assertEquals(SyncOutcome.COMPLETE, asha.client.sync().outcome)
    }

    @Test
    fun `a panic inside is contained`() = story {
        val asha = market.hires("Asha", "clerk")
        val lakshmi = asha.registers("Lakshmi Devi")
        repeat(20) {
            assertEquals("internal", refused<FieldException.Internal> { asha.client.probePanic() }.code)
        }
        asha.weighs(lakshmi, "20")
        assertEquals(Grams(20_000), asha.totals().grossG)
    }

    @Test
    fun `a sync tells how far it is and can be cancelled`() = story {
        val carrier = Carrier()
        val asha = market.meets("Asha", carrier)
        asha.client.enrol(server.url, market.code("Asha", "clerk"), "test phone")
        // More than goes into the first four requests, although each is larger than the one before.
        repeat(1_000) { asha.registers("Farmer $it") }
        carrier.next = { asha.client.cancelSync() }
        val cancelled = asha.client.sync()
        assertEquals(SyncOutcome.CANCELLED, cancelled.outcome)
        // None, if the answer to the first request had not been read.
        assertTrue(cancelled.counts.logged < 2_000uL, "$cancelled")

        carrier.next = {}
        val slice = asha.client.sync(inBackground = true, budgetMs = 0uL)
        assertEquals(SyncOutcome.PARTIAL, slice.outcome)
        assertTrue(slice.counts.logged < 2_000uL, "$slice")

        val seen = mutableListOf<SyncProgress?>()
        carrier.next = { seen += checkNotNull(asha.client.waitForEvent(0uL)).progress }
        carrier.sent = 0
        val report = asha.client.sync()
        val logged = listOf(cancelled, slice, report).map { it.counts.logged }.sum()
        assertEquals(SyncOutcome.COMPLETE to 2_000uL, report.outcome to logged)
        assertTrue(seen.filterNotNull().any { it.done in 1uL..<it.total }, "$seen")
        assertNull(checkNotNull(asha.client.waitForEvent(0uL)).progress)
    }

    @Test
    fun `what is given up holds nothing`() = story {
        val carrier = Carrier()
        val asha = market.meets("Asha", carrier)
        asha.client.enrol(server.url, market.code("Asha", "clerk"), "test phone")
        val lakshmi = asha.registers("Lakshmi Devi")
        val gate = CompletableDeferred<Unit>()
        carrier.next = { gate.await() }
        repeat(10) { assertNull(withTimeoutOrNull(50) { asha.client.sync() }) }
        withTimeout(10_000) { asha.weighs(lakshmi, "20") }
        gate.complete(Unit)
        assertEquals(SyncOutcome.COMPLETE, asha.client.sync().outcome)

        val silent = object : KeyStore {
            override suspend fun load(): ByteArray? = awaitCancellation()
            override suspend fun save(key: ByteArray) = Unit
        }
        val openings = List(9) {
            val config = ClientConfig(server.folder.resolve("silent-$it").path)
            launch(start = CoroutineStart.UNDISPATCHED) { FieldClient.open(config, silent) }
        }
        withTimeout(10_000) { asha.weighs(lakshmi, "21") }
        openings.forEach { it.cancelAndJoin() }
        asha.client.shutDown()

        repeat(10) {
            try {
                assertNull(withTimeoutOrNull(50) { FieldClient.open(ClientConfig(asha.folder), silent) })
            } catch (_: FieldException.Refused) {
                // The one before has not released it yet.
            }
        }
        asha.client = opensSoon(asha)
        assertEquals(Grams(41_000), asha.totals().grossG)
    }

    /** A client, once nobody else has the folder. */
    private suspend fun opensSoon(phone: Person): FieldClient {
        repeat(100) {
            try {
                return FieldClient.open(ClientConfig(phone.folder), phone.keys)
            } catch (_: FieldException.Refused) {
                delay(100)
            }
        }
        fail("the folder is never released")
    }

    @Test
    fun `shutting down ends what waits for the network`() = story {
        val carrier = Carrier()
        val asha = market.meets("Asha", carrier)
        val (asked, gate) = listOf(CompletableDeferred<Unit>(), CompletableDeferred())
        carrier.sent = 1
        carrier.next = {
            asked.complete(Unit)
            gate.await()
        }
        val code = market.code("Asha", "clerk")
        val enrolling = async { asha.client.enrol(server.url, code, "test phone") }
        asked.await()
        withTimeout(10_000) { asha.client.shutDown() }
        gate.complete(Unit)
        withTimeout(10_000) { enrolling.await() }
        assertEquals(2, carrier.sent, "the enrolment, and no sync after it")
        asha.client = opensSoon(asha)
        assertNotNull(asha.client.session())
    }

    @Test
    fun `a full disk refuses and loses nothing`() = story {
        val disk: String? = System.getenv("FARMTALLY_SMALL_DISK")
        assumeTrue(disk != null, "FARMTALLY_SMALL_DISK names no filesystem that may be filled")
        val photos = File("$disk/photos")
        fun fill() = photos.outputStream().use { file ->
            assertThrows<IOException> { while (true) file.write(ByteArray(4_096)) }
        }
        val asha = market.meets("Asha", folder = "$disk/phone")
        asha.client.enrol(server.url, market.code("Asha", "clerk"), "test phone")
        var draft = asha.begins(asha.registers("Lakshmi Devi"), "20")
        fill()
        val bag = listOf(DraftEdit.AddBag("20"))
        val full = refused<FieldException.StorageFull> {
            while (true) draft = asha.client.editDraft(draft.basis, bag)
        }
        assertEquals("storage_full", full.code)
        assertEquals(listOf(draft), asha.client.today(KOLAR).drafts)
        asha.client.shutDown()
        fill()
        // Opening needs 32 KiB for the index of the write-ahead log.
        RandomAccessFile(photos, "rw").use { it.setLength(it.length() - 65_536) }
        asha.restarts()
        assertEquals(listOf(draft), asha.client.today(KOLAR).drafts)
        fill()
        assertEquals("storage_full", refused<FieldException.StorageFull> { asha.client.editDraft(draft.basis, bag) }.code)
        photos.delete()
        val recorded = asha.client.recordDelivery(asha.client.editDraft(draft.basis, bag).basis)
        assertEquals(SyncOutcome.COMPLETE, asha.client.sync().outcome)
        assertEquals(Grams(20_000L * recorded.bags.size), asha.totals().grossG)
    }

    /** Returns what an app printed that used the person's phone; its exit code must be 0. It prints no error if it ends in order, otherwise JNA may. */
    private suspend fun runsApp(type: Class<*>, phone: Person, vararg more: String, endsInOrder: Boolean = true): String {
        phone.client.shutDown()
        val errors = File.createTempFile("farmtally-", ".txt")
        val app = program(type, phone, *more).redirectError(errors).start()
        val printed = app.inputReader().readText().trim()
        val (code, error) = app.waitFor() to errors.readText()
        assertEquals(0 to "", code to if (endsInOrder) error else "")
        errors.delete()
        phone.client = FieldClient.open(ClientConfig(phone.folder), phone.keys)
        return printed
    }

    @Test
    fun `a program that ends while calls run loses nothing`() = story {
        val asha = market.hires("Asha", "clerk")
        asha.begins(asha.registers("Lakshmi Devi"), "20")
        for (end in listOf("return", "exit", "in order")) {
            val printed = runsApp(Ending::class.java, asha, end, endsInOrder = end == "in order")
            val told = printed.lines().first().toUInt()
            assertTrue(asha.client.today(KOLAR).drafts.single().totals.bags >= told)
        }
        assertEquals(SyncOutcome.COMPLETE, asha.client.sync().outcome)
    }

    @Test
    fun `event loops that end leave a client usable`() = story {
        val asha = market.hires("Asha", "clerk")
        asha.begins(asha.registers("Lakshmi Devi"), "20")
        assertEquals("2 COMPLETE", runsApp(Loops::class.java, asha))
        assertEquals(2u, asha.client.today(KOLAR).drafts.single().totals.bags)
    }

    @Test
    fun `ten thousand calls leave no memory behind`() = story {
        val asha = market.hires("Asha", "clerk")
        val weights = Array(20) { "20" }
        val draft = asha.begins(asha.registers("Lakshmi Devi"), *weights)
        suspend fun thousand(): Long {
            repeat(1_000) { asha.client.delivery(draft.deliveryId) }
            System.gc()
            val resident = Regex("""VmRSS:\s+(\d+) kB""").find(File("/proc/self/status").readText())
            return checkNotNull(resident).groupValues[1].toLong()
        }
        // The virtual machine's own memory settles first.
        val before = List(3) { thousand() }.max()
        // Its heap grows and shrinks by more than a leak of one round.
        val after = List(7) { thousand() }.takeLast(3).min()
        assertTrue(after - before < 16_384, "$before, then $after KiB: 5,000 views of 4 KiB would be 20 MiB")
    }
}

/** Lets a call begin, cancels it after some turns of the dispatcher, and waits for its end: whether it was cut short. */
private suspend fun cancelled(turns: Int, call: suspend () -> Unit) = coroutineScope {
    val job = launch(start = CoroutineStart.UNDISPATCHED) { call() }
    repeat(turns) { yield() }
    job.cancelAndJoin()
    job.isCancelled
}

class DocumentsTest {
    @Test
    fun `the tests are the scenarios`() {
        val names = Regex("""^\d+\. ([^:]+):""", RegexOption.MULTILINE).findAll(File("../scenarios.md").readText())
        val tests = listOf(MarketDayTest::class, RecordsTest::class, FarmersTest::class, DeliveriesTest::class)
            .flatMap { it.java.declaredMethods.asList() }.filter { it.isAnnotationPresent(Test::class.java) }
        assertEquals(names.map { it.groupValues[1] }.toSet(), tests.map { it.name }.toSet())
    }

    @Test
    fun `the examples of the README are what runs`() {
        val fence = Regex("""```kotlin\n(.*?)```""", RegexOption.DOT_MATCHES_ALL)
        val examples = fence.findAll(File("README.md").readText()).map { it.groupValues[1].trimEnd() }.toList()
        assertEquals(3, examples.size)
        val sources = listOf("MarketDayTest", "RecordsTest", "ExampleTest").map { File("src/test/kotlin/$it.kt").readText() }
        for ((example, source) in examples.take(2).map { it.prependIndent("        ") } + examples[2] zip sources)
            assertTrue(source.contains(example), "the README's example differs: $example")
        val front = fence.findAll(File("../../README.md").readText()).single().groupValues[1].trimEnd()
        assertTrue(sources[2].contains(front), "the example of the project's README differs: $front")
    }
}
