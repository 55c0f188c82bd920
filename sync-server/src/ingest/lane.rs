//! Rulings on held entries: the lane of a document is logged, or rejected.

use farmtally_core::decisions::{DecidedBy, Ruling};
use farmtally_core::records::Kind;
use farmtally_core::scope::Scope;
use farmtally_core::units::{ChangeHash, DeviceId, DocumentId};

use super::decide_all;
use super::judge::{Hold, NotLogged};
use super::state::{Entry, State};
use crate::Error;
use crate::storage::{Device, HeldEntry, RejectedEntry, WriteTransaction};

/// Logs held changes of a document unchanged, with all that builds on them. Without `named`, all held changes of the document.
pub(crate) fn approve(
    db: &mut WriteTransaction<'_>,
    document: DocumentId,
    named: Option<ChangeHash>,
    by: &DecidedBy,
) -> Result<Vec<HeldEntry>, Error> {
    let mut state = State::load(db, [], [document], by.decided_at)?;
    let approved = state.approve(document, named)?;
    log_ruling(db, state, &approved, |changes| Ruling { document, changes, is_approved: true }, by)?;
    Ok(approved)
}

/// Rejects held changes of a document, with all that builds on them. Without `named`, all held changes of the document.
pub(crate) fn reject(
    db: &mut WriteTransaction<'_>,
    document: DocumentId,
    named: Option<ChangeHash>,
    by: &DecidedBy,
) -> Result<Vec<HeldEntry>, Error> {
    let mut state = State::load(db, [], [document], by.decided_at)?;
    let rejected = state.reject(document, named, &by.reason)?;
    log_ruling(db, state, &rejected, |changes| Ruling { document, changes, is_approved: false }, by)?;
    Ok(rejected)
}

/// Saves the state, and logs the ruling for the devices that made these changes and those that they became.
fn log_ruling(
    db: &mut WriteTransaction<'_>,
    state: State,
    entries: &[HeldEntry],
    ruling: impl Fn(Vec<ChangeHash>) -> Ruling,
    by: &DecidedBy,
) -> Result<(), Error> {
    let commit_id = state.save(db)?;
    let devices = db.devices()?;
    for device in &devices {
        let lineage: Vec<DeviceId> = lineage(&devices, device.device).collect();
        let theirs = entries.iter().filter(|it| lineage.contains(&it.entry.envelope.device));
        let changes: Vec<ChangeHash> = theirs.map(|it| it.entry.change).collect();
        if !changes.is_empty() {
            decide_all(db, commit_id, &[(&Scope::Device(device.device), &ruling(changes))], by)?;
        }
    }
    Ok(())
}

/// Returns the id of a device, then those that it had before it took new keys.
pub(crate) fn lineage(devices: &[Device], device: DeviceId) -> impl Iterator<Item = DeviceId> {
    std::iter::successors(Some(device), |id| devices.iter().find(|it| it.device == *id).and_then(|it| it.ancestor))
}

impl State {
    fn approve(&mut self, document: DocumentId, named: Option<ChangeHash>) -> Result<Vec<HeldEntry>, Error> {
        let mut lane: Vec<HeldEntry> = self.document(document).held.iter().cloned().collect();
        let mut approved: Vec<HeldEntry> = Vec::new();
        loop {
            let before = approved.len();
            for held in std::mem::take(&mut lane) {
                let entry = Entry::from(held.entry.clone());
                let Ok(change) = &entry.change else {
                    require_other(named, &held, "its bytes are not a change: reject it instead")?;
                    continue;
                };
                if named.is_some_and(|named| named != held.entry.change) && !follows(&entry, &approved) {
                    lane.push(held);
                    continue;
                }
                if self.document(document).logged.contains_key(&held.entry.change) {
                    // Another device has handed over the same change.
                    approved.push(held);
                    continue;
                }
                let Some(kind) = Kind::from_number(entry.pending.envelope.kind) else {
                    require_other(named, &held, "it is not a record: reject it instead")?;
                    continue;
                };
                // Each may be in a frame of its own: a lane may be larger than a frame.
                self.allow_frame_break();
                match self.append(&entry, kind, change) {
                    Ok(_) => approved.push(held),
                    Err(NotLogged::Defer(_)) => lane.push(held),
                    Err(NotLogged::Error(error)) => return Err(error),
                    Err(NotLogged::Hold(Hold { reason, .. }) | NotLogged::Unreadable(Hold { reason, .. })) => {
                        require_other(named, &held, &reason)?;
                    }
                }
            }
            if approved.len() == before {
                break;
            }
        }
        if approved.is_empty() {
            let reason = "nothing of it can be approved: it is not held, or waits for something else";
            return Err(Error::Invalid { field: "document", reason: reason.into() });
        }
        for held in &approved {
            self.judge_waiting(document, held.entry.change)?;
        }
        Ok(approved)
    }

    fn reject(
        &mut self,
        document: DocumentId,
        named: Option<ChangeHash>,
        reason: &str,
    ) -> Result<Vec<HeldEntry>, Error> {
        let mut lane: Vec<HeldEntry> = self.document(document).held.iter().cloned().collect();
        let mut rejected: Vec<HeldEntry> = Vec::new();
        loop {
            let before = rejected.len();
            for held in std::mem::take(&mut lane) {
                let is_meant = named.is_none_or(|named| named == held.entry.change);
                if is_meant || follows(&Entry::from(held.entry.clone()), &rejected) {
                    self.reject_one(&held, reason);
                    rejected.push(held);
                } else {
                    lane.push(held);
                }
            }
            if rejected.len() == before {
                break;
            }
        }
        if rejected.is_empty() {
            return Err(Error::Invalid { field: "document", reason: "nothing of it is held".into() });
        }
        for held in &rejected {
            self.judge_waiting(document, held.entry.change)?;
        }
        Ok(rejected)
    }

    fn reject_one(&mut self, held: &HeldEntry, reason: &str) {
        let (change, device) = (held.entry.change, held.entry.envelope.device);
        let document = self.document(held.entry.document());
        document.held.remove(|it| it.entry.change == change && it.entry.envelope == held.entry.envelope);
        if !document.rejected.iter().any(|it| it.change == change && it.device == device) {
            let document_id = held.entry.document();
            let reason = reason.to_owned();
            document.rejected.add(RejectedEntry { document: document_id, change, device, reason });
        }
    }
}

fn follows(entry: &Entry, earlier: &[HeldEntry]) -> bool {
    let Ok(change) = &entry.change else { return false };
    change.dependencies().iter().any(|hash| earlier.iter().any(|it| it.entry.change == *hash))
}

/// Fails if this change was named; otherwise it is skipped, because it cannot be approved.
fn require_other(named: Option<ChangeHash>, held: &HeldEntry, reason: &str) -> Result<(), Error> {
    if named == Some(held.entry.change) {
        return Err(Error::Invalid { field: "change", reason: format!("it can't be approved: {reason}") });
    }
    Ok(())
}
