//! Rulings on held entries: the lane of a document is logged, or rejected.

use farmtally_core::decisions::{DecidedBy, Ruling};
use farmtally_core::records::Kind;
use farmtally_core::scope::Scope;
use farmtally_core::units::{ChangeHash, DeviceId, DocumentId};

use super::decide_all;
use super::judge::{Hold, NotLogged};
use super::state::{Entry, State};
use crate::Error;
use crate::drafts::DRAFT;
use crate::storage::{Device, HeldEntry, PendingEntry, RejectedEntry, WriteTransaction};

/// Rules on a held change of a document and on all held ones that build on it: either logs them unchanged or rejects them. Without `named`,
/// rules on all held changes of the document. Of these and of those that build on a named one, skips what cannot be logged. Logs the ruling
/// for the devices that made the changes and for those that they became. Returns all that it ruled on; fails if that is none, or if the
/// named one cannot be logged.
pub(crate) fn rule(
    db: &mut WriteTransaction<'_>,
    document: DocumentId,
    named: Option<ChangeHash>,
    is_approved: bool,
    by: &DecidedBy,
) -> Result<Vec<HeldEntry>, Error> {
    let mut state = State::load(db, [], [document], by.decided_at)?;
    let (ruled, never) = state.rule(document, named, |state, entry| {
        if is_approved { state.approve(entry) } else { Ok(state.reject(entry, &by.reason)) }
    })?;
    if ruled.is_empty() {
        return Err(Error::invalid("document", never.as_deref().unwrap_or(nothing_ruled(is_approved))));
    }
    let commit_id = state.save(db)?;
    let devices = db.devices()?;
    for device in &devices {
        let lineage: Vec<DeviceId> = lineage(&devices, device.device_id).collect();
        let theirs = ruled.iter().filter(|it| lineage.contains(&it.entry.envelope.device_id));
        let changes: Vec<ChangeHash> = theirs.map(|it| it.entry.change).collect();
        if !changes.is_empty() {
            let ruling = Ruling { document_id: document, changes, is_approved };
            decide_all(db, commit_id, &[(&Scope::Device(device.device_id), &ruling)], by)?;
        }
    }
    Ok(ruled)
}

/// Says why no held change of a document was ruled on, although none of them is one that never can be.
fn nothing_ruled(is_approved: bool) -> &'static str {
    if is_approved {
        "nothing of it can be approved: it is not held, or waits for something else"
    } else {
        "nothing of it is held"
    }
}

/// Returns the id of a device, then those that it had before it took new keys.
pub(crate) fn lineage(devices: &[Device], device: DeviceId) -> impl Iterator<Item = DeviceId> {
    std::iter::successors(Some(device), |id| {
        devices.iter().find(|it| it.device_id == *id).and_then(|it| it.ancestor_id)
    })
}

/// Outcome for a held entry of one pass over its lane.
enum Ruled {
    Done,
    /// A later pass may rule on it.
    Later,
    /// It cannot be approved, for this reason.
    Never(String),
}

impl State {
    /// Rules by `one` on the named held entry, or all, and those that build on it, in passes, because others may build on each ruled one.
    /// Returns those that it ruled on, and why the first of those cannot be approved that never can.
    fn rule(
        &mut self,
        document: DocumentId,
        named: Option<ChangeHash>,
        one: impl Fn(&mut Self, &Entry) -> Result<Ruled, Error>,
    ) -> Result<(Vec<HeldEntry>, Option<String>), Error> {
        let mut never = None;
        let mut lane: Vec<HeldEntry> = self.document(document).held.iter().cloned().collect();
        let mut ruled: Vec<HeldEntry> = Vec::new();
        loop {
            let before = ruled.len();
            for held in std::mem::take(&mut lane) {
                let entry = Entry::from(held.entry.clone());
                let is_meant = named.is_none_or(|named| named == held.entry.change) || follows(&entry, &ruled);
                let outcome = if is_meant { one(self, &entry)? } else { Ruled::Later };
                match outcome {
                    Ruled::Done => ruled.push(held),
                    Ruled::Later => lane.push(held),
                    Ruled::Never(reason) => never = never.or(Some(reason)),
                }
            }
            if ruled.len() == before {
                break;
            }
        }
        for held in &ruled {
            self.judge_waiting(document, held.entry.change)?;
        }
        Ok((ruled, never))
    }

    fn approve(&mut self, entry: &Entry) -> Result<Ruled, Error> {
        if entry.pending.envelope.kind == DRAFT {
            let reason = "it is a draft, which only a phone can record: print it (`held export`), record it on a phone, then reject it";
            return Err(Error::invalid("document", reason));
        }
        let Ok(change) = &entry.change else {
            return Ok(cannot_be_approved("its bytes are not a change"));
        };
        if self.document(entry.document()).logged.contains_key(&entry.pending.change) {
            // Another device has handed over the same change.
            return Ok(Ruled::Done);
        }
        let Some(kind) = Kind::from_number(entry.pending.envelope.kind) else {
            return Ok(cannot_be_approved("it is not a record"));
        };
        // Each may be in a frame of its own: a lane may be larger than a frame.
        self.allow_frame_break();
        match self.append(entry, kind, change) {
            Ok(_) => Ok(Ruled::Done),
            Err(NotLogged::Defer(_)) => Ok(Ruled::Later),
            Err(NotLogged::Error(error)) => Err(error),
            Err(NotLogged::Hold(Hold { reason, .. }) | NotLogged::Unreadable(Hold { reason, .. })) => {
                Ok(cannot_be_approved(&reason))
            }
        }
    }

    fn reject(&mut self, entry: &Entry, reason: &str) -> Ruled {
        let PendingEntry { change, envelope, .. } = &entry.pending;
        let (document_id, device_id) = (envelope.document_id, envelope.device_id);
        let document = self.document(document_id);
        document.held.remove(|it| it.entry.change == *change && it.entry.envelope == *envelope);
        if !document.rejected.iter().any(|it| it.change == *change && it.device_id == device_id) {
            let reason = reason.to_owned();
            document.rejected.add(RejectedEntry { document_id, change: *change, device_id, reason });
        }
        Ruled::Done
    }
}

fn follows(entry: &Entry, earlier: &[HeldEntry]) -> bool {
    let Ok(change) = &entry.change else { return false };
    change.dependencies().iter().any(|hash| earlier.iter().any(|it| it.entry.change == *hash))
}

/// Returns the outcome for a change that cannot be logged, with what a person can do.
fn cannot_be_approved(why: &str) -> Ruled {
    Ruled::Never(format!(
        "it cannot be approved: {why}. Reject it (`held reject`), which returns it to its author; until then it stays held"
    ))
}
