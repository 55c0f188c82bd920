//! What follows from several simple records: a position in a queue, sums, balances, deliveries in doubt.

use super::{FieldClient, is_within, require_visible};
use crate::Error;
use crate::records::simple::SimpleState;
use crate::records::{
    ContainerMovement, Delivery, InstrumentCheck, Kind, QueueTicket, Simple, SimpleKind, SupplyIntent,
};
use crate::rules::{ContainerBalance, SupplyProposal, container_balances, is_in_doubt, propose, queue_position};
use crate::scope::Scope;
use crate::store::rows::{self, ListOrder};
use crate::store::simple::{SimpleFilter, list};
use crate::store::{records as stored, seam};
use crate::units::{BusinessDate, CentreCode, CommodityCode, DeliveryId, DocumentId, Timestamp};

impl FieldClient {
    /// Returns the position of a queue ticket among those of its centre, season and day that this phone knows, from 1; `None` if it does not
    /// wait any more. The server decides the order.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unauthorized`], [`Error::Refused`] if the phone is locked, [`Error::Store`].
    pub fn queue_position(&self, ticket_id: DocumentId) -> Result<Option<u32>, Error> {
        let author = self.author()?;
        self.store.read(|db| {
            let found = require_visible::<Simple<QueueTicket>>(db, &author, ticket_id, QueueTicket::NAME)?;
            let date = Some(found.record.content.date);
            let filter = SimpleFilter { date, state: Some(SimpleState::Open), ..SimpleFilter::default() };
            Ok(queue_position(&found.record, &all::<QueueTicket>(db, &[found.stored.scope], &filter)?))
        })
    }

    /// Returns what the open supply intents for a day at a centre add up to, as estimates of a lorry request.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a commodity without a season on the day; [`Error::Refused`] for a centre that is not granted, or a locked phone;
    /// [`Error::Unauthorized`], [`Error::Store`].
    pub fn propose_supply(
        &self,
        centre: &CentreCode,
        commodity: &CommodityCode,
        date: BusinessDate,
    ) -> Result<SupplyProposal, Error> {
        let author = self.author()?;
        author.require_centre(centre)?;
        let scope = Scope::Season(centre.clone(), Self::season_of(&author, commodity, date)?);
        let filter = SimpleFilter { date: Some(date), state: Some(SimpleState::Open), ..SimpleFilter::default() };
        let intents = self.store.read(|db| all::<SupplyIntent>(db, &[scope], &filter))?;
        Ok(propose(intents.iter().map(|it| &it.content).filter(|it| it.commodity == *commodity)))
    }

    /// Returns how many empty bags and crates parties have, by the movements of a centre that this phone knows; balances of zero are left out.
    ///
    /// # Errors
    /// [`Error::Refused`] for a centre or role that may not read its movements, or a locked phone; [`Error::Unauthorized`], [`Error::Store`].
    pub fn container_balances(&self, centre: &CentreCode) -> Result<Vec<ContainerBalance>, Error> {
        let author = self.author()?;
        author.require_centre(centre)?;
        let scope = Scope::Centre(centre.clone());
        if !is_within(&author.grant, &scope) {
            return Err(Error::not_allowed("this role does not see the containers of a centre"));
        }
        let filter = SimpleFilter::default();
        let movements = self.store.read(|db| all::<ContainerMovement>(db, &[scope], &filter))?;
        Ok(container_balances(&movements))
    }

    /// Returns the deliveries that a failed check of an instrument puts in doubt, in the order of their recording, also voided ones: those of
    /// its centre of which something may have been weighed or read with it after the last check that passed and up to this one, as far as
    /// this phone knows them. None for a check that passed or was withdrawn.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unauthorized`], [`Error::Refused`] if the phone is locked, [`Error::Store`].
    pub fn deliveries_in_doubt(&self, check_id: DocumentId) -> Result<Vec<DeliveryId>, Error> {
        let author = self.author()?;
        self.store.read(|db| {
            let found = require_visible::<Simple<InstrumentCheck>>(db, &author, check_id, InstrumentCheck::NAME)?;
            let (check, centre) = (found.record, found.stored.scope.centre().cloned());
            if check.content.has_passed || check.state() != SimpleState::Open {
                return Ok(Vec::new());
            }
            let mut scopes = author.season_scopes();
            scopes.retain(|scope| scope.centre() == centre.as_ref());
            let filter = SimpleFilter { state: Some(SimpleState::Open), ..SimpleFilter::default() };
            let instrument = &check.content.instrument;
            let is_good = |it: &Simple<InstrumentCheck>| it.content.has_passed && it.content.instrument == *instrument;
            let earlier = all::<InstrumentCheck>(db, &scopes, &filter)?.into_iter();
            let good = earlier.filter(|it| is_good(it) && it.made.at < check.made.at).map(|it| it.made.at).max();
            let after = good.map_or(Timestamp(i64::MIN), |good| Timestamp(good.wall_ms));
            let range = (after, check.made.written_at());
            let mut in_doubt = Vec::new();
            for id in rows::deliveries_measured_after(&mut seam(db), &scopes, after)? {
                let delivery = stored::get::<Delivery>(&mut seam(db), id)?.map(|found| found.record);
                in_doubt.extend(delivery.filter(|it| is_in_doubt(it, instrument, range)).map(|it| it.delivery_id));
            }
            Ok(in_doubt)
        })
    }
}

/// Returns all records of a kind in these scopes, oldest first.
pub(super) fn all<C: SimpleKind>(
    db: &rusqlite::Connection,
    scopes: &[Scope],
    filter: &SimpleFilter,
) -> Result<Vec<Simple<C>>, Error> {
    let mut records = Vec::new();
    for id in list(&mut seam(db), Kind::of::<Simple<C>>(), scopes, filter, ListOrder::OldestFirst, None, u32::MAX)? {
        records.extend(stored::get::<Simple<C>>(&mut seam(db), id)?.map(|found| found.record));
    }
    Ok(records)
}
