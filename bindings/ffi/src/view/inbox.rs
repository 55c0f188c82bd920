use farmtally_core::client::{self, Basis};
use farmtally_core::records::Conflict as CoreConflict;
use farmtally_core::records::{Delivery, Farmer, Kind, Load};
use farmtally_core::units::{DeliveryId, FarmerId, LoadId, Timestamp};

/// Values of one field that were given without knowledge of each other, all of them.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Conflict {
    /// The field
    pub field: String,
    /// Whether the same field got different values; otherwise both can stand, but somebody should know
    pub is_hard: bool,
    /// The values, the effective ones first
    pub values: Vec<ConflictValue>,
}

impl From<CoreConflict> for Conflict {
    fn from(conflict: CoreConflict) -> Self {
        let value = |it: farmtally_core::records::ConflictValue| ConflictValue {
            text: it.text,
            device_code: it.stamp.device.to_string(),
            at: it.stamp.written_at(),
            is_effective: it.is_effective,
        };
        Self {
            field: conflict.field.to_owned(),
            is_hard: conflict.is_hard,
            values: conflict.values.into_iter().map(value).collect(),
        }
    }
}

/// One of the values that stand against each other.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct ConflictValue {
    /// The value
    pub text: String,
    /// The installation that gave it
    pub device_code: String,
    /// When
    pub at: Timestamp,
    /// Whether it is the one that counts until a person chooses
    pub is_effective: bool,
}

/// The kinds of matter that wait for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum InboxKind {
    /// Values that were given without knowledge of each other
    Conflict,
    /// The office must look at it
    Review,
    /// The server keeps a change of this phone for a person to decide
    Held,
    /// The office sent work of this phone back
    Returned,
}

/// Something that a person may choose.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct ResolveOption {
    /// Hand it in with the choice
    pub option_id: String,
    /// keep_value or put_away
    pub code: String,
    /// The value that would count, for keep_value
    pub text: String,
}

/// A record that a matter is about, by the call that shows it.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Enum)]
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
    /// Something that is not on this phone
    Elsewhere {
        /// Its id
        record_id: String,
    },
}

impl From<client::RecordRef> for RecordRef {
    fn from(record: client::RecordRef) -> Self {
        let document = record.document;
        let is = |kind| record.kind == Some(kind);
        if is(Kind::of::<Delivery>()) {
            Self::Delivery { delivery_id: document.into() }
        } else if is(Kind::of::<Farmer>()) {
            Self::Farmer { farmer_id: document.into() }
        } else if is(Kind::of::<Load>()) {
            Self::Load { load_id: document.into() }
        } else {
            Self::Elsewhere { record_id: document.to_string() }
        }
    }
}

/// A matter that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct InboxItem {
    /// Hand it in with the choice
    pub basis: Basis,
    /// What kind of matter
    pub kind: InboxKind,
    /// The field of a conflict, the kind of a review, why something is held; for what was sent back, returned
    pub code: String,
    /// Whether the same field got different values; otherwise both can stand, but somebody should know
    pub is_hard: bool,
    /// The records it is about
    pub records: Vec<RecordRef>,
    /// Words of the office or the server, may be empty
    pub reason: String,
    /// The draft that was made of what was sent back, if it was a delivery
    pub draft_id: Option<DeliveryId>,
    /// Since when, as far as it is known
    pub since: Option<Timestamp>,
    /// The values of a conflict, the effective one first
    pub values: Vec<ConflictValue>,
    /// What may be chosen; empty for what only the office can decide
    pub options: Vec<ResolveOption>,
}

impl From<client::InboxItem> for InboxItem {
    fn from(item: client::InboxItem) -> Self {
        let options = options(&item);
        let mut it = Self {
            basis: item.basis,
            kind: InboxKind::Conflict,
            code: String::new(),
            is_hard: false,
            records: item.records.into_iter().map(RecordRef::from).collect(),
            reason: String::new(),
            draft_id: None,
            since: None,
            values: Vec::new(),
            options,
        };
        match item.kind {
            client::InboxKind::Conflict(conflict) => {
                let conflict = Conflict::from(conflict);
                Self { code: conflict.field, is_hard: conflict.is_hard, values: conflict.values, ..it }
            }
            client::InboxKind::Review { code, raised_at } => {
                it.since = Some(raised_at);
                Self { kind: InboxKind::Review, code, ..it }
            }
            client::InboxKind::Held { code, reason, .. } => Self { kind: InboxKind::Held, code, reason, ..it },
            client::InboxKind::Returned { reason, draft, returned_at, .. } => {
                it.since = Some(returned_at);
                Self { kind: InboxKind::Returned, code: "returned".into(), reason, draft_id: draft, ..it }
            }
        }
    }
}

fn options(item: &client::InboxItem) -> Vec<ResolveOption> {
    let text = |choice: &client::Choice| match (choice, &item.kind) {
        (client::Choice::Keep { change, .. }, client::InboxKind::Conflict(conflict)) => {
            conflict.values.iter().find(|value| value.change == Some(*change)).map(|value| value.text.clone())
        }
        _ => None,
    };
    let option = |choice: client::Choice| ResolveOption {
        option_id: choice.to_string(),
        code: match choice {
            client::Choice::Keep { .. } => "keep_value".into(),
            client::Choice::PutAway { .. } => "put_away".into(),
        },
        text: text(&choice).unwrap_or_default(),
    };
    item.choices().into_iter().map(option).collect()
}

/// All that waits for a person: held changes first, then what came back, then conflicts, then reviews.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct InboxPage {
    /// The matters
    pub items: Vec<InboxItem>,
}

impl From<Vec<client::InboxItem>> for InboxPage {
    fn from(items: Vec<client::InboxItem>) -> Self {
        Self { items: items.into_iter().map(InboxItem::from).collect() }
    }
}
