use farmtally_core::client::{self, SyncState as CoreSyncState};
use farmtally_core::protocol::qr as core_qr;
use farmtally_core::sync::Progress;
use farmtally_core::units::Timestamp;

/// How far a record is on its way to the server's log.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum SyncState {
    /// It is only on this phone
    Unsent,
    /// It was handed to the network; nothing came back yet
    Sent,
    /// The server's log has all of it
    Logged,
    /// The server keeps it for a person to decide
    Held {
        /// Why
        code: String,
    },
}

impl From<CoreSyncState> for SyncState {
    fn from(state: CoreSyncState) -> Self {
        match state {
            CoreSyncState::Unsent => Self::Unsent,
            CoreSyncState::Sent => Self::Sent,
            CoreSyncState::Logged => Self::Logged,
            CoreSyncState::Held { code } => Self::Held { code },
        }
    }
}

/// How far a running sync is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Record)]
pub struct SyncProgress {
    /// Changes that the server has answered, and entries that came in
    pub done: u64,
    /// All of them, as far as is known yet
    pub total: u64,
}

impl From<Progress> for SyncProgress {
    fn from(progress: Progress) -> Self {
        Self { done: progress.sent + progress.read, total: progress.to_send + progress.to_read }
    }
}

/// How a run of sync ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum SyncOutcome {
    /// The server has all that this phone had, and this phone has all that the server had
    Complete,
    /// Something waits for other changes; everything else is done
    Partial,
    /// There was no connection, or it broke off; what was done stays done
    Offline,
    /// Somebody cancelled; what was done stays done
    Cancelled,
    /// Nothing was tried, because the tries before failed and the next one is not due
    NotDue,
}

/// What one run of sync did.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct SyncReport {
    /// How it ended
    pub outcome: SyncOutcome,
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
    /// Requests sent
    pub requests: u64,
    /// Bytes up
    pub bytes_up: u64,
    /// Bytes down
    pub bytes_down: u64,
    /// Milliseconds from now until the next run is due; empty if there is nothing to try for
    pub next_try_ms: Option<u64>,
}

impl From<client::SyncReport> for SyncReport {
    fn from(report: client::SyncReport) -> Self {
        let progress = report.progress;
        Self {
            outcome: match report.outcome {
                client::SyncOutcome::Complete => SyncOutcome::Complete,
                client::SyncOutcome::Partial => SyncOutcome::Partial,
                client::SyncOutcome::Offline => SyncOutcome::Offline,
                client::SyncOutcome::Cancelled => SyncOutcome::Cancelled,
                client::SyncOutcome::NotDue => SyncOutcome::NotDue,
            },
            logged: progress.logged,
            held: progress.held,
            received: progress.received,
            parcels_taken: progress.parcels_taken,
            parcels_refused: progress.parcels_refused,
            requests: progress.requests,
            bytes_up: progress.bytes_up,
            bytes_down: progress.bytes_down,
            next_try_ms: report.next_try_ms,
        }
    }
}

/// What the phone knows about being in step with the server; never better than what was acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct SyncStatus {
    /// Changes that are only on this phone
    pub unsent: u64,
    /// Changes that were handed to the network without an answer yet
    pub sent: u64,
    /// Changes that the server has seen and cannot judge yet: they wait for other changes
    pub deferred: u64,
    /// Changes that the server keeps for a person to decide
    pub held: u64,
    /// When the oldest change that is neither logged nor held was made
    pub oldest_at: Option<Timestamp>,
    /// Entries from the server that this version could not apply
    pub set_aside: u64,
    /// Parcels of colleagues that wait here for the next sync
    pub carried: u64,
    /// Why the server refused a parcel of a colleague, if it did: the last one's code
    pub carried_refused: Option<String>,
    /// When all that waited was last handed over as a file or as codes; says nothing about its arrival
    pub exported_at: Option<Timestamp>,
    /// Up to when, by the server's clock, two verified copies of its data exist; empty as long as there are none
    pub copied_at: Option<Timestamp>,
    /// When a run was last complete
    pub synced_at: Option<Timestamp>,
    /// Milliseconds from now until the next run is due; empty if there is nothing to try for
    pub next_try_ms: Option<u64>,
    /// Whether the server failed so often that it is left alone for a while; a run that a person asks for tries at once
    pub is_server_failing: bool,
}

impl From<client::SyncStatus> for SyncStatus {
    fn from(status: client::SyncStatus) -> Self {
        Self {
            unsent: status.backlog.unsent,
            sent: status.backlog.sent,
            deferred: status.backlog.deferred,
            held: status.backlog.held,
            oldest_at: status.backlog.oldest,
            set_aside: status.set_aside,
            carried: status.carried.parcels,
            carried_refused: status.carried.refused,
            exported_at: status.exported_at,
            copied_at: status.copied_at,
            synced_at: status.synced_at,
            next_try_ms: status.next_try_ms,
            is_server_failing: status.is_server_failing,
        }
    }
}

/// How far a colleague's codes have been read.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct FrameProgress {
    /// Codes that were read
    pub have: u32,
    /// Codes there are; once all were read, the work is taken along
    pub of: u32,
    /// The numbers of those that are missing, from 0
    pub missing: Vec<u32>,
}

impl From<core_qr::FrameProgress> for FrameProgress {
    fn from(it: core_qr::FrameProgress) -> Self {
        Self { have: it.have, of: it.of, missing: it.missing }
    }
}
