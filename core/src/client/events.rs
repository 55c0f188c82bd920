//! Events: notify an app that something changed, by topic. Owns a change number for each topic. There is no queue: an event says what to
//! read again, not what happened, so a slow or cancelled listener loses nothing.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::FieldClient;
pub use crate::records::Topic;
use crate::sync::Progress;

/// Topics to read again, and the progress of a running sync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Number of the newest change; pass it to the next [`Events::next`].
    pub sequence: u64,
    /// Topics that changed after the number that was waited for, in the order of [`Topic::ALL`].
    pub topics: Vec<Topic>,
    /// Progress of the running sync; `None` while none runs.
    pub progress: Option<SyncProgress>,
}

/// Progress of a running sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncProgress {
    /// Own changes that the server has answered, with any verdict, plus log entries read.
    pub done: u64,
    /// All own changes and log entries to exchange, as far as known; `done` is included.
    pub total: u64,
}

impl From<Progress> for SyncProgress {
    fn from(progress: Progress) -> Self {
        Self {
            done: progress.sent.saturating_add(progress.read),
            total: progress.to_send.saturating_add(progress.to_read),
        }
    }
}

/// The change numbers of all topics, and the waits for a greater one.
#[derive(Debug)]
pub struct Events(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Change number of each topic, in the order of [`Topic::ALL`].
    changed: [u64; Topic::ALL.len()],
    sequence: u64,
    progress: Option<SyncProgress>,
    has_ended: bool,
    /// Wakers by the number of their wait, so that a dropped wait removes its own.
    waiting: BTreeMap<u64, Waker>,
    waits: u64,
}

impl Default for Events {
    fn default() -> Self {
        // A first wait, with 0, returns all topics.
        let changed = [1; Topic::ALL.len()];
        let waiting = BTreeMap::new();
        Self(Mutex::new(State { changed, sequence: 1, progress: None, has_ended: false, waiting, waits: 0 }))
    }
}

impl Events {
    /// Waits for a change after number `after`, the [`Event::sequence`] of the last event; 0 returns all topics at once. Resolves to `None`
    /// once the client is dropped or [`Self::end`] was called. Dropping the future loses no event.
    pub fn next(&self, after: u64) -> impl Future<Output = Option<Event>> {
        let mut state = self.state();
        state.waits += 1;
        Wait { events: self, after, number: state.waits }
    }

    /// Ends all present and future waits with `None`, and cancels every running and later sync of the client.
    pub fn end(&self) {
        self.change(|state| state.has_ended = true);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.state().has_ended
    }

    pub(super) fn changed(&self, topics: &[Topic]) {
        self.change(|state| {
            state.sequence += 1;
            for (topic, changed) in Topic::ALL.iter().zip(&mut state.changed) {
                if topics.contains(topic) {
                    *changed = state.sequence;
                }
            }
        });
    }

    pub(super) fn progressed(&self, progress: Option<Progress>, topics: &[Topic]) {
        self.state().progress = progress.map(SyncProgress::from);
        self.changed(topics);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_values().for_each(Waker::wake);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Wait<'a> {
    events: &'a Events,
    after: u64,
    number: u64,
}

impl Future for Wait<'_> {
    type Output = Option<Event>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        let (mut state, after) = (self.events.state(), self.after);
        if state.has_ended {
            return Poll::Ready(None);
        }
        if state.sequence <= after {
            state.waiting.insert(self.number, context.waker().clone());
            return Poll::Pending;
        }
        let newer = Topic::ALL.into_iter().zip(state.changed).filter(|(_, changed)| *changed > after);
        let topics = newer.map(|(topic, _)| topic).collect();
        Poll::Ready(Some(Event { sequence: state.sequence, topics, progress: state.progress }))
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.events.state().waiting.remove(&self.number);
    }
}

impl FieldClient {
    /// Runs `f` in a transaction and raises an event of `topics` after the commit. Changes of records are written by [`Self::act`] instead.
    pub(super) fn write<T, E: From<crate::store::Error>>(
        &self,
        topics: &[Topic],
        f: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let done = self.store.write(f)?;
        self.events.changed(topics);
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::{Context, Wake};

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicU32);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn changes_while_nobody_listened_are_notified_once() {
        let (events, woken) = (Events::default(), Arc::new(Woken::default()));
        let (waker, count) = (Arc::clone(&woken).into(), || woken.0.load(Ordering::Relaxed));
        let mut context = Context::from_waker(&waker);
        let mut next = |after: u64| match pin!(events.next(after)).poll(&mut context) {
            Poll::Ready(event) => event.map(|event| (event.sequence, event.topics)),
            Poll::Pending => Some((0, Vec::new())),
        };
        assert_eq!(next(0), Some((1, Topic::ALL.to_vec())));
        assert_eq!(next(1), Some((0, Vec::new())));
        assert_eq!(next(1), Some((0, Vec::new())), "given up and begun again");
        assert!(events.state().waiting.is_empty(), "who gave up is forgotten");
        events.changed(&[Topic::Sync]);
        events.changed(&[Topic::Loads, Topic::Sync]);
        assert_eq!(count(), 0, "nobody waits");
        assert_eq!(next(1), Some((3, vec![Topic::Loads, Topic::Sync])));
        assert_eq!(next(2), Some((3, vec![Topic::Loads, Topic::Sync])));
        assert_eq!(next(3), Some((0, Vec::new())));
        events.end();
        assert_eq!(next(0), None);
    }

    #[test]
    fn who_waits_is_woken_once_by_each_change_until_the_end() {
        let (events, woken) = (Events::default(), Arc::new(Woken::default()));
        let (waker, count) = (Arc::clone(&woken).into(), || woken.0.load(Ordering::Relaxed));
        let mut context = Context::from_waker(&waker);
        let mut wait = pin!(events.next(1));
        assert!(wait.as_mut().poll(&mut context).is_pending());
        assert!(wait.as_mut().poll(&mut context).is_pending(), "polled again without need");
        events.changed(&[Topic::Sync]);
        events.changed(&[Topic::Loads]);
        assert_eq!(count(), 1, "by the first change, and no more until somebody waits again");
        assert!(wait.as_mut().poll(&mut context).is_ready());
        let mut last = pin!(events.next(3));
        assert!(last.as_mut().poll(&mut context).is_pending());
        events.end();
        assert_eq!(count(), 2);
        assert_eq!(last.as_mut().poll(&mut context), Poll::Ready(None));
    }
}
