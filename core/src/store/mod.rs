//! SQLite storage: one file, one writer, a few readers.
//!
//! Owns connections, settings, migrations and the tables of a phone. [`records`], [`decisions`] and [`rows`] run on any [`sql`] engine, and
//! on the server too. Invariants: what [`Store::write`] returned from is on the disk; what failed left no trace.

pub(crate) mod carried;
pub mod check;
mod connection;
pub mod decisions;
pub(crate) mod drafts;
mod exit;
pub mod file;
pub mod heaps;
pub(crate) mod incoming;
pub(crate) mod installation;
mod key;
pub mod land;
pub mod look_alikes;
pub mod on_load;
pub(crate) mod outbox;
pub(crate) mod paid_out;
pub mod paper_books;
pub mod personal;
pub mod records;
pub mod rows;
mod search;
pub mod simple;
pub mod sql;
pub(crate) mod tail;
mod values;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use connection::{BUSY_WAIT, configure, connect};
use exit::{Closing, Use};
use file::{DatabaseFile, OpenFiles, plain_path};
pub(crate) use key::StoreKey;
pub use key::{KeyStore, KeyStoreError};

/// One numbered step of a schema; never edited once released.
pub type Migration = &'static str;

/// The tables that phone and server share; the first migration of both.
pub const RECORDS: Migration = include_str!("migrations/0001_create_records.sql");
pub(crate) const PHONE: &[Migration] = &[RECORDS, include_str!("migrations/0002_create_phone.sql")];

/// An error of the store. Nothing was changed, once the transaction is rolled back, as [`Store::write`] does.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No room on the device.
    #[error("the storage is full: free some space and try again")]
    Full,
    /// The file or a row in it is damaged, empty or not a database, or a file that must exist is missing.
    #[error("the database cannot be read: {source}")]
    Corrupt {
        /// The error of SQLite or of the decoder.
        source: sql::Source,
    },
    /// The system does not let this account use a file or folder: it is read-only, or belongs to another account.
    #[error(
        "{what} cannot be used: give this account read and write access to it and to its folder, or mount the storage writable"
    )]
    Denied {
        /// Path, as text.
        what: String,
    },
    /// A file was removed or replaced while it was open: what would be written to it would be lost.
    #[error(
        "{what} was removed or replaced while it was in use: stop this program, put the file back, and start it again"
    )]
    Removed {
        /// Path, as text.
        what: String,
    },
    /// The file was written by a newer version.
    #[error("the database is of version {found}, this program knows up to {known}: update the program")]
    TooNew {
        /// The file's version.
        found: usize,
        /// The newest known here.
        known: usize,
    },
    /// The key is wrong or missing, or does not have 32 bytes, or the file was made without a key. The file may be intact.
    #[error("the key does not open the store: {reason}")]
    WrongKey {
        /// How the key was found to be wrong.
        reason: String,
    },
    /// The key store did not return a key, or did not keep one.
    #[error("the key store failed: {reason}")]
    KeyUnavailable {
        /// Why there is no key.
        reason: String,
    },
    /// A key store was given to a build that would write unencrypted.
    #[error("this build cannot encrypt: build it with the feature `encryption`, or give no key")]
    NoEncryption,
    /// A change could not be merged, or a stored document could not be read.
    #[error(transparent)]
    Record(#[from] crate::records::Error),
    /// Any other error of the database.
    #[error("the database failed: {0}")]
    Sql(#[source] sql::Error),
}

impl Error {
    fn wrong_key(reason: impl Into<String>) -> Self {
        Self::WrongKey { reason: reason.into() }
    }

    fn denied(what: &dyn std::fmt::Display) -> Self {
        Self::Denied { what: what.to_string() }
    }

    /// Adds the file to an error of SQLite about it.
    fn about(self, file: &Path) -> Self {
        match self {
            Self::Corrupt { source } => Self::Corrupt { source: format!("{}: {source}", file.display()).into() },
            Self::Denied { .. } => Self::denied(&file.display()),
            error => error,
        }
    }

    fn key_unavailable(reason: impl Into<String>) -> Self {
        Self::KeyUnavailable { reason: reason.into() }
    }
}

impl From<sql::Error> for Error {
    fn from(error: sql::Error) -> Self {
        match error {
            sql::Error::Full { .. } => Self::Full,
            sql::Error::Corrupt { source } => Self::Corrupt { source },
            sql::Error::Denied { .. } => Self::denied(&"the database"),
            error @ sql::Error::Type { .. } => Self::Corrupt { source: error.into() },
            error => Self::Sql(error),
        }
    }
}

impl From<Error> for sql::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Sql(error) => error,
            Error::Full => Self::Full { source: error.into() },
            Error::Corrupt { source } => Self::Corrupt { source },
            error => Self::engine(error),
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::FromSqlConversionFailure(..) | rusqlite::Error::InvalidColumnType(..) => {
                Self::Corrupt { source: error.into() }
            }
            error => sql::Error::from(error).into(),
        }
    }
}

/// Returns a [`sql::Writer`] over a connection inside a transaction, for shared code. It is never finished: the caller returns each error.
pub(crate) fn seam(db: &Connection) -> sql::sqlite::SqliteWriter<'_> {
    sql::sqlite::SqliteWriter::new(db)
}

/// Commits between two checkpoints of the write-ahead log.
const COMMITS_PER_CHECKPOINT: u32 = 400;
const READERS_KEPT: usize = 2;
/// Longest wait for readers when the write-ahead log is emptied; nobody can write meanwhile.
const SCRUB_WAIT: Duration = Duration::from_millis(100);

/// An open database file.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    key: Option<StoreKey>,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    files: OpenFiles,
    commits: AtomicU32,
    /// Whether the write-ahead log still contains deleted bytes, because a reader kept it from being emptied.
    scrub_due: AtomicBool,
    /// The last field: dropped after the connections.
    closing: Closing,
}

impl Store {
    /// Opens a file, creates it if it is missing, and migrates its schema.
    ///
    /// # Errors
    /// [`Error::TooNew`], [`Error::Corrupt`], [`Error::Denied`], [`Error::Full`], [`Error::WrongKey`] if the file is encrypted; other
    /// SQLite errors.
    pub fn open(path: &Path, migrations: &[Migration]) -> Result<Self, Error> {
        Self::open_with(path, None, migrations, true)
    }

    /// Like [`Self::open`], for a file that must exist.
    ///
    /// # Errors
    /// As for [`Self::open`]; [`Error::Corrupt`] if the file is missing.
    pub fn open_existing(path: &Path, migrations: &[Migration]) -> Result<Self, Error> {
        Self::open_with(path, None, migrations, false)
    }

    /// Opens a file, which is encrypted as a whole with `key` if there is one, and migrates its schema. Creates a missing file only if
    /// `may_create`.
    ///
    /// # Errors
    /// As for [`Self::open`] and [`Self::open_existing`].
    pub(crate) fn open_with(
        path: &Path,
        key: Option<StoreKey>,
        migrations: &[Migration],
        may_create: bool,
    ) -> Result<Self, Error> {
        exit::prepare();
        let _use = Use::begin();
        let mut file = DatabaseFile::find(path)?;
        let named = |error: Error| key::explain(error, path, key.as_ref()).about(path);
        let existing = OpenFlags::default() & !OpenFlags::SQLITE_OPEN_CREATE;
        let opened = match Connection::open_with_flags(plain_path(path), existing) {
            Err(_cannot_open) if file.is_missing() && !may_create => return Err(file::missing(path)),
            Err(_cannot_open) if file.is_missing() => {
                file.begin()?;
                Connection::open_with_flags(plain_path(path), OpenFlags::default())
            }
            Ok(_) if file.is_missing() => {
                // Another process has created it meanwhile. If that was after SQLite had failed to open it for writing, it is open for
                // reading only.
                file = DatabaseFile::find(path)?;
                Connection::open_with_flags(plain_path(path), existing)
            }
            opened => opened,
        };
        if file.may_be_empty() {
            // SQLite makes files as the process's mask allows. An existing file is left to the caller: it may be another program's.
            file::keep_private(path);
        }
        let opened = opened.map_err(|error| named(error.into()))?;
        if opened.is_readonly(rusqlite::MAIN_DB)? {
            // SQLite would read it, and fail with the first write.
            return Err(Error::denied(&path.display()));
        }
        let mut writer = configure(opened, path, key.as_ref(), file.may_be_empty()).map_err(named)?;
        migrate(&mut writer, migrations).map_err(|error| error.about(path))?;
        file.end()?;
        if let Some(key) = &key {
            // A lost fingerprint is harmless: a wrong key is then reported as damage.
            drop(key::save_fingerprint(path, key));
        }
        // Without this the log would grow without limit, and keep erased bytes, if the process is always killed early; and what a killed
        // process had written, but not synced, would be shown and then lost. If the disk is full or another process reads, the next opening
        // tries again.
        drop(writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())));
        Ok(Self {
            path: path.to_owned(),
            key,
            writer: Mutex::new(writer),
            readers: Mutex::default(),
            files: OpenFiles::of(path),
            commits: AtomicU32::new(0),
            scrub_due: AtomicBool::new(false),
            closing: Closing::default(),
        })
    }

    /// Requires that the files are still where they were opened.
    ///
    /// # Errors
    /// [`Error::Removed`], [`Error::Denied`].
    pub fn require_in_place(&self) -> Result<(), Error> {
        self.files.require_in_place()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `f` on a snapshot; all that it writes is rolled back.
    ///
    /// # Errors
    /// Errors of `f` and of SQLite.
    pub fn read<T, E: From<Error>>(&self, f: impl FnOnce(&Connection) -> Result<T, E>) -> Result<T, E> {
        self.require_in_place()?;
        let _use = Use::begin();
        let kept = lock(&self.readers).pop();
        let mut reader = match kept {
            Some(reader) => reader,
            None => connect(&self.path, self.key.as_ref())?,
        };
        let snapshot = reader.transaction().map_err(Error::from)?;
        let result = f(&snapshot);
        snapshot.finish().map_err(Error::from)?;
        let mut readers = lock(&self.readers);
        if readers.len() < READERS_KEPT {
            readers.push(reader);
        }
        result
    }

    /// Runs `f` in a write transaction, and commits it durably if `f` succeeds. Only one runs at a time; a call within `f` deadlocks.
    ///
    /// # Errors
    /// Errors of `f` and of SQLite; nothing was changed.
    pub fn write<T, E: From<Error>>(&self, f: impl FnOnce(&Transaction<'_>) -> Result<T, E>) -> Result<T, E> {
        let _use = Use::begin();
        let mut writer = lock(&self.writer);
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate).map_err(Error::from)?;
        let result = f(&transaction)?;
        self.require_in_place()?;
        transaction.commit().map_err(Error::from)?;
        if self.scrub_due.load(Ordering::Acquire) {
            // The commit is done even if this fails; the next commit tries again.
            drop(self.empty_log(&writer));
        }
        drop(writer);
        if self.commits.fetch_add(1, Ordering::Relaxed) % COMMITS_PER_CHECKPOINT == COMMITS_PER_CHECKPOINT - 1 {
            self.spawn_checkpoint();
        }
        Ok(result)
    }

    /// Copies a snapshot of the database into a file that is new or empty, and syncs the file but not its folder.
    ///
    /// # Errors
    /// SQLite errors.
    pub fn copy_to(&self, path: &Path) -> Result<(), Error> {
        let _use = Use::begin();
        let reader = connect(&self.path, self.key.as_ref())?;
        let unusable = |error: std::io::Error| file::of_io(path, &error);
        let plain = plain_path(path);
        let name =
            plain.to_str().ok_or_else(|| unusable(std::io::Error::other("its path is not UTF-8: name another")))?;
        let copy = file::private(std::fs::File::options().write(true).create(true)).open(path).map_err(unusable)?;
        reader.execute("VACUUM INTO ?1", [name]).map_err(|error| match Error::from(error) {
            damaged @ Error::Corrupt { .. } => damaged.about(&self.path),
            error => error.about(path),
        })?;
        copy.sync_all().map_err(unusable)
    }

    /// Writes the file anew, so that no unused part of it keeps deleted bytes, then checkpoints and empties the write-ahead log. Needs free
    /// space of about the file's size; without it, only rows are overwritten. Returns `false` if a reader still uses the log; later writes and
    /// the next opening then try again.
    ///
    /// # Errors
    /// SQLite errors.
    pub fn scrub(&self) -> Result<bool, Error> {
        let _use = Use::begin();
        lock(&self.readers).clear();
        let writer = lock(&self.writer);
        // Secure deletion leaves copies of rows that were moved between pages: only a database that is written anew has none. On a full disk
        // they stay until the next erasure.
        match writer.execute_batch("VACUUM").map_err(Error::from) {
            Err(Error::Full) => {}
            done => done?,
        }
        self.empty_log(&writer)
    }

    fn empty_log(&self, writer: &Connection) -> Result<bool, Error> {
        self.scrub_due.store(true, Ordering::Release);
        writer.busy_timeout(SCRUB_WAIT)?;
        let is_busy = writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| Ok(row.get::<_, i64>(0)? != 0));
        writer.busy_timeout(BUSY_WAIT)?;
        let is_busy = is_busy?;
        self.scrub_due.store(is_busy, Ordering::Release);
        Ok(!is_busy)
    }

    /// Checkpoints the write-ahead log on another thread, because it would cost the calling write milliseconds.
    fn spawn_checkpoint(&self) {
        let (path, key) = (self.path.clone(), self.key.clone());
        let folds_back = std::thread::Builder::new().spawn(move || {
            let _use = Use::begin();
            // A failed checkpoint costs only disk space; the next one tries again.
            if let Ok(connection) = connect(&path, key.as_ref()) {
                drop(connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())));
            }
        });
        // If no thread starts, the log grows until the next checkpoint.
        drop(folds_back);
    }
}

impl Drop for Store {
    /// Leaves a write-ahead log alone that is another's by now, because the files were replaced.
    fn drop(&mut self) {
        self.closing.begin();
        lock(&self.readers).clear();
        if self.require_in_place().is_err() {
            drop(lock(&self.writer).set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true));
        }
    }
}

/// Locks a mutex even if it is poisoned: a panic rolled back its transaction, so the connection is usable.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn migrate(connection: &mut Connection, migrations: &[Migration]) -> Result<(), Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: usize = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let Some(missing) = migrations.get(found..) else {
        return Err(Error::TooNew { found, known: migrations.len() });
    };
    if missing.is_empty() {
        // Writes nothing, so that a full disk does not keep anybody from reading.
        return Ok(());
    }
    for migration in missing {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", migrations.len())?;
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deleted_bytes_leave_the_wal_with_the_first_write_after_the_reader_ended() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("field.db");
        let store = Store::open(&path, &["CREATE TABLE t (a BLOB)"]).expect("a store");
        let write = |sql: &str| store.write(|db| Ok::<_, Error>(db.execute(sql, [])?)).expect("written");
        let log = || std::fs::metadata(path.with_extension("db-wal")).map_or(0, |log| log.len());
        write("INSERT INTO t VALUES (x'01')");
        let reader = connect(&path, None).expect("a reader");
        reader.execute_batch("BEGIN; SELECT count(*) FROM t").expect("a snapshot");
        write("DELETE FROM t");
        assert!(!store.scrub().expect("a try"), "the reader needs the log");
        write("INSERT INTO t VALUES (x'02')");
        assert!(log() > 0);
        reader.execute_batch("ROLLBACK").expect("ended");
        write("INSERT INTO t VALUES (x'03')");
        assert_eq!(log(), 0);
    }

    #[test]
    fn a_newer_file_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("field.db");
        drop(Store::open(&path, PHONE).expect("it opens"));
        let error = Store::open(&path, &[RECORDS]).expect_err("one migration too few");
        assert!(matches!(error, Error::TooNew { found, known: 1 } if found == PHONE.len()), "{error}");
        Store::open(&path, PHONE).expect("the file is as it was");
    }

    #[test]
    fn what_fails_leaves_no_trace() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("field.db"), PHONE).expect("it opens");
        let failed: Result<(), Error> = store.write(|tx| {
            tx.execute("UPDATE counters SET receipts = 7", [])?;
            Err(Error::Full)
        });
        assert!(matches!(failed, Err(Error::Full)), "{failed:?}");
        let receipts: i64 = store
            .read(|db| Ok::<_, Error>(db.query_row("SELECT receipts FROM counters", [], |row| row.get(0))?))
            .expect("it reads");
        assert_eq!(receipts, 0);
    }

    #[test]
    fn a_file_that_is_no_database_is_called_damaged() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("field.db");
        std::fs::write(&path, [b'x'; 8192]).expect("it writes");
        assert!(matches!(Store::open(&path, PHONE), Err(Error::Corrupt { .. })));
    }
}
