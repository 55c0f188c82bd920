//! A delivery while it is weighed: a value of one phone, no document yet.

use minicbor::{Decode, Encode};

use super::delivery::DeliverySnapshot;
use super::{Bag, Change, unpack_bags};
use crate::units::{
    BusinessDate, CentreCode, CommodityCode, DeliveryId, DocumentId, FarmerId, LoadId, Location, Percent, SeasonCode,
    Timestamp, UserId,
};

/// A delivery that is not recorded yet. It lives on one phone, survives a crash, and counts nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Draft {
    /// Who weighs.
    #[n(0)]
    pub user: UserId,
    /// Where.
    #[n(1)]
    pub centre: CentreCode,
    /// In which season.
    #[n(2)]
    pub season: SeasonCode,
    /// What.
    #[n(3)]
    pub commodity: CommodityCode,
    /// For which day.
    #[n(4)]
    pub business_date: BusinessDate,
    /// For whom; needed before recording.
    #[n(5)]
    pub farmer_id: Option<FarmerId>,
    /// Onto which load.
    #[n(6)]
    pub load_id: Option<LoadId>,
    /// How many bags were said to come.
    #[n(7)]
    pub declared_bags: Option<u32>,
    /// The bags so far.
    #[n(8)]
    pub bags: Vec<Bag>,
    /// The label for the next bag.
    #[n(9)]
    pub next_number: u32,
    /// Moisture readings so far.
    #[n(10)]
    pub readings: Vec<Percent>,
    /// Where the phone was.
    #[n(11)]
    pub location: Option<Location>,
    /// The voided delivery that this one stands in for.
    #[n(12)]
    pub replaces: Option<DeliveryId>,
    /// The receipt that was printed already, when the office sent a recorded delivery back.
    #[n(13)]
    pub receipt_sequence: Option<u32>,
}

impl Draft {
    /// What was recorded, to be weighed or corrected again; `None` for anything but the creation of a delivery.
    pub(crate) fn of_rejected(document: DocumentId, change: &Change) -> Option<Self> {
        let DeliverySnapshot {
            constants,
            farmer,
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
            user: constants.user,
            centre: constants.centre,
            season: constants.season,
            commodity: constants.commodity,
            business_date: constants.date,
            farmer_id: Some(farmer),
            load_id: constants.load,
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
