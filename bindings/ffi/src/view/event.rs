use farmtally_core::client::{Event, SyncProgress, Topic};

/// What may have to be read again.
#[uniffi::remote(Enum)]
pub enum Topic {
    /// Who uses the phone, what they may do
    Session,
    /// Commodities, bag types, lorries
    Reference,
    /// Deliveries and drafts
    Deliveries,
    /// Farmers
    Farmers,
    /// Loads
    Loads,
    /// What waits for a person
    Inbox,
    /// What the server does not have yet, and how far a sync is
    Sync,
}

/// Something has changed: read again what is on the screen and of these topics.
#[uniffi::remote(Record)]
pub struct Event {
    /// What the wait for newer events names as heard
    pub sequence: u64,
    /// What has changed
    pub topics: Vec<Topic>,
    /// How far the running sync is; none while none runs
    pub progress: Option<SyncProgress>,
}

/// How far a running sync is.
#[uniffi::remote(Record)]
pub struct SyncProgress {
    /// Changes that the server has answered, and entries that came in
    pub done: u64,
    /// All of them, as far as is known yet
    pub total: u64,
}
