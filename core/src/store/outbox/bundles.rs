//! Sealed bundles: which are to be sent, sent again, or kept no longer.

use rusqlite::{Connection, OptionalExtension};

use crate::protocol::bundle::{Bundle, BundleAction};
use crate::protocol::message::DeviceHead;
use crate::store::Error;
use crate::units::{BundleHash, DeviceId};

/// Saves a sealed bundle, and the position in it of each change; `numbers` are the outbox numbers of its entries, in order.
pub(crate) fn save_sealed(db: &Connection, bundle: &Bundle, numbers: &[i64]) -> Result<(), Error> {
    db.prepare_cached(
        "INSERT INTO bundles (bundle_seq, hash, device_id, bytes, is_answered, was_sent) VALUES (?1, ?2, ?3, ?4, 0, 0)",
    )?
    .execute((bundle.header.sequence, bundle.hash().0, bundle.header.device_id, bundle.to_bytes()))?;
    let mut statement = db.prepare_cached("UPDATE outbox SET bundle_seq = ?1, entry = ?2 WHERE outbox = ?3")?;
    for (entry, number) in numbers.iter().enumerate() {
        statement.execute((bundle.header.sequence, entry, number))?;
    }
    Ok(())
}

/// Returns the newest bundle's number (0: none), and its hash if `device` sealed it: a new key starts a new chain, but not new numbers.
pub(crate) fn head(db: &Connection, device: DeviceId) -> Result<(u64, Option<BundleHash>), Error> {
    let mut statement =
        db.prepare_cached("SELECT bundle_seq, hash, device_id FROM bundles ORDER BY bundle_seq DESC LIMIT 1")?;
    let head = statement.query_row([], |row| {
        let is_own = row.get::<_, DeviceId>(2)? == device;
        Ok((row.get(0)?, is_own.then_some(BundleHash(row.get(1)?))))
    });
    Ok(head.optional()?.unwrap_or((0, None)))
}

/// Returns up to `limit` sealed bundles that the server has not answered in full, oldest first, each with its number, which is above
/// `after`. Changes that are not sealed are not in them: call `seal` first.
pub(crate) fn unanswered_bundles(db: &Connection, after: u64, limit: usize) -> Result<Vec<(u64, Vec<u8>)>, Error> {
    let mut statement = db.prepare_cached(
        "SELECT bundle_seq, bytes FROM bundles WHERE is_answered = 0 AND bundle_seq > ?1 ORDER BY bundle_seq LIMIT ?2",
    )?;
    let rows = statement.query_map((after, limit), |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Returns the number up to which the server has all own bundles, from its `head`; 0 if that is `None` or another copy of this phone's.
pub(crate) fn known_up_to(db: &Connection, device: DeviceId, head: Option<DeviceHead>) -> Result<u64, Error> {
    let Some(DeviceHead { sequence, hash }) = head else { return Ok(0) };
    // A bundle older than those that are kept was trimmed; another copy of this phone sealed one newer than all.
    let own = "SELECT coalesce(max(hash) FILTER (WHERE bundle_seq = ?2) <> ?3, ?2 > coalesce(max(bundle_seq), 0))
               FROM bundles WHERE device_id = ?1";
    let is_other = db.prepare_cached(own)?.query_row((device, sequence, hash.0), |row| row.get(0))?;
    Ok(if is_other { 0 } else { sequence })
}

/// Saves `known` and `epoch`; requeues bundles above `known` if the server knows less than it did or has begun a recovery since. Returns
/// whether it had answered any of these. A low `known` alone is no loss: it stops at a gap, such as a bundle of which no copy is left.
pub(crate) fn requeue_lost_bundles(db: &Connection, device: DeviceId, known: u64, epoch: u32) -> Result<bool, Error> {
    let before: (u64, u32) =
        db.query_row("SELECT server_head, server_epoch FROM installation", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if before != (known, epoch) {
        db.execute("UPDATE installation SET server_head = ?1, server_epoch = ?2", (known, epoch))?;
    }
    if known >= before.0 && epoch == before.1 {
        return Ok(false);
    }
    let mut statement = db.prepare_cached(
        "UPDATE bundles SET is_answered = 0 WHERE device_id = ?1 AND bundle_seq > ?2 AND is_answered = 1",
    )?;
    let has_lost = statement.execute((device, known))? > 0;
    requeue(db, "device_id = ?1 AND bundle_seq > ?2", (device, known))?;
    Ok(has_lost)
}

/// Requeues all bundles sealed under other device ids than `device`, its earlier ones: a server that lost this device has lost those too.
pub(crate) fn requeue_earlier_bundles(db: &Connection, device: DeviceId) -> Result<(), Error> {
    db.execute("UPDATE bundles SET is_answered = 0 WHERE device_id <> ?1", [device])?;
    requeue(db, "device_id <> ?1", [device])
}

/// Puts changes of the bundles that the SQL condition `which` selects into the outbox again, for new verdicts, unless erased or rejected.
fn requeue(db: &Connection, which: &str, parameters: impl rusqlite::Params) -> Result<(), Error> {
    let mut statement =
        db.prepare(&format!("SELECT bundle_seq, bytes FROM bundles WHERE {which} ORDER BY bundle_seq"))?;
    let mut insert = db.prepare(
        // Numbered below all others, because unsealed changes come after all sealed ones.
        "INSERT INTO outbox (outbox, action, author_id, grant_id, device_cursor, document_id, kind, scope, change, created_at_ms,
             bundle_seq, entry)
         SELECT (SELECT coalesce(min(outbox), 1) - 1 FROM outbox), 0, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10
         WHERE NOT EXISTS (SELECT 1 FROM outbox WHERE bundle_seq = ?9 AND entry = ?10)
             AND NOT EXISTS (SELECT 1 FROM rejected WHERE document_id = ?4 AND change = ?7)",
    )?;
    let mut rows = statement.query(parameters)?;
    while let Some(row) = rows.next()? {
        let (sequence, bytes): (u64, Vec<u8>) = (row.get(0)?, row.get(1)?);
        // A damaged bundle is sent as it is: the server refuses it, which the status shows.
        let Ok(bundle) = parse(&bytes) else { continue };
        let entries = (0_u32..).zip(bundle.entries()).filter(|(_, (_, entry))| entry.erased.is_none());
        for (number, (transaction, entry)) in entries {
            let BundleAction { author_id, grant_id, device_cursor, .. } = transaction;
            insert.execute(rusqlite::params![
                author_id,
                grant_id,
                device_cursor,
                entry.document_id,
                entry.kind,
                entry.scope,
                entry.change,
                bundle.header.sealed_at.0,
                sequence,
                number,
            ])?;
        }
    }
    Ok(())
}

/// Deletes answered bundles up to `sequence` inclusive, which two copies of the server's data contain. Keeps the newest bundle, those with
/// changes in the outbox, and those that the log tail needs for the bytes of its entries.
pub(crate) fn trim(db: &Connection, device: DeviceId, sequence: u64) -> Result<(), Error> {
    db.execute(
        "DELETE FROM bundles WHERE device_id = ?1 AND bundle_seq <= ?2 AND is_answered = 1
             AND bundle_seq < (SELECT max(bundle_seq) FROM bundles)
             AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.bundle_seq = bundles.bundle_seq)
             AND NOT EXISTS (
                 SELECT 1 FROM log_tail WHERE log_tail.own_bundle = bundles.hash)",
        (device, sequence),
    )?;
    Ok(())
}

/// Deletes the oldest answered bundles beyond `limit` bytes, even if the log tail needs them, but not the newest or those in the outbox.
pub(crate) fn prune(db: &Connection, limit: u64) -> Result<(), Error> {
    db.execute(
        "DELETE FROM bundles WHERE bundle_seq IN (
             SELECT bundle_seq FROM (
                 SELECT bundle_seq, sum(length(bytes)) OVER (ORDER BY bundle_seq DESC) AS kept FROM bundles WHERE is_answered = 1
             ) WHERE kept > ?1)
             AND bundle_seq < (SELECT max(bundle_seq) FROM bundles)
             AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.bundle_seq = bundles.bundle_seq)",
        [limit],
    )?;
    Ok(())
}

/// Marks bundles as sent, before they are sent; from then on the server may have them.
pub(crate) fn mark_sent(db: &Connection, sequences: &[u64]) -> Result<(), Error> {
    let mut statement = db.prepare_cached("UPDATE bundles SET was_sent = 1 WHERE bundle_seq = ?1")?;
    for sequence in sequences {
        statement.execute([sequence])?;
    }
    Ok(())
}

/// Returns one of the phone's own bundles by its hash; `None` if it was trimmed.
pub(crate) fn find(db: &Connection, hash: BundleHash) -> Result<Option<Bundle>, Error> {
    let mut statement = db.prepare_cached("SELECT bytes FROM bundles WHERE hash = ?1")?;
    let bytes: Option<Vec<u8>> = statement.query_row([hash.0], |row| row.get(0)).optional()?;
    bytes.map(|bytes| parse(&bytes)).transpose()
}

pub(super) fn parse(bytes: &[u8]) -> Result<Bundle, Error> {
    Bundle::parse(bytes).map_err(|refusal| Error::Corrupt { source: format!("an own bundle: {refusal}").into() })
}
