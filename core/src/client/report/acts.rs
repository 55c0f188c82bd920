//! Reports on what was changed or came too late.

use super::scan::Weighed;
use super::{Cell, Run, Sink};
use crate::Error;
use crate::records::delivery::LoadPart;
use crate::records::load::LoadState;
use crate::records::{Act, Load};
use crate::store::rows::{self, DeliveryRow, LoadRow};
use crate::store::seam;
use crate::units::{ReceiptNumber, Timestamp};

pub(super) const ACT: [&str; 10] = [
    "date",
    "receipt_number",
    "farmer_code",
    "farmer_name",
    "act",
    "number",
    "clerk",
    "written_at",
    "reason",
    "reason_text",
];
pub(super) const LATE: [&str; 9] = [
    "date",
    "receipt_number",
    "farmer_code",
    "farmer_name",
    "clerk",
    "recorded_at",
    "load_number",
    "close_requested_at",
    "gross_g",
];

/// States of loads that take no more deliveries ([`Load::is_shut`]).
const SHUT: [LoadState; 5] =
    [LoadState::Closing, LoadState::Dispatched, LoadState::Arrived, LoadState::Received, LoadState::Cancelled];

impl Run<'_> {
    pub(super) fn amendments(&self, sink: Sink<'_>) -> Result<(), Error> {
        let was_changed = |row: &DeliveryRow| row.is_voided || row.amendments > 0;
        self.each_delivery(was_changed, &mut |Weighed { row, delivery, .. }| {
            let farmer = self.farmer_cells(row.farmer_id)?;
            let of_bags = delivery
                .bags
                .iter()
                .flat_map(|bag| bag.voids.iter().map(|act| (act, "bag_voided", Cell::number(bag.bag.number))));
            let of_lots = delivery
                .lots
                .iter()
                .flat_map(|lot| lot.voids.iter().map(|act| (act, "lot_voided", Cell::number(lot.lot.number))));
            let of_readings =
                delivery.readings.iter().flat_map(|it| it.voids.iter().map(|act| (act, "reading_voided", Cell::Empty)));
            let amended = delivery.amendments.iter().map(|act| (act, "amended", Cell::Empty));
            let voided = delivery.voids.iter().map(|act| (act, "voided", Cell::Empty));
            let mut acts: Vec<(&Act, &str, Cell)> =
                amended.chain(of_bags).chain(of_lots).chain(of_readings).chain(voided).collect();
            acts.sort_by(|a, b| (a.0.stamp.at, &a.1, &a.2).cmp(&(b.0.stamp.at, &b.1, &b.2)));
            for (act, what, bag) in acts {
                let mut cells = vec![Cell::text(row.business_date), Cell::text(delivery.receipt_number())];
                cells.extend(farmer.clone());
                cells.extend([Cell::text(what), bag, self.clerk(act.stamp.user_id)]);
                cells.push(Cell::text(Timestamp(act.stamp.at.wall_ms)));
                cells.push(Cell::text(&act.reason.code));
                cells.push(Cell::maybe(Some(&act.reason.text).filter(|text| !text.is_empty())));
                sink(cells)?;
            }
            Ok(())
        })
    }

    pub(super) fn late_deliveries(&self, sink: Sink<'_>) -> Result<(), Error> {
        self.each_load(&SHUT, &mut |row, load| self.late_on(row, load, sink))
    }

    fn late_on(&self, row: &LoadRow, load: &Load, sink: Sink<'_>) -> Result<(), Error> {
        let closing = load.close_requests.iter().map(|request| request.stamp.at.wall_ms).min();
        let mut late = Vec::new();
        for on in rows::parts_on(&mut seam(self.db), row.load_id)? {
            let part = LoadPart { load_id: Some(row.load_id), bags: on.bags, gross_g: on.gross_g };
            if !load.manifest_covers(on.delivery_id, &part, on.is_part) {
                let delivery = rows::delivery_row(&mut seam(self.db), on.delivery_id)?;
                late.extend(delivery.map(|it| DeliveryRow { bags: on.bags, gross_g: on.gross_g, ..it }));
            }
        }
        late.retain(|delivery| self.only_user.is_none_or(|user| delivery.user_id == user));
        late.retain(|delivery| self.query.farmer_id.is_none_or(|farmer| delivery.farmer_id == farmer));
        late.sort_by_key(DeliveryRow::key);
        for delivery in late {
            let receipt = delivery.scope.centre().map(|centre| ReceiptNumber {
                centre: centre.clone(),
                device_code: delivery.device_code,
                sequence: delivery.receipt_sequence,
            });
            let mut cells = vec![Cell::text(delivery.business_date), Cell::maybe(receipt)];
            cells.extend(self.farmer_cells(delivery.farmer_id)?);
            cells.extend([self.clerk(delivery.user_id), Cell::text(delivery.recorded_at), Cell::text(&row.number)]);
            cells.extend([Cell::maybe(closing.map(Timestamp)), Cell::Number(delivery.gross_g.0)]);
            sink(cells)?;
        }
        Ok(())
    }
}
