//! Clocks that are wrong, each in its own way.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use farmtally_core::environment::{Clock, Environment};
use farmtally_core::units::Timestamp;

use crate::SeededEntropy;

/// Half past six in the start state of 9 May 2019, in Indian time.
pub const START: i64 = 1_557_363_600_000;
const YEAR: i64 = 365 * 24 * 3_600_000;
/// How far a clock may be wrong, either way.
pub const FAR: i64 = 50 * YEAR;

/// The true time of the world, which nobody sees.
pub type TrueTime = Arc<AtomicI64>;

/// A clock that is off, runs too fast or too slow, and jumps.
pub struct SkewedClock {
    time: TrueTime,
    off_ms: AtomicI64,
    drift_per_million: i64,
    zone_minutes: i16,
}

impl SkewedClock {
    /// A clock that is right at first.
    pub fn new(time: &TrueTime, drift_per_million: i64) -> Arc<Self> {
        Arc::new(Self { time: Arc::clone(time), off_ms: AtomicI64::new(0), drift_per_million, zone_minutes: 330 })
    }

    /// Sets the clock, by so much from what it shows; it never gets farther from the truth than 50 years.
    pub fn jump(&self, by_ms: i64) {
        let off = self.off_ms.load(Ordering::Relaxed).saturating_add(by_ms).clamp(-FAR, FAR);
        self.off_ms.store(off, Ordering::Relaxed);
    }

    fn elapsed(&self) -> i64 {
        self.time.load(Ordering::Relaxed) - START
    }

    /// This clock, and chance from a seed.
    pub fn environment(self: &Arc<Self>, seed: u64) -> Environment {
        Environment { clock: Arc::clone(self) as Arc<dyn Clock>, entropy: SeededEntropy::new(seed) }
    }
}

impl Clock for SkewedClock {
    fn now(&self) -> Timestamp {
        let elapsed = self.elapsed();
        let drift = elapsed / 1_000 * self.drift_per_million / 1_000;
        Timestamp(START + elapsed + drift + self.off_ms.load(Ordering::Relaxed))
    }

    fn zone_minutes(&self) -> i16 {
        self.zone_minutes
    }

    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.elapsed()).unwrap_or(0)
    }
}
