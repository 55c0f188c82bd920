//! Time and chance of a replayed day.
//!
//! Owns a clock that stands until it is moved, and chance from a seed. Everybody in the demo shares the clock; each has a stream of chance of their own,
//! so that a run with the same seed makes the same ids, keys and numbers. Never use such keys for real data: whoever knows the seed knows them.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use farmtally_core::environment::{Clock, Entropy, Environment};
use farmtally_core::units::{BusinessDate, Timestamp};
use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};

/// Minutes that India is ahead of UTC.
pub(crate) const INDIA_MINUTES: i16 = 330;

/// A clock that moves only when something is done.
#[derive(Debug)]
pub(crate) struct DayClock {
    now_ms: AtomicI64,
}

impl DayClock {
    /// Half past five in the morning in India, which is midnight in UTC.
    pub(crate) fn at_dawn(date: BusinessDate) -> Arc<Self> {
        Arc::new(Self { now_ms: AtomicI64::new(i64::from(date.0) * 86_400_000) })
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, time: Duration) {
        self.now_ms.fetch_add(i64::try_from(time.as_millis()).unwrap_or(0), Ordering::Relaxed);
    }

    /// The time of day in India, as `09:05`.
    pub(crate) fn time_of_day(&self) -> String {
        let minutes = (self.now().0 / 60_000 + i64::from(INDIA_MINUTES)).rem_euclid(24 * 60);
        format!("{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

impl Clock for DayClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now_ms.load(Ordering::Relaxed))
    }

    fn zone_minutes(&self) -> i16 {
        INDIA_MINUTES
    }

    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.now().0).unwrap_or(0)
    }
}

struct SeededEntropy(Mutex<ChaCha8Rng>);

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(bytes);
    }
}

/// The shared clock, and a stream of chance: the same seed and stream give the same bytes, other streams give others.
pub(crate) fn environment(clock: &Arc<DayClock>, seed: u64, stream: u64) -> Environment {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    chance.set_stream(stream);
    Environment { clock: Arc::clone(clock) as Arc<dyn Clock>, entropy: Arc::new(SeededEntropy(Mutex::new(chance))) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn the_day_begins_at_half_past_five_in_india() {
        for date in ["2021-02-18", "1970-01-01", "1903-07-01"] {
            let date: BusinessDate = date.parse().unwrap();
            let clock = DayClock::at_dawn(date);
            assert_eq!((clock.time_of_day(), clock.now().date(INDIA_MINUTES)), ("05:30".to_owned(), date));
            clock.pass(Duration::from_secs(18 * 3600 + 29 * 60));
            assert_eq!((clock.time_of_day(), clock.now().date(INDIA_MINUTES)), ("23:59".to_owned(), date));
        }
    }

    #[test]
    fn chance_differs_by_seed_and_by_stream() {
        let clock = DayClock::at_dawn(BusinessDate(0));
        let bytes = |seed, stream| environment(&clock, seed, stream).random::<16>();
        assert_eq!(bytes(1, 1), bytes(1, 1));
        assert_ne!(bytes(1, 1), bytes(1, 2));
        assert_ne!(bytes(1, 1), bytes(2, 1));
    }
}
