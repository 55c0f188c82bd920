//! Wrong clocks: with an offset, a drift, jumps, an empty battery, and times for which the device is off or sleeps.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};

use farmtally_core::environment::{Clock, Environment};
use farmtally_core::units::Timestamp;

use crate::SeededEntropy;

/// 06:30 Indian time on 9 May 2019, in milliseconds since 1970.
pub const START: i64 = 1_557_363_600_000;
const YEAR: i64 = 365 * 24 * 3_600_000;
/// Largest offset of a clock from the true time, either way, in milliseconds.
pub const FAR: i64 = 50 * YEAR;

/// Number of the server's device.
pub const SERVER: u8 = u8::MAX;

/// The true time of the world in milliseconds, which no clock shows exactly.
pub type TrueTime = Arc<AtomicI64>;

/// The clocks of a device. The wall clock has an offset and a drift; the boot clock counts the true time since the device was switched on, also
/// while it sleeps.
pub struct SkewedClock {
    time: TrueTime,
    off_ms: AtomicI64,
    drift_per_million: i64,
    /// Number of the device, from which the ids of its boots follow.
    device: u8,
    boots: AtomicU8,
    /// Milliseconds from [`START`] until it was switched on.
    booted_ms: AtomicI64,
}

impl SkewedClock {
    /// The clocks of a device that was switched on at [`START`]; its wall clock was right then, and drifts since.
    pub fn new(time: &TrueTime, drift_per_million: i64, device: u8) -> Arc<Self> {
        Arc::new(Self {
            time: Arc::clone(time),
            off_ms: AtomicI64::new(0),
            drift_per_million,
            device,
            boots: AtomicU8::new(0),
            booted_ms: AtomicI64::new(0),
        })
    }

    /// Moves the wall clock by `by_ms`; its offset stays within 50 years either way.
    pub fn jump(&self, by_ms: i64) {
        let off = self.off_ms.load(Ordering::Relaxed).saturating_add(by_ms).clamp(-FAR, FAR);
        self.off_ms.store(off, Ordering::Relaxed);
    }

    /// Sets the wall clock.
    pub fn shows(&self, now: Timestamp) {
        self.off_ms.fetch_add(now.0 - self.now().0, Ordering::Relaxed);
    }

    /// Sets the wall clock right.
    pub fn is_set_right(&self) {
        self.shows(Timestamp(START + self.elapsed()));
    }

    /// Switches the device off and on. Its app must not be running.
    pub fn boots(&self) {
        self.booted_ms.store(self.elapsed(), Ordering::Relaxed);
        self.boots.fetch_add(1, Ordering::Relaxed);
    }

    /// Lets the true time pass, for all clocks.
    pub fn pass(&self, ms: u64) {
        self.time.fetch_add(i64::try_from(ms).unwrap_or(0), Ordering::Relaxed);
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
        u64::try_from(self.elapsed() - self.booted_ms.load(Ordering::Relaxed)).unwrap_or(0)
    }

    fn boot_id(&self) -> [u8; 16] {
        let mut id = [self.device; 16];
        id[0] = self.boots.load(Ordering::Relaxed);
        id
    }
}
