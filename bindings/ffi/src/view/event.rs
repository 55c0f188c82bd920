use farmtally_core::client;

use super::SyncProgress;

/// What may have to be read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Topic {
    /// Who uses the phone, what they may do
    Session,
    /// Commodities, bag types, lorries
    Reference,
    /// Deliveries and drafts
    Deliveries,
    /// Farmers
    Farmers,
    /// Loads
    Loads,
    /// What waits for a person
    Inbox,
    /// What the server does not have yet, and how far a sync is
    Sync,
}

impl From<client::Topic> for Topic {
    fn from(topic: client::Topic) -> Self {
        match topic {
            client::Topic::Session => Self::Session,
            client::Topic::Reference => Self::Reference,
            client::Topic::Deliveries => Self::Deliveries,
            client::Topic::Farmers => Self::Farmers,
            client::Topic::Loads => Self::Loads,
            client::Topic::Inbox => Self::Inbox,
            client::Topic::Sync => Self::Sync,
        }
    }
}

/// Something has changed: read again what is on the screen and of these topics.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Event {
    /// Hand it in to wait for what is newer
    pub sequence: u64,
    /// What has changed
    pub topics: Vec<Topic>,
    /// How far the running sync is; none while none runs
    pub progress: Option<SyncProgress>,
}

impl From<client::Event> for Event {
    fn from(event: client::Event) -> Self {
        Self {
            sequence: event.sequence,
            topics: event.topics.into_iter().map(Topic::from).collect(),
            progress: event.progress.map(SyncProgress::from),
        }
    }
}
