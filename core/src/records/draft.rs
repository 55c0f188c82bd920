//! A delivery that is still being weighed: stored on one phone, not a document yet.

use minicbor::{Decode, Encode};

use super::delivery::DeliverySnapshot;
use super::{Bag, Change, unpack_bags};
use crate::units::{
    BusinessDate, CentreCode, CommodityCode, DeliveryId, DocumentId, FarmerId, LoadId, Location, Percent, SeasonCode,
    Timestamp, UserId,
};

/// Delivery that is not recorded yet. It is stored on one phone, survives a crash, and is in no total.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Draft {
    /// User who started the draft; another user of the phone may continue it.
    #[n(0)]
    pub user_id: UserId,
    /// Collection centre of the delivery.
    #[n(1)]
    pub centre: CentreCode,
    /// Season of the delivery.
    #[n(2)]
    pub season: SeasonCode,
    /// Commodity being weighed.
    #[n(3)]
    pub commodity: CommodityCode,
    /// Day that the delivery will count for.
    #[n(4)]
    pub business_date: BusinessDate,
    /// Farmer who delivers; required before recording.
    #[n(5)]
    pub farmer_id: Option<FarmerId>,
    /// Load that the delivery will be on; `None` for none.
    #[n(6)]
    pub load_id: Option<LoadId>,
    /// Number of bags that the farmer declared; `None` if not asked.
    #[n(7)]
    pub declared_bags: Option<u32>,
    /// Bags weighed so far.
    #[n(8)]
    pub bags: Vec<Bag>,
    /// Label for the next bag; those of removed bags are not used again.
    #[n(9)]
    pub next_number: u32,
    /// Moisture readings so far.
    #[n(10)]
    pub readings: Vec<Percent>,
    /// Location of the phone; `None` if not known.
    #[n(11)]
    pub location: Option<Location>,
    /// Delivery that this one replaces: a voided one, or one that the office rejected.
    #[n(12)]
    pub replaces: Option<DeliveryId>,
    /// Receipt count of the rejected delivery that this draft was made of, which recording uses again; `None` to count a new receipt.
    #[n(13)]
    pub receipt_sequence: Option<u32>,
}

impl Draft {
    /// Returns a draft with content and receipt of the rejected delivery `document`, which it replaces; `None` unless `change` created it.
    pub(crate) fn of_rejected(document: DocumentId, change: &Change) -> Option<Self> {
        let DeliverySnapshot {
            constants,
            farmer_id: farmer,
            readings,
            location,
            declared_bags,
            receipt_sequence,
            bags,
            wall_ms,
            ..
        } = DeliverySnapshot::of_change(change)?;
        let bags = unpack_bags(&bags, Timestamp(wall_ms)).ok()?;
        Some(Self {
            user_id: constants.user_id,
            centre: constants.centre,
            season: constants.season,
            commodity: constants.commodity,
            business_date: constants.date,
            farmer_id: Some(farmer),
            load_id: constants.load_id,
            declared_bags,
            next_number: bags.iter().map(|bag| bag.number).max().unwrap_or(0) + 1,
            bags,
            readings,
            location,
            replaces: Some(document.into()),
            receipt_sequence: Some(receipt_sequence),
        })
    }
}
