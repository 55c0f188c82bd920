//! The sync server: takes in what phones recorded, hands out what others recorded and the office decided.
//!
//! Owns the log of each scope, the judging of bundles, enrolment, and the office's page. Rules, merging and projection are core's.
//! Invariants: nothing is acknowledged before it is durable; nothing is refused silently; a request may be repeated.
//! Read next: `ingest.rs` for what becomes of a bundle, `handover.rs` for one that was carried here, `pull.rs` for what a phone gets, `storage/mod.rs` for where it is kept.

mod access;
mod backup;
mod enrol;
mod error;
mod handover;
mod http;
mod ingest;
mod journal;
mod keys;
mod live;
mod office;
mod page;
mod pull;
#[expect(clippy::redundant_closure_for_method_calls, reason = "the method alone is of one lifetime, not of any")]
mod recovery;
mod reviews;
mod rulings;
pub mod storage;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use ed25519_dalek::VerifyingKey;
use farmtally_core::environment::Environment;
use farmtally_core::limits::{MAX_BODY_BYTES, MAX_BUNDLES, MAX_CURSORS, MAX_OFFERS, MAX_PARCELS};
use farmtally_core::protocol::authorization::{Authorization, Signed};
use farmtally_core::protocol::log::Cursor;
use farmtally_core::protocol::message::{
    self, ChallengeResponse, EnrolRequest, News, PROTOCOL_VERSION, Problem, RekeyRequest, Statement, SyncRequest,
    SyncResponse, WireError,
};
use farmtally_core::protocol::path;
use farmtally_core::sync::{WireRequest, WireResponse};
use farmtally_core::units::{DeviceId, OrganisationId, Timestamp};

pub use access::GrantLine;
pub use error::Error;
pub use handover::Imported;
pub use http::{Running, serve};
use journal::Journal;
use keys::Keys;
use live::Listeners;
pub use live::MOST_LISTENERS;
pub use office::{NewCode, ReferenceFile};
pub use page::{Day, DayCentre, DeviceLine, HeldLine, Lane, Waiting};
use pull::Pulled;
use storage::{Device, ReadTransaction, SqliteStorage, Storage, WriteTransaction};

/// How exactly a device's last contact is noted: a sync without news writes nothing within this time.
const SEEN_STEP_MS: i64 = 60_000;

/// A server over its storage; [`serve`] puts it on the network.
pub struct Server {
    storage: Box<dyn Storage>,
    keys: Keys,
    journal: Journal,
    environment: Environment,
    listeners: Listeners,
    /// Heads that are in the database, and could not be noted in the journal.
    unnoted: Mutex<BTreeMap<OrganisationId, Vec<Cursor>>>,
}

impl Server {
    /// Opens a data folder, and makes it if there is none: databases in `data`; beside them, and in no backup of them, `keys` and `journal`.
    ///
    /// # Errors
    /// [`Error::Setup`], [`Error::Storage`].
    pub fn open(folder: &Path, environment: Environment) -> Result<Self, Error> {
        let storage = SqliteStorage::open(&folder.join("data"))?;
        Self::with_storage(Box::new(storage), folder, environment)
    }

    /// Opens a server over a storage that is elsewhere: the folder is for `keys` and `journal`.
    ///
    /// # Errors
    /// [`Error::Setup`], [`Error::Storage`].
    pub fn with_storage(storage: Box<dyn Storage>, folder: &Path, environment: Environment) -> Result<Self, Error> {
        let is_new = storage.organisations()?.is_empty();
        let keys = Keys::open(&folder.join("keys"), &environment, is_new)?;
        let journal = Journal::open(&folder.join("journal"))?;
        let server =
            Self { storage, keys, journal, environment, listeners: Listeners::default(), unnoted: Mutex::default() };
        server.compare_with_journal()?;
        server.replay_erasures()?;
        let now = server.environment.clock.now();
        for organisation in server.organisations()? {
            server.write(organisation, |db| ingest::judge_unknown_kinds(db, now))?;
        }
        Ok(server)
    }

    /// Runs `work` on a snapshot and returns its result.
    fn read<T>(
        &self,
        organisation: OrganisationId,
        work: impl Fn(&mut ReadTransaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        storage::read(&*self.storage, organisation, work)
    }

    /// Runs `work` in a transaction, perhaps more than once, and returns its result once it is durable, and what it appended to logs is in the
    /// journal.
    fn write<T>(
        &self,
        organisation: OrganisationId,
        work: impl Fn(&mut WriteTransaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (result, heads) = storage::write(&*self.storage, organisation, work)?;
        self.note(organisation, &heads)?;
        if !heads.is_empty() {
            self.storage.announce(organisation, heads.into())?;
        }
        Ok(result)
    }

    /// Notes in the journal where logs end. What could not be noted is noted with what comes next: nobody is told of either before.
    fn note(&self, organisation: OrganisationId, heads: &[Cursor]) -> Result<(), Error> {
        let mut unnoted = self.unnoted.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting: Vec<Cursor> = unnoted.remove(&organisation).unwrap_or_default();
        let all: Vec<Cursor> = waiting.into_iter().chain(heads.iter().cloned()).collect();
        if let Err(error) = self.journal.advanced(organisation, &all) {
            unnoted.insert(organisation, all);
            return Err(error);
        }
        Ok(())
    }

    /// All organisations.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn organisations(&self) -> Result<Vec<OrganisationId>, Error> {
        self.storage.organisations()
    }

    /// Answers a phone. Blocks on the database.
    pub fn respond(&self, request: &WireRequest) -> WireResponse {
        let answer = match (request.method, request.path) {
            ("POST", path::ENROL) => self.enrol(&request.body),
            ("POST", path::SYNC) => self.sync(request),
            ("POST", path::REKEY) => self.rekey(request),
            ("POST", path::WIPED) => self.wiped(request),
            ("POST", path::READMIT) => self.show_certificate(&request.body),
            _ => Err(Error::NotFound { what: "path" }),
        };
        answer.map_or_else(|error| self.refuse(request.path, &error), |body| WireResponse { status: 200, body })
    }

    fn refuse(&self, path: &'static str, error: &Error) -> WireResponse {
        let body = match error {
            Error::Unauthorized => self.challenge(),
            error => problem(error),
        };
        if error.status() >= 500 {
            tracing::error!(code = %error.code(), path, "{error}");
        }
        WireResponse { status: error.status(), body }
    }

    fn challenge(&self) -> Vec<u8> {
        let server_time = self.environment.clock.now();
        pack(&ChallengeResponse { challenge: self.keys.challenge(server_time), server_time }).unwrap_or_default()
    }

    fn enrol(&self, body: &[u8]) -> Result<Vec<u8>, Error> {
        let request: EnrolRequest = unpack(body)?;
        require_protocol(request.protocol)?;
        pack(&self.redeem(&request)?)
    }

    fn rekey(&self, request: &WireRequest) -> Result<Vec<u8>, Error> {
        let (organisation, device) = self.authenticate(request, self.environment.clock.now())?;
        let asked: RekeyRequest = unpack(&request.body)?;
        require_protocol(asked.protocol)?;
        pack(&self.take_new_key(organisation, device.device, &asked)?)
    }

    fn show_certificate(&self, body: &[u8]) -> Result<Vec<u8>, Error> {
        self.readmit(&unpack(body)?)?;
        Ok(self.challenge())
    }

    /// The signed receipt of a device that is about to destroy what it holds.
    fn wiped(&self, request: &WireRequest) -> Result<Vec<u8>, Error> {
        let now = self.environment.clock.now();
        let (organisation, device) = self.authenticate(request, now)?;
        self.write(organisation, |db| db.set_wiped(device.device, now))?;
        Ok(self.challenge())
    }

    fn sync(&self, request: &WireRequest) -> Result<Vec<u8>, Error> {
        let now = self.environment.clock.now();
        let (organisation, device) = self.authenticate(request, now)?;
        let asked: SyncRequest = unpack(&request.body)?;
        require_protocol(asked.protocol)?;
        if asked.bundles.len() > MAX_BUNDLES || asked.cursors.len() > MAX_CURSORS {
            let reason = format!("at most {MAX_BUNDLES} bundles and {MAX_CURSORS} cursors fit one request");
            return Err(Error::TooLarge { reason });
        }
        if asked.parcels.len() > MAX_PARCELS {
            return Err(Error::TooLarge { reason: format!("at most {MAX_PARCELS} parcels fit one request") });
        }
        if asked.offers.len() > MAX_OFFERS || asked.checkpoints.len() > MAX_CURSORS {
            let reason = format!("at most {MAX_OFFERS} offers and {MAX_CURSORS} checkpoints fit one request");
            return Err(Error::TooLarge { reason });
        }
        if !asked.offers.is_empty() {
            self.take_offers(organisation, device.device, &asked.offers)?;
            return self.answer(
                request,
                (organisation, &device),
                now,
                Pulled::default(),
                &News { more: true, ..News::default() },
            );
        }
        let diverged =
            self.read(organisation, |db| recovery::divergences(db, organisation, &asked.cursors, &asked.checkpoints))?;
        if !diverged.is_empty() {
            // What is handed over now would stand where something else was acknowledged before.
            let news = News { more: true, diverged, ..News::default() };
            return self.answer(request, (organisation, &device), now, Pulled::default(), &news);
        }
        let mut verdicts = Vec::with_capacity(asked.bundles.len());
        for (index, bundle) in (0..).zip(&asked.bundles) {
            verdicts.push(self.write(organisation, |db| ingest::ingest(db, organisation, index, bundle, now))?);
        }
        let parcels = self.take_parcels(organisation, &asked.parcels, now)?;
        let mut budget = (asked.budget_bytes as usize).min(MAX_BODY_BYTES / 4);
        loop {
            let mut pulled = self.read(organisation, |db| {
                let mut pulled = pull::pull(db, organisation, device.device, &asked, budget)?;
                pulled.safe = backup::safe_for(db, device.device, &asked)?;
                Ok(pulled)
            })?;
            let (frames, more) = (std::mem::take(&mut pulled.frames), pulled.more);
            let (verdicts, parcels) = (verdicts.clone(), parcels.clone());
            let news = News { verdicts, frames, more, diverged: Vec::new(), parcels };
            match self.answer(request, (organisation, &device), now, pulled, &news) {
                // Entries that compress badly: less at once. A single frame always fits.
                Err(Error::TooLarge { .. }) if budget > 0 => budget /= 4,
                answer => return answer,
            }
        }
    }

    fn answer(
        &self,
        request: &WireRequest,
        (organisation, device): (OrganisationId, &Device),
        now: Timestamp,
        pulled: Pulled,
        news: &News,
    ) -> Result<Vec<u8>, Error> {
        let device = device.device;
        let (device_head, epoch) = self.read(organisation, |db| {
            let epoch = db.recovery()?.map_or(0, |recovery| recovery.epoch);
            Ok((db.device(device)?.and_then(|device| device.head), epoch))
        })?;
        let Pulled { heads, safe, .. } = pulled;
        let statement = Statement { device, server_time: now, device_head, heads, safe, epoch };
        let challenge = self.keys.challenge(now);
        let answer = SyncResponse::sign(&request.body, &statement, news, challenge, self.keys.signing());
        message::pack(&answer).map_err(|error| match error {
            WireError::TooLarge { .. } => Error::TooLarge { reason: error.to_string() },
            error => Error::Setup { reason: error.to_string() },
        })
    }

    /// The device that signed the request, with a challenge of ours.
    fn authenticate(&self, request: &WireRequest, now: Timestamp) -> Result<(OrganisationId, Device), Error> {
        let header =
            request.authorization.as_deref().and_then(Authorization::from_header).ok_or(Error::Unauthorized)?;
        if !self.keys.accepts(header.challenge, now) {
            return Err(Error::Unauthorized);
        }
        let (organisation, device) = self.device(header.device)?.ok_or(Error::Unauthorized)?;
        let server_key = self.keys.public();
        let signed =
            Signed { server_key: &server_key, method: request.method, path: request.path, body: &request.body };
        match VerifyingKey::from_bytes(&device.public_key) {
            Ok(key) if header.fits(&signed, &key) => {}
            _ => return Err(Error::Unauthorized),
        }
        if now.0.saturating_sub(device.seen_at.0) >= SEEN_STEP_MS {
            self.write(organisation, |db| db.set_seen(device.device, now))?;
        }
        Ok((organisation, device))
    }

    /// A device and the organisation that it belongs to.
    fn device(&self, id: DeviceId) -> Result<Option<(OrganisationId, Device)>, Error> {
        let Some(organisation) = self.storage.route(id.as_bytes())? else { return Ok(None) };
        let device = self.read(organisation, |db| db.device(id))?;
        Ok(device.map(|device| (organisation, device)))
    }
}

fn require_protocol(protocol: u16) -> Result<(), Error> {
    match protocol {
        0 => Err(Error::Invalid { field: "protocol", reason: "begins at 1".into() }),
        // However old the phone is: what it recorded must come in.
        1..=PROTOCOL_VERSION => Ok(()),
        newer => Err(Error::Incompatible {
            reason: format!("protocol {newer} is newer than this server: update the server"),
        }),
    }
}

fn problem(error: &Error) -> Vec<u8> {
    pack(&Problem { code: error.code().to_string(), reason: error.to_string() }).unwrap_or_default()
}

fn pack<T: minicbor::Encode<()>>(message: &T) -> Result<Vec<u8>, Error> {
    message::pack(message).map_err(|error| Error::Setup { reason: error.to_string() })
}

fn unpack<T: for<'b> minicbor::Decode<'b, ()>>(body: &[u8]) -> Result<T, Error> {
    message::unpack(body).map_err(|error| match error {
        WireError::TooLarge { .. } => Error::TooLarge { reason: error.to_string() },
        WireError::Unreadable { .. } | WireError::Unsigned => {
            Error::Invalid { field: "body", reason: error.to_string() }
        }
    })
}
