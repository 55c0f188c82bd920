use farmtally_core::UnavailableCause;
use farmtally_core::client::{Backlog, Carried, OfflineReason, SyncOutcome, SyncReport, SyncState, SyncStatus};
use farmtally_core::protocol::qr::QrProgress;
use farmtally_core::protocol::{HoldCode, RefusalCode};
use farmtally_core::sync::Progress;
use farmtally_core::units::Timestamp;

type SyncCounts = Progress;

/// How far a record is on its way to the server's log.
#[uniffi::remote(Enum)]
pub enum SyncState {
    /// Something of it is only on this phone, and nothing is held
    Unsent,
    /// All of it was sent; something is unanswered, deferred or refused
    Sent,
    /// The server's log has all of it
    Logged,
    /// The server keeps a change of it until the office approves or rejects it
    Held {
        /// Code of the reason
        code: HoldCode,
    },
}

/// How a sync ended.
#[uniffi::remote(Enum)]
pub enum SyncOutcome {
    /// The server has everything from this phone, logged or held, and this phone has everything from the server
    Complete,
    /// The time was used up; or the server deferred or refused something, and the rest is done
    Partial,
    /// There was no connection, it broke, or something else answered (field `offline`); what was exchanged stays exchanged
    Offline,
    /// It was cancelled; what was exchanged stays exchanged
    Cancelled,
    /// Nothing was tried, because earlier syncs failed and the next one in the background is not due
    NotDue,
}

/// Why the server is not available; the app chooses its text by it.
#[uniffi::remote(Enum)]
pub enum UnavailableCause {
    /// There is no network, the host is not known, or nothing listens at the address
    NoConnection,
    /// The server's certificate is not valid for its address at the phone's time; the phone's date may be wrong
    WrongCertificate,
    /// Something on the way answered in the server's place: a captive portal, a firewall or a proxy
    OtherAnswer,
    /// The connection broke, nothing arrived for too long, the answer was damaged, or the server cannot answer at present
    Interrupted,
    /// The server or a proxy asks the phone to wait
    RateLimited,
}

/// Why no answer came from the server.
#[uniffi::remote(Record)]
pub struct OfflineReason {
    /// Kind of the failure
    pub cause: UnavailableCause,
    /// What happened, with the status if something else answered
    pub reason: String,
}

/// Result of a sync.
#[uniffi::remote(Record)]
pub struct SyncReport {
    /// How it ended
    pub outcome: SyncOutcome,
    /// Why there was no answer; null unless the outcome is Offline
    pub offline: Option<OfflineReason>,
    /// Counts of what it sent and received
    #[uniffi(name = "counts")]
    pub progress: SyncCounts,
    /// Milliseconds until the next sync in the background is due; null if there is nothing to retry
    pub next_try_ms: Option<u64>,
}

/// Counts of what a sync has sent and received.
#[uniffi::remote(Record)]
pub struct SyncCounts {
    /// Own changes that the server took into its log
    pub logged: u64,
    /// Own changes that the server keeps until the office approves or rejects them
    pub held: u64,
    /// Changes of others and decisions that were received
    pub received: u64,
    /// Colleagues' parcels that the server accepted
    pub parcels_taken: u64,
    /// Colleagues' parcels that the server refused and this phone dropped; their owners still have the content
    pub parcels_refused: u64,
    /// Own changes that the server has answered, with any verdict
    pub sent: u64,
    /// Own changes to send, including those in `sent`
    pub to_send: u64,
    /// Entries of the server's logs that were read
    pub read: u64,
    /// Entries of the server's logs to read, including those in `read`
    pub to_read: u64,
    /// HTTP requests sent
    pub requests: u64,
    /// Bytes sent
    pub bytes_up: u64,
    /// Bytes received
    pub bytes_down: u64,
}

/// What the phone knows about the server's state, from acknowledgements only.
#[uniffi::remote(Record)]
pub struct SyncStatus {
    /// Changes that the server's log does not have yet
    pub backlog: Backlog,
    /// Number of entries from the server that this version cannot apply
    pub set_aside: u64,
    /// Parcels of colleagues
    pub carried: Carried,
    /// When everything unanswered was last exported, by the phone's time; null if never. Does not mean that it arrived
    pub exported_at: Option<Timestamp>,
    /// When the last complete sync ended, by the phone's time; null if none did
    pub synced_at: Option<Timestamp>,
    /// Time, by the server's clock, up to which two verified copies of its data exist; null if there are none
    pub copied_at: Option<Timestamp>,
    /// Milliseconds until the next sync in the background is due; null if there is nothing to retry
    pub next_try_ms: Option<u64>,
    /// Whether background syncs pause because the server failed repeatedly; a sync that a person asks for is tried at once
    pub is_server_failing: bool,
}

/// Changes that the server's log does not have yet.
#[uniffi::remote(Record)]
pub struct Backlog {
    /// Changes that are only on this phone
    pub unsent: u64,
    /// Changes that were sent and have no response yet
    pub sent: u64,
    /// Changes that the server received but cannot judge until it gets those that they build on, or is upgraded
    pub deferred: u64,
    /// Missing changes that the deferred ones build on, counted for each of them
    pub missing: u64,
    /// Changes that the server keeps until the office approves or rejects them
    pub held: u64,
    /// When the oldest change that is not held was made; null if there is none
    pub oldest_at: Option<Timestamp>,
    /// Code with which the server refused a bundle as a whole; null if it did not
    pub refused: Option<RefusalCode>,
}

/// Parcels that this phone carries for colleagues.
#[uniffi::remote(Record)]
pub struct Carried {
    /// Number of parcels to upload with the next sync
    pub parcels: u64,
    /// Their size in bytes
    pub bytes: u64,
    /// Code with which the server last refused a parcel; null if it did not
    pub refused: Option<RefusalCode>,
}

/// How many codes of a colleague's series were read.
#[uniffi::remote(Record)]
pub struct QrProgress {
    /// Codes that were read
    pub received: u32,
    /// Codes of the series; once all were read, the parcel has been imported
    pub total: u32,
    /// Numbers of the missing codes, from 0
    pub missing: Vec<u32>,
}
