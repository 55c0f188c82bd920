//! The newest entries that were read of each log, and the server's signed evidence about it.
//!
//! Owns the tables `log_tail` and `evidence`. They let this phone restore what a server that was rolled back to an older copy has lost, and
//! read a diverged log again only from the last position in common.

use rusqlite::{Connection, OptionalExtension};

use super::{Error, decisions, outbox, seam};
use crate::codec::{decode, encode};
use crate::protocol::log::{Cursor, CursorName};
use crate::protocol::message::FrameEntry;
use crate::protocol::repair::Evidence;
use crate::records::Change;
use crate::scope::Scope;
use crate::units::{ChainHash, DocumentId, OrganisationId};

/// Saves an entry that was read; `cursor` is the cursor after it.
pub(crate) fn save(db: &Connection, cursor: &Cursor, entry: &FrameEntry) -> Result<(), Error> {
    let own_bundle = match entry {
        FrameEntry::Own { bundle, .. } => Some(bundle.0),
        FrameEntry::Change { .. } | FrameEntry::Erased { .. } | FrameEntry::Decision { .. } => None,
    };
    let insert = "INSERT OR REPLACE INTO log_tail (scope, seq, chain, entry, own_bundle) VALUES (?1, ?2, ?3, ?4, ?5)";
    db.prepare_cached(insert)?.execute((&cursor.scope, cursor.sequence, cursor.chain.0, encode(entry), own_bundle))?;
    Ok(())
}

/// Saves the server's evidence about a scope, with the cursor that it covers, in place of earlier evidence.
pub(crate) fn save_evidence(db: &Connection, head: &Cursor, evidence: &Evidence) -> Result<(), Error> {
    let mut statement = db.prepare_cached(
        "INSERT INTO evidence (scope, seq, evidence) VALUES (?1, ?2, ?3)
         ON CONFLICT (scope) DO UPDATE SET seq = excluded.seq, evidence = excluded.evidence",
    )?;
    statement.execute((&head.scope, head.sequence, encode(evidence)))?;
    Ok(())
}

/// Returns the evidence about a scope, and the sequence number that it covers.
pub(crate) fn evidence(db: &Connection, scope: &Scope) -> Result<Option<(u64, Evidence)>, Error> {
    let mut statement = db.prepare_cached("SELECT seq, evidence FROM evidence WHERE scope = ?1")?;
    let row: Option<(u64, Vec<u8>)> = statement.query_row([scope], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let corrupt = |error: minicbor::decode::Error| Error::Corrupt { source: error.into() };
    row.map(|(sequence, bytes)| Ok((sequence, decode(&bytes).map_err(corrupt)?))).transpose()
}

/// Returns checkpoints, newest first: the newest entry, entries at doubling distances from it, the oldest that is kept, and the start.
pub(crate) fn checkpoints(
    db: &Connection,
    organisation: OrganisationId,
    scope: &Scope,
) -> Result<Vec<CursorName>, Error> {
    let (oldest, newest): (Option<u64>, Option<u64>) = db
        .prepare_cached("SELECT min(seq), max(seq) FROM log_tail WHERE scope = ?1")?
        .query_row([scope], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let start = Cursor::start(organisation, scope.clone()).name();
    let (Some(oldest), Some(newest)) = (oldest, newest) else { return Ok(vec![start]) };
    let mut sequences = vec![newest];
    let mut back = 1;
    while newest - oldest > back {
        sequences.push(newest - back);
        back = back * 2 + 1;
    }
    // Usually two copies of the server's data contain the oldest one, so that a server that was rolled back knows at least that.
    sequences.push(oldest);
    sequences.dedup();
    let mut cursors = Vec::new();
    for sequence in sequences {
        let named = |chain: ChainHash| CursorName { scope: scope.clone(), sequence, chain: chain.short() };
        cursors.extend(chain_at(db, scope, sequence)?.map(named));
    }
    cursors.push(start);
    Ok(cursors)
}

fn chain_at(db: &Connection, scope: &Scope, sequence: u64) -> Result<Option<ChainHash>, Error> {
    let mut statement = db.prepare_cached("SELECT chain FROM log_tail WHERE scope = ?1 AND seq = ?2")?;
    Ok(statement.query_row((scope, sequence), |row| Ok(ChainHash(row.get(0)?))).optional()?)
}

/// Returns consecutive entries after `after`, up to `up_to` inclusive: up to `limit` bytes, but at least one if the next one is kept. They
/// have their bytes, except that an own entry whose bundle was trimmed stays [`FrameEntry::Own`].
pub(crate) fn entries_after(
    db: &Connection,
    scope: &Scope,
    after: u64,
    up_to: u64,
    limit: usize,
) -> Result<Vec<FrameEntry>, Error> {
    let mut statement =
        db.prepare_cached("SELECT seq, entry FROM log_tail WHERE scope = ?1 AND seq > ?2 AND seq <= ?3 AND entry IS NOT NULL ORDER BY seq")?;
    let mut rows = statement.query((scope, after, up_to))?;
    let (mut entries, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let (sequence, entry): (u64, Vec<u8>) = (row.get(0)?, row.get(1)?);
        if sequence != after + 1 + entries.len() as u64 {
            break;
        }
        let entry = decode(&entry).map_err(|error| Error::Corrupt { source: error.into() })?;
        let entry = with_bytes(db, entry)?;
        bytes += encode(&entry).len();
        if bytes > limit && !entries.is_empty() {
            break;
        }
        entries.push(entry);
    }
    Ok(entries)
}

/// Replaces an own entry by the form that other phones read, if its bundle is still here.
fn with_bytes(db: &Connection, entry: FrameEntry) -> Result<FrameEntry, Error> {
    let FrameEntry::Own { bundle, first, .. } = entry else { return Ok(entry) };
    let own = outbox::find(db, bundle)?;
    let found = own.as_ref().and_then(|own| own.entries().nth(first as usize).map(|(t, e)| (own.envelope(t, e), e)));
    Ok(match found {
        Some((envelope, own)) => match own.erased {
            Some(change) => FrameEntry::Erased { envelope, change },
            None => FrameEntry::Change { envelope, change: own.change.clone() },
        },
        None => entry,
    })
}

/// Rewinds a scope to a sequence number that phone and server have in common, or to the start if it is not kept. Documents are not undone.
pub(crate) fn rewind(db: &Connection, organisation: OrganisationId, scope: &Scope, to: u64) -> Result<(), Error> {
    let start = ChainHash::start(organisation, scope);
    let known = chain_at(db, scope, to)?;
    // If that entry is not kept any more, rewind to the start.
    let (to, chain) = known.map_or((0, start), |chain| (to, chain));
    db.execute("DELETE FROM log_tail WHERE scope = ?1 AND seq > ?2", (scope, to))?;
    db.execute("DELETE FROM decisions WHERE scope = ?1 AND seq > ?2", (scope, to))?;
    db.execute("DELETE FROM set_aside WHERE scope = ?1 AND seq > ?2", (scope, to))?;
    db.execute("DELETE FROM evidence WHERE scope = ?1", [scope])?;
    db.execute("UPDATE log_cursors SET seq = ?2, chain = ?3 WHERE scope = ?1", (scope, to, chain.0))?;
    // A grant that the server has lost must not be used, because the server would hold changes made under it.
    let mut statement = db.prepare("SELECT seq, decision FROM decisions WHERE scope = ?1 ORDER BY seq")?;
    let rows = statement.query_map([scope], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let known = rows.collect::<Result<Vec<(u64, Vec<u8>)>, _>>()?;
    decisions::rebuild(&mut seam(db), scope, &known)
}

/// Deletes the entries before `sequence`; of that entry only the chain hash is kept.
pub(crate) fn trim(db: &Connection, scope: &Scope, sequence: u64) -> Result<(), Error> {
    db.execute("DELETE FROM log_tail WHERE scope = ?1 AND seq < ?2", (scope, sequence))?;
    db.execute("UPDATE log_tail SET entry = NULL, own_bundle = NULL WHERE scope = ?1 AND seq = ?2", (scope, sequence))?;
    Ok(())
}

/// Deletes the tail and the evidence of a scope.
pub(crate) fn delete_scope(db: &Connection, scope: &Scope) -> Result<(), Error> {
    db.execute("DELETE FROM log_tail WHERE scope = ?1", [scope])?;
    db.execute("DELETE FROM evidence WHERE scope = ?1", [scope])?;
    Ok(())
}

/// Deletes the bytes of a document's entries, and keeps their hashes for the chain; those of own entries are in the bundles.
pub(crate) fn erase(db: &Connection, document: DocumentId) -> Result<(), Error> {
    let mut statement = db.prepare("SELECT scope, seq, entry FROM log_tail WHERE entry IS NOT NULL")?;
    let mut rows = statement.query([])?;
    let mut erased = Vec::new();
    while let Some(row) = rows.next()? {
        let entry: Vec<u8> = row.get(2)?;
        let entry = match decode(&entry).map_err(|error| Error::Corrupt { source: error.into() })? {
            FrameEntry::Change { envelope, change } if envelope.document_id == document => {
                FrameEntry::Erased { change: Change::hash_of_stripped(&change), envelope }
            }
            _ => continue,
        };
        erased.push((row.get::<_, Scope>(0)?, row.get::<_, u64>(1)?, encode(&entry)));
    }
    for (scope, sequence, entry) in erased {
        db.execute("UPDATE log_tail SET entry = ?3 WHERE scope = ?1 AND seq = ?2", (scope, sequence, entry))?;
    }
    Ok(())
}
