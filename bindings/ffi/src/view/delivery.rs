use farmtally_core::client::{BagView, Basis, DeliveryItem, DeliveryPage, DeliveryView, Lifecycle, SyncState};
use farmtally_core::decisions::ReviewCode;
use farmtally_core::records::{Act, BagSource, Conflict};
use farmtally_core::rules::{Calculation, GradeWeight, LineKind, Totals, WeightLine};
use farmtally_core::scope::Scope;
use farmtally_core::store::rows::DeliveryRow;
use farmtally_core::units::{
    BagType, BusinessDate, CentreCode, CommodityCode, DeliveryId, DeviceCode, FactorCode, FarmerId, GradeCode, Grams,
    LoadId, Location, Percent, ReceiptNumber, SeasonCode, Timestamp, UserId,
};

type Bag = BagView;
type WeightSource = BagSource;

/// State of a delivery.
#[uniffi::remote(Enum)]
pub enum Lifecycle {
    /// Being weighed, only on this phone
    Draft,
    /// Recorded; it counts
    Recorded,
    /// Voided; it does not count
    Voided,
}

/// How a weight was entered.
#[uniffi::remote(Enum)]
pub enum WeightSource {
    /// Typed by a person
    Manual,
    /// Read from a scale
    Scale,
    /// The previous weight repeated
    Repeat,
    /// Spoken
    Voice,
}

/// Where a phone was, as reported by its receiver.
#[uniffi::remote(Record)]
pub struct Location {
    /// Latitude in degrees × 10⁷, -900,000,000 to 900,000,000
    pub latitude_e7: i32,
    /// Longitude in degrees × 10⁷, -1,800,000,000 to 1,800,000,000
    pub longitude_e7: i32,
    /// Radius of the error in centimetres
    pub accuracy_cm: u32,
    /// Age of the fix in milliseconds
    pub age_ms: u32,
}

/// A bag of a delivery.
#[uniffi::remote(Record)]
pub struct Bag {
    /// Identifies the bag in VoidBag
    pub bag_id: String,
    /// Number on the bag's label
    pub number: u32,
    /// Gross weight in grams, with the bag
    pub gross_g: Grams,
    /// Number of the bag type, which decides the tare
    pub bag_type: BagType,
    /// How the weight was entered
    pub source: WeightSource,
    /// When it was weighed, to the second once it is recorded
    pub weighed_at: Timestamp,
    /// Voids of this bag itself; without any it counts, unless the delivery is voided
    pub voids: Vec<Act>,
}

/// Totals of bags, without voided ones; sums of printed lines.
#[uniffi::remote(Record)]
pub struct Totals {
    /// Number of bags
    pub bags: u32,
    /// Gross weight in grams, with the bags
    pub gross_g: Grams,
    /// Weight of the empty bags in grams; 0 for a bag type without a rule
    pub tare_g: Grams,
    /// Deduction for quality in grams
    pub quality_g: Grams,
    /// Deduction for moisture in grams, with the loss in drying and handling
    pub moisture_g: Grams,
    /// Customary allowance in grams
    pub allowance_g: Grams,
    /// Gross less all deductions in grams, never below 0
    pub net_g: Grams,
    /// Number of these bags whose type the rule set does not name: their tare is not known, and not part of the tare
    pub bags_of_unknown_type: u32,
    /// Whether the deductions of a grade use up all that was weighed of it
    pub deductions_exceed_weight: bool,
}

/// What a printed line of a weight is for.
#[uniffi::remote(Enum)]
pub enum LineKind {
    /// Weight with the bags
    Gross,
    /// Weight of the empty bags of one type
    Tare,
    /// Deduction for quality
    Quality,
    /// Deduction for moisture
    Moisture,
    /// Loss in drying and handling
    HandlingLoss,
    /// What the quality deductions are above their limit, given back
    QualityCap,
    /// Customary allowance
    Allowance,
    /// What all deductions are above the weight, given back
    Excess,
}

/// How the amount of a line was computed; the formulas are in docs/arithmetic.md.
#[uniffi::remote(Enum)]
pub enum Calculation {
    /// The sum of what was weighed
    Weighed,
    /// A weight that a person decided
    Decided,
    /// The difference to a limit
    ToLimit,
    /// A weight for each bag
    PerBag {
        /// Number of bags
        bags: u32,
        /// Weight for one bag in grams
        each_g: Grams,
    },
    /// A share of a weight
    Share {
        /// The weight in grams
        of_g: Grams,
        /// The share in percent
        share: Percent,
    },
    /// A weight for each bag and point
    PerBagAndPoint {
        /// Number of bags
        bags: u32,
        /// Weight for one bag and point in grams
        each_g: Grams,
        /// Points in hundredths of one
        points_hundredths: i64,
    },
    /// A share of a weight for each point
    SharePerPoint {
        /// The weight in grams
        of_g: Grams,
        /// Share for one point in percent
        share: Percent,
        /// Points in hundredths of one
        points_hundredths: i64,
    },
    /// What a weight loses when it dries to the target
    WaterShrink {
        /// The weight in grams
        of_g: Grams,
        /// Target moisture in percent
        target: Percent,
        /// Points above it in hundredths of one
        points_hundredths: i64,
    },
}

/// A printed line of a weight.
#[uniffi::remote(Record)]
pub struct WeightLine {
    /// What it is for
    pub kind: LineKind,
    /// Grade that it belongs to; null for produce without a grade
    pub grade: Option<GradeCode>,
    /// Quality factor, for a line of quality that has one
    pub factor: Option<FactorCode>,
    /// Bag type, for a line of tare
    pub bag_type: Option<BagType>,
    /// How the amount was computed
    pub calculation: Calculation,
    /// The amount in grams; a deduction is negative
    pub amount_g: Grams,
}

/// The weight of the produce of one grade.
#[uniffi::remote(Record)]
pub struct GradeWeight {
    /// The grade; null for produce without one
    pub grade: Option<GradeCode>,
    /// The moisture that counts in percent; null without a reading
    pub moisture: Option<Percent>,
    /// Place of the price bracket of that moisture, from 1; null if prices do not depend on it
    pub price_bracket: Option<u32>,
    /// Totals of the lines
    pub totals: Totals,
    /// Printed lines in their order
    pub lines: Vec<WeightLine>,
}

/// A delivery as a screen shows it.
#[uniffi::remote(Record)]
pub struct DeliveryView {
    /// Id, the same for draft and recorded delivery
    pub delivery_id: DeliveryId,
    /// The version shown here; pass it to the next change
    pub basis: Basis,
    /// Whether it is a draft, recorded or voided
    pub lifecycle: Lifecycle,
    /// How far it is on its way to the server's log; a draft is unsent
    pub sync: SyncState,
    /// Receipt number; null for a draft
    pub receipt_number: Option<ReceiptNumber>,
    /// Centre where it is weighed
    pub centre: CentreCode,
    /// Season in which it is bought
    pub season: SeasonCode,
    /// Commodity that is delivered
    pub commodity: CommodityCode,
    /// Day for which it counts
    pub business_date: BusinessDate,
    /// Farmer; null only in a draft
    pub farmer_id: Option<FarmerId>,
    /// Load it is on; null if it is on no load
    pub load_id: Option<LoadId>,
    /// Number of bags that the farmer declared; null if not asked
    pub declared_bags: Option<u32>,
    /// All bags, with those that are voided
    pub bags: Vec<Bag>,
    /// Moisture readings in percent; the rule set says which one counts
    pub readings: Vec<Percent>,
    /// Where the phone was; null if not known
    pub location: Option<Location>,
    /// The voided or rejected delivery that this one replaces; null for none
    pub replaces: Option<DeliveryId>,
    /// Totals of the bags that are not voided, even if the delivery is and counts in no total
    pub totals: Totals,
    /// The same for each grade, with the printed lines; produce without a grade is first
    pub grades: Vec<GradeWeight>,
    /// Amendments, oldest first
    pub amendments: Vec<Act>,
    /// Voids, oldest first
    pub voids: Vec<Act>,
    /// Fields that have concurrent values
    pub conflicts: Vec<Conflict>,
    /// Codes of the reviews that name it
    pub reviews: Vec<ReviewCode>,
}

/// A recorded delivery in a list.
#[uniffi::remote(Record)]
pub struct DeliveryRow {
    /// Id of the delivery
    pub delivery_id: DeliveryId,
    /// Its centre and season
    pub scope: Scope,
    /// Id of the farmer who delivered
    pub farmer_id: FarmerId,
    /// Load it is on; null if it is on no load
    pub load_id: Option<LoadId>,
    /// Day for which it counts
    pub business_date: BusinessDate,
    /// When it was recorded, by the time of the recording phone
    pub recorded_at: Timestamp,
    /// User who recorded it
    pub user_id: UserId,
    /// Device that recorded it
    pub device_code: DeviceCode,
    /// Count in its receipt number
    pub receipt_sequence: u32,
    /// Whether it is voided and does not count
    pub is_voided: bool,
    /// Number of amendments
    pub amendments: u32,
    /// Number of fields that have concurrent values
    pub conflicts: u32,
    /// Number of bags that are not voided, even if the delivery is
    pub bags: u32,
    /// Gross weight of these bags in grams
    pub gross_g: Grams,
}

/// A recorded delivery in a list, with its sync state.
#[uniffi::remote(Record)]
pub struct DeliveryItem {
    /// The delivery
    pub row: DeliveryRow,
    /// How far it is on its way to the server's log
    pub sync: SyncState,
}

/// A page of deliveries.
#[uniffi::remote(Record)]
pub struct DeliveryPage {
    /// The deliveries
    pub items: Vec<DeliveryItem>,
    /// Pass it as `after` of the query for the next page; null on the last page
    pub next: Option<String>,
}
