//! Frames that a phone fetches, of the scopes that it may read.
//!
//! Owns where frames are cut: once they reach a size, and never within a commit id unless that exceeds the largest frame.

use farmtally_core::limits::{FRAME_BYTES, MAX_FRAME_BYTES};
use farmtally_core::protocol::log::{Cursor, CursorName};
use farmtally_core::protocol::message::{FrameEntry, LogFrame, SyncRequest};
use farmtally_core::scope::Scope;
use farmtally_core::units::DeviceId;

use crate::Error;
use crate::storage::{Access, LogContent, LogEntry, Transaction};

/// Log entries read at a time.
const BATCH: u32 = 500;

/// Frames for a device, the heads of the logs with entries that it lacks, and whether more frames remain.
#[derive(Debug, Default)]
pub(crate) struct Pulled {
    pub(crate) frames: Vec<LogFrame>,
    pub(crate) heads: Vec<Cursor>,
    pub(crate) more: bool,
}

/// Collects frames until they reach a budget of raw bytes, at least one if there is any: own scope, reference data, then the others. Cuts
/// frames at the budget too, because a phone on a poor network must be able to fetch some of a long commit.
pub(crate) fn pull<C: Access + ?Sized>(
    db: &mut Transaction<'_, C>,
    device: DeviceId,
    request: &SyncRequest,
    budget: usize,
) -> Result<Pulled, Error> {
    let visible = db.visibility(device)?;
    let mut heads = db.heads_within(&visible)?;
    heads.sort_by(|a, b| a.scope.cmp(&b.scope));

    let mut pulled = Pulled::default();
    let mut spent = 0;
    for head in heads {
        let scope = head.scope.clone();
        let named = request.cursors.iter().find(|cursor| cursor.scope == scope);
        if pulled.more {
            // Its frames come later; its head is sent now, so that the phone knows how much remains.
            if named.is_none_or(|named| named.sequence < head.sequence) {
                pulled.heads.push(head);
            }
            continue;
        }
        let Some(mut from) = resolve_cursor(db, named, &scope)? else { continue };
        if from.sequence == head.sequence {
            continue;
        }
        pulled.heads.push(head.clone());
        while from.sequence < head.sequence {
            if spent >= budget && !pulled.frames.is_empty() {
                pulled.more = true;
                break;
            }
            let (frame, bytes, end) = frame(db, device, &from, request.own_bytes, budget)?;
            pulled.frames.push(frame);
            spent += bytes;
            from = end;
        }
    }
    Ok(pulled)
}

/// Returns the cursor that a device names, or the start if it names none; `None` if the named one is not on this server's log.
pub(crate) fn resolve_cursor<C: Access + ?Sized>(
    db: &mut Transaction<'_, C>,
    named: Option<&CursorName>,
    scope: &Scope,
) -> Result<Option<Cursor>, Error> {
    let start = Cursor::start(db.organisation(), scope.clone());
    let Some(named) = named else { return Ok(Some(start)) };
    let known = match named.sequence {
        0 => Some(start),
        // Beyond the range of the database, so no log reaches it.
        beyond if i64::try_from(beyond).is_err() => None,
        sequence => db.entry(scope, sequence)?.map(|entry| entry.cursor),
    };
    Ok(known.filter(|cursor| cursor.chain.short() == named.chain))
}

/// Returns one frame after a cursor, its size in raw bytes, and the cursor at its end.
fn frame<C: Access + ?Sized>(
    db: &mut Transaction<'_, C>,
    device: DeviceId,
    from: &Cursor,
    own_bytes: bool,
    budget: usize,
) -> Result<(LogFrame, usize, Cursor), Error> {
    let (between_commits, within_commit) = (FRAME_BYTES.min(budget), MAX_FRAME_BYTES.min(budget));
    let mut entries: Vec<FrameEntry> = Vec::new();
    let (mut bytes, mut at, mut commit_id) = (0, from.clone(), None);
    'frame: loop {
        let batch = db.entries_after(&from.scope, at.sequence, BATCH)?;
        let is_last = batch.len() < BATCH as usize;
        for entry in batch {
            let is_full = bytes >= between_commits && commit_id != Some(entry.commit_id);
            if is_full || !entries.is_empty() && bytes + size(&entry.content) > within_commit {
                break 'frame;
            }
            commit_id = Some(entry.commit_id);
            at = entry.cursor.clone();
            bytes += push(&mut entries, entry, device, own_bytes);
        }
        if is_last {
            break;
        }
    }
    Ok((LogFrame { scope: from.scope.clone(), after: from.sequence, entries, chain: at.chain }, bytes, at))
}

/// Returns about how many bytes an entry takes in a frame, if its bytes are sent.
fn size(content: &LogContent) -> usize {
    match content {
        LogContent::Change { change, .. } => change.as_ref().map_or(32, Vec::len) + 100,
        LogContent::Decision(decision) => decision.len(),
    }
}

/// Adds an entry to a frame and returns the bytes that it adds. Unless `own_bytes`, the device's own changes become ranges of its bundles.
fn push(entries: &mut Vec<FrameEntry>, entry: LogEntry, device: DeviceId, own_bytes: bool) -> usize {
    let bytes = size(&entry.content);
    match entry.content {
        LogContent::Change { envelope, origin: (bundle, number), .. } if envelope.device_id == device && !own_bytes => {
            match entries.last_mut() {
                Some(FrameEntry::Own { bundle: last, first, count })
                    if *last == bundle && *first + *count == number =>
                {
                    *count += 1;
                    0
                }
                _ => {
                    entries.push(FrameEntry::Own { bundle, first: number, count: 1 });
                    40
                }
            }
        }
        LogContent::Change { envelope, change: Some(change), .. } => {
            entries.push(FrameEntry::Change { envelope, change });
            bytes
        }
        LogContent::Change { envelope, hash, change: None, .. } => {
            entries.push(FrameEntry::Erased { envelope, change: hash });
            bytes
        }
        LogContent::Decision(decision) => {
            entries.push(FrameEntry::Decision { decision });
            bytes
        }
    }
}
