package org.farmtally.field.tests

import java.time.LocalDate
import java.time.ZoneOffset
import org.farmtally.field.Advance
import org.farmtally.field.AdvanceItem
import org.farmtally.field.AdvanceKind
import org.farmtally.field.BusinessDate
import org.farmtally.field.CashCount
import org.farmtally.field.CashHolder
import org.farmtally.field.CashLine
import org.farmtally.field.CashLineKind
import org.farmtally.field.CashMovement
import org.farmtally.field.Certificate
import org.farmtally.field.Check
import org.farmtally.field.Contact
import org.farmtally.field.FarmerEdit
import org.farmtally.field.FarmerId
import org.farmtally.field.FarmerQuery
import org.farmtally.field.FarmerTag
import org.farmtally.field.FieldException
import org.farmtally.field.GeoPoint
import org.farmtally.field.Grams
import org.farmtally.field.LandSubject
import org.farmtally.field.Money
import org.farmtally.field.PaymentMethod
import org.farmtally.field.PayoutAccount
import org.farmtally.field.PayoutField
import org.farmtally.field.PayoutInput
import org.farmtally.field.PayoutMethod
import org.farmtally.field.PayoutState
import org.farmtally.field.Plot
import org.farmtally.field.PlotShape
import org.farmtally.field.PlotSummary
import org.farmtally.field.QuotaUse
import org.farmtally.field.Reason
import org.farmtally.field.Reveal
import org.farmtally.field.SchemeCode
import org.farmtally.field.SeasonCode
import org.farmtally.field.SimpleQuery
import org.farmtally.field.SimpleState
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

/** The scenarios of bindings/scenarios.md about farmers, their land and their money, in its order. */
class FarmersTest : Scenarios() {
    private val today = LocalDate.now(ZoneOffset.UTC).let { BusinessDate("$it") }

    /** Two people whose phones know Lakshmi. */
    private suspend fun ashaAndRavi(): Triple<Person, Person, FarmerId> {
        val (asha, ravi) = listOf(market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"))
        val lakshmi = asha.registers("Lakshmi Devi")
        sync(asha, ravi)
        return Triple(asha, ravi, lakshmi.farmerId)
    }

    @Test
    fun `a farmer has tags several phones and consents and may be inactive`() = story {
        val (asha, ravi) = listOf(market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"))
        val client = asha.client
        val contact = Contact(
            "Lakshmi Devi", phone = "98450 11111", otherPhones = listOf("98450 22222"), language = "kn", messagesConsent = true,
        )
        val lakshmi = client.registerFarmer(KOLAR, contact, tags = listOf(FarmerTag("organic"), FarmerTag("A1")))
        assertEquals(listOf(FarmerTag("A1"), FarmerTag("ORGANIC")) to true, lakshmi.tags to lakshmi.isActive)
        assertEquals("+919845011111" to listOf("+919845022222"), lakshmi.contact.phone to lakshmi.contact.otherPhones)
        assertEquals(Triple("kn", true, null), lakshmi.contact.run { Triple(language, messagesConsent, photoConsent) })
        val alike = Contact("Meena", phone = "98450 22222")
        val asked = refused<FieldException.Confirm> { client.registerFarmer(KOLAR, alike) }.checks
        assertEquals(listOf(Check("farmer_looks_alike")), asked)
        client.registerFarmer(KOLAR, alike, asked)
        val found = client.farmers(FarmerQuery(KOLAR, text = "22222")).items
        assertEquals(listOf("Meena", "Lakshmi Devi"), found.map { it.contact.name })

        // Contact details and identity have a version each.
        val changed = Contact("Lakshmi Devi", phone = "98450 11111", messagesConsent = false, photoConsent = true)
        val edited = client.editFarmer(lakshmi.farmerId, lakshmi.basis, changed).contact
        assertEquals(Triple(listOf<String>(), false, true), edited.run { Triple(otherPhones, messagesConsent, photoConsent) })
        val tagged = client.changeFarmer(lakshmi.identityBasis, FarmerEdit.SetTags(listOf(FarmerTag("SMALL"))))
        assertEquals(listOf(FarmerTag("SMALL")), tagged.tags)
        refused<FieldException.Stale> { client.changeFarmer(lakshmi.identityBasis, FarmerEdit.SetTags(listOf())) }
        for (tags in listOf((0..20).map { FarmerTag("T$it") }, listOf(FarmerTag("no tag!")))) {
            val many = refused<FieldException.Invalid> { client.changeFarmer(tagged.identityBasis, FarmerEdit.SetTags(tags)) }
            assertEquals("tags", many.field)
        }

        val left = client.changeFarmer(tagged.identityBasis, FarmerEdit.SetActive(false))
        assertEquals(false to true, left.isActive to ("reactivate" in left.actions))
        val draft = asha.begins(lakshmi, "20")
        val inactive = refused<FieldException.Confirm> { client.recordDelivery(draft.basis) }.checks
        assertEquals(listOf(Check("farmer_inactive")), inactive)
        val recorded = client.recordDelivery(draft.basis, inactive)
        sync(asha, ravi)
        val seen = ravi.client.farmer(lakshmi.farmerId)
        assertEquals(Triple(tagged.tags, false, edited), Triple(seen.tags, seen.isActive, seen.contact))
        assertEquals(listOf("farmer_inactive"), ravi.client.delivery(recorded.deliveryId).reviews)
    }

    @Test
    fun `payout details are masked and revealed for a reason`() = story {
        val (asha, ravi, lakshmi) = ashaAndRavi()
        val before = asha.client.farmer(lakshmi).payout
        assertEquals(PayoutState.MISSING to null, before.state to before.account)
        val account = PayoutAccount(PayoutMethod.BANK, "5010-0012 3456 78", bankCode = "HDFC0001234")
        val proposed = asha.client.proposePayout(lakshmi, before.basis, PayoutInput("1234 5678 9012", account)).payout
        assertEquals(PayoutState.UNCONFIRMED to "••••••••9012", proposed.state to proposed.nationalId)
        assertEquals(PayoutAccount(PayoutMethod.BANK, "••••••••••5678", "HDFC0001234"), proposed.account)
        val none = refused<FieldException.Invalid> { asha.client.proposePayout(lakshmi, proposed.basis, PayoutInput()) }
        assertEquals("payout", none.field)
        refused<FieldException.Stale> { asha.client.proposePayout(lakshmi, before.basis, PayoutInput("99999")) }

        sync(asha, ravi)
        val why = Reason("bank_called")
        val without = refused<FieldException.Invalid> { ravi.client.revealPayout(lakshmi, PayoutField.ACCOUNT, Reason("")) }
        assertEquals("reason", without.field)
        assertEquals(listOf<Reveal>(), ravi.client.farmer(lakshmi).payout.reveals)
        val role = refused<FieldException.Refused> { asha.client.revealPayout(lakshmi, PayoutField.ACCOUNT, why) }
        assertEquals("not_allowed", role.code)
        val shown = ravi.client.revealPayout(lakshmi, PayoutField.ACCOUNT, why)
        assertEquals(listOf("50100012345678") to listOf<String>(), shown.accounts.map { it.account } to shown.nationalIds)
        sync(ravi, asha)
        val seen = asha.client.farmer(lakshmi).payout
        assertEquals(listOf(PayoutField.ACCOUNT to why), seen.reveals.map { it.field to it.reason })
        assertEquals(proposed.account, seen.account)
        val meena = ravi.registers("Meena").farmerId
        refused<FieldException.NotFound> { ravi.client.revealPayout(meena, PayoutField.ACCOUNT, why) }
    }

    @Test
    fun `plots certificates and quotas are shown with their farmer`() = story {
        val (asha, ravi, lakshmi) = ashaAndRavi()
        val client = asha.client
        val border = listOf(0 to 0, 0 to 10_000, 10_000 to 10_000, 10_000 to 0)
            .map { (north, east) -> GeoPoint(131_367_000 + north, 781_289_000 + east) }
        val area = client.plotArea(border)
        assertTrue(area in 11_001u..12_499u, "$area")
        val plot = client.addPlot(Plot(lakshmi, "by the tank", PlotShape.Ring(border), declaredAreaM2 = 12_000u)).recordId
        val line = Plot(lakshmi, "a line", PlotShape.Ring(border.take(2)))
        assertEquals("shape", refused<FieldException.Invalid> { client.addPlot(line) }.field)
        val point = client.addPlot(Plot(lakshmi, "on the hill", PlotShape.Point(border[0])))
        assertEquals(SimpleState.WITHDRAWN, client.withdrawPlot(point.basis, Reason("sold")).state)
        client.sync()
        val code = client.farmer(lakshmi).code
        market.publishes(
            """{
                "certificates": [{
                    "plot": "$plot", "scheme": "ORGANIC", "number": "O-77", "valid_from": "2020-01-01", "valid_until": "2020-12-31"
                }],
                "quotas": [{"farmer": "$code", "commodity": "TOMATO", "season": "ALL", "most_g": 30000}]
            }""",
        )
        sync(asha, ravi)

        val (from, until) = listOf(BusinessDate("2020-01-01"), BusinessDate("2020-12-31"))
        val certificate = Certificate(LandSubject.Plot(plot), SchemeCode("ORGANIC"), "O-77", from, until)
        for (person in listOf(asha, ravi)) {
            val land = person.client.farmer(lakshmi).land
            assertEquals(listOf(PlotSummary(plot, "by the tank", area, 12_000u)), land.plots)
            assertEquals(listOf(certificate), land.certificates)
            assertEquals(listOf(QuotaUse(SeasonCode("ALL"), TOMATO, mostG = Grams(30_000), usedG = Grams(0))), land.quotas)
        }
        val draft = asha.begins(client.farmer(lakshmi), "40")
        val asked = refused<FieldException.Confirm> { client.recordDelivery(draft.basis) }.checks
        assertEquals(listOf("certificate_expired", "quota_exceeded"), asked.map { it.code })
        client.recordDelivery(draft.basis, asked)
        assertEquals(Grams(40_000), client.farmer(lakshmi).land.quotas.single().usedG)
    }

    @Test
    fun `advances stay within what was leased`() = story {
        val (asha, ravi, lakshmi) = ashaAndRavi()
        val client = asha.client
        fun advance(amount: Long, kind: AdvanceKind = AdvanceKind.Cash, method: PaymentMethod = PaymentMethod.CASH) =
            Advance(lakshmi, Money(amount), method, today, reasonCode = "sowing", kind = kind)
        fun seed(quantity: UInt) = listOf(AdvanceItem("seed", "kg", quantity, Money(50)))
        suspend fun exceeds(person: Person, amount: Long, left: Long) {
            val error = refused<FieldException.AllowanceExceeded> { person.client.recordAdvance(advance(amount)) }
            assertEquals(Triple("allowance_exceeded", "lease", Money(left)), Triple(error.code, error.limit, error.leftMinor))
        }

        exceeds(asha, 1, left = 0)
        assertNull(client.allowance().validUntil)
        market.leases(asha, 10_000)
        val leased = client.allowance().run { Triple(leftMinor, totalMinor, validUntil) }
        assertEquals(Triple(Money(10_000), Money(10_000), BusinessDate("2099-12-31")), leased)
        val paid = client.recordAdvance(advance(4_000))
        exceeds(asha, 6_001, left = 6_000)
        assertEquals("amount_minor", refused<FieldException.Invalid> { client.recordAdvance(advance(0)) }.field)
        val delivery = asha.weighs(client.farmer(lakshmi), "20").deliveryId
        val spot = client.recordAdvance(advance(1_000, AdvanceKind.OnAccount(delivery)))
        // Goods are no money, and what comes back reduces what was given.
        val goods = AdvanceKind.InKind(seed(10u), "the yard")
        val given = client.recordAdvance(advance(500, goods, PaymentMethod.GOODS))
        val wrong = refused<FieldException.Invalid> { client.recordAdvance(advance(501, goods, PaymentMethod.GOODS)) }
        assertEquals("amount_minor", wrong.field)
        client.recordAdvance(advance(200, AdvanceKind.Returned(given.recordId, seed(4u)), PaymentMethod.GOODS))
        assertEquals(Money(5_000), client.allowance().leftMinor)
        val balance = client.farmerBalance(lakshmi)
        val open = mapOf(paid.recordId to Money(4_000), spot.recordId to Money(1_000), given.recordId to Money(300))
        assertEquals(open, balance.advances.associate { it.recordId to it.outstandingMinor })
        assertEquals(today to Money(5_300), balance.asOf to balance.outstandingMinor)

        val without = refused<FieldException.Invalid> { client.cancelAdvance(paid.basis, Reason("not_handed_over")) }
        assertEquals("evidence", without.field)
        val cancelled = client.cancelAdvance(paid.basis, Reason("not_handed_over", "the farmer did not come"))
        assertEquals(SimpleState.WITHDRAWN to Money(5_000), cancelled.state to client.allowance().leftMinor)
        sync(asha, ravi)
        assertEquals(Money(1_300), ravi.client.farmerBalance(lakshmi).outstandingMinor)
        val page = ravi.client.advances(SimpleQuery(farmerId = lakshmi, state = SimpleState.OPEN)).items
        assertEquals(listOf(200L, 500L, 1_000L).map(::Money), page.map { it.content.amountMinor })
        exceeds(ravi, 1, left = 0)
    }

    @Test
    fun `cash is handed over confirmed counted and booked`() = story {
        val (asha, ravi) = ashaAndRavi()
        val users = listOf(asha, ravi).map { checkNotNull(it.client.session()).userId }
        val (toAsha, toRavi) = users.map { CashHolder.User(it) }
        fun moves(from: CashHolder, to: CashHolder, amount: Long) = CashMovement(from, to, Money(amount), today)

        val given = ravi.client.addCashMovement(KOLAR, moves(toRavi, toAsha, 1_000))
        assertEquals(SimpleState.OPEN to listOf("withdraw"), given.state to given.actions)
        assertEquals("not_allowed", refused<FieldException.Refused> { ravi.client.confirmCashMovement(given.basis) }.code)
        val bad = mapOf(
            "from" to moves(CashHolder.Office, toAsha, 1_000), "to" to moves(toRavi, toRavi, 1_000),
            "amount_minor" to moves(toRavi, toAsha, 0),
        )
        for ((field, movement) in bad)
            assertEquals(field, refused<FieldException.Invalid> { ravi.client.addCashMovement(KOLAR, movement) }.field)
        val back = ravi.client.addCashMovement(KOLAR, moves(toRavi, CashHolder.Office, 1))
        assertEquals(SimpleState.WITHDRAWN, ravi.client.withdrawCashMovement(back.basis, MISTYPED).state)
        sync(ravi, asha)

        val client = asha.client
        assertEquals(listOf<CashLine>(), client.cashBook(today, today).lines)
        val seen = client.cashMovement(given.recordId)
        assertTrue("confirm" in seen.actions, "${seen.actions}")
        assertEquals(SimpleState.CONFIRMED, client.confirmCashMovement(seen.basis).state)
        val negative = refused<FieldException.Invalid> { client.countCash(KOLAR, today, Money(-1)) }
        assertEquals("counted_minor", negative.field)
        val count = client.countCash(KOLAR, today, Money(990)).content
        assertEquals(CashCount(users[0], today, countedMinor = Money(990), expectedMinor = Money(1_000)), count)
        val book = client.cashBook(today, today)
        val lines = listOf(
            Triple(CashLineKind.RECEIVED, Money(1_000), Money(1_000)), Triple(CashLineKind.COUNT, Money(-10), Money(990)),
        )
        assertEquals(lines, book.lines.map { Triple(it.kind, it.amountMinor, it.balanceMinor) })
        assertEquals(Money(0) to Money(990), book.openingMinor to book.closingMinor)
        val before = BusinessDate("${LocalDate.parse(today.value).minusDays(1)}")
        assertEquals("from_date", refused<FieldException.Invalid> { client.cashBook(today, before) }.field)
        sync(asha, ravi)
        assertEquals(book, ravi.client.cashBook(today, today, users[0]))
        assertEquals(listOf("cash_difference"), ravi.reviews())
        val clerk = market.hires("Meena", "clerk").client
        assertEquals("not_allowed", refused<FieldException.Refused> { clerk.cashBook(today, today, users[0]) }.code)
    }
}
