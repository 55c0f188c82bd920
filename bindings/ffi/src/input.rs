//! What apps hand in: core's own types, as in [`crate::view`], and the few that cross in another form.

use farmtally_core::client::{DeliveryEdit, DraftEdit, OpenLoad, StartDraft};
use farmtally_core::records::BagSource;
use farmtally_core::records::delivery::Reason;
use farmtally_core::store::rows::DeliveryFilter;
use farmtally_core::units::{
    BagType, BagWeight, BusinessDate, CentreCode, CommodityCode, DeliveryId, FarmerId, LoadId, Location, LorryPlate,
    Percent,
};

/// Rows on a page at most.
pub(crate) const MAX_PAGE: u32 = 200;

/// What a new delivery begins with.
#[uniffi::remote(Record)]
pub struct StartDraft {
    /// The centre, one of those that were granted
    pub centre: CentreCode,
    /// The commodity
    pub commodity: CommodityCode,
    /// The farmer, if known already
    #[uniffi(default = None)]
    pub farmer_id: Option<FarmerId>,
    /// The load, if any
    #[uniffi(default = None)]
    pub load_id: Option<LoadId>,
    /// The voided delivery that this one stands in for
    #[uniffi(default = None)]
    pub replaces: Option<DeliveryId>,
}

/// A step of weighing.
#[uniffi::remote(Enum)]
pub enum DraftEdit {
    /// Chooses the farmer
    SetFarmer(
        /// The farmer
        #[uniffi(name = "farmer_id")]
        FarmerId,
    ),
    /// Chooses the load, or none
    SetLoad(
        /// The load
        #[uniffi(name = "load_id")]
        Option<LoadId>,
    ),
    /// Notes how many bags are said to come
    SetDeclaredBags(
        /// How many
        #[uniffi(name = "count")]
        Option<u32>,
    ),
    /// Chooses the day it counts for
    SetBusinessDate(
        /// The day
        #[uniffi(name = "date")]
        BusinessDate,
    ),
    /// Adds a bag that was called out
    AddBag {
        /// Kilograms such as 62.4, or grams such as 62400 g
        #[uniffi(name = "weight")]
        gross: BagWeight,
        /// The bag type
        #[uniffi(default = 0)]
        bag_type: BagType,
        /// How the weight came in; typed, if left out
        #[uniffi(default = None)]
        source: Option<BagSource>,
    },
    /// Takes a bag out again; its label is not given to another
    RemoveBag {
        /// The bag's label
        number: u32,
    },
    /// Adds a moisture reading; the last one counts
    AddReading(
        /// Percent, such as 14.5
        #[uniffi(name = "moisture")]
        Percent,
    ),
    /// Notes where the phone is
    SetLocation(
        /// The place
        #[uniffi(name = "location")]
        Location,
    ),
}

/// A correction of a recorded delivery.
#[uniffi::remote(Enum)]
pub enum DeliveryEdit {
    /// Adds a bag that was forgotten
    AddBag {
        /// Kilograms such as 62.4, or grams such as 62400 g
        #[uniffi(name = "weight")]
        gross: BagWeight,
        /// The bag type
        #[uniffi(default = 0)]
        bag_type: BagType,
        /// How the weight came in; typed, if left out
        #[uniffi(default = None)]
        source: Option<BagSource>,
    },
    /// Voids a bag; it stays visible, struck through
    VoidBag {
        /// The bag, as the view names it
        bag_id: String,
        /// Why
        reason: Reason,
    },
    /// Puts it on another load, or on none
    SetLoad(
        /// The load
        #[uniffi(name = "load_id")]
        Option<LoadId>,
    ),
    /// Chooses the day it counts for, within the same season
    SetBusinessDate(
        /// The day
        #[uniffi(name = "date")]
        BusinessDate,
    ),
    /// Corrects how many bags were said to come
    SetDeclaredBags(
        /// How many
        #[uniffi(name = "count")]
        Option<u32>,
    ),
}

/// What a load is opened with.
#[uniffi::remote(Record)]
pub struct OpenLoad {
    /// The centre, one of those that were granted
    pub centre: CentreCode,
    /// The commodity
    pub commodity: CommodityCode,
    /// The lorry's plate
    pub lorry: LorryPlate,
    /// The driver's name
    #[uniffi(default = None)]
    pub driver: Option<String>,
}

/// With what a client is opened.
#[derive(Clone, Debug, uniffi::Record)]
pub struct ClientConfig {
    /// A folder of the app's own, for this organisation alone
    pub data_dir: String,
}

/// Which deliveries to list; what is left out does not matter.
#[derive(Clone, Debug, uniffi::Record)]
pub struct DeliveryQuery {
    /// Of this day
    #[uniffi(default = None)]
    pub date: Option<BusinessDate>,
    /// On this load
    #[uniffi(default = None)]
    pub load_id: Option<LoadId>,
    /// Of this farmer
    #[uniffi(default = None)]
    pub farmer_id: Option<FarmerId>,
    /// Where the last page ended
    #[uniffi(default = None)]
    pub after: Option<i64>,
    /// Rows on a page, at most 200
    #[uniffi(default = 50)]
    pub limit: u32,
}

impl DeliveryQuery {
    /// The rows on a page.
    pub(crate) fn limit(&self) -> u32 {
        self.limit.clamp(1, MAX_PAGE)
    }
}

impl From<DeliveryQuery> for DeliveryFilter {
    fn from(query: DeliveryQuery) -> Self {
        let DeliveryQuery { date, load_id, farmer_id, after, limit: _ } = query;
        Self { scope: None, within: None, date, load_id, farmer_id, before: after }
    }
}
