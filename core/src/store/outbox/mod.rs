//! Own changes until the server has acknowledged each of them by name.
//!
//! Owns the tables `outbox`, `bundles` and `rejected`. Invariants: a change leaves the outbox only by a final verdict or by the log; only
//! erasure changes a sealed bundle; a held change is taken out of its document with all that builds on it, so that later edits start from
//! the rest. Read next: `verdicts.rs`.

mod bundles;
mod verdicts;

use rusqlite::{Connection, named_params};

use super::Error;
use crate::protocol::bundle::{BundleAction, BundleEntry};
use crate::protocol::{HoldCode, RefusalCode};
use crate::records::Kind;
use crate::records::draft::Draft;
use crate::scope::Scope;
use crate::units::{DeliveryId, DocumentId, GrantId, Timestamp, UserId};

use bundles::parse;
pub(crate) use bundles::{
    find, head, known_up_to, mark_sent, prune, requeue_earlier_bundles, requeue_lost_bundles, save_sealed, trim,
    unanswered_bundles,
};
use verdicts::update_is_answered;
pub(crate) use verdicts::{
    OwnChange, acknowledge_changes, acknowledge_entry, apply_rejection, apply_verdicts, dismiss, held, undismissed,
};

/// A change, stripped, to be added to the outbox; `device_cursor` is how far this phone had read the log of its own scope.
pub(crate) struct Outgoing<'a> {
    pub(crate) action: u64,
    pub(crate) author_id: UserId,
    pub(crate) grant_id: GrantId,
    pub(crate) device_cursor: u64,
    pub(crate) document_id: DocumentId,
    pub(crate) kind: Kind,
    pub(crate) scope: &'a Scope,
    pub(crate) change: &'a [u8],
    pub(crate) created_at: Timestamp,
}

pub(crate) fn add(db: &Connection, outgoing: &Outgoing<'_>) -> Result<(), Error> {
    let mut statement = db.prepare_cached(
        "INSERT INTO outbox (action, author_id, grant_id, device_cursor, document_id, kind, scope, change, created_at_ms)
         VALUES (:action, :author, :grant, :device_cursor, :document, :kind, :scope, :change, :created_at)",
    )?;
    statement.execute(named_params! {
        ":action": outgoing.action,
        ":author": outgoing.author_id,
        ":grant": outgoing.grant_id,
        ":device_cursor": outgoing.device_cursor,
        ":document": outgoing.document_id,
        ":kind": outgoing.kind.number,
        ":scope": outgoing.scope,
        ":change": outgoing.change,
        ":created_at": outgoing.created_at.0,
    })?;
    Ok(())
}

/// Returns the oldest unsealed changes: outbox numbers, and the actions with them in the same order, up to `limit` bytes or one action.
pub(crate) fn unsealed(db: &Connection, limit: usize) -> Result<(Vec<i64>, Vec<BundleAction>), Error> {
    let mut statement = db.prepare_cached(
        "SELECT outbox, action, author_id, grant_id, device_cursor, document_id, kind, scope, change FROM outbox
         WHERE bundle_seq IS NULL AND outbox > coalesce(
             (SELECT outbox FROM outbox WHERE bundle_seq IS NOT NULL ORDER BY bundle_seq DESC, entry DESC LIMIT 1), 0)
         ORDER BY outbox",
    )?;
    let mut rows = statement.query([])?;
    let (mut numbers, mut transactions, mut bytes, mut newest) = (Vec::new(), Vec::<BundleAction>::new(), 0, None);
    while let Some(row) = rows.next()? {
        let action: i64 = row.get(1)?;
        let change: Vec<u8> = row.get(8)?;
        let is_next = newest != Some(action);
        if is_next && bytes > 0 && bytes + change.len() > limit {
            break;
        }
        bytes += change.len();
        numbers.push(row.get(0)?);
        let entry =
            BundleEntry { document_id: row.get(5)?, kind: row.get(6)?, scope: row.get(7)?, change, erased: None };
        match transactions.last_mut() {
            Some(transaction) if !is_next => transaction.entries.push(entry),
            _ => transactions.push(BundleAction {
                author_id: row.get(2)?,
                grant_id: row.get(3)?,
                device_cursor: row.get(4)?,
                entries: vec![entry],
            }),
        }
        newest = Some(action);
    }
    Ok((numbers, transactions))
}

pub(crate) fn has_unsealed(db: &Connection) -> Result<bool, Error> {
    Ok(!unsealed(db, 0)?.0.is_empty())
}

/// Returns the number of changes in the outbox that are not held (deferred ones count), and not in a bundle with number `after` or below.
pub(crate) fn unheld_count(db: &Connection, after: u64) -> Result<u64, Error> {
    let mut statement = db.prepare_cached(
        "SELECT count(*) FROM outbox WHERE held_code IS NULL AND (bundle_seq IS NULL OR bundle_seq > ?1)",
    )?;
    Ok(statement.query_row([after], |row| row.get(0))?)
}

pub(crate) fn has_sealed(db: &Connection) -> Result<bool, Error> {
    Ok(db.prepare_cached("SELECT 1 FROM outbox WHERE bundle_seq IS NOT NULL LIMIT 1")?.exists([])?)
}

/// Returns whether any change of a document is held. If so, an edit needs another actor, because the held changes may come back.
pub(crate) fn has_held(db: &Connection, document: DocumentId) -> Result<bool, Error> {
    let query = "SELECT 1 FROM outbox WHERE document_id = ?1 AND held_code IS NOT NULL";
    Ok(db.prepare_cached(query)?.exists([document])?)
}

/// Adds a copy of a draft of a phone that is to be wiped to the outbox, as an entry of kind 0. The server holds it for a person.
pub(crate) fn add_draft(
    db: &Connection,
    author: UserId,
    grant: Option<GrantId>,
    id: DeliveryId,
    draft: &Draft,
    now: Timestamp,
) -> Result<(), Error> {
    let scope = Scope::Season(draft.centre.clone(), draft.season.clone());
    db.prepare_cached(
        "INSERT INTO outbox (action, author_id, grant_id, device_cursor, document_id, kind, scope, change, created_at_ms)
         VALUES ((SELECT coalesce(max(action), 0) + 1 FROM outbox), ?1, ?2, 0, ?3, 0, ?4, ?5, ?6)",
    )?
    .execute((author, grant.unwrap_or(GrantId::from([0; 16])), id, scope, crate::codec::encode(draft), now.0))?;
    Ok(())
}

/// Returns whether all changes in the outbox are held, and no carried parcel is left without an answer. Does not look at drafts.
pub(crate) fn is_drained(db: &Connection) -> Result<bool, Error> {
    let waits = "SELECT 1 FROM outbox WHERE held_code IS NULL UNION ALL SELECT 1 FROM carried WHERE bytes IS NOT NULL";
    Ok(!db.prepare_cached(waits)?.exists([])?)
}

/// Unseals all changes that are not held, for another key to seal them in the same order, and marks all bundles as answered, so that none
/// is sent again. The numbers of these changes rise above those still sealed.
pub(crate) fn unseal(db: &Connection) -> Result<(), Error> {
    db.execute_batch(
        "UPDATE outbox SET outbox = newest + place, bundle_seq = NULL, entry = NULL, missing = NULL
         FROM (SELECT outbox AS old, (SELECT max(outbox) FROM outbox) AS newest,
                   row_number() OVER (ORDER BY bundle_seq IS NULL, bundle_seq, entry, outbox) AS place
               FROM outbox WHERE held_code IS NULL)
         WHERE outbox = old;
         UPDATE bundles SET is_answered = 1, refused = NULL WHERE is_answered = 0;",
    )?;
    Ok(())
}

/// Deletes a document's changes in the outbox and rejected ones, and their bytes in bundles.
pub(crate) fn erase(db: &Connection, document: DocumentId) -> Result<(), Error> {
    db.execute("DELETE FROM outbox WHERE document_id = ?1", [document])?;
    db.execute("DELETE FROM rejected WHERE document_id = ?1", [document])?;
    let mut statement = db.prepare("SELECT bundle_seq, bytes FROM bundles")?;
    let mut rows = statement.query([])?;
    let mut erased = Vec::new();
    while let Some(row) = rows.next()? {
        let mut bundle = parse(&row.get::<_, Vec<u8>>(1)?)?;
        if bundle.erase(document) {
            erased.push((row.get::<_, u64>(0)?, bundle.to_bytes()));
        }
    }
    for (sequence, bytes) in erased {
        db.execute("UPDATE bundles SET bytes = ?2 WHERE bundle_seq = ?1", (sequence, bytes))?;
        update_is_answered(db, sequence)?;
    }
    Ok(())
}

/// Sync state of a record, from least to most in need of attention.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum SyncState {
    /// The server's log has all of its changes.
    #[default]
    Logged,
    /// It was sent; the server has not answered yet, or deferred it.
    Sent,
    /// It was not sent yet; an exported parcel may contain it.
    Unsent,
    /// The server keeps it until a person approves or rejects it.
    Held {
        /// The reason for holding it.
        code: HoldCode,
    },
}

impl SyncState {
    /// Returns the state's name, without the code of a held record.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Logged => "logged",
            Self::Sent => "sent",
            Self::Unsent => "unsent",
            Self::Held { .. } => "held",
        }
    }
}

/// Returns the state of a document; [`SyncState::Logged`] also if it is not stored.
pub(crate) fn state(db: &Connection, document: DocumentId) -> Result<SyncState, Error> {
    let mut statement = db.prepare_cached(
        "SELECT held_code, coalesce(was_sent, 0) FROM outbox LEFT JOIN bundles USING (bundle_seq) WHERE document_id = ?1",
    )?;
    let mut worst = SyncState::Logged;
    let mut rows = statement.query([document])?;
    while let Some(row) = rows.next()? {
        let held: Option<HoldCode> = row.get(0)?;
        worst = worst.max(match held {
            Some(code) => SyncState::Held { code },
            None if row.get(1)? => SyncState::Sent,
            None => SyncState::Unsent,
        });
    }
    Ok(worst)
}

/// A document with changes that the server's log does not have yet.
pub(crate) struct UnsentDocument {
    pub(crate) document_id: DocumentId,
    pub(crate) kind: Kind,
    /// Author of the oldest of these changes.
    pub(crate) author_id: UserId,
    pub(crate) changes: u64,
    /// When the oldest of these changes was made.
    pub(crate) oldest_at: Timestamp,
}

/// Returns the documents in the outbox, in the order of their oldest changes.
pub(crate) fn by_document(db: &Connection) -> Result<Vec<UnsentDocument>, Error> {
    // SQLite takes the other columns from the row with the minimum.
    let statement = "SELECT document_id, kind, author_id, created_at_ms, count(*), min(outbox)
         FROM outbox GROUP BY document_id ORDER BY min(outbox)";
    let mut statement = db.prepare_cached(statement)?;
    let mut rows = statement.query([])?;
    let mut documents = Vec::new();
    while let Some(row) = rows.next()? {
        // The outbox has only kinds of this version.
        if let Some(kind) = Kind::from_number(row.get(1)?) {
            documents.push(UnsentDocument {
                document_id: row.get(0)?,
                kind,
                author_id: row.get(2)?,
                oldest_at: Timestamp(row.get(3)?),
                changes: row.get(4)?,
            });
        }
    }
    Ok(documents)
}

/// Counts of changes that the server's log does not have yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Changes that were not sent yet; an exported parcel may contain them.
    pub unsent: u64,
    /// Changes that were sent and have no verdict yet, such as those of a refused bundle.
    pub sent: u64,
    /// Changes that the server received but cannot judge yet, because it waits for other changes or for an upgrade.
    pub deferred: u64,
    /// Changes that the server waits for, counted for each deferred change.
    pub missing: u64,
    /// Changes that the server keeps until a person approves or rejects them.
    pub held: u64,
    /// When the oldest change that is not held was made, by this phone's clock.
    pub oldest_at: Option<Timestamp>,
    /// Why the server refused a bundle as a whole, if any; of several codes, the last one by name.
    pub refused: Option<RefusalCode>,
}

pub(crate) fn backlog(db: &Connection) -> Result<Backlog, Error> {
    let mut statement = db.prepare_cached(
        "SELECT count(*) FILTER (WHERE held_code IS NULL AND NOT coalesce(was_sent, 0) AND missing IS NULL),
                count(*) FILTER (WHERE held_code IS NULL AND was_sent AND missing IS NULL),
                count(*) FILTER (WHERE held_code IS NULL AND missing IS NOT NULL),
                coalesce(sum(missing) FILTER (WHERE held_code IS NULL), 0),
                count(*) FILTER (WHERE held_code IS NOT NULL),
                min(created_at_ms) FILTER (WHERE held_code IS NULL),
                max(refused)
         FROM outbox LEFT JOIN bundles USING (bundle_seq)",
    )?;
    Ok(statement.query_row([], |row| {
        Ok(Backlog {
            unsent: row.get(0)?,
            sent: row.get(1)?,
            deferred: row.get(2)?,
            missing: row.get(3)?,
            held: row.get(4)?,
            oldest_at: row.get::<_, Option<i64>>(5)?.map(Timestamp),
            refused: row.get(6)?,
        })
    })?)
}
