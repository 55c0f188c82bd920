//! Enrolment and sync.

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
use crate::units::{EnrolCode, Timestamp};
use crate::{Error, ErrorCode};

/// Maximum number of rounds of a sync; each after the first follows from an order of the office.
const MAX_ROUNDS: u32 = 4;

/// Options of a sync; by default an automatic one without a budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncOptions {
    /// Whether a person asked for it; such a sync resets the retry schedule and begins at once.
    pub is_manual: bool,
    /// Limits of time and data; at least one request is sent.
    pub budget: SyncBudget,
    /// Ticket from [`FieldClient::ticket`], if the sync had to wait before it could be called; `None` takes one at the call.
    pub ticket: Option<SyncTicket>,
}

/// Moment of a request for a sync: its time budget counts from there, and a later cancellation ends it, even while it waits for its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncTicket {
    /// The boot clock in milliseconds.
    at_ms: u64,
    /// Number of cancellations at that time.
    cancellations: u64,
}

/// Limits of one sync. It ends with the response that uses up one of them; the next sync continues from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncBudget {
    /// Milliseconds since the sync's ticket was taken.
    pub time_ms: u64,
    /// Bytes sent plus bytes received.
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
    /// There was no connection, it broke, or the server could not answer at present; what was exchanged stays exchanged.
    Offline,
    /// It was cancelled, or the client was closed; what was exchanged stays exchanged.
    Cancelled,
    /// Nothing was tried, because earlier syncs failed and the next automatic one is not due.
    NotDue,
}

/// Result of a sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncReport {
    /// How it ended.
    pub outcome: SyncOutcome,
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

/// A running sync.
struct Run<'a> {
    transport: &'a dyn Transport,
    on_progress: &'a dyn Fn(&Progress),
    ticket: SyncTicket,
    budget: SyncBudget,
    done: Progress,
    /// The boot clock when the last request was sent to which there is a signed answer.
    contact_ms: u64,
}

impl FieldClient {
    /// Enrols this device with a code from the office, then tries a first sync. If the response was lost, repeat it with the same code.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a wrong address or a wrong, used or expired code; [`Error::Refused`] if enrolled; [`Error::Unavailable`].
    pub fn enrol(
        &self,
        transport: &dyn Transport,
        server_url: &str,
        code: &str,
        model: &str,
    ) -> Result<Session, Error> {
        let already = "this device is enrolled already: a new organisation needs a data folder of its own";
        if self.identity().installation.is_some() {
            return Err(Error::not_allowed(already));
        }
        let server_url = normalize_server_url(server_url)?;
        // Normalised: the same code typed differently must find the key of the earlier attempt.
        let code: EnrolCode = code.parse().map_err(|wrong| Error::invalid("code", wrong))?;
        let code = code.to_string();
        let model = check_text(model, false).map_err(|wrong| Error::invalid("model", wrong))?;
        let fresh = SigningKey::from_bytes(&self.environment.random());
        let key = self.store.write(|db| installation::enrolling_key(db, &code, fresh))?;
        let request = unsigned_request(&server_url, path::ENROL, &EnrolRequest::new(&code, &key, &model))?;
        let sent_ms = self.environment.clock.boot_ms();
        let response = transport.send(&request).map_err(|error| offline(&error))?;
        let enrolment = enrolment(&response, &key)?;
        // In one transaction, because a repeated call would need the key that `save` deletes.
        self.reset_idle(enrolment.server_time, sent_ms, |db| {
            if installation::load(db)?.is_some() {
                return Err(Error::not_allowed(already));
            }
            Ok(installation::save(db, &key, &server_url, &enrolment)?)
        })?;
        self.refresh_identity()?;
        self.events.changed(&Topic::ALL);
        // The phone is enrolled now. If this first sync fails, the session has no grant until a later one.
        drop(self.sync(transport, &|_| ()));
        self.session().ok_or_else(|| Error::Internal { reason: "no session after enrolment".into() })
    }

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
        let _one_at_a_time = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        if options.is_manual {
            *self.retry_schedule() = RetrySchedule::default();
        }
        let next_try_ms = self.retry_schedule().wait_ms(self.environment.clock.boot_ms());
        if next_try_ms.is_some_and(|wait_ms| wait_ms > 0) {
            return Ok(SyncReport { outcome: SyncOutcome::NotDue, progress: Progress::default(), next_try_ms });
        }
        let done = Progress::default();
        self.events.progressed(Some(done), &[Topic::Sync]);
        let mut run = Run { transport, on_progress, ticket, budget: options.budget, done, contact_ms: 0 };
        let ended = self.sync_rounds(&mut run);
        let how = match &ended {
            Ok((_, how)) => *how,
            Err(Error::Store(_) | Error::Unavailable { code: ErrorCode::Offline, .. }) => Some(RunEnd::Failed),
            Err(_) => Some(RunEnd::ServerFailed),
        };
        let now_ms = self.environment.clock.boot_ms();
        if let Some(how) = how {
            self.retry_schedule().run_ended(how, now_ms, self.random_u64());
        }
        // The identity was read again after the last response, and `synced_at` may have changed.
        self.events.progressed(None, &[Topic::Session, Topic::Reference, Topic::Sync]);
        self.refresh_day_and_access();
        let (outcome, _) = ended?;
        Ok(SyncReport { outcome, progress: run.done, next_try_ms: self.retry_schedule().wait_ms(now_ms) })
    }

    /// Runs up to [`MAX_ROUNDS`] exchanges, until no order of the office requires another. Returns the outcome of the last, and the end of
    /// the run for the retry schedule (`None` if it was cancelled).
    fn sync_rounds(&self, run: &mut Run<'_>) -> Result<(SyncOutcome, Option<RunEnd>), Error> {
        let mut ended = (SyncOutcome::Complete, Some(RunEnd::Complete));
        // A further round follows only from an order of the office: after a change of keys, or to upload everything before a wipe.
        for _ in 0..MAX_ROUNDS {
            ended = self.sync_once(run)?;
            // Also after a partial run: a copied phone that shares its key may never complete one, and the order to change the key ends
            // that.
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
            exchange.refresh_challenge_first();
        }
        let ended = self.exchange(&mut exchange, run);
        let (progress, newest, answers) = (exchange.progress, exchange.newest, exchange.answers);
        run.done = progress;
        let has_grown = (progress.sent, progress.read) != (before.sent, before.read);
        if has_grown || progress.received != before.received || exchange.has_rewound() {
            self.is_purge_current.store(false, Ordering::Release);
        }
        if matches!(ended, Ok((SyncOutcome::Complete, _))) {
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
        if answers > 0 {
            self.reset_idle(exchange.server_time, run.contact_ms, |_| Ok(()))?;
        }
        self.refresh_identity()?;
        // Later records sort after those received, unless the received ones are more than a day ahead.
        let mut counters = self.counters();
        let hybrid = counters.hybrid.following(newest, self.now());
        if hybrid != counters.hybrid {
            counters.hybrid = hybrid;
            self.store.write(|db| counters.save(db))?;
        }
        drop(counters);
        ended
    }

    fn exchange(&self, exchange: &mut Exchange<'_>, run: &mut Run<'_>) -> Result<(SyncOutcome, Option<RunEnd>), Error> {
        loop {
            if self.events.has_ended() || self.cancellations.load(Ordering::Acquire) != run.ticket.cancellations {
                return Ok((SyncOutcome::Cancelled, None));
            }
            if !exchange.is_done && run.has_spent(&exchange.progress, self.environment.clock.boot_ms()) {
                return Ok((SyncOutcome::Partial, Some(RunEnd::Slice)));
            }
            let before = exchange.progress;
            let Some(request) = exchange.next_request()? else { break };
            let (sent_ms, answers) = (self.environment.clock.boot_ms(), exchange.answers);
            let Ok(response) = run.transport.send(&request) else {
                return Ok((SyncOutcome::Offline, Some(RunEnd::Failed)));
            };
            let handled = exchange.handle_response(&response);
            if exchange.answers > answers {
                run.contact_ms = sent_ms;
            }
            match handled {
                Err(Error::Unavailable { code: ErrorCode::Offline | ErrorCode::Interrupted, .. }) => {
                    let ended = if response.status >= 500 { RunEnd::ServerFailed } else { RunEnd::Failed };
                    return Ok((SyncOutcome::Offline, Some(ended)));
                }
                handled => handled?,
            }
            let now = exchange.progress;
            // Verdicts change records, drafts and the inbox too.
            let has_moved = (exchange.progress.read, exchange.progress.sent) != (before.read, before.sent);
            self.events.progressed(Some(now), if has_moved { &Topic::ALL } else { &[Topic::Sync] });
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

    /// Cancels all syncs that run, wait or have a ticket, each after the response that it waits for; not those requested later.
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

impl Run<'_> {
    /// Returns whether the budget is used up; never before the first request of the run.
    fn has_spent(&self, spent: &Progress, now_ms: u64) -> bool {
        let bytes = spent.bytes_up + spent.bytes_down;
        let time_ms = now_ms.saturating_sub(self.ticket.at_ms);
        spent.requests > 0 && (time_ms >= self.budget.time_ms || bytes >= self.budget.bytes)
    }
}

/// Checks a server's address (HTTP or HTTPS, a host, at most a port and a path) and returns it without a slash at its end.
fn normalize_server_url(text: &str) -> Result<String, Error> {
    let wrong = |reason: &dyn std::fmt::Display| {
        Error::invalid("server_url", format!("not an address such as https://sync.example.org: {reason}"))
    };
    let url = Url::parse(text.trim()).map_err(|error| wrong(&error))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(wrong(&"it must begin with https://"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(wrong(&"must not contain a user name, a password, ? or #"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

pub(super) fn offline(error: &crate::sync::TransportError) -> Error {
    Error::Unavailable { code: ErrorCode::Offline, reason: error.to_string() }
}
