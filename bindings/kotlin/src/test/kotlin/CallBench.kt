package org.farmtally.field.tests

import java.nio.file.Files
import kotlinx.coroutines.runBlocking
import org.farmtally.field.ClientConfig
import org.farmtally.field.FieldClient
import org.farmtally.field.probeAsync
import org.farmtally.field.probeBare
import org.farmtally.field.probeRecordIn
import org.farmtally.field.probeRecordsOut
import org.junit.jupiter.api.Test

/** What a call costs: run by `tests/run calls`, no test. */
class CallBench {
    @Test
    fun `cost of a call`() = runBlocking {
        val folder = Files.createTempDirectory("farmtally-").toFile()
        val client = FieldClient.open(ClientConfig(folder.path))
        val row = probeRecordsOut(1u).single()
        report("bare", 2_000) { probeBare(7u) }
        report("one record in", 500) { probeRecordIn(row) }
        report("1,000 records out", 10) { probeRecordsOut(1_000u) }
        report("async no-op", 500) { probeAsync() }
        report("a read on a thread of the library", 200) { client.session() }
        report("an event", 200) { client.waitForEvent(0uL) }
        client.shutDown()
        folder.deleteRecursively()
        Unit
    }

    /** The median over 41 batches, in microseconds a call. */
    private suspend fun report(name: String, batch: Int, call: suspend () -> Unit) {
        val costs = List(20 + 41) {
            val begun = System.nanoTime()
            repeat(batch) { call() }
            (System.nanoTime() - begun) / 1_000.0 / batch
        }
        // The first ones warm the virtual machine up.
        println("Kotlin | %s | %.2f".format(name, costs.drop(20).sorted()[20]))
    }
}
