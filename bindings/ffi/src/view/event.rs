use farmtally_core::client::{Event, SyncProgress, Topic};

/// What to read again.
#[uniffi::remote(Enum)]
pub enum Topic {
    /// Current user, rights, and orders of the office
    Session,
    /// Commodities, bag types, lorries and names
    Reference,
    /// Deliveries and drafts
    Deliveries,
    /// Farmers and their contact details
    Farmers,
    /// Loads
    Loads,
    /// Simple records, such as notes and tickets
    Records,
    /// Inbox items
    Inbox,
    /// Sync status and the progress of a sync
    Sync,
}

/// A change: read again what the screen shows of these topics.
#[uniffi::remote(Record)]
pub struct Event {
    /// Number of the newest change; pass it to the next wait
    pub sequence: u64,
    /// What has changed
    pub topics: Vec<Topic>,
    /// Progress of the running sync; null while none runs
    pub progress: Option<SyncProgress>,
}

/// Progress of a running sync.
#[uniffi::remote(Record)]
pub struct SyncProgress {
    /// Own changes that the server has answered, plus log entries read
    pub done: u64,
    /// All own changes and log entries to exchange, as far as known
    pub total: u64,
}
