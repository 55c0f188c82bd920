//! What recording a delivery writes.

use minicbor::{Decode, Encode};

use super::super::draft::Draft;
use super::super::shape::SNAPSHOT;
use super::super::{Bag, BagCount, Change, Error, Lot, PaperEntry, Reading, Stamp, bags, decode};
use super::parts::PutApart;
use super::values::Reason;
use crate::units::{
    BusinessDate, CentreCode, CommodityCode, DeliveryId, DeviceCode, FarmerId, HybridTime, LoadId, Location,
    SeasonCode, UserId,
};

/// Value of the key `v1`. Fields that stay equal over many deliveries come first and together, so that a bundle of many compresses well.
/// New fields go to the end; a reader skips those it does not know.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct DeliverySnapshot {
    #[n(0)]
    pub(crate) constants: DeliveryConstants,
    #[n(1)]
    pub(crate) wall_ms: i64,
    #[n(2)]
    pub(crate) counter: u32,
    #[n(3)]
    pub(crate) receipt_sequence: u32,
    #[n(4)]
    pub(crate) farmer_id: FarmerId,
    #[n(5)]
    pub(crate) readings: Vec<Reading>,
    #[n(6)]
    pub(crate) location: Option<Location>,
    #[cbor(n(7), with = "minicbor::bytes")]
    pub(crate) bags: Vec<u8>,
    #[n(8)]
    pub(crate) declared_bags: Option<u32>,
    #[n(9)]
    pub(crate) replaces: Option<DeliveryId>,
    #[cbor(n(10), skip_if = "Vec::is_empty")]
    pub(crate) lots: Vec<Lot>,
    #[cbor(n(11), skip_if = "Vec::is_empty")]
    pub(crate) bag_counts: Vec<BagCount>,
    #[cbor(n(12), skip_if = "is_false")]
    pub(crate) is_second_heap: bool,
    /// Users who weighed before the one who recorded, in the order in which they began.
    #[cbor(n(13), skip_if = "Vec::is_empty")]
    pub(crate) earlier_users: Vec<UserId>,
    /// Why it was put on a load above its limit.
    #[n(14)]
    pub(crate) overload_reason: Option<Reason>,
    /// Paper form on which it was written first.
    #[n(15)]
    pub(crate) paper_entry: Option<PaperEntry>,
    /// Bags and lots that travel on another load than the delivery's.
    #[cbor(n(16), skip_if = "Vec::is_empty")]
    pub(crate) apart: Vec<PutApart>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that the derived encoder calls")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// Part of a snapshot that is equal in many consecutive deliveries.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct DeliveryConstants {
    #[n(0)]
    pub(crate) user_id: UserId,
    #[n(1)]
    pub(crate) device_code: DeviceCode,
    #[n(2)]
    pub(crate) clock_suspect: bool,
    #[n(3)]
    pub(crate) centre: CentreCode,
    #[n(4)]
    pub(crate) season: SeasonCode,
    #[n(5)]
    pub(crate) commodity: CommodityCode,
    #[n(6)]
    pub(crate) rule_set: u32,
    #[n(7)]
    pub(crate) load_id: Option<LoadId>,
    #[n(8)]
    pub(crate) date: BusinessDate,
}

impl DeliverySnapshot {
    /// Returns what recording a draft writes.
    pub(crate) fn new(draft: Draft, stamp: Stamp, farmer_id: FarmerId, rule_set: u32, receipt_sequence: u32) -> Self {
        let written = |it: Reading| Reading { user_id: it.user_id.filter(|user| *user != stamp.user_id), ..it };
        Self {
            constants: DeliveryConstants {
                user_id: stamp.user_id,
                device_code: stamp.device_code,
                clock_suspect: stamp.clock_suspect,
                centre: draft.centre,
                season: draft.season,
                commodity: draft.commodity,
                rule_set,
                load_id: draft.load_id,
                date: draft.business_date,
            },
            wall_ms: stamp.at.wall_ms,
            counter: stamp.at.counter,
            receipt_sequence,
            farmer_id,
            readings: draft.readings.into_iter().map(written).collect(),
            location: draft.location,
            bags: bags::pack(&draft.bags, &stamp),
            declared_bags: draft.declared_bags,
            replaces: draft.replaces,
            lots: draft.lots,
            bag_counts: draft.bag_counts,
            is_second_heap: draft.is_second_heap,
            earlier_users: draft.earlier_users,
            overload_reason: draft.overload_reason,
            paper_entry: draft.paper_entry,
            apart: draft.apart.into_iter().filter(|it| it.load_id != draft.load_id && !it.numbers.is_empty()).collect(),
        }
    }

    /// Returns the snapshot that a delivery's creating change wrote; `None` for any other change.
    pub(crate) fn of_change(change: &Change) -> Option<Self> {
        let (_, value) = change.values().find(|(key, _)| *key == SNAPSHOT)?;
        decode(value).ok()
    }

    pub(super) fn stamp_of(value: &[u8]) -> Result<Stamp, Error> {
        decode::<Self>(value).map(|snapshot| snapshot.stamp())
    }

    pub(crate) fn stamp(&self) -> Stamp {
        Stamp {
            user_id: self.constants.user_id,
            device_code: self.constants.device_code,
            at: HybridTime { wall_ms: self.wall_ms, counter: self.counter },
            clock_suspect: self.constants.clock_suspect,
        }
    }

    pub(crate) fn bags(&self) -> Result<Vec<Bag>, Error> {
        bags::unpack(&self.bags, &self.stamp())
    }
}
