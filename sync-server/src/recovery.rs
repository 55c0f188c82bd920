//! Recovery of a server that was restored from an older copy: phones send back the entries that it had signed.
//!
//! Owns the detection of lost data and its restoration. A loss is believed only on this server's own word: its journal, or its signature
//! on an attestation or certificate that it cannot reproduce.
//! While a recovery is open, nobody decides about held changes and no device is enrolled. All else works as usual.

use std::collections::BTreeSet;

use farmtally_core::codec::decode;
use farmtally_core::decisions::{DecidedBy, Decision, DeviceOrder, Effect, Erasure, Order, ReviewCode, Ruling};
use farmtally_core::limits::MAX_STAGED_BYTES;
use farmtally_core::protocol::bundle::ChangeEnvelope;
use farmtally_core::protocol::log::{Cursor, CursorName};
use farmtally_core::protocol::message::{Certificate, FrameEntry};
use farmtally_core::protocol::repair::{Divergence, Offer, chain_hashes};
use farmtally_core::records::{self, Change, Kind, merge};
use farmtally_core::scope::Scope;
use farmtally_core::store;
use farmtally_core::units::{BundleHash, ChainHash, ChangeHash, DeviceId, DocumentId, OrganisationId, Timestamp};

use crate::ingest::{decide, judge_waiting};
use crate::pull::resolve_cursor;
use crate::storage::{Access, Device, LogContent, Recovery, RejectedEntry, Transaction, WriteTransaction};
use crate::{Error, Server};

/// Maximum documents of one `late_evidence` review; further documents get further reviews.
const MAX_REVIEW_DOCUMENTS: usize = 500;
/// Origin of entries restored from phones; no bundle has this hash.
const RESTORED: (BundleHash, u32) = (BundleHash([0; 32]), 0);

impl Server {
    /// Returns the recovery that an organisation is in, or its last one.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn recovery(&self, organisation: OrganisationId) -> Result<Option<Recovery>, Error> {
        self.read(organisation, |db| db.recovery())
    }

    /// Ends the open recovery, so that people can decide again: what is missing counts as lost. Entries that come later are still accepted.
    ///
    /// # Errors
    /// [`Error::NotFound`] if no recovery is open, [`Error::Io`], [`Error::Storage`].
    pub fn end_recovery(&self, organisation: OrganisationId) -> Result<(), Error> {
        let now = self.environment.clock.now();
        let none = || Error::NotFound { what: "open recovery" };
        self.read(organisation, |db| current_recovery(db)?.ok_or_else(none))?;
        // What did not come back is known to be lost, and must not begin another recovery at the next start.
        self.journal.replace_heads(organisation, || self.read(organisation, |db| db.heads()))?;
        self.write(organisation, |db| {
            let recovery = current_recovery(db)?.ok_or_else(none)?;
            db.clear_stages()?;
            db.save_recovery(&Recovery { ended_at: Some(now), ..recovery })
        })
    }

    /// Starts a recovery for each organisation whose database is behind its journal, or that has no journal. Also adds heads and erasures
    /// that the journal lacks: a process may have died between committing and writing heads, and a file may have been lost.
    pub(crate) fn compare_with_journal(&self) -> Result<(), Error> {
        let now = self.environment.clock.now();
        for organisation in self.organisations()? {
            let acknowledged = self.journal.heads(organisation)?;
            // Read now, so that a damaged number stops the server before anybody needs it.
            self.journal.newest_code(organisation)?;
            let epoch = self.journal.epoch(organisation)?;
            let reason = if acknowledged.is_empty() {
                // Every organisation had a journal. Without it, nobody knows what was acknowledged.
                Some("its journal is missing".to_owned())
            } else {
                let cursors: Vec<CursorName> = acknowledged.values().cloned().collect();
                let lost = self.read(organisation, |db| divergences(db, &cursors, &[]))?;
                lost.first().map(|lost| format!("the database is behind its journal in {}", lost.scope))
            };
            if let Some(reason) = reason {
                self.write(organisation, |db| begin(db, now, epoch, &reason))?;
                self.note_epoch(organisation)?;
            }
            let mut heads = self.read(organisation, |db| db.heads())?;
            heads.retain(|head| acknowledged.get(&head.scope).is_none_or(|known| known.sequence < head.sequence));
            self.journal.append_heads(organisation, &heads)?;
            let erased = self.read(organisation, |db| db.erased())?;
            self.journal.record_erasures(organisation, &erased)?;
            let forgotten = self.read(organisation, |db| db.forgotten())?;
            self.journal.record_forgotten(organisation, &forgotten)?;
        }
        Ok(())
    }

    fn note_epoch(&self, organisation: OrganisationId) -> Result<(), Error> {
        let recovery = self.read(organisation, |db| db.recovery())?;
        recovery.map_or(Ok(()), |recovery| self.journal.record_epoch(organisation, recovery.epoch))
    }

    /// Adds a device that this server enrolled and has lost, by its certificate, and begins a recovery unless the loss is known. A device
    /// whose code is taken by now gets another code, and the order to take a new key. Does nothing for a known one.
    pub(crate) fn readmit(&self, certificate: &Certificate) -> Result<(), Error> {
        let wrong = |reason: &str| Error::invalid("certificate", reason);
        let organisation = certificate.organisation_id;
        if !certificate.verify(&self.keys.signing.verifying_key()) {
            return Err(wrong("it is not signed by this server"));
        }
        if !self.organisations()?.contains(&organisation) {
            return Err(wrong("it belongs to an organisation that is not here"));
        }
        let (now, epoch) = (self.environment.clock.now(), self.journal.epoch(organisation)?);
        self.write(organisation, |db| {
            if let Some(known) = db.device(certificate.device_id)? {
                let is_same = known.public_key == certificate.public_key;
                return if is_same { Ok(()) } else { Err(wrong("the device has another key here")) };
            }
            let last = db.recovery()?.filter(|last| last.ended_at.is_some());
            if last.is_none_or(|last| last.started_at < certificate.enrolled_at) {
                let reason = format!("device {} was enrolled, and is not known any more", certificate.device_code);
                begin(db, now, epoch, &reason)?;
            }
            let is_taken = db.devices()?.iter().any(|device| device.code == certificate.device_code);
            let device = Device {
                device_id: certificate.device_id,
                code: certificate.device_code,
                public_key: certificate.public_key,
                user_id: certificate.user_id,
                model: String::new(),
                enrolled_at: certificate.enrolled_at,
                seen_at: now,
                head: None,
                ancestor_id: certificate.ancestor_id,
                wiped_at: None,
            };
            if !is_taken {
                return db.readmit_device(&device);
            }
            // Its code was given to another device before the loss was noticed, so it gets another code and the order to take a new key.
            self.add_device(db, organisation, &device)?;
            let scope = Scope::Device(device.device_id);
            let order = DeviceOrder { device_id: device.device_id, order: Order::Rekey };
            decide(db, &scope, &order, &DecidedBy::server(now))
        })?;
        self.note_epoch(organisation)?;
        self.storage.add_route(certificate.device_id.as_bytes(), organisation)
    }

    /// Stages offered entries, and restores a run once it is complete up to the head in its evidence, unless nothing of it was lost. Each
    /// offer is a transaction of its own: if one is refused, the earlier ones stay.
    pub(crate) fn restore_offers(
        &self,
        organisation: OrganisationId,
        device: DeviceId,
        offers: &[Offer],
    ) -> Result<(), Error> {
        let wrong = |reason: &str| Error::invalid("offers", reason);
        let (now, epoch) = (self.environment.clock.now(), self.journal.epoch(organisation)?);
        for offer in offers {
            let attestation = offer.evidence.open(&self.keys.signing.verifying_key());
            let attestation = attestation.ok_or_else(|| wrong("the evidence is not signed by this server"))?;
            let head = attestation.heads.iter().find(|head| head.scope == offer.scope);
            let head = head.ok_or_else(|| wrong("the evidence has no head of this scope"))?;
            let end = offer.after.checked_add(offer.entries.len() as u64).filter(|end| *end <= head.sequence);
            let end = end.ok_or_else(|| wrong("the entries reach beyond what was signed"))?;
            let taken = self.write(organisation, |db| {
                if resolve_cursor(db, Some(&head.name()), &head.scope)?.is_some() {
                    // Nothing was lost, so there is nothing to keep.
                    return Ok(BTreeSet::new());
                }
                db.stage(device, offer)?;
                if db.staged_bytes(device)? > MAX_STAGED_BYTES {
                    return Err(wrong("more entries than can be restored at once"));
                }
                let mut erased = BTreeSet::new();
                if end == head.sequence {
                    let stretch = db.staged(device, &head.scope)?;
                    let known_epoch = epoch.max(attestation.epoch);
                    erased = restore_run(db, head, attestation.epoch, known_epoch, stretch, now)?;
                    db.clear_stage(device, &head.scope)?;
                }
                Ok(erased)
            });
            if let Err(Error::Invalid { .. }) = taken {
                self.write(organisation, |db| db.clear_stage(device, &offer.scope))?;
            }
            self.apply_restored_erasures(organisation, &taken?)?;
        }
        self.erase_late_arrivals(organisation)?;
        self.note_epoch(organisation)
    }
}

/// Begins a recovery, unless one is open. Its epoch is one above the newest known: here, or `known_epoch`, from the journal or an
/// attestation. The caller records it in the journal.
fn begin(db: &mut WriteTransaction<'_>, now: Timestamp, known_epoch: u32, reason: &str) -> Result<(), Error> {
    let last = db.recovery()?;
    if last.as_ref().is_some_and(|last| last.ended_at.is_none()) {
        return Ok(());
    }
    tracing::warn!(reason, "recovery begins: this server has lost data that it had acknowledged");
    let epoch = last.map_or(0, |last| last.epoch).max(known_epoch).saturating_add(1);
    db.save_recovery(&Recovery { epoch, started_at: now, ended_at: None, reason: reason.to_owned() })
}

/// Restores a run: the entries after a sequence number (0: from the start) up to a head that this server signed in epoch `signed_epoch`;
/// `known_epoch` is that of [`begin`]. Entries keep their positions if these are free; otherwise the missing ones are appended. A run that
/// comes after its recovery was ended raises a review, not a recovery. Returns the documents that decisions of the run erase.
fn restore_run(
    db: &mut WriteTransaction<'_>,
    head: &Cursor,
    signed_epoch: u32,
    known_epoch: u32,
    (after, entries): (u64, Vec<FrameEntry>),
    now: Timestamp,
) -> Result<BTreeSet<DocumentId>, Error> {
    let scope = &head.scope;
    let wrong = || Error::invalid("offers", "the entries do not lead to what was signed");
    let from = match after {
        0 => Cursor::start(db.organisation(), scope.clone()),
        after => db.entry(scope, after)?.ok_or_else(wrong)?.cursor,
    };
    let chains = chain_hashes(&from, &entries).ok_or_else(wrong)?;
    if from.sequence + chains.len() as u64 != head.sequence || chains.last() != Some(&head.chain) {
        return Err(wrong());
    }
    let is_late = db.recovery()?.is_some_and(|last| last.ended_at.is_some() && signed_epoch < last.epoch);
    if !is_late {
        let reason = format!("an attestation about {scope} was signed that the log cannot reproduce");
        begin(db, now, known_epoch, &reason)?;
    }
    let (follows, known) = align(db, &from, &entries, &chains)?;
    let mut run = RestoreRun { is_appended: !follows, ..RestoreRun::default() };
    let decisions: Vec<Decision> = entries.iter().filter_map(decision_of).collect();
    run.erased.extend(decisions.iter().filter_map(erased_by));
    if !follows {
        run.find_superseded(db, scope, from.sequence + known as u64, &decisions)?;
    }
    let mut late = Vec::new();
    for entry in entries.get(known..).unwrap_or_default() {
        // Each under its own commit id: nobody knows any more which ones belonged together, and one frame could not hold all of them.
        let commit_id = db.next_commit_id()?;
        if restore_entry(db, scope, commit_id, entry, &mut run)?
            && let FrameEntry::Change { envelope, change } = entry
        {
            late.push((envelope.document_id, Change::hash_of_stripped(change)));
        }
    }
    if follows && db.head(scope)?.is_none_or(|end| end != *head) {
        return Err(wrong());
    }
    let told = if run.forgotten.is_empty() { BTreeSet::new() } else { erased_in(db, scope)? };
    for document in run.forgotten.difference(&told).copied() {
        decide(db, scope, &Erasure { document_id: document }, &DecidedBy::server(now))?;
    }
    judge_waiting(db, &late, now)?;
    let late: Vec<DocumentId> = late.into_iter().map(|(document, _)| document).collect();
    for documents in late.chunks(MAX_REVIEW_DOCUMENTS).filter(|_| is_late) {
        let review = ReviewCode::LateEvidence.review(documents.to_vec());
        decide(db, scope, &review, &DecidedBy::server(now))?;
    }
    Ok(run.erased)
}

/// Compares a run with this server's log. Returns whether the log ends within the run and the rest has no place yet, so that it can keep
/// its positions, and the number of entries of the run that the log has at the same positions.
fn align(
    db: &mut WriteTransaction<'_>,
    from: &Cursor,
    entries: &[FrameEntry],
    chains: &[ChainHash],
) -> Result<(bool, usize), Error> {
    let scope = &from.scope;
    let end = match db.head(scope)? {
        Some(head) => head,
        None => Cursor::start(db.organisation(), scope.clone()),
    };
    let known = end.sequence.checked_sub(from.sequence).and_then(|known| usize::try_from(known).ok());
    let at_end = known.and_then(|known| match known {
        0 => Some(from.chain),
        known => chains.get(known - 1).copied(),
    });
    let rest = entries.get(known.unwrap_or(0)..).unwrap_or_default();
    // A change that is now in another log cannot be at its old position as well.
    if at_end == Some(end.chain) && !any_has_another_position(db, scope, rest)? {
        return Ok((true, known.unwrap_or(0)));
    }
    // Common entries are not logged again: an old decision would override those that followed it.
    Ok((false, common_entries(db, from, chains)?))
}

/// Returns an entry's decision, if it can be decoded.
fn decision_of(entry: &FrameEntry) -> Option<Decision> {
    let FrameEntry::Decision { decision } = entry else { return None };
    decode(decision).ok()
}

/// Returns whether any of these changes is already in a log, or its document in another scope.
fn any_has_another_position(
    db: &mut WriteTransaction<'_>,
    scope: &Scope,
    entries: &[FrameEntry],
) -> Result<bool, Error> {
    for entry in entries {
        let (document, change) = match entry {
            FrameEntry::Change { envelope, change } => (envelope.document_id, Change::hash_of_stripped(change)),
            FrameEntry::Erased { envelope, change } => (envelope.document_id, *change),
            FrameEntry::Decision { .. } | FrameEntry::Own { .. } => continue,
        };
        let has_another_position =
            store::records::find(db.reader(), document)?.is_some_and(|stored| stored.scope != *scope);
        if has_another_position || db.position_of(document, change)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the number of entries up to which the log equals the run; the run starts after `from`.
fn common_entries(db: &mut WriteTransaction<'_>, from: &Cursor, chains: &[ChainHash]) -> Result<usize, Error> {
    for (known, (sequence, chain)) in (from.sequence + 1..).zip(chains).enumerate() {
        if db.entry(&from.scope, sequence)?.is_none_or(|entry| entry.cursor.chain != *chain) {
            return Ok(known);
        }
    }
    Ok(chains.len())
}

/// Returns the documents that a log's decisions erase.
fn erased_in(db: &mut WriteTransaction<'_>, scope: &Scope) -> Result<BTreeSet<DocumentId>, Error> {
    let decisions = db.decisions_after(scope, 0)?;
    Ok(decisions.iter().filter_map(|bytes| erased_by(&decode(bytes).ok()?)).collect())
}

/// State while a run is restored.
#[derive(Default)]
struct RestoreRun {
    /// Whether the log continued differently, so that entries are appended at its end.
    is_appended: bool,
    /// Documents that the run itself erases.
    erased: BTreeSet<DocumentId>,
    /// Decisions that are in the log after the last common position.
    known: BTreeSet<Vec<u8>>,
    /// Decisions of the run about subjects that the log has decided since.
    superseded: BTreeSet<Vec<u8>>,
    /// Documents of the run that are erased here, although the run does not erase them.
    forgotten: BTreeSet<DocumentId>,
}

impl RestoreRun {
    /// Collects the log's decisions after the last common position: on a subject decided there, the run's decision is older.
    fn find_superseded(
        &mut self,
        db: &mut WriteTransaction<'_>,
        scope: &Scope,
        common: u64,
        decisions: &[Decision],
    ) -> Result<(), Error> {
        self.known.extend(db.decisions_after(scope, common)?);
        for decision in decisions {
            // Excludes decisions before the common position, and those restored from this run before.
            let standing = store::decisions::current(db.reader(), decision)?;
            let standing = standing.filter(|(it, place)| *place > common && !decisions.contains(it));
            if standing.is_some() {
                self.superseded.insert(decision.as_bytes().to_vec());
            }
        }
        Ok(())
    }
}

fn wrong(reason: impl std::fmt::Display) -> Error {
    Error::invalid("offers", reason)
}

fn content(envelope: &ChangeEnvelope, hash: ChangeHash, change: Option<Vec<u8>>) -> LogContent {
    LogContent::Change { envelope: envelope.clone(), hash, change, origin: RESTORED }
}

/// Restores one logged entry without judging it again. Returns whether it was appended: `false` if it is known, superseded or has no place.
fn restore_entry(
    db: &mut WriteTransaction<'_>,
    scope: &Scope,
    commit_id: u64,
    entry: &FrameEntry,
    run: &mut RestoreRun,
) -> Result<bool, Error> {
    match entry {
        FrameEntry::Change { envelope, change: bytes } => {
            return restore_change(db, scope, commit_id, (envelope, bytes), run);
        }
        FrameEntry::Decision { decision } => {
            if run.known.contains(decision) || run.superseded.contains(decision) {
                return Ok(false);
            }
            let cursor = db.append(scope, commit_id, &LogContent::Decision(decision.clone()))?;
            // A decision that cannot be decoded is stored as it is.
            if let Ok(decision) = decode(decision) {
                apply_logged(db, scope, cursor.sequence, &decision)?;
            }
        }
        FrameEntry::Erased { envelope, change } => {
            // Only an erased document may lack its bytes; otherwise anybody could leave them out.
            if !store::records::is_erased(db.reader(), envelope.document_id)?
                && !run.erased.contains(&envelope.document_id)
            {
                return Err(wrong("the bytes of an entry are missing"));
            }
            if db.position_of(envelope.document_id, *change)?.is_some() {
                return Ok(false);
            }
            db.append(scope, commit_id, &content(envelope, *change, None))?;
        }
        FrameEntry::Own { .. } => return Err(wrong("an entry without its bytes")),
    }
    Ok(true)
}

/// Restores a logged change, given with its bytes, for [`restore_entry`].
fn restore_change(
    db: &mut WriteTransaction<'_>,
    scope: &Scope,
    commit_id: u64,
    (envelope, bytes): (&ChangeEnvelope, &[u8]),
    run: &mut RestoreRun,
) -> Result<bool, Error> {
    let change = Change::parse_stripped(bytes).map_err(wrong)?;
    let (document, hash) = (envelope.document_id, change.hash());
    let is_erased = store::records::is_erased(db.reader(), document)?;
    if is_erased && !run.erased.contains(&document) {
        run.forgotten.insert(document);
    }
    if db.position_of(document, hash)?.is_some() || is_erased && run.is_appended {
        return Ok(false);
    }
    if is_erased {
        db.append(scope, commit_id, &content(envelope, hash, None))?;
    } else {
        let Some(kind) = Kind::from_number(envelope.kind) else {
            return Err(wrong(format_args!("record kind {}", envelope.kind)));
        };
        let stored = store::records::find(db.reader(), document)?;
        if let Some(stored) = stored.as_ref().filter(|stored| stored.scope != *scope) {
            // Another document was created under this id after the loss. The lost one stays on its phone.
            tracing::warn!(%document, "it came back in {scope}, but is in {} by now", stored.scope);
            return Ok(false);
        }
        let saved = stored.as_ref().map(|stored| stored.saved.as_slice());
        let merged = match merge(kind, document, saved, &change) {
            Ok(merged) => merged,
            // A change that it builds on was lost too and has not been restored yet.
            Err(records::Error::Missing { .. }) if run.is_appended => return Ok(false),
            Err(error) => return Err(wrong(error)),
        };
        db.save_documents(&[(scope, kind, document, &merged)])?;
        db.append(scope, commit_id, &content(envelope, hash, Some(bytes.to_vec())))?;
        // Its author may have uploaded it again before.
        db.remove_pending(document, hash)?;
    }
    Ok(true)
}

/// Applies the deferred decisions that this version can read. Returns the documents that they erased, which the journal does not list yet.
pub(crate) fn apply_deferred_decisions(db: &mut WriteTransaction<'_>) -> Result<BTreeSet<DocumentId>, Error> {
    let mut erased = BTreeSet::new();
    for (scope, sequence) in db.deferred_decisions()? {
        let Some(LogContent::Decision(bytes)) = db.entry(&scope, sequence)?.map(|entry| entry.content) else {
            continue;
        };
        if let Ok(decision) = decode(&bytes) {
            apply_logged(db, &scope, sequence, &decision)?;
            erased.extend(erased_by(&decision));
        }
    }
    Ok(erased)
}

/// Projects a logged decision and carries out its effect. One that this version cannot read is deferred.
fn apply_logged(db: &mut WriteTransaction<'_>, scope: &Scope, sequence: u64, decision: &Decision) -> Result<(), Error> {
    db.apply_decision(scope, sequence, decision)?;
    let Ok((envelope, content)) = decision.read() else { return Ok(()) };
    match content.effect() {
        Some(Effect::EraseDocument(document)) => db.erase(document),
        Some(Effect::ApplyRuling(ruling)) if !ruling.is_approved => reject_again(db, scope, &envelope.reason, ruling),
        // The approved changes are in the log themselves.
        Some(Effect::ApplyRuling(_)) | None => Ok(()),
    }
}

/// Returns the document that a decision erases, if this version can read it.
fn erased_by(decision: &Decision) -> Option<DocumentId> {
    match decision.read().ok()?.1.effect() {
        Some(Effect::EraseDocument(document)) => Some(document),
        Some(Effect::ApplyRuling(_)) | None => None,
    }
}

/// Deletes the changes of a rejecting ruling from the pending entries and marks them as rejected for the scope's device and the devices
/// that it was before it took new keys, so that they stay rejected when they are uploaded again.
fn reject_again(db: &mut WriteTransaction<'_>, scope: &Scope, reason: &str, ruling: &Ruling) -> Result<(), Error> {
    let document = ruling.document_id;
    let Scope::Device(device) = *scope else { return Ok(()) };
    for change in &ruling.changes {
        db.remove_pending(document, *change)?;
    }
    let mut rejected = Vec::new();
    for Device { device_id: device, .. } in db.lineage(device)? {
        for change in &ruling.changes {
            rejected.push(RejectedEntry {
                document_id: document,
                change: *change,
                device_id: device,
                reason: reason.to_owned(),
            });
        }
    }
    db.add_rejected(&rejected)
}

/// Returns the scopes whose cursor is not on this server's log, each with the newest checkpoint that is (0 if none is, `None` without any).
pub(crate) fn divergences<C: Access + ?Sized>(
    db: &mut Transaction<'_, C>,
    cursors: &[CursorName],
    checkpoints: &[CursorName],
) -> Result<Vec<Divergence>, Error> {
    let mut diverged = Vec::new();
    for cursor in cursors {
        if resolve_cursor(db, Some(cursor), &cursor.scope)?.is_some() {
            continue;
        }
        let mut of: Vec<_> = checkpoints.iter().filter(|it| it.scope == cursor.scope).collect();
        of.sort_by_key(|it| std::cmp::Reverse(it.sequence));
        let mut common = (!of.is_empty()).then_some(0);
        for named in of {
            if resolve_cursor(db, Some(named), &cursor.scope)?.is_some() {
                common = Some(named.sequence);
                break;
            }
        }
        diverged.push(Divergence { scope: cursor.scope.clone(), common });
    }
    Ok(diverged)
}

/// Returns the recovery that has begun and not ended, if any.
pub(crate) fn current_recovery<C: Access + ?Sized>(db: &mut Transaction<'_, C>) -> Result<Option<Recovery>, Error> {
    Ok(db.recovery()?.filter(|recovery| recovery.ended_at.is_none()))
}

/// Requires that no recovery is open: until it is ended, earlier decisions may be unknown.
pub(crate) fn require_no_recovery(db: &mut WriteTransaction<'_>) -> Result<(), Error> {
    current_recovery(db)?.map_or(Ok(()), |_| Err(Error::Recovering))
}
