package org.farmtally.field.tests

import java.time.Instant
import java.time.LocalDate
import java.time.ZoneOffset
import java.time.temporal.ChronoUnit
import org.farmtally.field.Basis
import org.farmtally.field.BusinessDate
import org.farmtally.field.Check
import org.farmtally.field.DeliveryEdit
import org.farmtally.field.DeliveryQuery
import org.farmtally.field.DeliveryView
import org.farmtally.field.DocumentId
import org.farmtally.field.DraftEdit
import org.farmtally.field.FieldException
import org.farmtally.field.Grams
import org.farmtally.field.InstrumentCheck
import org.farmtally.field.InstrumentCode
import org.farmtally.field.LoadEdit
import org.farmtally.field.Mark
import org.farmtally.field.PaperBookCode
import org.farmtally.field.PaperEntry
import org.farmtally.field.Point
import org.farmtally.field.Reason
import org.farmtally.field.RoutePoint
import org.farmtally.field.SimpleState
import org.farmtally.field.Stroke
import org.farmtally.field.TrackPoint
import org.farmtally.field.Warning
import org.farmtally.field.WeightSource
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

private val DRAWN = Mark.Drawn(listOf(Stroke(listOf(Point(0u, 0u), Point(1_023u, 512u)))))

/** The scenarios of bindings/scenarios.md about deliveries and their loads, in its order. */
class DeliveriesTest : Scenarios() {
    @Test
    fun `a signature is put under a delivery and a load and withdrawn`() = story {
        val (asha, ravi) = listOf(market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"))
        val (client, load) = asha.client to asha.opens("KA07A1111")
        val lakshmi = asha.registers("Lakshmi Devi")
        val draft = asha.begins(lakshmi, "20")
        assertEquals("record_id", refused<FieldException.Invalid> { client.sign(draft.basis, DRAWN) }.field)
        val marked = client.editDraft(draft.basis, listOf(DraftEdit.SetMark(DRAWN)))
        assertTrue(marked.isSigned)
        val recorded = client.recordDelivery(marked.basis)
        val signature = recorded.signatures.single()
        assertEquals(DRAWN, signature.content.mark)
        assertEquals(lakshmi.farmerId, signature.content.farmerId)
        val withdrawn = client.withdrawSignature(signature.basis, MISTYPED)
        assertEquals(SimpleState.WITHDRAWN to listOf<Reason?>(MISTYPED), withdrawn.state to withdrawn.steps.map { it.reason })
        val twice = refused<FieldException.Refused> { client.withdrawSignature(withdrawn.basis, MISTYPED) }
        assertEquals("not_allowed", twice.code)
        val signed = client.sign(load.basis, Mark.Thumb("ab".repeat(32)))
        assertEquals(load.loadId.value to null, signed.content.recordId.value to signed.content.farmerId)
        sync(asha, ravi)
        val seen = ravi.client.delivery(recorded.deliveryId)
        assertEquals(false to listOf(SimpleState.WITHDRAWN), seen.isSigned to seen.signatures.map { it.state })
        val page = ravi.client.signatures(DocumentId(load.loadId.value))
        assertEquals(listOf(signed.content), page.items.map { it.content })
    }

    @Test
    fun `a delivery is copied from a paper form once`() = story {
        val (asha, ravi) = listOf(market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"))
        val (client, lakshmi) = asha.client to asha.registers("Lakshmi Devi")
        suspend fun copies(serial: UInt, book: String = "BOOK17"): Basis {
            val entry = DraftEdit.SetPaperEntry(PaperEntry(PaperBookCode(book), serial))
            return client.editDraft(asha.begins(lakshmi, "20").basis, listOf(DraftEdit.SetSecondHeap(true), entry)).basis
        }

        val recorded = client.recordDelivery(copies(1_007u))
        assertEquals(PaperEntry(PaperBookCode("BOOK17"), 1_007u), recorded.paperEntry)
        val again = copies(1_007u)
        for ((check, basis) in mapOf("paper_serial_repeated" to again, "paper_serial_unknown" to copies(1_051u)))
            assertEquals(listOf(check), refused<FieldException.Confirm> { client.recordDelivery(basis) }.checks.map { it.code })
        assertEquals("paper_entry", refused<FieldException.Invalid> { copies(100_000_000u) }.field)
        assertEquals("paper_book", refused<FieldException.Invalid> { copies(1_008u, "no book!") }.field)
        client.voidDelivery(recorded.basis, MISTYPED)
        val second = client.recordDelivery(again)
        sync(asha, ravi)
        assertEquals(recorded.paperEntry, ravi.client.delivery(second.deliveryId).paperEntry)
    }

    @Test
    fun `bags of one delivery are on two loads`() = story {
        val (asha, ravi) = listOf(market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"))
        val client = asha.client
        val loads = listOf(asha.opens("KA07A1111"), asha.opens("KA07A2222"))
        val (first, second) = loads.map { it.loadId }
        val draft = asha.begins(asha.registers("Lakshmi Devi"), "20", "21", "22", load = loads[1])
        val apart = client.editDraft(draft.basis, listOf(DraftEdit.SetLoadOfBags(first, listOf(2u, 3u))))
        for (numbers in listOf(listOf(9u), listOf())) {
            val wrong = listOf(DraftEdit.SetLoadOfBags(first, numbers))
            assertEquals("numbers", refused<FieldException.Invalid> { client.editDraft(apart.basis, wrong) }.field)
        }
        val recorded = client.recordDelivery(apart.basis)
        assertEquals(listOf(second, first, first), recorded.bags.map { it.loadId })
        fun parts(view: DeliveryView) = view.parts.associate { it.loadId?.value to (it.bags to it.grossG) }
        val (one, two) = listOf(first.value, second.value)
        assertEquals(mapOf(two to (1u to Grams(20_000)), one to (2u to Grams(43_000))), parts(recorded))

        sync(asha, ravi)
        val row = ravi.client.deliveries(DeliveryQuery(loadId = first)).items.single().row
        assertEquals(Triple(recorded.deliveryId, null, 2u), Triple(row.deliveryId, row.loadId, row.parts))
        val seen = ravi.client.delivery(recorded.deliveryId)
        val off = DeliveryEdit.SetLoadOfBags(null, listOf(seen.bags[2].bagId))
        val moved = ravi.client.amendDelivery(seen.basis, Reason("no_room"), listOf(off))
        val three = mapOf(two to (1u to Grams(20_000)), one to (1u to Grams(21_000)), null to (1u to Grams(22_000)))
        assertEquals(three, parts(moved))
        val unknown = listOf(DeliveryEdit.SetLoadOfBags(null, listOf("no bag")))
        val wrong = refused<FieldException.Invalid> { ravi.client.amendDelivery(moved.basis, MISTYPED, unknown) }
        assertEquals("ids", wrong.field)
        sync(ravi, asha)
        val sums = listOf(first, second).map { client.load(it).sum }.map { Triple(it.deliveries, it.bags, it.grossG) }
        assertEquals(listOf(Triple(1uL, 1uL, Grams(21_000)), Triple(1uL, 1uL, Grams(20_000))), sums)
    }

    @Test
    fun `a lorry records its track on the way`() = story {
        val (asha, manju) = listOf(market.hires("Asha", "field_manager"), market.hires("Manju", "driver"))
        val opened = asha.opens("KA07A1111")
        asha.weighs(asha.registers("Lakshmi Devi"), "20", load = opened)
        val shown = asha.client.load(opened.loadId)
        asha.client.changeLoad(shown.basis, LoadEdit.RequestClose(shown.manifestHash))
        sync(asha, manju)
        val (client, load) = manju.client to opened.loadId
        val start = Instant.now().truncatedTo(ChronoUnit.SECONDS).minusSeconds(3_600)
        fun at(minute: Long, north: Int, isMock: Boolean = false) =
            TrackPoint(start.plusSeconds(60 * minute), 130_000_000 + north, 780_000_000, 500u, isMock = isMock)

        assertEquals("not_allowed", refused<FieldException.Refused> { client.addTrack(load, listOf(at(0, 0))) }.code)
        val closed = client.load(load)
        val asked = refused<FieldException.Confirm> { client.changeLoad(closed.basis, LoadEdit.Depart()) }.checks
        assertEquals(listOf(Check("load_not_sealed")), asked)
        client.changeLoad(closed.basis, LoadEdit.Depart(), asked)
        for (points in listOf(listOf(), listOf(at(0, 900_000_000))))
            assertEquals("points", refused<FieldException.Invalid> { client.addTrack(load, points) }.field)
        // 0.01 degrees to the north are 1.1 km; between the second and the third point nothing is known.
        val points = listOf(at(0, 0), at(5, 100_000), at(30, 300_000, isMock = true))
        val added = client.addTrack(load, points).summary
        assertEquals(3u to points[2], added.points to added.last)
        assertTrue(added.distanceM in 3_201uL..3_499uL, "$added")
        assertEquals(listOf(points[1].at to points[2].at), added.gaps.map { it.fromAt to it.toAt })
        assertEquals(added, client.addTrack(load, points).summary, "the same points again")

        sync(manju, asha)
        val route = listOf(RoutePoint(130_000_000, 780_000_000), RoutePoint(130_100_000, 780_000_000))
        val seen = asha.client.track(load, route)
        assertTrue(checkNotNull(seen.summary.offRouteM) in 2_001uL..2_499uL, "$seen")
        assertTrue(checkNotNull(seen.lastAgeMs) >= 30 * 60_000, "$seen")
        val track = asha.client.trackPoints(load).single()
        assertEquals(checkNotNull(client.session()).deviceCode to points, track.deviceCode to track.points)
    }

    @Test
    fun `warnings of a draft are accepted by a person`() = story {
        val asha = market.hires("Asha", "field_manager")
        val (client, lakshmi) = asha.client to asha.registers("Lakshmi Devi")
        val scale = InstrumentCode("SCALE7")
        fun onScale(weight: String) = DraftEdit.AddBag(weight, source = WeightSource.SCALE, scale = scale)
        fun check(hasPassed: Boolean): InstrumentCheck {
            val today = BusinessDate("${LocalDate.now(ZoneOffset.UTC)}")
            return InstrumentCheck(scale, TOMATO, today, referenceValue = 20_000u, shownValue = 20_000u, hasPassed = hasPassed)
        }

        val weighed = client.editDraft(asha.begins(lakshmi).basis, listOf(onScale("20.01"), onScale("20.02")))
        val warnings = listOf(
            Warning("off_interval", scale, number = 1u, count = 1u, value = 20_010, limit = 20),
            Warning("instrument_check_overdue", scale, number = 1u, count = 2u, value = null, limit = 1),
        )
        assertEquals(warnings, weighed.warnings)
        val asked = refused<FieldException.Confirm> { client.recordDelivery(weighed.basis) }.checks
        assertEquals(warnings.map { it.check }, asked.map { it.code })
        client.addInstrumentCheck(KOLAR, check(hasPassed = true))
        val draft = client.delivery(weighed.deliveryId)
        assertEquals(listOf("off_interval"), draft.warnings.map { it.check })
        val recorded = client.recordDelivery(draft.basis, asked)
        assertEquals(listOf<Warning>(), recorded.warnings)
        val failed = client.addInstrumentCheck(KOLAR, check(hasPassed = false))
        assertEquals(listOf(recorded.deliveryId), client.deliveriesInDoubt(failed.recordId))
        val next = asha.begins(lakshmi)
        val heavy = refused<FieldException.Invalid> { client.editDraft(next.basis, listOf(onScale("1001"))) }
        assertEquals("weight", heavy.field)
    }
}
