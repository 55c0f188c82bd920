//! Where the server keeps things: one trait, so that a larger database can stand in for the embedded one.
//!
//! Owns the trait and the rows it speaks of. Invariant: all that one [`Storage::write`] does is one transaction.

mod sqlite;

use farmtally_core::decisions::{Decision, Grant, Review};
use farmtally_core::records::farmer::ContactDetails;
use farmtally_core::records::{Change, ChangeHash, Kind, Merged};
use farmtally_core::rules::Role;
use farmtally_core::scope::Scope;
use farmtally_core::store::decisions::Reference;
use farmtally_core::store::records::Stored;
use farmtally_core::store::rows::{DeliveryRow, FarmerRow, LoadRow, Sum};
use farmtally_core::sync::bundle::{BundleHash, Envelope};
use farmtally_core::sync::log::Cursor;
use farmtally_core::sync::message::{DeviceHead, VerdictRun};
use farmtally_core::units::{
    BusinessDate, CentreCode, DeviceCode, DeviceId, DocumentId, FarmerId, GrantId, LoadId, LorryPlate, OrganisationId,
    ReviewId, Timestamp, UserId,
};

pub use sqlite::SqliteStorage;

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
}

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

/// A bundle as it came, and what was said about it.
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
    /// The verdicts.
    pub verdicts: &'a [VerdictRun],
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
        /// The stripped change.
        change: Vec<u8>,
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
    /// Why, as a stable code.
    pub code: String,
    /// Why, in words.
    pub reason: String,
    /// Since when.
    pub held_at: Timestamp,
}

/// What can be done inside a transaction. Every method fails only with [`Error::Storage`].
#[expect(clippy::missing_errors_doc, reason = "said once above for all methods")]
pub trait Transaction {
    /// A device by its id.
    fn device(&mut self, device: DeviceId) -> Result<Option<Device>, Error>;
    /// All devices, by code.
    fn devices(&mut self) -> Result<Vec<Device>, Error>;
    /// Adds a device under the next free code, which is returned.
    fn add_device(&mut self, device: &Device) -> Result<DeviceCode, Error>;
    /// Notes a device's last request.
    fn set_seen(&mut self, device: DeviceId, at: Timestamp) -> Result<(), Error>;
    /// Moves a device's head.
    fn set_head(&mut self, device: DeviceId, head: DeviceHead) -> Result<(), Error>;

    /// An enrolment code by its hash.
    fn enrolment_code(&mut self, hash: &[u8; 32]) -> Result<Option<EnrolmentCode>, Error>;
    /// Adds an enrolment code, or replaces it.
    fn save_enrolment_code(&mut self, code: &EnrolmentCode) -> Result<(), Error>;

    /// The verdicts of a bundle that came before.
    fn verdicts(&mut self, bundle: BundleHash) -> Result<Option<Vec<VerdictRun>>, Error>;
    /// Keeps a bundle, or new verdicts about it.
    fn save_bundle(&mut self, bundle: &StoredBundle<'_>) -> Result<(), Error>;
    /// Whether the device handed over another bundle under this number.
    fn has_other_bundle(&mut self, device: DeviceId, sequence: u64, hash: BundleHash) -> Result<bool, Error>;
    /// Keeps an entry for a person.
    fn add_held(&mut self, held: &HeldEntry) -> Result<(), Error>;
    /// All held entries, the oldest first.
    fn held(&mut self) -> Result<Vec<HeldEntry>, Error>;

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
    /// Where a change of a document stands in the log.
    fn place_of(&mut self, document: DocumentId, change: ChangeHash) -> Result<Option<(Scope, u64)>, Error>;

    /// A document.
    fn document(&mut self, document: DocumentId) -> Result<Option<Stored>, Error>;
    /// Writes a document and its row.
    fn save_document(&mut self, scope: &Scope, kind: Kind, document: DocumentId, merged: &Merged) -> Result<(), Error>;
    /// Takes a decision over into what decisions project to.
    fn apply_decision(&mut self, decision: &Decision) -> Result<(), Error>;

    /// A grant.
    fn grant(&mut self, grant: GrantId) -> Result<Option<Grant>, Error>;
    /// All reference data.
    fn reference(&mut self) -> Result<Reference, Error>;
    /// Whether a review was raised.
    fn has_review(&mut self, review: ReviewId) -> Result<bool, Error>;
    /// All reviews, the oldest first.
    fn reviews(&mut self) -> Result<Vec<Review>, Error>;

    /// The latest day that has a delivery.
    fn latest_day(&mut self) -> Result<Option<BusinessDate>, Error>;
    /// The scopes that have deliveries or loads on a day.
    fn scopes_on(&mut self, date: BusinessDate) -> Result<Vec<Scope>, Error>;
    /// What a scope's deliveries of a day add up to.
    fn day_sum(&mut self, scope: &Scope, date: BusinessDate) -> Result<Sum, Error>;
    /// What the deliveries on a load add up to.
    fn load_sum(&mut self, load: LoadId) -> Result<Sum, Error>;
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
    /// A farmer.
    fn farmer(&mut self, farmer: FarmerId) -> Result<Option<FarmerRow>, Error>;
    /// Farmers with the same words in name and village, or the same telephone number.
    fn look_alike_candidates(
        &mut self,
        scope: &Scope,
        details: &ContactDetails,
    ) -> Result<Vec<(FarmerId, ContactDetails)>, Error>;
}
