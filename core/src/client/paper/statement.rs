//! What a farmer's statement says.

use super::Desk;
use crate::Error;
use crate::client::advance::advances_of;
use crate::limits::{MAX_PAGE, MAX_REPORT_ROWS};
use crate::paper::{AdvanceLine, AdvanceWord, Advances, CopyNumber, DeliveryLine, Statement, Value};
use crate::records::advance::AdvanceKind;
use crate::records::{Delivery, Farmer};
use crate::rules::{OpenAdvance, Totals, WeightInput, open_advances, outstanding, weigh};
use crate::store::records::get;
use crate::store::rows::{self, DeliveryFilter, DeliveryRow, ListOrder, Part};
use crate::store::seam;
use crate::units::{BusinessDate, FarmerId, Grams, Timestamp};

impl Desk<'_> {
    pub(super) fn statement(
        &self,
        farmer_id: FarmerId,
        from: BusinessDate,
        to: BusinessDate,
        now: Timestamp,
    ) -> Result<Statement, Error> {
        let farmer = crate::client::require_visible::<Farmer>(self.db, self.author, farmer_id, "farmer")?.record;
        let filter = DeliveryFilter {
            farmer_id: Some(farmer_id),
            from: Some(from),
            to: Some(to),
            is_voided: Some(false),
            ..DeliveryFilter::default()
        };
        let mut deliveries = Vec::new();
        let (mut bag_count, mut net) = (0_u32, Grams::ZERO);
        self.each_delivery(&filter, &mut |row, delivery, totals| {
            bag_count = bag_count.saturating_add(totals.bags);
            net = net + totals.net_g;
            deliveries.push(DeliveryLine {
                date: row.business_date,
                receipt: delivery.receipt_number().to_string(),
                bag_count: totals.bags,
                net: totals.net_g,
                value: Value::Unknown,
            });
            Ok(())
        })?;
        Ok(Statement {
            heading: self.heading(&farmer.centre, CopyNumber::ORIGINAL),
            made: self.instant(now),
            farmer: self.farmer(farmer_id)?,
            from,
            to,
            deliveries,
            bag_count,
            net,
            value: Value::Unknown,
            advances: self.advances(farmer_id, now)?,
            currency: self.currency()?,
            clerk: self.author.reference.user_name(self.author.grant.user_id),
        })
    }

    /// Returns the open advances of a farmer; `None` if none are known here, or this phone was without its server for too long.
    pub(super) fn advances(&self, farmer_id: FarmerId, now: Timestamp) -> Result<Option<Advances>, Error> {
        if self.author.require_contact().is_err() {
            return Ok(None);
        }
        let today = self.instant(now).date();
        let open = open_advances(&advances_of(self.db, self.author, farmer_id)?, today);
        let outstanding_minor = outstanding(&open)?.minor();
        let line = |it: OpenAdvance| AdvanceLine {
            date: it.date,
            kind: match it.kind {
                AdvanceKind::Cash => AdvanceWord::Cash,
                AdvanceKind::OnAccount { .. } => AdvanceWord::OnAccount,
                AdvanceKind::InKind { .. } | AdvanceKind::Returned { .. } => AdvanceWord::InKind,
            },
            amount_minor: it.amount_minor.minor(),
            outstanding_minor: it.outstanding_minor.minor(),
            age_days: it.age_days,
        };
        let lines: Vec<AdvanceLine> = open.into_iter().map(line).collect();
        Ok((!lines.is_empty()).then_some(Advances { lines, outstanding_minor }))
    }

    /// Calls `visit` for each delivery that fulfils the filter, oldest first, with its totals.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for more than [`MAX_REPORT_ROWS`].
    pub(super) fn each_delivery(
        &self,
        filter: &DeliveryFilter,
        visit: &mut dyn FnMut(&DeliveryRow, &Delivery, &Totals) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let scopes = self.author.season_scopes();
        let mut part = Part { order: ListOrder::OldestFirst, after: None, limit: MAX_PAGE };
        let mut visited = 0;
        loop {
            let page = rows::deliveries(&mut seam(self.db), &scopes, filter, &part)?;
            let Some(last) = page.last() else { return Ok(()) };
            part.after = Some(last.key());
            visited += page.len();
            if visited > MAX_REPORT_ROWS {
                let reason = format!("a paper has at most {MAX_REPORT_ROWS} deliveries: choose a shorter period");
                return Err(Error::TooLarge { field: "rows", reason });
            }
            for row in &page {
                let Some(found) = get::<Delivery>(&mut seam(self.db), row.delivery_id)? else { continue };
                let rules = self.author.reference.rule_set(found.record.rule_set);
                let totals = weigh(&WeightInput::from(&found.record), rules).totals();
                visit(row, &found.record, &totals)?;
            }
        }
    }
}
