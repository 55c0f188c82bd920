//! Retry schedule for automatic syncs: exponential backoff with a circuit breaker. Never gives up.
//!
//! Pure: the caller supplies the boot clock, so a wait counts the time that the phone sleeps. A new process starts a new schedule, because a person who opens the app may sync at once.

/// Longest wait after the first failure; each further failure doubles it.
const FIRST_MS: u64 = 2_000;
/// Limit that keeps the shift in range; the wait reaches [`MAX_MS`] after eight doublings.
const MAX_DOUBLINGS: u32 = 16;
/// Longest wait while the circuit breaker is closed, because network coverage comes and goes.
const MAX_MS: u64 = 5 * 60_000;
/// Failures of the server, without a success between them, that open the circuit breaker; lost connections do not count.
const BROKEN_AFTER: u32 = 5;
/// Longest wait while the circuit breaker is open.
const BROKEN_MS: u64 = 20 * 60_000;

/// How a sync run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunEnd {
    Complete,
    /// It was cut short on purpose; the rest may follow at once.
    Slice,
    /// The server works, but something waits for others.
    Waiting,
    /// There was no connection, or something failed on this phone.
    Failed,
    /// The server reported a failure, or sent a wrong response.
    ServerFailed,
}

/// Outcome of the latest runs, and when the next one is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RetrySchedule {
    failures: u32,
    server_failures: u32,
    next_at_ms: Option<u64>,
}

impl RetrySchedule {
    /// Records the end of a run. `random` picks the wait from the upper half of the range, so that many phones do not sync at once.
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

    /// Returns the milliseconds until the next run is due, 0 if it is overdue; `None` if none is scheduled, and one may run.
    pub(crate) fn wait_ms(&self, now_ms: u64) -> Option<u64> {
        self.next_at_ms.map(|next_at_ms| next_at_ms.saturating_sub(now_ms))
    }

    /// Returns whether the circuit breaker is open.
    pub(crate) fn is_broken(&self) -> bool {
        self.server_failures >= BROKEN_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn success_resets_and_a_spent_budget_retries_at_once() {
        let mut retry_schedule = RetrySchedule::default();
        retry_schedule.run_ended(RunEnd::ServerFailed, 0, 0);
        retry_schedule.run_ended(RunEnd::Slice, 7, 0);
        assert_eq!(retry_schedule.wait_ms(9), Some(0));
        retry_schedule.run_ended(RunEnd::Complete, 9, 0);
        assert_eq!(retry_schedule, RetrySchedule::default());
        assert_eq!(retry_schedule.wait_ms(9), None);
    }
}
