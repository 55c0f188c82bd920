package org.farmtally.field.tests

import java.util.HexFormat
import kotlin.system.exitProcess
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.cancelChildren
import kotlinx.coroutines.job
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.yield
import org.farmtally.field.ClientConfig
import org.farmtally.field.DraftEdit
import org.farmtally.field.FieldClient
import org.farmtally.field.Transport
import org.farmtally.field.WireRequest
import org.farmtally.field.WireResponse
import org.farmtally.field.watchToday

private object Silent : Transport {
    override suspend fun send(request: WireRequest): WireResponse = awaitCancellation()
}

/**
 * An app that ends while a bag is weighed, a sync waits for an answer, and a screen waits for changes; prints how many bags it had by then.
 * It returns, exits, or ends in order: it cancels its calls and shuts the client down first.
 */
object Ending {
    @JvmStatic
    fun main(arguments: Array<String>) {
        val (folder, key, end) = arguments
        val tenBags = CompletableDeferred<UInt>()
        val app = CoroutineScope(Dispatchers.Default)
        val client = runBlocking { FieldClient.open(ClientConfig(folder), Keys(HexFormat.of().parseHex(key)), Silent) }
        app.launch { client.sync() }
        app.launch { client.watchToday(KOLAR).collect {} }
        app.launch {
            var draft = client.today(KOLAR).drafts.single()
            while (true) {
                draft = client.editDraft(draft.basis, listOf(DraftEdit.AddBag("25")))
                if (draft.totals.bags > 10u) tenBags.complete(draft.totals.bags)
            }
        }
        println(runBlocking { tenBags.await() })
        if (end == "in order") runBlocking {
            app.coroutineContext.job.cancelAndJoin()
            client.shutDown()
        }
        if (end == "exit") exitProcess(0)
    }
}

/** An app that uses a client in one event loop after another, each of which ends while calls run; prints what a last one brought. */
object Loops {
    @JvmStatic
    fun main(arguments: Array<String>) {
        val (folder, key) = arguments
        val client = runBlocking { FieldClient.open(ClientConfig(folder), Keys(HexFormat.of().parseHex(key))) }
        repeat(500) {
            runBlocking {
                launch { client.today(KOLAR) }
                launch { client.syncStatus() }
                launch { client.waitForEvent(1_000_000uL) }
                yield()
                coroutineContext.cancelChildren()
            }
        }
        runBlocking {
            val draft = client.today(KOLAR).drafts.single()
            val bags = client.editDraft(draft.basis, listOf(DraftEdit.AddBag("25"))).totals.bags
            println("$bags ${client.sync().outcome}")
        }
    }
}
