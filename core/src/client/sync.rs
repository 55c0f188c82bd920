//! Runs of the sync, over as many rounds as the office's orders need.

mod views;

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};

pub use self::views::{OfflineReason, SyncBudget, SyncOptions, SyncOutcome, SyncReport, SyncStatus, SyncTicket};
use super::enrol::require_no_redirect;
use super::{FieldClient, Topic};
use crate::decisions::Order;
use crate::limits::{CHALLENGE_LIFE_MS, MAX_KEPT_BYTES, MAX_KEPT_ENTRIES};
use crate::store::carried;
use crate::store::incoming;
use crate::store::installation::{self, Installation};
use crate::store::outbox;
use crate::store::tail;
use crate::sync::exchange::Exchange;
use crate::sync::piece_size::PieceSize;
use crate::sync::request::is_success;
use crate::sync::retry_schedule::{RetrySchedule, RunEnd};
use crate::sync::{Progress, Transport, TransportError, WireRequest, WireResponse};
use crate::units::{HybridTime, Timestamp};
use crate::{Error, ErrorCode, UnavailableCause};

/// Maximum number of rounds of a sync; each after the first follows from an order of the office.
const MAX_ROUNDS: u32 = 4;

/// A running sync.
pub(super) struct Run<'a> {
    transport: &'a dyn Transport,
    on_progress: &'a dyn Fn(&Progress),
    /// Whether a person asked for it.
    pub(super) is_manual: bool,
    ticket: SyncTicket,
    budget: SyncBudget,
    pub(super) done: Progress,
    /// Number of answers that the server has signed.
    pub(super) answers: u32,
    pub(super) piece_size: PieceSize,
    /// Whether a person has given the address, which can be wrong.
    pub(super) is_moving: bool,
    /// The boot clock up to which the first answer at the next address is awaited.
    pub(super) proof_until_ms: u64,
    /// Number of requests at a next address without an answer; the budget does not end a run before another request.
    pub(super) requests_in_vain: u64,
}

/// How a run or a part of it ended.
pub(super) struct Ended {
    pub(super) outcome: SyncOutcome,
    /// End of the run for the retry schedule; `None` if it was cancelled.
    run_end: Option<RunEnd>,
    offline: Option<OfflineReason>,
}

impl Ended {
    fn new(outcome: SyncOutcome, run_end: RunEnd) -> Self {
        Self { outcome, run_end: Some(run_end), offline: None }
    }

    fn cancelled() -> Self {
        Self { outcome: SyncOutcome::Cancelled, run_end: None, offline: None }
    }

    fn offline(run_end: RunEnd, cause: UnavailableCause, reason: String) -> Self {
        let offline = Some(OfflineReason { cause, reason });
        Self { outcome: SyncOutcome::Offline, run_end: Some(run_end), offline }
    }
}

impl FieldClient {
    /// Runs [`FieldClient::sync_with`] as a person's request: manual and without a budget.
    ///
    /// # Errors
    /// As [`FieldClient::sync_with`].
    pub fn sync(&self, transport: &dyn Transport, on_progress: &dyn Fn(&Progress)) -> Result<SyncReport, Error> {
        self.sync_with(transport, &SyncOptions { is_manual: true, ..SyncOptions::default() }, on_progress)
    }

    /// Sends the changes of all users of this phone and carried parcels, fetches what is new, and carries out the office's orders, such as
    /// a wipe. Only one sync runs at a time; a second call waits and then runs its own.
    ///
    /// Being offline is an outcome, not an error. `next_try_ms` says when to call again; an automatic sync before that does nothing.
    /// `on_progress` is called after every response and must not call this.
    ///
    /// # Errors
    /// [`Error::Unauthorized`] if the server does not know the device, [`Error::Unavailable`] at status 429, [`Error::UpdateNeeded`],
    /// [`Error::Store`], [`Error::Internal`]. Then [`SyncStatus`] says when the next sync is due, and what was exchanged stays exchanged.
    pub fn sync_with(
        &self,
        transport: &dyn Transport,
        options: &SyncOptions,
        on_progress: &dyn Fn(&Progress),
    ) -> Result<SyncReport, Error> {
        let ticket = options.ticket.unwrap_or_else(|| self.ticket());
        let mut piece_size = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        self.catch_up_if_behind()?;
        if options.is_manual {
            *self.retry_schedule() = RetrySchedule::default();
        }
        let next_try_ms = self.retry_schedule().wait_ms(self.environment.clock.boot_ms());
        if next_try_ms.is_some_and(|wait_ms| wait_ms > 0) {
            let (outcome, progress) = (SyncOutcome::NotDue, Progress::default());
            return Ok(SyncReport { outcome, offline: None, progress, next_try_ms });
        }
        let run = Run::new(transport, on_progress, ticket, *piece_size);
        let mut run = Run { is_manual: options.is_manual, budget: options.budget, ..run };
        let report = self.sync_report(&mut run, |run| self.sync_rounds(run));
        *piece_size = run.piece_size;
        report
    }

    /// Runs a sync, plans the next, and raises the events around it.
    pub(super) fn sync_report<'a>(
        &self,
        run: &mut Run<'a>,
        sync: impl FnOnce(&mut Run<'a>) -> Result<Ended, Error>,
    ) -> Result<SyncReport, Error> {
        self.events.progressed(Some(run.done), &[Topic::Sync]);
        let ended = sync(run);
        let run_end = match &ended {
            Ok(ended) => ended.run_end,
            Err(Error::Store(_)) => Some(RunEnd::Failed),
            Err(error) if error.code() == ErrorCode::Offline => Some(RunEnd::Failed),
            Err(_) => Some(RunEnd::ServerFailed),
        };
        let now_ms = self.environment.clock.boot_ms();
        // An address that may be wrong says nothing about the stored one.
        let is_stored_address = !run.is_moving || run.answers > 0;
        if let Some(run_end) = run_end.filter(|_| is_stored_address) {
            self.retry_schedule().run_ended(run_end, now_ms, self.random_u64());
        }
        // The identity was read again after the last response, and `synced_at` may have changed.
        self.events.progressed(None, &[Topic::Session, Topic::Reference, Topic::Sync]);
        self.refresh_day_and_access();
        let Ended { outcome, offline, .. } = ended?;
        let next_try_ms = self.retry_schedule().wait_ms(now_ms);
        Ok(SyncReport { outcome, offline, progress: run.done, next_try_ms })
    }

    /// Runs exchanges until no order of the office requires another, the first at the next address if the server answers there.
    fn sync_rounds(&self, run: &mut Run<'_>) -> Result<Ended, Error> {
        let ended = match self.sync_at_next_address(run) {
            Some(ended) => ended?,
            None => self.sync_once(run, None)?,
        };
        self.follow_orders(run, ended)
    }

    /// Carries out orders of the office after an exchange, with up to [`MAX_ROUNDS`] exchanges in all. Returns the end of the last.
    pub(super) fn follow_orders(&self, run: &mut Run<'_>, mut ended: Ended) -> Result<Ended, Error> {
        // A further round follows only from an order of the office: after a change of keys, or to upload everything before a wipe.
        for round in 1..=MAX_ROUNDS {
            // Also after a partial run: a copied phone that shares its key may never complete one, and the order to change the key ends
            // that.
            let is_complete = match ended.outcome {
                SyncOutcome::Complete => true,
                SyncOutcome::Partial => false,
                SyncOutcome::Offline | SyncOutcome::Cancelled | SyncOutcome::NotDue => break,
            };
            match self.apply_orders(run, is_complete) {
                Ok(true) if round < MAX_ROUNDS => ended = self.sync_once(run, None)?,
                Ok(_) => break,
                Err(Error::Unavailable { cause, reason }) if cause != UnavailableCause::RateLimited => {
                    return Ok(self.unanswered(run, cause, reason));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(ended)
    }

    /// Runs one exchange, at the address `moving_to` if there is one, which replaces the stored address once the server has answered there.
    pub(super) fn sync_once(&self, run: &mut Run<'_>, moving_to: Option<&str>) -> Result<Ended, Error> {
        let mut installation = self.installation()?;
        if let Some(server_url) = moving_to {
            installation = Arc::new(Installation { server_url: server_url.to_owned(), ..(*installation).clone() });
        }
        let before = run.done;
        let mut exchange = Exchange::new(&self.store, Arc::clone(&installation), before, run.piece_size);
        if moving_to.is_some() {
            exchange.require_proof();
        }
        if self.has_expired_challenge(&installation) {
            exchange.refresh_challenge_first();
        }
        let ended = self.exchange(&mut exchange, run);
        if moving_to.is_some() && run.answers > 0 {
            // Failures at the previous address say nothing about this one.
            *self.retry_schedule() = RetrySchedule::default();
            *self.next_address_schedule() = RetrySchedule::default();
        }
        let progress = exchange.progress;
        (run.done, run.piece_size) = (progress, exchange.piece_size);
        let has_grown = (progress.sent, progress.read) != (before.sent, before.read);
        if has_grown || progress.received != before.received || exchange.has_rewound() {
            self.is_purge_current.store(false, Ordering::Release);
        }
        if ended.as_ref().is_ok_and(|ended| ended.outcome == SyncOutcome::Complete) {
            let now = self.now();
            self.store.write(|db| {
                // A server without safe copies never lets a phone trim anything, so the size is limited as well.
                if has_grown {
                    outbox::prune(db, MAX_KEPT_BYTES)?;
                    for cursor in incoming::cursors(db)? {
                        tail::trim(db, &cursor.scope, cursor.sequence.saturating_sub(MAX_KEPT_ENTRIES))?;
                    }
                }
                installation::save_synced(db, now)
            })?;
        }
        self.refresh_identity()?;
        ended
    }

    fn exchange(&self, exchange: &mut Exchange<'_>, run: &mut Run<'_>) -> Result<Ended, Error> {
        loop {
            if self.is_cancelled(run) {
                return Ok(Ended::cancelled());
            }
            if !exchange.is_done && run.has_spent(&exchange.progress, self.environment.clock.boot_ms()) {
                return Ok(Ended::new(SyncOutcome::Partial, RunEnd::Slice));
            }
            let (before, answers) = (exchange.progress, exchange.answers);
            let Some(request) = exchange.next_request(self.now())? else { break };
            let asked_at_ms = self.environment.clock.boot_ms();
            let response = match self.send(run, &request) {
                Ok(response) => response,
                Err(TransportError { cause, reason }) => {
                    // Without a connection, the size of the request does not matter.
                    if cause == UnavailableCause::Interrupted && !self.has_stopped(run) {
                        exchange.piece_size.failed();
                    }
                    return Ok(self.unanswered(run, cause, reason));
                }
            };
            let took_ms = self.environment.clock.boot_ms().saturating_sub(asked_at_ms);
            if run.is_moving {
                require_no_redirect(&response, request.path)?;
            }
            match self.handle_response(exchange, run, &response, asked_at_ms) {
                Err(Error::Unavailable { cause, reason }) if cause != UnavailableCause::RateLimited => {
                    if is_success(response.status) {
                        exchange.piece_size.failed();
                    }
                    let run_end = if response.status >= 500 { RunEnd::ServerFailed } else { RunEnd::Failed };
                    return Ok(Ended::offline(run_end, cause, reason));
                }
                handled => handled?,
            }
            // Only a signed answer says that a request of this size arrived.
            if exchange.answers > answers {
                exchange.piece_size.answered(took_ms, (request.body.len() + response.body.len()) as u64);
            }
            let now = exchange.progress;
            // Verdicts change records, drafts and the inbox too.
            let has_moved = (exchange.progress.read, exchange.progress.sent) != (before.read, before.sent);
            // A new phone can record as soon as its grant has arrived, while a long first sync continues.
            if has_moved {
                self.refresh_identity()?;
            }
            self.events.progressed(Some(now), if has_moved { &Topic::ALL } else { &[Topic::Sync] });
            (run.on_progress)(&now);
            // Otherwise a sync that always runs out of time never takes the new key.
            if run.budget.time_ms != u64::MAX && exchange.answers > 0 && self.order() == Some(Order::Rekey) {
                return Ok(Ended::new(SyncOutcome::Partial, RunEnd::Slice));
            }
        }
        let (backlog, carried) =
            self.store.read(|db| Ok::<_, crate::store::Error>((outbox::backlog(db)?, carried::load(db)?)))?;
        let is_answered = backlog.sent + backlog.deferred == 0 && backlog.refused.is_none() && carried.parcels == 0;
        Ok(if is_answered {
            Ended::new(SyncOutcome::Complete, RunEnd::Complete)
        } else {
            Ended::new(SyncOutcome::Partial, RunEnd::Waiting)
        })
    }

    /// Applies a response. A signed answer is a contact, which is saved before, and the hybrid clock follows the times in it.
    fn handle_response(
        &self,
        exchange: &mut Exchange<'_>,
        run: &mut Run<'_>,
        response: &WireResponse,
        asked_at_ms: u64,
    ) -> Result<(), Error> {
        let Some(answer) = exchange.read_response(response)? else { return Ok(()) };
        self.note_contact(answer.server_time(), asked_at_ms, |db| Ok(exchange.save_contact(db, &answer)?))?;
        run.answers += 1;
        let applied = exchange.apply(&answer, self.now());
        self.follow(exchange.newest)?;
        applied
    }

    /// Lets later records sort after one of this hybrid time, unless it is more than a day ahead.
    fn follow(&self, newest: HybridTime) -> Result<(), Error> {
        let mut counters = self.counters();
        let hybrid = counters.hybrid.following(newest, self.now());
        if hybrid != counters.hybrid {
            counters.hybrid = hybrid;
            self.store.write(|db| counters.save(db))?;
        }
        Ok(())
    }

    /// Returns how a run ends whose last request got no answer.
    fn unanswered(&self, run: &Run<'_>, cause: UnavailableCause, reason: String) -> Ended {
        if self.is_cancelled(run) {
            return Ended::cancelled();
        }
        if run.is_out_of_time(self.environment.clock.boot_ms()) {
            let run_end = if run.answers > 0 { RunEnd::Slice } else { RunEnd::Failed };
            return Ended::new(SyncOutcome::Partial, run_end);
        }
        Ended::offline(RunEnd::Failed, cause, reason)
    }

    /// Returns whether a request got no answer because its run was stopped, and not because of its size. If no answer came in the whole
    /// time of a run, its requests may be too large for such a time.
    fn has_stopped(&self, run: &Run<'_>) -> bool {
        self.is_cancelled(run) || run.answers > 0 && run.is_out_of_time(self.environment.clock.boot_ms())
    }

    /// Sends a request of a run; fails as soon as the run is cancelled or its time is used up.
    pub(super) fn send(&self, run: &Run<'_>, request: &WireRequest) -> Result<WireResponse, TransportError> {
        run.transport.send(request, &|| self.must_stop(run))
    }

    /// Returns whether a run was cancelled, or its time or that for a proof is used up.
    pub(super) fn must_stop(&self, run: &Run<'_>) -> bool {
        let now_ms = self.environment.clock.boot_ms();
        let is_unproven = run.answers == 0 && now_ms >= run.proof_until_ms;
        self.is_cancelled(run) || run.is_out_of_time(now_ms) || is_unproven
    }

    fn is_cancelled(&self, run: &Run<'_>) -> bool {
        self.events.has_ended() || self.cancellations.load(Ordering::Acquire) != run.ticket.cancellations
    }

    /// Returns whether the server would reject this phone's challenge as too old. Uses the larger age by phone's time and wall clock, because
    /// either may be wrong after the phone was off. A wrong yes costs a small request, a wrong no a large one.
    fn has_expired_challenge(&self, installation: &Installation) -> bool {
        let age_ms = |now: Timestamp| now.0.saturating_sub(installation.server_time.0);
        age_ms(self.now()).max(age_ms(self.environment.clock.now())) > CHALLENGE_LIFE_MS
    }

    fn retry_schedule(&self) -> MutexGuard<'_, RetrySchedule> {
        self.retry_schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a random number, for waits that differ between phones.
    pub(super) fn random_u64(&self) -> u64 {
        u64::from_le_bytes(self.environment.random())
    }

    /// Returns a ticket for a sync that must wait before it can be called.
    pub fn ticket(&self) -> SyncTicket {
        let cancellations = self.cancellations.load(Ordering::Acquire);
        SyncTicket { at_ms: self.environment.clock.boot_ms(), cancellations }
    }

    /// Cancels all syncs and enrolments that run, wait or have a ticket, also while they wait for an answer; not those requested later.
    pub fn cancel_sync(&self) {
        self.cancellations.fetch_add(1, Ordering::AcqRel);
    }

    /// Returns the sync state of the whole phone, without network.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn sync_status(&self) -> Result<SyncStatus, Error> {
        Ok(self.store.read(|db| self.sync_status_in(db))?)
    }

    pub(super) fn sync_status_in(&self, db: &rusqlite::Connection) -> Result<SyncStatus, crate::store::Error> {
        let installation = installation::load(db)?;
        let retry_schedule = *self.retry_schedule();
        let safe_copy = installation.as_ref().map_or(0, |it| it.safe_copy);
        Ok(SyncStatus {
            backlog: outbox::backlog(db)?,
            set_aside: incoming::set_aside_count(db)?,
            carried: carried::load(db)?,
            exported_at: installation::exported_at(db)?,
            synced_at: installation.and_then(|it| it.synced_at),
            copied_at: i64::try_from(safe_copy).ok().filter(|at| *at > 0).map(Timestamp),
            next_try_ms: retry_schedule.wait_ms(self.environment.clock.boot_ms()),
            is_server_failing: retry_schedule.is_broken(),
        })
    }
}

impl<'a> Run<'a> {
    /// Returns an automatic run without a budget.
    pub(super) fn new(
        transport: &'a dyn Transport,
        on_progress: &'a dyn Fn(&Progress),
        ticket: SyncTicket,
        piece_size: PieceSize,
    ) -> Self {
        Self {
            transport,
            on_progress,
            is_manual: false,
            ticket,
            budget: SyncBudget::default(),
            done: Progress::default(),
            answers: 0,
            piece_size,
            is_moving: false,
            proof_until_ms: u64::MAX,
            requests_in_vain: 0,
        }
    }

    /// Returns whether the budget is used up; never before the first request of the run.
    fn has_spent(&self, spent: &Progress, now_ms: u64) -> bool {
        let bytes = spent.bytes_up + spent.bytes_down;
        spent.requests > self.requests_in_vain && (self.is_out_of_time(now_ms) || bytes >= self.budget.bytes)
    }

    fn is_out_of_time(&self, now_ms: u64) -> bool {
        self.left_ms(now_ms) == 0
    }

    /// Returns what is left of the budget's milliseconds.
    pub(super) fn left_ms(&self, now_ms: u64) -> u64 {
        self.budget.time_ms.saturating_sub(now_ms.saturating_sub(self.ticket.at_ms))
    }
}
