//! Own changes until the server has acknowledged each by name.
//!
//! Owns the tables `outbox` and `bundles`. Invariants: a change leaves the outbox only on a `logged` verdict that names it; a sealed
//! bundle never changes, and stays.

use rusqlite::{Connection, OptionalExtension, named_params};

use super::Error;
use crate::records::Kind;
use crate::scope::Scope;
use crate::sync::bundle::{Bundle, BundleHash, Entry, Refusal, Transaction};
use crate::sync::message::{BundleVerdict, Verdict};
use crate::units::{DocumentId, GrantId, Timestamp, UserId};

/// One change on its way.
pub(crate) struct Outgoing<'a> {
    pub(crate) action: u64,
    pub(crate) author: UserId,
    pub(crate) grant: GrantId,
    pub(crate) device_cursor: u64,
    pub(crate) document: DocumentId,
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
        ":author": outgoing.author,
        ":grant": outgoing.grant,
        ":device_cursor": outgoing.device_cursor,
        ":document": outgoing.document,
        ":kind": outgoing.kind as u8,
        ":scope": outgoing.scope,
        ":change": outgoing.change,
        ":created_at": outgoing.created_at.0,
    })?;
    Ok(())
}

/// The oldest unsealed changes, in transactions, up to `limit` bytes of changes; at least one transaction if there is any.
pub(crate) fn unsealed(db: &Connection, limit: usize) -> Result<(Vec<i64>, Vec<Transaction>), Error> {
    let mut statement = db.prepare_cached(
        "SELECT outbox, action, author_id, grant_id, device_cursor, document_id, kind, scope, change FROM outbox
         WHERE bundle_seq IS NULL AND outbox > coalesce(
             (SELECT outbox FROM outbox WHERE bundle_seq IS NOT NULL ORDER BY bundle_seq DESC, entry DESC LIMIT 1), 0)
         ORDER BY outbox",
    )?;
    let mut rows = statement.query([])?;
    let (mut numbers, mut transactions, mut bytes, mut newest) = (Vec::new(), Vec::<Transaction>::new(), 0, None);
    while let Some(row) = rows.next()? {
        let action: i64 = row.get(1)?;
        let change: Vec<u8> = row.get(8)?;
        let is_next = newest != Some(action);
        if is_next && bytes > 0 && bytes + change.len() > limit {
            break;
        }
        bytes += change.len();
        numbers.push(row.get(0)?);
        let entry = Entry { document: row.get(5)?, kind: row.get(6)?, scope: row.get(7)?, change };
        match transactions.last_mut() {
            Some(transaction) if !is_next => transaction.entries.push(entry),
            _ => transactions.push(Transaction {
                author: row.get(2)?,
                grant: row.get(3)?,
                device_cursor: row.get(4)?,
                entries: vec![entry],
            }),
        }
        newest = Some(action);
    }
    Ok((numbers, transactions))
}

/// Keeps a sealed bundle and notes for each change where in it it lies.
pub(crate) fn save_sealed(db: &Connection, bundle: &Bundle, numbers: &[i64]) -> Result<(), Error> {
    db.prepare_cached(
        "INSERT INTO bundles (bundle_seq, hash, bytes, is_answered, was_sent) VALUES (?1, ?2, ?3, 0, 0)",
    )?
    .execute((bundle.header.sequence, bundle.hash().0, bundle.to_bytes()))?;
    let mut statement = db.prepare_cached("UPDATE outbox SET bundle_seq = ?1, entry = ?2 WHERE outbox = ?3")?;
    for (entry, number) in numbers.iter().enumerate() {
        statement.execute((bundle.header.sequence, entry, number))?;
    }
    Ok(())
}

/// The newest bundle's number and hash.
pub(crate) fn head(db: &Connection) -> Result<Option<(u64, BundleHash)>, Error> {
    let mut statement = db.prepare_cached("SELECT bundle_seq, hash FROM bundles ORDER BY bundle_seq DESC LIMIT 1")?;
    Ok(statement.query_row([], |row| Ok((row.get(0)?, BundleHash(row.get(1)?)))).optional()?)
}

/// A bundle that the server has not answered in full.
pub(crate) struct Unanswered {
    pub(crate) sequence: u64,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) fn unanswered(db: &Connection, after: u64, limit: usize) -> Result<Vec<Unanswered>, Error> {
    let mut statement = db.prepare_cached(
        "SELECT bundle_seq, bytes FROM bundles WHERE is_answered = 0 AND bundle_seq > ?1 ORDER BY bundle_seq LIMIT ?2",
    )?;
    let rows =
        statement.query_map((after, limit), |row| Ok(Unanswered { sequence: row.get(0)?, bytes: row.get(1)? }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Notes that bundles are about to leave; from here on the server may have them.
pub(crate) fn mark_sent(db: &Connection, sequences: &[u64]) -> Result<(), Error> {
    let mut statement = db.prepare_cached("UPDATE bundles SET was_sent = 1 WHERE bundle_seq = ?1")?;
    for sequence in sequences {
        statement.execute([sequence])?;
    }
    Ok(())
}

/// One of the phone's own bundles by its hash.
pub(crate) fn find(db: &Connection, hash: BundleHash) -> Result<Option<Bundle>, Error> {
    let mut statement = db.prepare_cached("SELECT bytes FROM bundles WHERE hash = ?1")?;
    let bytes: Option<Vec<u8>> = statement.query_row([hash.0], |row| row.get(0)).optional()?;
    let corrupt = |refusal: Refusal| Error::Corrupt { reason: format!("an own bundle: {refusal}") };
    bytes.map(|bytes| Bundle::parse(&bytes).map_err(corrupt)).transpose()
}

/// How many entries got which fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    pub(crate) logged: u64,
    pub(crate) held: u64,
}

/// Takes the server's verdicts over: logged changes leave, held ones are marked, deferred ones wait.
pub(crate) fn settle(db: &Connection, sequence: u64, verdict: &BundleVerdict) -> Result<Settled, Error> {
    let mut settled = Settled::default();
    if let Some(code) = &verdict.refused {
        db.execute("UPDATE bundles SET refused = ?2 WHERE bundle_seq = ?1", (sequence, code))?;
        return Ok(settled);
    }
    let mut logged = db.prepare_cached("DELETE FROM outbox WHERE bundle_seq = ?1 AND entry = ?2")?;
    let mut held =
        db.prepare_cached("UPDATE outbox SET held_code = ?3, held_reason = ?4 WHERE bundle_seq = ?1 AND entry = ?2")?;
    let last: Option<u32> = db
        .prepare_cached("SELECT max(entry) FROM outbox WHERE bundle_seq = ?1")?
        .query_row([sequence], |row| row.get(0))?;
    let mut entry = 0_u32;
    for run in &verdict.runs {
        // The count is the server's word: never walk further than there are entries.
        for _ in 0..run.count.min(last.map_or(0, |last| (last + 1).saturating_sub(entry))) {
            let changed = match &run.verdict {
                Verdict::Logged { .. } => logged.execute((sequence, entry))?,
                Verdict::Held { code, reason } => held.execute((sequence, entry, code, reason))?,
                Verdict::Deferred { .. } => 0,
            };
            match run.verdict {
                Verdict::Logged { .. } => settled.logged += changed as u64,
                Verdict::Held { .. } => settled.held += changed as u64,
                Verdict::Deferred { .. } => {}
            }
            entry += 1;
        }
    }
    let mut statement = db.prepare_cached(
        "UPDATE bundles SET refused = NULL, is_answered =
             NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.bundle_seq = bundles.bundle_seq AND held_code IS NULL)
         WHERE bundle_seq = ?1",
    )?;
    statement.execute([sequence])?;
    Ok(settled)
}

/// How far a record is on its way to the server's log.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum SyncState {
    /// The server's log has all of it.
    #[default]
    Logged,
    /// It was handed to the network; nothing came back yet.
    Sent,
    /// It is only on this phone.
    Unsent,
    /// The server keeps it for a person to decide.
    Held {
        /// Why.
        code: String,
    },
}

impl SyncState {
    /// The state's stable name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Logged => "logged",
            Self::Sent => "sent",
            Self::Unsent => "unsent",
            Self::Held { .. } => "held",
        }
    }
}

/// How far a document is; the worst of its changes counts.
pub(crate) fn state(db: &Connection, document: DocumentId) -> Result<SyncState, Error> {
    let mut statement = db.prepare_cached(
        "SELECT held_code, coalesce(was_sent, 0) FROM outbox LEFT JOIN bundles USING (bundle_seq) WHERE document_id = ?1",
    )?;
    let mut worst = SyncState::Logged;
    let mut rows = statement.query([document])?;
    while let Some(row) = rows.next()? {
        let held: Option<String> = row.get(0)?;
        worst = worst.max(match held {
            Some(code) => SyncState::Held { code },
            None if row.get(1)? => SyncState::Sent,
            None => SyncState::Unsent,
        });
    }
    Ok(worst)
}

/// What the server does not have in its log yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Changes that are only on this phone.
    pub unsent: u64,
    /// Changes that were handed to the network without an answer yet.
    pub sent: u64,
    /// Changes that the server keeps for a person to decide.
    pub held: u64,
    /// When the oldest change that is neither logged nor held was made.
    pub oldest: Option<Timestamp>,
    /// Why the server refused a bundle as a whole, if it did.
    pub refused: Option<String>,
}

pub(crate) fn backlog(db: &Connection) -> Result<Backlog, Error> {
    let mut statement = db.prepare_cached(
        "SELECT count(*) FILTER (WHERE held_code IS NULL AND NOT coalesce(was_sent, 0)),
                count(*) FILTER (WHERE held_code IS NULL AND was_sent),
                count(*) FILTER (WHERE held_code IS NOT NULL),
                min(created_at_ms) FILTER (WHERE held_code IS NULL),
                max(refused)
         FROM outbox LEFT JOIN bundles USING (bundle_seq)",
    )?;
    Ok(statement.query_row([], |row| {
        Ok(Backlog {
            unsent: row.get(0)?,
            sent: row.get(1)?,
            held: row.get(2)?,
            oldest: row.get::<_, Option<i64>>(3)?.map(Timestamp),
            refused: row.get(4)?,
        })
    })?)
}

/// A change that the server keeps for a person to decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeldChange {
    /// The document.
    pub(crate) document: DocumentId,
    /// Why, as a stable code.
    pub(crate) code: String,
    /// Why, in words.
    pub(crate) reason: String,
}

pub(crate) fn held(db: &Connection) -> Result<Vec<HeldChange>, Error> {
    let mut statement = db.prepare_cached(
        "SELECT document_id, held_code, held_reason FROM outbox WHERE held_code IS NOT NULL ORDER BY outbox",
    )?;
    let rows = statement
        .query_map([], |row| Ok(HeldChange { document: row.get(0)?, code: row.get(1)?, reason: row.get(2)? }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
