//! What the day book of a clerk says.

use super::Desk;
use crate::Error;
use crate::paper::{CopyNumber, DayBook, DayBookLine};
use crate::store::outbox::{self, SyncState};
use crate::store::rows::{self, DeliveryFilter};
use crate::store::seam;
use crate::units::{BusinessDate, CentreCode, Grams, Timestamp};

impl Desk<'_> {
    pub(super) fn day_book(&self, centre: &CentreCode, date: BusinessDate, now: Timestamp) -> Result<DayBook, Error> {
        let user_id = self.author.grant.user_id;
        let filter =
            DeliveryFilter { user_id: Some(user_id), from: Some(date), to: Some(date), ..DeliveryFilter::default() };
        let mut lines = Vec::new();
        let (mut bag_count, mut gross, mut net, mut unsent) = (0_u32, Grams::ZERO, Grams::ZERO, 0_u32);
        self.each_delivery(&filter, &mut |row, delivery, totals| {
            if delivery.centre != *centre {
                return Ok(());
            }
            let farmer = rows::farmer_row(&mut seam(self.db), row.farmer_id)?;
            if !row.is_voided {
                bag_count = bag_count.saturating_add(totals.bags);
                (gross, net) = (gross + totals.gross_g, net + totals.net_g);
            }
            unsent += u32::from(outbox::state(self.db, row.delivery_id.into())? != SyncState::Logged);
            lines.push(DayBookLine {
                recorded: self.instant(delivery.recorded.written_at()),
                receipt: delivery.receipt_number().to_string(),
                farmer: farmer.map_or_else(String::new, |row| row.code),
                bag_count: totals.bags,
                gross: totals.gross_g,
                net: totals.net_g,
                is_void: row.is_voided,
            });
            Ok(())
        })?;
        Ok(DayBook {
            heading: self.heading(centre, CopyNumber::ORIGINAL),
            date,
            made: self.instant(now),
            clerk: self.author.reference.user_name(user_id),
            lines,
            bag_count,
            gross,
            net,
            unsent,
        })
    }
}
