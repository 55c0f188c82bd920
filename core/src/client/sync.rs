//! Enrolment and sync, as an app calls them.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use ed25519_dalek::SigningKey;

use super::{FieldClient, Session};
use crate::rules::check_text;
use crate::store::carried::{self, Carried};
use crate::store::inbox;
use crate::store::installation;
use crate::store::outbox::{self, Backlog};
use crate::sync::exchange::{Exchange, enrol_request, enrolment};
use crate::sync::message::EnrolRequest;
use crate::sync::{Progress, Transport};
use crate::units::{HybridClock, Timestamp};
use crate::{Error, ErrorCode};

/// Rounds of one sync at most: each further one follows from an order of the office.
const MAX_ROUNDS: u32 = 4;

/// How a run of sync ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncOutcome {
    /// The server has all that this phone had, in its log or held, and this phone has all that the server had.
    Complete,
    /// Something waits for other changes, or the server did not answer about a parcel of others; everything else is done.
    Partial,
    /// There was no connection, or it broke off. What was done stays done.
    Offline,
    /// Somebody cancelled. What was done stays done.
    Cancelled,
}

/// What one run of sync did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncReport {
    /// How it ended.
    pub outcome: SyncOutcome,
    /// What it did.
    pub progress: Progress,
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
}

impl FieldClient {
    /// Enrols this installation with a code from the office, and fetches reference data and grant. Needs the network, once.
    ///
    /// An attempt whose answer was lost may be repeated with the same code.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a code that is wrong, used or expired; [`Error::Refused`] if already enrolled; [`Error::Unavailable`].
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
        let server_url = server_url.trim().trim_end_matches('/');
        if !server_url.starts_with("https://") && !server_url.starts_with("http://") {
            return Err(Error::invalid("server_url", "begins with https://"));
        }
        // One spelling: the same code typed otherwise must find the key of the earlier attempt.
        let code: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
        let code = check_text(&code.to_ascii_uppercase(), true).map_err(|wrong| Error::invalid("code", wrong))?;
        let model = check_text(model, false).map_err(|wrong| Error::invalid("model", wrong))?;
        let fresh = SigningKey::from_bytes(&self.environment.random());
        let key = self.store.write(|db| installation::enrolling_key(db, &code, fresh))?;
        let request = enrol_request(server_url, &EnrolRequest::new(&code, &key, &model))?;
        let response = transport.send(&request).map_err(|error| offline(&error))?;
        let enrolment = enrolment(&response)?;
        self.store.write(|db| {
            if installation::load(db)?.is_some() {
                return Err(Error::not_allowed(already));
            }
            Ok(installation::save(db, &key, server_url, &enrolment)?)
        })?;
        self.refresh_identity()?;
        // Enrolled it is from here on; if this first sync fails, the session has no grant yet and any later sync brings it.
        drop(self.sync(transport, &|_| ()));
        self.session().ok_or_else(|| Error::Internal { reason: "enrolled, but without a session".into() })
    }

    /// Pushes everybody's work from this phone and fetches the news. Only one run at a time: a second caller waits, then runs its own.
    ///
    /// Being offline is not an error: the outcome says so, and what was done stays done. `on_progress` is told after every answer; it must not
    /// call `sync`.
    ///
    /// # Errors
    /// [`Error::SignIn`] if the server does not know the device, [`Error::UpdateNeeded`], [`Error::Store`], [`Error::Internal`].
    pub fn sync(&self, transport: &dyn Transport, on_progress: &dyn Fn(&Progress)) -> Result<SyncReport, Error> {
        let begun_at = self.cancellations.load(Ordering::Acquire);
        let _one_at_a_time = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut whole = SyncReport { outcome: SyncOutcome::Complete, progress: Progress::default() };
        // More than once only when the office ordered something that makes work: a new key, a last handing in.
        for _ in 0..MAX_ROUNDS {
            let report = self.sync_once(transport, on_progress, begun_at)?;
            whole = SyncReport { outcome: report.outcome, progress: whole.progress + report.progress };
            if report.outcome != SyncOutcome::Complete || !self.obey(transport)? {
                break;
            }
        }
        Ok(whole)
    }

    fn sync_once(
        &self,
        transport: &dyn Transport,
        on_progress: &dyn Fn(&Progress),
        begun_at: u64,
    ) -> Result<SyncReport, Error> {
        let installation = self.installation()?;
        let hybrid = self.counters().hybrid;
        let mut exchange = Exchange::new(&self.store, &self.environment, installation, hybrid);
        let ended = self.run(&mut exchange, transport, on_progress, begun_at);
        let (progress, newest, answers) = (exchange.progress, exchange.newest, exchange.answers);
        if matches!(ended, Ok(SyncOutcome::Complete)) {
            let now = self.environment.clock.now();
            self.store.write(|db| installation::save_synced(db, now))?;
        }
        if answers > 0 {
            self.note_contact()?;
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
        Ok(SyncReport { outcome: ended?, progress })
    }

    fn run(
        &self,
        exchange: &mut Exchange<'_>,
        transport: &dyn Transport,
        on_progress: &dyn Fn(&Progress),
        begun_at: u64,
    ) -> Result<SyncOutcome, Error> {
        loop {
            if self.cancellations.load(Ordering::Acquire) != begun_at {
                return Ok(SyncOutcome::Cancelled);
            }
            let Some(request) = exchange.next_request()? else { break };
            let Ok(response) = transport.send(&request) else { return Ok(SyncOutcome::Offline) };
            match exchange.handle_response(&response) {
                Err(Error::Unavailable { code: ErrorCode::Offline | ErrorCode::Interrupted, .. }) => {
                    return Ok(SyncOutcome::Offline);
                }
                handled => handled?,
            }
            on_progress(&exchange.progress);
        }
        let (backlog, carried) =
            self.store.read(|db| Ok::<_, crate::store::Error>((outbox::backlog(db)?, carried::load(db)?)))?;
        Ok(if backlog.sent == 0 && backlog.refused.is_none() && carried.parcels == 0 {
            SyncOutcome::Complete
        } else {
            SyncOutcome::Partial
        })
    }

    /// Ends every sync that has begun, after the answer it waits for.
    pub fn cancel_sync(&self) {
        self.cancellations.fetch_add(1, Ordering::AcqRel);
    }

    /// What the server does not have yet, and since when.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn sync_status(&self) -> Result<SyncStatus, Error> {
        let synced_at = self.session().and_then(|session| session.synced_at);
        Ok(self.store.read(|db| {
            let (backlog, set_aside) = (outbox::backlog(db)?, inbox::held_count(db)?);
            let (carried, exported_at) = (carried::load(db)?, installation::exported_at(db)?);
            let safe_copy = installation::load(db)?.map_or(0, |it| it.safe_copy);
            let copied_at = i64::try_from(safe_copy).ok().filter(|at| *at > 0).map(Timestamp);
            Ok::<_, crate::store::Error>(SyncStatus { backlog, set_aside, carried, exported_at, synced_at, copied_at })
        })?)
    }
}

fn offline(error: &crate::sync::TransportError) -> Error {
    Error::Unavailable { code: ErrorCode::Offline, reason: error.to_string() }
}
