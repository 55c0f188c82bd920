use farmtally_core::client::{self, Basis, Lifecycle as CoreLifecycle, SyncState as CoreSyncState};
use farmtally_core::records::Act as CoreAct;
use farmtally_core::records::delivery::DeliveryBag;
use farmtally_core::store::rows;
use farmtally_core::units::{DeliveryId, FarmerId, Grams, LoadId, Timestamp};

use super::{Conflict, SyncState};
use crate::input::Reason;

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
    pub bags: u64,
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
    /// Of rows of which one more than a page's was asked for.
    pub(crate) fn of(mut rows: Vec<(rows::DeliveryRow, CoreSyncState)>, limit: usize) -> Self {
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| has_more).map(|(row, _)| row.position);
        let row = |(row, state): (rows::DeliveryRow, CoreSyncState)| DeliveryRow {
            delivery_id: row.delivery_id,
            farmer_id: row.farmer_id,
            load_id: row.load_id,
            business_date: row.business_date.to_string(),
            recorded_at: row.recorded_at,
            is_voided: row.is_voided,
            conflicts: row.conflicts,
            bags: row.bags.into(),
            gross_g: row.gross,
            sync: state.into(),
        };
        Self { items: rows.into_iter().map(row).collect(), next }
    }
}

/// Something unusual that a person must say yes to.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Check {
    /// Its code, by which the app has a text for it
    pub code: String,
}
