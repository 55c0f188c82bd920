use farmtally_core::client::{Basis, Choice, InboxItem, InboxKind, RecordRef};
use farmtally_core::decisions::ReviewCode;
use farmtally_core::protocol::HoldCode;
use farmtally_core::records::Conflict;
use farmtally_core::units::{ChangeHash, DeliveryId, DocumentId, FarmerId, LoadId, Timestamp};

/// A matter that waits for a person.
#[uniffi::remote(Record)]
pub struct InboxItem {
    /// The records that it concerns
    pub records: Vec<RecordRef>,
    /// What a decision names as seen
    pub basis: Basis,
    /// What kind of matter it is, and what there is to say about it
    pub kind: InboxKind,
    /// What a person may decide here; empty for what only the office can
    pub choices: Vec<Choice>,
}

/// The kinds of matter that wait for a person.
#[uniffi::remote(Enum)]
pub enum InboxKind {
    /// Values that were given without knowledge of each other
    Conflict(
        /// The field and its values
        #[uniffi(name = "conflict")]
        Conflict,
    ),
    /// The office must look at it
    Review {
        /// The review's code
        code: ReviewCode,
        /// When it was raised
        raised_at: Timestamp,
    },
    /// The server keeps a change of this phone for a person to decide
    Held {
        /// The code of the reason
        code: HoldCode,
        /// The reason in words, for logs
        reason: String,
    },
    /// The office sent work of this phone back
    Rejected {
        /// The item's number, by which it is put away
        number: i64,
        /// Words of the office, may be empty
        reason: String,
        /// The draft that was made of it, if it was a delivery
        draft_id: Option<DeliveryId>,
        /// When it came back
        rejected_at: Timestamp,
    },
}

/// What a person may decide about a matter.
#[uniffi::remote(Enum)]
pub enum Choice {
    /// One of the values that stand against each other counts from now on
    Keep {
        /// The field of the conflict
        field: String,
        /// The change of the value
        change: ChangeHash,
    },
    /// What came back was seen, and leaves the inbox
    Dismiss {
        /// The item's number
        number: i64,
    },
}

/// A record that a matter concerns, by the call that shows it.
#[uniffi::remote(Enum)]
pub enum RecordRef {
    /// A delivery
    Delivery {
        /// Its id
        delivery_id: DeliveryId,
    },
    /// A farmer, or their contact details
    Farmer {
        /// Their id
        farmer_id: FarmerId,
    },
    /// A load
    Load {
        /// Its id
        load_id: LoadId,
    },
    /// A record that is not on this phone
    Other {
        /// Its id
        record_id: DocumentId,
    },
}

/// All that waits for a person: held changes first, then what came back, then conflicts, then reviews.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct InboxPage {
    /// The matters
    pub items: Vec<InboxItem>,
}
