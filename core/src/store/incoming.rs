//! Entries received from the server: cursors, decisions, and entries that could not be applied.
//!
//! Owns the tables `log_cursors`, `decisions` and `set_aside`, and carries out the effects of decisions on a phone ([`Effect`]).
//! Invariants: a frame is applied with its cursor in one transaction; an entry that fails is set aside unchanged and never blocks others.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension};

use super::{Error, decisions, drafts, outbox, records, seam, tail};
use crate::codec::{decode, encode};
use crate::decisions::{AppliedAt, Decision, Effect};
use crate::protocol::bundle::ChangeEnvelope;
use crate::protocol::log::Cursor;
use crate::protocol::message::{FrameEntry, LogFrame};
use crate::records::{Change, Kind};
use crate::scope::Scope;
use crate::units::{ChainHash, DocumentId, EntryHash, HybridTime, OrganisationId};

/// Returns the cursors of all scopes of which an entry was read, ordered by scope; those set back to their start are left out.
pub(crate) fn cursors(db: &Connection) -> Result<Vec<Cursor>, Error> {
    let mut statement = db.prepare_cached("SELECT scope, seq, chain FROM log_cursors WHERE seq > 0 ORDER BY scope")?;
    let cursor = |row: &rusqlite::Row<'_>| {
        Ok(Cursor { scope: row.get(0)?, sequence: row.get(1)?, chain: ChainHash(row.get(2)?) })
    };
    Ok(statement.query_map([], cursor)?.collect::<Result<_, _>>()?)
}

/// Returns the cursor of a scope; its start if nothing was read.
pub(crate) fn cursor(db: &Connection, organisation: OrganisationId, scope: &Scope) -> Result<Cursor, Error> {
    let mut statement = db.prepare_cached("SELECT seq, chain FROM log_cursors WHERE scope = ?1")?;
    let row = statement.query_row([scope], |row| Ok((row.get(0)?, ChainHash(row.get(1)?)))).optional()?;
    Ok(match row {
        Some((sequence, chain)) => Cursor { scope: scope.clone(), sequence, chain },
        None => Cursor::start(organisation, scope.clone()),
    })
}

/// Returns whether the phone's own entries of a scope must come with their bytes, because the scope was purged.
fn wants_own(db: &Connection, scope: &Scope) -> Result<bool, Error> {
    Ok(db.prepare_cached("SELECT 1 FROM log_cursors WHERE scope = ?1 AND wants_own")?.exists([scope])?)
}

/// Resets [`wants_own`] of all scopes but those not read since their purge. Call it only when all scopes were read to their ends.
pub(crate) fn clear_wants_own(db: &Connection) -> Result<(), Error> {
    db.execute("UPDATE log_cursors SET wants_own = 0 WHERE wants_own AND seq > 0", [])?;
    Ok(())
}

/// Purges the scopes that `may_read` denies and of which the outbox has no change: own documents too, but no bundles. Returns their number.
/// Held changes count, because without the scope's log the phone could not restore them if a server logged and lost them.
pub(crate) fn purge(
    db: &Connection,
    organisation: OrganisationId,
    may_read: impl Fn(&Scope) -> bool,
) -> Result<usize, Error> {
    let mut statement = db.prepare(
        "SELECT scope FROM log_cursors WHERE seq > 0 UNION SELECT DISTINCT scope FROM documents UNION SELECT DISTINCT scope FROM decisions
         EXCEPT SELECT scope FROM outbox",
    )?;
    let scopes = statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<Scope>, _>>()?;
    let lost: Vec<_> = scopes.into_iter().filter(|scope| !may_read(scope)).collect();
    for scope in &lost {
        let mut statement =
            db.prepare("SELECT document_id FROM documents WHERE scope = ?1 EXCEPT SELECT document_id FROM outbox")?;
        let documents = statement.query_map([scope], |row| row.get(0))?.collect::<Result<Vec<DocumentId>, _>>()?;
        for document in documents {
            records::remove(&mut seam(db), document)?;
        }
        for delete in ["DELETE FROM decisions WHERE scope = ?1", "DELETE FROM set_aside WHERE scope = ?1"] {
            db.execute(delete, [scope])?;
        }
        decisions::delete_scope(&mut seam(db), scope)?;
        tail::delete_scope(db, scope)?;
        let start = Cursor::start(organisation, scope.clone());
        let mut statement = db.prepare(
            "INSERT INTO log_cursors (scope, seq, chain, wants_own) VALUES (?1, 0, ?2, 1)
             ON CONFLICT (scope) DO UPDATE SET seq = 0, chain = excluded.chain, wants_own = 1",
        )?;
        statement.execute((scope, start.chain.0))?;
    }
    Ok(lost.len())
}

/// An error of applying a frame; the caller must roll back the transaction.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    /// The frame does not begin at the phone's cursor, because a response came late or overtook another. Ask again.
    #[error("the frame does not begin at this phone's cursor")]
    NotContiguous,
    /// The frame names own entries without bytes, but this phone deleted their bundle or purged their documents. Ask for the bytes.
    #[error("a bundle of this phone was deleted here, so its bytes are needed")]
    OwnBytesNeeded,
    /// The entries do not lead to the chain hash that the server stated.
    #[error("the log of {scope} does not follow from what was read before")]
    Diverged {
        /// The scope of the log.
        scope: Scope,
    },
    /// An error of the store.
    #[error(transparent)]
    Store(#[from] Error),
}

/// Result of applying a frame or an entry.
#[derive(Debug, Default)]
pub(crate) struct Received {
    /// Entries of others: changes, erased changes and decisions, also those known before or set aside.
    pub(crate) entries: u64,
    /// Hybrid times in the changed records.
    pub(crate) times: Vec<HybridTime>,
    /// Whether bytes were erased, so that the store must be scrubbed.
    pub(crate) has_erased: bool,
}

impl Received {
    fn add(&mut self, applied: Self) {
        self.entries += applied.entries;
        self.times.extend(applied.times);
        self.has_erased |= applied.has_erased;
    }
}

/// Applies a frame and its cursor, inside a transaction that the caller must roll back on an error.
pub(crate) fn apply(db: &Connection, organisation: OrganisationId, frame: &LogFrame) -> Result<Received, FrameError> {
    let mut cursor = cursor(db, organisation, &frame.scope)?;
    if cursor.sequence != frame.after {
        return Err(FrameError::NotContiguous);
    }
    let wants_own = wants_own(db, &frame.scope)?;
    let mut received = Received::default();
    let is_change = |entry: &FrameEntry| matches!(entry, FrameEntry::Change { .. });
    for run in frame.entries.chunk_by(|a, b| is_change(a) && is_change(b)) {
        let Some(entry) = run.first() else { continue };
        match entry {
            FrameEntry::Own { .. } if wants_own => return Err(FrameError::OwnBytesNeeded),
            FrameEntry::Own { bundle, first, count } => {
                let own = outbox::find(db, *bundle)?.ok_or(FrameError::OwnBytesNeeded)?;
                let range = (0..).zip(own.entries()).skip(*first as usize).take(*count as usize);
                for (number, (transaction, entry)) in range {
                    cursor.advance(EntryHash::of_change(&own.envelope(transaction, entry), entry.change_hash()));
                    tail::save(db, &cursor, &FrameEntry::Own { bundle: *bundle, first: number, count: 1 })?;
                    outbox::acknowledge_entry(db, *bundle, number)?;
                }
            }
            FrameEntry::Change { .. } => apply_changes(db, &mut cursor, run, &mut received)?,
            FrameEntry::Erased { envelope, change } => {
                cursor.advance(EntryHash::of_change(envelope, *change));
                tail::save(db, &cursor, entry)?;
                received.entries += 1;
            }
            FrameEntry::Decision { decision } => {
                cursor.advance(EntryHash::of_decision(decision));
                tail::save(db, &cursor, entry)?;
                received.entries += 1;
                save_decision(db, &cursor.scope, cursor.sequence, decision)?;
                let applied = apply_entry(db, &cursor.scope, cursor.sequence, entry);
                received.add(or_set_aside(db, &cursor, entry, None, applied)?.unwrap_or_default());
            }
        }
    }
    if cursor.chain != frame.chain {
        return Err(FrameError::Diverged { scope: frame.scope.clone() });
    }
    save_cursor(db, &cursor)?;
    Ok(received)
}

fn save_cursor(db: &Connection, cursor: &Cursor) -> Result<(), Error> {
    let mut statement = db.prepare_cached(
        "INSERT INTO log_cursors (scope, seq, chain, wants_own) VALUES (?1, ?2, ?3, 0)
         ON CONFLICT (scope) DO UPDATE SET seq = excluded.seq, chain = excluded.chain",
    )?;
    statement.execute((&cursor.scope, cursor.sequence, cursor.chain.0))?;
    Ok(())
}

fn save_decision(db: &Connection, scope: &Scope, sequence: u64, decision: &[u8]) -> Result<(), Error> {
    db.prepare_cached("INSERT OR REPLACE INTO decisions (scope, seq, decision) VALUES (?1, ?2, ?3)")?
        .execute((scope, sequence, decision))?;
    Ok(())
}

/// Applies consecutive changes: merges all of them, then writes all of them.
fn apply_changes(
    db: &Connection,
    cursor: &mut Cursor,
    run: &[FrameEntry],
    received: &mut Received,
) -> Result<(), Error> {
    let mut changes = Changes::load(db)?;
    let mut set_aside = documents_set_aside(db)?;
    let mut logged = Vec::with_capacity(run.len());
    for entry in run {
        let FrameEntry::Change { envelope, change } = entry else { continue };
        let hash = Change::hash_of_stripped(change);
        cursor.advance(EntryHash::of_change(envelope, hash));
        tail::save(db, cursor, entry)?;
        received.entries += 1;
        let merged = changes.merge(&cursor.scope, envelope, change);
        match or_set_aside(db, cursor, entry, Some(envelope.document_id), merged)? {
            Some(merged) => received.add(merged),
            None => {
                set_aside.insert(envelope.document_id);
            }
        }
        if set_aside.contains(&envelope.document_id) {
            std::mem::take(&mut changes.merged).write(&mut seam(db))?;
            retry(db, "document_id = ?1", [envelope.document_id])?;
        }
        logged.push((envelope.document_id, hash));
    }
    changes.merged.write(&mut seam(db))?;
    if outbox::has_sealed(db)? {
        for (document, hash) in logged {
            outbox::acknowledge_changes(db, document, &[hash])?;
        }
    }
    Ok(())
}

fn documents_set_aside(db: &Connection) -> Result<BTreeSet<DocumentId>, Error> {
    let select = "SELECT DISTINCT document_id FROM set_aside WHERE document_id IS NOT NULL";
    let mut statement = db.prepare_cached(select)?;
    Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// Returns what an entry changed; sets the entry aside and returns `None` if this version cannot apply it.
fn or_set_aside(
    db: &Connection,
    at: &Cursor,
    entry: &FrameEntry,
    document: Option<DocumentId>,
    applied: Result<Received, Unapplied>,
) -> Result<Option<Received>, Error> {
    let reason = match applied {
        Ok(received) => return Ok(Some(received)),
        Err(Unapplied::Store(error)) => return Err(error),
        Err(reason) => reason,
    };
    let mut statement = db.prepare_cached(
        "INSERT OR REPLACE INTO set_aside (scope, seq, document_id, entry, reason) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    statement.execute((&at.scope, at.sequence, document, encode(entry), reason.to_string()))?;
    Ok(None)
}

/// Changes that are merged and not yet written.
struct Changes<'a> {
    db: &'a Connection,
    merged: records::Batch,
    has_drafts: bool,
    has_erased_documents: bool,
}

impl<'a> Changes<'a> {
    fn load(db: &'a Connection) -> Result<Self, Error> {
        let has_erased_documents = db.prepare_cached("SELECT 1 FROM erased LIMIT 1")?.exists([])?;
        let has_drafts = db.prepare_cached("SELECT 1 FROM drafts LIMIT 1")?.exists([])?;
        Ok(Self { db, merged: records::Batch::default(), has_drafts, has_erased_documents })
    }

    fn merge(&mut self, scope: &Scope, envelope: &ChangeEnvelope, change: &[u8]) -> Result<Received, Unapplied> {
        let document = envelope.document_id;
        if scope.is_unknown() {
            return Err(Unapplied::Scope(scope.clone()));
        }
        if self.has_erased_documents && records::is_erased(&mut seam(self.db), document)? {
            return Ok(Received::default());
        }
        let kind = Kind::from_number(envelope.kind).ok_or(Unapplied::Kind(envelope.kind))?;
        let change = Change::parse_stripped(change)?;
        if self.has_drafts {
            drafts::give_new_id(self.db, document)?;
        }
        let times = self.merged.merge(&mut seam(self.db), scope, kind, document, &change)?;
        Ok(Received { times, ..Received::default() })
    }
}

/// The reason why an entry was not applied. Except for [`Self::Store`], it is set aside for a version that can apply it.
#[derive(Debug, thiserror::Error)]
enum Unapplied {
    #[error("this version does not know the syntax of scope {0}")]
    Scope(Scope),
    #[error("record kind {0} is not known to this version")]
    Kind(u8),
    #[error(transparent)]
    Record(#[from] crate::records::Error),
    #[error(transparent)]
    Decision(#[from] crate::decisions::Error),
    #[error("the decision cannot be read: {0}")]
    Form(#[from] minicbor::decode::Error),
    #[error(transparent)]
    Store(Error),
}

/// A record error sets the entry aside; any other error of the store fails the call.
impl From<Error> for Unapplied {
    fn from(error: Error) -> Self {
        match error {
            Error::Record(error) => Self::Record(error),
            error => Self::Store(error),
        }
    }
}

fn apply_entry(db: &Connection, scope: &Scope, sequence: u64, entry: &FrameEntry) -> Result<Received, Unapplied> {
    match entry {
        FrameEntry::Change { envelope, change } => {
            let mut changes = Changes::load(db)?;
            let received = changes.merge(scope, envelope, change)?;
            changes.merged.write(&mut seam(db))?;
            Ok(received)
        }
        FrameEntry::Decision { .. } if scope.is_unknown() => Err(Unapplied::Scope(scope.clone())),
        FrameEntry::Decision { decision } => apply_decision(db, scope, sequence, &decode(decision)?),
        FrameEntry::Own { .. } | FrameEntry::Erased { .. } => Ok(Received::default()),
    }
}

/// Projects a decision and carries out its effect on this phone.
fn apply_decision(db: &Connection, scope: &Scope, sequence: u64, decision: &Decision) -> Result<Received, Unapplied> {
    let (envelope, content) = decision.read()?;
    let at = AppliedAt { scope, sequence, envelope: &envelope };
    decisions::project(&mut seam(db), &at, decision, &content)?;
    let mut applied = Received::default();
    match content.effect() {
        None => {}
        Some(Effect::EraseDocument(document)) => {
            applied.has_erased = true;
            erase(db, document)?;
        }
        Some(Effect::ApplyRuling(ruling)) if ruling.is_approved => {
            outbox::acknowledge_changes(db, ruling.document_id, &ruling.changes)?;
        }
        Some(Effect::ApplyRuling(ruling)) => {
            outbox::apply_rejection(db, ruling.document_id, &ruling.changes, &envelope.reason, envelope.decided_at)?;
        }
    }
    Ok(applied)
}

/// Deletes a document's bytes everywhere on this phone and keeps its id, so that they never come back. The caller scrubs after the commit.
pub(crate) fn erase(db: &Connection, document: DocumentId) -> Result<(), Error> {
    tail::erase(db, document)?;
    db.execute("DELETE FROM set_aside WHERE document_id = ?1", [document])?;
    outbox::erase(db, document)?;
    records::erase(&mut seam(db), document)
}

/// Applies the set-aside entries that `which`, an SQL condition, selects, and keeps those that fail; returns whether bytes were erased.
fn retry(db: &Connection, which: &str, parameters: impl rusqlite::Params) -> Result<bool, Error> {
    let mut statement =
        db.prepare_cached(&format!("SELECT scope, seq, entry FROM set_aside WHERE {which} ORDER BY scope, seq"))?;
    let set_aside = statement
        .query_map(parameters, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<Vec<(Scope, u64, Vec<u8>)>, _>>()?;
    let mut has_erased = false;
    for (scope, sequence, entry) in set_aside {
        let entry: FrameEntry = decode(&entry).map_err(|error| Error::Corrupt { source: error.into() })?;
        match apply_entry(db, &scope, sequence, &entry) {
            Ok(applied) => {
                has_erased |= applied.has_erased;
                db.execute("DELETE FROM set_aside WHERE scope = ?1 AND seq = ?2", (&scope, sequence))?;
            }
            Err(Unapplied::Store(error)) => return Err(error),
            Err(_still_unreadable) => {}
        }
    }
    Ok(has_erased)
}

/// Tries all set-aside entries again, because this version may know what an older one did not. Returns whether bytes were erased.
pub(crate) fn retry_all(db: &Connection) -> Result<bool, Error> {
    retry(db, "true", [])
}

pub(crate) fn set_aside_count(db: &Connection) -> Result<u64, Error> {
    Ok(db.query_row("SELECT count(*) FROM set_aside", [], |row| row.get(0))?)
}
