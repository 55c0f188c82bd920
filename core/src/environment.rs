//! What core takes from outside: the time and chance.
//!
//! Owns nothing; tests and the demo put their own in place, so that a day can be replayed to the byte.

use std::sync::Arc;
use std::time::Instant;

use crate::units::Timestamp;

/// Tells the time as the device believes it. Nothing relies on it being right.
pub trait Clock: Send + Sync {
    /// The wall clock.
    fn now(&self) -> Timestamp;
    /// Minutes that local time is ahead of UTC.
    fn zone_minutes(&self) -> i16;
    /// Milliseconds since some fixed moment, never running backwards while the process lives.
    fn monotonic_ms(&self) -> u64;
}

/// Unpredictable bytes.
pub trait Entropy: Send + Sync {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// The clock and the source of chance that a client or server was opened with.
#[derive(Clone)]
pub struct Environment {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives chance.
    pub entropy: Arc<dyn Entropy>,
}

impl Environment {
    /// The operating system's clock and randomness.
    pub fn system() -> Self {
        Self { clock: Arc::new(SystemClock { started: Instant::now() }), entropy: Arc::new(SystemEntropy) }
    }

    /// Random bytes, as many as the caller's type asks.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes);
        bytes
    }

    /// A new identifier that sorts by time (UUID version 7).
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
