//! What listening phones are told: how far the logs are that they may read. Nothing else, and nothing depends on it.
//!
//! Owns who listens. Each device has one place: the newest connection takes it over, because the one before may be a network that is gone.
//! Invariants: a scope is named only while the device may read it; whoever cannot keep up is told the newest heads once, not every one.
//! Read next: `http.rs` for how it is carried, `Storage::watch` for where it comes from.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use farmtally_core::permission::Visibility;
use farmtally_core::protocol::log::Cursor;
use farmtally_core::scope::Scope;
use farmtally_core::sync::WireRequest;
use farmtally_core::units::{DeviceId, OrganisationId};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, oneshot};
use tokio::time::{Interval, MissedTickBehavior};

use crate::watchers::Appended;
use crate::{Error, Server};

/// How often a phone hears from the server though nothing is new: proxies commonly cut what is silent for a minute.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// Phones that may listen unless the operator says otherwise: each holds a socket, and a process commonly has 1,024.
pub const MAX_LISTENERS: usize = 500;

/// The phones whose connections wait for news.
pub(crate) struct Listeners {
    most: AtomicUsize,
    /// Dropping an entry ends that connection; the entry of a connection that has ended is closed.
    taken: Mutex<BTreeMap<DeviceId, oneshot::Sender<()>>>,
}

impl Default for Listeners {
    fn default() -> Self {
        Self { most: AtomicUsize::new(MAX_LISTENERS), taken: Mutex::default() }
    }
}

impl Listeners {
    /// Takes the device's place. What is returned ends when another connection takes it over, and frees the place when it is dropped.
    fn join(&self, device: DeviceId) -> Result<oneshot::Receiver<()>, Error> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.retain(|_, end| !end.is_closed());
        let most = self.most.load(Ordering::Relaxed);
        if taken.len() >= most && !taken.contains_key(&device) {
            return Err(Error::Busy { reason: format!("{most} phones listen already, sync without") });
        }
        let (end, ended) = oneshot::channel();
        taken.insert(device, end);
        Ok(ended)
    }

    /// Ends every connection; new ones may come.
    pub(crate) fn end(&self) {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// One phone that listens.
pub(crate) struct Listener {
    server: Arc<Server>,
    organisation: OrganisationId,
    device: DeviceId,
    visible: Visibility,
    told: BTreeMap<Scope, u64>,
    appended: broadcast::Receiver<Appended>,
    ended: oneshot::Receiver<()>,
    heartbeat: Interval,
    /// Whether visibility and heads must be read before anything more is said.
    is_stale: bool,
}

impl Server {
    /// How many phones may listen at the same time; more are refused, and sync without.
    pub fn limit_listeners(&self, most: usize) {
        self.listeners.most.store(most, Ordering::Relaxed);
    }

    /// Admits a phone that wants to listen. Blocks on the database.
    pub(crate) fn listen(self: &Arc<Self>, request: &WireRequest) -> Result<Listener, Error> {
        let (organisation, device) = self.authenticate(request, self.environment.clock.now())?;
        let device = device.device;
        // Watched before the heads are read: what is written in between is heard twice, not missed.
        let appended = self.watchers.watch(organisation);
        let visible = self.read(organisation, |db| db.visibility(device))?;
        let ended = self.listeners.join(device)?;
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        heartbeat.reset();
        let (server, told) = (Arc::clone(self), BTreeMap::new());
        Ok(Listener { server, organisation, device, visible, told, appended, ended, heartbeat, is_stale: true })
    }
}

impl Listener {
    /// What to say next: one line a scope, or nothing but a sign of life. `None` when the connection must end.
    ///
    /// May be dropped while it waits, and called again.
    pub(crate) async fn next(&mut self) -> Option<String> {
        loop {
            if self.is_stale {
                let heads = self.look().await?;
                self.is_stale = false;
                return Some(self.changed_lines(&heads));
            }
            tokio::select! {
                _replaced_or_stopped = &mut self.ended => return None,
                appended = self.appended.recv() => match appended {
                    Ok(heads) if heads.iter().all(|head| head.scope != Scope::Device(self.device)) => {
                        let said = self.changed_lines(&heads);
                        if !said.is_empty() {
                            return Some(said);
                        }
                    }
                    // Its grants or orders may have changed; or it fell behind, and the newest heads will do.
                    Ok(_) | Err(RecvError::Lagged(_)) => self.is_stale = true,
                    Err(RecvError::Closed) => return None,
                },
                // Other processes write to the same storage too: nobody says so, but the heads do.
                _ = self.heartbeat.tick() => self.is_stale = true,
            }
        }
    }

    /// Reads what the device may read now, and how far that is.
    async fn look(&mut self) -> Option<Vec<Cursor>> {
        let (server, organisation, device) = (Arc::clone(&self.server), self.organisation, self.device);
        let looked = tokio::task::spawn_blocking(move || {
            server.read(organisation, |db| {
                let visible = db.visibility(device)?;
                let mut heads = db.heads_within(&visible)?;
                heads.sort_by_cached_key(|head| head.scope.to_string());
                Ok((visible, heads))
            })
        });
        match looked.await {
            Ok(Ok((visible, heads))) => {
                self.told.retain(|scope, _| visible.can_read(scope));
                self.visible = visible;
                Some(heads)
            }
            Ok(Err(error)) => {
                tracing::error!(code = %error.code(), path = "/v1/live", "{error}");
                None
            }
            Err(_panicked) => None,
        }
    }

    /// Those of the heads that are new to the device and visible to it.
    fn changed_lines(&mut self, heads: &[Cursor]) -> String {
        let mut lines = Vec::new();
        for Cursor { scope, sequence, .. } in heads {
            if self.visible.can_read(scope) && self.told.get(scope) != Some(sequence) {
                self.told.insert(scope.clone(), *sequence);
                lines.push(format!("{scope} {sequence}"));
            }
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use farmtally_core::ErrorCode;

    use super::*;

    #[test]
    fn a_place_is_free_again_once_its_connection_has_gone() {
        let listeners = Listeners::default();
        listeners.most.store(1, Ordering::Relaxed);
        let [first, second] = [1, 2].map(|number| DeviceId::from([number; 16]));
        let mut replaced = listeners.join(first).expect("a place");
        assert_eq!(listeners.join(second).expect_err("full").code(), ErrorCode::RateLimited);
        let newest = listeners.join(first).expect("its own place");
        assert_eq!(replaced.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        drop(newest);
        listeners.join(second).expect("the place is free");
    }
}
