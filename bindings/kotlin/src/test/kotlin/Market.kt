/** A server process, a market on it, and people with phones. */
package org.farmtally.field.tests

import java.io.File
import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpResponse
import java.nio.file.Files
import java.util.concurrent.TimeUnit
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.future.await
import kotlinx.coroutines.runBlocking
import org.farmtally.field.CentreCode
import org.farmtally.field.Check
import org.farmtally.field.ClientConfig
import org.farmtally.field.CommodityCode
import org.farmtally.field.Contact
import org.farmtally.field.DeliveryView
import org.farmtally.field.DeviceCode
import org.farmtally.field.DraftEdit
import org.farmtally.field.FarmerView
import org.farmtally.field.FieldClient
import org.farmtally.field.FieldException
import org.farmtally.field.InboxKind
import org.farmtally.field.KeyStore
import org.farmtally.field.KeyStoreException
import org.farmtally.field.LoadView
import org.farmtally.field.LorryPlate
import org.farmtally.field.OpenLoad
import org.farmtally.field.Reason
import org.farmtally.field.StartDraft
import org.farmtally.field.Transport
import org.farmtally.field.TransportException
import org.farmtally.field.WireRequest
import org.farmtally.field.WireResponse
import org.junit.jupiter.api.AfterAll
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.BeforeAll
import org.junit.jupiter.api.BeforeEach
import org.junit.jupiter.api.TestInstance
import org.junit.jupiter.api.fail

val MISTYPED = Reason("mistyped")

/** A server's answer that the app is too old: the CBOR of a problem in a zstd frame. */
val TOO_OLD = "28b52ffd2019c90000a20074696e636f6d70617469626c655f76657273696f6e0160"
    .chunked(2).map { it.toInt(16).toByte() }.toByteArray()

val KOLAR = CentreCode("KOLAR")
val MALUR = CentreCode("MALUR")
val TOMATO = CommodityCode("TOMATO")

private const val REFERENCE = """{
    "centres": [{"code": "KOLAR", "name": "Kolar"}, {"code": "MALUR", "name": "Malur"}],
    "commodities": [{"code": "TOMATO", "name": "Tomato"}],
    "seasons": [{"code": "ALL", "commodity": "TOMATO", "from": "2020-01-01", "to": "2099-12-31"}],
    "lorries": [
        {"plate": "KA07A1111", "payload_g": 9000000},
        {"plate": "KA07A2222", "payload_g": 9000000},
        {"plate": "KA07A3333", "payload_g": 9000000}
    ],
    "rule_sets": [{
        "number": 1, "commodity": "TOMATO", "valid_from": "2020-01-01",
        "bag_types": [{"number": 0, "name": "crate", "tare_g": 1500}, {"number": 1, "name": "sack", "tare_g": 250}],
        "grades": [{"code": "A", "name": "first"}, {"code": "B", "name": "second"}],
        "factors": [{"code": "BROKEN", "name": "broken", "unit": "percent", "limit": 500}]
    }],
    "instruments": [{
        "code": "SCALE7", "type": "scale", "serial": "A-4711", "accuracy_class": "III", "min_value": 1000, "max_value": 60000,
        "intervals": [{"up_to_value": 60000, "interval_value": 20}], "certificate": "LM-88", "valid_until": "2099-12-31"
    }],
    "paper_books": [
        {"code": "BOOK17", "centre": "KOLAR", "purpose": "deliveries", "first_serial": 1001, "last_serial": 1050}
    ]
}"""

/** The process of a `farmtally-server`, and its command line. */
class Server : AutoCloseable {
    val folder: File = Files.createTempDirectory("farmtally-").toFile()
    val reference = folder.resolve("reference.json").apply { writeText(REFERENCE) }
    lateinit var url: String
    private val binary = System.getProperty("farmtally.server")
    private val log = folder.resolve("server.log")
    private var process: Process? = null
    private var port = 0

    /** Starts the process: on any free port, and after a stop on the same one. */
    fun start(): Server {
        // `serve` refuses a folder without an organisation.
        if (port == 0) run("org", "create", "Head office", "--country", "IN")
        val command = command("serve", "--port", "$port").redirectError(ProcessBuilder.Redirect.appendTo(log))
        val started = command.start().also { process = it }
        url = checkNotNull(started.inputReader().readLine()) { log.readText() }
        port = url.trimEnd('/').substringAfterLast(':').toInt()
        return this
    }

    /** Ends the process in order, and waits for its end. */
    fun stop() {
        val running = process ?: return
        process = null
        running.destroy()
        check(running.waitFor(30, TimeUnit.SECONDS) && running.exitValue() == 0) { log.readText() }
    }

    /** Stops the process and removes all files. */
    override fun close() {
        stop()
        folder.deleteRecursively()
    }

    /** What a command of the office prints. */
    fun run(vararg arguments: String): String {
        val done = command(*arguments).redirectErrorStream(true).start()
        val printed = done.inputReader().readText().trim()
        check(done.waitFor() == 0) { printed }
        return printed
    }

    private fun command(vararg arguments: String) =
        ProcessBuilder(binary, *arguments, "--data", folder.resolve("server").path)
}

/**
 * An organisation of its own, with the centres KOLAR and MALUR, tomatoes of two grades, crates, sacks, three lorries, a scale and a paper
 * book.
 */
class Market(private val server: Server) : AutoCloseable {
    val organisation = server.run("org", "create", "Kolar growers", "--country", "IN", "--same-name", "--reference", server.reference.path)
    private val people = mutableListOf<Person>()

    /** A code from the office. */
    fun code(name: String, role: String, vararg centres: String): String {
        val where = centres.ifEmpty { arrayOf("KOLAR") }.flatMap { listOf("--centre", it) }
        return server.run("enrol-code", "--org", organisation, "--user", name, "--role", role, *where.toTypedArray())
    }

    /** Lets somebody else work at KOLAR on a phone too. */
    fun shares(device: DeviceCode, name: String, role: String) = server.run(
        "grant", "add", "--org", organisation, "--device", device.value, "--user", name, "--role", role, "--centre", "KOLAR",
    )

    /** Lets somebody pay out this amount, and tells their phone. */
    suspend fun leases(person: Person, amount: Long) {
        val session = checkNotNull(person.client.session())
        server.run(
            "lease", "--org", organisation, "--user", session.userName, "--phone", session.deviceCode.value,
            "--amount", "$amount", "--until", "2099-12-31",
        )
        person.client.sync()
    }

    /** Adds to the reference data. */
    fun publishes(reference: String) {
        val file = server.folder.resolve("$organisation.json").apply { writeText(reference) }
        server.run("org", "update", "--org", organisation, "--reference", file.path)
    }

    /** Somebody with a phone that is not enrolled. */
    suspend fun meets(
        name: String,
        transport: Transport? = null,
        folder: String = server.folder.resolve("phones/$organisation/$name").path,
    ): Person {
        val keys = Keys()
        return Person(folder, keys, FieldClient.open(ClientConfig(folder), keys, transport)).also { people += it }
    }

    /** Somebody with a phone that is enrolled. */
    suspend fun hires(name: String, role: String, vararg centres: String): Person {
        val person = meets(name)
        person.client.enrol(server.url, code(name, role, *centres), "test phone")
        return person
    }

    /** Shuts everybody's phone down. */
    override fun close() = runBlocking { people.forEach { it.client.shutDown() } }
}

/** The app's own way to the server. */
class Carrier : Transport {
    var sent = 0
    var isBroken = false

    /** What comes instead of the server's answer. */
    var status: UShort? = null

    /** Its body. */
    var body = ByteArray(0)

    /** What each request waits for, from the second one on. */
    var next: suspend () -> Unit = {}

    override suspend fun send(request: WireRequest): WireResponse {
        if (sent++ > 0) next()
        if (isBroken) throw TransportException.NoConnection("no network")
        status?.let { return WireResponse(it, body) }
        val post = HttpRequest.newBuilder(URI(request.url))
            .method(request.method, HttpRequest.BodyPublishers.ofByteArray(request.body))
        request.headers.forEach { (name, value) -> post.header(name, value) }
        val http = HttpClient.newHttpClient()
        val answer = http.sendAsync(post.build(), HttpResponse.BodyHandlers.ofByteArray()).await()
        return WireResponse(answer.statusCode().toUShort(), answer.body())
    }
}

/** A key store in memory. */
class Keys(var key: ByteArray? = null, private val isBroken: Boolean = false) : KeyStore {
    override suspend fun load() = if (isBroken) throw KeyStoreException.Failed("not unlocked") else key

    override suspend fun save(key: ByteArray) {
        this.key = key
    }
}

/** Somebody with a phone at KOLAR. */
class Person(val folder: String, val keys: Keys, var client: FieldClient) {
    /** Closes the app and opens it again. */
    suspend fun restarts() {
        client.shutDown()
        client = FieldClient.open(ClientConfig(folder), keys)
    }

    suspend fun registers(name: String, village: String = "", phone: String = "", accept: List<Check> = listOf()) =
        client.registerFarmer(KOLAR, Contact(name, village, phone), accept)

    suspend fun opens(lorry: String) = client.openLoad(OpenLoad(KOLAR, TOMATO, LorryPlate(lorry)))

    /** A draft with these bags. */
    suspend fun begins(farmer: FarmerView, vararg weights: String, load: LoadView? = null): DeliveryView {
        val draft = client.startDraft(StartDraft(KOLAR, TOMATO, farmer.farmerId, load?.loadId))
        return client.editDraft(draft.basis, weights.map { DraftEdit.AddBag(it) })
    }

    /** A recorded delivery with these bags. */
    suspend fun weighs(farmer: FarmerView, vararg weights: String, load: LoadView? = null) =
        client.recordDelivery(begins(farmer, *weights, load = load).basis)

    suspend fun totals() = client.today(KOLAR).sum

    /** What there is to say about the items of one kind in the inbox. */
    suspend inline fun <reified T : InboxKind> inbox(): List<T> = client.inbox().items.map { it.kind }.filterIsInstance<T>()

    /** The codes of the reviews in the inbox, sorted. */
    suspend fun reviews() = inbox<InboxKind.Review>().map { it.code }.sorted()

    /** Field, hardness and number of values of the conflicts in the inbox. */
    suspend fun conflicts() =
        inbox<InboxKind.Conflict>().map { (conflict) -> Triple(conflict.field, conflict.isHard, conflict.values.size) }
}

/** Syncs one phone after the other. */
suspend fun sync(vararg people: Person) = people.forEach { it.client.sync() }

/** What JUnit runs returns nothing. */
fun story(tell: suspend CoroutineScope.() -> Unit) = runBlocking { tell() }

/** The error with which a call fails. */
suspend inline fun <reified E : FieldException> refused(call: () -> Unit): E =
    try {
        call()
        null
    } catch (error: FieldException) {
        error as? E ?: throw error
    } ?: fail("nothing was refused")

/** Scenarios on one server process, each with a market of its own. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class Scenarios {
    protected val server = Server()
    protected lateinit var market: Market
        private set

    @BeforeAll
    fun start() {
        server.start()
    }

    @BeforeEach
    fun open() {
        market = Market(server)
    }

    @AfterEach
    fun shutDown() = market.close()

    @AfterAll
    fun close() = server.close()
}
