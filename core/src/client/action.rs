//! Actions: each writes all changes of one call of a person, in one transaction. Edits of drafts are no actions: drafts have no changes.

use std::fmt;
use std::str::FromStr;

use super::{Author, FieldClient, Topic};
use crate::Error;
use crate::records::{self, Actor, Change, Kind, Merged, Put, Stamp};
use crate::scope::Scope;
use crate::store::installation::Counters;
use crate::store::outbox::{self, Outgoing};
use crate::store::seam;
use crate::store::{incoming, records as stored};
use crate::units::{DocumentId, Timestamp, UnitError};

/// A record and the version of it that a person saw; an argument of every change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Basis {
    /// Document of the record; for a farmer, that of the contact details.
    pub document_id: DocumentId,
    /// First eight bytes of the SHA-256 over the heads that the person saw; for a draft, its counter in big endian.
    pub version: [u8; 8],
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.document_id, data_encoding::HEXLOWER.encode(&self.version))
    }
}

impl FromStr for Basis {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError { reason: "not a basis: pass the view's basis unchanged".into() };
        let (document, version) = text.split_once('.').ok_or_else(wrong)?;
        let version = data_encoding::HEXLOWER.decode(version.as_bytes()).map_err(|_not_hex| wrong())?;
        Ok(Self { document_id: document.parse()?, version: version.try_into().map_err(|_length| wrong())? })
    }
}

/// An action inside its transaction.
pub(super) struct Action<'a> {
    client: &'a FieldClient,
    pub(super) db: &'a rusqlite::Transaction<'a>,
    pub(super) author: &'a Author,
    /// Author, device and time; the same for everything that the action writes.
    pub(super) stamp: Stamp,
    /// Counters to save after the action, if it writes a change.
    pub(super) counters: Counters,
    now: Timestamp,
    has_written: bool,
    /// Topics of the event that follows the commit.
    topics: Vec<Topic>,
}

impl Action<'_> {
    /// Creates and saves a document, and adds its creating change to the outbox; [`Error::Stale`] if the document is stored already.
    pub(super) fn create(
        &mut self,
        kind: Kind,
        document: DocumentId,
        scope: &Scope,
        snapshot: Vec<u8>,
    ) -> Result<Merged, Error> {
        if stored::find(&mut seam(self.db), document)?.is_some() {
            return Err(Error::Stale);
        }
        let change = records::create(&self.client.actor, snapshot)?;
        let merged = records::merge(kind, document, None, &change)?;
        self.write(kind, document, scope, &change, &merged)?;
        Ok(merged)
    }

    /// Writes values under keys of a document, saves the document, and adds the change to the outbox. Checks no permission. `saved` is
    /// `None` for a document that has not reached this phone yet, whose id comes from a join code.
    pub(super) fn edit(
        &mut self,
        kind: Kind,
        document: DocumentId,
        scope: &Scope,
        saved: Option<&stored::Stored>,
        puts: Vec<Put>,
    ) -> Result<Merged, Error> {
        let bytes = saved.map(|stored| stored.saved.as_slice());
        // Held changes are not in the document, but may be applied to it later. A new actor does not reuse their sequence numbers.
        let fresh = if outbox::has_held(self.db, document)? {
            Some(Actor::new(self.client.environment.random()))
        } else {
            None
        };
        let actor = fresh.as_ref().unwrap_or(&self.client.actor);
        let (change, merged) = records::edit(kind, document, bytes, actor, puts)?;
        self.write(kind, document, scope, &change, &merged)?;
        Ok(merged)
    }

    fn write(
        &mut self,
        kind: Kind,
        document: DocumentId,
        scope: &Scope,
        change: &Change,
        merged: &Merged,
    ) -> Result<(), Error> {
        let Author { installation, grant, .. } = self.author;
        let device_scope = Scope::Device(installation.device_id);
        stored::save(&mut seam(self.db), scope, kind, document, merged)?;
        outbox::add(
            self.db,
            &Outgoing {
                action: self.counters.actions,
                author_id: grant.user_id,
                grant_id: grant.grant_id,
                device_cursor: incoming::cursor(self.db, installation.organisation_id, &device_scope)?.sequence,
                document_id: document,
                kind,
                scope,
                change: change.stripped(),
                created_at: self.now,
            },
        )?;
        self.has_written = true;
        self.topics.extend(kind.topics);
        Ok(())
    }
}

impl FieldClient {
    /// Runs `f` in one transaction, with the counters locked. An error rolls it back. If `f` wrote a change, the counters are saved and an
    /// event follows the commit; if not, its changes of the counters are dropped.
    pub(super) fn act<T>(
        &self,
        author: &Author,
        f: impl FnOnce(&mut Action<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut counters = self.counters();
        let (now, installation) = (self.now(), &author.installation);
        let at = counters.hybrid.next(now);
        let clock_suspect = self.is_clock_in_doubt();
        let stamp = Stamp { user_id: installation.user_id, device_code: installation.device_code, at, clock_suspect };
        let begun =
            Counters { actions: counters.actions + 1, hybrid: at, ..self.counters_at(self.phone_clock(), *counters) };
        let (result, written, mut topics) = self.store.write(|db| {
            let mut action = Action {
                client: self,
                db,
                author,
                stamp,
                counters: begun,
                now,
                has_written: false,
                topics: Vec::new(),
            };
            let result = f(&mut action)?;
            let written = action.has_written.then_some(action.counters);
            written.map(|counters| counters.save(db)).transpose()?;
            Ok::<_, Error>((result, written, action.topics))
        })?;
        if let Some(written) = written {
            self.replace_counters(&mut counters, written);
            drop(counters);
            topics.extend([Topic::Inbox, Topic::Sync]);
            self.events.changed(&topics);
        }
        Ok(result)
    }
}
