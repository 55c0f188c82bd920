//! Notification of new log heads, within this process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use farmtally_core::protocol::log::Cursor;
use farmtally_core::units::OrganisationId;
use tokio::sync::broadcast;

/// Heads of the logs that one transaction appended to.
pub(crate) type Appended = Arc<[Cursor]>;

/// Commits that a listener may lag behind; beyond that it reads only the newest heads.
const WATCHED_COMMITS: usize = 256;

/// Senders of new heads, by organisation.
#[derive(Debug, Default)]
pub(crate) struct Watchers(Mutex<BTreeMap<OrganisationId, broadcast::Sender<Appended>>>);

impl Watchers {
    /// Returns a receiver of all heads announced from now on.
    pub(crate) fn watch(&self, organisation: OrganisationId) -> broadcast::Receiver<Appended> {
        self.sender(organisation).subscribe()
    }

    pub(crate) fn notify(&self, organisation: OrganisationId, heads: Appended) {
        // Fails only if there is no receiver.
        drop(self.sender(organisation).send(heads));
    }

    fn sender(&self, organisation: OrganisationId) -> broadcast::Sender<Appended> {
        let mut senders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        senders.entry(organisation).or_insert_with(|| broadcast::Sender::new(WATCHED_COMMITS)).clone()
    }
}
