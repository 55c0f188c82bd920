//! Verdicts on entries, judged on a loaded [`State`].
//!
//! Owns the order of checks (docs/protocol.md, "Verdicts"). A deferred entry is judged again when any device brings the missing change.

use farmtally_core::decisions::Grant;
use farmtally_core::decisions::ReviewCode;
use farmtally_core::permission::Denied;
use farmtally_core::protocol::HoldCode;
use farmtally_core::protocol::bundle::{ChangeEnvelope, SCHEMA_VERSION};
use farmtally_core::protocol::message::Verdict;
use farmtally_core::records::{self, Change, Kind, Stamp, merge};
use farmtally_core::scope::Scope;
use farmtally_core::units::{ChangeHash, DocumentId};

use super::state::{Entry, Source, State};
use crate::Error;
use crate::drafts::DRAFT;
use crate::reviews::Finding;
use crate::storage::{DeferredEntry, HeldEntry, PendingEntry, RejectedEntry};

/// Why an entry is held.
pub(super) struct Hold {
    code: HoldCode,
    pub(super) reason: String,
}

impl Hold {
    fn new(code: HoldCode, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }

    fn not_allowed(reason: impl Into<String>) -> Self {
        Self::new(HoldCode::NotAllowed, reason)
    }
}

/// Why an entry is not logged now.
pub(super) enum NotLogged {
    Hold(Hold),
    /// Held, unless the entry has a newer schema: then it is deferred until a newer server reads it.
    Unreadable(Hold),
    Defer(Vec<ChangeHash>),
    Error(Error),
}

impl From<Error> for NotLogged {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<Hold> for NotLogged {
    fn from(hold: Hold) -> Self {
        Self::Hold(hold)
    }
}

impl State {
    /// Judges an entry and, unless it is deferred or lacks its bytes, the entries that wait for it. Only [`Self::save`] writes the results.
    pub(super) fn judge(&mut self, entry: &Entry) -> Result<Verdict, Error> {
        let verdict = self.verdict(entry)?;
        if !matches!(verdict, Verdict::Deferred { .. } | Verdict::BytesMissing) {
            self.remove_deferred_entry(&entry.pending);
            self.judge_waiting(entry.document(), entry.pending.change)?;
        }
        Ok(verdict)
    }

    /// Judges again the entries that wait for a change which is now logged, held or rejected, then those that wait for them.
    pub(super) fn judge_waiting(&mut self, document: DocumentId, change: ChangeHash) -> Result<(), Error> {
        let mut settled = vec![change];
        while let Some(change) = settled.pop() {
            let found = self.document(document);
            if found.logged.contains_key(&change) {
                found.deferred.remove(|it| it.entry.change == change);
            }
            let waiting = self.document(document).deferred.iter();
            let due: Vec<_> = waiting.filter(|it| it.missing.contains(&change)).map(|it| it.entry.clone()).collect();
            for entry in due {
                let entry = Entry::from(entry);
                if !matches!(self.verdict(&entry)?, Verdict::Deferred { .. }) {
                    self.remove_deferred_entry(&entry.pending);
                    settled.push(entry.pending.change);
                }
            }
        }
        Ok(())
    }

    /// Removes a judged entry from the deferred ones. The same change under another envelope stays, because its grant may allow it.
    fn remove_deferred_entry(&mut self, entry: &PendingEntry) {
        let is_it = |it: &DeferredEntry| it.entry.change == entry.change && it.entry.envelope == entry.envelope;
        self.document(entry.document()).deferred.remove(is_it);
    }

    /// Returns the verdict on an entry that is logged, erased, held or rejected already; otherwise judges it.
    fn verdict(&mut self, entry: &Entry) -> Result<Verdict, Error> {
        if let Some(verdict) = self.settled(entry) {
            return Ok(verdict);
        }
        if entry.is_missing {
            let scope = Scope::Device(entry.pending.envelope.device_id);
            let documents = vec![entry.document()];
            self.findings.push(Finding { scope, code: ReviewCode::BytesMissing, documents });
            return Ok(Verdict::BytesMissing);
        }
        match self.check_and_log(entry) {
            Ok(verdict) => Ok(verdict),
            Err(NotLogged::Unreadable(_)) if entry.pending.schema > SCHEMA_VERSION => Ok(self.defer(entry, Vec::new())),
            Err(NotLogged::Hold(hold) | NotLogged::Unreadable(hold)) => Ok(self.hold(entry, hold)),
            Err(NotLogged::Defer(missing)) => Ok(self.defer(entry, missing)),
            Err(NotLogged::Error(error)) => Err(error),
        }
    }

    fn settled(&mut self, entry: &Entry) -> Option<Verdict> {
        let (change, device) = (entry.pending.change, entry.pending.envelope.device_id);
        let document = self.document(entry.document());
        if let Some((scope, sequence)) = document.logged.get(&change) {
            return Some(Verdict::Logged { scope: scope.clone(), sequence: *sequence });
        }
        if document.is_erased {
            return Some(Verdict::Erased);
        }
        // The envelope must match too, so that nobody can have another author's change held by handing it over as their own.
        let is_it = |it: &&HeldEntry| it.entry.change == change && it.entry.envelope == entry.pending.envelope;
        if let Some(held) = document.held.iter().find(is_it) {
            return Some(Verdict::Held { code: held.code.clone(), reason: held.reason.clone() });
        }
        let rejected = document.rejected.iter().find(|it| it.change == change && it.device_id == device);
        rejected.map(|it| Verdict::Rejected { reason: it.reason.clone() })
    }

    fn check_and_log(&mut self, entry: &Entry) -> Result<Verdict, NotLogged> {
        let envelope = &entry.pending.envelope;
        if envelope.kind == DRAFT {
            return Err(Hold::new(HoldCode::Draft, "a draft of a phone that was wiped").into());
        }
        if envelope.scope.is_unknown() {
            return Err(NotLogged::Defer(Vec::new()));
        }
        let kind = Kind::from_number(envelope.kind).ok_or(NotLogged::Defer(Vec::new()))?;
        let change = entry.change.as_ref().map_err(unreadable(HoldCode::Malformed))?;
        let has_ended = self.permit(kind, entry, change)?;
        self.permit_target(kind, envelope, change)?;
        let sequence = self.append(entry, kind, change)?;
        let scope = envelope.scope.clone();
        if has_ended {
            let documents = vec![envelope.document_id];
            self.findings.push(Finding { scope: scope.clone(), code: ReviewCode::GrantEnded, documents });
        }
        Ok(Verdict::Logged { scope, sequence })
    }

    fn hold(&mut self, entry: &Entry, hold: Hold) -> Verdict {
        let row = HeldEntry {
            entry: entry.pending.clone(),
            code: hold.code.clone(),
            reason: hold.reason.clone(),
            held_at: self.now,
        };
        self.document(entry.document()).held.add(row);
        Verdict::Held { code: hold.code, reason: hold.reason }
    }

    /// Defers an entry whose dependencies are missing. If one of them was rejected or is held for the device's lineage, so is the entry.
    fn defer(&mut self, entry: &Entry, missing: Vec<ChangeHash>) -> Verdict {
        let (now, pending) = (self.now, &entry.pending);
        let device = pending.envelope.device_id;
        let is_ours: Vec<_> =
            self.sources.get(&device).into_iter().flat_map(|it| &it.lineage).map(|it| it.device_id).collect();
        let document = self.document(entry.document());
        for hash in &missing {
            let is_it = |it: &&RejectedEntry| it.change == *hash && is_ours.contains(&it.device_id);
            let rejected = document.rejected.iter().find(is_it).cloned();
            if let Some(it) = rejected {
                let reason = it.reason.clone();
                document.rejected.add(RejectedEntry { change: pending.change, device_id: device, ..it });
                return Verdict::Rejected { reason };
            }
            let is_held = |it: &HeldEntry| it.entry.change == *hash && is_ours.contains(&it.entry.envelope.device_id);
            if document.held.iter().any(is_held) {
                return self.hold(entry, Hold::new(HoldCode::FollowsHeld, "it builds on a change that is held"));
            }
        }
        let before =
            document.deferred.remove(|it| it.entry.change == pending.change && it.entry.envelope == pending.envelope);
        let deferred_at = before.first().map_or(now, |it| it.deferred_at);
        document.deferred.add(DeferredEntry { entry: pending.clone(), missing: missing.clone(), deferred_at });
        Verdict::Deferred { missing }
    }

    /// Checks that the grant allows writing these keys in this scope. Returns whether the grant had ended without the author's knowledge.
    fn permit(&self, kind: Kind, entry: &Entry, change: &Change) -> Result<bool, NotLogged> {
        let envelope = &entry.pending.envelope;
        // A grant whose role only a newer version knows is unknown too.
        let unknown = || NotLogged::Unreadable(Hold::not_allowed("the grant is not known"));
        let (grant, ended_at) = self.grants.get(&envelope.grant_id).ok_or_else(unknown)?;
        let source =
            self.sources.get(&envelope.device_id).ok_or_else(|| Hold::not_allowed("the device is not known"))?;
        check_grant(grant, source, kind, envelope, change)?;
        if source.is_lost {
            return Err(Hold::not_allowed("the device was marked as lost").into());
        }
        match ended_at {
            Some(ended_at) if entry.pending.device_cursor >= *ended_at => {
                Err(Hold::not_allowed("the grant had ended when it was made").into())
            }
            ended_at => Ok(ended_at.is_some()),
        }
    }

    /// Checks that the author's role allows changing this record, which depends on its creator and age.
    fn permit_target(&mut self, kind: Kind, envelope: &ChangeEnvelope, change: &Change) -> Result<(), NotLogged> {
        let Some(role) = self.grants.get(&envelope.grant_id).map(|(grant, _)| grant.role) else { return Ok(()) };
        let Some((_, _, saved)) = self.document(envelope.document_id).current().filter(|(_, known, _)| *known == kind)
        else {
            return Ok(());
        };
        let record = records::read(kind, envelope.document_id, saved).map_err(storage)?.record;
        // An unreadable value is found when it is merged.
        let stamps = kind.shape.stamps(change).unwrap_or_default();
        let newest = stamps.into_iter().max_by_key(|stamp| stamp.at);
        let Some(record) = record else { return Ok(()) };
        let (Some(created), Some(newest)) = (record.created(), newest) else { return Ok(()) };
        // The number on the record counts, so it does not matter which rule sets were published since.
        let windows = record.rule_set().and_then(|number| self.windows.get(&number)).copied().unwrap_or_default();
        for capability in kind.shape.capabilities(change) {
            let allowed = role.check_within(capability, created.target_of(&newest), windows);
            allowed.map_err(|denied| Hold::not_allowed(denied.to_string()))?;
        }
        Ok(())
    }

    /// Merges a change into its document and logs it in the document's scope. Returns its sequence number. Does not check the grant.
    pub(super) fn append(&mut self, entry: &Entry, kind: Kind, change: &Change) -> Result<u64, NotLogged> {
        let envelope = &entry.pending.envelope;
        let (id, scope) = (envelope.document_id, &envelope.scope);
        require_home(kind, scope)?;
        let current = self.document(id).current();
        if let Some((at, known, _)) = current {
            if known != kind {
                let reason = format!("the document is a {known:?}, not a {kind:?}");
                return Err(Hold::new(HoldCode::Shape, reason).into());
            }
            // The grant was checked for the entry's scope, so that must be the document's.
            if at != scope {
                let reason = format!("the document belongs to {at}, not to {scope}");
                return Err(Hold::new(HoldCode::OutOfScope, reason).into());
            }
        }
        let merged = merge(kind, id, current.map(|(_, _, saved)| saved), change).map_err(|error| match error {
            records::Error::Missing { hashes } => NotLogged::Defer(hashes),
            error @ records::Error::Shape { .. } => unreadable(HoldCode::Shape)(&error),
            error => unreadable(HoldCode::Malformed)(&error),
        })?;
        if let Some(own) = merged.record.as_ref().and_then(|record| record.own_scope())
            && own != *scope
        {
            return Err(Hold::new(HoldCode::OutOfScope, format!("the record says {own}, the entry {scope}")).into());
        }
        let source =
            self.sources.get(&envelope.device_id).ok_or_else(|| Hold::not_allowed("the device is not known"))?;
        require_stamps(source, kind, envelope, change)?;
        Ok(self.log(&entry.pending, kind, merged))
    }
}

/// Returns a function that converts an error about an entry's content.
fn unreadable(code: HoldCode) -> impl FnOnce(&records::Error) -> NotLogged {
    move |error| NotLogged::Unreadable(Hold::new(code, error.to_string()))
}

fn storage(error: records::Error) -> Error {
    Error::Storage(error.into())
}

fn check_grant(
    grant: &Grant,
    source: &Source,
    kind: Kind,
    envelope: &ChangeEnvelope,
    change: &Change,
) -> Result<(), NotLogged> {
    if grant.user_id != envelope.author_id || !source.is_or_was(grant.device_id) {
        return Err(Hold::not_allowed("the grant was given to somebody else").into());
    }
    for capability in kind.shape.capabilities(change) {
        if !grant.role.may(capability) {
            return Err(Hold::not_allowed(Denied::Role(grant.role).to_string()).into());
        }
    }
    require_home(kind, &envelope.scope)?;
    match envelope.scope.centre() {
        Some(centre) if grant.centres.contains(centre) => Ok(()),
        _ => Err(Hold::new(HoldCode::OutOfScope, format!("{} was not granted", envelope.scope)).into()),
    }
}

/// Requires a scope of the kind's form; no person can approve an entry in a scope of another form.
fn require_home(kind: Kind, scope: &Scope) -> Result<(), NotLogged> {
    if kind.home.is_of(scope) {
        return Ok(());
    }
    Err(NotLogged::Unreadable(Hold::new(HoldCode::OutOfScope, format!("a {kind:?} does not belong to {scope}"))))
}

/// Requires that all values name the author and device for which the bundle's signature vouches.
fn require_stamps(source: &Source, kind: Kind, envelope: &ChangeEnvelope, change: &Change) -> Result<(), NotLogged> {
    let stamps = kind.shape.stamps(change).map_err(|error| unreadable(HoldCode::Malformed)(&error))?;
    let is_own = |stamp: &Stamp| {
        stamp.user_id == envelope.author_id && source.lineage.iter().any(|device| device.code == stamp.device_code)
    };
    if stamps.iter().all(is_own) {
        Ok(())
    } else {
        Err(Hold::not_allowed("a value names another author or device than the entry").into())
    }
}
