//! Rulings on held changes.

use farmtally_core::rules::check_text;
use farmtally_core::units::{ChangeHash, DocumentId, OrganisationId};

use crate::ingest::rule;
use crate::recovery::require_no_recovery;
use crate::storage::HeldEntry;
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
        let approved = self.write(organisation, |db| {
            require_no_recovery(db)?;
            rule(db, document, change, true, &by)
        })?;
        self.erase_late_arrivals(organisation)?;
        Ok(approved)
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
}
