//! Reports with a row for each delivery, load or farmer.

use super::scan::Weighed;
use super::{Cell, Run, Sink};
use crate::Error;
use crate::limits::MAX_PAGE;
use crate::records::Delivery;
use crate::rules::Totals;
use crate::scope::Scope;
use crate::store::outbox;
use crate::store::rows::{self, ListOrder, Part};
use crate::store::seam;

pub(super) const DELIVERY: [&str; 20] = [
    "date",
    "receipt_number",
    "centre",
    "season",
    "commodity",
    "farmer_code",
    "farmer_name",
    "clerk",
    "recorded_at",
    "load_number",
    "bags",
    "gross_g",
    "tare_g",
    "quality_g",
    "moisture_g",
    "allowance_g",
    "net_g",
    "is_voided",
    "amendments",
    "sync",
];
pub(super) const LOAD: [&str; 10] =
    ["date", "load_number", "centre", "season", "lorry", "state", "deliveries", "bags", "gross_g", "sync"];
pub(super) const FARMER: [&str; 5] = ["farmer_code", "centre", "name", "village", "phone"];

/// Returns the cells of `bags`, `gross_g`, `tare_g`, `quality_g`, `moisture_g`, `allowance_g` and `net_g`.
pub(super) fn weight_cells(totals: &Totals) -> [Cell; 7] {
    let weights =
        [totals.gross_g, totals.tare_g, totals.quality_g, totals.moisture_g, totals.allowance_g, totals.net_g];
    let [gross, tare, quality, moisture, allowance, net] = weights.map(|weight| Cell::Number(weight.0));
    [Cell::number(totals.bags), gross, tare, quality, moisture, allowance, net]
}

impl Run<'_> {
    pub(super) fn deliveries(&self, sink: Sink<'_>) -> Result<(), Error> {
        self.each_delivery(|_| true, &mut |Weighed { row, delivery, weight }| {
            let mut cells = vec![
                Cell::text(row.business_date),
                Cell::text(delivery.receipt_number()),
                Cell::text(&delivery.centre),
                Cell::text(&delivery.season),
                Cell::text(&delivery.commodity),
            ];
            cells.extend(self.farmer_cells(row.farmer_id)?);
            cells.extend([self.clerk(row.user_id), Cell::text(row.recorded_at)]);
            cells.push(self.load_numbers(&delivery)?);
            cells.extend(weight_cells(&weight.totals()));
            let sync = outbox::state(self.db, row.delivery_id.into())?;
            cells.extend([Cell::number(row.is_voided), Cell::number(row.amendments), Cell::text(sync.as_str())]);
            sink(cells)
        })
    }

    /// Returns the numbers of the loads that have a part of a delivery, as far as they are on this phone.
    fn load_numbers(&self, delivery: &Delivery) -> Result<Cell, Error> {
        let mut numbers = Vec::new();
        for load in delivery.parts().into_iter().filter_map(|part| part.load_id) {
            numbers.extend(rows::load_row(&mut seam(self.db), load)?.map(|row| row.number));
        }
        Ok(Cell::maybe((!numbers.is_empty()).then(|| numbers.join(" + "))))
    }

    pub(super) fn loads(&self, sink: Sink<'_>) -> Result<(), Error> {
        self.each_load_row(&[], &mut |row| {
            let sum = rows::load_sum(&mut seam(self.db), row.load_id)?;
            let (centre, season) = match &row.scope {
                Scope::Season(centre, season) => (Cell::text(centre), Cell::text(season)),
                _ => (Cell::Empty, Cell::Empty),
            };
            let sync = outbox::state(self.db, row.load_id.into())?;
            sink(vec![
                Cell::text(row.business_date),
                Cell::Text(row.number),
                centre,
                season,
                Cell::text(row.lorry),
                Cell::text(row.state),
                Cell::number(sum.deliveries),
                Cell::number(sum.bags),
                Cell::Number(sum.gross_g.0),
                Cell::text(sync.as_str()),
            ])
        })
    }

    pub(super) fn farmers(&self, sink: Sink<'_>) -> Result<(), Error> {
        let centres = self.author.grant.centres.iter();
        for centre in centres.filter(|centre| self.query.centre.as_ref().is_none_or(|wanted| wanted == *centre)) {
            let scope = Scope::Centre(centre.clone());
            let mut part = Part { order: ListOrder::OldestFirst, after: None, limit: MAX_PAGE };
            loop {
                let page = rows::farmers(&mut seam(self.db), &scope, "", &part)?;
                let Some((last, _)) = page.last() else { break };
                part.after = Some(*last);
                for (_, row) in page {
                    let contact = row.contact;
                    let details = [contact.name, contact.village, contact.phone];
                    let details = details.map(|text| Cell::maybe(Some(text).filter(|text| !text.is_empty())));
                    let cells = [Cell::Text(row.code), Cell::text(centre)];
                    sink(cells.into_iter().chain(details).collect())?;
                }
            }
        }
        Ok(())
    }
}
