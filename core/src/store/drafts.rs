//! Deliveries that are still being weighed: only on this phone, never sent, in no total.
//!
//! Owns the table `drafts`. Invariant: each bag that was called out is on the disk before the call returns.

use rusqlite::{Connection, OptionalExtension};

use super::Error;
use crate::codec::{decode, encode};
use crate::records::draft::Draft;
use crate::units::{DeliveryId, DocumentId, derived};

fn read(version: u64, body: &[u8]) -> Result<(u64, Draft), Error> {
    let draft = decode(body).map_err(|error| Error::Corrupt { source: format!("a draft: {error}").into() })?;
    Ok((version, draft))
}

/// Returns a draft with its version, which counts from 1.
pub(crate) fn find(db: &Connection, id: DeliveryId) -> Result<Option<(u64, Draft)>, Error> {
    let mut statement = db.prepare_cached("SELECT version, body FROM drafts WHERE delivery_id = ?1")?;
    let row: Option<(u64, Vec<u8>)> = statement.query_row([id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    row.map(|(version, body)| read(version, &body)).transpose()
}

/// Returns the drafts of all users, by id: oldest first, except that rejected deliveries and renamed drafts have ids that are hashes.
pub(crate) fn all(db: &Connection) -> Result<Vec<(DeliveryId, u64, Draft)>, Error> {
    let mut statement = db.prepare_cached("SELECT delivery_id, version, body FROM drafts ORDER BY delivery_id")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, Vec<u8>>(2)?)))?;
    rows.map(|row| {
        let (id, version, body) = row?;
        let (version, draft) = read(version, &body)?;
        Ok((id, version, draft))
    })
    .collect()
}

pub(crate) fn save(db: &Connection, id: DeliveryId, version: u64, draft: &Draft) -> Result<(), Error> {
    let mut statement = db.prepare_cached(
        "INSERT INTO drafts (delivery_id, version, body) VALUES (?1, ?2, ?3)
         ON CONFLICT (delivery_id) DO UPDATE SET version = excluded.version, body = excluded.body",
    )?;
    statement.execute((id, version, encode(draft)))?;
    Ok(())
}

/// Gives a new id to a draft that has the id of an arriving document (after a rollback), if any: recording it would overwrite the document.
pub(crate) fn give_new_id(db: &Connection, document: DocumentId) -> Result<(), Error> {
    let id = DeliveryId::from(document);
    if let Some((version, draft)) = find(db, id)? {
        save(db, derived([b"again".as_slice(), document.as_bytes(), &version.to_be_bytes()]), version, &draft)?;
        remove(db, id)?;
    }
    Ok(())
}

pub(crate) fn remove(db: &Connection, id: DeliveryId) -> Result<(), Error> {
    db.prepare_cached("DELETE FROM drafts WHERE delivery_id = ?1")?.execute([id])?;
    Ok(())
}
