//! Sources of time and randomness. Tests and the demo replace them, so that a run can be replayed byte for byte.

use std::sync::Arc;
use std::time::Instant;

use crate::units::Timestamp;

/// The clocks of a device. Nothing relies on the wall clock being right.
pub trait Clock: Send + Sync {
    /// Returns the wall clock's time.
    fn now(&self) -> Timestamp;
    /// Returns the minutes by which local time is ahead of UTC; negative if it is behind.
    fn zone_minutes(&self) -> i16;
    /// Returns the milliseconds since a moment that differs between processes; never decreases, and may stop while the device sleeps.
    fn monotonic_ms(&self) -> u64;
}

/// A source of unpredictable bytes.
pub trait Entropy: Send + Sync {
    /// Fills `bytes` with unpredictable bytes.
    fn fill(&self, bytes: &mut [u8]);
}

/// Clock and source of randomness with which a client or server was opened.
#[derive(Clone)]
pub struct Environment {
    /// Source of time.
    pub clock: Arc<dyn Clock>,
    /// Source of randomness.
    pub entropy: Arc<dyn Entropy>,
}

impl Environment {
    /// Returns the operating system's clock and randomness.
    pub fn system() -> Self {
        Self { clock: Arc::new(SystemClock { started: Instant::now() }), entropy: Arc::new(SystemEntropy) }
    }

    /// Returns `N` random bytes.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes);
        bytes
    }

    /// Returns a new id (UUID version 7) that sorts by the wall clock's millisecond, and at random within it.
    pub fn new_id<T: From<[u8; 16]>>(&self) -> T {
        let now_ms = u64::try_from(self.clock.now().0).unwrap_or(0);
        let id = uuid::Builder::from_unix_timestamp_millis(now_ms, &self.random()).into_uuid();
        T::from(id.into_bytes())
    }
}

struct SystemClock {
    started: Instant,
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp(chrono::Utc::now().timestamp_millis())
    }

    fn zone_minutes(&self) -> i16 {
        let seconds = chrono::Local::now().offset().local_minus_utc();
        i16::try_from(seconds / 60).unwrap_or(0)
    }

    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(
        clippy::panic,
        reason = "a device without randomness cannot make ids or keys; going on would be worse than stopping"
    )]
    fn fill(&self, bytes: &mut [u8]) {
        if let Err(error) = getrandom::fill(bytes) {
            panic!("no randomness from the system: {error}");
        }
    }
}
