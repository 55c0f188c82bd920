//! Erasure of personal data.
//!
//! Invariants: what is erased, and who is forgotten, is in the journal before any byte goes, so that a restored database erases it again; of a
//! forgotten farmer, personal data that arrive later are erased too.

use std::collections::BTreeSet;

use farmtally_core::decisions::{DecidedBy, Erasure};
use farmtally_core::records::{self, Change, Farmer, Kind, Privacy};
use farmtally_core::scope::Scope;
use farmtally_core::store::sql::{Value, values};
use farmtally_core::store::{personal, records as stored, rows};
use farmtally_core::units::{DocumentId, FarmerId, OrganisationId, ToValue};

use crate::ingest::decide;
use crate::storage::{Access, PendingEntry, Transaction};
use crate::{Error, Server};

impl Server {
    /// Forgets a farmer: erases contact and payout details, words (requests, disputes, feedback), signatures and plots, here and, at its next
    /// contact, on every phone, and in time whatever a phone brings afterwards. Weights keep the farmer's code. Returns the number of
    /// documents erased now.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a farmer who is not known, or is forgotten already and of whom nothing is left; [`Error::Busy`] if all is done
    /// but the scrub, which the next call repeats; [`Error::Io`], [`Error::Storage`].
    pub fn erase_farmer(&self, organisation: OrganisationId, farmer: FarmerId) -> Result<usize, Error> {
        let (documents, is_new) = self.read(organisation, |db| {
            let documents = personal_documents(db, &[farmer])?;
            let document = DocumentId::from(farmer);
            let is_farmer = stored::find(db.reader(), document)?.is_some_and(|it| it.kind == Kind::of::<Farmer>());
            let is_new = (is_farmer || !documents.is_empty()) && !db.forgotten()?.contains(&farmer);
            Ok((documents, is_new))
        })?;
        if is_new {
            self.journal.record_forgotten(organisation, &[farmer])?;
            self.write(organisation, |db| db.forget_farmer(farmer))?;
        }
        self.erase(organisation, &documents, &self.decided_by_operator())?;
        if documents.is_empty() && !is_new {
            Err(Error::NotFound { what: "farmer with personal data" })
        } else {
            Ok(documents.len())
        }
    }

    /// Describes whose personal data [`Self::erase_farmer`] would erase.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a farmer who is not known here, [`Error::Storage`].
    pub fn describe_erasure(&self, organisation: OrganisationId, farmer: FarmerId) -> Result<String, Error> {
        self.read(organisation, |db| {
            let count = personal_documents(db, &[farmer])?.len();
            let what = "the contact and payout details, requests, words, signatures and plots";
            match rows::farmer_row(db.reader(), farmer)? {
                Some(row) => Ok(format!("{what} of farmer {} in {}, {count} document(s)", row.code, row.scope)),
                None if count > 0 => Ok(format!("{what} of farmer {farmer}, {count} document(s)")),
                None => Err(Error::NotFound { what: "farmer with personal data" }),
            }
        })
    }

    /// Erases the personal data of forgotten farmers that arrived after their erasure, also held ones. A failure does not undo what arrived:
    /// the next call, at the latest when the server opens, erases it.
    pub(crate) fn erase_late_arrivals(&self, organisation: OrganisationId) -> Result<(), Error> {
        let documents = self.read(organisation, |db| {
            let forgotten = db.forgotten()?;
            if forgotten.is_empty() { Ok(Vec::new()) } else { personal_documents(db, &forgotten) }
        })?;
        if documents.is_empty() {
            return Ok(());
        }
        match self.erase(organisation, &documents, &DecidedBy::server(self.environment.clock.now())) {
            Err(Error::Busy { reason, .. }) => {
                tracing::warn!(reason, "personal data that arrived late are erased, but not scrubbed yet");
                Ok(())
            }
            erased => erased,
        }
    }

    /// Erases the bytes of documents everywhere, and first lists them in the journal, so that a restored server erases them again before
    /// it answers. Without documents, it scrubs what an earlier failed call left.
    fn erase(&self, organisation: OrganisationId, documents: &[DocumentId], by: &DecidedBy) -> Result<(), Error> {
        for document in documents {
            self.journal.record_erasures(organisation, &[*document])?;
            self.forget(organisation, *document, by)?;
        }
        self.storage.scrub(organisation)
    }

    /// Erases documents whose erasures were restored from a phone, so that the journal has them and no bytes remain.
    pub(crate) fn apply_restored_erasures(
        &self,
        organisation: OrganisationId,
        documents: &BTreeSet<DocumentId>,
    ) -> Result<(), Error> {
        if documents.is_empty() {
            return Ok(());
        }
        let documents: Vec<DocumentId> = documents.iter().copied().collect();
        self.erase(organisation, &documents, &DecidedBy::server(self.environment.clock.now()))
    }

    /// Erases again the documents of the journal's list that a restored database still contains, and forgets its farmers again.
    pub(crate) fn replay_erasures(&self) -> Result<(), Error> {
        let organisations = self.storage.organisations()?;
        let mut forgotten = BTreeSet::new();
        let by = DecidedBy::server(self.environment.clock.now());
        for (organisation, farmer) in self.journal.forgotten()? {
            if organisations.contains(&organisation) {
                self.write(organisation, |db| db.forget_farmer(farmer))?;
            }
        }
        for (organisation, document) in self.journal.erasures()? {
            if organisations.contains(&organisation) && self.forget(organisation, document, &by)? {
                forgotten.insert(organisation);
            }
        }
        for organisation in forgotten {
            self.storage.scrub(organisation)?;
        }
        for organisation in organisations {
            self.erase_late_arrivals(organisation)?;
        }
        Ok(())
    }

    /// Erases one document, even one that is not here yet. Returns `false` if it was erased already. Neither writes the journal nor scrubs.
    fn forget(&self, organisation: OrganisationId, document: DocumentId, by: &DecidedBy) -> Result<bool, Error> {
        self.write(organisation, |db| {
            let stored = stored::find(db.reader(), document)?;
            let scope = match &stored {
                Some(stored) => Some(stored.scope.clone()),
                None => scope_of_waiting(db, document)?,
            };
            // A restored database may not have the document, and must not accept it from a phone either.
            let is_new = stored.is_some() || !stored::is_erased(db.reader(), document)?;
            if is_new {
                db.erase(document)?;
            }
            if let Some(scope) = scope {
                decide(db, &scope, &Erasure { document_id: document }, by)?;
            }
            Ok(is_new)
        })
    }
}

/// Returns the documents of personal data that name any of these farmers: stored ones, and those that wait with their creating change.
fn personal_documents<C: Access + ?Sized>(
    db: &mut Transaction<'_, C>,
    farmers: &[FarmerId],
) -> Result<Vec<DocumentId>, Error> {
    let keys: Vec<Value<'_>> = farmers.iter().map(ToValue::to_value).collect();
    let mut documents: BTreeSet<DocumentId> = personal::documents_of(db.reader(), &keys)?.into_iter().collect();
    let held = db.all_held()?.into_iter().map(|it| it.entry);
    let waiting = held.chain(db.all_deferred()?.into_iter().map(|it| it.entry));
    let is_theirs = |it: &PendingEntry| farmer_of(it).is_some_and(|farmer| farmers.contains(&farmer));
    documents.extend(waiting.filter(is_theirs).map(|it| it.document()));
    Ok(documents.into_iter().collect())
}

/// Returns the farmer whom a waiting entry names, if it creates a record of personal data.
fn farmer_of(entry: &PendingEntry) -> Option<FarmerId> {
    let kind = Kind::from_number(entry.envelope.kind).filter(|kind| kind.privacy == Privacy::Personal)?;
    let change = Change::parse_stripped(&entry.bytes).ok()?;
    records::merge(kind, entry.document(), None, &change).ok()?.record?.farmer_id()
}

/// Returns the scope that a held or deferred entry of the document names, if its kind is personal data; `None` if there is none.
fn scope_of_waiting<C: Access + ?Sized>(
    db: &mut Transaction<'_, C>,
    document: DocumentId,
) -> Result<Option<Scope>, Error> {
    let key = values![document];
    let held = db.held_of(&key)?.into_iter().map(|it| it.entry.envelope);
    let deferred = db.deferred_of(&key)?.into_iter().map(|it| it.entry.envelope);
    let is_personal = |kind: Kind| kind.privacy == Privacy::Personal;
    let mut waiting = held.chain(deferred);
    Ok(waiting.find(|it| Kind::from_number(it.kind).is_some_and(is_personal)).map(|it| it.scope))
}
