package org.farmtally.field.tests

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.cancel
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.SharingStarted.Companion.WhileSubscribed
import kotlinx.coroutines.flow.catch
import kotlinx.coroutines.flow.filterNotNull
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.stateIn
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import org.farmtally.field.Basis
import org.farmtally.field.CentreCode
import org.farmtally.field.Check
import org.farmtally.field.Choice
import org.farmtally.field.ClientConfig
import org.farmtally.field.CommodityCode
import org.farmtally.field.Contact
import org.farmtally.field.DeliveryEdit
import org.farmtally.field.DeliveryView
import org.farmtally.field.DraftEdit
import org.farmtally.field.FieldClient
import org.farmtally.field.FieldException
import org.farmtally.field.Grams
import org.farmtally.field.InboxItem
import org.farmtally.field.InboxKind
import org.farmtally.field.Lifecycle
import org.farmtally.field.StartDraft
import org.farmtally.field.Sum
import org.farmtally.field.watchInbox
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test

/** Replaces Android's, which the JVM does not have. */
open class ViewModel {
    val viewModelScope = CoroutineScope(SupervisorJob() + Dispatchers.Default)
}

// The example of the README begins here.
class DeliveryViewModel(private val client: FieldClient) : ViewModel() {
    val delivery = MutableStateFlow<DeliveryView?>(null)
    val trouble = MutableStateFlow<FieldException?>(null) // Confirm: ask, then record(checks)
    val inbox = client.watchInbox().catch { trouble.value = it as? FieldException ?: throw it }
        .stateIn(viewModelScope, WhileSubscribed(5_000), null)

    fun start(input: StartDraft) = act { delivery.value = client.startDraft(input) }
    fun addBag(weight: String) = change { editDraft(it, listOf(DraftEdit.AddBag(weight))) }
    fun record(accept: List<Check> = emptyList()) = change { recordDelivery(it, accept) }
    fun sync() = act { client.sync() }
    fun settle(item: InboxItem, choice: Choice) = act { client.resolve(item.basis, choice) }

    private fun change(write: suspend FieldClient.(Basis) -> DeliveryView) = act {
        val shown = delivery.value ?: return@act
        delivery.value = try { client.write(shown.basis) } catch (e: FieldException.Stale) { client.delivery(shown.deliveryId) }
    }

    private fun act(block: suspend () -> Unit) = viewModelScope.launch {
        try { block() } catch (e: FieldException) { trouble.value = e }
    }
}
// And ends here.

// The example of the project's README begins here.
suspend fun weigh(folder: String, server: String, code: String) {
    val client = FieldClient.open(ClientConfig(folder))
    client.enrol(server, code, "my phone") // once, with network and a code from the office

    // From here on nothing needs a network. A call returns when its change is on the disk.
    val kolar = CentreCode("KOLAR")
    val lakshmi = client.registerFarmer(kolar, Contact("Lakshmi Devi"))
    var delivery = client.startDraft(StartDraft(kolar, CommodityCode("TOMATO"), farmerId = lakshmi.farmerId))
    for (weight in listOf("20.5", "21500 g", "5"))
        delivery = client.editDraft(delivery.basis, listOf(DraftEdit.AddBag(weight)))
    delivery = try {
        client.recordDelivery(delivery.basis)
    } catch (unusual: FieldException.Confirm) { // a bag of 5 kg: ask the person, then accept
        client.recordDelivery(delivery.basis, unusual.checks)
    }
    println("${delivery.receiptNumber}: ${delivery.totals.netG}")

    println(client.sync().outcome) // whenever there is a signal; to be offline is an outcome, not an error
    client.shutDown()
}
// And ends here.

class ExampleTest {
    @Test
    fun `the example of the front page enrols, weighs, asks and syncs`() = Server().start().use { server ->
        Market(server).use { market -> runBlocking {
            val folder = server.folder.resolve("phones/front").path
            weigh(folder, server.url, market.code("Asha", "clerk"))
            val client = FieldClient.open(ClientConfig(folder))
            assertEquals(Sum(deliveries = 1u, voided = 0u, bags = 3u, grossG = Grams(47_000)), client.today(KOLAR).sum)
            assertEquals(0uL, client.syncStatus().backlog.unsent)
            client.shutDown()
        } }
    }

    @Test
    fun `the example weighs, asks, records, and settles what stands against each other`() = Server().start().use { server ->
        Market(server).use { market -> runBlocking { plays(market) } }
    }

    private suspend fun plays(market: Market) {
        val (asha, ravi) = listOf(market.hires("Asha", "dispatcher"), market.hires("Ravi", "dispatcher"))
        val loads = listOf(asha.opens("KA07A1111"), asha.opens("KA07A2222"))
        val model = DeliveryViewModel(asha.client)
        model.start(StartDraft(KOLAR, TOMATO, asha.registers("Lakshmi Devi").farmerId)).join()
        for (weight in listOf("20.5", "abc", "5")) model.addBag(weight).join()
        assertEquals("weight", (model.trouble.value as FieldException.Invalid).field)
        model.record().join()
        val asked = model.trouble.value as FieldException.Confirm
        assertEquals(listOf("uncommon_bag_weight"), asked.checks.map { it.code })
        model.record(asked.checks).join()
        val recorded = checkNotNull(model.delivery.value)
        assertEquals(Lifecycle.RECORDED to Grams(25_500), recorded.lifecycle to recorded.totals.grossG)

        model.sync().join()
        ravi.client.sync()
        for ((person, load) in listOf(asha, ravi) zip loads) {
            val shown = person.client.delivery(recorded.deliveryId)
            person.client.amendDelivery(shown.basis, MISTYPED, listOf(DeliveryEdit.SetLoad(load.loadId)))
        }
        ravi.client.sync()
        model.sync().join()
        val page = model.inbox.filterNotNull().first { page -> page.items.any { it.kind is InboxKind.Conflict } }
        val conflict = page.items.first { it.kind is InboxKind.Conflict }
        model.settle(conflict, conflict.choices.last()).join()
        model.inbox.filterNotNull().first { it.items.isEmpty() }
        model.viewModelScope.cancel()
    }
}
