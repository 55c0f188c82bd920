use farmtally_core::client::{BagView, Basis, DeliveryView, Lifecycle, SyncState};
use farmtally_core::decisions::ReviewCode;
use farmtally_core::records::{Act, BagSource, Conflict};
use farmtally_core::rules::Totals;
use farmtally_core::scope::Scope;
use farmtally_core::store::rows::DeliveryRow;
use farmtally_core::units::{
    BagType, BusinessDate, CentreCode, CommodityCode, DeliveryId, DeviceCode, FarmerId, Grams, LoadId, Location,
    Percent, ReceiptNumber, SeasonCode, Timestamp, UserId,
};

type Bag = BagView;
type WeightSource = BagSource;

/// How far a delivery has come.
#[uniffi::remote(Enum)]
pub enum Lifecycle {
    /// Still being weighed, only on this phone
    Draft,
    /// Recorded: it counts
    Recorded,
    /// Voided: it no longer counts
    Voided,
}

/// How a weight came into the phone.
#[uniffi::remote(Enum)]
pub enum WeightSource {
    /// Typed by a person
    Manual,
    /// Read from a scale
    Scale,
    /// The previous weight again
    Repeat,
    /// Spoken
    Voice,
}

/// Where a phone was, as its receiver reported it.
#[uniffi::remote(Record)]
pub struct Location {
    /// Degrees × 10⁷
    pub latitude_e7: i32,
    /// Degrees × 10⁷
    pub longitude_e7: i32,
    /// Radius of the receiver's error in centimetres
    pub accuracy_cm: u32,
    /// Age of the fix in milliseconds
    pub age_ms: u32,
}

/// A bag of a delivery.
#[uniffi::remote(Record)]
pub struct Bag {
    /// Names the bag when it is removed or voided
    pub bag_id: String,
    /// The label on the bag
    pub number: u32,
    /// Its weight, bag included
    pub gross_g: Grams,
    /// Its type
    pub bag_type: BagType,
    /// How the weight came in
    pub source: WeightSource,
    /// When it was weighed
    pub weighed_at: Timestamp,
    /// Why it no longer counts; empty for a bag that counts
    pub voids: Vec<Act>,
}

/// What the bags that count add up to.
#[uniffi::remote(Record)]
pub struct Totals {
    /// Bags that count
    pub bags: u32,
    /// Their weight, bags included
    pub gross_g: Grams,
    /// The weight of the empty bags
    pub tare_g: Grams,
    /// Gross less tare
    pub net_g: Grams,
}

/// All that a screen shows of a delivery.
#[uniffi::remote(Record)]
pub struct DeliveryView {
    /// Its id, the same from draft to settlement
    pub delivery_id: DeliveryId,
    /// What the next change names as seen
    pub basis: Basis,
    /// How far it has come
    pub lifecycle: Lifecycle,
    /// How far it is on its way to the server's log
    pub sync: SyncState,
    /// The number on the receipt; none for a draft
    pub receipt_number: Option<ReceiptNumber>,
    /// The centre
    pub centre: CentreCode,
    /// The season
    pub season: SeasonCode,
    /// The commodity
    pub commodity: CommodityCode,
    /// The day that it counts for
    pub business_date: BusinessDate,
    /// The farmer; a recorded delivery has one
    pub farmer_id: Option<FarmerId>,
    /// The load
    pub load_id: Option<LoadId>,
    /// How many bags were said to come
    pub declared_bags: Option<u32>,
    /// All bags, voided ones too
    pub bags: Vec<Bag>,
    /// Moisture in percent; the last one counts
    pub readings: Vec<Percent>,
    /// Where the phone was
    pub location: Option<Location>,
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
    pub reviews: Vec<ReviewCode>,
}

/// A recorded delivery in a list.
#[uniffi::remote(Record)]
pub struct DeliveryRow {
    /// Its place in the order of arrival on this phone
    pub arrival: i64,
    /// Its id
    pub delivery_id: DeliveryId,
    /// Where it belongs
    pub scope: Scope,
    /// The farmer
    pub farmer_id: FarmerId,
    /// The load
    pub load_id: Option<LoadId>,
    /// The day that it counts for
    pub business_date: BusinessDate,
    /// When it was recorded
    pub recorded_at: Timestamp,
    /// The person who recorded it
    pub user_id: UserId,
    /// The installation that recorded it
    pub device_code: DeviceCode,
    /// The installation's count of receipts
    pub receipt_sequence: u32,
    /// Whether it no longer counts
    pub is_voided: bool,
    /// How often it was amended
    pub amendments: u32,
    /// Fields in conflict
    pub conflicts: u32,
    /// Bags that count
    pub bags: u32,
    /// Their weight
    pub gross_g: Grams,
}

/// A recorded delivery in a list, and how far it is on its way to the server's log.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct DeliveryItem {
    /// The delivery
    pub row: DeliveryRow,
    /// How far it is on its way to the server's log
    pub sync: SyncState,
}

/// A page of deliveries, the newest to arrive on this phone first.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct DeliveryPage {
    /// The deliveries
    pub items: Vec<DeliveryItem>,
    /// Where the next page begins, as `after` of a query; none at the end
    pub next: Option<i64>,
}

impl DeliveryPage {
    /// Makes a page of rows of which one more than a page's was asked for.
    pub(crate) fn new(mut rows: Vec<(DeliveryRow, SyncState)>, limit: usize) -> Self {
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| has_more).map(|(row, _)| row.arrival);
        Self { items: rows.into_iter().map(|(row, sync)| DeliveryItem { row, sync }).collect(), next }
    }
}
