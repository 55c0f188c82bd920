//! How anything is written: one action of a person, one transaction.

use std::fmt;
use std::str::FromStr;

use super::{Author, FieldClient};
use crate::Error;
use crate::records::{self, Change, ChangeHash, Kind, Merged, Put, Stamp};
use crate::scope::Scope;
use crate::store::installation::Counters;
use crate::store::outbox::{self, Outgoing};
use crate::store::{inbox, records as stored};
use crate::units::{DocumentId, HybridClock, UnitError};

/// What a person saw when they decided: the record and its version. The first argument of every change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Basis {
    /// The record.
    pub document: DocumentId,
    /// Its version.
    pub version: [u8; 8],
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.document, data_encoding::HEXLOWER.encode(&self.version))
    }
}

impl FromStr for Basis {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError { reason: "not a basis: pass on the one of the view".into() };
        let (document, version) = text.split_once('.').ok_or_else(wrong)?;
        let version = data_encoding::HEXLOWER.decode(version.as_bytes()).map_err(|_not_hex| wrong())?;
        Ok(Self { document: document.parse()?, version: version.try_into().map_err(|_length| wrong())? })
    }
}

/// One change that an action makes.
struct NewChange {
    kind: Kind,
    document: DocumentId,
    scope: Scope,
    change: Change,
    merged: Merged,
    /// The heads it was made on top of; empty for a new document.
    base: Vec<ChangeHash>,
}

/// An action under construction.
pub(super) struct Action<'a> {
    client: &'a FieldClient,
    pub(super) author: Author,
    /// Who, where and when: the same for all that the action writes.
    pub(super) stamp: Stamp,
    pub(super) counters: Counters,
    changes: Vec<NewChange>,
}

impl Action<'_> {
    /// Creates a document with its snapshot.
    pub(super) fn create(
        &mut self,
        kind: Kind,
        document: DocumentId,
        scope: Scope,
        snapshot: Vec<u8>,
    ) -> Result<(), Error> {
        let change = records::create(&self.client.actor, snapshot)?;
        if change.raw().len() > crate::limits::MAX_CHANGE_BYTES {
            let reason =
                format!("{} bytes, at most {} fit one record", change.raw().len(), crate::limits::MAX_CHANGE_BYTES);
            return Err(Error::TooLarge { field: "record", reason });
        }
        let merged = records::merge(kind, document, None, &change)?;
        self.changes.push(NewChange { kind, document, scope, change, merged, base: Vec::new() });
        Ok(())
    }

    /// Writes keys into a document that is here, or begins one that is only known by code.
    pub(super) fn edit(
        &mut self,
        kind: Kind,
        document: DocumentId,
        scope: Scope,
        saved: Option<&stored::Stored>,
        puts: Vec<Put>,
    ) -> Result<(), Error> {
        let (bytes, base) = saved.map_or((None, Vec::new()), |it| (Some(it.saved.as_slice()), it.heads.clone()));
        let (change, merged) = records::edit(kind, document, bytes, &self.client.actor, puts)?;
        self.changes.push(NewChange { kind, document, scope, change, merged, base });
        Ok(())
    }
}

/// How far the clock may be behind the server's last word before it is in doubt.
const CLOCK_SLACK_MS: i64 = 120_000;

impl FieldClient {
    /// Runs one action: `build` makes its changes, `finish` may add to the transaction. Returns after the commit.
    pub(super) fn act(
        &self,
        author: Author,
        build: impl FnOnce(&mut Action<'_>) -> Result<(), Error>,
        finish: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut counters = self.counters();
        let now = self.environment.clock.now();
        let clock_suspect = now.0 < author.installation.server_time.0.saturating_sub(CLOCK_SLACK_MS);
        let mut clock = HybridClock::after(counters.hybrid);
        let at = clock.tick(now);
        let mut action = Action {
            client: self,
            stamp: Stamp { user: author.installation.user, device: author.installation.device_code, at, clock_suspect },
            counters: Counters { actions: counters.actions + 1, hybrid: at, ..*counters },
            author,
            changes: Vec::new(),
        };
        build(&mut action)?;
        let Action { author, counters: after, changes, .. } = action;
        self.store.write(|db| {
            let device_scope = Scope::Device(author.installation.device);
            let device_cursor = inbox::cursor(db, author.installation.organisation, &device_scope)?.sequence;
            for NewChange { kind, document, scope, change, merged, base } in &changes {
                let heads = stored::find(db, *document)?.map_or(Vec::new(), |it| it.heads);
                if heads != *base {
                    return Err(Error::Stale);
                }
                stored::save(db, scope, *kind, *document, merged)?;
                outbox::add(
                    db,
                    &Outgoing {
                        action: after.actions,
                        author: author.grant.user,
                        grant: author.grant.grant,
                        device_cursor,
                        document: *document,
                        kind: *kind,
                        scope,
                        change: change.stripped(),
                        created_at: now,
                    },
                )?;
            }
            after.save(db)?;
            finish(db)
        })?;
        *counters = after;
        Ok(())
    }
}
