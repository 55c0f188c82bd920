//! Records, decisions and rows: core's tables, and what the server reads of them.

use std::collections::{BTreeMap, BTreeSet};

use farmtally_core::decisions::{AppliedAt, Decision, DeviceOrder, Grant, Order};
use farmtally_core::permission::Visibility;
use farmtally_core::records::farmer::ContactDetails;
use farmtally_core::scope::Scope;
use farmtally_core::store::decisions::{self, Raised, Reference};
use farmtally_core::store::records::{self, Saved, Stored};
use farmtally_core::store::rows::{self, DeliveryFilter, DeliveryRow, FarmerRow, LoadRow, Named, Sum};
use farmtally_core::store::sql::{Value, values};
use farmtally_core::units::{
    BusinessDate, DeliveryId, DeviceId, DocumentId, FarmerId, GrantId, LoadId, LorryPlate, ReviewId, Timestamp, UserId,
};

use super::{Access, Position, Transaction, WriteTransaction};
use crate::Error;

#[expect(clippy::missing_errors_doc, reason = "said once for all methods of a transaction")]
impl<C: Access + ?Sized> Transaction<'_, C> {
    /// Returns a document.
    pub fn document(&mut self, document: DocumentId) -> Result<Option<Stored>, Error> {
        Ok(records::find(self.reader(), document)?)
    }

    /// Returns some documents.
    pub fn documents_of(&mut self, documents: &[Value<'_>]) -> Result<BTreeMap<DocumentId, Stored>, Error> {
        Ok(records::find_all(self.reader(), documents)?)
    }

    /// Returns whether a document's bytes were dropped for good.
    pub fn is_erased(&mut self, document: DocumentId) -> Result<bool, Error> {
        Ok(records::is_erased(self.reader(), document)?)
    }

    /// Returns those of some documents whose bytes were dropped for good.
    pub fn erased_of(&mut self, documents: &[Value<'_>]) -> Result<Vec<DocumentId>, Error> {
        let statement = "SELECT document_id FROM keys JOIN erased ON erased.document_id = keys.document";
        self.of_documents(documents, statement, |row| row.get(0))
    }

    /// Returns the decision that counts about the same matter, this one or another, and its place in its scope's log.
    pub fn standing(&mut self, decision: &Decision) -> Result<Option<(Decision, u64)>, Error> {
        Ok(decisions::standing(self.reader(), decision)?)
    }

    /// Returns the contact documents of a farmer.
    pub fn contacts_of(&mut self, farmer: FarmerId) -> Result<Vec<DocumentId>, Error> {
        Ok(rows::contacts_of(self.reader(), farmer)?.into_iter().map(DocumentId::from).collect())
    }

    /// Returns whether a user was ever granted anything on a device.
    pub fn has_grant(&mut self, user: UserId, device: DeviceId) -> Result<bool, Error> {
        Ok(decisions::has_grant(self.reader(), user, device)?)
    }

    /// Returns a grant, whether or not it holds.
    pub fn grant(&mut self, grant: GrantId) -> Result<Option<Grant>, Error> {
        Ok(decisions::grant(self.reader(), grant)?)
    }

    /// Returns where in its device's scope a grant ended; `None` while it holds.
    pub fn ended_at(&mut self, grant: &Grant) -> Result<Option<u64>, Error> {
        Ok(decisions::ended_at(self.reader(), grant)?)
    }

    /// Returns the last order to a device, unless it is to work.
    pub fn order(&mut self, device: DeviceId) -> Result<Option<DeviceOrder>, Error> {
        Ok(decisions::order(self.reader(), device)?)
    }

    /// Returns who is suspended on a device.
    pub fn suspended_on(&mut self, device: DeviceId) -> Result<Vec<UserId>, Error> {
        Ok(decisions::suspended_on(self.reader(), device)?)
    }

    /// Returns the places of decisions that wait for a newer server.
    pub fn deferred_decisions(&mut self) -> Result<Vec<Position>, Error> {
        let query = "SELECT scope, seq FROM deferred_decisions ORDER BY scope, seq";
        Ok(self.reader().query_all(query, &[], |row| Ok((row.get(0)?, row.get(1)?)))?)
    }

    /// Returns what a device may read now.
    pub fn visibility(&mut self, device: DeviceId) -> Result<Visibility, Error> {
        let is_lost = self.order(device)?.is_some_and(|order| order.order == Order::Lost);
        let centres = self.grants_of(device)?.into_iter().flat_map(|grant| grant.centres).collect();
        Ok(Visibility { device, is_lost, centres })
    }

    /// Returns the grants of a device that hold.
    pub fn grants_of(&mut self, device: DeviceId) -> Result<Vec<Grant>, Error> {
        Ok(decisions::grants_of(self.reader(), device)?)
    }

    /// Returns all reference data.
    pub fn reference(&mut self) -> Result<Reference, Error> {
        Ok(Reference::load(self.reader())?)
    }

    /// Returns those of some reviews that were raised.
    pub fn reviews_of(&mut self, reviews: impl IntoIterator<Item = ReviewId>) -> Result<BTreeSet<ReviewId>, Error> {
        Ok(decisions::reviews_of(self.reader(), reviews)?)
    }

    /// Returns all reviews, the oldest first.
    pub fn reviews(&mut self) -> Result<Vec<Raised>, Error> {
        Ok(decisions::reviews(self.reader())?)
    }

    /// Returns the latest day that has a delivery.
    pub fn latest_day(&mut self) -> Result<Option<BusinessDate>, Error> {
        let scopes = self.scopes()?;
        Ok(rows::latest_day(self.reader(), &scopes)?)
    }

    /// Returns the scopes that have deliveries or loads on a day.
    pub fn scopes_on(&mut self, date: BusinessDate) -> Result<Vec<Scope>, Error> {
        let scopes = self.scopes()?;
        Ok(rows::scopes_on(self.reader(), &scopes, date)?)
    }

    /// Returns what a scope's deliveries of a day add up to.
    pub fn day_sum(&mut self, scope: &Scope, date: BusinessDate) -> Result<Sum, Error> {
        Ok(rows::day_sum(self.reader(), scope, date)?)
    }

    /// Returns what the deliveries on a load add up to.
    pub fn load_sum(&mut self, load: LoadId) -> Result<Sum, Error> {
        Ok(rows::load_sum(self.reader(), load)?)
    }

    /// Returns a load's row.
    pub fn load(&mut self, load: LoadId) -> Result<Option<LoadRow>, Error> {
        Ok(rows::load_row(self.reader(), load)?)
    }

    /// Returns the loads of a scope and day.
    pub fn loads(&mut self, scope: &Scope, date: BusinessDate) -> Result<Vec<LoadRow>, Error> {
        Ok(rows::loads(self.reader(), scope, date)?)
    }

    /// Returns the loads of some lorries on a day, for each of the lorries asked for.
    pub fn loads_of_lorries<'l>(
        &mut self,
        lorries: impl IntoIterator<Item = (&'l Scope, BusinessDate, &'l LorryPlate)>,
    ) -> Result<Vec<Vec<LoadId>>, Error> {
        Ok(rows::loads_of_lorries(self.reader(), lorries)?)
    }

    /// Returns a scope's deliveries of a day, the newest first.
    pub fn deliveries(&mut self, scope: &Scope, date: BusinessDate, limit: u32) -> Result<Vec<DeliveryRow>, Error> {
        let filter = DeliveryFilter { scope: Some(scope.clone()), date: Some(date), ..DeliveryFilter::default() };
        Ok(rows::deliveries(self.reader(), &filter, limit)?)
    }

    /// Returns the standing deliveries on some loads.
    pub fn standing_deliveries_on(&mut self, loads: &[LoadId]) -> Result<Vec<(LoadId, DeliveryId)>, Error> {
        Ok(rows::standing_deliveries_on(self.reader(), loads)?)
    }

    /// Returns what a text names: receipts, load numbers, farmers' codes, words of contact details.
    pub fn find(&mut self, text: &str, limit: u32) -> Result<Vec<Named>, Error> {
        let scopes = self.scopes()?;
        Ok(rows::find(self.reader(), &scopes, text, limit)?)
    }

    /// Returns a farmer.
    pub fn farmer(&mut self, farmer: FarmerId) -> Result<Option<FarmerRow>, Error> {
        Ok(rows::farmer_row(self.reader(), farmer)?)
    }

    /// Returns farmers who may be those of some contact details, with the number of the details.
    pub fn look_alikes<'c>(
        &mut self,
        contacts: impl IntoIterator<Item = (&'c Scope, &'c ContactDetails)>,
    ) -> Result<Vec<(usize, FarmerId)>, Error> {
        Ok(rows::look_alikes(self.reader(), contacts)?)
    }
}

#[expect(clippy::missing_errors_doc, reason = "said once for all methods of a transaction")]
impl WriteTransaction<'_> {
    /// Writes documents and their rows.
    pub fn save_documents(&mut self, documents: &[Saved<'_>]) -> Result<(), Error> {
        Ok(records::save_all(self.connection, documents)?)
    }

    /// Projects a decision, from its place in the log; one that this version cannot read is deferred.
    pub fn apply_decision(&mut self, scope: &Scope, sequence: u64, decision: &Decision) -> Result<(), Error> {
        let Ok((envelope, content)) = decision.read() else {
            let insert =
                "INSERT INTO deferred_decisions (scope, seq) VALUES (?1, ?2) ON CONFLICT (scope, seq) DO NOTHING";
            self.connection.execute(insert, &values![scope, sequence])?;
            return Ok(());
        };
        let at = AppliedAt { scope, sequence, envelope: &envelope };
        decisions::project(self.connection, &at, decision, &content)?;
        let delete = "DELETE FROM deferred_decisions WHERE scope = ?1 AND seq = ?2";
        self.connection.execute(delete, &values![scope, sequence])?;
        Ok(())
    }

    /// Drops all bytes of a document: rows, log, what waits or is held.
    pub fn erase(&mut self, document: DocumentId, at: Timestamp) -> Result<(), Error> {
        let statement = "UPDATE log SET body = NULL
             WHERE (scope, seq) IN (SELECT scope, seq FROM logged_changes WHERE document_id = ?1)";
        self.connection.execute(statement, &values![document])?;
        self.connection.execute("DELETE FROM held WHERE document_id = ?1", &values![document])?;
        self.connection.execute("DELETE FROM deferred WHERE document_id = ?1", &values![document])?;
        // Pieces of an offer may hold it too; the device offers them again.
        self.clear_stages()?;
        Ok(records::erase(self.connection, document, at)?)
    }
}
