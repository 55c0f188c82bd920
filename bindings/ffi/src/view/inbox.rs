use farmtally_core::client::{Basis, Choice, InboxItem, InboxKind, RecordRef};
use farmtally_core::decisions::ReviewCode;
use farmtally_core::protocol::HoldCode;
use farmtally_core::records::{Conflict, Kind};
use farmtally_core::units::{ChangeHash, DeliveryId, DocumentId, FarmerId, LoadId, Timestamp};

/// An item of the inbox.
#[uniffi::remote(Record)]
pub struct InboxItem {
    /// Records that it concerns
    pub records: Vec<RecordRef>,
    /// Basis for resolve: pass this one, not that of the record's view
    pub basis: Basis,
    /// What has to be decided, and why
    pub kind: InboxKind,
    /// Choices of a person here; empty if only the office can decide
    pub choices: Vec<Choice>,
}

/// What has to be decided.
#[uniffi::remote(Enum)]
pub enum InboxKind {
    /// A field has concurrent values
    Conflict(
        /// The field and its values
        #[uniffi(name = "conflict")]
        Conflict,
    ),
    /// The office must review something
    Review {
        /// Code of the review
        code: ReviewCode,
        /// When it was raised
        raised_at: Timestamp,
    },
    /// The server keeps a change of this phone until the office approves or rejects it
    Held {
        /// Code of the reason
        code: HoldCode,
        /// The reason in words, for logs
        reason: String,
    },
    /// The office rejected a change of this phone
    Rejected {
        /// Number of the item, for the choice Dismiss
        number: i64,
        /// The office's reason in words; may be empty
        reason: String,
        /// The draft that was made of a rejected new delivery; null for any other change
        draft_id: Option<DeliveryId>,
        /// When the office rejected it, by the server's clock; the time of receipt if not known
        rejected_at: Timestamp,
    },
}

/// What a person may decide about an inbox item.
#[uniffi::remote(Enum)]
pub enum Choice {
    /// Keeps one of the concurrent values
    Keep {
        /// Field of the conflict
        field: String,
        /// Change that wrote the value
        change: ChangeHash,
    },
    /// Removes a rejected item from the inbox
    Dismiss {
        /// Number of the item
        number: i64,
    },
}

/// A record that an inbox item concerns, by the call that shows it.
#[uniffi::remote(Enum)]
pub enum RecordRef {
    /// A delivery, draft or recorded
    Delivery {
        /// Id of the delivery
        delivery_id: DeliveryId,
    },
    /// A farmer or their contact details
    Farmer {
        /// Id of the farmer
        farmer_id: FarmerId,
    },
    /// A load
    Load {
        /// Id of the load
        load_id: LoadId,
    },
    /// A simple record, such as a note or a ticket; or a record that is not on this phone
    Other {
        /// Id of the record
        record_id: DocumentId,
        /// Its kind, which names the call that shows it; null if it is not on this phone
        kind: Option<Kind>,
    },
}

/// The inbox: held changes first, then rejected ones, conflicts and reviews.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct InboxPage {
    /// The items
    pub items: Vec<InboxItem>,
}
