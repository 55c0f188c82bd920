//! [`FieldClient`], the API of an app: joins records, rules, store and sync. Has no rules, SQL or formats of its own.
//!
//! Calls block on the disk; `sync`, `enrol` and `listen` on the network. Run them on a worker thread. Read next: `action.rs`.

mod access;
mod action;
mod advance;
mod cash;
mod delivery;
mod draft;
mod enrol;
mod events;
mod farmer;
mod handover;
mod import;
mod inbox;
mod land;
mod listen;
mod lists;
mod load;
mod moving;
mod output;
mod paper;
mod payout;
mod report;
mod signature;
mod simple;
mod simple_sums;
mod sync;
mod time;
mod today;
mod warnings;

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::Error;
use crate::decisions::{Grant, Order, Season};
use crate::environment::{Clock, Environment};
use crate::permission::{Capability, Role, Target};
use crate::protocol::qr::QrCollector;
use crate::records::{Actor, Farmer, Kind, RecordKind, Stamp};
use crate::scope::Scope;
use crate::store::decisions::{DeviceAccess, Reference};
use crate::store::file;
use crate::store::installation::{self, Counters, Installation};
use crate::store::records::Found;
use crate::store::seam;
use crate::store::{KeyStore, PHONE, Store, StoreKey};
use crate::sync::piece_size::PieceSize;
use crate::sync::retry_schedule::RetrySchedule;
use crate::units::{
    CentreCode, DeviceCode, DeviceId, DocumentId, FarmerId, GrantId, HybridTime, OrganisationId, SeasonCode, Timestamp,
    UserId,
};

pub use crate::store::carried::Carried;
pub use crate::store::outbox::{Backlog, SyncState};
pub use crate::store::rows::ListOrder;
pub use crate::store::simple::SimpleFilter;
pub use access::{Access, PhoneUser};
pub use action::Basis;
pub use advance::{Allowance, FarmerBalance};
pub use delivery::{BagView, DeliveryEdit, DeliveryView, Lifecycle, LotView, ReadingInput, ReadingView};
pub use draft::{DraftEdit, StartDraft};
pub use events::{Event, Events, SyncProgress, Topic};
pub use farmer::{FarmerEdit, FarmerInput, FarmerView};
pub use import::{ImportCode, ImportInput, ImportIssue, ImportProgress, ImportReport};
pub use inbox::{Choice, InboxItem, InboxKind, RecordRef};
pub use land::{LandView, PlotSummary, QuotaUse};
pub use lists::{DeliveryItem, DeliveryPage, DeliveryQuery, FarmerPage, FarmerQuery, LoadItem, LoadPage, LoadQuery};
pub use load::{CloseView, LoadEdit, LoadView, OpenLoad, TrackView};
pub use payout::{PayoutInput, PayoutState, PayoutView, RevealedPayout};
pub use report::{Cell, ExportFormat, Report, ReportCode, ReportQuery};
pub use simple::{SimplePage, SimpleView};
pub use sync::{OfflineReason, SyncBudget, SyncOptions, SyncOutcome, SyncReport, SyncStatus, SyncTicket};
pub use today::Today;

use listen::Stops;

/// Name of the database in the data folder.
const FILE: &str = "field.db";
/// File that is locked while the folder is open: two open clients would give a receipt number twice. Once it has content, the database was
/// created, and a missing one is a lost one.
const LOCK_FILE: &str = "field.lock";

/// A phone's store and session; any thread may call it.
///
/// ```
/// use farmtally_core::client::FieldClient;
/// use farmtally_core::environment::Environment;
///
/// # fn main() -> Result<(), farmtally_core::Error> {
/// # let folder = std::env::temp_dir().join(format!("farmtally-doc-{}", std::process::id()));
/// let client = FieldClient::open(&folder, Environment::system())?;
/// assert!(client.session().is_none(), "a new phone must be enrolled first");
/// # drop(client);
/// # std::fs::remove_dir_all(&folder).ok();
/// # Ok(())
/// # }
/// ```
pub struct FieldClient {
    // Lock order, none locked twice by one thread: `syncing`, `counters`, `frames`, the store's writer, `identity`. `retry_schedule`,
    // `saved_phone_clock`, `last_day_and_access`, `last_recorded`, `importing` and `events` are locked for one statement only.
    store: Store,
    environment: Environment,
    actor: Actor,
    identity: RwLock<Identity>,
    /// Locked for the whole transaction of an action, so that a receipt number is given once. Sync locks it to advance the hybrid clock and
    /// to count the time without contact.
    counters: Mutex<Counters>,
    /// Locked while a sync runs, so that only one does; the size of its next request and answer.
    syncing: Mutex<PieceSize>,
    /// The time without contact that was last committed with the counters. Separate, so that reads do not wait for a write.
    saved_phone_clock: Mutex<time::PhoneClock>,
    frames: Mutex<QrCollector>,
    /// When the next automatic sync is due.
    retry_schedule: Mutex<RetrySchedule>,
    /// When an automatic sync next tries the address to which the server says that it moves.
    next_address_schedule: Mutex<RetrySchedule>,
    /// Whether nothing was received or rewound since the last purge; `false` after opening.
    is_purge_current: AtomicBool,
    /// Whether the storage was too full at the opening to bring the rows up to this version.
    is_behind: AtomicBool,
    listening: Stops,
    /// Shared, because a listener may outlive the client.
    events: Arc<Events>,
    /// Day and access at the last check: reads depend on them although no record changes.
    last_day_and_access: Mutex<Option<access::DayAndAccess>>,
    /// Draft that was recorded last, so that a second tap is answered like the first.
    last_recorded: Mutex<Option<Basis>>,
    /// Number of cancellations; a rise ends the syncs requested before it.
    cancellations: AtomicU64,
    /// How far the running import is; `None` if none runs.
    importing: Mutex<Option<ImportProgress>>,
    /// Locked until the client is dropped; the system unlocks it if the process is killed.
    _lock: File,
}

/// The installation (`None` before enrolment), its rights and the reference data; a copy of the store, replaced after each write of them.
#[derive(Clone, Default)]
struct Identity {
    installation: Option<Arc<Installation>>,
    reference: Arc<Reference>,
    device: Arc<DeviceAccess>,
}

/// The current user of the phone and their rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The organisation's id.
    pub organisation_id: OrganisationId,
    /// The organisation's name; empty before the first sync.
    pub organisation_name: String,
    /// This device's id.
    pub device_id: DeviceId,
    /// This device's code on receipts.
    pub device_code: DeviceCode,
    /// The user's id.
    pub user_id: UserId,
    /// The user's name; the id as text before the first sync.
    pub user_name: String,
    /// The user's newest grant in force on this phone, the only one that counts; `None` before the first sync and while there is none.
    pub grant_id: Option<GrantId>,
    /// Role of that grant.
    pub role: Option<Role>,
    /// What that role may do, for some records at least; empty without one.
    pub capabilities: Vec<Capability>,
    /// Centres of that grant; empty without one.
    pub centres: Vec<CentreCode>,
    /// When the last complete sync ended, by the phone's time.
    pub synced_at: Option<Timestamp>,
}

/// The author of an action and what they may do.
#[derive(Clone)]
struct Author {
    installation: Arc<Installation>,
    reference: Arc<Reference>,
    grant: Grant,
    access: Access,
}

impl Author {
    fn require(&self, capability: Capability) -> Result<(), Error> {
        if capability != Capability::RecordDelivery {
            self.require_contact()?;
        }
        self.require_about(capability, Target::New)
    }

    /// Requires a capability for a record, but no contact with the server.
    fn require_about(&self, capability: Capability, target: Target) -> Result<(), Error> {
        self.grant.role.check(capability, target).map_err(|denied| Error::not_allowed(denied.to_string()))
    }

    /// Returns the scopes of all known seasons at the granted centres, in which this user may see deliveries and loads.
    fn season_scopes(&self) -> Vec<Scope> {
        let of = |centre: &CentreCode| {
            let season = |it: &Season| Scope::Season(centre.clone(), it.code.clone());
            self.reference.all().map(season).collect::<Vec<_>>()
        };
        self.grant.centres.iter().flat_map(of).collect()
    }

    fn require_centre(&self, centre: &CentreCode) -> Result<(), Error> {
        if self.grant.centres.contains(centre) {
            Ok(())
        } else {
            let reason = format!("centre {centre} is not among those granted");
            Err(Error::Refused { code: crate::ErrorCode::OutOfScope, reason })
        }
    }
}

impl FieldClient {
    /// Opens the store in a folder of the app's own; creates both if they do not exist.
    ///
    /// # Errors
    /// [`Error::Refused`] if the folder is open already, here or in another process; [`Error::Invalid`] if it cannot be used;
    /// [`Error::Store`] if the file is damaged, emptied, lost, of a newer version, or encrypted, if this account may not write it, or if the
    /// disk is full.
    pub fn open(data_dir: &Path, environment: Environment) -> Result<Self, Error> {
        Self::open_with(data_dir, None, environment)
    }

    /// Opens a store that is encrypted with a key from the phone's key store; a new store gets a new key.
    ///
    /// # Errors
    /// Those of [`Self::open`]; [`Error::Store`] also without the right key, for a store made without one, or without `encryption`.
    pub fn open_encrypted(data_dir: &Path, keys: &dyn KeyStore, environment: Environment) -> Result<Self, Error> {
        Self::open_with(data_dir, Some(keys), environment)
    }

    fn open_with(data_dir: &Path, keys: Option<&dyn KeyStore>, environment: Environment) -> Result<Self, Error> {
        let unusable = |error: std::io::Error| match error.kind() {
            ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
            | ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem => file::of_io(data_dir, &error).into(),
            _ => Error::invalid("data_dir", format!("the folder cannot be used: {error}")),
        };
        if data_dir.as_os_str().is_empty() {
            return Err(Error::invalid("data_dir", "must not be empty"));
        }
        file::create_private_folder(data_dir).map_err(unusable)?;
        let options = &mut File::options();
        let lock_path = data_dir.join(LOCK_FILE);
        let lock = file::private(options.write(true).create(true).truncate(false)).open(&lock_path);
        let mut lock = lock.map_err(|error| file::of_io(&lock_path, &error))?;
        for path in [data_dir, &lock_path] {
            // What belongs to another account, or is on a file system without permissions, is used as it is.
            drop(file::restrict(path));
        }
        if !try_lock(&lock).map_err(unusable)? {
            return Err(Error::not_allowed("the data folder is open already"));
        }
        let path: PathBuf = data_dir.join(FILE);
        let is_first_opening = lock.metadata().map_err(unusable)?.len() == 0;
        let key = keys.map(|keys| StoreKey::of(keys, is_first_opening && !path.exists(), &environment)).transpose()?;
        let store = Store::open_with(&path, key, PHONE, is_first_opening)?;
        file::keep_private(&path);
        if is_first_opening {
            lock.write_all(b"created\n").and_then(|()| lock.sync_all()).map_err(unusable)?;
        }
        let (counters, is_behind) = match catch_up(&store, &*environment.clock) {
            // What is stored can be shown; the next sync does the rest.
            Err(crate::store::Error::Full) => {
                (time::counted_to_now(&store.read(Counters::load)?, &*environment.clock), true)
            }
            done => (done?, false),
        };
        let client = Self {
            actor: Actor::new(environment.random()),
            environment,
            identity: RwLock::default(),
            counters: Mutex::new(counters),
            syncing: Mutex::default(),
            saved_phone_clock: Mutex::new(time::PhoneClock::of(&counters)),
            is_purge_current: AtomicBool::new(false),
            is_behind: AtomicBool::new(is_behind),
            frames: Mutex::default(),
            retry_schedule: Mutex::default(),
            next_address_schedule: Mutex::default(),
            listening: Stops::default(),
            events: Arc::default(),
            last_day_and_access: Mutex::default(),
            last_recorded: Mutex::default(),
            importing: Mutex::default(),
            cancellations: AtomicU64::new(0),
            _lock: lock,
            store,
        };
        client.refresh_identity()?;
        client.refresh_day_and_access();
        Ok(client)
    }

    /// Returns the current user and their rights; `None` before enrolment and after a wipe. A lapse or an order does not change them.
    pub fn session(&self) -> Option<Session> {
        let Identity { installation, reference, device, .. } = self.identity();
        let installation = installation?;
        let user_id = installation.user_id;
        let grant = newest_grant(&device, &installation);
        Some(Session {
            organisation_id: installation.organisation_id,
            organisation_name: reference.organisation().map_or_else(String::new, |it| it.name.clone()),
            device_id: installation.device_id,
            device_code: installation.device_code,
            user_id,
            user_name: reference.user_name(user_id),
            grant_id: grant.as_ref().map(|grant| grant.grant_id),
            role: grant.as_ref().map(|grant| grant.role),
            capabilities: grant.as_ref().map_or_else(Vec::new, |grant| grant.role.capabilities().collect()),
            centres: grant.map_or_else(Vec::new, |grant| grant.centres),
            synced_at: installation.synced_at,
        })
    }

    /// Returns the reference data, as far as received.
    pub fn reference(&self) -> Arc<Reference> {
        self.identity().reference
    }

    /// Returns the newest order to this phone; `None` if there is none, or it is to resume.
    pub fn order(&self) -> Option<Order> {
        self.identity().device.order
    }

    /// Projects every document again and returns the number of documents. The rows stay the same except for their order of arrival.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn rebuild(&self) -> Result<usize, Error> {
        Ok(self.write(&Topic::ALL, |db| crate::store::records::rebuild(&mut seam(db)))?)
    }

    /// Returns the events of this client.
    pub fn events(&self) -> Arc<Events> {
        Arc::clone(&self.events)
    }

    /// Brings the rows up to this version, if the storage was too full for it at the opening.
    fn catch_up_if_behind(&self) -> Result<(), Error> {
        if !self.is_behind.load(Ordering::Acquire) {
            return Ok(());
        }
        let has_erased = self.store.write(bring_up)?;
        self.is_behind.store(false, Ordering::Release);
        if has_erased {
            self.store.scrub()?;
        }
        self.refresh_identity()?;
        self.events.changed(&Topic::ALL);
        Ok(())
    }

    fn identity(&self) -> Identity {
        self.identity.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn refresh_identity(&self) -> Result<(), Error> {
        // Locked while reading, so that an older state cannot replace a newer one.
        let mut identity = self.identity.write().unwrap_or_else(PoisonError::into_inner);
        *identity = self.store.read(|db| {
            let installation = installation::load(db)?.map(Arc::new);
            let reference = Arc::new(Reference::load(&mut seam(db))?);
            let device = installation.as_ref().map(|it| DeviceAccess::load(&mut seam(db), it.device_id)).transpose()?;
            let device = Arc::new(device.unwrap_or_default());
            Ok::<_, crate::store::Error>(Identity { installation, reference, device })
        })?;
        Ok(())
    }

    fn installation(&self) -> Result<Arc<Installation>, Error> {
        let reason = "the device is not enrolled: enrol it with a code from the office";
        self.identity().installation.ok_or_else(|| Error::Unauthorized { reason: reason.into() })
    }

    /// Returns the current user as an author; fails on a locked phone and without a grant in force, before role and centre are looked at.
    fn author(&self) -> Result<Author, Error> {
        let Identity { reference, device, .. } = self.identity();
        let installation = self.installation()?;
        let no_grant = "nothing is granted to this user on this phone: sync, and ask the office for a grant";
        let access = self.access_of_phone();
        if access == Access::Locked {
            return Err(Error::locked("this phone is locked: sync, so that what it has recorded is uploaded"));
        }
        let grant = newest_grant(&device, &installation).ok_or_else(|| Error::locked(no_grant))?;
        Ok(Author { installation, reference, grant, access })
    }

    /// Returns what a record of the stamp `created` is to the author now.
    fn target(&self, author: &Author, created: &Stamp) -> Target {
        let at = HybridTime { wall_ms: self.now().0, counter: 0 };
        created.target_of(&Stamp { user_id: author.grant.user_id, at, ..*created })
    }

    fn counters(&self) -> MutexGuard<'_, Counters> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the season in which a commodity is bought on this day; the one with the greatest code, if several cover it.
    fn season_of(
        author: &Author,
        commodity: &crate::units::CommodityCode,
        date: crate::units::BusinessDate,
    ) -> Result<SeasonCode, Error> {
        let mut seasons = author.reference.all::<Season>().filter(|season| season.commodity == *commodity).peekable();
        if seasons.peek().is_none() {
            return Err(Error::invalid("commodity", format!("{commodity} is not bought here")));
        }
        let season = seasons.rev().find(|season| season.covers(date));
        season
            .map(|season| season.code.clone())
            .ok_or_else(|| Error::invalid("business_date", format!("no season of {commodity} on {date}")))
    }
}

impl Drop for FieldClient {
    fn drop(&mut self) {
        self.events.end();
    }
}

/// Brings the rows up to this version, and saves the counters as of now, which it returns.
fn catch_up(store: &Store, clock: &dyn Clock) -> Result<Counters, crate::store::Error> {
    let (counters, has_erased) = store.write(|db| {
        let has_erased = bring_up(db)?;
        let counters = time::counted_to_now(&Counters::load(db)?, clock);
        counters.save(db)?;
        Ok::<_, crate::store::Error>((counters, has_erased))
    })?;
    if has_erased {
        store.scrub()?;
    }
    Ok(counters)
}

/// Brings the rows up to this version. Returns whether documents were erased.
fn bring_up(db: &rusqlite::Transaction<'_>) -> Result<bool, crate::store::Error> {
    crate::store::records::refold(&mut seam(db))?;
    crate::store::incoming::retry_all(db)
}

/// Locks a file for as long as it is open; `false` if it is locked elsewhere.
#[cfg(unix)]
fn try_lock(file: &File) -> std::io::Result<bool> {
    use rustix::fs::{FlockOperation, flock};
    // Does what `File::try_lock` does; before Rust 1.98, that always fails on Android.
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(unix))]
fn try_lock(file: &File) -> std::io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(std::fs::TryLockError::WouldBlock) => Ok(false),
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    }
}

fn newest_grant(device: &DeviceAccess, installation: &Installation) -> Option<Grant> {
    device.grants.iter().rev().find(|grant| grant.user_id == installation.user_id).cloned()
}

/// Returns whether a scope belongs to a centre of the grant, or to no centre, and its role may read it.
fn is_within(grant: &Grant, scope: &Scope) -> bool {
    let is_granted = scope.centre().is_none_or(|centre| grant.centres.contains(centre));
    is_granted && (grant.role.sees_farmers() || !matches!(scope, Scope::Centre(_)))
}

/// Returns a record at a granted centre; [`Error::NotFound`] of `what` if it is elsewhere or not stored.
fn require_visible<K: RecordKind>(
    db: &rusqlite::Connection,
    author: &Author,
    id: K::Id,
    what: &'static str,
) -> Result<Found<K>, Error> {
    let found = crate::store::records::get::<K>(&mut seam(db), id)?;
    found.filter(|found| is_within(&author.grant, &found.stored.scope)).ok_or_else(|| not_found(what))
}

fn not_found(what: &'static str) -> Error {
    Error::NotFound { what }
}

fn require_current(basis: Basis, document: impl Into<DocumentId>, version: [u8; 8]) -> Result<(), Error> {
    if basis == (Basis { document_id: document.into(), version }) { Ok(()) } else { Err(Error::Stale) }
}

/// Requires that a farmer of a granted centre is on this phone; otherwise [`Error::Invalid`]. They may deliver at any centre.
fn require_farmer(db: &rusqlite::Connection, author: &Author, farmer_id: FarmerId) -> Result<(), Error> {
    match crate::store::records::find(&mut seam(db), farmer_id.into())? {
        Some(stored) if stored.kind == Kind::of::<Farmer>() && is_within(&author.grant, &stored.scope) => Ok(()),
        _ => Err(Error::invalid("farmer_id", "no such farmer of a granted centre is on this phone")),
    }
}

/// Requires that a document of this kind is on this phone, in this scope; otherwise [`Error::Invalid`] of `field`.
fn require_record(
    db: &rusqlite::Connection,
    kind: Kind,
    document: DocumentId,
    field: &'static str,
    scope: &Scope,
) -> Result<(), Error> {
    match crate::store::records::find(&mut seam(db), document)? {
        Some(stored) if stored.kind == kind && stored.scope == *scope => Ok(()),
        _ => Err(Error::invalid(field, format!("no such record is on this phone in {scope}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_open_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = FieldClient::open(folder.path(), Environment::system()).expect("it opens");
        let second = FieldClient::open(folder.path(), Environment::system()).err().expect("refused");
        assert_eq!(second.code(), crate::ErrorCode::NotAllowed);
        drop(first);
        FieldClient::open(folder.path(), Environment::system()).expect("it opens again");
    }
}
