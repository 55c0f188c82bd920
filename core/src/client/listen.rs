//! Live signal: wakes an app when the server has entries that this phone has not read. Fetching them is left to sync.

use std::ops::ControlFlow;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::FieldClient;
use crate::Error;
use crate::protocol::path;
use crate::store::incoming;
use crate::sync::Live;
use crate::sync::live;
use crate::sync::request::{challenge, signed_request};
use crate::sync::retry_schedule::{RetrySchedule, RunEnd};

/// Count of the calls that ended listening; a rise wakes listeners that wait to reconnect.
#[derive(Default)]
pub(super) struct Stops {
    count: Mutex<u64>,
    counted: Condvar,
}

/// Longest single wait for the next try.
const LONGEST_WAIT_MS: u64 = 10_000;

impl Stops {
    fn count(&self) -> u64 {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.counted.notify_all();
    }

    /// Waits for `time`, or until the count differs from `count_at_start`.
    fn wait(&self, count_at_start: u64, time: Duration) {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.counted.wait_timeout_while(count, time, |count| *count == count_at_start));
    }
}

impl FieldClient {
    /// Listens until [`FieldClient::stop_listening`], and calls `on_wake` on this thread whenever the server has something that neither
    /// this phone nor a running sync has read. Run a sync then, there or elsewhere. Reconnects by itself, as the retry schedule does.
    ///
    /// Optional: the next sync fetches the same entries. Run only one: a device's second connection ends the first, which then reconnects.
    ///
    /// # Errors
    /// [`Error::Unauthorized`] if the device is not enrolled; [`Error::Store`]. A server that does not know the device is no error here:
    /// the next sync reports or repairs it.
    pub fn listen(&self, server: &dyn Live, on_wake: &dyn Fn()) -> Result<(), Error> {
        let count_at_start = self.listening.count();
        let (mut retry_schedule, mut fresh) = (RetrySchedule::default(), None);
        while self.listening.count() == count_at_start {
            let installation = self.installation()?;
            let challenge_now = fresh.unwrap_or(installation.challenge);
            let request = signed_request("GET", &installation, challenge_now, path::LIVE, Vec::new());
            let (mut has_heard, mut failed) = (false, None);
            let answered = server.listen(&request, &mut |heard| {
                if self.listening.count() != count_at_start {
                    return ControlFlow::Break(());
                }
                let Some(line) = heard else { return ControlFlow::Continue(()) };
                has_heard = true;
                match self.is_behind(line) {
                    Ok(true) => on_wake(),
                    Ok(false) => {}
                    Err(error) => {
                        failed = Some(error);
                        return ControlFlow::Break(());
                    }
                }
                // After a change of keys the device has another id, so it connects again.
                match self.installation() {
                    Ok(now) if now.device_id == installation.device_id => ControlFlow::Continue(()),
                    _ => ControlFlow::Break(()),
                }
            });
            if let Some(error) = failed {
                return Err(error);
            }
            let ended = match answered {
                Ok(answer) if answer.status == 401 => match challenge(&answer) {
                    // A server restored from an old copy may not know this device until a sync presents the certificate.
                    Some(_) if fresh.is_some() => RunEnd::ServerFailed,
                    Some(challenge) => {
                        fresh = Some(challenge);
                        continue;
                    }
                    None => RunEnd::ServerFailed,
                },
                Ok(answer) if answer.status != 200 => RunEnd::ServerFailed,
                Ok(_) | Err(_) => RunEnd::Failed,
            };
            fresh = None;
            if has_heard {
                retry_schedule = RetrySchedule::default();
            }
            let now_ms = self.environment.clock.boot_ms();
            retry_schedule.run_ended(ended, now_ms, self.random_u64());
            self.wait_until_due(count_at_start, &retry_schedule);
        }
        Ok(())
    }

    /// Waits until the next try is due, or listeners are stopped. A wait of the system's stops while the phone sleeps, so it is cut into
    /// short ones, and the boot clock tells how much is left.
    fn wait_until_due(&self, count_at_start: u64, retry_schedule: &RetrySchedule) {
        let wait_ms = || retry_schedule.wait_ms(self.environment.clock.boot_ms()).unwrap_or(0);
        let mut awake_ms = wait_ms();
        while awake_ms > 0 && self.listening.count() == count_at_start {
            let next_ms = wait_ms().min(awake_ms).min(LONGEST_WAIT_MS);
            if next_ms == 0 {
                return;
            }
            self.listening.wait(count_at_start, Duration::from_millis(next_ms));
            awake_ms -= next_ms;
        }
    }

    /// Ends all running listeners within seconds.
    pub fn stop_listening(&self) {
        self.listening.stop();
    }

    /// Returns whether a line from the server names an unread entry. Waits for the end of a running sync, which may read it.
    fn is_behind(&self, line: &str) -> Result<bool, Error> {
        let Some((scope, sequence)) = live::head(line) else { return Ok(false) };
        let read = || {
            let organisation = self.installation()?.organisation_id;
            Ok::<_, Error>(self.store.read(|db| incoming::cursor(db, organisation, &scope))?.sequence)
        };
        if sequence <= read()? {
            return Ok(false);
        }
        // A running sync may be about to fetch the entry, or may have caused it.
        drop(self.syncing.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(sequence > read()?)
    }
}
