package org.farmtally.field.tests

import java.util.HexFormat
import kotlinx.coroutines.runBlocking
import org.farmtally.field.ClientConfig
import org.farmtally.field.DraftEdit
import org.farmtally.field.FieldClient

/** An app that weighs one bag after another and tells how many it has, until it is killed. */
object Weighing {
    @JvmStatic
    fun main(arguments: Array<String>) = runBlocking {
        val (folder, key) = arguments
        val client = FieldClient.open(ClientConfig(folder), Keys(HexFormat.of().parseHex(key)))
        var draft = client.today(KOLAR).drafts.single()
        while (true) {
            draft = client.editDraft(draft.basis, listOf(DraftEdit.AddBag("25")))
            println(draft.totals.bags)
        }
    }

    fun start(phone: Person): Process {
        val java = "${System.getProperty("java.home")}/bin/java"
        val library = "-Djna.library.path=${System.getProperty("jna.library.path")}"
        val key = HexFormat.of().formatHex(phone.keys.key)
        val command = listOf(java, library, "-cp", System.getProperty("java.class.path"), javaClass.name, phone.folder, key)
        return ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start()
    }
}
