//! Enrolment and sync, as an app calls them.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};

use ed25519_dalek::SigningKey;
use url::Url;

use super::{FieldClient, Session, Topic};
use crate::limits::{CHALLENGE_LIFE_MS, MAX_KEPT_BYTES, MAX_KEPT_ENTRIES};
use crate::protocol::message::EnrolRequest;
use crate::protocol::path;
use crate::rules::check_text;
use crate::store::carried::{self, Carried};
use crate::store::incoming;
use crate::store::installation::{self, Installation};
use crate::store::outbox::{self, Backlog};
use crate::store::tail;
use crate::sync::exchange::{Exchange, enrolment, unsigned_request};
use crate::sync::retry_schedule::{RetrySchedule, RunEnd};
use crate::sync::{Progress, Transport};
use crate::units::{HybridClock, Timestamp};
use crate::{Error, ErrorCode};

/// Rounds of one sync at most: each further one follows from an order of the office.
const MAX_ROUNDS: u32 = 4;

/// How a run of sync is asked for; by default a run that a timer or an event began, without a budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncOptions {
    /// Whether a person asked: such a run is tried at once, whatever became of those before.
    pub is_manual: bool,
    /// What the run may spend.
    pub budget: SyncBudget,
    /// When it was asked for, by [`FieldClient::ticket`], if it had to wait before it could be called.
    pub ticket: Option<SyncTicket>,
}

/// When a run of sync was asked for: its time counts from there, and a later cancellation ends it, however long it waits for its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncTicket {
    /// The monotonic clock.
    at_ms: u64,
    /// The count of cancellations.
    cancellations: u64,
}

/// What one run of sync may spend. It ends after the answer with which one of these is used up; the next run goes on from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncBudget {
    /// Milliseconds from when it was asked for.
    pub time_ms: u64,
    /// Bytes up and down.
    pub bytes: u64,
}

impl Default for SyncBudget {
    /// Whatever it takes.
    fn default() -> Self {
        Self { time_ms: u64::MAX, bytes: u64::MAX }
    }
}

/// How a run of sync ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncOutcome {
    /// The server has all that this phone had, in its log or held, and this phone has all that the server had.
    Complete,
    /// The budget was used up; or something waits for other changes, or the server did not answer about a parcel of others, and everything
    /// else is done.
    Partial,
    /// There was no connection, or it broke off. What was done stays done.
    Offline,
    /// Somebody cancelled. What was done stays done.
    Cancelled,
    /// Nothing was tried, because the tries before failed and the next one is not due. A manual run tries at once.
    NotDue,
}

/// What one run of sync did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncReport {
    /// How it ended.
    pub outcome: SyncOutcome,
    /// What it did.
    pub progress: Progress,
    /// Milliseconds from now until the next run is due; `None` if there is nothing to try for.
    pub next_try_ms: Option<u64>,
}

/// What the phone knows about being in step with the server; never better than what was acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncStatus {
    /// What the server does not have in its log yet.
    pub backlog: Backlog,
    /// Entries from the server that this version could not apply.
    pub set_aside: u64,
    /// What this phone carries for others.
    pub carried: Carried,
    /// When all that waited was last packed for a carrier, by this device's clock; says nothing about its arrival.
    pub exported_at: Option<Timestamp>,
    /// When a run was last complete, by this device's clock.
    pub synced_at: Option<Timestamp>,
    /// Up to when, by the server's clock, two verified copies of its data exist; `None` as long as there are none, and this phone keeps
    /// everything it handed in.
    pub copied_at: Option<Timestamp>,
    /// Milliseconds from now until the next run is due; `None` if there is nothing to try for.
    pub next_try_ms: Option<u64>,
    /// Whether the server failed so often that it is left alone for a while; a manual run tries at once.
    pub is_server_failing: bool,
}

/// One call for a sync.
struct Run<'a> {
    transport: &'a dyn Transport,
    on_progress: &'a dyn Fn(&Progress),
    ticket: SyncTicket,
    budget: SyncBudget,
    /// What its rounds have done.
    done: Progress,
}

impl FieldClient {
    /// Enrols this installation with a code from the office, and fetches reference data and grant. Needs the network, once.
    ///
    /// An attempt whose answer was lost may be repeated with the same code.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an address that is none, and for a code that is wrong, used or expired; [`Error::Refused`] if already enrolled; [`Error::Unavailable`].
    pub fn enrol(
        &self,
        transport: &dyn Transport,
        server_url: &str,
        code: &str,
        model: &str,
    ) -> Result<Session, Error> {
        let already = "this installation is enrolled already: a new organisation needs a data folder of its own";
        if self.identity().installation.is_some() {
            return Err(Error::not_allowed(already));
        }
        let server_url = check_address(server_url)?;
        // One spelling: the same code typed otherwise must find the key of the earlier attempt.
        let code: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
        let code = check_text(&code.to_ascii_uppercase(), true).map_err(|wrong| Error::invalid("code", wrong))?;
        let model = check_text(model, false).map_err(|wrong| Error::invalid("model", wrong))?;
        let fresh = SigningKey::from_bytes(&self.environment.random());
        let key = self.store.write(|db| installation::enrolling_key(db, &code, fresh))?;
        let request = unsigned_request(&server_url, path::ENROL, &EnrolRequest::new(&code, &key, &model))?;
        let response = transport.send(&request).map_err(|error| offline(&error))?;
        let enrolment = enrolment(&response, &key)?;
        self.store.write(|db| {
            if installation::load(db)?.is_some() {
                return Err(Error::not_allowed(already));
            }
            Ok(installation::save(db, &key, &server_url, &enrolment)?)
        })?;
        self.refresh_identity()?;
        self.events.changed(&Topic::ALL);
        // Enrolled it is from here on; if this first sync fails, the session has no grant yet and any later sync brings it.
        drop(self.sync(transport, &|_| ()));
        self.session().ok_or_else(|| Error::Internal { reason: "enrolled, but without a session".into() })
    }

    /// Pushes everybody's work from this phone and fetches the news, because a person asked: [`FieldClient::sync_with`], manual and without
    /// a budget.
    ///
    /// # Errors
    /// As [`FieldClient::sync_with`].
    pub fn sync(&self, transport: &dyn Transport, on_progress: &dyn Fn(&Progress)) -> Result<SyncReport, Error> {
        self.sync_with(transport, &SyncOptions { is_manual: true, ..SyncOptions::default() }, on_progress)
    }

    /// Pushes everybody's work from this phone and fetches the news. Only one run at a time: a second caller waits, then runs its own.
    ///
    /// Being offline is not an error: the outcome says so, and what was done stays done. Whether and when to call again, `next_try_ms` says;
    /// a call that comes earlier and is not manual does nothing. `on_progress` is told after every answer; it must not call this.
    ///
    /// # Errors
    /// [`Error::SignIn`] if the server does not know the device, [`Error::UpdateNeeded`], [`Error::Store`], [`Error::Internal`]; after these
    /// too the next try is in [`SyncStatus`].
    pub fn sync_with(
        &self,
        transport: &dyn Transport,
        options: &SyncOptions,
        on_progress: &dyn Fn(&Progress),
    ) -> Result<SyncReport, Error> {
        let ticket = options.ticket.unwrap_or_else(|| self.ticket());
        let _one_at_a_time = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        if options.is_manual {
            *self.retry_schedule() = RetrySchedule::default();
        }
        let next_try_ms = self.retry_schedule().wait_ms(self.environment.clock.monotonic_ms());
        if next_try_ms.is_some_and(|wait_ms| wait_ms > 0) {
            return Ok(SyncReport { outcome: SyncOutcome::NotDue, progress: Progress::default(), next_try_ms });
        }
        let done = Progress::default();
        self.events.progressed(Some(done), &[Topic::Sync]);
        let mut run = Run { transport, on_progress, ticket, budget: options.budget, done };
        let ended = self.sync_rounds(&mut run);
        let how = match &ended {
            Ok((_, how)) => *how,
            Err(Error::Store(_) | Error::Unavailable { code: ErrorCode::Offline, .. }) => Some(RunEnd::Failed),
            Err(_) => Some(RunEnd::ServerFailed),
        };
        let now_ms = self.environment.clock.monotonic_ms();
        if let Some(how) = how {
            self.retry_schedule().run_ended(how, now_ms, self.random_u64());
        }
        // What came in last is read by now, and when everybody was in step has changed.
        self.events.progressed(None, &[Topic::Session, Topic::Reference, Topic::Sync]);
        self.refresh_day_and_access();
        let (outcome, _) = ended?;
        Ok(SyncReport { outcome, progress: run.done, next_try_ms: self.retry_schedule().wait_ms(now_ms) })
    }

    /// Returns the outcome, and what it means for the next try; nothing if somebody cancelled.
    fn sync_rounds(&self, run: &mut Run<'_>) -> Result<(SyncOutcome, Option<RunEnd>), Error> {
        let mut ended = (SyncOutcome::Complete, Some(RunEnd::Complete));
        // More than once only when the office ordered something that makes work: a new key, a last handing in.
        for _ in 0..MAX_ROUNDS {
            ended = self.sync_once(run)?;
            // Not only after a complete run: what keeps a copied phone from completing may be that it shares its key.
            let is_complete = match ended.0 {
                SyncOutcome::Complete => true,
                SyncOutcome::Partial => false,
                SyncOutcome::Offline | SyncOutcome::Cancelled | SyncOutcome::NotDue => break,
            };
            match self.apply_orders(run.transport, is_complete) {
                Ok(false) => break,
                Ok(true) => {}
                Err(Error::Unavailable { code: ErrorCode::Offline | ErrorCode::Interrupted, .. }) => {
                    return Ok((SyncOutcome::Offline, Some(RunEnd::Failed)));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(ended)
    }

    fn sync_once(&self, run: &mut Run<'_>) -> Result<(SyncOutcome, Option<RunEnd>), Error> {
        let installation = self.installation()?;
        let before = run.done;
        let mut exchange = Exchange::new(&self.store, &self.environment, Arc::clone(&installation), before);
        if self.has_expired_challenge(&installation) {
            exchange.ask_first();
        }
        let ended = self.exchange(&mut exchange, run);
        let (progress, newest, answers) = (exchange.progress, exchange.newest, exchange.answers);
        run.done = progress;
        let has_grown = (progress.sent, progress.read) != (before.sent, before.read);
        if has_grown || progress.received != before.received || exchange.has_rewound() {
            self.is_purged.store(false, Ordering::Release);
        }
        if matches!(ended, Ok((SyncOutcome::Complete, _))) {
            let now = self.environment.clock.now();
            self.store.write(|db| {
                // Without copies nothing is ever safe, and a phone's disk is not endless.
                if has_grown {
                    outbox::prune(db, MAX_KEPT_BYTES)?;
                    for cursor in incoming::cursors(db)? {
                        tail::trim(db, &cursor.scope, cursor.sequence.saturating_sub(MAX_KEPT_ENTRIES))?;
                    }
                }
                installation::save_synced(db, now)
            })?;
        }
        if answers > 0 {
            self.save_contact_time()?;
        }
        self.refresh_identity()?;
        // What is recorded from now on sorts after what came in, unless that is more than a day ahead.
        let mut counters = self.counters();
        let mut clock = HybridClock::after(counters.hybrid);
        clock.observe(newest, self.environment.clock.now());
        if clock.last() != counters.hybrid {
            counters.hybrid = clock.last();
            self.store.write(|db| counters.save(db))?;
        }
        drop(counters);
        ended
    }

    fn exchange(&self, exchange: &mut Exchange<'_>, run: &Run<'_>) -> Result<(SyncOutcome, Option<RunEnd>), Error> {
        loop {
            if self.events.has_ended() || self.cancellations.load(Ordering::Acquire) != run.ticket.cancellations {
                return Ok((SyncOutcome::Cancelled, None));
            }
            if !exchange.is_done && run.has_spent(&exchange.progress, self.environment.clock.monotonic_ms()) {
                return Ok((SyncOutcome::Partial, Some(RunEnd::Slice)));
            }
            let before = exchange.progress;
            let Some(request) = exchange.next_request()? else { break };
            let Ok(response) = run.transport.send(&request) else {
                return Ok((SyncOutcome::Offline, Some(RunEnd::Failed)));
            };
            match exchange.handle_response(&response) {
                Err(Error::Unavailable { code: ErrorCode::Offline | ErrorCode::Interrupted, .. }) => {
                    let ended = if response.status >= 500 { RunEnd::ServerFailed } else { RunEnd::Failed };
                    return Ok((SyncOutcome::Offline, Some(ended)));
                }
                handled => handled?,
            }
            let now = exchange.progress;
            // Verdicts change records, drafts and the inbox as much as what was read.
            let is_news = (exchange.progress.read, exchange.progress.sent) != (before.read, before.sent);
            self.events.progressed(Some(now), if is_news { &Topic::ALL } else { &[Topic::Sync] });
            (run.on_progress)(&now);
        }
        let (backlog, carried) =
            self.store.read(|db| Ok::<_, crate::store::Error>((outbox::backlog(db)?, carried::load(db)?)))?;
        let is_answered = backlog.sent + backlog.deferred == 0 && backlog.refused.is_none() && carried.parcels == 0;
        Ok(if is_answered {
            (SyncOutcome::Complete, Some(RunEnd::Complete))
        } else {
            (SyncOutcome::Partial, Some(RunEnd::Waiting))
        })
    }

    /// Whether the server would refuse the challenge that this phone has. Told by both clocks, because each has its fault: the wall clock may be
    /// wrong, the monotonic one stands still while the phone sleeps. Being wrong costs a small request; not knowing costs a large one.
    fn has_expired_challenge(&self, installation: &Installation) -> bool {
        let given_at = installation.synced_at.map_or(installation.server_time, |at| at.max(installation.server_time));
        let age_ms = self.environment.clock.now().0.saturating_sub(given_at.0);
        let idle_ms = i64::try_from(self.idle_ms(&self.counters())).unwrap_or(i64::MAX);
        age_ms.max(idle_ms) > CHALLENGE_LIFE_MS
    }

    fn retry_schedule(&self) -> MutexGuard<'_, RetrySchedule> {
        self.retry_schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Any number, for waits that should differ from phone to phone.
    pub(super) fn random_u64(&self) -> u64 {
        u64::from_le_bytes(self.environment.random())
    }

    /// Now, for a run that must wait before it can be called.
    pub fn ticket(&self) -> SyncTicket {
        let cancellations = self.cancellations.load(Ordering::Acquire);
        SyncTicket { at_ms: self.environment.clock.monotonic_ms(), cancellations }
    }

    /// Ends every sync that was asked for, after the answer it waits for.
    pub fn cancel_sync(&self) {
        self.cancellations.fetch_add(1, Ordering::AcqRel);
    }

    /// What the server does not have yet, and since when.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn sync_status(&self) -> Result<SyncStatus, Error> {
        Ok(self.store.read(|db| self.sync_status_in(db))?)
    }

    pub(super) fn sync_status_in(&self, db: &rusqlite::Connection) -> Result<SyncStatus, crate::store::Error> {
        let synced_at = self.session().and_then(|session| session.synced_at);
        let retry_schedule = *self.retry_schedule();
        let safe_copy = installation::load(db)?.map_or(0, |it| it.safe_copy);
        Ok(SyncStatus {
            backlog: outbox::backlog(db)?,
            set_aside: incoming::set_aside_count(db)?,
            carried: carried::load(db)?,
            exported_at: installation::exported_at(db)?,
            synced_at,
            copied_at: i64::try_from(safe_copy).ok().filter(|at| *at > 0).map(Timestamp),
            next_try_ms: retry_schedule.wait_ms(self.environment.clock.monotonic_ms()),
            is_server_failing: retry_schedule.is_broken(),
        })
    }
}

impl Run<'_> {
    /// Whether the budget is used up; the first request is always sent.
    fn has_spent(&self, spent: &Progress, now_ms: u64) -> bool {
        let bytes = spent.bytes_up + spent.bytes_down;
        let time_ms = now_ms.saturating_sub(self.ticket.at_ms);
        spent.requests > 0 && (time_ms >= self.budget.time_ms || bytes >= self.budget.bytes)
    }
}

/// The address of a server as requests begin with it: a scheme, a host, perhaps a port and a path, nothing else.
fn check_address(text: &str) -> Result<String, Error> {
    let wrong = |reason: &dyn std::fmt::Display| {
        Error::invalid("server_url", format!("no address, such as https://sync.example.org: {reason}"))
    };
    let url = Url::parse(text.trim()).map_err(|error| wrong(&error))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(wrong(&"begins with https://"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(wrong(&"has neither a name nor a password, and nothing after ? or #"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

pub(super) fn offline(error: &crate::sync::TransportError) -> Error {
    Error::Unavailable { code: ErrorCode::Offline, reason: error.to_string() }
}
