//! Options and results of a sync.

use crate::UnavailableCause;
#[cfg(doc)]
use crate::client::FieldClient;
use crate::store::carried::Carried;
use crate::store::outbox::Backlog;
use crate::sync::Progress;
use crate::units::Timestamp;

/// Options of a sync; by default an automatic one without a budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncOptions {
    /// Whether a person asked for it; such a sync resets the retry schedule and begins at once.
    pub is_manual: bool,
    /// Limits of time and data; at least one request is tried.
    pub budget: SyncBudget,
    /// Ticket from [`FieldClient::ticket`], if the sync had to wait before it could be called; `None` takes one at the call.
    pub ticket: Option<SyncTicket>,
}

/// Moment of a request for a sync: its time budget counts from there, and a later cancellation ends it, even while it waits for its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncTicket {
    /// The boot clock in milliseconds.
    pub(in crate::client) at_ms: u64,
    /// Number of cancellations at that time.
    pub(in crate::client) cancellations: u64,
}

/// Limits of one sync; the next one continues from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncBudget {
    /// Milliseconds since the sync's ticket was taken; after them, the sync does not wait for an answer any longer either.
    pub time_ms: u64,
    /// Bytes sent plus bytes received; the sync ends with the response that uses them up.
    pub bytes: u64,
}

impl Default for SyncBudget {
    /// Unlimited.
    fn default() -> Self {
        Self { time_ms: u64::MAX, bytes: u64::MAX }
    }
}

/// How a sync ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncOutcome {
    /// The server has everything from this phone, logged or held, and this phone has everything from the server.
    Complete,
    /// The budget was used up; or the server deferred or refused something, or did not answer about a carried parcel, and the rest is done.
    Partial,
    /// There was no connection, it broke, something else answered, or the server could not answer at present ([`SyncReport::offline`]); what
    /// was exchanged stays exchanged.
    Offline,
    /// It was cancelled, or the client was closed; what was exchanged stays exchanged.
    Cancelled,
    /// Nothing was tried, because earlier syncs failed and the next automatic one is not due.
    NotDue,
}

/// Why no answer came from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfflineReason {
    /// Kind of the failure, by which an app chooses its text.
    pub cause: UnavailableCause,
    /// Description of the failure, with the status if something else answered.
    pub reason: String,
}

/// Result of a sync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncReport {
    /// How it ended.
    pub outcome: SyncOutcome,
    /// Why there was no answer, if the outcome is [`SyncOutcome::Offline`].
    pub offline: Option<OfflineReason>,
    /// Counts of what it sent and received.
    pub progress: Progress,
    /// Milliseconds until the next automatic sync is due; `None` if none is scheduled, and one may run at any time.
    pub next_try_ms: Option<u64>,
}

/// Sync state of the whole phone, for all users, from what the server has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncStatus {
    /// Counts of changes that the server's log does not have yet; drafts are not among them.
    pub backlog: Backlog,
    /// Number of entries from the server that this version cannot apply.
    pub set_aside: u64,
    /// Parcels of colleagues that the server has not answered.
    pub carried: Carried,
    /// When everything unanswered was last exported, by the phone's time; does not mean that it arrived.
    pub exported_at: Option<Timestamp>,
    /// When the last complete sync ended, by the phone's time.
    pub synced_at: Option<Timestamp>,
    /// Time, by the server's clock, up to which two safe copies contain its data, as far as this phone knows; `None` if there are none.
    pub copied_at: Option<Timestamp>,
    /// Milliseconds until the next automatic sync is due; `None` if none is scheduled, and one may run at any time.
    pub next_try_ms: Option<u64>,
    /// Whether the circuit breaker is open, because the server failed repeatedly; a manual sync ignores it.
    pub is_server_failing: bool,
}
