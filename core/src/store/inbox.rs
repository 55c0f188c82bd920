//! What came from the server: how far each scope was read, decisions as they came, entries that could not be applied.
//!
//! Owns the tables `log_cursors`, `decisions`, `inbox_held`.
//! Invariants: a frame's entries and its cursor are one transaction; an entry that fails is set aside verbatim and never blocks the rest.

use rusqlite::{Connection, OptionalExtension};

use super::{Error, decisions, outbox, records};
use crate::codec::{decode, encode};
use crate::decisions::Decision;
use crate::records::{Change, Kind};
use crate::scope::Scope;
use crate::sync::log::{ChainHash, Cursor, EntryHash};
use crate::sync::message::{Frame, FrameEntry};
use crate::units::{DocumentId, HybridTime, OrganisationId};

/// How far each scope was read.
pub(crate) fn cursors(db: &Connection) -> Result<Vec<Cursor>, Error> {
    let mut statement = db.prepare_cached("SELECT scope, seq, chain FROM log_cursors ORDER BY scope")?;
    let cursor = |row: &rusqlite::Row<'_>| {
        Ok(Cursor { scope: row.get(0)?, sequence: row.get(1)?, chain: ChainHash(row.get(2)?) })
    };
    Ok(statement.query_map([], cursor)?.collect::<Result<_, _>>()?)
}

/// How far one scope was read.
pub(crate) fn cursor(db: &Connection, organisation: OrganisationId, scope: &Scope) -> Result<Cursor, Error> {
    let mut statement = db.prepare_cached("SELECT seq, chain FROM log_cursors WHERE scope = ?1")?;
    let row = statement.query_row([scope], |row| Ok((row.get(0)?, ChainHash(row.get(1)?)))).optional()?;
    Ok(match row {
        Some((sequence, chain)) => Cursor { scope: scope.clone(), sequence, chain },
        None => Cursor::start(organisation, scope.clone()),
    })
}

/// Why a frame was not taken over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    /// It does not begin where this phone stands: an older answer that came late, or one that overtook another. Ask again.
    #[error("the frame begins elsewhere")]
    Elsewhere,
    /// An own bundle that the frame refers to is gone. Ask for the bytes.
    #[error("an own bundle is not here any more")]
    OwnBytesNeeded,
    /// The entries do not give the chain hash that the server promised.
    #[error("the log of {scope} does not follow from what was read before")]
    Diverged {
        /// Whose log.
        scope: Scope,
    },
    /// The store did not do as told.
    #[error(transparent)]
    Store(#[from] Error),
}

impl From<rusqlite::Error> for FrameError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

/// What a frame brought.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Received {
    /// Changes of others and decisions.
    pub(crate) entries: u64,
    /// The newest hybrid time among the records that changed.
    pub(crate) newest: HybridTime,
}

/// Takes a frame over, with its cursor. Must run inside one transaction.
pub(crate) fn apply(db: &Connection, organisation: OrganisationId, frame: &Frame) -> Result<Received, FrameError> {
    let mut cursor = cursor(db, organisation, &frame.scope)?;
    if cursor.sequence != frame.after {
        return Err(FrameError::Elsewhere);
    }
    let mut received = Received::default();
    for entry in &frame.entries {
        match entry {
            FrameEntry::Own { bundle, first, count } => {
                let bundle = outbox::find(db, *bundle)?.ok_or(FrameError::OwnBytesNeeded)?;
                for (transaction, entry) in bundle.entries().skip(*first as usize).take(*count as usize) {
                    let envelope = bundle.envelope(transaction, entry);
                    cursor.advance(EntryHash::of_change(&envelope, Change::hash_of_stripped(&entry.change)));
                }
            }
            FrameEntry::Change { envelope, change } => {
                cursor.advance(EntryHash::of_change(envelope, Change::hash_of_stripped(change)));
                received.entries += 1;
                received.newest = received.newest.max(take(db, &cursor, entry, Some(envelope.document))?);
                retry_held(db, envelope.document)?;
            }
            FrameEntry::Decision { decision } => {
                cursor.advance(EntryHash::of_decision(decision));
                received.entries += 1;
                db.prepare_cached("INSERT INTO decisions (scope, seq, decision) VALUES (?1, ?2, ?3)")?.execute((
                    &cursor.scope,
                    cursor.sequence,
                    decision,
                ))?;
                take(db, &cursor, entry, None)?;
            }
        }
    }
    if cursor.chain != frame.chain {
        return Err(FrameError::Diverged { scope: frame.scope.clone() });
    }
    db.prepare_cached(
        "INSERT INTO log_cursors (scope, seq, chain) VALUES (?1, ?2, ?3)
         ON CONFLICT (scope) DO UPDATE SET seq = excluded.seq, chain = excluded.chain",
    )?
    .execute((&cursor.scope, cursor.sequence, cursor.chain.0))?;
    Ok(received)
}

/// Applies one entry, or sets it aside with the reason; returns the newest time of the record that changed.
fn take(db: &Connection, at: &Cursor, entry: &FrameEntry, document: Option<DocumentId>) -> Result<HybridTime, Error> {
    let reason = match apply_entry(db, &at.scope, entry)? {
        Ok(newest) => return Ok(newest),
        Err(reason) => reason,
    };
    db.prepare_cached("INSERT INTO inbox_held (scope, seq, document_id, entry, reason) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute((&at.scope, at.sequence, document, encode(entry), reason))?;
    Ok(HybridTime::default())
}

/// The inner result says why the entry cannot be applied here; the outer one that nothing can.
fn apply_entry(db: &Connection, scope: &Scope, entry: &FrameEntry) -> Result<Result<HybridTime, String>, Error> {
    match entry {
        FrameEntry::Change { envelope, change } => {
            let Some(kind) = Kind::from_number(envelope.kind) else {
                return Ok(Err(format!("record kind {} is not known to this version", envelope.kind)));
            };
            let change = match Change::parse_stripped(change) {
                Ok(change) => change,
                Err(error) => return Ok(Err(error.to_string())),
            };
            match records::apply(db, scope, kind, envelope.document, &change) {
                Ok(merged) => Ok(Ok(merged.record.map_or(HybridTime::default(), |record| record.newest_time()))),
                Err(Error::Record(error)) => Ok(Err(error.to_string())),
                Err(error) => Err(error),
            }
        }
        FrameEntry::Decision { decision } => match decode::<Decision>(decision) {
            Ok(decision) => decisions::apply(db, &decision).map(|()| Ok(HybridTime::default())),
            Err(error) => Ok(Err(error.to_string())),
        },
        FrameEntry::Own { .. } => Ok(Ok(HybridTime::default())),
    }
}

/// Tries a document's set-aside entries again.
fn retry_held(db: &Connection, document: DocumentId) -> Result<(), Error> {
    retry(db, "document_id = ?1", [document])
}

fn retry(db: &Connection, which: &str, parameters: impl rusqlite::Params) -> Result<(), Error> {
    let mut statement =
        db.prepare_cached(&format!("SELECT scope, seq, entry FROM inbox_held WHERE {which} ORDER BY scope, seq"))?;
    let held = statement
        .query_map(parameters, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<Vec<(Scope, u64, Vec<u8>)>, _>>()?;
    for (scope, sequence, entry) in held {
        let entry: FrameEntry = decode(&entry).map_err(|error| Error::Corrupt { reason: error.to_string() })?;
        if apply_entry(db, &scope, &entry)?.is_ok() {
            db.execute("DELETE FROM inbox_held WHERE scope = ?1 AND seq = ?2", (&scope, sequence))?;
        }
    }
    Ok(())
}

/// Tries every set-aside entry again, in the order in which they came: this version may know what an older one did not.
pub(crate) fn retry_all(db: &Connection) -> Result<(), Error> {
    retry(db, "true", [])
}

/// How many entries are set aside.
pub(crate) fn held_count(db: &Connection) -> Result<u64, Error> {
    Ok(db.query_row("SELECT count(*) FROM inbox_held", [], |row| row.get(0))?)
}
