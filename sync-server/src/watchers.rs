//! Who is told how far logs are, within this process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use farmtally_core::protocol::log::Cursor;
use farmtally_core::units::OrganisationId;
use tokio::sync::broadcast;

/// The heads of the logs that one transaction appended to.
pub(crate) type Appended = Arc<[Cursor]>;

/// How many commits a listener may lag behind before it is told only the newest heads.
const WATCHED_COMMITS: usize = 256;

/// Who watches which organisation.
#[derive(Debug, Default)]
pub(crate) struct Watchers(Mutex<BTreeMap<OrganisationId, broadcast::Sender<Appended>>>);

impl Watchers {
    /// Receives what is announced from now on.
    pub(crate) fn watch(&self, organisation: OrganisationId) -> broadcast::Receiver<Appended> {
        self.sender(organisation).subscribe()
    }

    /// Announces how far logs are that a commit appended to.
    pub(crate) fn announce(&self, organisation: OrganisationId, heads: Appended) {
        // It fails only if nobody listens.
        drop(self.sender(organisation).send(heads));
    }

    fn sender(&self, organisation: OrganisationId) -> broadcast::Sender<Appended> {
        let mut senders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        senders.entry(organisation).or_insert_with(|| broadcast::Sender::new(WATCHED_COMMITS)).clone()
    }
}
