//! Verdicts and rulings on own changes.

use rusqlite::{Connection, OptionalExtension};

use super::bundles::parse;
use crate::protocol::HoldCode;
use crate::protocol::message::{BundleVerdict, Verdict};
use crate::records::draft::Draft;
use crate::records::{Change, Kind};
use crate::scope::Scope;
use crate::store::{Error, drafts, incoming, records, seam};
use crate::units::{BundleHash, ChangeHash, DeliveryId, DocumentId, Timestamp, UserId, derived};

/// Effects of the verdicts on one bundle: how many changes were logged and held, and whether bytes were erased.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct VerdictEffects {
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
) -> Result<VerdictEffects, Error> {
    let mut settled = VerdictEffects::default();
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
pub(super) fn update_is_answered(db: &Connection, sequence: u64) -> Result<(), Error> {
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
    settled: &mut VerdictEffects,
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
    use super::super::{Outgoing, add};
    use super::*;
    use crate::codec::encode;
    use crate::records::farmer::{ContactDetails, ContactSnapshot, edit_contact};
    use crate::records::{self as kinds, Actor, AnyRecord, Contact, Stamp};
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
        let merged = kinds::merge(kind, document, None, &first).expect("merged");
        let contact = merged.record.and_then(<dyn AnyRecord>::downcast::<Contact>).expect("a contact");
        let saved = merged.saved;
        let other = ContactDetails { name: "Lakshmi Devi".into(), ..details.clone() };
        let puts = edit_contact(stamp, &contact, &other, || [5; 16]);
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
            records::get::<Contact>(&mut seam(db), document.into())
        });
        assert_eq!(written.expect("written").expect("a contact").record.details.name, "Lakshmi Devi");
    }
}
