//! The phone's time: the server's time at the last contact, plus what passed since by the boot clock. `docs/clocks.md` gives the reasons.
//!
//! The wall clock only bridges times for which the device was off, and raises doubt. Invariant: no limit is extended or ended because a
//! wall clock was set, except as [`Gap`] says.

use std::sync::PoisonError;

use super::{Author, FieldClient};
use crate::Error;
use crate::decisions::Season;
use crate::environment::Clock;
use crate::store::installation::Counters;
use crate::units::{BusinessDate, CommodityCode, SeasonCode, TRUSTED_LEAD_MS, Timestamp};

const DAY_MS: u64 = 24 * 3_600_000;
/// Longest time for which the device was off that is believed of a wall clock.
const LONGEST_GAP_MS: u64 = 14 * DAY_MS;
/// Time counted for a longer one: nothing tells a wrong wall clock from time that passed.
const SUSPECT_GAP_MS: u64 = 3 * DAY_MS;
/// Milliseconds by which the wall clock may be behind the server's time at the last contact before it is in doubt.
const CLOCK_SLACK_MS: i64 = 120_000;

/// The phone's time, and the time without contact with the server.
#[derive(Clone, Copy, Debug)]
pub(super) struct PhoneClock {
    /// Milliseconds without contact, up to `counted_to`.
    pub(super) idle_ms: u64,
    /// The phone's time at `counted_to`; 0 before the first contact.
    pub(super) now: Timestamp,
    /// Reading of the boot clock.
    pub(super) counted_to: u64,
}

impl PhoneClock {
    /// Returns the time that the counters have.
    pub(super) fn of(counters: &Counters) -> Self {
        Self { idle_ms: counters.idle_ms, now: counters.phone_time, counted_to: counters.boot_ms }
    }

    fn server_time(&self) -> Option<Timestamp> {
        (self.now.0 != 0).then_some(self.now)
    }

    /// Returns this time as of a later reading of the boot clock.
    fn up_to(self, counted_to: u64) -> Self {
        let passed_ms = counted_to.saturating_sub(self.counted_to);
        let now = self.server_time().map_or(self.now, |now| later(now, passed_ms));
        Self { idle_ms: self.idle_ms.saturating_add(passed_ms), now, counted_to }
    }

    /// Returns whether a wall clock that shows `wall` is in doubt: it is behind the last contact, or a day off the phone's time, either way.
    fn doubts(&self, wall: Timestamp) -> bool {
        let Some(now) = self.server_time() else { return false };
        let contact = now.0.saturating_sub_unsigned(self.idle_ms);
        wall.0 < contact.saturating_sub(CLOCK_SLACK_MS) || wall.0.abs_diff(now.0) > TRUSTED_LEAD_MS.unsigned_abs()
    }
}

fn later(at: Timestamp, by_ms: u64) -> Timestamp {
    Timestamp(at.0.saturating_add_unsigned(by_ms))
}

impl FieldClient {
    /// Returns the time without contact and the phone's time up to now.
    pub(super) fn phone_clock(&self) -> PhoneClock {
        let saved = *self.saved_phone_clock.lock().unwrap_or_else(PoisonError::into_inner);
        saved.up_to(self.environment.clock.boot_ms())
    }

    /// Returns the phone's time: the estimate of the server's, or the wall clock before the first contact.
    pub(super) fn now(&self) -> Timestamp {
        self.phone_clock().server_time().unwrap_or_else(|| self.environment.clock.now())
    }

    pub(super) fn is_clock_in_doubt(&self) -> bool {
        self.phone_clock().doubts(self.environment.clock.now())
    }

    /// Returns a new id that sorts by the phone's time.
    pub(super) fn new_id<T: From<[u8; 16]>>(&self) -> T {
        self.environment.new_id_at(self.now())
    }

    /// Returns the counters with the time up to now in them, for saving.
    pub(super) fn counters_at(&self, phone_clock: PhoneClock, counters: Counters) -> Counters {
        let clock = &self.environment.clock;
        let PhoneClock { idle_ms, now: phone_time, counted_to: boot_ms } = phone_clock;
        Counters { idle_ms, phone_time, boot_ms, boot_id: clock.boot_id(), seen_at: clock.now(), ..counters }
    }

    /// Replaces the counters and the phone's clock in memory by those that a transaction has saved and committed.
    pub(super) fn replace_counters(&self, counters: &mut Counters, saved: Counters) {
        *counters = saved;
        *self.saved_phone_clock.lock().unwrap_or_else(PoisonError::into_inner) = PhoneClock::of(&saved);
    }

    /// Begins the time without contact, and the phone's time with `server_time`, at the moment when the boot clock showed `contact_ms`; on
    /// disk, in one transaction with `save`, and in memory. The server must have signed an answer.
    pub(super) fn note_contact(
        &self,
        server_time: Timestamp,
        contact_ms: u64,
        save: impl FnOnce(&rusqlite::Connection) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let contact = PhoneClock { idle_ms: 0, now: server_time, counted_to: contact_ms };
        let mut counters = self.counters();
        let saved = self.counters_at(contact.up_to(self.environment.clock.boot_ms()), *counters);
        self.store.write(|db| {
            save(db)?;
            Ok::<_, Error>(saved.save(db)?)
        })?;
        self.replace_counters(&mut counters, saved);
        Ok(())
    }

    /// Returns today's date in the organisation's zone (in UTC before the first sync), by the phone's time. If the wall clock is in doubt,
    /// the server's clock may be the wrong one: then the date is that of the first clock, phone's time before wall clock, that is within a
    /// season.
    pub fn date(&self) -> BusinessDate {
        let reference = self.reference();
        let zone_minutes = reference.organisation().map_or(0, |organisation| organisation.zone_minutes);
        let date = self.now().date(zone_minutes);
        if !self.is_clock_in_doubt() {
            return date;
        }
        let is_in_season = |date: &BusinessDate| reference.all::<Season>().any(|season| season.covers(*date));
        [date, self.environment.clock.now().date(zone_minutes)].into_iter().find(is_in_season).unwrap_or(date)
    }

    /// Returns the season of a commodity today, and the day. If the clock is in doubt and no season covers that day, it is the nearest day
    /// that one covers, so that a person can begin and set the day.
    pub(super) fn season_today(
        &self,
        author: &Author,
        commodity: &CommodityCode,
    ) -> Result<(SeasonCode, BusinessDate), Error> {
        let date = self.date();
        let found = Self::season_of(author, commodity, date);
        let nearest = || {
            let seasons = author.reference.all::<Season>().filter(|season| season.commodity == *commodity);
            let days = seasons.map(|season| (season, date.max(season.from).min(season.to)));
            days.min_by_key(|(_, day)| day.0.abs_diff(date.0))
        };
        match (found, self.is_clock_in_doubt().then(nearest).flatten()) {
            (Err(_), Some((season, day))) => Ok((season.code.clone(), day)),
            (found, _) => Ok((found?, date)),
        }
    }
}

/// Returns the counters as of now, when the app starts.
pub(super) fn counted_to_now(saved: &Counters, clock: &dyn Clock) -> Counters {
    let (boot_id, boot_ms, seen_at) = (clock.boot_id(), clock.boot_ms(), clock.now());
    let gap = Gap::between(saved, boot_id, boot_ms, seen_at);
    let idle_ms = saved.idle_ms.saturating_add(gap.idle_ms);
    let phone_time = PhoneClock::of(saved).server_time().map_or(saved.phone_time, |time| later(time, gap.passed_ms));
    Counters { idle_ms, phone_time, boot_ms, boot_id, seen_at, ..*saved }
}

/// The time from when the counters were saved to an opening.
#[derive(Debug, PartialEq, Eq)]
struct Gap {
    /// What counts as time without contact.
    idle_ms: u64,
    /// What counts for the phone's time.
    passed_ms: u64,
}

impl Gap {
    /// Measures a gap by the boot clock if the device was not switched off. Otherwise it is what the wall clock shows, if that is 0 to 14 days
    /// after the wall clock then or the phone's time then, but never less than the time since the device was switched on. A wall clock that
    /// shows more is not believed; it counts as three days without contact, so that nobody works on for good by setting it.
    fn between(saved: &Counters, boot_id: [u8; 16], boot_ms: u64, wall: Timestamp) -> Self {
        if saved.boot_id == boot_id {
            let passed_ms = boot_ms.saturating_sub(saved.boot_ms);
            return Self { idle_ms: passed_ms, passed_ms };
        }
        let since = |at: Timestamp| u64::try_from(wall.0.saturating_sub(at.0)).ok();
        let shown = [since(saved.seen_at), PhoneClock::of(saved).server_time().and_then(since)];
        let believed = shown.into_iter().flatten().find(|gap_ms| *gap_ms <= LONGEST_GAP_MS);
        let passed_ms = believed.unwrap_or(0).max(boot_ms);
        let is_suspect = believed.is_none() && shown.iter().any(Option::is_some);
        Self { idle_ms: if is_suspect { passed_ms.max(SUSPECT_GAP_MS) } else { passed_ms }, passed_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::HybridTime;

    const DAY: i64 = 24 * 3_600_000;
    const USED: i64 = 18_000 * DAY;

    #[test]
    fn a_wall_clock_is_in_doubt_before_the_last_contact_and_a_day_off_the_phones_time() {
        let phone_clock = PhoneClock { idle_ms: 10 * DAY_MS, now: Timestamp(USED), counted_to: 0 };
        for (wall, is_in_doubt) in [
            (USED, false),
            (USED + DAY, false),
            (USED + DAY + 1, true),
            (USED - DAY, false),
            (USED - DAY - 1, true),
            (0, true),
        ] {
            assert_eq!(phone_clock.doubts(Timestamp(wall)), is_in_doubt, "{wall}");
            let new = PhoneClock { now: Timestamp(0), ..phone_clock };
            assert!(!new.doubts(Timestamp(wall)), "nothing is known before the first contact");
        }
        let fresh = PhoneClock { idle_ms: 0, ..phone_clock };
        assert!(!fresh.doubts(Timestamp(USED - CLOCK_SLACK_MS)));
        assert!(fresh.doubts(Timestamp(USED - CLOCK_SLACK_MS - 1)));
    }

    #[test]
    fn a_gap_is_measured_by_the_boot_clock_and_otherwise_believed_within_bounds() {
        // A phone that had been on for two days when it was last used.
        let saved = |seen_at: i64| Counters {
            receipts: 0,
            loads: 0,
            farmers: 0,
            actions: 0,
            hybrid: HybridTime::default(),
            idle_ms: DAY_MS,
            phone_time: Timestamp(USED),
            boot_id: [1; 16],
            boot_ms: 2 * DAY_MS,
            seen_at: Timestamp(seen_at),
        };
        let gap = |seen_at, boot: u8, boot_ms, wall| {
            let Gap { idle_ms, passed_ms } = Gap::between(&saved(seen_at), [boot; 16], boot_ms, Timestamp(wall));
            (idle_ms, passed_ms)
        };
        for wall in [0, USED + 300 * DAY] {
            let counted = gap(USED, 1, 3 * DAY_MS, wall);
            assert_eq!(counted, (DAY_MS, DAY_MS), "on since then: the wall clock does not matter");
        }
        for (wall, counted) in [
            (USED + 5 * DAY, (5 * DAY_MS, 5 * DAY_MS)),
            (USED + 14 * DAY, (14 * DAY_MS, 14 * DAY_MS)),
            (USED + 14 * DAY + 1, (SUSPECT_GAP_MS, 1_000)),
            (USED + 9_000 * DAY, (SUSPECT_GAP_MS, 1_000)),
            (USED, (1_000, 1_000)),
            (USED - 1, (1_000, 1_000)),
            (0, (1_000, 1_000)),
        ] {
            assert_eq!(gap(USED, 2, 1_000, wall), counted, "off in between, {wall}");
        }
        for wrong in [0, USED - 400 * DAY, USED + 300 * DAY] {
            let counted = gap(wrong, 2, 1_000, USED + DAY);
            assert_eq!(counted, (DAY_MS, DAY_MS), "the wall clock was wrong then, and is right now");
        }
    }

    #[test]
    fn ids_sort_by_the_phones_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let client = FieldClient::open(folder.path(), crate::environment::Environment::system()).expect("it opens");
        let (first, second): (crate::units::DocumentId, crate::units::DocumentId) =
            (client.environment.new_id_at(Timestamp(1)), client.new_id());
        assert!(first < second);
    }
}
