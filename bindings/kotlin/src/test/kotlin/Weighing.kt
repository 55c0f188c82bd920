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

    fun start(phone: Person): Process = program(javaClass, phone).redirectError(ProcessBuilder.Redirect.INHERIT).start()
}

/** A process of its own that runs the `main` of a class on a phone. */
fun program(type: Class<*>, phone: Person, vararg more: String): ProcessBuilder {
    val java = "${System.getProperty("java.home")}/bin/java"
    val library = "-Djna.library.path=${System.getProperty("jna.library.path")}"
    val key = HexFormat.of().formatHex(phone.keys.key)
    return ProcessBuilder(java, library, "-cp", System.getProperty("java.class.path"), type.name, phone.folder, key, *more)
}
