//! Another address of the server: the one to which it says that it moves, and the one that a person names.
//!
//! Invariants: until the pinned server has signed an answer at an address, nothing is sent there but a question without content, and the
//! certificate to a server that does not know the device; nothing is learnt from there, and size and schedule of the requests to the stored
//! address stay. The first signed answer replaces that address, and begins the schedules anew.

use std::sync::{MutexGuard, PoisonError};

use super::FieldClient;
use super::sync::{Ended, OfflineReason, Run, SyncOutcome, SyncReport, SyncTicket};
use crate::Error;
use crate::protocol::normalize_server_url;
use crate::sync::retry_schedule::{RetrySchedule, RunEnd};
use crate::sync::{Transport, TransportError};

/// Longest time for which the first answer at the next address is awaited; at most a quarter of what is left of a budget.
const PROOF_MS: u64 = 10_000;

impl FieldClient {
    /// Points this phone to another address of its server, and syncs there; everything unsent stays and is sent there. The address replaces
    /// the stored one once the server that this phone was enrolled with has signed an answer there. Before that, only the device id is sent,
    /// and its certificate if the id is not known there.
    ///
    /// # Errors
    /// [`Error::Invalid`] (`server_url`) if the address is wrong, redirects to another, or another server answers there;
    /// [`Error::Unavailable`] if none answers there, also for the stored address; otherwise as [`FieldClient::sync_with`]. The stored address
    /// stays if none has answered.
    pub fn set_server_url(&self, transport: &dyn Transport, server_url: &str) -> Result<SyncReport, Error> {
        self.set_server_url_with(transport, server_url, self.ticket())
    }

    /// Does as [`Self::set_server_url`], with a ticket from before the call, because it had to wait for its turn.
    ///
    /// # Errors
    /// As [`Self::set_server_url`].
    pub fn set_server_url_with(
        &self,
        transport: &dyn Transport,
        server_url: &str,
        ticket: SyncTicket,
    ) -> Result<SyncReport, Error> {
        let wrong = |reason: &dyn std::fmt::Display| Error::invalid("server_url", reason);
        let server_url = normalize_server_url(server_url).map_err(|error| wrong(&error))?;
        self.installation()?;
        let mut piece_size = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut run = Run::new(transport, &|_| (), ticket, *piece_size);
        (run.is_manual, run.is_moving) = (true, true);
        let report = self.sync_report(&mut run, |run| {
            let ended = self.sync_once(run, Some(&server_url))?;
            if run.answers > 0 { self.follow_orders(run, ended) } else { Ok(ended) }
        });
        if run.answers > 0 {
            *piece_size = run.piece_size;
            return report;
        }
        match report {
            Err(Error::Unauthorized { .. } | Error::Invalid { field: "certificate", .. }) => {
                Err(wrong(&"another server answers at this address, or one that does not know this phone"))
            }
            Err(error) => Err(error),
            Ok(SyncReport { offline: Some(OfflineReason { cause, reason }), .. }) => {
                Err(Error::Unavailable { cause, reason })
            }
            Ok(_) => Err(TransportError::interrupted("stopped before the answer").into()),
        }
    }

    /// Syncs at the address to which the server says that it moves. `None` if there is none, it is not due to be tried again, or the server
    /// has not answered there; then the stored address has at least three quarters of the time that was left.
    pub(super) fn sync_at_next_address(&self, run: &mut Run<'_>) -> Option<Result<Ended, Error>> {
        let next = self.installation().ok()?.next_server_url.clone()?;
        let now_ms = self.environment.clock.boot_ms();
        if !run.is_manual && self.next_address_schedule().wait_ms(now_ms).is_some_and(|wait_ms| wait_ms > 0) {
            return None;
        }
        let piece_size = run.piece_size;
        run.proof_until_ms = now_ms.saturating_add(PROOF_MS.min(run.left_ms(now_ms) / 4));
        let ended = self.sync_once(run, Some(&next));
        if run.answers > 0 || ended.as_ref().is_ok_and(|ended| ended.outcome == SyncOutcome::Cancelled) {
            return Some(ended);
        }
        self.next_address_schedule().run_ended(RunEnd::Failed, self.environment.clock.boot_ms(), self.random_u64());
        (run.piece_size, run.proof_until_ms, run.requests_in_vain) = (piece_size, u64::MAX, run.done.requests);
        None
    }

    pub(super) fn next_address_schedule(&self) -> MutexGuard<'_, RetrySchedule> {
        self.next_address_schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
