//! Instruments: deliveries that a failed check puts in doubt, and warnings about a scale or meter while it is used.

use std::collections::BTreeMap;

use super::{Check, Warning};
use crate::decisions::Instrument;
use crate::records::draft::Draft;
use crate::records::{Delivery, Measured};
use crate::units::{BusinessDate, InstrumentCode, LotWeight, Timestamp};

/// Returns whether something of a delivery was weighed or read with an instrument after the first time and up to the second: a bag, lot or
/// reading that names it, or any if nothing of the delivery names an instrument.
pub fn is_in_doubt(delivery: &Delivery, instrument: &InstrumentCode, (after, until): (Timestamp, Timestamp)) -> bool {
    let bags = delivery.bags.iter().map(|it| (it.bag.scale.as_ref(), it.bag.weighed_at));
    let lots = delivery.lots.iter().map(|it| (it.lot.scale.as_ref(), it.lot.weighed_at));
    let readings = delivery.readings.iter().map(|it| (it.reading.meter.as_ref(), it.stamp.written_at()));
    let measured: Vec<_> = bags.chain(lots).chain(readings).collect();
    let names_none = measured.iter().all(|(named, _)| named.is_none());
    let is_by_it = |named: Option<&InstrumentCode>| names_none || named == Some(instrument);
    measured.into_iter().any(|(named, at)| after < at && at <= until && is_by_it(named))
}

/// The last check of an instrument that is not withdrawn, as far as a phone knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastCheck {
    /// Day of the check.
    pub date: BusinessDate,
    /// Whether it passed.
    pub has_passed: bool,
}

/// What is known about instruments when something is measured with them.
#[derive(Clone, Debug, Default)]
pub struct Instruments<'a> {
    /// Instruments of the reference data that were used, by code, each with its last check.
    pub used: BTreeMap<InstrumentCode, (&'a Instrument, Option<LastCheck>)>,
    /// Days after which a check is overdue; 0 if none is expected.
    pub check_days: u32,
    /// Minutes by which local time is ahead of UTC.
    pub zone_minutes: i16,
}

impl Instruments<'_> {
    /// Returns the checks that the use of an instrument on a day needs, whatever it shows, each with the number of days since the
    /// certificate expired or the last check, if there was one.
    pub fn checks_on(&self, code: &InstrumentCode, day: BusinessDate) -> Vec<(Check, Option<i64>)> {
        let Some((instrument, last)) = self.used.get(code) else { return Vec::new() };
        let since = |date: BusinessDate| i64::from(day.0) - i64::from(date.0);
        let mut checks = Vec::new();
        if day > instrument.valid_until {
            checks.push((Check::InstrumentExpired, Some(since(instrument.valid_until))));
        }
        match last {
            Some(last) if !last.has_passed => checks.push((Check::InstrumentCheckFailed, Some(since(last.date)))),
            Some(last) if since(last.date) < i64::from(self.check_days) => {}
            last if self.check_days > 0 => {
                checks.push((Check::InstrumentCheckOverdue, last.map(|last| since(last.date))));
            }
            _ => {}
        }
        checks
    }

    /// Returns the interval of an instrument at a value; `None` if it is not known.
    pub fn interval(&self, code: Option<&InstrumentCode>, value: i64) -> Option<i64> {
        let (instrument, _) = self.used.get(code?)?;
        let range = instrument.intervals.iter().find(|range| value <= i64::from(range.up_to_value));
        range.map(|range| i64::from(range.interval_value)).filter(|interval| *interval > 0)
    }

    /// Returns the warnings about what was weighed and read for a draft. Readings of a draft have no times: they are of `today`.
    pub fn warnings(&self, draft: &Draft, today: BusinessDate) -> Vec<Warning> {
        let mut found = Found::default();
        for (number, code, value, day) in self.measured(draft, today) {
            let Some((instrument, _)) = self.used.get(code) else { continue };
            for (check, days) in self.checks_on(code, day) {
                found.add(check, code, number, days, Some(self.check_days.into()));
            }
            let (least, most) = (i64::from(instrument.min_value), i64::from(instrument.max_value));
            if value < least {
                found.add(Check::BelowMinimum, code, number, Some(value), Some(least));
            }
            if value > most {
                found.add(Check::AboveMaximum, code, number, Some(value), Some(most));
            }
            if let Some(interval) = self.interval(Some(code), value).filter(|interval| value % interval != 0) {
                found.add(Check::OffInterval, code, number, Some(value), Some(interval));
            }
        }
        found.0.into_values().collect()
    }

    /// Returns each value of a draft that names an instrument: its number, the instrument, the value, and the day.
    fn measured<'d>(&self, draft: &'d Draft, today: BusinessDate) -> Vec<(u32, &'d InstrumentCode, i64, BusinessDate)> {
        let day = |at: Timestamp| at.date(self.zone_minutes);
        let mut measured = Vec::new();
        for bag in &draft.bags {
            measured.extend(bag.scale.iter().map(|it| (bag.number, it, bag.gross.grams().0, day(bag.weighed_at))));
        }
        for lot in &draft.lots {
            for weight in std::iter::once(lot.gross).chain(lot.vehicle).map(LotWeight::grams) {
                measured.extend(lot.scale.iter().map(|it| (lot.number, it, weight.0, day(lot.weighed_at))));
            }
        }
        for (place, reading) in (1..).zip(&draft.readings) {
            if let (Some(meter), Ok(Measured::Moisture(moisture))) = (&reading.meter, reading.measured()) {
                measured.push((place, meter, i64::from(moisture.hundredths()), today));
            }
        }
        measured
    }
}

/// Warnings by check and instrument.
#[derive(Default)]
struct Found(BTreeMap<(Check, InstrumentCode), Warning>);

impl Found {
    /// Counts one more value; the first one's figures stay.
    fn add(&mut self, check: Check, code: &InstrumentCode, number: u32, value: Option<i64>, limit: Option<i64>) {
        let instrument = Some(code.clone());
        let first = Warning { check, instrument, number: Some(number), count: 0, value, limit };
        self.0.entry((check, code.clone())).or_insert(first).count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decisions::{InstrumentInterval, InstrumentType};
    use crate::records::{Bag, BagSource, Reading};
    use crate::units::{BagType, Grams, Percent, UserId};

    const DAY: BusinessDate = BusinessDate(18_000);

    fn instrument(code: &str) -> Instrument {
        Instrument {
            code: code.parse().expect("a code"),
            instrument_type: InstrumentType::Scale,
            serial: String::new(),
            accuracy_class: String::new(),
            min_value: 1_000,
            max_value: 60_000,
            intervals: vec![
                InstrumentInterval { up_to_value: 30_000, interval_value: 10 },
                InstrumentInterval { up_to_value: 60_000, interval_value: 20 },
            ],
            certificate: String::new(),
            valid_until: DAY,
        }
    }

    fn draft(grams: &[i64], at: Timestamp) -> Draft {
        let code = |text: &str| text.parse().expect("a code");
        let user = UserId::from([1; 16]);
        let mut draft =
            Draft::new(user, "KOLAR".parse().expect("a code"), "2019".parse().expect("a code"), code("MAIZE"), DAY);
        draft.bags = (1..)
            .zip(grams)
            .map(|(number, grams)| Bag {
                number,
                gross: Grams(*grams).try_into().expect("in bounds"),
                bag_type: BagType::default(),
                source: BagSource::Manual,
                weighed_at: at,
                user_id: user,
                grade: None,
                scale: Some("SCALE7".parse().expect("a code")),
            })
            .collect();
        draft
    }

    fn codes(warnings: &[Warning]) -> Vec<(&str, Option<u32>, u32)> {
        warnings.iter().map(|it| (it.check.as_str(), it.number, it.count)).collect()
    }

    #[test]
    fn weights_off_the_interval_or_out_of_the_range_are_warned_about_at_the_edges() {
        let scale = instrument("SCALE7");
        let used = BTreeMap::from([(scale.code.clone(), (&scale, None))]);
        let instruments = Instruments { used, check_days: 0, zone_minutes: 0 };
        let noon = Timestamp(i64::from(DAY.0) * 86_400_000 + 43_200_000);
        for (grams, expected) in [
            (999, vec![("off_interval", Some(1), 1), ("below_minimum", Some(1), 1)]),
            (1_000, vec![]),
            (29_990, vec![]),
            (29_995, vec![("off_interval", Some(1), 1)]),
            (30_000, vec![]),
            (30_010, vec![("off_interval", Some(1), 1)]),
            (60_000, vec![]),
            (60_001, vec![("above_maximum", Some(1), 1)]),
        ] {
            let mut found = instruments.warnings(&draft(&[grams], noon), DAY);
            found.sort_by_key(|it| it.check != Check::OffInterval);
            assert_eq!(codes(&found), expected, "{grams}");
        }
        let two = instruments.warnings(&draft(&[30_000, 30_010, 30_030], noon), DAY);
        assert_eq!(codes(&two), [("off_interval", Some(2), 2)]);
        assert_eq!((two[0].value, two[0].limit), (Some(30_010), Some(20)));
        let unknown = Instruments { check_days: 1, ..Instruments::default() };
        assert_eq!(unknown.warnings(&draft(&[1], noon), DAY), []);
    }

    #[test]
    fn a_certificate_and_a_check_are_good_up_to_their_last_day() {
        let scale = instrument("SCALE7");
        let of = |last: Option<(i32, bool)>, check_days, day: BusinessDate| {
            let last = last.map(|(date, has_passed)| LastCheck { date: BusinessDate(date), has_passed });
            let used = BTreeMap::from([(scale.code.clone(), (&scale, last))]);
            let found = Instruments { used, check_days, zone_minutes: 0 }.checks_on(&scale.code, day);
            found.into_iter().map(|(check, days)| (check.as_str(), days)).collect::<Vec<_>>()
        };
        assert_eq!(of(None, 0, DAY), []);
        assert_eq!(of(None, 0, BusinessDate(DAY.0 + 1)), [("instrument_expired", Some(1))]);
        assert_eq!(of(None, 1, DAY), [("instrument_check_overdue", None)]);
        assert_eq!(of(Some((DAY.0, true)), 1, DAY), []);
        assert_eq!(of(Some((DAY.0 - 1, true)), 1, DAY), [("instrument_check_overdue", Some(1))]);
        assert_eq!(of(Some((DAY.0 - 6, true)), 7, DAY), []);
        assert_eq!(of(Some((DAY.0 - 7, true)), 7, DAY), [("instrument_check_overdue", Some(7))]);
        assert_eq!(of(Some((DAY.0, false)), 0, DAY), [("instrument_check_failed", Some(0))]);
    }

    #[test]
    fn a_bag_counts_for_the_day_in_the_organisations_zone_and_a_reading_for_today() {
        let scale = instrument("SCALE7");
        let mut meter = instrument("METER1");
        (meter.min_value, meter.max_value) = (1_000, 2_000);
        let used = BTreeMap::from([(scale.code.clone(), (&scale, None)), (meter.code.clone(), (&meter, None))]);
        let instruments = Instruments { used, check_days: 0, zone_minutes: 330 };
        let midnight = i64::from(DAY.0 + 1) * 86_400_000 - 330 * 60_000;
        assert_eq!(instruments.warnings(&draft(&[20_000], Timestamp(midnight - 1)), DAY), []);
        let late = instruments.warnings(&draft(&[20_000], Timestamp(midnight)), DAY);
        assert_eq!(codes(&late), [("instrument_expired", Some(1), 1)]);
        let mut read = draft(&[], Timestamp(0));
        let moisture = Measured::Moisture(Percent::try_from(2_010).expect("a share"));
        read.readings = vec![Reading { meter: Some(meter.code.clone()), ..Reading::new(moisture) }];
        assert_eq!(codes(&instruments.warnings(&read, DAY)), [("above_maximum", Some(1), 1)]);
    }
}
