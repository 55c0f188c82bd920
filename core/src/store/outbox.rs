//! Own changes until the server has acknowledged each of them by name.
//!
//! Owns the tables `outbox`, `bundles` and `rejected`. Invariants: a change leaves the outbox only by a final verdict or by the log; only
//! erasure changes a sealed bundle; a held change is taken out of its document with all that builds on it, so that later edits start from
//! the rest.

use rusqlite::{Connection, OptionalExtension, named_params};

use super::{Error, drafts, incoming, records, seam};
use crate::protocol::bundle::{Bundle, BundleAction, BundleEntry};
use crate::protocol::message::{BundleVerdict, DeviceHead, Verdict};
use crate::protocol::{HoldCode, RefusalCode};
use crate::records::draft::Draft;
use crate::records::{Change, Kind};
use crate::scope::Scope;
use crate::units::{BundleHash, ChangeHash, DeliveryId, DeviceId, DocumentId, GrantId, Timestamp, UserId, derived};

/// A change, stripped, to be added to the outbox; `device_cursor` is how far this phone had read the log of its own scope.
pub(crate) struct Outgoing<'a> {
    pub(crate) action: u64,
    pub(crate) author_id: UserId,
    pub(crate) grant_id: GrantId,
    pub(crate) device_cursor: u64,
    pub(crate) document_id: DocumentId,
    pub(crate) kind: Kind,
    pub(crate) scope: &'a Scope,
    pub(crate) change: &'a [u8],
    pub(crate) created_at: Timestamp,
}

pub(crate) fn add(db: &Connection, outgoing: &Outgoing<'_>) -> Result<(), Error> {
    let mut statement = db.prepare_cached(
        "INSERT INTO outbox (action, author_id, grant_id, device_cursor, document_id, kind, scope, change, created_at_ms)
         VALUES (:action, :author, :grant, :device_cursor, :document, :kind, :scope, :change, :created_at)",
    )?;
    statement.execute(named_params! {
        ":action": outgoing.action,
        ":author": outgoing.author_id,
        ":grant": outgoing.grant_id,
        ":device_cursor": outgoing.device_cursor,
        ":document": outgoing.document_id,
        ":kind": outgoing.kind.number,
        ":scope": outgoing.scope,
        ":change": outgoing.change,
        ":created_at": outgoing.created_at.0,
    })?;
    Ok(())
}

/// Returns the oldest unsealed changes: outbox numbers, and the actions with them in the same order, up to `limit` bytes or one action.
pub(crate) fn unsealed(db: &Connection, limit: usize) -> Result<(Vec<i64>, Vec<BundleAction>), Error> {
    let mut statement = db.prepare_cached(
        "SELECT outbox, action, author_id, grant_id, device_cursor, document_id, kind, scope, change FROM outbox
         WHERE bundle_seq IS NULL AND outbox > coalesce(
             (SELECT outbox FROM outbox WHERE bundle_seq IS NOT NULL ORDER BY bundle_seq DESC, entry DESC LIMIT 1), 0)
         ORDER BY outbox",
    )?;
    let mut rows = statement.query([])?;
    let (mut numbers, mut transactions, mut bytes, mut newest) = (Vec::new(), Vec::<BundleAction>::new(), 0, None);
    while let Some(row) = rows.next()? {
        let action: i64 = row.get(1)?;
        let change: Vec<u8> = row.get(8)?;
        let is_next = newest != Some(action);
        if is_next && bytes > 0 && bytes + change.len() > limit {
            break;
        }
        bytes += change.len();
        numbers.push(row.get(0)?);
        let entry =
            BundleEntry { document_id: row.get(5)?, kind: row.get(6)?, scope: row.get(7)?, change, erased: None };
        match transactions.last_mut() {
            Some(transaction) if !is_next => transaction.entries.push(entry),
            _ => transactions.push(BundleAction {
                author_id: row.get(2)?,
                grant_id: row.get(3)?,
                device_cursor: row.get(4)?,
                entries: vec![entry],
            }),
        }
        newest = Some(action);
    }
    Ok((numbers, transactions))
}

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

pub(crate) fn has_unsealed(db: &Connection) -> Result<bool, Error> {
    Ok(!unsealed(db, 0)?.0.is_empty())
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

/// Returns the number of changes in the outbox that are not held (deferred ones count), and not in a bundle with number `after` or below.
pub(crate) fn unheld_count(db: &Connection, after: u64) -> Result<u64, Error> {
    let mut statement = db.prepare_cached(
        "SELECT count(*) FROM outbox WHERE held_code IS NULL AND (bundle_seq IS NULL OR bundle_seq > ?1)",
    )?;
    Ok(statement.query_row([after], |row| row.get(0))?)
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

fn parse(bytes: &[u8]) -> Result<Bundle, Error> {
    Bundle::parse(bytes).map_err(|refusal| Error::Corrupt { source: format!("an own bundle: {refusal}").into() })
}

/// Counts of changes that were in the outbox, by verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct VerdictCounts {
    pub(crate) logged: u64,
    pub(crate) held: u64,
    /// Whether bytes were erased, so that the store must be scrubbed.
    pub(crate) has_erased: bool,
}

/// A change of this phone in the outbox, stripped; `outbox` is its number, 0 if it is not there any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnChange {
    outbox: i64,
    pub(crate) author_id: UserId,
    pub(crate) document_id: DocumentId,
    pub(crate) kind: u8,
    pub(crate) scope: Scope,
    pub(crate) change: Vec<u8>,
    /// Why the server holds it, and the reason in words; `None` if it is not held.
    pub(crate) held: Option<(HoldCode, String)>,
}

/// Returns the changes that `which`, an SQL condition, selects, each with the number of its bundle (0: not sealed).
fn select(db: &Connection, which: &str, parameters: impl rusqlite::Params) -> Result<Vec<(u64, OwnChange)>, Error> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT outbox, author_id, document_id, kind, scope, change, held_code, held_reason, coalesce(bundle_seq, 0)
         FROM outbox WHERE {which}"
    ))?;
    let rows = statement.query_map(parameters, |row| {
        let held: Option<HoldCode> = row.get(6)?;
        let own = OwnChange {
            outbox: row.get(0)?,
            author_id: row.get(1)?,
            document_id: row.get(2)?,
            kind: row.get(3)?,
            scope: row.get(4)?,
            change: row.get(5)?,
            held: held.map(|code| Ok::<_, rusqlite::Error>((code, row.get(7)?))).transpose()?,
        };
        Ok((row.get(8)?, own))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn own(db: &Connection, bundle: u64, entry: u32) -> Result<Option<OwnChange>, Error> {
    let found = select(db, "bundle_seq = ?1 AND entry = ?2", (bundle, entry))?;
    Ok(found.into_iter().next().map(|(_, own)| own))
}

/// Returns the sealed changes in the outbox that are among `changes`, each with its bundle's number, in the order in which they were made.
fn sealed(db: &Connection, document: DocumentId, changes: &[ChangeHash]) -> Result<Vec<(u64, OwnChange)>, Error> {
    let which = "document_id = ?1 AND bundle_seq IS NOT NULL ORDER BY bundle_seq, entry";
    let mut found = select(db, which, [document])?;
    found.retain(|(_, own)| changes.contains(&Change::hash_of_stripped(&own.change)));
    Ok(found)
}

/// Returns the held changes of all users, oldest first.
pub(crate) fn held(db: &Connection) -> Result<Vec<OwnChange>, Error> {
    let found = select(db, "held_code IS NOT NULL ORDER BY outbox", [])?;
    Ok(found.into_iter().map(|(_, own)| own).collect())
}

fn remove(db: &Connection, own: &OwnChange) -> Result<(), Error> {
    db.prepare_cached("DELETE FROM outbox WHERE outbox = ?1")?.execute([own.outbox])?;
    Ok(())
}

/// Applies the server's verdicts on the bundle `sequence`: removes changes with a final verdict, and marks held and deferred ones. A bundle
/// refused as a whole is only marked, and stays unanswered. The caller scrubs the store after the commit if bytes were erased.
pub(crate) fn apply_verdicts(
    db: &Connection,
    sequence: u64,
    verdict: &BundleVerdict,
    now: Timestamp,
) -> Result<VerdictCounts, Error> {
    let mut settled = VerdictCounts::default();
    if let Some(code) = &verdict.refused {
        db.execute("UPDATE bundles SET refused = ?2 WHERE bundle_seq = ?1", (sequence, code))?;
        return Ok(settled);
    }
    let last: Option<u32> = db
        .prepare_cached("SELECT max(entry) FROM outbox WHERE bundle_seq = ?1")?
        .query_row([sequence], |row| row.get(0))?;
    let mut entry = 0_u32;
    for run in &verdict.runs {
        // The server sent the count: stop at the last entry.
        for _ in 0..run.count.min(last.map_or(0, |last| (last + 1).saturating_sub(entry))) {
            if let Some(own) = own(db, sequence, entry)? {
                apply_verdict(db, &own, &run.verdict, now, &mut settled)?;
            }
            entry += 1;
        }
    }
    let mut statement =
        db.prepare_cached("UPDATE bundles SET refused = NULL WHERE bundle_seq = ?1 AND refused IS NOT NULL")?;
    statement.execute([sequence])?;
    update_is_answered(db, sequence)?;
    Ok(settled)
}

/// Marks a bundle as answered, or as unanswered if one of its changes has no verdict yet or is deferred.
fn update_is_answered(db: &Connection, sequence: u64) -> Result<(), Error> {
    let mut statement = db.prepare_cached(
        "UPDATE bundles SET is_answered =
             NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.bundle_seq = bundles.bundle_seq AND held_code IS NULL)
         WHERE bundle_seq = ?1",
    )?;
    statement.execute([sequence])?;
    Ok(())
}

fn apply_verdict(
    db: &Connection,
    own: &OwnChange,
    verdict: &Verdict,
    now: Timestamp,
    settled: &mut VerdictCounts,
) -> Result<(), Error> {
    match verdict {
        Verdict::Logged { .. } => {
            settled.logged += 1;
            if reapply(db, own)? { remove(db, own) } else { Ok(()) }
        }
        Verdict::Held { code, reason } => {
            settled.held += 1;
            let mut held = db.prepare_cached("UPDATE outbox SET held_code = ?2, held_reason = ?3 WHERE outbox = ?1")?;
            held.execute((own.outbox, code, reason))?;
            records::exclude(&mut seam(db), own.document_id, &[Change::hash_of_stripped(&own.change)])
        }
        Verdict::Deferred { missing } => {
            let mut waits = db.prepare_cached("UPDATE outbox SET missing = ?2 WHERE outbox = ?1")?;
            waits.execute((own.outbox, missing.len()))?;
            Ok(())
        }
        Verdict::Rejected { reason } => reject(db, own, reason, now),
        // The outbox has the bytes, which were left out on the way; they are sent again.
        Verdict::BytesMissing => Ok(()),
        Verdict::Erased => {
            // The log has the erasure too, unless the server lost it and only its journal still knows it.
            settled.has_erased = true;
            incoming::erase(db, own.document_id)
        }
    }
}

/// Removes an own change that the log names by its bundle from the outbox, and puts it back into its document if it was held.
pub(crate) fn acknowledge_entry(db: &Connection, bundle: BundleHash, entry: u32) -> Result<(), Error> {
    let mut statement = db.prepare_cached("SELECT bundle_seq FROM bundles WHERE hash = ?1")?;
    let Some(sequence) = statement.query_row([bundle.0], |row| row.get::<_, u64>(0)).optional()? else { return Ok(()) };
    if let Some(own) = own(db, sequence, entry)?
        && reapply(db, &own)?
    {
        remove(db, &own)?;
        update_is_answered(db, sequence)?;
    }
    Ok(())
}

pub(crate) fn has_sealed(db: &Connection) -> Result<bool, Error> {
    Ok(db.prepare_cached("SELECT 1 FROM outbox WHERE bundle_seq IS NOT NULL LIMIT 1")?.exists([])?)
}

/// As [`acknowledge_entry`], for the sealed ones of `changes`, if the log has them without naming their bundle: the office approved them,
/// another device handed them over, or the server restored them.
pub(crate) fn acknowledge_changes(db: &Connection, document: DocumentId, changes: &[ChangeHash]) -> Result<(), Error> {
    for (bundle, own) in sealed(db, document, changes)? {
        if reapply(db, &own)? {
            remove(db, &own)?;
            update_is_answered(db, bundle)?;
        }
    }
    Ok(())
}

/// Puts a change back into its document if it is held. Returns `false` if it builds on another held change: it stays held until the log,
/// which has both in order, names it.
fn reapply(db: &Connection, own: &OwnChange) -> Result<bool, Error> {
    if own.held.is_none() {
        return Ok(true);
    }
    let Some(kind) = Kind::from_number(own.kind) else { return Ok(true) };
    match records::apply(&mut seam(db), &own.scope, kind, own.document_id, &Change::parse_stripped(&own.change)?) {
        // A purged document comes back from its log, and this change with it.
        Err(Error::Record(crate::records::Error::Missing { hashes })) => {
            Ok(sealed(db, own.document_id, &hashes)?.iter().all(|(_, other)| other.held.is_none()))
        }
        applied => applied.map(|()| true),
    }
}

/// Takes changes that the office rejected, also logged and lost ones, out of outbox and document; a delivery's creation becomes a draft.
pub(crate) fn apply_rejection(
    db: &Connection,
    document: DocumentId,
    changes: &[ChangeHash],
    reason: &str,
    rejected_at: Timestamp,
) -> Result<(), Error> {
    let waiting = sealed(db, document, changes)?;
    for (bundle, own) in &waiting {
        reject(db, own, reason, rejected_at)?;
        update_is_answered(db, *bundle)?;
    }
    let hash = |own: &OwnChange| Change::hash_of_stripped(&own.change);
    let mut others = changes.to_vec();
    others.retain(|change| !waiting.iter().any(|(_, own)| hash(own) == *change));
    for own in logged_then_lost(db, document, &others)? {
        reject(db, &own, reason, rejected_at)?;
    }
    Ok(())
}

/// Returns own changes that a server logged and lost, so that they are not in the outbox any more, and that were not rejected before.
fn logged_then_lost(db: &Connection, document: DocumentId, changes: &[ChangeHash]) -> Result<Vec<OwnChange>, Error> {
    let mut found = Vec::new();
    if changes.is_empty() {
        return Ok(found);
    }
    let mut bundles = db.prepare_cached("SELECT bytes FROM bundles ORDER BY bundle_seq")?;
    let bundles = bundles.query_map([], |row| row.get(0))?.collect::<Result<Vec<Vec<u8>>, _>>()?;
    let mut is_rejected = db.prepare_cached("SELECT 1 FROM rejected WHERE document_id = ?1 AND change = ?2")?;
    for bytes in bundles {
        let bundle = parse(&bytes)?;
        for (transaction, entry) in bundle.entries().filter(|(_, entry)| entry.document_id == document) {
            let (author, scope, change) = (transaction.author_id, entry.scope.clone(), entry.change.clone());
            let is_named = entry.erased.is_none() && changes.contains(&entry.change_hash());
            if is_named && !is_rejected.exists((document, &change))? {
                found.push(OwnChange {
                    outbox: 0,
                    author_id: author,
                    document_id: document,
                    kind: entry.kind,
                    scope,
                    change,
                    held: None,
                });
            }
        }
    }
    Ok(found)
}

fn reject(db: &Connection, own: &OwnChange, reason: &str, rejected_at: Timestamp) -> Result<(), Error> {
    records::exclude(&mut seam(db), own.document_id, &[Change::hash_of_stripped(&own.change)])?;
    let draft =
        Change::parse_stripped(&own.change).ok().and_then(|change| Draft::of_rejected(own.document_id, &change));
    let draft_id = draft.as_ref().map(|_| derived::<DeliveryId>([b"rejected".as_slice(), own.document_id.as_bytes()]));
    if let (Some(id), Some(draft)) = (draft_id, &draft)
        // A change may be rejected twice; a draft or delivery that was made of it stays as it is.
        && drafts::find(db, id)?.is_none()
        && records::find(&mut seam(db), id.into())?.is_none()
    {
        drafts::save(db, id, 1, draft)?;
    }
    db.prepare_cached(
        "INSERT INTO rejected (document_id, change, draft_id, reason, rejected_at_ms, author_id, scope)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute((own.document_id, &own.change, draft_id, reason, rejected_at.0, own.author_id, &own.scope))?;
    remove(db, own)
}

/// Returns whether any change of a document is held. If so, an edit needs another actor, because the held changes may come back.
pub(crate) fn has_held(db: &Connection, document: DocumentId) -> Result<bool, Error> {
    let query = "SELECT 1 FROM outbox WHERE document_id = ?1 AND held_code IS NOT NULL";
    Ok(db.prepare_cached(query)?.exists([document])?)
}

/// Adds a copy of a draft of a phone that is to be wiped to the outbox, as an entry of kind 0. The server holds it for a person.
pub(crate) fn add_draft(
    db: &Connection,
    author: UserId,
    grant: Option<GrantId>,
    id: DeliveryId,
    draft: &Draft,
    now: Timestamp,
) -> Result<(), Error> {
    let scope = Scope::Season(draft.centre.clone(), draft.season.clone());
    db.prepare_cached(
        "INSERT INTO outbox (action, author_id, grant_id, device_cursor, document_id, kind, scope, change, created_at_ms)
         VALUES ((SELECT coalesce(max(action), 0) + 1 FROM outbox), ?1, ?2, 0, ?3, 0, ?4, ?5, ?6)",
    )?
    .execute((author, grant.unwrap_or(GrantId::from([0; 16])), id, scope, crate::codec::encode(draft), now.0))?;
    Ok(())
}

/// Returns whether all changes in the outbox are held, and no carried parcel is left without an answer. Does not look at drafts.
pub(crate) fn is_drained(db: &Connection) -> Result<bool, Error> {
    let waits = "SELECT 1 FROM outbox WHERE held_code IS NULL UNION ALL SELECT 1 FROM carried WHERE bytes IS NOT NULL";
    Ok(!db.prepare_cached(waits)?.exists([])?)
}

/// Unseals all changes that are not held, for another key to seal them in the same order, and marks all bundles as answered, so that none
/// is sent again. The numbers of these changes rise above those still sealed.
pub(crate) fn unseal(db: &Connection) -> Result<(), Error> {
    db.execute_batch(
        "UPDATE outbox SET outbox = newest + place, bundle_seq = NULL, entry = NULL, missing = NULL
         FROM (SELECT outbox AS old, (SELECT max(outbox) FROM outbox) AS newest,
                   row_number() OVER (ORDER BY bundle_seq IS NULL, bundle_seq, entry, outbox) AS place
               FROM outbox WHERE held_code IS NULL)
         WHERE outbox = old;
         UPDATE bundles SET is_answered = 1, refused = NULL WHERE is_answered = 0;",
    )?;
    Ok(())
}

/// Deletes a document's changes in the outbox and rejected ones, and their bytes in bundles.
pub(crate) fn erase(db: &Connection, document: DocumentId) -> Result<(), Error> {
    db.execute("DELETE FROM outbox WHERE document_id = ?1", [document])?;
    db.execute("DELETE FROM rejected WHERE document_id = ?1", [document])?;
    let mut statement = db.prepare("SELECT bundle_seq, bytes FROM bundles")?;
    let mut rows = statement.query([])?;
    let mut erased = Vec::new();
    while let Some(row) = rows.next()? {
        let mut bundle = parse(&row.get::<_, Vec<u8>>(1)?)?;
        if bundle.erase(document) {
            erased.push((row.get::<_, u64>(0)?, bundle.to_bytes()));
        }
    }
    for (sequence, bytes) in erased {
        db.execute("UPDATE bundles SET bytes = ?2 WHERE bundle_seq = ?1", (sequence, bytes))?;
        update_is_answered(db, sequence)?;
    }
    Ok(())
}

/// Sync state of a record, from least to most in need of attention.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum SyncState {
    /// The server's log has all of its changes.
    #[default]
    Logged,
    /// It was sent; the server has not answered yet, or deferred it.
    Sent,
    /// It was not sent yet; an exported parcel may contain it.
    Unsent,
    /// The server keeps it until a person approves or rejects it.
    Held {
        /// The reason for holding it.
        code: HoldCode,
    },
}

/// Returns the state of a document; [`SyncState::Logged`] also if it is not stored.
pub(crate) fn state(db: &Connection, document: DocumentId) -> Result<SyncState, Error> {
    let mut statement = db.prepare_cached(
        "SELECT held_code, coalesce(was_sent, 0) FROM outbox LEFT JOIN bundles USING (bundle_seq) WHERE document_id = ?1",
    )?;
    let mut worst = SyncState::Logged;
    let mut rows = statement.query([document])?;
    while let Some(row) = rows.next()? {
        let held: Option<HoldCode> = row.get(0)?;
        worst = worst.max(match held {
            Some(code) => SyncState::Held { code },
            None if row.get(1)? => SyncState::Sent,
            None => SyncState::Unsent,
        });
    }
    Ok(worst)
}

/// Counts of changes that the server's log does not have yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Changes that were not sent yet; an exported parcel may contain them.
    pub unsent: u64,
    /// Changes that were sent and have no verdict yet, such as those of a refused bundle.
    pub sent: u64,
    /// Changes that the server received but cannot judge yet, because it waits for other changes or for an upgrade.
    pub deferred: u64,
    /// Changes that the server waits for, counted for each deferred change.
    pub missing: u64,
    /// Changes that the server keeps until a person approves or rejects them.
    pub held: u64,
    /// When the oldest change that is not held was made, by this phone's clock.
    pub oldest_at: Option<Timestamp>,
    /// Why the server refused a bundle as a whole, if any; of several codes, the last one by name.
    pub refused: Option<RefusalCode>,
}

pub(crate) fn backlog(db: &Connection) -> Result<Backlog, Error> {
    let mut statement = db.prepare_cached(
        "SELECT count(*) FILTER (WHERE held_code IS NULL AND NOT coalesce(was_sent, 0) AND missing IS NULL),
                count(*) FILTER (WHERE held_code IS NULL AND was_sent AND missing IS NULL),
                count(*) FILTER (WHERE held_code IS NULL AND missing IS NOT NULL),
                coalesce(sum(missing) FILTER (WHERE held_code IS NULL), 0),
                count(*) FILTER (WHERE held_code IS NOT NULL),
                min(created_at_ms) FILTER (WHERE held_code IS NULL),
                max(refused)
         FROM outbox LEFT JOIN bundles USING (bundle_seq)",
    )?;
    Ok(statement.query_row([], |row| {
        Ok(Backlog {
            unsent: row.get(0)?,
            sent: row.get(1)?,
            deferred: row.get(2)?,
            missing: row.get(3)?,
            held: row.get(4)?,
            oldest_at: row.get::<_, Option<i64>>(5)?.map(Timestamp),
            refused: row.get(6)?,
        })
    })?)
}

/// A rejected change; `at` is by the server's clock if a ruling rejected it, by this phone's if a verdict on a bundle did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rejected {
    pub(crate) number: i64,
    pub(crate) author_id: UserId,
    pub(crate) scope: Scope,
    pub(crate) document_id: DocumentId,
    pub(crate) draft_id: Option<DeliveryId>,
    pub(crate) reason: String,
    pub(crate) at: Timestamp,
}

/// Returns the rejected changes of all users that nobody has dismissed, the first to be rejected first.
pub(crate) fn undismissed(db: &Connection) -> Result<Vec<Rejected>, Error> {
    let mut statement = db.prepare_cached(
        "SELECT rejected, document_id, draft_id, reason, rejected_at_ms, author_id, scope FROM rejected WHERE is_dismissed = 0
         ORDER BY rejected",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(Rejected {
            number: row.get(0)?,
            author_id: row.get(5)?,
            scope: row.get(6)?,
            document_id: row.get(1)?,
            draft_id: row.get(2)?,
            reason: row.get(3)?,
            at: Timestamp(row.get(4)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Marks a rejected change as dismissed, without checking by whom.
pub(crate) fn dismiss(db: &Connection, number: i64) -> Result<(), Error> {
    db.execute("UPDATE rejected SET is_dismissed = 1 WHERE rejected = ?1", [number])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::encode;
    use crate::records::farmer::{ContactDetails, ContactSnapshot, edit_contact};
    use crate::records::{self as kinds, Actor, Contact, Stamp};
    use crate::store::{PHONE, Store};
    use crate::units::{DeviceCode, FarmerId, HybridTime};

    /// Puts a contact and an edit of it into the outbox, both sealed in bundle 1 and held. Returns their hashes.
    fn held_lane(db: &Connection, document: DocumentId, scope: &Scope) -> [ChangeHash; 2] {
        let (actor, kind) = (Actor::new([1; 16]), Kind::of::<Contact>());
        let at = HybridTime { wall_ms: 1, counter: 0 };
        let stamp = Stamp { user_id: [2; 16].into(), device_code: DeviceCode(32), at, clock_suspect: false };
        let details = ContactDetails { name: "Lakshmi".into(), ..ContactDetails::default() };
        let farmer_id = FarmerId::from([3; 16]);
        let snapshot = ContactSnapshot { stamp, nonce: [4; 16], farmer_id, details: details.clone() };
        let first = kinds::create(&actor, encode(&snapshot)).expect("a change");
        let saved = kinds::merge(kind, document, None, &first).expect("merged").saved;
        let other = ContactDetails { name: "Lakshmi Devi".into(), ..details.clone() };
        let puts = edit_contact(stamp, &details, &other, || [5; 16]);
        let (second, _) = kinds::edit(kind, document, Some(&saved), &actor, puts).expect("edited");
        for (action, change) in [(1, &first), (2, &second)] {
            let outgoing = Outgoing {
                action,
                author_id: stamp.user_id,
                grant_id: [6; 16].into(),
                device_cursor: 1,
                document_id: document,
                kind,
                scope,
                change: change.stripped(),
                created_at: Timestamp(1),
            };
            add(db, &outgoing).expect("added");
        }
        db.execute("UPDATE outbox SET bundle_seq = 1, entry = action, held_code = 'not_allowed', held_reason = ''", [])
            .expect("held");
        [first.hash(), second.hash()]
    }

    #[test]
    fn a_logged_change_stays_in_the_outbox_while_one_that_it_builds_on_is_held() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("field.db"), PHONE).expect("it opens");
        let (document, scope) = (DocumentId::from([7; 16]), "c/KOLAR".parse().expect("a scope"));
        let written = store.write(|db| {
            let [first, second] = held_lane(db, document, &scope);
            acknowledge_changes(db, document, &[second])?;
            assert_eq!(held(db)?.len(), 2);
            acknowledge_changes(db, document, &[first, second])?;
            assert_eq!(held(db)?, []);
            Ok::<_, Error>(records::get::<Contact>(&mut seam(db), document.into())?)
        });
        assert_eq!(written.expect("written").expect("a contact").record.details.name, "Lakshmi Devi");
    }
}
