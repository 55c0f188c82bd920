//! Rulings on held changes, and erasure of personal data.

use std::collections::BTreeSet;

use farmtally_core::decisions::{DecidedBy, Erasure};
use farmtally_core::records::farmer::payout_of;
use farmtally_core::records::{Kind, Privacy};
use farmtally_core::rules::check_text;
use farmtally_core::scope::Scope;
use farmtally_core::store::sql::values;
use farmtally_core::store::{records, rows, simple};
use farmtally_core::units::{ChangeHash, DocumentId, FarmerId, OrganisationId};

use crate::ingest::{decide, rule};
use crate::recovery::require_no_recovery;
use crate::storage::{Access, HeldEntry, Transaction};
use crate::{Error, Server};

impl Server {
    /// Returns all held entries, oldest first.
    ///
    /// # Errors
    /// [`Error::Storage`].
    #[expect(clippy::redundant_closure_for_method_calls, reason = "the method itself is of one lifetime only")]
    pub fn held(&self, organisation: OrganisationId) -> Result<Vec<HeldEntry>, Error> {
        self.read(organisation, |db| db.all_held())
    }

    /// Logs a held change of a document unchanged, with all held ones that build on it; without `change`, all that can be logged. Returns
    /// all that were approved.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a change that is not held or cannot be logged, [`Error::Recovering`], [`Error::Io`], [`Error::Storage`].
    pub fn approve(
        &self,
        organisation: OrganisationId,
        document: DocumentId,
        change: Option<ChangeHash>,
    ) -> Result<Vec<HeldEntry>, Error> {
        let by = self.decided_by_operator();
        self.write(organisation, |db| {
            require_no_recovery(db)?;
            rule(db, document, change, true, &by)
        })
    }

    /// Rejects a held change of a document, with all held ones that build on it; without `change`, all. Returns all that were rejected.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a change that is not held or the reason, [`Error::Recovering`], [`Error::Io`], [`Error::Storage`].
    pub fn reject(
        &self,
        organisation: OrganisationId,
        document: DocumentId,
        change: Option<ChangeHash>,
        reason: &str,
    ) -> Result<Vec<HeldEntry>, Error> {
        let reason = check_text(reason, false).map_err(|wrong| Error::invalid("reason", wrong))?;
        let by = self.decided_by_operator().because(reason);
        self.write(organisation, |db| {
            require_no_recovery(db)?;
            rule(db, document, change, false, &by)
        })
    }

    /// Erases a farmer's contact and payout details and the farmer's words (requests, disputes, feedback) here and, at its next contact, on every
    /// phone; weights keep the farmer's code. What a phone brings afterwards needs another call. If the details are only held or deferred, `farmer` is the id of their document in the list of held entries. Returns the number of erased documents.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the farmer has no contact details that are not erased; [`Error::Busy`] if all is done but the scrub, which
    /// the next call repeats; [`Error::Io`], [`Error::Storage`].
    pub fn erase_farmer(&self, organisation: OrganisationId, farmer: FarmerId) -> Result<usize, Error> {
        let documents = self.read(organisation, |db| {
            let documents = personal_documents(db, farmer)?;
            let document = DocumentId::from(farmer);
            let is_waiting = documents.is_empty() && scope_of_waiting_contact(db, document)?.is_some();
            Ok(if is_waiting { vec![document] } else { documents })
        })?;
        self.erase(organisation, &documents, &self.decided_by_operator())?;
        if documents.is_empty() {
            Err(Error::NotFound { what: "farmer with contact details" })
        } else {
            Ok(documents.len())
        }
    }

    /// Describes whose contact details [`Self::erase_farmer`] would erase.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there are none, [`Error::Storage`].
    pub fn describe_erasure(&self, organisation: OrganisationId, farmer: FarmerId) -> Result<String, Error> {
        self.read(organisation, |db| {
            let count = personal_documents(db, farmer)?.len();
            let known = rows::farmer_row(db.reader(), farmer)?.filter(|_| count > 0);
            let what = "the contact and payout details, requests and words";
            match known {
                Some(row) => Ok(format!("{what} of farmer {} in {}, {count} document(s)", row.code, row.scope)),
                None if count > 0 => Ok(format!("{what} of farmer {farmer}, {count} document(s)")),
                None => match scope_of_waiting_contact(db, DocumentId::from(farmer))? {
                    Some(scope) => Ok(format!("contact details in {scope} that are only held or deferred")),
                    None => Err(Error::NotFound { what: "farmer with contact details" }),
                },
            }
        })
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

    /// Erases again the documents of the journal's list that a restored database still contains.
    pub(crate) fn replay_erasures(&self) -> Result<(), Error> {
        let organisations = self.storage.organisations()?;
        let mut forgotten = BTreeSet::new();
        let by = DecidedBy::server(self.environment.clock.now());
        for (organisation, document) in self.journal.erasures()? {
            if organisations.contains(&organisation) && self.forget(organisation, document, &by)? {
                forgotten.insert(organisation);
            }
        }
        for organisation in forgotten {
            self.storage.scrub(organisation)?;
        }
        Ok(())
    }

    /// Erases one document, even one that is not here yet. Returns `false` if it was erased already. Neither writes the journal nor scrubs.
    fn forget(&self, organisation: OrganisationId, document: DocumentId, by: &DecidedBy) -> Result<bool, Error> {
        self.write(organisation, |db| {
            let stored = records::find(db.reader(), document)?;
            let scope = match &stored {
                Some(stored) => Some(stored.scope.clone()),
                None => scope_of_waiting_contact(db, document)?,
            };
            // A restored database may not have the document, and must not accept it from a phone either.
            let is_new = stored.is_some() || !records::is_erased(db.reader(), document)?;
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

/// Returns the documents of personal data about a farmer: contact details, simple records of personal kinds, then the payout
/// details.
fn personal_documents<C: Access + ?Sized>(
    db: &mut Transaction<'_, C>,
    farmer: FarmerId,
) -> Result<Vec<DocumentId>, Error> {
    let contacts = rows::contacts_of(db.reader(), farmer)?.into_iter().map(DocumentId::from);
    let mut documents: Vec<DocumentId> = contacts.collect();
    documents.extend(simple::personal_of(db.reader(), farmer)?);
    let payout = DocumentId::from(payout_of(farmer));
    documents.extend(records::find(db.reader(), payout)?.map(|_| payout));
    Ok(documents)
}

/// Returns the scope that a held or deferred entry of the document names, if its kind is personal data; `None` if there is none.
fn scope_of_waiting_contact<C: Access + ?Sized>(
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
