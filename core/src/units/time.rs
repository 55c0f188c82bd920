use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, NaiveDate};
use minicbor::{Decode, Encode};

use super::UnitError;

/// An instant, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Timestamp(#[n(0)] pub i64);

impl Timestamp {
    /// Returns the calendar day in a zone that is `zone_minutes` ahead of UTC.
    pub fn date(self, zone_minutes: i16) -> BusinessDate {
        let local_ms = self.0.saturating_add(i64::from(zone_minutes) * 60_000);
        BusinessDate(i32::try_from(local_ms.div_euclid(86_400_000)).unwrap_or(i32::MAX))
    }
}

/// Prints UTC to the second: `2026-11-21T10:30:00Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::from_timestamp_millis(self.0) {
            Some(time) => write!(f, "{}", time.format("%Y-%m-%dT%H:%M:%SZ")),
            None => write!(f, "{} ms", self.0),
        }
    }
}

/// A calendar day without time or zone, in days since 1970-01-01; in CBOR an int.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct BusinessDate(#[n(0)] pub i32);

impl BusinessDate {
    /// Returns the year, the month from 1 and the day from 1; `None` for a day that the calendar of this program does not reach.
    pub fn year_month_day(self) -> Option<(i32, u32, u32)> {
        NaiveDate::from_epoch_days(self.0).map(|date| (date.year(), date.month(), date.day()))
    }
}

/// Prints year, month and day: `2026-11-21`.
impl fmt::Display for BusinessDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NaiveDate::from_epoch_days(self.0) {
            Some(date) => date.fmt(f),
            None => write!(f, "day {}", self.0),
        }
    }
}

impl FromStr for BusinessDate {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d")
            .map(|date| Self(date.to_epoch_days()))
            .map_err(|_form| UnitError::new("not a date: write year-month-day, such as 2026-11-21"))
    }
}

/// A hybrid logical time: a device's time while it runs forward, and a counter while it does not.
///
/// Source: Kulkarni et al., *Logical Physical Clocks*, 2014.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(array)]
pub struct HybridTime {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    #[n(0)]
    pub wall_ms: i64,
    /// Distinguishes events within one millisecond, or while the wall clock is behind.
    #[n(1)]
    pub counter: u32,
}

/// Largest lead over a device's time at which a hybrid time is still followed, in milliseconds.
pub(crate) const TRUSTED_LEAD_MS: i64 = 24 * 3_600_000;

impl HybridTime {
    /// Returns the next time of a device whose newest time is this one, at its time `now`. It is later, unless this one is more than a day
    /// ahead of `now`: such a time came from a clock that was wrong, and is not followed.
    #[must_use]
    pub fn next(self, now: Timestamp) -> Self {
        if now.0 > self.wall_ms || self.is_too_far_ahead_of(now) {
            return Self { wall_ms: now.0, counter: 0 };
        }
        match self.counter.checked_add(1) {
            Some(counter) => Self { counter, ..self },
            None => Self { wall_ms: self.wall_ms.saturating_add(1), counter: 0 },
        }
    }

    /// Returns the later of this time and that of another device, or this time if the other is more than a day ahead of `now`.
    #[must_use]
    pub fn following(self, other: Self, now: Timestamp) -> Self {
        if other.is_too_far_ahead_of(now) { self } else { self.max(other) }
    }

    fn is_too_far_ahead_of(self, now: Timestamp) -> bool {
        self.wall_ms > now.0.saturating_add(TRUSTED_LEAD_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_read_and_print() {
        let date: BusinessDate = "2019-05-09".parse().expect("a date");
        assert_eq!(date.to_string(), "2019-05-09");
        assert_eq!(date.0, 18_025);
        for wrong in ["2019-02-29", "09-05-2019", "", "tomorrow"] {
            assert!(wrong.parse::<BusinessDate>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_day_turns_at_local_midnight() {
        let half_past_eleven_pm_utc = Timestamp(18_025 * 86_400_000 - 1_800_000);
        assert_eq!(half_past_eleven_pm_utc.date(0), BusinessDate(18_024));
        assert_eq!(half_past_eleven_pm_utc.date(330), BusinessDate(18_025));
        assert_eq!(Timestamp(-1).date(0), BusinessDate(-1));
    }

    #[test]
    fn hybrid_time_rises_although_the_clock_is_set_back_by_up_to_a_day() {
        let mut last = HybridTime::default();
        for now in [100, 100, 50, 200, 200 - TRUSTED_LEAD_MS, 199] {
            let next = last.next(Timestamp(now));
            assert!(next > last, "{next:?} after {last:?}");
            last = next;
        }
    }

    #[test]
    fn a_clock_more_than_a_day_ahead_is_not_followed() {
        let at = |wall_ms| HybridTime { wall_ms, counter: 0 };
        let now = Timestamp(1_000);
        for (lead, followed) in [(TRUSTED_LEAD_MS, true), (TRUSTED_LEAD_MS + 1, false)] {
            let other = at(now.0 + lead);
            assert_eq!(HybridTime::default().following(other, now) == other, followed);
            assert_eq!(other.next(now).wall_ms == other.wall_ms, followed);
        }
    }
}
