//! Where the server keeps things: one trait, so that a larger database can stand in for the embedded one.
//!
//! Owns the trait and the rows it speaks of. Invariant: all that one [`Storage::write`] does is one transaction.

pub mod postgres;
mod sqlite;

use std::path::Path;
use std::sync::Arc;

use farmtally_core::decisions::{Decision, DeviceOrder, Grant};
use farmtally_core::permission::Role;
use farmtally_core::protocol::bundle::Envelope;
use farmtally_core::protocol::log::Cursor;
use farmtally_core::protocol::message::{DeviceHead, FrameEntry};
use farmtally_core::protocol::repair::Offer;
use farmtally_core::records::farmer::ContactDetails;
use farmtally_core::records::{Change, Kind, Merged};
use farmtally_core::scope::Scope;
use farmtally_core::store::decisions::{Raised, Reference};
use farmtally_core::store::records::Stored;
use farmtally_core::store::rows::{DeliveryRow, FarmerRow, LoadRow, Named, Sum};
use farmtally_core::units::{
    BundleHash, BusinessDate, CentreCode, ChangeHash, DeviceCode, DeviceId, DocumentId, EntryHash, FarmerId, GrantId,
    LoadId, LorryPlate, OrganisationId, ReviewId, Timestamp, UserId,
};

pub use sqlite::{SqliteStorage, check_control, check_copy};
use tokio::sync::broadcast;

use crate::Error;

/// A database for all organisations of a server.
pub trait Storage: Send + Sync {
    /// All organisations, in the order of their ids.
    ///
    /// # Errors
    /// [`Error::Storage`].
    fn organisations(&self) -> Result<Vec<OrganisationId>, Error>;

    /// Makes room for an organisation.
    ///
    /// # Errors
    /// [`Error::Storage`].
    fn add_organisation(&self, organisation: OrganisationId) -> Result<(), Error>;

    /// Notes to which organisation a device id or the hash of an enrolment code leads.
    ///
    /// # Errors
    /// [`Error::Storage`].
    fn add_route(&self, key: &[u8], organisation: OrganisationId) -> Result<(), Error>;

    /// Where a device id or the hash of an enrolment code leads.
    ///
    /// # Errors
    /// [`Error::Storage`].
    fn route(&self, key: &[u8]) -> Result<Option<OrganisationId>, Error>;

    /// Runs `work` on a snapshot; what it writes is lost.
    ///
    /// # Errors
    /// Those of `work`, and [`Error::Storage`].
    fn read(&self, organisation: OrganisationId, work: Work<'_>) -> Result<(), Error>;

    /// Runs `work` in a transaction, alone, and commits durably if it succeeds.
    ///
    /// # Errors
    /// Those of `work`, and [`Error::Storage`].
    fn write(&self, organisation: OrganisationId, work: Work<'_>) -> Result<(), Error>;

    /// Tells from now on, after each commit, how far the logs are that it appended to. What other processes write may go untold.
    ///
    /// # Errors
    /// [`Error::Storage`].
    fn watch(&self, organisation: OrganisationId) -> Result<broadcast::Receiver<Appended>, Error>;

    /// Overwrites what was deleted wherever the database still keeps bytes of it.
    ///
    /// # Errors
    /// [`Error::Storage`].
    fn scrub(&self, organisation: OrganisationId) -> Result<(), Error>;

    /// Copies all data into a folder that it makes, each organisation as of one moment.
    ///
    /// # Errors
    /// [`Error::Storage`].
    fn copy_to(&self, folder: &Path) -> Result<(), Error>;
}

/// The heads of the logs that one transaction appended to.
pub type Appended = Arc<[Cursor]>;

/// What runs in a transaction.
pub type Work<'a> = &'a mut dyn FnMut(&mut dyn Transaction) -> Result<(), Error>;

/// An enrolled device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its id.
    pub device: DeviceId,
    /// Its code on receipts.
    pub code: DeviceCode,
    /// Its public key.
    pub public_key: [u8; 32],
    /// To whom it was handed.
    pub user: UserId,
    /// What kind of phone.
    pub model: String,
    /// Since when.
    pub enrolled_at: Timestamp,
    /// Its last request.
    pub seen_at: Timestamp,
    /// Its newest bundle here.
    pub head: Option<DeviceHead>,
    /// The device that it was before it took a new key.
    pub ancestor: Option<DeviceId>,
    /// When its receipt came that it has destroyed what it held.
    pub wiped_at: Option<Timestamp>,
}

/// What an enrolment code gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolmentCode {
    /// SHA-256 of the code.
    pub hash: [u8; 32],
    /// To whom.
    pub user: UserId,
    /// As what.
    pub role: Role,
    /// Where.
    pub centres: Vec<CentreCode>,
    /// Until when.
    pub expires_at: Timestamp,
    /// Who redeemed it.
    pub device: Option<DeviceId>,
}

/// A bundle as it came.
#[derive(Clone, Debug)]
pub struct StoredBundle<'a> {
    /// Its name.
    pub hash: BundleHash,
    /// Who sealed it.
    pub device: DeviceId,
    /// As what number.
    pub sequence: u64,
    /// The bytes as they came.
    pub bytes: &'a [u8],
    /// When it came first.
    pub received_at: Timestamp,
}

/// An entry for the log.
#[derive(Clone, Debug)]
pub enum NewEntry<'a> {
    /// A device's change.
    Change {
        /// What is logged about it.
        envelope: &'a Envelope,
        /// The change.
        change: &'a Change,
        /// The bundle it came in first, and its number there.
        origin: (BundleHash, u32),
    },
    /// A device's change whose bytes are gone for good.
    Erased {
        /// What is logged about it.
        envelope: &'a Envelope,
        /// The hash of the change.
        change: ChangeHash,
    },
    /// A decision.
    Decision(&'a [u8]),
}

/// An entry of the log.
#[derive(Clone, Debug)]
pub struct LogEntry {
    /// Its number and the chain after it.
    pub cursor: Cursor,
    /// The transaction it came with.
    pub work: u64,
    /// What it is.
    pub content: LogContent,
}

/// What an entry of the log holds.
#[derive(Clone, Debug)]
pub enum LogContent {
    /// A device's change.
    Change {
        /// What is logged about it.
        envelope: Envelope,
        /// The hash of the change.
        hash: ChangeHash,
        /// The stripped change; `None` once it is erased.
        change: Option<Vec<u8>>,
        /// The bundle it came in first, and its number there.
        origin: (BundleHash, u32),
    },
    /// A decision.
    Decision(Vec<u8>),
}

/// An entry that a person must decide about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldEntry {
    /// The bundle it came in.
    pub bundle: BundleHash,
    /// Its number there.
    pub entry: u32,
    /// The document.
    pub document: DocumentId,
    /// The hash of the change.
    pub change: ChangeHash,
    /// The hash of envelope and change, by which the entry is known.
    pub hash: EntryHash,
    /// The device that sealed it.
    pub device: DeviceId,
    /// Who made it.
    pub author: UserId,
    /// Why, as a stable code.
    pub code: String,
    /// Why, in words.
    pub reason: String,
    /// Since when.
    pub held_at: Timestamp,
}

/// A time during which this server had lost data that it had acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// Which one, from 1.
    pub epoch: u32,
    /// How it was noticed.
    pub reason: String,
    /// Since when.
    pub started_at: Timestamp,
    /// Until when; `None` while it lasts.
    pub ended_at: Option<Timestamp>,
}

/// What a copy of an organisation's data contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// When the copy was made.
    pub made_at: Timestamp,
    /// Where each log ends in it.
    pub places: Vec<Cursor>,
    /// The newest bundle of each device in it.
    pub devices: Vec<(DeviceId, u64)>,
}

/// An entry that waits for other changes, or for a newer server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeferredEntry {
    /// The bundle it came in.
    pub bundle: BundleHash,
    /// Its number there.
    pub entry: u32,
    /// The document.
    pub document: DocumentId,
    /// The hash of the change.
    pub change: ChangeHash,
    /// The hash of envelope and change, by which the entry is known.
    pub hash: EntryHash,
    /// What it waits for; empty for a record kind that is not known here.
    pub missing: Vec<ChangeHash>,
    /// Since when.
    pub deferred_at: Timestamp,
}

/// A change that went back to its author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnedEntry {
    /// The document.
    pub document: DocumentId,
    /// The hash of the change.
    pub change: ChangeHash,
    /// The device that sealed it.
    pub device: DeviceId,
    /// Words for the author, may be empty.
    pub reason: String,
    /// Since when.
    pub returned_at: Timestamp,
}

/// What can be done inside a transaction. Every method fails only with [`Error::Storage`].
#[expect(clippy::missing_errors_doc, reason = "said once above for all methods")]
pub trait Transaction {
    /// A device by its id.
    fn device(&mut self, device: DeviceId) -> Result<Option<Device>, Error>;
    /// All devices, by code.
    fn devices(&mut self) -> Result<Vec<Device>, Error>;
    /// Adds a device under the next free code beyond `given`, which is returned.
    fn add_device(&mut self, device: &Device, given: u32) -> Result<DeviceCode, Error>;
    /// Notes a device's last request.
    fn set_seen(&mut self, device: DeviceId, at: Timestamp) -> Result<(), Error>;
    /// Moves a device's head.
    fn set_head(&mut self, device: DeviceId, head: DeviceHead) -> Result<(), Error>;

    /// An enrolment code by its hash.
    fn enrolment_code(&mut self, hash: &[u8; 32]) -> Result<Option<EnrolmentCode>, Error>;
    /// Adds an enrolment code, or replaces it.
    fn save_enrolment_code(&mut self, code: &EnrolmentCode) -> Result<(), Error>;

    /// Notes the receipt of a device that has destroyed what it held.
    fn set_wiped(&mut self, device: DeviceId, at: Timestamp) -> Result<(), Error>;

    /// The bytes of a bundle that came before.
    fn bundle(&mut self, bundle: BundleHash) -> Result<Option<Vec<u8>>, Error>;
    /// Keeps a bundle; one that is here already stays as it is.
    fn save_bundle(&mut self, bundle: &StoredBundle<'_>) -> Result<(), Error>;
    /// Whether the device handed over another bundle under this number.
    fn has_other_bundle(&mut self, device: DeviceId, sequence: u64, hash: BundleHash) -> Result<bool, Error>;
    /// Keeps an entry for a person.
    fn add_held(&mut self, held: &HeldEntry) -> Result<(), Error>;
    /// A held entry.
    fn held_entry(&mut self, entry: EntryHash) -> Result<Option<HeldEntry>, Error>;
    /// All held entries, or those of a document, the oldest first.
    fn held(&mut self, document: Option<DocumentId>) -> Result<Vec<HeldEntry>, Error>;
    /// Lets go of a held change, whoever handed it over.
    fn remove_held(&mut self, document: DocumentId, change: ChangeHash) -> Result<(), Error>;
    /// Notes that a change went back to its author.
    fn add_returned(&mut self, returned: &ReturnedEntry) -> Result<(), Error>;
    /// A change that went back to its author, for each device that had handed it over.
    fn returned(&mut self, document: DocumentId, change: ChangeHash) -> Result<Vec<ReturnedEntry>, Error>;
    /// Keeps an entry that waits, or what it waits for now.
    fn add_deferred(&mut self, deferred: &DeferredEntry) -> Result<(), Error>;
    /// All entries that wait, or those of a document, the oldest first.
    fn deferred(&mut self, document: Option<DocumentId>) -> Result<Vec<DeferredEntry>, Error>;
    /// Lets go of a change that waited, whoever handed it over.
    fn remove_deferred(&mut self, document: DocumentId, change: ChangeHash) -> Result<(), Error>;

    /// Notes a verified copy.
    fn save_backup(&mut self, copy: [u8; 16], copied: &Copied, verified_at: Timestamp) -> Result<(), Error>;
    /// Verified copies, the newest first, at most `limit` of them.
    fn backups(&mut self, limit: usize) -> Result<Vec<Copied>, Error>;
    /// The newest recovery, whether or not it lasts.
    fn recovery(&mut self) -> Result<Option<Recovery>, Error>;
    /// Notes a recovery, or its end.
    fn save_recovery(&mut self, recovery: &Recovery) -> Result<(), Error>;
    /// Adds a device that was enrolled before, under its code.
    fn readmit_device(&mut self, device: &Device) -> Result<(), Error>;
    /// Keeps a piece of what a device offers back; one that does not follow on from the pieces before begins anew.
    fn stage(&mut self, device: DeviceId, offer: &Offer) -> Result<(), Error>;
    /// All pieces of a scope that a device has offered: how many entries lie before, and the entries.
    fn staged(&mut self, device: DeviceId, scope: &Scope) -> Result<(u64, Vec<FrameEntry>), Error>;
    /// Forgets what a device has offered of a scope.
    fn clear_stage(&mut self, device: DeviceId, scope: &Scope) -> Result<(), Error>;
    /// Where the logs stand to which this transaction has appended.
    fn appended(&mut self) -> Vec<Cursor>;

    /// The head of a scope's log; `None` for one without entries.
    fn head(&mut self, scope: &Scope) -> Result<Option<Cursor>, Error>;
    /// The scopes that have a log.
    fn scopes(&mut self) -> Result<Vec<Scope>, Error>;
    /// Appends to a scope's log; `work` is the same for all that belongs together.
    fn append(
        &mut self,
        organisation: OrganisationId,
        scope: &Scope,
        work: u64,
        entry: &NewEntry<'_>,
    ) -> Result<Cursor, Error>;
    /// A number for what belongs together, different from all before.
    fn next_work(&mut self) -> Result<u64, Error>;
    /// The entry with a number.
    fn entry(&mut self, scope: &Scope, sequence: u64) -> Result<Option<LogEntry>, Error>;
    /// Entries after a number, in order, at most `limit` of them.
    fn entries_after(&mut self, scope: &Scope, sequence: u64, limit: u32) -> Result<Vec<LogEntry>, Error>;
    /// Decisions of a log after a place, with their numbers.
    fn decisions_after(&mut self, scope: &Scope, sequence: u64, limit: u32) -> Result<Vec<(u64, Vec<u8>)>, Error>;
    /// Where a change of a document stands in the log.
    fn place_of(&mut self, document: DocumentId, change: ChangeHash) -> Result<Option<(Scope, u64)>, Error>;

    /// A document.
    fn document(&mut self, document: DocumentId) -> Result<Option<Stored>, Error>;
    /// Writes a document and its row.
    fn save_document(&mut self, scope: &Scope, kind: Kind, document: DocumentId, merged: &Merged) -> Result<(), Error>;
    /// The decision that counts about the same matter, this one or another, and its place in its scope's log.
    fn standing(&mut self, decision: &Decision) -> Result<Option<(Decision, u64)>, Error>;
    /// How many bytes of pieces a device has brought, in all scopes.
    fn staged_bytes(&mut self, device: DeviceId) -> Result<u64, Error>;
    /// The ends of all logs.
    fn heads(&mut self) -> Result<Vec<Cursor>, Error>;
    /// Drops all pieces that were offered.
    fn clear_stages(&mut self) -> Result<(), Error>;
    /// Drops all bytes of a document: rows, log, bundles, what waits or is held.
    fn erase(&mut self, document: DocumentId, at: Timestamp) -> Result<(), Error>;
    /// Whether a document's bytes were dropped for good.
    fn is_erased(&mut self, document: DocumentId) -> Result<bool, Error>;
    /// Takes a decision over, from its place in the log, into what decisions project to; one that this version cannot read is deferred.
    fn apply_decision(&mut self, scope: &Scope, sequence: u64, decision: &Decision) -> Result<(), Error>;
    /// The places of decisions that wait for a newer server.
    fn deferred_decisions(&mut self) -> Result<Vec<(Scope, u64)>, Error>;

    /// The contact documents of a farmer.
    fn contacts_of(&mut self, farmer: FarmerId) -> Result<Vec<DocumentId>, Error>;
    /// Whether a user was ever granted anything on a device.
    fn has_grant(&mut self, user: UserId, device: DeviceId) -> Result<bool, Error>;
    /// A grant, whether or not it holds.
    fn grant(&mut self, grant: GrantId) -> Result<Option<Grant>, Error>;
    /// Where in its device's scope a grant ended; `None` while it holds.
    fn ended_at(&mut self, grant: &Grant) -> Result<Option<u64>, Error>;
    /// What a device was told last about itself, unless it is to work.
    fn order(&mut self, device: DeviceId) -> Result<Option<DeviceOrder>, Error>;
    /// Who is suspended on a device.
    fn suspended_on(&mut self, device: DeviceId) -> Result<Vec<UserId>, Error>;
    /// All reference data.
    fn reference(&mut self) -> Result<Reference, Error>;
    /// Whether a review was raised.
    fn has_review(&mut self, review: ReviewId) -> Result<bool, Error>;
    /// All reviews, the oldest first.
    fn reviews(&mut self) -> Result<Vec<Raised>, Error>;

    /// The latest day that has a delivery.
    fn latest_day(&mut self) -> Result<Option<BusinessDate>, Error>;
    /// The scopes that have deliveries or loads on a day.
    fn scopes_on(&mut self, date: BusinessDate) -> Result<Vec<Scope>, Error>;
    /// What a scope's deliveries of a day add up to.
    fn day_sum(&mut self, scope: &Scope, date: BusinessDate) -> Result<Sum, Error>;
    /// What the deliveries on a load add up to.
    fn load_sum(&mut self, load: LoadId) -> Result<Sum, Error>;
    /// A load's row.
    fn load(&mut self, load: LoadId) -> Result<Option<LoadRow>, Error>;
    /// The loads of a scope and day.
    fn loads(&mut self, scope: &Scope, date: BusinessDate) -> Result<Vec<LoadRow>, Error>;
    /// The loads of a scope and day with this lorry.
    fn loads_of_lorry(&mut self, scope: &Scope, date: BusinessDate, lorry: &LorryPlate) -> Result<Vec<LoadRow>, Error> {
        Ok(self.loads(scope, date)?.into_iter().filter(|load| load.lorry == *lorry).collect())
    }
    /// A scope's deliveries of a day, the newest first.
    fn deliveries(&mut self, scope: &Scope, date: BusinessDate, limit: u32) -> Result<Vec<DeliveryRow>, Error>;
    /// The deliveries on a load.
    fn deliveries_on(&mut self, load: LoadId) -> Result<Vec<DeliveryRow>, Error>;
    /// The grants of a device that hold.
    fn grants_of(&mut self, device: DeviceId) -> Result<Vec<Grant>, Error>;
    /// What a text names: receipts, load numbers, farmers' codes, words of contact details.
    fn find(&mut self, text: &str, limit: u32) -> Result<Vec<Named>, Error>;
    /// A farmer.
    fn farmer(&mut self, farmer: FarmerId) -> Result<Option<FarmerRow>, Error>;
    /// Farmers with the same words in name and village, or the same telephone number.
    fn look_alike_candidates(
        &mut self,
        scope: &Scope,
        details: &ContactDetails,
    ) -> Result<Vec<(FarmerId, ContactDetails)>, Error>;
}
