//! Clock and randomness under a test's control.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use farmtally_core::environment::{Clock, Entropy, Environment};
use farmtally_core::units::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// A clock that moves only when told to.
#[derive(Debug)]
pub struct TestClock {
    now_ms: AtomicI64,
    monotonic_ms: AtomicU64,
    zone_minutes: i16,
}

impl TestClock {
    /// A clock at this moment, in the Indian time zone.
    pub fn at(now: Timestamp) -> Arc<Self> {
        Arc::new(Self { now_ms: AtomicI64::new(now.0), monotonic_ms: AtomicU64::new(0), zone_minutes: 330 })
    }

    /// Advances the wall clock and the monotonic clock; `seconds` must not be negative.
    pub fn pass(&self, seconds: i64) {
        self.now_ms.fetch_add(seconds * 1000, Ordering::Relaxed);
        self.monotonic_ms.fetch_add(seconds.unsigned_abs() * 1000, Ordering::Relaxed);
    }

    /// Sets the wall clock ahead, or back for negative seconds; the monotonic clock does not move.
    pub fn jump(&self, seconds: i64) {
        self.now_ms.fetch_add(seconds * 1000, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now_ms.load(Ordering::Relaxed))
    }

    fn zone_minutes(&self) -> i16 {
        self.zone_minutes
    }

    fn monotonic_ms(&self) -> u64 {
        self.monotonic_ms.load(Ordering::Relaxed)
    }
}

/// Random numbers from a seed.
pub struct SeededEntropy(Mutex<StdRng>);

impl SeededEntropy {
    /// Random numbers from this seed.
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(StdRng::seed_from_u64(seed))))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill(bytes);
    }
}

/// This clock, with random numbers from a seed.
pub fn environment(clock: &Arc<TestClock>, seed: u64) -> Environment {
    Environment { clock: Arc::clone(clock) as Arc<dyn Clock>, entropy: SeededEntropy::new(seed) }
}
