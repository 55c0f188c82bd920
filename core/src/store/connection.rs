//! Connections to a database's file, and their settings.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::Error;
use super::file::{self, plain_path};
use super::key::StoreKey;

/// Longest wait of a statement for another connection.
pub(super) const BUSY_WAIT: Duration = Duration::from_secs(10);

/// Attempts to enable the write-ahead log of a new file, each of which another connection may prevent.
const WRITE_AHEAD_TRIES: u32 = 10;

/// Opens a further connection to an open store.
pub(super) fn connect(path: &Path, key: Option<&StoreKey>) -> Result<Connection, Error> {
    let connection =
        Connection::open_with_flags(plain_path(path), OpenFlags::default() & !OpenFlags::SQLITE_OPEN_CREATE);
    connection.map_err(Error::from).and_then(|it| configure(it, path, key, false)).map_err(|error| error.about(path))
}

/// Unlocks a new connection with the key, if there is one, and applies the settings of all connections.
///
/// # Errors
/// [`Error::Corrupt`] if the file is empty, unless it `may_be_empty`; [`Error::WrongKey`]; other SQLite errors.
pub(super) fn configure(
    connection: Connection,
    path: &Path,
    key: Option<&StoreKey>,
    may_be_empty: bool,
) -> Result<Connection, Error> {
    if let Some(key) = key {
        key.unlock(&connection)?;
    }
    connection.busy_timeout(BUSY_WAIT)?;
    // Asked before anything is written: SQLite would take an emptied file for a new one.
    if !may_be_empty && connection.query_row("PRAGMA page_count", [], |row| row.get::<_, u32>(0))? == 0 {
        return Err(file::emptied(path));
    }
    connection.set_prepared_statement_cache_capacity(64);
    // Otherwise a statement on a table with a partial index is prepared again for each bound value (recording took 3.1 times the floor).
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    use_write_ahead_log(&connection)?;
    connection
        .execute_batch("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA trusted_schema = OFF; PRAGMA secure_delete = ON;")?;
    Ok(connection)
}

/// Lets a database have a write-ahead log. SQLite does not wait for another connection that does the same to a new file, but for its
/// transactions.
fn use_write_ahead_log(connection: &Connection) -> Result<(), Error> {
    for _ in 0..WRITE_AHEAD_TRIES {
        match connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())) {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK")?;
            }
            result => return Ok(result?),
        }
    }
    Ok(connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?)
}
