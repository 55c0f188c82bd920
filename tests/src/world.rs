//! Clock and randomness under a test's control.

use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use farmtally_core::environment::{Clock, Entropy, Environment};
use farmtally_core::units::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// A clock that moves only when told to.
#[derive(Debug)]
pub struct TestClock {
    now_ms: AtomicI64,
    boot_ms: AtomicU64,
    boots: AtomicU8,
}

impl TestClock {
    /// A clock at this moment, of a device that was just switched on.
    pub fn at(now: Timestamp) -> Arc<Self> {
        Arc::new(Self { now_ms: AtomicI64::new(now.0), boot_ms: AtomicU64::new(0), boots: AtomicU8::new(1) })
    }

    /// Lets time pass, whether the device is awake or sleeps; `seconds` must not be negative.
    pub fn pass(&self, seconds: i64) {
        self.now_ms.fetch_add(seconds * 1000, Ordering::Relaxed);
        self.boot_ms.fetch_add(seconds.unsigned_abs() * 1000, Ordering::Relaxed);
    }

    /// Lets milliseconds pass.
    pub fn pass_ms(&self, ms: u64) {
        self.now_ms.fetch_add(i64::try_from(ms).expect("a short time"), Ordering::Relaxed);
        self.boot_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// Sets the wall clock ahead, or back for negative seconds, although no time passes.
    pub fn jump(&self, seconds: i64) {
        self.now_ms.fetch_add(seconds * 1000, Ordering::Relaxed);
    }

    /// Switches the device off and on; the wall clock shows `now` then. The app must be started again.
    pub fn boots_at(&self, now: Timestamp) {
        self.now_ms.store(now.0, Ordering::Relaxed);
        self.boot_ms.store(0, Ordering::Relaxed);
        self.boots.fetch_add(1, Ordering::Relaxed);
    }

    /// Switches the device off for these seconds, which the wall clock counts, and on. The app must be started again.
    pub fn is_off(&self, seconds: i64) {
        self.boots_at(Timestamp(self.now().0 + seconds * 1_000));
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now_ms.load(Ordering::Relaxed))
    }

    fn boot_ms(&self) -> u64 {
        self.boot_ms.load(Ordering::Relaxed)
    }

    fn boot_id(&self) -> [u8; 16] {
        [self.boots.load(Ordering::Relaxed); 16]
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
