//! Packs: what scopes are at one place of their logs, made once, kept as files, and handed out part by part.
//!
//! Owns the folder `packs`, which stands beside the data and in no backup: it can be lost, the next phone that begins has it made again.
//! Invariants: a pack is what the log says up to a place that two verified copies contain, and nothing more: a phone must be able to give
//! back, entry by entry, all that a server loses which is set back to one of them. Nothing of an erased person stays in a file. Documents
//! about persons are in parts of their own, so that only these are made again after an erasure.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use data_encoding::HEXLOWER;
use farmtally_core::codec::{decode, encode};
use farmtally_core::limits::{MAX_PARTS, MAX_WIRE_BYTES, PACK_ENTRIES, PART_BYTES};
use farmtally_core::protocol::log::Cursor;
use farmtally_core::protocol::message::WireError;
use farmtally_core::protocol::pack::{Pack, PackEntry, PackRequest, PackResponse, PartHash, pack_part};
use farmtally_core::records::{self, Kind};
use farmtally_core::scope::Scope;
use farmtally_core::units::{ChangeHash, DocumentId, OrganisationId};
use minicbor::{Decode, Encode};

use crate::backup::safe_copy;
use crate::storage::{Device, LogContent, Transaction};
use crate::{Error, Server};

/// Documents and decisions that are read at a time.
const BATCH: u32 = 500;
const INDEX: &str = "index";

/// The folder.
pub(crate) struct Packs {
    folder: PathBuf,
    /// Shorter logs are read entry by entry.
    pub(crate) from_entries: u64,
    /// Whoever makes or drops parts does so alone.
    making: Mutex<()>,
}

/// What there is of a scope.
#[derive(Encode, Decode)]
#[cbor(map)]
struct Index {
    /// The place of decisions and documents.
    #[n(0)]
    at: Cursor,
    #[n(1)]
    parts: Vec<PartHash>,
    /// Absent after an erasure, until somebody needs them.
    #[n(2)]
    persons: Option<Vec<PartHash>>,
    /// How many documents were erased when these were made.
    #[n(3)]
    erased: u64,
    /// Where the log ended then. What had left the scope by then is not in it, so it is wrong for a log that lost this.
    #[n(4)]
    end: Cursor,
}

impl Packs {
    /// Opens the folder, and makes it if there is none.
    pub(crate) fn open(folder: &Path) -> Result<Self, Error> {
        std::fs::create_dir_all(folder).map_err(unusable)?;
        Ok(Self { folder: folder.to_owned(), from_entries: PACK_ENTRIES, making: Mutex::default() })
    }

    fn of(&self, organisation: OrganisationId, scope: &Scope) -> PathBuf {
        self.folder.join(organisation.to_string()).join(scope.to_string().replace('/', "-"))
    }

    /// A part is not there: if it should be, the files are damaged, and are made again for whoever asks next.
    fn mend(&self, folder: &Path, part: PartHash) -> Result<(), Error> {
        let _alone = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        match read_index(folder)? {
            Some(index) if index.parts.iter().chain(index.persons.iter().flatten()).any(|it| *it == part) => {
                remove(folder)
            }
            _ => Ok(()),
        }
    }

    /// Drops what is about persons, in all scopes, for they may have moved; the next phone that begins has it made again.
    pub(crate) fn forget_persons(&self, organisation: OrganisationId) -> Result<(), Error> {
        self.forget_persons_unless(organisation, |_| false)
    }

    /// Drops what is about persons and was made before somebody was erased: the process that erased may have died before it could.
    pub(crate) fn forget_outdated_persons(&self, organisation: OrganisationId, erased: u64) -> Result<(), Error> {
        self.forget_persons_unless(organisation, |index| index.erased == erased)
    }

    fn forget_persons_unless(
        &self,
        organisation: OrganisationId,
        is_right: impl Fn(&Index) -> bool,
    ) -> Result<(), Error> {
        let _alone = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let scopes = match std::fs::read_dir(self.folder.join(organisation.to_string())) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            scopes => scopes.map_err(unusable)?,
        };
        for folder in scopes {
            let folder = folder.map_err(unusable)?.path();
            match read_index(&folder)? {
                Some(index) if is_right(&index) => continue,
                Some(index) => write_index(&folder, &Index { persons: None, ..index })?,
                None => {}
            }
            remove(&folder.join("persons"))?;
        }
        Ok(())
    }
}

impl Server {
    /// The pack with which a phone may begin a scope. Makes one if there is none, or the log has gone on for long since.
    pub(crate) fn pack(&self, organisation: OrganisationId, scope: &Scope) -> Result<Option<Pack>, Error> {
        let _alone = self.packs.making.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = self.packs.of(organisation, scope);
        loop {
            let made = self.read(organisation, |db| {
                let index = read_index(&folder)?;
                let Some(index) = current(db, scope, index, &folder, self.packs.from_entries)? else {
                    return Ok((None, 0));
                };
                let persons = index.persons.iter().flatten();
                let parts = index.parts.iter().chain(persons).copied().collect();
                Ok((Some(Pack { at: index.at, parts }), db.erased_count()?))
            });
            let (pack, erased) = match made {
                // A document that fits no part: its log can be read all the same.
                Err(Error::TooLarge { reason }) => {
                    tracing::warn!(%scope, reason, "no pack can be made");
                    return Ok(None);
                }
                made => made?,
            };
            // Another process may have erased somebody while this one read: what was made of that must not stay.
            if pack.is_none() || self.read(organisation, |db| db.erased_count())? == erased {
                return Ok(pack);
            }
            remove(&folder)?;
        }
    }

    /// Hands parts out, as many as fit.
    pub(crate) fn parts(
        &self,
        organisation: OrganisationId,
        device: &Device,
        asked: &PackRequest,
    ) -> Result<PackResponse, Error> {
        if asked.parts.len() > MAX_PARTS {
            return Err(Error::TooLarge { reason: format!("at most {MAX_PARTS} parts fit one request") });
        }
        let visible = self.read(organisation, |db| crate::access::visibility(db, device.device))?;
        let (folder, mut response) = (self.packs.of(organisation, &asked.scope), PackResponse { parts: Vec::new() });
        if !visible.can_read(&asked.scope) {
            return Ok(response);
        }
        let mut bytes = 0;
        for part in &asked.parts {
            let name = HEXLOWER.encode(&part.0);
            let found = ["parts", "persons"].iter().find_map(|kind| std::fs::read(folder.join(kind).join(&name)).ok());
            let Some(found) = found.filter(|found| PartHash::of(found) == *part) else {
                self.packs.mend(&folder, *part)?;
                break;
            };
            bytes += found.len() + 8;
            if bytes > MAX_WIRE_BYTES - 512 {
                break;
            }
            response.parts.push(found.into());
        }
        Ok(response)
    }
}

/// The place that a pack of a scope may stand for: what two verified copies contain, on the log as it is now.
pub(crate) fn packed_place(db: &mut dyn Transaction, scope: &Scope) -> Result<Option<Cursor>, Error> {
    let copied = safe_copy(db)?.map(|copied| copied.places).unwrap_or_default();
    let Some(place) = copied.into_iter().find(|place| place.scope == *scope && place.sequence > 0) else {
        return Ok(None);
    };
    let is_here = db.entry(scope, place.sequence)?.is_some_and(|entry| entry.cursor == place);
    Ok(is_here.then_some(place))
}

/// What there is of a scope; nothing for a short log.
fn current(
    db: &mut dyn Transaction,
    scope: &Scope,
    index: Option<Index>,
    folder: &Path,
    from_entries: u64,
) -> Result<Option<Index>, Error> {
    let Some(safe) = packed_place(db, scope)?.filter(|safe| safe.sequence >= from_entries) else { return Ok(None) };
    let (at, parts) = match index {
        Some(index)
            if is_recent(db, &index, &safe, from_entries)?
                && index.persons.is_some()
                && index.erased == db.erased_count()? =>
        {
            return Ok(Some(index));
        }
        Some(index) if is_recent(db, &index, &safe, from_entries)? => (index.at, index.parts),
        _ => {
            remove(folder)?;
            let mut parts = Parts::new(folder.join("parts"))?;
            let mut after = 0;
            loop {
                let mut decisions = db.decisions_after(scope, after, BATCH)?;
                decisions.retain(|(sequence, _)| *sequence <= safe.sequence);
                let Some((last, _)) = decisions.last() else { break };
                after = *last;
                for (sequence, decision) in decisions {
                    parts.add(PackEntry::Decision { sequence, decision })?;
                }
            }
            let since = Since::read(db, &safe)?;
            parts.add_documents(db, scope, &since, |kind| kind != Kind::Contact as u8)?;
            (safe, parts.close()?)
        }
    };
    let mut persons = Parts::new(folder.join("persons"))?;
    let since = Since::read(db, &at)?;
    persons.add_documents(db, scope, &since, |kind| kind == Kind::Contact as u8)?;
    let persons = persons.close()?;
    let end = db.head(scope)?.unwrap_or_else(|| at.clone());
    let index = Index { at, parts, persons: Some(persons), erased: db.erased_count()?, end };
    write_index(folder, &index)?;
    Ok(Some(index))
}

/// Whether the log that a pack stands for is this one, and it could not stand for much more of it.
fn is_recent(db: &mut dyn Transaction, index: &Index, safe: &Cursor, from_entries: u64) -> Result<bool, Error> {
    let (at, end) = (&index.at, &index.end);
    let Some(since) = safe.sequence.checked_sub(at.sequence) else { return Ok(false) };
    let mut stands = |place: &Cursor| -> Result<bool, Error> {
        Ok(db.entry(&place.scope, place.sequence)?.is_some_and(|entry| entry.cursor == *place))
    };
    let is_here = stands(at)? && stands(end)?;
    Ok(is_here && since < from_entries.max(at.sequence / 4))
}

/// What a log says after a place, which a pack of that place must not hold.
#[derive(Default)]
struct Since {
    changes: BTreeMap<DocumentId, Vec<ChangeHash>>,
    /// Documents that came from another scope, with all their changes.
    came: BTreeSet<DocumentId>,
}

impl Since {
    fn read(db: &mut dyn Transaction, place: &Cursor) -> Result<Self, Error> {
        let (mut since, mut after) = (Self::default(), place.sequence);
        loop {
            let entries = db.entries_after(&place.scope, after, BATCH)?;
            let Some(last) = entries.last() else { return Ok(since) };
            after = last.cursor.sequence;
            for entry in entries {
                match entry.content {
                    LogContent::Change { envelope, hash, .. } => {
                        since.changes.entry(envelope.document).or_default().push(hash);
                    }
                    LogContent::Decision(_) => {}
                }
            }
        }
    }

    /// A document as it was; `None` if it was not there.
    fn before(&self, document: DocumentId, kind: u8, saved: Vec<u8>) -> Result<Option<Vec<u8>>, Error> {
        if self.came.contains(&document) {
            return Ok(None);
        }
        let Some(changes) = self.changes.get(&document) else { return Ok(Some(saved)) };
        let Some(kind) = Kind::from_number(kind) else { return Ok(None) };
        let before = records::without(kind, document, &saved, changes).map_err(|error| Error::Storage(error.into()))?;
        Ok(before.map(|merged| merged.saved))
    }
}

/// Parts that are being made.
struct Parts {
    folder: PathBuf,
    hashes: Vec<PartHash>,
    entries: Vec<PackEntry>,
    bytes: usize,
}

impl Parts {
    fn new(folder: PathBuf) -> Result<Self, Error> {
        remove(&folder)?;
        std::fs::create_dir_all(&folder).map_err(unusable)?;
        Ok(Self { folder, hashes: Vec::new(), entries: Vec::new(), bytes: 0 })
    }

    fn add(&mut self, entry: PackEntry) -> Result<(), Error> {
        self.bytes += match &entry {
            PackEntry::Decision { decision, .. } => decision.len(),
            PackEntry::Document { saved, .. } => saved.len() + 20,
        };
        self.entries.push(entry);
        if self.bytes >= PART_BYTES { self.cut() } else { Ok(()) }
    }

    /// The newest first: they are what a phone shows.
    fn add_documents(
        &mut self,
        db: &mut dyn Transaction,
        scope: &Scope,
        since: &Since,
        is_wanted: impl Fn(u8) -> bool,
    ) -> Result<(), Error> {
        let mut before: Option<DocumentId> = None;
        loop {
            let documents = db.documents_before(scope, before, BATCH)?;
            let Some((last, ..)) = documents.last() else { return Ok(()) };
            before = Some(*last);
            for (document, kind, saved) in documents.into_iter().filter(|(_, kind, _)| is_wanted(*kind)) {
                if let Some(saved) = since.before(document, kind, saved)? {
                    self.add(PackEntry::Document { document, kind, saved })?;
                }
            }
        }
    }

    /// Halves what does not fit: documents that compress badly.
    fn cut(&mut self) -> Result<(), Error> {
        self.bytes = 0;
        let mut waiting = vec![std::mem::take(&mut self.entries)];
        while let Some(entries) = waiting.pop() {
            match pack_part(&entries) {
                Ok(part) => {
                    let hash = PartHash::of(&part);
                    std::fs::write(self.folder.join(HEXLOWER.encode(&hash.0)), part).map_err(unusable)?;
                    self.hashes.push(hash);
                }
                Err(WireError::TooLarge { .. }) if entries.len() > 1 => {
                    let mut first = entries;
                    let second = first.split_off(first.len() / 2);
                    waiting.extend([second, first]);
                }
                Err(error) => return Err(Error::TooLarge { reason: error.to_string() }),
            }
        }
        Ok(())
    }

    fn close(mut self) -> Result<Vec<PartHash>, Error> {
        if !self.entries.is_empty() {
            self.cut()?;
        }
        Ok(self.hashes)
    }
}

fn read_index(folder: &Path) -> Result<Option<Index>, Error> {
    match std::fs::read(folder.join(INDEX)) {
        // What a crash left of an index is none.
        Ok(bytes) => Ok(decode(&bytes).ok()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unusable(error)),
    }
}

fn write_index(folder: &Path, index: &Index) -> Result<(), Error> {
    let aside = folder.join("index.new");
    std::fs::write(&aside, encode(index)).and_then(|()| std::fs::rename(&aside, folder.join(INDEX))).map_err(unusable)
}

fn remove(folder: &Path) -> Result<(), Error> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(unusable(error)),
        _ => Ok(()),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn unusable(error: std::io::Error) -> Error {
    Error::Setup { reason: format!("the folder of packs cannot be used: {error}") }
}
