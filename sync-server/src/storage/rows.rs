//! Statements about core's tables that only the server needs. All others are core's, over [`Transaction::reader`].

use farmtally_core::decisions::{AppliedAt, Decision, Order};
use farmtally_core::permission::Visibility;
use farmtally_core::scope::Scope;
use farmtally_core::store::decisions;
use farmtally_core::store::records::{self, Saved};
use farmtally_core::store::sql::{Value, values};
use farmtally_core::units::{DeviceId, DocumentId, FarmerId};

use super::{Access, LogPosition, Transaction, WriteTransaction};
use crate::Error;

impl<C: Access + ?Sized> Transaction<'_, C> {
    /// Returns the ids of all erased documents, in their order.
    pub fn erased(&mut self) -> Result<Vec<DocumentId>, Error> {
        Ok(self.reader().query_all("SELECT document_id FROM erased ORDER BY document_id", &[], |row| row.get(0))?)
    }

    /// Returns those of these document ids whose documents are erased, in no order.
    pub fn erased_of(&mut self, documents: &[Value<'_>]) -> Result<Vec<DocumentId>, Error> {
        let statement = "SELECT document_id FROM keys JOIN erased ON erased.document_id = keys.document";
        self.of_documents(documents, statement, |row| row.get(0))
    }

    /// Returns all forgotten farmers, in the order of their ids.
    pub fn forgotten(&mut self) -> Result<Vec<FarmerId>, Error> {
        Ok(self.reader().query_all("SELECT farmer_id FROM forgotten ORDER BY farmer_id", &[], |row| row.get(0))?)
    }

    /// Returns the positions of all deferred decisions, ordered by the scope's text and sequence number.
    pub fn deferred_decisions(&mut self) -> Result<Vec<LogPosition>, Error> {
        let query = "SELECT scope, seq FROM deferred_decisions ORDER BY scope, seq";
        Ok(self.reader().query_all(query, &[], |row| Ok((row.get(0)?, row.get(1)?)))?)
    }

    /// Returns the scopes that a device may read now.
    pub fn visibility(&mut self, device: DeviceId) -> Result<Visibility, Error> {
        let is_lost = decisions::order(self.reader(), device)?.is_some_and(|order| order.order == Order::Lost);
        let grants = decisions::grants_of(self.reader(), device)?;
        let grants = grants.iter().map(|grant| (grant.role, grant.centres.as_slice()));
        Ok(Visibility::new(device, is_lost, grants))
    }
}

impl WriteTransaction<'_> {
    /// Computes words and folded columns again if they were computed with another version of the folding.
    pub fn refold(&mut self) -> Result<(), Error> {
        Ok(records::refold(self.connection)?)
    }

    /// Notes that a new organisation has no words of another version of the folding.
    pub fn mark_folded(&mut self) -> Result<(), Error> {
        Ok(records::mark_folded(self.connection)?)
    }

    /// Writes documents and their rows, not the log.
    pub fn save_documents(&mut self, documents: &[Saved<'_>]) -> Result<(), Error> {
        Ok(records::save_all(self.connection, documents)?)
    }

    /// Projects a decision that is logged at this position; one that this version cannot read is deferred. Does not carry out its effect.
    pub fn apply_decision(&mut self, scope: &Scope, sequence: u64, decision: &Decision) -> Result<(), Error> {
        let Ok((envelope, content)) = decision.read() else {
            let insert =
                "INSERT INTO deferred_decisions (scope, seq) VALUES (?1, ?2) ON CONFLICT (scope, seq) DO NOTHING";
            return self.run(insert, &values![scope, sequence]);
        };
        let at = AppliedAt { scope, sequence, envelope: &envelope };
        decisions::project(self.connection, &at, decision, &content)?;
        let delete = "DELETE FROM deferred_decisions WHERE scope = ?1 AND seq = ?2";
        self.run(delete, &values![scope, sequence])
    }

    /// Adds a farmer to the forgotten ones. Neither erases anything nor writes the journal.
    pub fn forget_farmer(&mut self, farmer: FarmerId) -> Result<(), Error> {
        let insert = "INSERT INTO forgotten (farmer_id) VALUES (?1) ON CONFLICT (farmer_id) DO NOTHING";
        self.run(insert, &values![farmer])
    }

    /// Erases a document's rows, logged bytes, held and deferred entries, and all that is staged. Neither logs this nor writes the journal.
    pub fn erase(&mut self, document: DocumentId) -> Result<(), Error> {
        let statement = "UPDATE log SET body = NULL
             WHERE (scope, seq) IN (SELECT scope, seq FROM logged_changes WHERE document_id = ?1)";
        self.run(statement, &values![document])?;
        self.run("DELETE FROM held WHERE document_id = ?1", &values![document])?;
        self.run("DELETE FROM deferred WHERE document_id = ?1", &values![document])?;
        // Staged entries may contain them too; devices offer these again.
        self.clear_stages()?;
        Ok(records::erase(self.connection, document)?)
    }
}
