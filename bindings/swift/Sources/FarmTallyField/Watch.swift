// Reads as streams: for each read `x`, `watchX` emits the current value, and again after each change, until the client is shut down.
//
// A stream is for one listener. A slow listener skips values but always gets the newest. An error of the read ends the stream.

extension FieldClient {
    /// `session`, now and after each change.
    public func watchSession() -> AsyncThrowingStream<Session?, Error> {
        watch([.session, .reference]) { try await $0.session() }
    }

    /// `users`, now and after each change.
    public func watchUsers() -> AsyncThrowingStream<[PhoneUser], Error> {
        watch([.session, .reference]) { try await $0.users() }
    }

    /// `access`, now and after each change.
    public func watchAccess() -> AsyncThrowingStream<Access, Error> {
        watch([.session, .sync]) { try await $0.access() }
    }

    /// `reference`, now and after each change.
    public func watchReference() -> AsyncThrowingStream<Reference, Error> {
        watch([.reference]) { try await $0.reference() }
    }

    /// `today`, now and after each change.
    public func watchToday(centre: CentreCode, date: BusinessDate? = nil) -> AsyncThrowingStream<Today, Error> {
        watch([.deliveries, .loads, .sync]) { try await $0.today(centre: centre, date: date) }
    }

    /// `deliveries`, now and after each change.
    public func watchDeliveries(query: DeliveryQuery) -> AsyncThrowingStream<DeliveryPage, Error> {
        watch([.deliveries, .sync]) { try await $0.deliveries(query: query) }
    }

    /// `delivery`, now and after each change.
    public func watchDelivery(deliveryId: DeliveryId) -> AsyncThrowingStream<DeliveryView, Error> {
        watch([.deliveries, .inbox, .sync]) { try await $0.delivery(deliveryId: deliveryId) }
    }

    /// `farmers`, now and after each change.
    public func watchFarmers(query: FarmerQuery) -> AsyncThrowingStream<FarmerPage, Error> {
        watch([.farmers]) { try await $0.farmers(query: query) }
    }

    /// `loads`, now and after each change.
    public func watchLoads(query: LoadQuery) -> AsyncThrowingStream<LoadPage, Error> {
        watch([.loads, .sync]) { try await $0.loads(query: query) }
    }

    /// `farmer`, now and after each change.
    public func watchFarmer(farmerId: FarmerId) -> AsyncThrowingStream<FarmerView, Error> {
        watch([.farmers, .inbox, .sync]) { try await $0.farmer(farmerId: farmerId) }
    }

    /// `load`, now and after each change.
    public func watchLoad(loadId: LoadId) -> AsyncThrowingStream<LoadView, Error> {
        watch([.loads, .inbox, .sync]) { try await $0.load(loadId: loadId) }
    }

    /// `inbox`, now and after each change.
    public func watchInbox() -> AsyncThrowingStream<InboxPage, Error> {
        watch([.inbox]) { try await $0.inbox() }
    }

    /// `syncStatus`, now and after each change.
    public func watchSyncStatus() -> AsyncThrowingStream<SyncStatus, Error> {
        watch([.sync]) { try await $0.syncStatus() }
    }

    /// Progress of the running sync; nil while none runs.
    public func watchSyncProgress() -> AsyncThrowingStream<SyncProgress?, Error> {
        watch([.sync]) { try await $0.waitForEvent(after: 0)?.progress }
    }

    /// Another read, now and after each change of the topics: `client.watch([.records]) { try await $0.lorryRequests(query: query) }`.
    public func watch<Value: Equatable & Sendable>(
        _ topics: Set<Topic>,
        read: @escaping @Sendable (FieldClient) async throws -> Value
    ) -> AsyncThrowingStream<Value, Error> {
        AsyncThrowingStream(bufferingPolicy: .bufferingNewest(1)) { values in
            let pump = Task {
                var after: UInt64 = 0
                var last: Value?
                do {
                    while !Task.isCancelled, let event = try await self.waitForEvent(after: after) {
                        after = event.sequence
                        if topics.isDisjoint(with: event.topics) { continue }
                        let value = try await read(self)
                        if last != .some(value) {
                            last = .some(value)
                            values.yield(value)
                        }
                    }
                    values.finish()
                } catch FieldError.ShutDown {
                    // The client was shut down between an event and the read.
                    values.finish()
                } catch {
                    values.finish(throwing: error)
                }
            }
            // Generated Swift cannot cancel a wait, so the task of a stream without a listener ends with the next event.
            values.onTermination = { _ in pump.cancel() }
        }
    }
}
