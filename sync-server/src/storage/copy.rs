//! Verification of copied files: the chain of every log, and every table.

use std::io::ErrorKind;
use std::path::Path;

use farmtally_core::codec::decode;
use farmtally_core::decisions::Decision;
use farmtally_core::protocol::bundle::Bundle;
use farmtally_core::protocol::log::Cursor;
use farmtally_core::records::Change;
use farmtally_core::scope::Scope;
use farmtally_core::store;
use farmtally_core::store::sql::Reader;
use farmtally_core::store::sql::sqlite::SqliteReader;
use farmtally_core::units::{BundleHash, DeviceId, OrganisationId, Timestamp};
use rusqlite::{Connection, OpenFlags};

use super::content::Content;
use super::sqlite::map_sql_error;
use super::{CopyContent, LogContent, LogEntry, PendingEntry, ReadTransaction, Transaction};
use crate::Error;

/// Statements that count the rows which contradict other tables, with the table and what is wrong.
const CONTRADICTIONS: [(&str, &str, &str); 5] = [
    (
        "logged_changes",
        "changes of the log have no position",
        "SELECT count(*) FROM log WHERE envelope IS NOT NULL
         AND change_hash NOT IN (SELECT change_hash FROM logged_changes)",
    ),
    (
        "logged_changes",
        "positions are not those of the log",
        "SELECT count(*) FROM logged_changes c LEFT JOIN log ON log.scope = c.scope AND log.seq = c.seq
         WHERE log.change_hash IS NOT c.change_hash",
    ),
    (
        "documents",
        "documents named in the logs are missing",
        "SELECT count(DISTINCT document_id) FROM logged_changes
         WHERE document_id NOT IN (SELECT document_id FROM documents) AND document_id NOT IN (SELECT document_id FROM erased)",
    ),
    (
        "reference",
        "decisions are not those of the log",
        "SELECT count(*) FROM reference r LEFT JOIN log ON log.scope = r.scope AND log.seq = r.seq WHERE log.body IS NOT r.body",
    ),
    (
        "bundles",
        "bundles that the log names are missing",
        "SELECT count(*) FROM (SELECT bundle_hash FROM log WHERE bundle_hash <> zeroblob(32)
         UNION SELECT bundle_hash FROM held UNION SELECT bundle_hash FROM deferred)
         WHERE bundle_hash NOT IN (SELECT hash FROM bundles)",
    ),
];

/// Verifies a copied file: recomputes the chain of every log, reads every table, and compares the rows with the documents and decisions
/// that they follow from. Returns its content, as of `made_at`. Does not compare it with this server's logs.
///
/// # Errors
/// [`Error::Unusable`] naming the file and what does not match.
pub fn check_copy(path: &Path, organisation: OrganisationId, made_at: Timestamp) -> Result<CopyContent, Error> {
    let wrong = |reason: String| Error::unusable(&path.display(), format!("{reason}: make another copy"));
    let in_table = |table: &'static str| move |error: Error| wrong(format!("table `{table}`: {error}"));
    let db = open(path, Content::Organisation(organisation))?;
    let mut reader = SqliteReader::new(&db);
    let connection: &mut dyn Reader = &mut reader;
    let mut tx = Transaction::new(connection, organisation);
    let mut cursors = Vec::new();
    for scope in tx.scopes().map_err(in_table("scopes"))? {
        let at = check_log(&mut tx, &scope).map_err(|error| wrong(error.to_string()))?;
        if tx.head(&scope).map_err(in_table("scopes"))?.as_ref() != Some(&at) {
            return Err(wrong(format!("table `scopes`: the log of {scope} ends before its head")));
        }
        cursors.push(at);
    }
    for (table, reason, statement) in CONTRADICTIONS {
        let count: u64 = map_sql_error(db.query_row(statement, [], |row| row.get(0))).map_err(in_table(table))?;
        if count > 0 {
            return Err(wrong(format!("table `{table}`: {reason} ({count})")));
        }
    }
    store::check::documents(tx.reader()).map_err(|error| wrong(error.to_string()))?;
    let devices = tx.devices().map_err(in_table("devices"))?;
    check_codes(&db, &mut tx).map_err(in_table("enrolment_codes"))?;
    let held = tx.all_held().map_err(in_table("held"))?.into_iter().map(|it| it.entry);
    check_pending(held).map_err(in_table("held"))?;
    let deferred = tx.all_deferred().map_err(in_table("deferred"))?.into_iter().map(|it| it.entry);
    check_pending(deferred).map_err(in_table("deferred"))?;
    check_bundles(&db).map_err(in_table("bundles"))?;
    tx.recovery().map_err(in_table("recoveries"))?;
    tx.newest_verified_copies(1_000).map_err(in_table("backups"))?;
    let devices = devices.into_iter().map(|it| (it.device_id, it.head.map_or(0, |head| head.sequence))).collect();
    Ok(CopyContent { made_at, cursors, devices })
}

/// Opens a copied file for reading. Requires that it has this content, and that SQLite finds all its pages, rows and indexes intact.
fn open(path: &Path, content: Content) -> Result<Connection, Error> {
    let bad = |reason: &str| Err(Error::unusable(&path.display(), format!("{reason}: make another copy")));
    if let Some(difference) = content.difference(path) {
        return Err(Error::unusable(&path.display(), difference));
    }
    match std::fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return bad("it is missing"),
        Err(error) => return Err(Error::io(&path.display())(error)),
        Ok(file) if file.len() == 0 => return bad("it is empty"),
        Ok(_) => {}
    }
    let read = || -> rusqlite::Result<(Connection, String)> {
        let db = Connection::open_with_flags(store::file::plain_path(path), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let state = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        Ok((db, state))
    };
    match read() {
        Ok((db, state)) if state == "ok" => Ok(db),
        Ok((_, damage)) => bad(&format!("damaged: {damage}")),
        Err(error) => bad(&format!("it cannot be read: {error}")),
    }
}

/// Recomputes the chain of a log, checks the bytes of its changes and the rows of its decisions, and returns its end.
fn check_log(tx: &mut ReadTransaction<'_>, scope: &Scope) -> Result<Cursor, Error> {
    let wrong = |reason: String| Error::Internal { reason: format!("table `log`: {reason}") };
    let mut at = Cursor::start(tx.organisation(), scope.clone());
    loop {
        let batch = tx.entries_after(scope, at.sequence, 1_000).map_err(|error| wrong(error.to_string()))?;
        if batch.is_empty() {
            return Ok(at);
        }
        for LogEntry { cursor, content, .. } in batch {
            match &content {
                LogContent::Change { hash, change: Some(change), .. } if Change::hash_of_stripped(change) != *hash => {
                    return Err(wrong(format!("entry {} of {scope} is not what was logged", cursor.sequence)));
                }
                LogContent::Change { envelope, change: None, .. }
                    if !store::records::is_erased(tx.reader(), envelope.document_id)? =>
                {
                    return Err(wrong(format!("the bytes of entry {} of {scope} are missing", cursor.sequence)));
                }
                content => at.advance(content.hash()),
            }
            if at != cursor {
                return Err(wrong(format!("the chain of {scope} breaks at entry {}", cursor.sequence)));
            }
            if let LogContent::Decision(bytes) = &content
                && let Ok(decision) = decode::<Decision>(bytes)
            {
                store::check::decision(tx.reader(), scope, cursor.sequence, &decision)?;
            }
        }
    }
}

fn check_codes(db: &Connection, tx: &mut ReadTransaction<'_>) -> Result<(), Error> {
    let mut statement = map_sql_error(db.prepare("SELECT code_hash FROM enrolment_codes"))?;
    let hashes = map_sql_error(statement.query_map([], |row| row.get::<_, [u8; 32]>(0)))?;
    for hash in hashes {
        tx.enrolment_code(&map_sql_error(hash)?)?;
    }
    Ok(())
}

/// Requires that the bytes of entries that are not logged are those that were signed; erased ones have none.
fn check_pending(mut entries: impl Iterator<Item = PendingEntry>) -> Result<(), Error> {
    let is_other = |it: &PendingEntry| !it.bytes.is_empty() && Change::hash_of_stripped(&it.bytes) != it.change;
    match entries.find(is_other) {
        None => Ok(()),
        Some(it) => Err(Error::Internal { reason: format!("a change of document {} is damaged", it.document()) }),
    }
}

fn check_bundles(db: &Connection) -> Result<(), Error> {
    let mut statement = map_sql_error(db.prepare("SELECT hash, bytes FROM bundles"))?;
    let mut rows = map_sql_error(statement.query([]))?;
    while let Some(row) = map_sql_error(rows.next())? {
        let (hash, bytes): (BundleHash, Vec<u8>) = (map_sql_error(row.get(0))?, map_sql_error(row.get(1))?);
        if Bundle::parse(&bytes).map(|bundle| bundle.hash()).ok() != Some(hash) {
            return Err(Error::Internal { reason: "a bundle is not what was signed".into() });
        }
    }
    Ok(())
}

/// Returns the organisations that a copied `control.db` lists.
///
/// # Errors
/// [`Error::Unusable`] naming the file if it is missing or damaged.
pub fn copied_organisations(path: &Path) -> Result<Vec<OrganisationId>, Error> {
    let db = open(path, Content::Control)?;
    let read = || -> rusqlite::Result<Vec<OrganisationId>> {
        let mut statement = db.prepare("SELECT organisation_id FROM organisations ORDER BY 1")?;
        statement.query_map([], |row| row.get(0))?.collect()
    };
    read().map_err(|error| Error::unusable(&path.display(), format!("it cannot be read: {error}")))
}

/// Requires that a copied `control.db` is intact, lists an organisation, and has the route of each of its devices.
///
/// # Errors
/// [`Error::Unusable`] naming the file and what is missing.
pub fn check_control(path: &Path, organisation: OrganisationId, devices: &[DeviceId]) -> Result<(), Error> {
    let db = open(path, Content::Control)?;
    let wrong = |reason: String| Error::unusable(&path.display(), reason);
    let failed = |error: rusqlite::Error| wrong(format!("it cannot be read: {error}"));
    let has = |sql: &str, key: &[u8]| db.prepare(sql).and_then(|mut statement| statement.exists([key])).map_err(failed);
    if !has("SELECT 1 FROM organisations WHERE organisation_id = ?1", organisation.as_bytes())? {
        return Err(wrong(format!("table `organisations`: {organisation} is missing")));
    }
    for device in devices {
        if !has("SELECT 1 FROM routes WHERE key = ?1", device.as_bytes())? {
            return Err(wrong(format!("table `routes`: device {device} is missing")));
        }
    }
    Ok(())
}
