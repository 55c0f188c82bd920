//! Where the server keeps things: the tables of an organisation, as statements over the seam that SQLite and PostgreSQL share.
//!
//! Owns the trait of a backend, the [`Transaction`], and the rows it gives. Invariant: all that one write does is one transaction.

mod devices;
mod held;
mod log;
pub mod postgres;
mod recovery;
mod rows;
mod sqlite;

use std::collections::BTreeMap;
use std::path::Path;

use farmtally_core::permission::Role;
use farmtally_core::protocol::HoldCode;
use farmtally_core::protocol::bundle::ChangeEnvelope;
use farmtally_core::protocol::log::Cursor;
use farmtally_core::protocol::message::DeviceHead;
use farmtally_core::scope::Scope;
use farmtally_core::store::sql::{self, Database, Reader, Writer};
use farmtally_core::units::{
    BundleHash, CentreCode, ChangeHash, DeviceCode, DeviceId, DocumentId, EntryHash, OrganisationId, Timestamp, UserId,
};

pub use postgres::PostgresStorage;
pub use sqlite::{SqliteStorage, check_control, check_copy};

use crate::Error;

/// A database for all organisations of a server: open, snapshot, retried write, copy. What is in it, the modules here say, as
/// functions of a [`Transaction`].
pub trait Storage: Database {
    /// All organisations, in the order of their ids.
    ///
    /// # Errors
    /// [`Error::Storage`].
    fn organisations(&self) -> Result<Vec<OrganisationId>, Error>;

    /// Makes room for an organisation that is not listed yet, unless there is.
    ///
    /// # Errors
    /// [`Error::Storage`].
    fn prepare(&self, organisation: OrganisationId) -> Result<(), Error>;

    /// Lists an organisation, and makes room for it if there is none.
    ///
    /// # Errors
    /// [`Error::Storage`].
    fn add_organisation(&self, organisation: OrganisationId) -> Result<(), Error>;

    /// Notes to which organisation a device id or the hash of an enrolment code leads.
    ///
    /// # Errors
    /// [`Error::Storage`].
    fn add_route(&self, key: &[u8], organisation: OrganisationId) -> Result<(), Error>;

    /// Returns where a device id or the hash of an enrolment code leads.
    ///
    /// # Errors
    /// [`Error::Storage`].
    fn route(&self, key: &[u8]) -> Result<Option<OrganisationId>, Error>;

    /// Overwrites what was deleted wherever the database still keeps bytes of it, as far as the engine lets its clients.
    ///
    /// # Errors
    /// [`Error::Storage`], [`Error::Busy`] if readers keep the database in use.
    fn scrub(&self, organisation: OrganisationId) -> Result<(), Error>;

    /// Copies all data into a folder that it makes, each organisation as of one moment.
    ///
    /// # Errors
    /// [`Error::Storage`], [`Error::Unusable`], [`Error::Io`], or [`Error::Unsupported`] if the engine has a tool of its own for copies.
    fn copy_to(&self, folder: &Path) -> Result<(), Error>;
}

/// Where an entry stands: in which scope's log, under which number.
pub type LogPosition = (Scope, u64);

/// A connection of the seam that can at least read.
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

/// A transaction of one organisation. Its methods are the statements about the server's tables, a file for each group of tables; they fail
/// only with [`Error::Storage`].
pub struct Transaction<'a, C: Access + ?Sized> {
    connection: &'a mut C,
    organisation: OrganisationId,
    /// Where the logs end to which it has appended.
    heads: BTreeMap<Scope, Cursor>,
}

/// A transaction on a snapshot.
pub type ReadTransaction<'a> = Transaction<'a, dyn Reader + 'a>;
/// A transaction that writes.
pub type WriteTransaction<'a> = Transaction<'a, dyn Writer + 'a>;

impl<'a, C: Access + ?Sized> Transaction<'a, C> {
    fn new(connection: &'a mut C, organisation: OrganisationId) -> Self {
        Self { connection, organisation, heads: BTreeMap::new() }
    }

    /// Returns the connection, for what core's store reads.
    pub fn reader(&mut self) -> &mut dyn Reader {
        self.connection.reader()
    }

    /// Returns whose data it is about.
    pub fn organisation(&self) -> OrganisationId {
        self.organisation
    }
}

impl WriteTransaction<'_> {
    fn appended(&self) -> Vec<Cursor> {
        self.heads.values().cloned().collect()
    }
}

/// Runs `work` on a snapshot and returns its result.
///
/// # Errors
/// Those of `work`, [`Error::Storage`].
pub fn read<T>(
    storage: &dyn Storage,
    organisation: OrganisationId,
    f: impl Fn(&mut ReadTransaction<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    sql::read(storage, organisation, |reader| f(&mut Transaction::new(reader, organisation)))
}

/// Runs `work` in a transaction, perhaps more than once, and returns its result once it is durable, with the heads of the logs it appended to.
///
/// # Errors
/// Those of `work`, [`Error::Storage`].
pub fn write<T>(
    storage: &dyn Storage,
    organisation: OrganisationId,
    f: impl Fn(&mut WriteTransaction<'_>) -> Result<T, Error>,
) -> Result<(T, Vec<Cursor>), Error> {
    sql::write(storage, organisation, |writer| {
        let mut transaction = Transaction::new(writer, organisation);
        let result = f(&mut transaction)?;
        Ok((result, transaction.appended()))
    })
}

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

/// A bundle as it is kept: what was signed, without the bytes of its changes. These are in the log, or with the entries that are held or
/// deferred.
#[derive(Clone, Debug)]
pub struct StoredBundle<'a> {
    /// Its hash.
    pub hash: BundleHash,
    /// The device that sealed it.
    pub device: DeviceId,
    /// Its number on that device.
    pub sequence: u64,
    /// The bundle with the hashes of its changes in place of their bytes.
    pub bytes: &'a [u8],
}

/// An entry of a bundle that is not in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingEntry {
    /// The bundle it came in.
    pub bundle: BundleHash,
    /// Its number there, from 0.
    pub entry: u32,
    /// What is logged about it.
    pub envelope: ChangeEnvelope,
    /// How far its author had read the device's scope.
    pub device_cursor: u64,
    /// The schema of the version that sealed the bundle.
    pub schema: u16,
    /// The hash of the change.
    pub change: ChangeHash,
    /// The stripped change, whatever it is.
    pub bytes: Vec<u8>,
}

impl PendingEntry {
    /// The document.
    pub fn document(&self) -> DocumentId {
        self.envelope.document
    }

    /// The hash of envelope and change, by which the entry is known.
    pub fn hash(&self) -> EntryHash {
        EntryHash::of_change(&self.envelope, self.change)
    }
}

/// An entry for the log.
#[derive(Clone, Debug)]
pub enum NewEntry<'a> {
    /// A device's change.
    Change {
        /// What is logged about it.
        envelope: &'a ChangeEnvelope,
        /// The hash of the change.
        hash: ChangeHash,
        /// The stripped change; `None` once it is erased.
        change: Option<&'a [u8]>,
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
    pub commit_id: u64,
    /// What it is.
    pub content: LogContent,
}

/// What an entry of the log holds.
#[derive(Clone, Debug)]
pub enum LogContent {
    /// A device's change.
    Change {
        /// What is logged about it.
        envelope: ChangeEnvelope,
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
    /// The entry.
    pub entry: PendingEntry,
    /// Why, as a stable code.
    pub code: HoldCode,
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
    pub cursors: Vec<Cursor>,
    /// The newest bundle of each device in it.
    pub devices: Vec<(DeviceId, u64)>,
}

/// An entry that waits for other changes, or for a newer server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeferredEntry {
    /// The entry.
    pub entry: PendingEntry,
    /// What it waits for; empty if only a newer server can judge it.
    pub missing: Vec<ChangeHash>,
    /// Since when.
    pub deferred_at: Timestamp,
}

/// A change that went back to its author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedEntry {
    /// The document.
    pub document: DocumentId,
    /// The hash of the change.
    pub change: ChangeHash,
    /// The device that sealed it.
    pub device: DeviceId,
    /// Words for the author, may be empty.
    pub reason: String,
}
