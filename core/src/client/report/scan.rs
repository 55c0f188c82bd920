//! Reading the deliveries and loads of a report, page by page.

use super::Run;
use crate::Error;
use crate::limits::MAX_PAGE;
use crate::records::load::LoadState;
use crate::records::{Delivery, Load};
use crate::rules::{DeliveryWeight, WeightInput, weigh};
use crate::store::records as stored;
use crate::store::rows::{self, DeliveryFilter, DeliveryRow, ListOrder, LoadFilter, LoadRow, Part};
use crate::store::seam;

/// A delivery with its weight.
pub(super) struct Weighed {
    pub(super) row: DeliveryRow,
    pub(super) delivery: Delivery,
    pub(super) weight: DeliveryWeight,
}

impl Run<'_> {
    /// Calls `visit` for each delivery of the report that has the wanted row, voided ones too, oldest first.
    pub(super) fn each_delivery(
        &self,
        wants: impl Fn(&DeliveryRow) -> bool,
        visit: &mut dyn FnMut(Weighed) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let filter = DeliveryFilter {
            farmer_id: self.query.farmer_id,
            user_id: self.only_user,
            from: self.query.from_date,
            to: self.query.to_date,
            ..DeliveryFilter::default()
        };
        let mut part = Part { order: ListOrder::OldestFirst, after: None, limit: MAX_PAGE };
        loop {
            let page = rows::deliveries(&mut seam(self.db), &self.scopes, &filter, &part)?;
            let Some(last) = page.last() else { return Ok(()) };
            part.after = Some(last.key());
            for row in page.into_iter().filter(|row| wants(row)) {
                if let Some(found) = stored::get::<Delivery>(&mut seam(self.db), row.delivery_id)? {
                    visit(self.weighed(row, found.record))?;
                }
            }
        }
    }

    /// Calls `visit` for each load of the report that is in one of these states, in any if there is none; oldest first.
    pub(super) fn each_load(
        &self,
        states: &[LoadState],
        visit: &mut dyn FnMut(&LoadRow, &Load) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.each_load_row(states, &mut |row| match stored::get::<Load>(&mut seam(self.db), row.load_id)? {
            Some(found) => visit(&row, &found.record),
            None => Ok(()),
        })
    }

    /// Calls `visit` for the row of each load of the report that is in one of these states, in any if there is none; oldest first.
    pub(super) fn each_load_row(
        &self,
        states: &[LoadState],
        visit: &mut dyn FnMut(LoadRow) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (from, to) = (self.query.from_date, self.query.to_date);
        let filter = LoadFilter { states: states.to_vec(), from, to, ..LoadFilter::default() };
        let mut part = Part { order: ListOrder::OldestFirst, after: None, limit: MAX_PAGE };
        loop {
            let page = rows::loads(&mut seam(self.db), &self.scopes, &filter, &part)?;
            let Some(last) = page.last() else { return Ok(()) };
            part.after = Some(last.key());
            page.into_iter().try_for_each(&mut *visit)?;
        }
    }

    fn weighed(&self, row: DeliveryRow, delivery: Delivery) -> Weighed {
        let input = WeightInput::from(&delivery);
        let weight = weigh(&input, self.author.reference.rule_set(delivery.rule_set));
        Weighed { row, delivery, weight }
    }
}
