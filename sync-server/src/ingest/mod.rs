//! Ingestion of bundles: entries are judged, merged and logged, and reviews are raised.
//!
//! Owns its three steps: load all that is stored about the bundle's documents in a few batches ([`state`]), judge the entries on that
//! alone ([`judge`]), and write the results as one set of rows. Does not apply domain rules: [`crate::reviews`] does.
//! Invariants: verdict, log, chain head, document and row are one transaction. A verdict follows from what is stored, so an entry that
//! comes again, in any bundle, gets the verdict that is valid then.

mod judge;
mod lane;
mod state;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use ed25519_dalek::VerifyingKey;
use farmtally_core::decisions::ReviewCode;
use farmtally_core::decisions::{DecidedBy, Decision, DecisionKind, DeviceOrder, Order};
use farmtally_core::protocol::RefusalCode;
use farmtally_core::protocol::bundle::{Bundle, BundleHeader};
use farmtally_core::protocol::message::{BundleVerdict, DeviceHead, Verdict};
use farmtally_core::scope::Scope;
use farmtally_core::store::sql::Value;
use farmtally_core::store::{decisions, records};
use farmtally_core::units::{BundleHash, CentreCode, ChangeHash, DocumentId, Timestamp, ToValue};

use crate::Error;
use crate::reviews::Finding;
use crate::storage::{Device, LogContent, PendingEntry, WriteTransaction};
pub(crate) use lane::{lineage, rule};
use state::{Entry, State};

/// Refuses a bundle that is unreadable, of another organisation, or not signed by a device enrolled here. Otherwise stores it, advances the
/// device's head unless there is a gap, and judges each entry. A fork only raises a review and orders a new key. The verdict gets `index`.
pub(crate) fn ingest(
    db: &mut WriteTransaction<'_>,
    index: u32,
    bytes: &[u8],
    now: Timestamp,
) -> Result<BundleVerdict, Error> {
    let (bundle, hash, device) = match open(db, bytes)? {
        Ok(opened) => opened,
        Err(refusal) => {
            return Ok(BundleVerdict { index, refused: Some(refusal), runs: Vec::new() });
        }
    };
    let is_fork = keep(db, &bundle, hash, &device)?;
    let entries: Vec<Entry> =
        (0..).zip(bundle.entries()).map(|(number, entry)| Entry::of(&bundle, hash, number, entry)).collect();
    let mut state = State::load(db, entries.iter().map(|entry| &entry.pending), [], now)?;
    let verdicts = entries.iter().map(|entry| state.judge(entry)).collect::<Result<Vec<Verdict>, Error>>()?;
    if is_fork {
        state.findings.push(Finding {
            scope: Scope::Device(bundle.header.device_id),
            code: ReviewCode::DeviceFork,
            documents: vec![DocumentId::from(*bundle.header.device_id.as_bytes())],
        });
    }
    let commit_id = state.save(db)?;
    if is_fork {
        order_rekey(db, commit_id, &bundle.header, now)?;
    }
    Ok(BundleVerdict { index, refused: None, runs: Verdict::runs(verdicts) })
}

/// A bundle with a valid signature, its hash, and the device that sealed it.
type Opened = (Bundle, BundleHash, Device);

/// Parses a bundle and checks its signature. The inner error refuses the bundle without a trace.
fn open(db: &mut WriteTransaction<'_>, bytes: &[u8]) -> Result<Result<Opened, RefusalCode>, Error> {
    let bundle = match Bundle::parse(bytes) {
        Ok(bundle) if bundle.header.organisation_id != db.organisation() => {
            return Ok(Err(RefusalCode::BundleForeignOrganisation));
        }
        Ok(bundle) => bundle,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let Some(device) = db.device(bundle.header.device_id)? else { return Ok(Err(RefusalCode::BundleDeviceUnknown)) };
    let Ok(key) = VerifyingKey::from_bytes(&device.public_key) else {
        return Ok(Err(RefusalCode::BundleDeviceUnknown));
    };
    Ok(bundle.verify(&key).map(|hash| (bundle, hash, device)))
}

/// Stores the signed part of a bundle, and advances the device's head unless there is a gap. Returns whether it is a fork not known before.
fn keep(db: &mut WriteTransaction<'_>, bundle: &Bundle, hash: BundleHash, by: &Device) -> Result<bool, Error> {
    let BundleHeader { device_id: device, sequence, previous, .. } = &bundle.header;
    if db.has_bundle(hash)? {
        return Ok(false);
    }
    let is_fork = db.has_other_bundle(*device, *sequence, hash)?;
    db.save_bundle(hash, *device, *sequence, &bundle.without_bytes().to_bytes())?;
    // Never past a gap: a phone repeats all bundles after the head, and this server may have been restored from before them.
    let before = by.head.map_or((0, BundleHash([0; 32])), |head| (head.sequence, head.hash));
    if before.0 < *sequence && before.1 == *previous {
        db.set_head(*device, DeviceHead { sequence: *sequence, hash })?;
    }
    Ok(is_fork)
}

/// Orders a device to take a new key, unless it has an order: two copies of it exist, and each continues under its own key.
fn order_rekey(
    db: &mut WriteTransaction<'_>,
    commit_id: u64,
    header: &BundleHeader,
    now: Timestamp,
) -> Result<(), Error> {
    let device = header.device_id;
    if decisions::order(db.reader(), device)?.is_some() {
        return Ok(());
    }
    let order = DeviceOrder { device_id: device, order: Order::Rekey };
    decide_all(db, commit_id, &[(&Scope::Device(device), &order)], &DecidedBy::server(now))
}

/// Judges again the deferred entries that wait for no change, only for a newer server.
pub(crate) fn judge_after_upgrade(db: &mut WriteTransaction<'_>, now: Timestamp) -> Result<(), Error> {
    let waiting: Vec<PendingEntry> =
        db.all_deferred()?.into_iter().filter(|it| it.missing.is_empty()).map(|it| it.entry).collect();
    let mut state = State::load(db, &waiting, [], now)?;
    for entry in waiting {
        state.judge(&Entry::from(entry))?;
    }
    state.save(db)?;
    Ok(())
}

/// Judges again the deferred entries that wait for changes which the caller has logged without judging them.
pub(crate) fn judge_waiting(
    db: &mut WriteTransaction<'_>,
    logged: &[(DocumentId, ChangeHash)],
    now: Timestamp,
) -> Result<(), Error> {
    let mut state = State::load(db, [], logged.iter().map(|(document, _)| *document), now)?;
    for (document, change) in logged {
        state.judge_waiting(*document, *change)?;
    }
    state.save(db)?;
    Ok(())
}

/// Logs a decision under a commit id of its own and projects it. Does not carry out its effect: the caller has done so.
pub(crate) fn decide<D: DecisionKind>(
    db: &mut WriteTransaction<'_>,
    scope: &Scope,
    content: &D,
    by: &DecidedBy,
) -> Result<(), Error> {
    let commit_id = db.next_commit_id()?;
    decide_all(db, commit_id, &[(scope, content)], by)
}

/// Logs decisions of one kind, each in its scope, under one commit id, and projects them. Does not carry out their effects: the caller has
/// done so. Fails for a scope outside the kind's audience.
pub(crate) fn decide_all<D: DecisionKind>(
    db: &mut WriteTransaction<'_>,
    commit_id: u64,
    contents: &[(&Scope, &D)],
    by: &DecidedBy,
) -> Result<(), Error> {
    if let Some((scope, _)) = contents.iter().find(|(scope, _)| !D::AUDIENCE.is_of(scope)) {
        return Err(Error::Internal { reason: format!("a {} does not belong to {scope}", D::NAME) });
    }
    let decisions: Vec<Decision> = contents.iter().map(|(scope, content)| Decision::of(*content, scope, by)).collect();
    let entries: Vec<_> = decisions.iter().map(|it| LogContent::Decision(it.as_bytes().to_vec())).collect();
    let scopes = contents.iter().map(|(scope, _)| *scope);
    let cursors = db.append_all(commit_id, &scopes.zip(&entries).collect::<Vec<_>>())?;
    cursors.iter().zip(&decisions).try_for_each(|(cursor, it)| db.apply_decision(&cursor.scope, cursor.sequence, it))
}

/// Raises the reviews that are not stored yet, each once for a centre: in the scope of its finding, and for each other centre in the scope of
/// its first record there.
fn raise(db: &mut WriteTransaction<'_>, commit_id: u64, findings: Vec<Finding>, now: Timestamp) -> Result<(), Error> {
    let mut found: Vec<_> = findings.into_iter().map(|it| (it.code.review(it.documents), it.scope)).collect();
    found.sort_by_key(|(review, _)| review.review_id);
    found.dedup_by_key(|(review, _)| review.review_id);
    let named: Vec<Value<'_>> = found.iter().flat_map(|(review, _)| &review.documents).map(ToValue::to_value).collect();
    let named = records::find_all(db.reader(), &named)?;
    let known = decisions::reviews_of(db.reader(), found.iter().map(|(review, _)| review.review_id))?;
    let mut new = Vec::new();
    for (review, scope) in &found {
        let is_known = |centre: Option<&CentreCode>| {
            known.iter().any(|(id, scope)| *id == review.review_id && scope.centre() == centre)
        };
        let others = review.documents.iter().filter_map(|document| Some(&named.get(document)?.scope));
        let mut of_centres = BTreeMap::from([(scope.centre(), scope)]);
        for other in others.filter(|other| other.centre().is_some()) {
            of_centres.entry(other.centre()).or_insert(other);
        }
        new.extend(of_centres.into_iter().filter(|(centre, _)| !is_known(*centre)).map(|(_, scope)| (scope, review)));
    }
    decide_all(db, commit_id, &new, &DecidedBy::server(now))
}
