//! Sync server: accepts the changes that phones record, and serves the changes of others and the office's decisions.
//!
//! Owns the log of each scope, the judging of bundles, enrolment, and the office's page. Rules, merging and projection are core's.
//! Invariants: nothing is acknowledged before it is durable; nothing is refused silently; every request may be repeated.
//! Read next: `ingest/mod.rs` (bundles), `handover.rs` (parcels), `pull.rs` (what a phone fetches), `storage/mod.rs` (tables).

mod access;
mod address;
mod backup;
mod copy_id;
mod drafts;
mod enrol;
mod erasure;
mod error;
mod files;
mod handover;
mod http;
mod ingest;
mod journal;
mod keys;
mod land;
mod leases;
mod live;
mod office;
mod page;
mod pull;
#[expect(clippy::redundant_closure_for_method_calls, reason = "the method alone is of one lifetime, not of any")]
mod recovery;
mod reference;
mod reviews;
mod rulings;
pub mod storage;
mod sync;
mod users;
mod watchers;
mod wire;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ed25519_dalek::VerifyingKey;
use farmtally_core::environment::Environment;
use farmtally_core::protocol::authorization::{Authorization, SignedRequest};
use farmtally_core::protocol::log::Cursor;
use farmtally_core::protocol::message::ChallengeResponse;
use farmtally_core::protocol::path;
use farmtally_core::sync::{WireRequest, WireResponse};
use farmtally_core::units::{DeviceId, OrganisationId, Timestamp};

pub use access::GrantLine;
pub use error::Error;
pub use files::{is_locked, is_server};
use files::{keep_private, require_unused};
pub use handover::Imported;
pub use http::{Running, serve};
use journal::Journal;
use keys::Keys;
use live::Listeners;
pub use live::MAX_LISTENERS;
pub use page::{Day, DayCentre, DeviceLine, HeldLine, Lane, Waiting};
pub use reference::ReferenceFile;
use storage::{Device, ReadTransaction, SqliteStorage, Storage, WriteTransaction};
pub use users::{NamedUser, UserLine};
use watchers::Watchers;
use wire::{pack, problem, unpack};

/// Server over its storage. [`serve`] puts it on the network.
pub struct Server {
    storage: Box<dyn Storage>,
    /// The server's folder.
    folder: PathBuf,
    /// File with the address to which the server moves; absent if it does not.
    moved_to_file: PathBuf,
    /// The address that answers announce, as last read from its file.
    announced: Mutex<Option<String>>,
    keys: Keys,
    journal: Journal,
    environment: Environment,
    warnings: Vec<String>,
    listeners: Listeners,
    watchers: Watchers,
    /// Heads that are in the database but could not be written to the journal.
    unnoted: Mutex<BTreeMap<OrganisationId, Vec<Cursor>>>,
}

impl Server {
    /// Opens a data folder, or creates it unless it [is a server's](is_server): databases in `data`; `keys` and `journal` next to it, in no
    /// backup of the data.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Unusable`], [`Error::DataMissing`], [`Error::Storage`].
    pub fn open(folder: &Path, environment: Environment) -> Result<Self, Error> {
        let data = folder.join("data");
        let storage = if is_server(folder)? {
            SqliteStorage::open_existing(&data)?
        } else {
            require_unused(folder)?;
            SqliteStorage::open(&data)?
        };
        Self::with_storage(Box::new(storage), folder, environment)
    }

    /// Opens a server over storage that is elsewhere; `folder` holds only `keys` and `journal`.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Unusable`], [`Error::DataMissing`], [`Error::Storage`].
    pub fn with_storage(storage: Box<dyn Storage>, folder: &Path, environment: Environment) -> Result<Self, Error> {
        let is_new = storage.organisations()?.is_empty();
        if is_new {
            require_unused(folder)?;
        } else {
            // Before anything is made: without its keys, the folder may be that of another program.
            Keys::open(&folder.join("keys"), &environment, is_new)?;
        }
        let journal = Journal::open(&folder.join("journal"))?;
        // Locked, because another process may open the same new folder, and would make other keys.
        let keys = journal.while_locked(|| Keys::open(&folder.join("keys"), &environment, is_new))?;
        let mut server = Self {
            storage,
            folder: folder.to_owned(),
            moved_to_file: folder.join("moved_to"),
            announced: Mutex::default(),
            keys,
            journal,
            environment,
            warnings: Vec::new(),
            listeners: Listeners::default(),
            watchers: Watchers::default(),
            unnoted: Mutex::default(),
        };
        *server.announced.lock().unwrap_or_else(PoisonError::into_inner) = server.moved_to()?;
        server.require_own_data()?;
        server.compare_with_journal()?;
        server.replay_erasures()?;
        let now = server.environment.clock.now();
        for organisation in server.organisations()? {
            let erased = server.write(organisation, |db| {
                db.refold()?;
                let erased = recovery::apply_deferred_decisions(db)?;
                ingest::judge_after_upgrade(db, now)?;
                Ok(erased)
            })?;
            server.apply_restored_erasures(organisation, &erased)?;
        }
        let of_storage = server.storage.keep_private();
        let beside = ["keys", "journal"].into_iter().flat_map(|part| keep_private(&folder.join(part)));
        server.warnings = of_storage.into_iter().chain(beside).collect();
        Ok(server)
    }

    /// Returns what the operator should know of the opening: files whose permissions were changed.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Requires that keys, journal and data belong to one server; otherwise all data would look lost, and a recovery would begin.
    fn require_own_data(&self) -> Result<(), Error> {
        let organisations = self.organisations()?;
        if !organisations.is_empty() && self.storage.route(&self.keys.public())?.is_none() {
            let reason = "its databases belong to a server with other keys: name the folder of that server";
            return Err(Error::unusable(&"the data", reason));
        }
        match self.journal.organisations()?.into_iter().find(|known| !organisations.contains(known)) {
            None => Ok(()),
            Some(missing) => Err(Error::DataMissing {
                what: "the data".into(),
                reason: format!("the journal knows organisation {missing}, which has no data here"),
            }),
        }
    }

    /// Runs `f` on a snapshot, possibly more than once, and returns the result of the last run.
    fn read<T>(
        &self,
        organisation: OrganisationId,
        f: impl Fn(&mut ReadTransaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        storage::read(&*self.storage, organisation, f)
    }

    /// Runs `f` in a transaction, possibly more than once. Returns its result once it is durable and the new heads are in the journal. If
    /// writing the journal fails, this fails although the transaction is committed; that the journal may be written is known before.
    fn write<T>(
        &self,
        organisation: OrganisationId,
        f: impl Fn(&mut WriteTransaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.journal.require_writable(organisation)?;
        let (result, heads) = storage::write(&*self.storage, organisation, f)?;
        self.note(organisation, &heads)?;
        if !heads.is_empty() {
            self.watchers.notify(organisation, heads.into());
        }
        Ok(result)
    }

    /// Writes the heads of logs to the journal, with those that could not be written before. Their writer is answered only after
    /// this; a phone that only reads may be shown them earlier.
    fn note(&self, organisation: OrganisationId, heads: &[Cursor]) -> Result<(), Error> {
        let mut unnoted = self.unnoted.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting: Vec<Cursor> = unnoted.remove(&organisation).unwrap_or_default();
        let all: Vec<Cursor> = waiting.into_iter().chain(heads.iter().cloned()).collect();
        if let Err(error) = self.journal.append_heads(organisation, &all) {
            unnoted.insert(organisation, all);
            return Err(error);
        }
        Ok(())
    }

    /// Returns all organisations, in the order of their ids.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn organisations(&self) -> Result<Vec<OrganisationId>, Error> {
        self.storage.organisations()
    }

    /// Requires that no file of the server was removed or replaced since it was opened.
    pub(crate) fn require_in_place(&self) -> Result<(), Error> {
        self.storage.require_in_place().and_then(|()| self.journal.require_in_place())
    }

    /// Answers a request from a phone, except one for the live signal. Blocks on the database.
    pub fn respond(&self, request: &WireRequest) -> WireResponse {
        let answer = match (request.method, request.path) {
            ("POST", path::ENROL) => self.redeem(&request.body),
            ("POST", path::SYNC) => self.sync(request),
            ("POST", path::REKEY) => self.rekey(request),
            ("POST", path::WIPED) => self.wiped(request),
            ("POST", path::READMIT) => {
                unpack(&request.body).and_then(|it| self.readmit(&it)).map(|()| self.challenge())
            }
            _ => Err(Error::NotFound { what: "path" }),
        };
        answer.map_or_else(|error| self.refuse(request.path, &error), |body| WireResponse::new(200, body))
    }

    fn refuse(&self, path: &'static str, error: &Error) -> WireResponse {
        let body = match error {
            Error::Unauthorized => self.challenge(),
            error => problem(error),
        };
        error.log(path);
        WireResponse::new(error.status(), body)
    }

    fn challenge(&self) -> Vec<u8> {
        let server_time = self.environment.clock.now();
        pack(&ChallengeResponse { challenge: self.keys.challenge(server_time), server_time }).unwrap_or_default()
    }

    /// Records the signed receipt that a device sends before it destroys its data.
    fn wiped(&self, request: &WireRequest) -> Result<Vec<u8>, Error> {
        let now = self.environment.clock.now();
        let (organisation, device) = self.authenticate(request, now)?;
        self.write(organisation, |db| {
            db.set_seen(device.device_id, now)?;
            db.set_wiped(device.device_id, now)
        })?;
        Ok(self.challenge())
    }

    /// Returns the device that signed the request, which must contain a challenge of this server. The device may be lost or wiped.
    fn authenticate(&self, request: &WireRequest, now: Timestamp) -> Result<(OrganisationId, Device), Error> {
        let header =
            request.authorization.as_deref().and_then(Authorization::from_header).ok_or(Error::Unauthorized)?;
        if !self.keys.accepts(header.challenge, now) {
            return Err(Error::Unauthorized);
        }
        let (organisation, device) = self.device(header.device_id)?.ok_or(Error::Unauthorized)?;
        let server_key = self.keys.public();
        let signed =
            SignedRequest { server_key: &server_key, method: request.method, path: request.path, body: &request.body };
        match VerifyingKey::from_bytes(&device.public_key) {
            Ok(key) if header.verify(&signed, &key) => {}
            _ => return Err(Error::Unauthorized),
        }
        Ok((organisation, device))
    }

    fn device(&self, id: DeviceId) -> Result<Option<(OrganisationId, Device)>, Error> {
        let Some(organisation) = self.storage.route(id.as_bytes())? else { return Ok(None) };
        let device = self.read(organisation, |db| db.device(id))?;
        Ok(device.map(|device| (organisation, device)))
    }
}
