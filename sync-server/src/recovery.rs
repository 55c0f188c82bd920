//! A server that was set back to an older copy, and gets back from phones what it had signed.
//!
//! Owns how a server notices that it has lost data, and how it takes back what it lost. Only its own signature counts: a statement that its
//! logs cannot reproduce, or its journal. What phones say otherwise starts nothing.
//! While a recovery lasts, nothing is decided about held changes and no enrolment code is handed out; grants, orders, reference data and
//! erasures are decided as usual, and phones hand over and fetch as usual.

use std::collections::{BTreeMap, BTreeSet};

use farmtally_core::codec::decode;
use farmtally_core::decisions::{DecidedBy, Decision, DeviceOrder, Effect, Erasure, Order, ReviewCode, Ruling};
use farmtally_core::limits::MAX_STAGED_BYTES;
use farmtally_core::protocol::log::{Cursor, CursorName};
use farmtally_core::protocol::message::{Certificate, FrameEntry};
use farmtally_core::protocol::repair::{Divergence, Offer, walk};
use farmtally_core::records::{self, Change, Kind, merge};
use farmtally_core::scope::Scope;
use farmtally_core::store;
use farmtally_core::units::{BundleHash, ChainHash, DeviceId, DocumentId, OrganisationId, Timestamp};

use crate::ingest::{decide, judge_waiting};
use crate::pull::resolve_cursor;
use crate::storage::{
    Access, Device, LogContent, NewEntry, ReadTransaction, Recovery, RejectedEntry, Transaction, WriteTransaction,
};
use crate::{Error, Server};

/// Documents that one review of late evidence names at most.
const REVIEWED: usize = 500;
/// The origin of entries that came back from phones: no bundle has this hash.
const RESTORED: (BundleHash, u32) = (BundleHash([0; 32]), 0);
/// Decisions that are read at a time.
const BATCH: u32 = 500;

impl Server {
    /// The recovery that an organisation is in, or the last one it was in.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn recovery(&self, organisation: OrganisationId) -> Result<Option<Recovery>, Error> {
        self.read(organisation, |db| db.recovery())
    }

    /// Ends a recovery: from here on things are decided again. What comes back later is still taken.
    ///
    /// # Errors
    /// [`Error::NotFound`] without one, [`Error::Storage`].
    pub fn end_recovery(&self, organisation: OrganisationId) -> Result<(), Error> {
        let now = self.environment.clock.now();
        let none = || Error::NotFound { what: "recovery that lasts" };
        self.read(organisation, |db| lasting(db)?.ok_or_else(none))?;
        // What did not come back is known to be lost: it must not begin another recovery at the next start.
        let heads = self.read(organisation, |db| db.heads())?;
        self.journal.went_back(organisation, &heads)?;
        self.write(organisation, |db| {
            let recovery = lasting(db)?.ok_or_else(none)?;
            db.clear_stages()?;
            db.save_recovery(&Recovery { ended_at: Some(now), ..recovery })
        })
    }

    /// Starts recovery wherever the database is behind what the journal says was acknowledged, or there is no journal; and notes what the
    /// journal does not know: a process may have died between the two.
    pub(crate) fn compare_with_journal(&self) -> Result<(), Error> {
        let now = self.environment.clock.now();
        for organisation in self.organisations()? {
            let acknowledged = self.journal.heads(organisation)?;
            let reason = if acknowledged.is_empty() {
                // Whoever has an organisation had a journal of it: without it nobody knows what was acknowledged.
                Some("its journal is missing".to_owned())
            } else {
                let lost = self.read(organisation, |db| first_lost(db, &acknowledged))?;
                lost.map(|scope| format!("the database is behind its journal in {scope}"))
            };
            if let Some(reason) = reason {
                let epoch = self.journal.epoch(organisation)?;
                self.write(organisation, |db| begin(db, now, epoch, &reason))?;
                self.note_epoch(organisation)?;
            }
            let known = self.journal.heads(organisation)?;
            let mut heads = self.read(organisation, |db| db.heads())?;
            heads.retain(|head| known.get(&head.scope).is_none_or(|known| known.sequence < head.sequence));
            self.journal.advanced(organisation, &heads)?;
        }
        Ok(())
    }

    fn note_epoch(&self, organisation: OrganisationId) -> Result<(), Error> {
        let recovery = self.read(organisation, |db| db.recovery())?;
        recovery.map_or(Ok(()), |recovery| self.journal.began(organisation, recovery.epoch))
    }

    /// Makes a device known again that was enrolled after the copy was made that this server was set back to.
    pub(crate) fn readmit(&self, certificate: &Certificate) -> Result<(), Error> {
        let wrong = |reason: &str| Error::invalid("certificate", reason);
        let organisation = certificate.organisation;
        if !certificate.verify(&self.keys.signing().verifying_key()) {
            return Err(wrong("it is not signed by this server"));
        }
        if !self.organisations()?.contains(&organisation) {
            return Err(wrong("it belongs to an organisation that is not here"));
        }
        let (now, epoch) = (self.environment.clock.now(), self.journal.epoch(organisation)?);
        self.write(organisation, |db| {
            if let Some(known) = db.device(certificate.device)? {
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
                device: certificate.device,
                code: certificate.device_code,
                public_key: certificate.public_key,
                user: certificate.user,
                model: String::new(),
                enrolled_at: certificate.enrolled_at,
                seen_at: now,
                head: None,
                ancestor: certificate.ancestor,
                wiped_at: None,
            };
            if !is_taken {
                return db.readmit_device(&device);
            }
            // Its code was given to another device before anybody knew of the loss: it takes another, with a key of its own.
            self.add_device(db, organisation, &device)?;
            let scope = Scope::Device(device.device);
            let order = DeviceOrder { device: device.device, order: Order::Rekey };
            decide(db, &scope, &order, &DecidedBy::server(now))
        })?;
        self.note_epoch(organisation)?;
        self.storage.add_route(certificate.device.as_bytes(), organisation)
    }

    /// Takes back what this server had signed and has lost.
    pub(crate) fn restore_offers(
        &self,
        organisation: OrganisationId,
        device: DeviceId,
        offers: &[Offer],
    ) -> Result<(), Error> {
        let wrong = |reason: &str| Error::invalid("offers", reason);
        let (now, epoch) = (self.environment.clock.now(), self.journal.epoch(organisation)?);
        for offer in offers {
            let statement = offer.evidence.open(&self.keys.signing().verifying_key());
            let statement = statement.ok_or_else(|| wrong("the evidence is not signed by this server"))?;
            let head = statement.heads.iter().find(|head| head.scope == offer.scope);
            let head = head.ok_or_else(|| wrong("the evidence is about another scope"))?;
            let end = offer.after.checked_add(offer.entries.len() as u64).filter(|end| *end <= head.sequence);
            let end = end.ok_or_else(|| wrong("the entries reach beyond what was signed"))?;
            let taken = self.write(organisation, |db| {
                if resolve_cursor(db, Some(&head.name()), &head.scope)?.is_some() {
                    // Nothing was lost: there is nothing to keep.
                    return Ok(BTreeSet::new());
                }
                db.stage(device, offer)?;
                if db.staged_bytes(device)? > MAX_STAGED_BYTES {
                    return Err(wrong("more than can be taken back at once"));
                }
                let mut erased = BTreeSet::new();
                if end == head.sequence {
                    let stretch = db.staged(device, &head.scope)?;
                    let signed = SignedHead { head, epoch: statement.epoch, epochs: epoch.max(statement.epoch) };
                    erased = restore_run(db, &signed, stretch, now)?;
                    db.clear_stage(device, &head.scope)?;
                }
                Ok(erased)
            });
            if let Err(Error::Invalid { .. }) = taken {
                self.write(organisation, |db| db.clear_stage(device, &offer.scope))?;
            }
            self.were_erased(organisation, &taken?)?;
        }
        self.note_epoch(organisation)
    }
}

/// The first scope whose log lacks an entry that was acknowledged.
fn first_lost(
    db: &mut ReadTransaction<'_>,
    acknowledged: &BTreeMap<Scope, CursorName>,
) -> Result<Option<Scope>, Error> {
    for (scope, named) in acknowledged {
        if resolve_cursor(db, Some(named), scope)?.is_none() {
            return Ok(Some(scope.clone()));
        }
    }
    Ok(None)
}

/// Notes that data was lost; codes go on far above those that were seen. `epochs`: how many recoveries there were, as far as is known elsewhere.
fn begin(db: &mut WriteTransaction<'_>, now: Timestamp, epochs: u32, reason: &str) -> Result<(), Error> {
    let last = db.recovery()?;
    if last.as_ref().is_some_and(|last| last.ended_at.is_none()) {
        return Ok(());
    }
    tracing::warn!(reason, "recovery begins: this server has lost data that it had acknowledged");
    let epoch = last.map_or(0, |last| last.epoch).max(epochs).saturating_add(1);
    db.save_recovery(&Recovery { epoch, started_at: now, ended_at: None, reason: reason.to_owned() })
}

/// What this server once signed.
struct SignedHead<'a> {
    head: &'a Cursor,
    /// How many recoveries there were then.
    epoch: u32,
    /// How many there were up to now, as far as is known outside of the database.
    epochs: u32,
}

/// Takes a stretch over that leads up to a head which this server had signed: at its old positions, if nothing else stands there by now;
/// otherwise what is missing of it goes to the end. Who comes after the recovery from that loss was ended does not begin it again: people
/// look at what came. Returns which documents were forgotten with it.
fn restore_run(
    db: &mut WriteTransaction<'_>,
    signed: &SignedHead<'_>,
    (after, entries): (u64, Vec<FrameEntry>),
    now: Timestamp,
) -> Result<BTreeSet<DocumentId>, Error> {
    let (head, scope) = (signed.head, &signed.head.scope);
    let wrong = || Error::invalid("offers", "the entries do not lead to what was signed");
    let from = match after {
        0 => Cursor::start(db.organisation(), scope.clone()),
        after => db.entry(scope, after)?.ok_or_else(wrong)?.cursor,
    };
    let chains = walk(&from, &entries).ok_or_else(wrong)?;
    if from.sequence + chains.len() as u64 != head.sequence || chains.last() != Some(&head.chain) {
        return Err(wrong());
    }
    let is_late = db.recovery()?.is_some_and(|last| last.ended_at.is_some() && signed.epoch < last.epoch);
    if !is_late {
        let reason = format!("a statement about {scope} was signed that the log cannot reproduce");
        begin(db, now, signed.epochs, &reason)?;
    }
    let here = align(db, &from, &entries, &chains)?;
    let mut run = RestoreRun { is_later: !here.follows, ..RestoreRun::default() };
    let decisions: Vec<Decision> = entries.iter().filter_map(decision_of).collect();
    run.erased.extend(decisions.iter().filter_map(erased_by));
    if !here.follows {
        run.find_superseded(db, scope, here.common, &decisions)?;
    }
    let mut late = Vec::new();
    for entry in entries.get(here.known..).unwrap_or_default() {
        // Each by itself: nobody knows any more what belonged together, and a frame must not hold all of it.
        let commit_id = db.next_commit_id()?;
        if restore_entry(db, scope, commit_id, entry, &mut run)?
            && let FrameEntry::Change { envelope, change } = entry
        {
            late.push((envelope.document, Change::hash_of_stripped(change)));
        }
    }
    if here.follows && db.head(scope)?.is_none_or(|end| end != *head) {
        return Err(wrong());
    }
    let told = if run.forgotten.is_empty() { BTreeSet::new() } else { erased_in(db, scope)? };
    for document in run.forgotten.difference(&told).copied() {
        decide(db, scope, &Erasure { document }, &DecidedBy::server(now))?;
    }
    judge_waiting(db, &late, now)?;
    let late: Vec<DocumentId> = late.into_iter().map(|(document, _)| document).collect();
    for documents in late.chunks(REVIEWED).filter(|_| is_late) {
        let review = ReviewCode::LateEvidence.review(documents.to_vec());
        decide(db, scope, &review, &DecidedBy::server(now))?;
    }
    Ok(run.erased)
}

/// How a stretch lies beside the log that is here.
struct Alignment {
    /// Whether the log ends within the stretch, so that the rest of it can stand at its old positions.
    follows: bool,
    /// How many entries of the stretch the log has at their positions.
    known: usize,
    /// The last place that both have.
    common: u64,
}

fn align(
    db: &mut WriteTransaction<'_>,
    from: &Cursor,
    entries: &[FrameEntry],
    chains: &[ChainHash],
) -> Result<Alignment, Error> {
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
    // A change that is in another log by now cannot be at its old place as well.
    if at_end == Some(end.chain) && !any_has_another_position(db, scope, rest)? {
        return Ok(Alignment { follows: true, known: known.unwrap_or(0), common: end.sequence });
    }
    // What both have is not logged once more: a decision would overtake what came after it.
    let common = last_common_position(db, from, chains)?;
    let known = usize::try_from(common.saturating_sub(from.sequence)).unwrap_or(usize::MAX);
    Ok(Alignment { follows: false, known, common })
}

/// An entry's decision, if it has the form of one.
fn decision_of(entry: &FrameEntry) -> Option<Decision> {
    let FrameEntry::Decision { decision } = entry else { return None };
    decode(decision).ok()
}

/// Whether any of these changes is in a log already, or its document in another scope.
fn any_has_another_position(
    db: &mut WriteTransaction<'_>,
    scope: &Scope,
    entries: &[FrameEntry],
) -> Result<bool, Error> {
    for entry in entries {
        let (document, change) = match entry {
            FrameEntry::Change { envelope, change } => (envelope.document, Change::hash_of_stripped(change)),
            FrameEntry::Erased { envelope, change } => (envelope.document, *change),
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

/// The last place up to which a log is what a stretch says; the stretch begins behind `from`.
fn last_common_position(db: &mut WriteTransaction<'_>, from: &Cursor, chains: &[ChainHash]) -> Result<u64, Error> {
    for (sequence, chain) in (from.sequence + 1..).zip(chains) {
        if db.entry(&from.scope, sequence)?.is_none_or(|entry| entry.cursor.chain != *chain) {
            return Ok(sequence - 1);
        }
    }
    Ok(from.sequence + chains.len() as u64)
}

/// The documents that a log says are forgotten.
fn erased_in(db: &mut WriteTransaction<'_>, scope: &Scope) -> Result<BTreeSet<DocumentId>, Error> {
    let mut erased = BTreeSet::new();
    each_decision(db, scope, 0, |_, decision| {
        erased.extend(decision.as_ref().and_then(erased_by));
    })?;
    Ok(erased)
}

/// Reads all decisions of a log behind a place, each as its bytes and, if it has the form of one, as a decision.
fn each_decision(
    db: &mut WriteTransaction<'_>,
    scope: &Scope,
    mut after: u64,
    mut take: impl FnMut(Vec<u8>, Option<Decision>),
) -> Result<(), Error> {
    loop {
        let decisions = db.decisions_after(scope, after, BATCH)?;
        let Some((newest, _)) = decisions.last() else { return Ok(()) };
        after = *newest;
        for (_, bytes) in decisions {
            let decision = decode(&bytes).ok();
            take(bytes, decision);
        }
    }
}

/// What is known while a stretch is taken over.
#[derive(Default)]
struct RestoreRun {
    /// Whether it goes to the end of a log that went on otherwise.
    is_later: bool,
    /// Documents that the stretch itself erases.
    erased: BTreeSet<DocumentId>,
    /// Decisions that stand in the log that went on, behind the last place that both know.
    known: BTreeSet<Vec<u8>>,
    /// Decisions about matters of which something stands in the log that went on.
    superseded: BTreeSet<Vec<u8>>,
    /// Documents that are forgotten here, which the stretch does not know.
    forgotten: BTreeSet<DocumentId>,
}

impl RestoreRun {
    /// Notes what the log that went on says behind the last common place: of a matter that it decided, the stretch's decision is older.
    fn find_superseded(
        &mut self,
        db: &mut WriteTransaction<'_>,
        scope: &Scope,
        common: u64,
        decisions: &[Decision],
    ) -> Result<(), Error> {
        each_decision(db, scope, common, |decision, _| {
            self.known.insert(decision);
        })?;
        for decision in decisions {
            // Not what stands before both, nor what came back before.
            let standing = store::decisions::current(db.reader(), decision)?;
            let standing = standing.filter(|(it, place)| *place > common && !decisions.contains(it));
            if standing.is_some() {
                self.superseded.insert(decision.as_bytes().to_vec());
            }
        }
        Ok(())
    }
}

/// One entry that was logged before, without judging it again. Returns whether it was taken.
fn restore_entry(
    db: &mut WriteTransaction<'_>,
    scope: &Scope,
    commit_id: u64,
    entry: &FrameEntry,
    run: &mut RestoreRun,
) -> Result<bool, Error> {
    let wrong = |reason: String| Error::invalid("offers", reason);
    match entry {
        FrameEntry::Change { envelope, change: bytes } => {
            let change = Change::parse_stripped(bytes).map_err(|error| wrong(error.to_string()))?;
            let (document, hash) = (envelope.document, change.hash());
            let is_erased = store::records::is_erased(db.reader(), document)?;
            if is_erased && !run.erased.contains(&document) {
                run.forgotten.insert(document);
            }
            if db.position_of(document, hash)?.is_some() || is_erased && run.is_later {
                return Ok(false);
            }
            if is_erased {
                db.append(scope, commit_id, NewEntry::Change { envelope, hash, change: None, origin: RESTORED })?;
            } else {
                let Some(kind) = Kind::from_number(envelope.kind) else {
                    return Err(wrong(format!("record kind {}", envelope.kind)));
                };
                let stored = store::records::find(db.reader(), document)?;
                if let Some(stored) = stored.as_ref().filter(|stored| stored.scope != *scope) {
                    // Somebody made another document under this id after the loss; the one that was lost stays with its phone.
                    tracing::warn!(%document, "it came back in {scope}, but is in {} by now", stored.scope);
                    return Ok(false);
                }
                let saved = stored.as_ref().map(|stored| stored.saved.as_slice());
                let merged = match merge(kind, document, saved, &change) {
                    Ok(merged) => merged,
                    // What it builds on went with the same loss, and nobody has brought it back yet.
                    Err(records::Error::Missing { .. }) if run.is_later => return Ok(false),
                    Err(error) => return Err(wrong(error.to_string())),
                };
                db.save_documents(&[(scope, kind, document, &merged)])?;
                db.append(
                    scope,
                    commit_id,
                    NewEntry::Change { envelope, hash, change: Some(bytes), origin: RESTORED },
                )?;
                // Its author may have handed it over again before.
                db.remove_pending(document, hash)?;
            }
        }
        FrameEntry::Decision { decision } => {
            if run.known.contains(decision) || run.superseded.contains(decision) {
                return Ok(false);
            }
            let cursor = db.append(scope, commit_id, NewEntry::Decision(decision))?;
            // What has not the form of a decision is kept as it is.
            if let Ok(decision) = decode(decision) {
                apply_logged(db, scope, cursor.sequence, &decision)?;
            }
        }
        FrameEntry::Erased { envelope, change } => {
            // Anybody could leave the bytes out: only of a document that is forgotten they may be absent.
            if !store::records::is_erased(db.reader(), envelope.document)? && !run.erased.contains(&envelope.document) {
                return Err(wrong("the bytes of an entry are missing".into()));
            }
            if db.position_of(envelope.document, *change)?.is_some() {
                return Ok(false);
            }
            db.append(scope, commit_id, NewEntry::Change { envelope, hash: *change, change: None, origin: RESTORED })?;
        }
        FrameEntry::Own { .. } => return Err(wrong("an entry without its bytes".into())),
    }
    Ok(true)
}

/// Judges the decisions again that waited for a newer server. Returns which documents they erased.
pub(crate) fn judge_deferred_decisions(db: &mut WriteTransaction<'_>) -> Result<BTreeSet<DocumentId>, Error> {
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

/// Projects a logged decision, and does what it does; one that this version cannot read is deferred.
fn apply_logged(db: &mut WriteTransaction<'_>, scope: &Scope, sequence: u64, decision: &Decision) -> Result<(), Error> {
    db.apply_decision(scope, sequence, decision)?;
    let Ok((envelope, content)) = decision.read() else { return Ok(()) };
    match content.effect() {
        Some(Effect::EraseDocument(document)) => db.erase(document),
        Some(Effect::ApplyRuling(ruling)) if !ruling.is_approved => reject_again(db, scope, &envelope.reason, ruling),
        // What was approved is in the log as a change.
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

/// What was sent back to a device stays so when it is handed over again, whichever of its keys sealed it.
fn reject_again(db: &mut WriteTransaction<'_>, scope: &Scope, reason: &str, ruling: &Ruling) -> Result<(), Error> {
    let document = ruling.document;
    let Scope::Device(device) = *scope else { return Ok(()) };
    for change in &ruling.changes {
        db.remove_pending(document, *change)?;
    }
    let mut rejected = Vec::new();
    for Device { device, .. } in db.lineage(device)? {
        for change in &ruling.changes {
            rejected.push(RejectedEntry { document, change: *change, device, reason: reason.to_owned() });
        }
    }
    db.add_rejected(&rejected)
}

/// Scopes in which a device names a place that is not on this server's log, with the last checkpoint that is.
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

/// The recovery that lasts.
pub(crate) fn lasting<C: Access + ?Sized>(db: &mut Transaction<'_, C>) -> Result<Option<Recovery>, Error> {
    Ok(db.recovery()?.filter(|recovery| recovery.ended_at.is_none()))
}

/// Requires that no recovery lasts: until then nobody knows all that was decided.
pub(crate) fn require_whole(db: &mut WriteTransaction<'_>) -> Result<(), Error> {
    lasting(db)?.map_or(Ok(()), |_| Err(Error::Recovering))
}
