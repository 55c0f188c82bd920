//! Pauses between the runs of a repeated transaction.

use std::time::Duration;

use farmtally_core::environment::Environment;

const FIRST_PAUSE_MS: u64 = 4;
const MAX_PAUSE_MS: u64 = 250;

/// Growing random pauses up to a time limit. With a fault every 3 to 28 ms, a limit of 50 tries was too low for 38 of 300 writes.
pub(super) struct Retries<'a> {
    environment: &'a Environment,
    until_ms: u64,
    pause_ms: u64,
}

impl<'a> Retries<'a> {
    pub(super) fn new(environment: &'a Environment, limit: Duration) -> Self {
        let limit_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        let until_ms = environment.clock.boot_ms().saturating_add(limit_ms);
        Self { environment, until_ms, pause_ms: FIRST_PAUSE_MS }
    }

    /// Sleeps for half to one and a half times the current pause and returns `true`; `false`, at once, if the time limit is reached.
    pub(super) fn pause(&mut self) -> bool {
        let left_ms = self.until_ms.saturating_sub(self.environment.clock.boot_ms());
        if left_ms == 0 {
            return false;
        }
        let random = u64::from(u16::from_le_bytes(self.environment.random()));
        let pause_ms = self.pause_ms / 2 + self.pause_ms * random / u64::from(u16::MAX);
        std::thread::sleep(Duration::from_millis(pause_ms.min(left_ms)));
        self.pause_ms = (self.pause_ms * 2).min(MAX_PAUSE_MS);
        true
    }
}
