/**
 * Reads as flows: each emits the current value, and again after each change, until the client is shut down.
 *
 * The flows are cold. A slow collector skips values but always gets the newest; an error of the read ends the flow.
 */
package org.farmtally.field

import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.catch
import kotlinx.coroutines.flow.distinctUntilChanged
import kotlinx.coroutines.flow.flow

fun FieldClient.watchSession(): Flow<Session?> = watch(Topic.SESSION, Topic.REFERENCE) { session() }

fun FieldClient.watchUsers(): Flow<List<PhoneUser>> = watch(Topic.SESSION, Topic.REFERENCE) { users() }

fun FieldClient.watchAccess(): Flow<Access> = watch(Topic.SESSION, Topic.SYNC) { access() }

fun FieldClient.watchReference(): Flow<Reference> = watch(Topic.REFERENCE) { reference() }

fun FieldClient.watchToday(centre: CentreCode, date: BusinessDate? = null): Flow<Today> =
    watch(Topic.DELIVERIES, Topic.LOADS, Topic.SYNC) { today(centre, date) }

fun FieldClient.watchDeliveries(query: DeliveryQuery): Flow<DeliveryPage> =
    watch(Topic.DELIVERIES, Topic.SYNC) { deliveries(query) }

fun FieldClient.watchDelivery(deliveryId: DeliveryId): Flow<DeliveryView> =
    watch(Topic.DELIVERIES, Topic.INBOX, Topic.SYNC) { delivery(deliveryId) }

fun FieldClient.watchFarmers(query: FarmerQuery): Flow<FarmerPage> =
    watch(Topic.FARMERS) { farmers(query) }

fun FieldClient.watchLoads(query: LoadQuery): Flow<LoadPage> =
    watch(Topic.LOADS, Topic.SYNC) { loads(query) }

fun FieldClient.watchFarmer(farmerId: FarmerId): Flow<FarmerView> =
    watch(Topic.FARMERS, Topic.INBOX, Topic.SYNC) { farmer(farmerId) }

fun FieldClient.watchLoad(loadId: LoadId): Flow<LoadView> =
    watch(Topic.LOADS, Topic.INBOX, Topic.SYNC) { load(loadId) }

fun FieldClient.watchInbox(): Flow<InboxPage> = watch(Topic.INBOX) { inbox() }

fun FieldClient.watchSyncStatus(): Flow<SyncStatus> = watch(Topic.SYNC) { syncStatus() }

/** Progress of the running sync; null while none runs. */
fun FieldClient.watchSyncProgress(): Flow<SyncProgress?> = watch(Topic.SYNC) { waitForEvent(0uL)?.progress }

/** Another read, now and after each change of the topics: `client.watch(Topic.RECORDS) { lorryRequests(query) }`. */
fun <T> FieldClient.watch(vararg topics: Topic, read: suspend FieldClient.() -> T): Flow<T> = flow {
    var after = 0uL
    while (true) {
        val event = waitForEvent(after) ?: break
        after = event.sequence
        if (event.topics.any(topics::contains)) emit(read())
    }
}.catch {
    // The client may have been shut down between an event and the read.
    if (it !is FieldException.ShutDown) throw it
}.distinctUntilChanged()
