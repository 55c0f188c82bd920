//! Listening for news.
//!
//! Owns when an app is woken: when the server has something that this phone has not read. Fetching it is sync's.

use std::ops::ControlFlow;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::FieldClient;
use crate::Error;
use crate::protocol::path;
use crate::store::incoming;
use crate::sync::Live;
use crate::sync::exchange::{challenge, signed_request};
use crate::sync::live;
use crate::sync::retry_schedule::{RetrySchedule, RunEnd};

/// Counts the calls that ended listening, and wakes whoever waits to connect again.
#[derive(Default)]
pub(super) struct Stops {
    count: Mutex<u64>,
    counted: Condvar,
}

impl Stops {
    fn count(&self) -> u64 {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.counted.notify_all();
    }

    /// Waits for this time, or until somebody stops what began at this count.
    fn wait(&self, begun_at: u64, time: Duration) {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.counted.wait_timeout_while(count, time, |count| *count == begun_at));
    }
}

impl FieldClient {
    /// Listens until [`FieldClient::stop_listening`], and calls `on_wake` whenever the server has something that this phone has not read:
    /// run a sync then, in `on_wake` or elsewhere. Connects again by itself, after waits like those between syncs.
    ///
    /// Nothing depends on it: without it the same news comes with the next sync. Blocks the calling thread; a device has one listener, a
    /// further one takes its place.
    ///
    /// # Errors
    /// [`Error::SignIn`] if the device is not enrolled; [`Error::Store`]. A server that does not know the device is asked again: the next sync
    /// says what is wrong, or mends it.
    pub fn listen(&self, server: &dyn Live, on_wake: &dyn Fn()) -> Result<(), Error> {
        let begun_at = self.listening.count();
        let (mut retry_schedule, mut fresh) = (RetrySchedule::default(), None);
        while self.listening.count() == begun_at {
            let installation = self.installation()?;
            let challenge_now = fresh.unwrap_or(installation.challenge);
            let request = signed_request("GET", &installation, challenge_now, path::LIVE, Vec::new());
            let (mut has_heard, mut failed) = (false, None);
            let answered = server.listen(&request, &mut |heard| {
                if self.listening.count() != begun_at {
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
                // After a change of keys it is another device that listens.
                match self.installation() {
                    Ok(now) if now.device == installation.device => ControlFlow::Continue(()),
                    _ => ControlFlow::Break(()),
                }
            });
            if let Some(error) = failed {
                return Err(error);
            }
            let ended = match answered {
                Ok(answer) if answer.status == 401 => match challenge(&answer) {
                    // A server that was set back may have forgotten this device, until a sync shows it the certificate.
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
            let now_ms = self.environment.clock.monotonic_ms();
            retry_schedule.run_ended(ended, now_ms, self.random_u64());
            self.listening.wait(begun_at, Duration::from_millis(retry_schedule.wait_ms(now_ms).unwrap_or(0)));
        }
        Ok(())
    }

    /// Ends every listener that has begun, within seconds.
    pub fn stop_listening(&self) {
        self.listening.stop();
    }

    /// Whether a line from the server names more than this phone has read.
    fn is_behind(&self, line: &str) -> Result<bool, Error> {
        let Some((scope, sequence)) = live::head(line) else { return Ok(false) };
        let read = || {
            let organisation = self.installation()?.organisation;
            Ok::<_, Error>(self.store.read(|db| incoming::cursor(db, organisation, &scope))?.sequence)
        };
        if sequence <= read()? {
            return Ok(false);
        }
        // A sync that is running may be about to fetch it, and may be the cause of it too.
        drop(self.syncing.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(sequence > read()?)
    }
}
