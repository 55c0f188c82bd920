//! What screens show. Weights are integers in grams, instants in milliseconds, codes are text.

use farmtally_core::client::{self, Basis, Lifecycle as CoreLifecycle, SyncState as CoreSyncState};
use farmtally_core::decisions::BagTypeRule;
use farmtally_core::records::delivery::DeliveryBag;
use farmtally_core::records::{Act as CoreAct, Conflict as CoreConflict};
use farmtally_core::store::decisions::Reference as CoreReference;
use farmtally_core::store::rows;
use farmtally_core::sync::{Progress, qr as core_qr};
use farmtally_core::units::{BusinessDate, CommodityCode, DeliveryId, FarmerId, Grams, LoadId, Timestamp};

use crate::input::{Contact, Reason};

/// Who is using the phone.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Session {
    /// The organisation's id
    pub organisation_id: String,
    /// The organisation's name; empty before the first sync
    pub organisation: String,
    /// The person's name; their id before the first sync
    pub user: String,
    /// The installation's code on receipts
    pub device_code: String,
    /// clerk, field_manager or dispatcher; none before the first sync
    pub role: Option<String>,
    /// Codes of the centres that were granted
    pub centres: Vec<String>,
    /// When this phone last had everything from the server
    pub synced_at: Option<Timestamp>,
}

impl Session {
    pub(crate) fn of(session: client::Session, reference: &CoreReference) -> Self {
        let user = reference.users.iter().find(|user| user.user == session.user);
        let (role, centres) = match session.grant {
            Some(grant) => (Some(grant.role.name().to_owned()), grant.centres),
            None => (None, Vec::new()),
        };
        Self {
            organisation_id: session.organisation.to_string(),
            organisation: reference.organisation.as_ref().map_or_else(String::new, |it| it.name.clone()),
            user: user.map_or_else(|| session.user.to_string(), |user| user.name.clone()),
            device_code: session.device_code.to_string(),
            role,
            centres: centres.iter().map(ToString::to_string).collect(),
            synced_at: session.synced_at,
        }
    }
}

/// Somebody who may use this phone.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct PhoneUser {
    /// Who
    pub user_id: String,
    /// Their name
    pub name: String,
    /// clerk, field_manager or dispatcher
    pub role: String,
}

impl From<client::PhoneUser> for PhoneUser {
    fn from(user: client::PhoneUser) -> Self {
        Self { user_id: user.user.to_string(), name: user.name, role: user.role.name().to_owned() }
    }
}

/// What this phone may still do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Access {
    /// Everything that the user's grant says
    Full,
    /// Fourteen days without contact: recording goes on, everything else waits for a sync
    RecordOnly,
    /// Twenty-one days without contact, or by order of the office: hand in, nothing else
    Locked,
}

impl From<client::Access> for Access {
    fn from(access: client::Access) -> Self {
        match access {
            client::Access::Full => Self::Full,
            client::Access::RecordOnly => Self::RecordOnly,
            client::Access::Locked => Self::Locked,
        }
    }
}

/// A type of bag or crate.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct BagType {
    /// The commodity that comes in it
    pub commodity: String,
    /// Its number, 0 to 15
    pub number: u8,
    /// Its name
    pub name: String,
    /// What an empty one weighs
    pub tare_g: Grams,
}

/// A lorry.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Lorry {
    /// Its plate
    pub lorry: String,
    /// What it may carry
    pub payload_g: Grams,
}

/// What a centre works with.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Reference {
    /// Codes of the commodities
    pub commodities: Vec<String>,
    /// Bag types of each commodity's rules today
    pub bag_types: Vec<BagType>,
    /// Lorries
    pub lorries: Vec<Lorry>,
}

impl Reference {
    pub(crate) fn of(reference: &CoreReference, today: BusinessDate) -> Self {
        let commodities = reference.commodities.iter().map(|it| it.commodity.to_string()).collect();
        let bag_types_of = |commodity: &CommodityCode| {
            let bag_type = |it: &BagTypeRule| BagType {
                commodity: commodity.to_string(),
                number: it.number,
                name: it.name.clone(),
                tare_g: it.tare,
            };
            reference.bag_types(commodity, today).iter().map(bag_type).collect::<Vec<_>>()
        };
        let lorries = reference.lorries.iter();
        Self {
            commodities,
            bag_types: reference.commodities.iter().flat_map(|it| bag_types_of(&it.commodity)).collect(),
            lorries: lorries.map(|it| Lorry { lorry: it.lorry.to_string(), payload_g: it.payload }).collect(),
        }
    }
}

/// How far a record is on its way to the server's log.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum SyncState {
    /// It is only on this phone
    Unsent,
    /// It was handed to the network; nothing came back yet
    Sent,
    /// The server's log has all of it
    Logged,
    /// The server keeps it for a person to decide
    Held {
        /// Why
        code: String,
    },
}

impl From<CoreSyncState> for SyncState {
    fn from(state: CoreSyncState) -> Self {
        match state {
            CoreSyncState::Unsent => Self::Unsent,
            CoreSyncState::Sent => Self::Sent,
            CoreSyncState::Logged => Self::Logged,
            CoreSyncState::Held { code } => Self::Held { code },
        }
    }
}

/// How far a delivery has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Lifecycle {
    /// Still being weighed, only on this phone
    Draft,
    /// Recorded: it counts
    Recorded,
    /// Voided: it no longer counts
    Voided,
}

impl From<CoreLifecycle> for Lifecycle {
    fn from(lifecycle: CoreLifecycle) -> Self {
        match lifecycle {
            CoreLifecycle::Draft => Self::Draft,
            CoreLifecycle::Recorded => Self::Recorded,
            CoreLifecycle::Voided => Self::Voided,
        }
    }
}

/// A bag of a delivery.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Bag {
    /// Names the bag when it is voided
    pub bag_id: String,
    /// The label on the bag
    pub number: u32,
    /// Its weight, bag included
    pub gross_g: Grams,
    /// The bag type's number
    pub bag_type: u8,
    /// When it was weighed
    pub weighed_at: Timestamp,
    /// Codes of the reasons why it no longer counts; empty for a bag that counts
    pub voids: Vec<String>,
}

impl From<DeliveryBag> for Bag {
    fn from(it: DeliveryBag) -> Self {
        Self {
            bag_id: it.key,
            number: it.bag.number,
            gross_g: it.bag.gross.grams(),
            bag_type: it.bag.bag_type.number(),
            weighed_at: it.bag.weighed_at,
            voids: it.voids.into_iter().map(|void| void.reason.code).collect(),
        }
    }
}

/// What the bags that count add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Totals {
    /// Bags that count
    pub bags: u64,
    /// With bags
    pub gross_g: Grams,
    /// The bags alone
    pub tare_g: Grams,
    /// Without bags
    pub net_g: Grams,
}

/// Something that a person did to a recorded delivery.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Act {
    /// The installation
    pub device_code: String,
    /// When
    pub at: Timestamp,
    /// Why
    pub reason: Reason,
}

impl From<CoreAct> for Act {
    fn from(act: CoreAct) -> Self {
        let reason = Reason { code: act.reason.code, text: act.reason.text };
        Self { device_code: act.stamp.device.to_string(), at: act.stamp.written_at(), reason }
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

/// All that a screen shows of a delivery.
#[derive(Clone, Debug, uniffi::Record)]
pub struct DeliveryView {
    /// Its id, the same from draft to settlement
    pub delivery_id: DeliveryId,
    /// Hand it in with the next change
    pub basis: Basis,
    /// How far it has come
    pub lifecycle: Lifecycle,
    /// How far it is on its way to the server's log
    pub sync: SyncState,
    /// The number on the receipt; none for a draft
    pub receipt_number: Option<String>,
    /// The centre's code
    pub centre: String,
    /// The commodity's code
    pub commodity: String,
    /// Year-month-day
    pub business_date: String,
    /// The farmer
    pub farmer_id: Option<FarmerId>,
    /// The load
    pub load_id: Option<LoadId>,
    /// How many bags were said to come
    pub declared_bags: Option<u32>,
    /// All bags, voided ones too
    pub bags: Vec<Bag>,
    /// Moisture in percent; the last one counts
    pub readings: Vec<String>,
    /// The voided delivery that this one stands in for
    pub replaces: Option<DeliveryId>,
    /// What the bags that count add up to
    pub totals: Totals,
    /// Amendments, oldest first
    pub amendments: Vec<Act>,
    /// Voids, oldest first
    pub voids: Vec<Act>,
    /// Fields in conflict
    pub conflicts: Vec<Conflict>,
    /// Codes of the reviews that name it
    pub reviews: Vec<String>,
}

impl From<client::DeliveryView> for DeliveryView {
    fn from(it: client::DeliveryView) -> Self {
        let totals = Totals {
            bags: it.totals.bags as u64,
            gross_g: it.totals.gross,
            tare_g: it.totals.tare,
            net_g: it.totals.net,
        };
        Self {
            delivery_id: it.delivery_id,
            basis: it.basis,
            lifecycle: it.lifecycle.into(),
            sync: it.sync.into(),
            receipt_number: it.receipt_number,
            centre: it.centre.to_string(),
            commodity: it.commodity.to_string(),
            business_date: it.business_date.to_string(),
            farmer_id: it.farmer_id,
            load_id: it.load_id,
            declared_bags: it.declared_bags,
            bags: it.bags.into_iter().map(Bag::from).collect(),
            readings: it.readings.iter().map(ToString::to_string).collect(),
            replaces: it.replaces,
            totals,
            amendments: it.amendments.into_iter().map(Act::from).collect(),
            voids: it.voids.into_iter().map(Act::from).collect(),
            conflicts: it.conflicts.into_iter().map(Conflict::from).collect(),
            reviews: it.reviews,
        }
    }
}

/// A delivery in a list.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct DeliveryRow {
    /// Its id
    pub delivery_id: DeliveryId,
    /// The farmer
    pub farmer_id: FarmerId,
    /// The load
    pub load_id: Option<LoadId>,
    /// Year-month-day
    pub business_date: String,
    /// When it was recorded
    pub recorded_at: Timestamp,
    /// Whether it no longer counts
    pub is_voided: bool,
    /// Fields in conflict
    pub conflicts: u32,
    /// Bags that count
    pub bags: u32,
    /// Their weight
    pub gross_g: Grams,
    /// How far it is on its way to the server's log
    pub sync: SyncState,
}

/// A page of deliveries, the newest to arrive on this phone first.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct DeliveryPage {
    /// The rows
    pub items: Vec<DeliveryRow>,
    /// Hand it in as `after` for the next page; none at the end
    pub next: Option<i64>,
}

impl DeliveryPage {
    pub(crate) fn of(rows: Vec<(rows::DeliveryRow, CoreSyncState)>, limit: u32) -> Self {
        let is_full = rows.len() as u64 >= u64::from(limit);
        let next = rows.last().filter(|_| is_full).map(|(row, _)| row.position);
        let row = |(row, state): (rows::DeliveryRow, CoreSyncState)| DeliveryRow {
            delivery_id: row.delivery_id,
            farmer_id: row.farmer_id,
            load_id: row.load_id,
            business_date: row.business_date.to_string(),
            recorded_at: row.recorded_at,
            is_voided: row.is_voided,
            conflicts: row.conflicts,
            bags: row.bags,
            gross_g: row.gross,
            sync: state.into(),
        };
        Self { items: rows.into_iter().map(row).collect(), next }
    }
}

/// What deliveries add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Sum {
    /// Deliveries that count
    pub deliveries: u64,
    /// Voided ones, in none of the other numbers
    pub voided: u64,
    /// Bags that count
    pub bags: u64,
    /// Their weight
    pub gross_g: Grams,
}

impl From<rows::Sum> for Sum {
    fn from(sum: rows::Sum) -> Self {
        Self { deliveries: sum.deliveries, voided: sum.voided, bags: sum.bags, gross_g: sum.gross }
    }
}

/// All that a screen shows of a farmer.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct FarmerView {
    /// The id
    pub farmer_id: FarmerId,
    /// Hand it in with the next change
    pub basis: Basis,
    /// The code
    pub code: String,
    /// The home centre's code
    pub centre: String,
    /// Name, village, telephone number
    pub contact: Contact,
    /// How far the registration is on its way to the server's log
    pub sync: SyncState,
    /// Fields in conflict
    pub conflicts: Vec<Conflict>,
    /// Codes of the reviews that name the farmer
    pub reviews: Vec<String>,
}

impl From<client::FarmerView> for FarmerView {
    fn from(it: client::FarmerView) -> Self {
        Self {
            farmer_id: it.farmer_id,
            basis: it.basis,
            code: it.code,
            centre: it.centre.to_string(),
            contact: it.details.into(),
            sync: it.sync.into(),
            conflicts: it.conflicts.into_iter().map(Conflict::from).collect(),
            reviews: it.reviews,
        }
    }
}

/// A farmer in a list.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct FarmerRow {
    /// The id
    pub farmer_id: FarmerId,
    /// The code
    pub code: String,
    /// Name, village, telephone number
    pub contact: Contact,
}

impl From<rows::FarmerRow> for FarmerRow {
    fn from(it: rows::FarmerRow) -> Self {
        let contact = Contact { name: it.name, village: it.village, phone: it.phone };
        Self { farmer_id: it.farmer_id, code: it.code, contact }
    }
}

/// All that a screen shows of a load.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct LoadView {
    /// Its id
    pub load_id: LoadId,
    /// Hand it in with the next change
    pub basis: Basis,
    /// The number that people read out
    pub number: String,
    /// The lorry that counts
    pub lorry: String,
    /// The driver's name
    pub driver: Option<String>,
    /// open or closing
    pub state: String,
    /// Codes of the installations that load, the opener's first
    pub loaders: Vec<String>,
    /// What the deliveries on it add up to, as far as they are on this phone
    pub sum: Sum,
    /// Names what is on it; hand it in with the request to close
    pub manifest_hash: String,
    /// Show it as text or QR code, so that others can join without network
    pub join_code: String,
    /// How far it is on its way to the server's log
    pub sync: SyncState,
    /// Fields in conflict
    pub conflicts: Vec<Conflict>,
    /// Codes of the reviews that name it
    pub reviews: Vec<String>,
}

impl From<client::LoadView> for LoadView {
    fn from(it: client::LoadView) -> Self {
        Self {
            load_id: it.load.load_id,
            basis: it.basis,
            number: it.load.header.number().to_string(),
            lorry: it.load.lorry.to_string(),
            state: it.load.state().name().to_owned(),
            driver: it.load.driver,
            loaders: it.load.loaders.iter().map(|loader| loader.device.to_string()).collect(),
            sum: it.sum.into(),
            manifest_hash: it.manifest_hash,
            join_code: it.join_code,
            sync: it.sync.into(),
            conflicts: it.load.conflicts.into_iter().map(Conflict::from).collect(),
            reviews: it.reviews,
        }
    }
}

/// A load in a list.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct LoadRow {
    /// Its id
    pub load_id: LoadId,
    /// The number that people read out
    pub number: String,
    /// The lorry
    pub lorry: String,
    /// open or closing
    pub state: String,
}

impl From<rows::LoadRow> for LoadRow {
    fn from(it: rows::LoadRow) -> Self {
        let state = it.state.name().to_owned();
        Self { load_id: it.load_id, number: it.number, lorry: it.lorry.to_string(), state }
    }
}

/// What the day's screen shows.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Today {
    /// Year-month-day
    pub date: String,
    /// What the recorded deliveries add up to
    pub totals: Sum,
    /// Deliveries that are still being weighed
    pub drafts: Vec<DeliveryView>,
    /// The day's loads
    pub loads: Vec<LoadRow>,
    /// What the server does not have yet
    pub sync: SyncStatus,
}

impl From<client::Today> for Today {
    fn from(it: client::Today) -> Self {
        Self {
            date: it.date.to_string(),
            totals: it.sum.into(),
            drafts: it.drafts.into_iter().map(DeliveryView::from).collect(),
            loads: it.loads.into_iter().map(LoadRow::from).collect(),
            sync: it.sync.into(),
        }
    }
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
    pub record_ids: Vec<String>,
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
            record_ids: item.documents.iter().map(ToString::to_string).collect(),
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

/// Something unusual that a person must say yes to.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Check {
    /// Its code, by which the app has a text for it
    pub code: String,
}

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

/// How far a running sync is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Record)]
pub struct SyncProgress {
    /// Changes that the server has answered, and entries that came in
    pub done: u64,
    /// All of them, as far as is known yet
    pub total: u64,
}

impl From<Progress> for SyncProgress {
    fn from(progress: Progress) -> Self {
        Self { done: progress.sent + progress.read, total: progress.to_send + progress.to_read }
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

/// How far a colleague's codes have been read.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct FrameProgress {
    /// Codes that were read
    pub have: u32,
    /// Codes there are; once all were read, the work is taken along
    pub of: u32,
    /// The numbers of those that are missing, from 0
    pub missing: Vec<u32>,
}

impl From<core_qr::FrameProgress> for FrameProgress {
    fn from(it: core_qr::FrameProgress) -> Self {
        Self { have: it.have, of: it.of, missing: it.missing }
    }
}

/// How a run of sync ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum SyncOutcome {
    /// The server has all that this phone had, and this phone has all that the server had
    Complete,
    /// Something waits for other changes; everything else is done
    Partial,
    /// There was no connection, or it broke off; what was done stays done
    Offline,
    /// Somebody cancelled; what was done stays done
    Cancelled,
    /// Nothing was tried, because the tries before failed and the next one is not due
    NotDue,
}

/// What one run of sync did.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct SyncReport {
    /// How it ended
    pub outcome: SyncOutcome,
    /// Changes that the server took into its log
    pub logged: u64,
    /// Changes that the server keeps for a person to decide
    pub held: u64,
    /// Changes of others and decisions that came in
    pub received: u64,
    /// Parcels of colleagues that the server took
    pub parcels_taken: u64,
    /// Parcels of colleagues that the server refused and that were dropped here; their owners still have what was in them
    pub parcels_refused: u64,
    /// Requests sent
    pub requests: u64,
    /// Bytes up
    pub bytes_up: u64,
    /// Bytes down
    pub bytes_down: u64,
    /// Milliseconds from now until the next run is due; empty if there is nothing to try for
    pub next_try_ms: Option<u64>,
}

impl From<client::SyncReport> for SyncReport {
    fn from(report: client::SyncReport) -> Self {
        let progress = report.progress;
        Self {
            outcome: match report.outcome {
                client::SyncOutcome::Complete => SyncOutcome::Complete,
                client::SyncOutcome::Partial => SyncOutcome::Partial,
                client::SyncOutcome::Offline => SyncOutcome::Offline,
                client::SyncOutcome::Cancelled => SyncOutcome::Cancelled,
                client::SyncOutcome::NotDue => SyncOutcome::NotDue,
            },
            logged: progress.logged,
            held: progress.held,
            received: progress.received,
            parcels_taken: progress.parcels_taken,
            parcels_refused: progress.parcels_refused,
            requests: progress.requests,
            bytes_up: progress.bytes_up,
            bytes_down: progress.bytes_down,
            next_try_ms: report.next_try_ms,
        }
    }
}

/// What the phone knows about being in step with the server; never better than what was acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct SyncStatus {
    /// Changes that are only on this phone
    pub unsent: u64,
    /// Changes that were handed to the network without an answer yet
    pub sent: u64,
    /// Changes that the server has seen and cannot judge yet: they wait for other changes
    pub deferred: u64,
    /// Changes that the server keeps for a person to decide
    pub held: u64,
    /// When the oldest change that is neither logged nor held was made
    pub oldest_at: Option<Timestamp>,
    /// Entries from the server that this version could not apply
    pub set_aside: u64,
    /// Parcels of colleagues that wait here for the next sync
    pub carried: u64,
    /// Why the server refused a parcel of a colleague, if it did: the last one's code
    pub carried_refused: Option<String>,
    /// When all that waited was last handed over as a file or as codes; says nothing about its arrival
    pub exported_at: Option<Timestamp>,
    /// Up to when, by the server's clock, two verified copies of its data exist; empty as long as there are none
    pub copied_at: Option<Timestamp>,
    /// When a run was last complete
    pub synced_at: Option<Timestamp>,
    /// Milliseconds from now until the next run is due; empty if there is nothing to try for
    pub next_try_ms: Option<u64>,
    /// Whether the server failed so often that it is left alone for a while; a run that a person asks for tries at once
    pub is_server_failing: bool,
}

impl From<client::SyncStatus> for SyncStatus {
    fn from(status: client::SyncStatus) -> Self {
        Self {
            unsent: status.backlog.unsent,
            sent: status.backlog.sent,
            deferred: status.backlog.deferred,
            held: status.backlog.held,
            oldest_at: status.backlog.oldest,
            set_aside: status.set_aside,
            carried: status.carried.parcels,
            carried_refused: status.carried.refused,
            exported_at: status.exported_at,
            copied_at: status.copied_at,
            synced_at: status.synced_at,
            next_try_ms: status.next_try_ms,
            is_server_failing: status.is_server_failing,
        }
    }
}
