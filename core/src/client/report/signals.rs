//! Reports on what a person should look at: heaps that were perhaps recorded twice, instruments, unusual weights.

use super::scan::Weighed;
use super::{Cell, Run, Sink};
use crate::Error;
use crate::client::warnings::{instruments_used, warnings_of};
use crate::decisions::{Commodity, Instrument, WeighingRules};
use crate::records::Delivery;
use crate::records::draft::Draft;
use crate::rules::{Heap, Warning};
use crate::store::{heaps, records as stored, seam};
use crate::units::CentreCode;

pub(super) const DUPLICATES: [&str; 11] = [
    "date",
    "receipt_number",
    "farmer_code",
    "farmer_name",
    "clerk",
    "recorded_at",
    "bags",
    "gross_g",
    "other_receipt_number",
    "other_clerk",
    "other_recorded_at",
];
pub(super) const INSTRUMENTS: [&str; 7] =
    ["centre", "instrument", "instrument_type", "serial", "check", "certificate_date", "days"];
pub(super) const WEIGHING_PATTERNS: [&str; 9] =
    ["date", "receipt_number", "clerk", "check", "instrument", "number", "count", "value", "limit"];

impl Run<'_> {
    /// Passes on each delivery that may be the same heap as another one of its farmer and day, with the first such.
    pub(super) fn duplicates(&self, sink: Sink<'_>) -> Result<(), Error> {
        self.each_delivery(|row| !row.is_voided, &mut |Weighed { row, delivery, weight }| {
            if delivery.is_second_heap {
                return Ok(());
            }
            let heap = heaps::Weighed {
                delivery_id: Some(row.delivery_id),
                farmer_id: row.farmer_id,
                business_date: row.business_date,
                recorded_at: row.recorded_at,
                minutes: self.author.reference.windows_of(delivery.rule_set).duplicate_minutes,
                replaces: delivery.replaces,
                heap: Heap::from(&delivery),
            };
            let [Some(other)] = heaps::find(&mut seam(self.db), &[heap])?[..] else { return Ok(()) };
            let Some(other) = stored::get::<Delivery>(&mut seam(self.db), other)?.map(|found| found.record) else {
                return Ok(());
            };
            let mut cells = vec![Cell::text(row.business_date), Cell::text(delivery.receipt_number())];
            cells.extend(self.farmer_cells(row.farmer_id)?);
            cells.extend([
                self.clerk(row.user_id),
                Cell::text(row.recorded_at),
                Cell::number(weight.totals().bags),
                Cell::Number(weight.totals().gross_g.0),
                Cell::text(other.receipt_number()),
                self.clerk(other.recorded.user_id),
                Cell::text(other.recorded.written_at()),
            ]);
            sink(cells)
        })
    }

    /// Passes on the instruments that should not be used today as they are, for each centre that may use them.
    pub(super) fn instruments(&self, sink: Sink<'_>) -> Result<(), Error> {
        let reference = &self.author.reference;
        let known: Vec<&Instrument> = reference.all::<Instrument>().collect();
        let named = known.iter().map(|it| &it.code).collect();
        // The strictest rules of the day: an instrument may weigh any commodity.
        let rules = reference.all::<Commodity>().filter_map(|it| reference.rules_on(&it.code, self.today));
        let check_days = rules.map(|rules| rules.weighing.check_days).filter(|days| *days > 0).min();
        let weighing = WeighingRules { check_days: check_days.unwrap_or_default(), ..WeighingRules::default() };
        let centres = self.author.grant.centres.iter();
        let is_meant = |centre: &&CentreCode| self.query.centre.as_ref().is_none_or(|wanted| wanted == *centre);
        for centre in centres.filter(is_meant) {
            let used = instruments_used(self.db, self.author, centre, &named, weighing, None)?;
            for it in &known {
                for (check, days) in used.checks_on(&it.code, self.today) {
                    sink(vec![
                        Cell::text(centre),
                        Cell::text(&it.code),
                        Cell::text(it.instrument_type),
                        Cell::text(&it.serial),
                        Cell::text(check),
                        Cell::text(it.valid_until),
                        Cell::maybe_number(days),
                    ])?;
                }
            }
        }
        Ok(())
    }

    /// Passes on what the phone would warn about, of each delivery as it is now, by the instruments' checks of the time when it was recorded.
    pub(super) fn weighing_patterns(&self, sink: Sink<'_>) -> Result<(), Error> {
        self.each_delivery(|row| !row.is_voided, &mut |Weighed { row, delivery, .. }| {
            let rules = self.author.reference.rule_set(delivery.rule_set);
            let draft = Draft::again(&delivery, row.user_id);
            let warnings = warnings_of(self.db, self.author, &draft, rules, row.business_date, Some(row.recorded_at))?;
            for Warning { check, instrument, number, count, value, limit } in warnings {
                sink(vec![
                    Cell::text(row.business_date),
                    Cell::text(delivery.receipt_number()),
                    self.clerk(row.user_id),
                    Cell::text(check),
                    Cell::maybe(instrument),
                    Cell::maybe_number(number),
                    Cell::number(count),
                    Cell::maybe_number(value),
                    Cell::maybe_number(limit),
                ])?;
            }
            Ok(())
        })
    }
}
