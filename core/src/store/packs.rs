//! Packs under way: which parts were taken over already.
//!
//! Owns the tables `packs`, `pack_parts`. Invariant: a part and the note that it was taken are one transaction; with the last one the scope's
//! cursor stands at the pack's place.

use rusqlite::{Connection, OptionalExtension};

use super::inbox::{self, Received};
use super::{Error, drafts, records, tail};
use crate::codec::{decode, encode};
use crate::protocol::pack::{Pack, PackEntry, PartHash};
use crate::records::Kind;
use crate::scope::Scope;
use crate::units::{DocumentId, HybridTime};

/// Notes what the server offers; parts that an earlier offer had too are not fetched again.
pub(crate) fn offered(db: &Connection, pack: &Pack) -> Result<(), Error> {
    let mut statement = db.prepare_cached(
        "INSERT INTO packs (scope, pack) VALUES (?1, ?2) ON CONFLICT (scope) DO UPDATE SET pack = excluded.pack",
    )?;
    statement.execute((&pack.at.scope, encode(pack)))?;
    complete(db, pack)
}

/// With the last part the scope is read up to the pack's place.
fn complete(db: &Connection, pack: &Pack) -> Result<(), Error> {
    if missing(db, pack)?.is_empty() {
        inbox::save_cursor(db, &pack.at)?;
        tail::keep_place(db, &pack.at)?;
        forget(db, &pack.at.scope)?;
    }
    Ok(())
}

/// A pack that is not complete yet, and the parts that are missing, in their order.
pub(crate) fn pending(db: &Connection) -> Result<Option<(Pack, Vec<PartHash>)>, Error> {
    let mut statement = db.prepare_cached("SELECT pack FROM packs WHERE pack IS NOT NULL ORDER BY scope LIMIT 1")?;
    let Some(pack) = statement.query_row([], |row| row.get::<_, Vec<u8>>(0)).optional()? else { return Ok(None) };
    let pack: Pack = decode(&pack).map_err(|error| Error::Corrupt { reason: error.to_string() })?;
    let missing = missing(db, &pack)?;
    Ok(Some((pack, missing)))
}

fn missing(db: &Connection, pack: &Pack) -> Result<Vec<PartHash>, Error> {
    let mut statement = db.prepare_cached("SELECT 1 FROM pack_parts WHERE scope = ?1 AND part = ?2")?;
    let mut missing = Vec::new();
    for part in &pack.parts {
        if !statement.exists((&pack.at.scope, part.0))? {
            missing.push(*part);
        }
    }
    Ok(missing)
}

/// Scopes whose packs cannot be read here, so that their logs must be.
pub(crate) fn unreadable(db: &Connection) -> Result<Vec<Scope>, Error> {
    let mut statement = db.prepare_cached("SELECT scope FROM packs WHERE pack IS NULL ORDER BY scope")?;
    Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// Reads the scope's log instead, from its start.
pub(crate) fn give_up(db: &Connection, scope: &Scope) -> Result<(), Error> {
    db.execute("UPDATE packs SET pack = NULL WHERE scope = ?1", [scope])?;
    db.execute("DELETE FROM pack_parts WHERE scope = ?1", [scope])?;
    Ok(())
}

/// Waits for another offer; what was taken stays.
pub(crate) fn withdraw(db: &Connection, scope: &Scope) -> Result<(), Error> {
    db.execute("DELETE FROM packs WHERE scope = ?1", [scope])?;
    Ok(())
}

/// Forgets what was taken of a scope.
pub(crate) fn forget(db: &Connection, scope: &Scope) -> Result<(), Error> {
    withdraw(db, scope)?;
    db.execute("DELETE FROM pack_parts WHERE scope = ?1", [scope])?;
    Ok(())
}

/// Takes a part over. Must run inside one transaction.
///
/// # Errors
/// [`Error::Record`] for an entry that cannot be read by this version; nothing must be kept then.
pub(crate) fn take(db: &Connection, pack: &Pack, part: PartHash, entries: Vec<PackEntry>) -> Result<Received, Error> {
    let scope = &pack.at.scope;
    let mut received = Received::default();
    for entry in entries {
        match entry {
            PackEntry::Decision { sequence, decision } => {
                received.has_erased |= inbox::is_erasure(&decision);
                inbox::take_decision(db, scope, sequence, decision)?;
            }
            PackEntry::Document { document, kind, saved } => {
                received.newest = received.newest.max(place(db, scope, document, kind, &saved)?);
            }
        }
    }
    db.prepare_cached("INSERT OR IGNORE INTO pack_parts (scope, part) VALUES (?1, ?2)")?.execute((scope, part.0))?;
    complete(db, pack)?;
    Ok(received)
}

/// What is here already may hold work of this phone: the two are united, and it stays where it is.
fn place(db: &Connection, scope: &Scope, id: DocumentId, kind: u8, saved: &[u8]) -> Result<HybridTime, Error> {
    if records::is_erased(db, id)? {
        return Ok(HybridTime::default());
    }
    let kind = Kind::from_number(kind)
        .ok_or_else(|| Error::Record(crate::records::Error::malformed(format!("record kind {kind}"))))?;
    let (scope, merged) = match records::find(db, id)? {
        Some(here) => (here.scope, crate::records::unite(kind, id, &here.saved, saved)?),
        None => (scope.clone(), crate::records::read(kind, id, saved)?),
    };
    drafts::step_aside(db, id)?;
    records::save(db, &scope, kind, id, &merged)?;
    Ok(merged.record.map_or(HybridTime::default(), |record| record.newest_time()))
}
