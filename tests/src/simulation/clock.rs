//! Wrong clocks: with an offset, a drift and jumps.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use farmtally_core::environment::{Clock, Environment};
use farmtally_core::units::Timestamp;

use crate::SeededEntropy;

/// 06:30 Indian time on 9 May 2019, in milliseconds since 1970.
pub const START: i64 = 1_557_363_600_000;
const YEAR: i64 = 365 * 24 * 3_600_000;
/// Largest offset of a clock from the true time, either way, in milliseconds.
pub const FAR: i64 = 50 * YEAR;

/// The true time of the world in milliseconds, which no clock shows exactly.
pub type TrueTime = Arc<AtomicI64>;

/// A clock with an offset and a drift; its monotonic time is the true one.
pub struct SkewedClock {
    time: TrueTime,
    off_ms: AtomicI64,
    drift_per_million: i64,
}

impl SkewedClock {
    /// A clock that was right at [`START`], and drifts since.
    pub fn new(time: &TrueTime, drift_per_million: i64) -> Arc<Self> {
        Arc::new(Self { time: Arc::clone(time), off_ms: AtomicI64::new(0), drift_per_million })
    }

    /// Moves the clock by `by_ms`; its offset stays within 50 years either way.
    pub fn jump(&self, by_ms: i64) {
        let off = self.off_ms.load(Ordering::Relaxed).saturating_add(by_ms).clamp(-FAR, FAR);
        self.off_ms.store(off, Ordering::Relaxed);
    }

    fn elapsed(&self) -> i64 {
        self.time.load(Ordering::Relaxed) - START
    }

    /// This clock, with entropy from a seed.
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

    fn boot_ms(&self) -> u64 {
        u64::try_from(self.elapsed()).unwrap_or(0)
    }

    fn boot_id(&self) -> [u8; 16] {
        [1; 16]
    }
}
