//! Sources of time and randomness. Tests and the demo replace them, so that a run can be replayed byte for byte.

use std::sync::Arc;
use std::time::SystemTime;

use crate::units::Timestamp;

/// The clocks of a device. `docs/clocks.md` says what each is used for, and what else follows from them.
pub trait Clock: Send + Sync {
    /// Returns the wall clock's time. It may be wrong by decades, and jump either way at any moment, because people and networks set it.
    fn now(&self) -> Timestamp;
    /// Returns the boot clock: milliseconds since the device was switched on, or where the system does not name its boot since the clock was
    /// opened, including those that the device slept. It never decreases or jumps, and says nothing about the time for which it was off.
    fn boot_ms(&self) -> u64;
    /// Returns an id that stays the same until the device is switched off, if the system has one; otherwise until the process ends. Readings
    /// of the boot clock under one id can be compared.
    fn boot_id(&self) -> [u8; 16];
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
        Self { clock: Arc::new(SystemClock::of(boot_id())), entropy: Arc::new(SystemEntropy) }
    }

    /// Returns `N` random bytes.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes);
        bytes
    }

    /// Returns a new id (UUID version 7) that sorts by the wall clock's millisecond, and at random within it.
    pub fn new_id<T: From<[u8; 16]>>(&self) -> T {
        self.new_id_at(self.clock.now())
    }

    /// Returns a new id (UUID version 7) that sorts by the millisecond of `at`, and at random within it.
    pub fn new_id_at<T: From<[u8; 16]>>(&self, at: Timestamp) -> T {
        let at_ms = u64::try_from(at.0).unwrap_or(0);
        let id = uuid::Builder::from_unix_timestamp_millis(at_ms, &self.random()).into_uuid();
        T::from(id.into_bytes())
    }
}

struct SystemClock {
    boot_id: [u8; 16],
    /// Reading of the system's clock from which `boot_ms` counts: 0 if the system names the boot, otherwise that of the opening.
    since_ms: u64,
    /// Base of that clock where the system has none that includes sleep.
    #[cfg(not(unix))]
    started: std::time::Instant,
}

impl SystemClock {
    /// Returns a clock of the boot that the system names. Without a name, each clock is a boot of its own that begins now: its reading
    /// must not add the time since the device was switched on to every opening.
    fn of(boot_id: Option<[u8; 16]>) -> Self {
        let mut clock = Self {
            boot_id: [0; 16],
            since_ms: 0,
            #[cfg(not(unix))]
            started: std::time::Instant::now(),
        };
        if let Some(boot_id) = boot_id {
            clock.boot_id = boot_id;
        } else {
            SystemEntropy.fill(&mut clock.boot_id);
            clock.since_ms = clock.reading_ms();
        }
        clock
    }

    #[cfg(unix)]
    #[expect(clippy::unused_self, reason = "elsewhere it needs the base")]
    fn reading_ms(&self) -> u64 {
        use rustix::time::{ClockId, clock_gettime};
        // What `Instant` uses stops while the device sleeps: CLOCK_MONOTONIC on Linux and Android, CLOCK_UPTIME_RAW on Apple's systems.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let clock = ClockId::Boottime;
        // On Apple's systems this one includes sleep.
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let clock = ClockId::Monotonic;
        let time = clock_gettime(clock);
        let ms = time.tv_sec.saturating_mul(1_000).saturating_add(time.tv_nsec / 1_000_000);
        u64::try_from(ms).unwrap_or(0)
    }

    #[cfg(not(unix))]
    fn reading_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Returns the kernel's random id of this boot.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn boot_id() -> Option<[u8; 16]> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    uuid::Uuid::parse_str(text.trim()).ok().map(uuid::Uuid::into_bytes)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn boot_id() -> Option<[u8; 16]> {
    None
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // Before 1970 too, which chrono and std's durations do not know.
        let ms = |passed: std::time::Duration| i64::try_from(passed.as_millis()).unwrap_or(i64::MAX);
        Timestamp(SystemTime::UNIX_EPOCH.elapsed().map_or_else(|before| -ms(before.duration()), ms))
    }

    fn boot_ms(&self) -> u64 {
        self.reading_ms().saturating_sub(self.since_ms)
    }

    fn boot_id(&self) -> [u8; 16] {
        self.boot_id
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

#[cfg(test)]
mod tests {
    use super::{Clock, SystemClock};

    #[test]
    fn a_clock_without_the_systems_name_of_the_boot_counts_from_its_opening() {
        let (named, first, second) = (SystemClock::of(Some([1; 16])), SystemClock::of(None), SystemClock::of(None));
        assert!(first.since_ms > 0 && named.since_ms == 0);
        // The machine has been on for longer than this process.
        assert!(first.boot_ms() < named.boot_ms());
        assert_ne!(first.boot_id(), second.boot_id());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_boot_clock_counts_since_the_device_was_switched_on_and_sleep_too() {
        // The kernel's count includes sleep; it prints hundredths of a second.
        let uptime_ms = || -> u64 {
            let text = std::fs::read_to_string("/proc/uptime").expect("an uptime");
            let (seconds, hundredths) = text.split(' ').next().and_then(|it| it.split_once('.')).expect("a number");
            seconds.parse::<u64>().expect("seconds") * 1_000 + hundredths.parse::<u64>().expect("hundredths") * 10
        };
        let clock = super::Environment::system().clock;
        let (before, read, after) = (uptime_ms(), clock.boot_ms(), uptime_ms() + 10);
        assert!((before..=after).contains(&read), "{before} {read} {after}");
        assert_eq!(clock.boot_id(), super::Environment::system().clock.boot_id(), "one boot has one id");
    }
}
