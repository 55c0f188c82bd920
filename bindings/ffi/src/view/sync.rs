use farmtally_core::client::{Backlog, Carried, SyncOutcome, SyncReport, SyncState, SyncStatus};
use farmtally_core::protocol::qr::QrProgress;
use farmtally_core::protocol::{HoldCode, RefusalCode};
use farmtally_core::sync::Progress;
use farmtally_core::units::Timestamp;

type SyncCounts = Progress;

/// How far a record is on its way to the server's log.
#[uniffi::remote(Enum)]
pub enum SyncState {
    /// It is only on this phone
    Unsent,
    /// It was handed to the network; nothing came back yet
    Sent,
    /// The server's log has all of it
    Logged,
    /// The server keeps it for a person to decide
    Held {
        /// The code of the reason
        code: HoldCode,
    },
}

/// How a run of sync ended.
#[uniffi::remote(Enum)]
pub enum SyncOutcome {
    /// The server has all that this phone had, and this phone has all that the server had
    Complete,
    /// The budget was used up, or something waits for other changes; everything else is done
    Partial,
    /// There was no connection, or it broke off; what was done stays done
    Offline,
    /// Somebody cancelled; what was done stays done
    Cancelled,
    /// Nothing was tried, because the tries before failed and the next one is not due
    NotDue,
}

/// What one run of sync did.
#[uniffi::remote(Record)]
pub struct SyncReport {
    /// How it ended
    pub outcome: SyncOutcome,
    /// What was sent and received
    #[uniffi(name = "counts")]
    pub progress: SyncCounts,
    /// Milliseconds from now until the next run is due; none if there is nothing to try for
    pub next_try_ms: Option<u64>,
}

/// What a run of sync has sent and received.
#[uniffi::remote(Record)]
pub struct SyncCounts {
    /// Changes that the server took into its log
    pub logged: u64,
    /// Changes that the server keeps for a person to decide
    pub held: u64,
    /// Changes of others and decisions that came in
    pub received: u64,
    /// Parcels of colleagues that the server took
    pub parcels_taken: u64,
    /// Parcels of colleagues that the server refused and that were dropped here; their owners still have what was in them
    pub parcels_refused: u64,
    /// Own changes that the server has answered, whatever it said
    pub sent: u64,
    /// Own changes that there were to hand over, those that were answered included
    pub to_send: u64,
    /// Entries of the server's logs that were read
    pub read: u64,
    /// Entries of the server's logs that there were to read, those that were read included
    pub to_read: u64,
    /// Requests sent
    pub requests: u64,
    /// Bytes up
    pub bytes_up: u64,
    /// Bytes down
    pub bytes_down: u64,
}

/// What the phone knows about being in step with the server; never better than what was acknowledged.
#[uniffi::remote(Record)]
pub struct SyncStatus {
    /// What the server does not have in its log yet
    pub backlog: Backlog,
    /// Entries from the server that this version could not apply
    pub set_aside: u64,
    /// What this phone carries for colleagues
    pub carried: Carried,
    /// When all that waited was last handed over as a file or as codes; says nothing about its arrival
    pub exported_at: Option<Timestamp>,
    /// When a run was last complete
    pub synced_at: Option<Timestamp>,
    /// Up to when, by the server's clock, two verified copies of its data exist; none as long as there are none
    pub copied_at: Option<Timestamp>,
    /// Milliseconds from now until the next run is due; none if there is nothing to try for
    pub next_try_ms: Option<u64>,
    /// Whether the server failed so often that it is left alone for a while; a run that a person asks for tries at once
    pub is_server_failing: bool,
}

/// What the server does not have in its log yet.
#[uniffi::remote(Record)]
pub struct Backlog {
    /// Changes that are only on this phone
    pub unsent: u64,
    /// Changes that were handed to the network without an answer yet
    pub sent: u64,
    /// Changes that the server has seen and cannot judge yet: they wait for other changes
    pub deferred: u64,
    /// For how many other changes the deferred ones wait, counted for each of them
    pub missing: u64,
    /// Changes that the server keeps for a person to decide
    pub held: u64,
    /// When the oldest change that is neither logged nor held was made
    pub oldest_at: Option<Timestamp>,
    /// The code with which the server refused a bundle of this phone as a whole, if it did
    pub refused: Option<RefusalCode>,
}

/// What this phone carries for colleagues.
#[uniffi::remote(Record)]
pub struct Carried {
    /// Parcels that wait here for the next sync
    pub parcels: u64,
    /// Their bytes
    pub bytes: u64,
    /// The code with which the server refused a parcel, if it did: the last one's
    pub refused: Option<RefusalCode>,
}

/// How far a colleague's codes have been read.
#[uniffi::remote(Record)]
pub struct QrProgress {
    /// Codes that were read
    pub received: u32,
    /// Codes there are; once all were read, the work is taken along
    pub total: u32,
    /// The numbers of those that are missing, from 0
    pub missing: Vec<u32>,
}
