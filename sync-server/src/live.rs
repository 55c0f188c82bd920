//! Live signal: listening phones learn how far the logs are that they may read. Nothing depends on it.
//!
//! Owns the connections, one for each device: a new one replaces the last, which may belong to a network that is gone.
//! Invariants: a scope is named only while the device may read it; a listener that lags gets only the newest heads.
//! Read next: `http.rs` for the WebSocket, `watchers.rs` for the source of the heads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use farmtally_core::permission::Visibility;
use farmtally_core::protocol::log::Cursor;
use farmtally_core::protocol::path;
use farmtally_core::scope::Scope;
use farmtally_core::sync::WireRequest;
use farmtally_core::units::{DeviceId, OrganisationId};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, oneshot};
use tokio::time::{Interval, MissedTickBehavior};

use crate::watchers::Appended;
use crate::{Error, Server};

/// Interval of signs of life: proxies commonly close a connection that is silent for a minute.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// Default limit of listening phones: each holds a socket, and a process commonly may open 1,024.
pub const MAX_LISTENERS: usize = 500;

/// Connections of listening phones.
pub(crate) struct Listeners {
    most: AtomicUsize,
    /// Dropping an entry ends that connection; the sender of an ended connection is closed.
    taken: Mutex<BTreeMap<DeviceId, oneshot::Sender<()>>>,
}

impl Default for Listeners {
    fn default() -> Self {
        Self { most: AtomicUsize::new(MAX_LISTENERS), taken: Mutex::default() }
    }
}

impl Listeners {
    /// Registers a connection of a device and ends its previous one. The receiver closes when the connection must end; drop it afterwards.
    fn join(&self, device: DeviceId) -> Result<oneshot::Receiver<()>, Error> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.retain(|_, end| !end.is_closed());
        let most = self.most.load(Ordering::Relaxed);
        if taken.len() >= most && !taken.contains_key(&device) {
            return Err(Error::Busy { reason: format!("{most} phones listen already: sync without listening") });
        }
        let (end, ended) = oneshot::channel();
        taken.insert(device, end);
        Ok(ended)
    }

    /// Ends every connection; new ones are still accepted.
    pub(crate) fn end(&self) {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Connection of one listening phone.
pub(crate) struct Listener {
    server: Arc<Server>,
    organisation_id: OrganisationId,
    device_id: DeviceId,
    visible: Visibility,
    told: BTreeMap<Scope, u64>,
    appended: broadcast::Receiver<Appended>,
    ended: oneshot::Receiver<()>,
    heartbeat: Interval,
    /// Whether visibility and heads must be read before the next message.
    is_stale: bool,
}

impl Server {
    /// Sets how many phones may listen at the same time. Further ones are refused, and sync without; none is disconnected.
    pub fn limit_listeners(&self, most: usize) {
        self.listeners.most.store(most, Ordering::Relaxed);
    }

    /// Admits a phone that wants to listen. Blocks on the database.
    pub(crate) fn listen(self: &Arc<Self>, request: &WireRequest) -> Result<Listener, Error> {
        let (organisation, device) = self.authenticate(request, self.environment.clock.now())?;
        let device = device.device_id;
        // Subscribes before the heads are read: what is written in between is reported twice, not missed.
        let appended = self.watchers.watch(organisation);
        let visible = self.read(organisation, |db| db.visibility(device))?;
        let ended = self.listeners.join(device)?;
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        heartbeat.reset();
        let (server, told) = (Arc::clone(self), BTreeMap::new());
        Ok(Listener {
            server,
            organisation_id: organisation,
            device_id: device,
            visible,
            told,
            appended,
            ended,
            heartbeat,
            is_stale: true,
        })
    }
}

impl Listener {
    /// Returns the next message: one line for each scope, or an empty text as a sign of life. `None` when the connection must end.
    /// Cancel safe: it may be dropped while it waits, and called again.
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
                    Ok(heads) if heads.iter().all(|head| head.scope != Scope::Device(self.device_id)) => {
                        let said = self.changed_lines(&heads);
                        if !said.is_empty() {
                            return Some(said);
                        }
                    }
                    // Its grants or orders may have changed; or it lags, and the newest heads suffice.
                    Ok(_) | Err(RecvError::Lagged(_)) => self.is_stale = true,
                    Err(RecvError::Closed) => return None,
                },
                // Other processes may write to the same storage. They do not notify this one, so the heads are read.
                _ = self.heartbeat.tick() => self.is_stale = true,
            }
        }
    }

    /// Reads the scopes that the device may read now, and returns their heads. `None` if that fails, which is logged.
    async fn look(&mut self) -> Option<Vec<Cursor>> {
        let (server, organisation, device) = (Arc::clone(&self.server), self.organisation_id, self.device_id);
        let looked = tokio::task::spawn_blocking(move || {
            server.read(organisation, |db| {
                let visible = db.visibility(device)?;
                let mut heads = db.heads_within(&visible)?;
                heads.sort_by_cached_key(|head| head.scope.to_string());
                Ok((visible, heads))
            })
        });
        match looked.await.unwrap_or_else(|panic| Err(panic.into())) {
            Ok((visible, heads)) => {
                self.told.retain(|scope, _| visible.can_read(scope));
                self.visible = visible;
                Some(heads)
            }
            Err(error) => {
                error.log(path::LIVE);
                None
            }
        }
    }

    /// Returns lines for the heads that are visible to the device and new to it, and records them as sent.
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
