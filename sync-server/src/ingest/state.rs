//! State that judging works on, loaded and written in a few statements.
//!
//! Invariant: judging a bundle runs no statement for each entry, except to delete one that was held or deferred. Each device, grant and
//! review that is raised takes a few.

use std::collections::{BTreeMap, BTreeSet};

use farmtally_core::decisions::{Grant, Order, RuleSet};
use farmtally_core::permission::ChangeWindows;
use farmtally_core::protocol::bundle::{self, Bundle};
use farmtally_core::records::{self, Change, Kind, Merged};
use farmtally_core::scope::Scope;
use farmtally_core::store::records::{Saved, Stored};
use farmtally_core::store::{self, decisions};
use farmtally_core::units::{BundleHash, ChangeHash, DeviceId, DocumentId, GrantId, Timestamp, ToValue, Value};

use crate::Error;
use crate::reviews::{self, Finding, Touched};
use crate::storage::{
    DeferredEntry, Device, HeldEntry, LogContent, LogPosition, PendingEntry, RejectedEntry, WriteTransaction,
};

/// An entry to judge.
pub(super) struct Entry {
    pub(super) pending: PendingEntry,
    /// Its change, or why its bytes are not one.
    pub(super) change: Result<Change, records::Error>,
    /// Whether the bytes were left out because the document was erased on the device.
    pub(super) is_missing: bool,
}

impl Entry {
    pub(super) fn of(
        bundle: &Bundle,
        hash: BundleHash,
        number: u32,
        (transaction, entry): (&bundle::BundleAction, &bundle::BundleEntry),
    ) -> Self {
        let change = Change::parse_stripped(&entry.change);
        let pending = PendingEntry {
            bundle: hash,
            entry: number,
            envelope: bundle.envelope(transaction, entry),
            device_cursor: transaction.device_cursor,
            schema: bundle.header.schema,
            change: change.as_ref().map_or_else(|_no_change| entry.change_hash(), Change::hash),
            bytes: entry.change.clone(),
        };
        Self { pending, change, is_missing: entry.erased.is_some() }
    }

    pub(super) fn document(&self) -> DocumentId {
        self.pending.envelope.document_id
    }
}

impl From<PendingEntry> for Entry {
    fn from(pending: PendingEntry) -> Self {
        let change = Change::parse_stripped(&pending.bytes);
        Self { pending, change, is_missing: false }
    }
}

/// Rows of one table about one document: loaded ones that stay, new ones, and loaded ones to be deleted.
pub(super) struct Rows<T> {
    kept: Vec<T>,
    new: Vec<T>,
    gone: Vec<T>,
}

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self { kept: Vec::new(), new: Vec::new(), gone: Vec::new() }
    }
}

impl<T: Clone> Rows<T> {
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.kept.iter().chain(&self.new)
    }

    pub(super) fn add(&mut self, row: T) {
        self.new.push(row);
    }

    pub(super) fn remove(&mut self, is_it: impl Fn(&T) -> bool) -> Vec<T> {
        let mut removed: Vec<T> = self.kept.extract_if(.., |row| is_it(row)).collect();
        self.gone.extend(removed.iter().cloned());
        removed.extend(self.new.extract_if(.., |row| is_it(row)));
        removed
    }
}

/// A document and the state of its changes.
#[derive(Default)]
pub(super) struct Document {
    /// The document as it was loaded.
    stored: Option<Stored>,
    /// As merged since, if anything was.
    merged: Option<(Scope, Kind, Merged)>,
    pub(super) is_erased: bool,
    /// Positions of its changes in the log.
    pub(super) logged: BTreeMap<ChangeHash, LogPosition>,
    pub(super) held: Rows<HeldEntry>,
    pub(super) deferred: Rows<DeferredEntry>,
    pub(super) rejected: Rows<RejectedEntry>,
}

impl Document {
    /// Returns its scope, kind and saved form; `None` if it is erased or none of its changes is logged.
    pub(super) fn current(&self) -> Option<(&Scope, Kind, &[u8])> {
        let merged = self.merged.as_ref().map(|(scope, kind, merged)| (scope, *kind, merged.saved.as_slice()));
        merged.or_else(|| self.stored.as_ref().map(|it| (&it.scope, it.kind, it.saved.as_slice())))
    }
}

/// A device as an author of entries.
#[derive(Default)]
pub(super) struct Source {
    /// The device and those that it was before it took new keys.
    pub(super) lineage: Vec<Device>,
    pub(super) is_lost: bool,
}

impl Source {
    pub(super) fn is_or_was(&self, device: DeviceId) -> bool {
        self.lineage.iter().any(|it| it.device_id == device)
    }
}

/// Documents and their entries, as loaded and as changed by judging. Nothing is written before [`Self::save`].
#[derive(Default)]
pub(crate) struct State {
    pub(super) now: Timestamp,
    documents: BTreeMap<DocumentId, Document>,
    pub(super) sources: BTreeMap<DeviceId, Source>,
    /// Grants that entries name, and the sequence number in the device's scope at which each ended; `None` while it is in force.
    pub(super) grants: BTreeMap<GrantId, (Grant, Option<u64>)>,
    /// Times within which authors may change their records, by the number of the published rule set that is stamped on them.
    pub(super) windows: BTreeMap<u32, ChangeWindows>,
    /// Sequence number of each log's newest entry, counting those that are still to be appended; 0 for none.
    heads: BTreeMap<Scope, u64>,
    /// Lowest commit id that no logged entry had when this was loaded.
    first_commit_id: u64,
    commit_id: u64,
    /// Changes that [`Self::save`] will append, each with its commit id and scope.
    logged: Vec<(u64, Scope, LogContent)>,
    /// Reviews to raise.
    pub(super) findings: Vec<Finding>,
}

impl State {
    /// Loads all that judging these entries needs, and these further documents with what is held and deferred of them.
    pub(super) fn load<'e>(
        db: &mut WriteTransaction<'_>,
        entries: impl IntoIterator<Item = &'e PendingEntry>,
        documents: impl IntoIterator<Item = DocumentId>,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let commit_id = db.next_commit_id()?;
        let documents = documents.into_iter().map(|id| (id, Document::default())).collect();
        let mut state = Self { documents, first_commit_id: commit_id, commit_id, now, ..Self::default() };
        let mut grants = BTreeSet::new();
        for entry in entries {
            state.documents.entry(entry.document()).or_default();
            state.note_context(entry, &mut grants);
        }
        state.load_documents(db, &mut grants)?;
        for (id, source) in &mut state.sources {
            source.lineage = db.lineage(*id)?;
            source.is_lost = decisions::order(db.reader(), *id)?.is_some_and(|order| order.order == Order::Lost);
        }
        for id in grants {
            if let Some(grant) = decisions::grant(db.reader(), id)? {
                let ended_at = decisions::ended_at(db.reader(), &grant)?;
                state.grants.insert(id, (grant, ended_at));
            }
        }
        let rule_sets = decisions::all::<RuleSet>(db.reader())?.into_iter();
        state.windows = rule_sets.map(|rules| (rules.number, rules.windows.of_changes())).collect();
        for head in db.heads_of(state.heads.keys())? {
            state.heads.insert(head.scope, head.sequence);
        }
        Ok(state)
    }

    /// Collects the device, scope and grant of an entry, to be loaded.
    fn note_context(&mut self, entry: &PendingEntry, grants: &mut BTreeSet<GrantId>) {
        self.sources.entry(entry.envelope.device_id).or_default();
        if !self.heads.contains_key(&entry.envelope.scope) {
            self.heads.insert(entry.envelope.scope.clone(), 0);
        }
        grants.insert(entry.envelope.grant_id);
    }

    fn load_documents(&mut self, db: &mut WriteTransaction<'_>, grants: &mut BTreeSet<GrantId>) -> Result<(), Error> {
        let ids: Vec<DocumentId> = self.documents.keys().copied().collect();
        let keys: Vec<Value<'_>> = ids.iter().map(ToValue::to_value).collect();
        for (id, stored) in store::records::find_all(db.reader(), &keys)? {
            self.document(id).stored = Some(stored);
        }
        for id in db.erased_of(&keys)? {
            self.document(id).is_erased = true;
        }
        for (id, change, position) in db.positions_of(&keys)? {
            self.document(id).logged.insert(change, position);
        }
        for held in db.held_of(&keys)? {
            self.note_context(&held.entry, grants);
            self.document(held.entry.document()).held.kept.push(held);
        }
        for deferred in db.deferred_of(&keys)? {
            self.note_context(&deferred.entry, grants);
            self.document(deferred.entry.document()).deferred.kept.push(deferred);
        }
        for rejected in db.rejected_of(&keys)? {
            self.document(rejected.document_id).rejected.kept.push(rejected);
        }
        Ok(())
    }

    pub(super) fn document(&mut self, id: DocumentId) -> &mut Document {
        self.documents.entry(id).or_default()
    }

    /// Starts a new commit id, so that a frame may be cut between the entries logged before and after.
    pub(super) fn allow_frame_break(&mut self) {
        self.commit_id = self.first_commit_id + self.logged.len() as u64;
    }

    /// Takes a merged document and its entry, which [`Self::save`] will store and append. Returns the entry's sequence number.
    pub(super) fn log(&mut self, entry: &PendingEntry, kind: Kind, merged: Merged) -> u64 {
        let PendingEntry { bundle, entry: number, envelope, change: hash, bytes, .. } = entry.clone();
        let (scope, document) = (envelope.scope.clone(), entry.document());
        let sequence = self.heads.entry(scope.clone()).or_default();
        *sequence += 1;
        let sequence = *sequence;
        let content = LogContent::Change { envelope, hash, change: Some(bytes), origin: (bundle, number) };
        self.logged.push((self.commit_id, scope.clone(), content));
        let document = self.document(document);
        document.logged.insert(hash, (scope.clone(), sequence));
        document.merged = Some((scope, kind, merged));
        document.held.remove(|held| held.entry.change == hash);
        sequence
    }

    /// Writes all that judging changed, and raises reviews. Returns the last commit id, for decisions of the same commit.
    pub(super) fn save(self, db: &mut WriteTransaction<'_>) -> Result<u64, Error> {
        for logged in self.logged.chunk_by(|(a, ..), (b, ..)| a == b) {
            let entries: Vec<_> = logged.iter().map(|(_, scope, content)| (scope, content)).collect();
            db.append_all(logged.first().map_or(self.commit_id, |(commit_id, ..)| *commit_id), &entries)?;
        }
        let (mut held, mut deferred, mut rejected) = (Rows::default(), Rows::default(), Rows::default());
        let (mut merged, mut earlier) = (Vec::new(), Vec::new());
        for (id, document) in self.documents {
            let before = document.stored.map(|stored| stored.saved);
            if let Some((scope, kind, it)) = document.merged {
                merged.push((scope, kind, id, it));
                earlier.push(before);
            }
            held.join(document.held);
            deferred.join(document.deferred);
            rejected.join(document.rejected);
        }
        db.remove_entries(&held.gone, &deferred.gone)?;
        db.add_held(&held.new)?;
        db.add_deferred(&deferred.new)?;
        db.add_rejected(&rejected.new)?;
        let saved: Vec<Saved<'_>> =
            merged.iter().map(|(scope, kind, id, merged)| (scope, *kind, *id, merged)).collect();
        db.save_documents(&saved)?;
        let touched: Vec<Touched> = merged
            .into_iter()
            .zip(earlier)
            .filter_map(|((scope, _, _, merged), before)| merged.record.map(|record| Touched { scope, record, before }))
            .collect();
        let mut findings = self.findings;
        findings.extend(reviews::find(db, &touched)?);
        super::raise(db, self.commit_id, findings, self.now)?;
        Ok(self.commit_id)
    }
}

impl<T> Rows<T> {
    fn join(&mut self, other: Self) {
        self.new.extend(other.new);
        self.gone.extend(other.gone);
    }
}
