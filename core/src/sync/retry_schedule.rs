//! When to try again: a state machine without a clock of its own, which never gives up.
//!
//! Owns the waiting between tries that nobody asked for, and the breaker that spares a server which fails again and again. Times are
//! readings of one monotonic clock; it begins anew with the process, because whoever opens the app may try at once.

/// The wait after a first failure is at most this; each further failure doubles it.
const FIRST_MS: u64 = 2_000;
/// More would not fit; the wait is at its longest long before.
const MAX_DOUBLINGS: u32 = 16;
/// No wait is longer than this while the server is not to blame: signal comes and goes.
const MAX_MS: u64 = 5 * 60_000;
/// Failures of the server in a row after which it is left alone for a while.
const BROKEN_AFTER: u32 = 5;
/// How long it is left alone at most.
const BROKEN_MS: u64 = 20 * 60_000;

/// How a try ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunEnd {
    /// There is nothing more to do.
    Complete,
    /// It was cut short on purpose: the rest may follow at once.
    Slice,
    /// The server is well, but something waits for others.
    Waiting,
    /// No connection, or something on this phone.
    Failed,
    /// The server answered wrongly, or that it cannot.
    ServerFailed,
}

/// What became of the last tries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RetrySchedule {
    failures: u32,
    server_failures: u32,
    next_at_ms: Option<u64>,
}

impl RetrySchedule {
    /// A try has ended. `random` is any number: the wait is drawn with it from the upper half, so that many phones do not come at once.
    pub(crate) fn run_ended(&mut self, ended: RunEnd, now_ms: u64, random: u64) {
        match ended {
            RunEnd::Complete => *self = Self::default(),
            RunEnd::Slice => *self = Self { next_at_ms: Some(now_ms), ..Self::default() },
            RunEnd::Waiting => self.server_failures = 0,
            RunEnd::Failed => {}
            RunEnd::ServerFailed => self.server_failures = self.server_failures.saturating_add(1),
        }
        if matches!(ended, RunEnd::Waiting | RunEnd::Failed | RunEnd::ServerFailed) {
            self.failures = self.failures.saturating_add(1);
            let doubled = FIRST_MS << (self.failures - 1).min(MAX_DOUBLINGS);
            let longest = if self.is_broken() { BROKEN_MS } else { doubled.min(MAX_MS) };
            self.next_at_ms = Some(now_ms.saturating_add(longest / 2 + random % (longest / 2 + 1)));
        }
    }

    /// Milliseconds until the next try is due; `None` if there is nothing to try for.
    pub(crate) fn wait_ms(&self, now_ms: u64) -> Option<u64> {
        self.next_at_ms.map(|next_at_ms| next_at_ms.saturating_sub(now_ms))
    }

    /// Whether the server failed so often that it is left alone for a while.
    pub(crate) fn is_broken(&self) -> bool {
        self.server_failures >= BROKEN_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The shortest and the longest wait after each of `tries`.
    fn waits(tries: &[RunEnd]) -> Vec<(u64, u64)> {
        let (mut early, mut late) = (RetrySchedule::default(), RetrySchedule::default());
        let wait = |retry_schedule: &mut RetrySchedule, ended, random| {
            retry_schedule.run_ended(ended, 1_000, random);
            retry_schedule.wait_ms(1_000).expect("a next try")
        };
        tries
            .iter()
            .map(|ended| {
                let half = wait(&mut early, *ended, 0);
                (half, wait(&mut late, *ended, half))
            })
            .collect()
    }

    #[test]
    fn waits_double_up_to_a_bound_and_never_end() {
        let waits = waits(&[RunEnd::Failed; 100]);
        assert_eq!(waits[..4], [(1_000, 2_000), (2_000, 4_000), (4_000, 8_000), (8_000, 16_000)]);
        assert!(waits[8..].iter().all(|wait| *wait == (MAX_MS / 2, MAX_MS)), "{waits:?}");
    }

    #[test]
    fn a_server_that_fails_again_and_again_is_left_alone_and_then_tried_once() {
        let mut retry_schedule = RetrySchedule::default();
        for failure in 1..=20 {
            assert_eq!(retry_schedule.is_broken(), failure > BROKEN_AFTER);
            retry_schedule.run_ended(RunEnd::ServerFailed, 0, 0);
        }
        assert_eq!(retry_schedule.wait_ms(0), Some(BROKEN_MS / 2));
        assert_eq!(retry_schedule.wait_ms(BROKEN_MS), Some(0), "due, and then the next failure opens it again");
        retry_schedule.run_ended(RunEnd::Failed, BROKEN_MS, 0);
        assert!(retry_schedule.is_broken(), "no connection says nothing about the server");
        retry_schedule.run_ended(RunEnd::Waiting, BROKEN_MS, 0);
        assert!(!retry_schedule.is_broken(), "it answered well");
    }

    #[test]
    fn success_forgets_and_a_slice_goes_on_at_once() {
        let mut retry_schedule = RetrySchedule::default();
        retry_schedule.run_ended(RunEnd::ServerFailed, 0, 0);
        retry_schedule.run_ended(RunEnd::Slice, 7, 0);
        assert_eq!(retry_schedule.wait_ms(9), Some(0));
        retry_schedule.run_ended(RunEnd::Complete, 9, 0);
        assert_eq!(retry_schedule, RetrySchedule::default());
        assert_eq!(retry_schedule.wait_ms(9), None);
    }
}
