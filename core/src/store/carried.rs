//! Parcels of other phones that this phone carries to the server.
//!
//! Owns the table `carried`. Invariant: a parcel is deleted only when the server says that it accepted or refused it.

use rusqlite::Connection;

use super::Error;
use crate::protocol::RefusalCode;
use crate::protocol::message::ParcelVerdict;
use crate::protocol::parcel::Parcel;
use crate::units::ParcelId;

/// Counts of the parcels that this phone carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Parcels without an answer of the server.
    pub parcels: u64,
    /// The size of these parcels in bytes.
    pub bytes: u64,
    /// Why the server refused a parcel: the code of the last refused one. Its bytes were deleted here; its owner still has all of them.
    pub refused: Option<RefusalCode>,
}

pub(crate) fn load(db: &Connection) -> Result<Carried, Error> {
    let mut statement =
        db.prepare_cached("SELECT count(bytes), coalesce(sum(length(bytes)), 0), max(refused) FROM carried")?;
    Ok(statement.query_row([], |row| Ok(Carried { parcels: row.get(0)?, bytes: row.get(1)?, refused: row.get(2)? }))?)
}

/// Adds a parcel. One that is here already keeps its number; one that was refused is sent again.
pub(crate) fn add(db: &Connection, parcel: &Parcel) -> Result<(), Error> {
    let mut statement = db.prepare_cached(
        "INSERT INTO carried (parcel_id, bytes) VALUES (?1, ?2)
         ON CONFLICT (parcel_id) DO UPDATE SET bytes = excluded.bytes, refused = NULL",
    )?;
    statement.execute((parcel.id().0, parcel.as_bytes()))?;
    Ok(())
}

/// Returns unanswered parcels and their numbers, above `after`, oldest first: up to `count`, and `bytes` in all unless the first is larger.
pub(crate) fn unanswered(
    db: &Connection,
    after: i64,
    count: usize,
    bytes: usize,
) -> Result<Vec<(i64, Vec<u8>)>, Error> {
    let mut statement = db.prepare_cached(
        "SELECT carried, bytes FROM carried WHERE carried > ?1 AND bytes IS NOT NULL ORDER BY carried LIMIT ?2",
    )?;
    let mut rows = statement.query((after, count))?;
    let (mut parcels, mut total) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let parcel: (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
        total += parcel.1.len();
        if total > bytes && !parcels.is_empty() {
            break;
        }
        parcels.push(parcel);
    }
    Ok(parcels)
}

/// Deletes the bytes of a parcel that the server accepted or refused; returns whether it was still here. Keeps the last refused code only.
pub(crate) fn apply_verdict(db: &Connection, verdict: &ParcelVerdict) -> Result<bool, Error> {
    let ParcelId(id) = verdict.parcel_id;
    let left = match &verdict.refused {
        None => db.execute("DELETE FROM carried WHERE parcel_id = ?1", [id])?,
        Some(code) => {
            let sql = "UPDATE carried SET bytes = NULL, refused = ?2 WHERE parcel_id = ?1 AND bytes IS NOT NULL";
            let refused = db.execute(sql, (id, code))?;
            if refused > 0 {
                db.execute("DELETE FROM carried WHERE bytes IS NULL AND parcel_id <> ?1", [id])?;
            }
            refused
        }
    };
    Ok(left > 0)
}
