//! Storage of the server: the statements about an organisation's tables, over the SQL seam that SQLite and PostgreSQL share.
//!
//! Owns the trait of a backend, the [`Transaction`] and its rows. Invariant: one write is one transaction.

mod content;
mod copy;
#[expect(clippy::missing_errors_doc, reason = "said once for all methods of a transaction")]
mod devices;
#[expect(clippy::missing_errors_doc, reason = "said once for all methods of a transaction")]
mod held;
#[expect(clippy::missing_errors_doc, reason = "said once for all methods of a transaction")]
mod log;
pub mod postgres;
#[expect(clippy::missing_errors_doc, reason = "said once for all methods of a transaction")]
mod recovery;
#[expect(clippy::missing_errors_doc, reason = "said once for all methods of a transaction")]
mod rows;
mod sqlite;
mod table_sum;

use std::collections::BTreeMap;
use std::path::Path;

use farmtally_core::permission::Role;
use farmtally_core::protocol::HoldCode;
use farmtally_core::protocol::bundle::ChangeEnvelope;
use farmtally_core::protocol::log::Cursor;
use farmtally_core::protocol::message::DeviceHead;
use farmtally_core::scope::Scope;
use farmtally_core::store::sql::{self, Database, Insert, Reader, Value, Writer};
use farmtally_core::units::{
    BundleHash, CentreCode, ChangeHash, DeviceCode, DeviceId, DocumentId, EntryHash, OrganisationId, Timestamp, UserId,
};

pub use copy::{check_control, check_copy, copied_organisations};
pub use postgres::PostgresStorage;
pub use sqlite::SqliteStorage;
pub(crate) use sqlite::corrupt;
pub(crate) use table_sum::{TableSum, table_sums};

use crate::Error;

/// The server's database: list, routes, scrubbing and copies of its organisations. [`Transaction`] has the statements about one of them.
pub trait Storage: Database {
    /// Returns the listed organisations, in the order of their ids; those that are only [prepared](Self::prepare) are left out.
    ///
    /// # Errors
    /// [`Error::Storage`].
    fn organisations(&self) -> Result<Vec<OrganisationId>, Error>;

    /// Creates the place for an organisation's data before it is [listed](Self::add_organisation). Does nothing if it has one.
    ///
    /// # Errors
    /// [`Error::Storage`].
    fn prepare(&self, organisation: OrganisationId) -> Result<(), Error>;

    /// Lists a [prepared](Self::prepare) organisation, whose first data must be written by then. Does nothing if it is listed.
    ///
    /// # Errors
    /// [`Error::Storage`].
    fn add_organisation(&self, organisation: OrganisationId) -> Result<(), Error>;

    /// Records the organisation of a device id, the hash of an enrolment code, or the server's public key; replaces an earlier one.
    ///
    /// # Errors
    /// [`Error::Storage`].
    fn add_route(&self, key: &[u8], organisation: OrganisationId) -> Result<(), Error>;

    /// Returns the organisation of a key of [`Self::add_route`]; `None` if there is none. The device or code itself may not exist.
    ///
    /// # Errors
    /// [`Error::Storage`].
    fn route(&self, key: &[u8]) -> Result<Option<OrganisationId>, Error>;

    /// Overwrites deleted bytes wherever the database still has them, as far as its engine lets a client: PostgreSQL not at all.
    ///
    /// # Errors
    /// [`Error::Storage`], [`Error::Busy`] if readers keep the database in use.
    fn scrub(&self, organisation: OrganisationId) -> Result<(), Error>;

    /// Requires that the storage is where it was opened, such as that no file was removed.
    ///
    /// # Errors
    /// [`Error::Storage`].
    fn require_in_place(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Adds to an error about damage which file is damaged and what to do; returns any other error as it is.
    fn explain(&self, _organisation: OrganisationId, error: Error) -> Error {
        error
    }

    /// Takes access to the files of the storage from all other accounts of the machine. Returns a warning for each that they had access to.
    fn keep_private(&self) -> Vec<String> {
        Vec::new()
    }

    /// Copies all data into a folder that it creates, each organisation as of a moment of its own. A failure leaves a part of the copy.
    ///
    /// # Errors
    /// [`Error::Storage`], [`Error::Unusable`], [`Error::Io`], or [`Error::Unsupported`] if the engine has its own tool for copies.
    fn copy_to(&self, folder: &Path) -> Result<(), Error>;
}

/// Position of a log entry: its scope and sequence number.
pub type LogPosition = (Scope, u64);

/// A connection of the SQL seam that can at least read.
pub trait Access {
    /// Returns the connection for reading.
    fn reader(&mut self) -> &mut dyn Reader;
}

impl Access for dyn Reader + '_ {
    fn reader(&mut self) -> &mut dyn Reader {
        self
    }
}

impl Access for dyn Writer + '_ {
    fn reader(&mut self) -> &mut dyn Reader {
        self
    }
}

/// Transaction of one organisation. Its methods are the statements about the server's tables; they fail only with [`Error::Storage`].
pub struct Transaction<'a, C: Access + ?Sized> {
    connection: &'a mut C,
    organisation_id: OrganisationId,
    /// Heads of the logs that it has appended to.
    heads: BTreeMap<Scope, Cursor>,
}

/// A transaction that only reads, on a snapshot.
pub type ReadTransaction<'a> = Transaction<'a, dyn Reader + 'a>;
/// A transaction that reads and writes. [`write()`] commits it when its closure returns `Ok`; the closure may run more than once.
pub type WriteTransaction<'a> = Transaction<'a, dyn Writer + 'a>;

impl<'a, C: Access + ?Sized> Transaction<'a, C> {
    fn new(connection: &'a mut C, organisation: OrganisationId) -> Self {
        Self { connection, organisation_id: organisation, heads: BTreeMap::new() }
    }

    /// Returns the connection, for the queries of core's store.
    pub fn reader(&mut self) -> &mut dyn Reader {
        self.connection.reader()
    }

    /// Returns the organisation whose data it accesses.
    pub fn organisation(&self) -> OrganisationId {
        self.organisation_id
    }
}

impl WriteTransaction<'_> {
    fn run(&mut self, statement: &str, params: &[Value<'_>]) -> Result<(), Error> {
        Ok(self.connection.execute(statement, params).map(drop)?)
    }

    fn put(&mut self, into: &Insert<'_>, rows: &[Value<'_>]) -> Result<(), Error> {
        Ok(self.connection.insert(into, rows).map(drop)?)
    }
}

/// Runs `f` on a snapshot, possibly more than once, and returns the result of the last run.
///
/// # Errors
/// Those of `f`, [`Error::Storage`].
pub fn read<T>(
    storage: &dyn Storage,
    organisation: OrganisationId,
    f: impl Fn(&mut ReadTransaction<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let read = sql::read(storage, organisation, |reader| f(&mut Transaction::new(reader, organisation)));
    read.map_err(|error| storage.explain(organisation, error))
}

/// Runs `f` in a transaction, possibly more than once. Returns its result once it is durable, with the heads of the logs it appended to,
/// which the caller must write to the journal.
///
/// # Errors
/// Those of `f`, [`Error::Storage`].
pub fn write<T>(
    storage: &dyn Storage,
    organisation: OrganisationId,
    f: impl Fn(&mut WriteTransaction<'_>) -> Result<T, Error>,
) -> Result<(T, Vec<Cursor>), Error> {
    let written = sql::write(storage, organisation, |writer| {
        let mut transaction = Transaction::new(writer, organisation);
        let result = f(&mut transaction)?;
        Ok((result, transaction.heads.into_values().collect()))
    });
    written.map_err(|error| storage.explain(organisation, error))
}

/// An enrolled device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Id of the device.
    pub device_id: DeviceId,
    /// Code on its receipts.
    pub code: DeviceCode,
    /// Ed25519 key that verifies its signatures.
    pub public_key: [u8; 32],
    /// User for whom it was enrolled.
    pub user_id: UserId,
    /// Model of the phone; empty after a readmission.
    pub model: String,
    /// Time of enrolment.
    pub enrolled_at: Timestamp,
    /// Time of its last sync, or else of its enrolment; up to a minute early. Requests with offers do not count.
    pub seen_at: Timestamp,
    /// Its newest bundle up to which none is missing; `None` without a first bundle.
    pub head: Option<DeviceHead>,
    /// Device that it was before it took a new key; `None` if it never did.
    pub ancestor_id: Option<DeviceId>,
    /// When its receipt of an order to wipe first came; it sends that before it destroys its data.
    pub wiped_at: Option<Timestamp>,
}

/// An enrolment code and the grant that it gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolmentCode {
    /// SHA-256 of the code's capital letters and digits, without hyphens.
    pub hash: [u8; 32],
    /// User of the grant.
    pub user_id: UserId,
    /// Role of the grant.
    pub role: Role,
    /// Centres that the grant covers.
    pub centres: Vec<CentreCode>,
    /// Last time at which it can be redeemed, inclusive.
    pub expires_at: Timestamp,
    /// Device that redeemed it; `None` while none has.
    pub device_id: Option<DeviceId>,
}

impl EnrolmentCode {
    /// Time for which a code can be redeemed, in milliseconds.
    pub const LIFE_MS: i64 = 7 * 24 * 3_600_000;
    /// How far ahead of this clock the one that made a code may have been, because nodes may have slightly different clocks.
    const LEAD_MS: i64 = 60_000;

    /// Returns whether the code can no longer be redeemed, or was made by a clock that was ahead: nobody knows how old it is.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        !(0..=Self::LIFE_MS + Self::LEAD_MS).contains(&self.expires_at.0.saturating_sub(now.0))
    }
}

/// An entry as it came in a bundle: to be judged, deferred or held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingEntry {
    /// Bundle in which it came.
    pub bundle: BundleHash,
    /// Index in the bundle, from 0, counted across its actions.
    pub entry: u32,
    /// Its envelope, as it will be logged.
    pub envelope: ChangeEnvelope,
    /// Sequence number up to which its author had read the scope of the device that sealed it.
    pub device_cursor: u64,
    /// Schema version of the bundle.
    pub schema: u16,
    /// Hash of the change, also if its bytes are missing.
    pub change: ChangeHash,
    /// The stripped change, or a draft's bytes; not checked, and empty if they were erased on the device.
    pub bytes: Vec<u8>,
}

impl PendingEntry {
    /// Returns the document's id.
    pub fn document(&self) -> DocumentId {
        self.envelope.document_id
    }

    /// Returns the hash of envelope and change, which identifies the entry; the same in every bundle.
    pub fn hash(&self) -> EntryHash {
        EntryHash::of_change(&self.envelope, self.change)
    }
}

/// An entry of a log.
#[derive(Clone, Debug)]
pub struct LogEntry {
    /// Position of the entry, and the chain hash after it.
    pub cursor: Cursor,
    /// Commit id that it shares with entries logged together.
    pub commit_id: u64,
    /// Change or decision.
    pub content: LogContent,
}

/// Content of a log entry.
#[derive(Clone, Debug)]
pub enum LogContent {
    /// Change of a device.
    Change {
        /// Envelope, as it is logged.
        envelope: ChangeEnvelope,
        /// Hash of the change.
        hash: ChangeHash,
        /// The stripped change; `None` once it is erased.
        change: Option<Vec<u8>>,
        /// Bundle in which it first came, and its index there; zeroes if a phone restored it.
        origin: (BundleHash, u32),
    },
    /// Bytes of a decision, which this version may be unable to read.
    Decision(Vec<u8>),
}

impl LogContent {
    /// Returns the hash that the entry adds to its chain.
    pub fn hash(&self) -> EntryHash {
        match self {
            Self::Change { envelope, hash, .. } => EntryHash::of_change(envelope, *hash),
            Self::Decision(decision) => EntryHash::of_decision(decision),
        }
    }
}

/// An entry that waits for a person to approve or reject it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldEntry {
    /// The entry.
    pub entry: PendingEntry,
    /// Stable code of the reason.
    pub code: HoldCode,
    /// The reason in words.
    pub reason: String,
    /// When it was first held.
    pub held_at: Timestamp,
}

/// Period in which a server restores data that it had acknowledged and lost; it accepts lost entries after the end too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// Number of the recovery, from 1.
    pub epoch: u32,
    /// How the loss was detected.
    pub reason: String,
    /// When it was detected.
    pub started_at: Timestamp,
    /// When a person ended it; `None` while it is open.
    pub ended_at: Option<Timestamp>,
}

/// Content of a verified copy of an organisation's data, or what two copies have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyContent {
    /// When the copy was begun; a few milliseconds later if another copy has that time.
    pub made_at: Timestamp,
    /// Head of each log in the copy.
    pub cursors: Vec<Cursor>,
    /// Sequence number of each device's head in the copy; 0 for none.
    pub devices: Vec<(DeviceId, u64)>,
}

/// An entry that waits for other changes, or for a newer server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeferredEntry {
    /// The entry.
    pub entry: PendingEntry,
    /// Changes that it waits for; empty if only a newer server can judge it.
    pub missing: Vec<ChangeHash>,
    /// When it was first deferred.
    pub deferred_at: Timestamp,
}

/// A change that the office rejected, or that builds on one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedEntry {
    /// Document of the change.
    pub document_id: DocumentId,
    /// Hash of the change.
    pub change: ChangeHash,
    /// Device whose uploads of it are rejected: the one that sealed it, or one of its lineage.
    pub device_id: DeviceId,
    /// Reason for the author; may be empty.
    pub reason: String,
}
