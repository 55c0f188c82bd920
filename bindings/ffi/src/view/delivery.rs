use farmtally_core::client::{
    BagView, Basis, DeliveryItem, DeliveryPage, DeliveryView, Lifecycle, LotView, ReadingView, SyncState,
};
use farmtally_core::decisions::ReviewCode;
use farmtally_core::records::delivery::{LoadPart, Print, PrintMedium, Reason};
use farmtally_core::records::{Act, BagCount, BagSource, Conflict, Mark, Measured, PaperEntry, Point, Stamp, Stroke};
use farmtally_core::rules::{ActionCode, Check, GradeWeight, Totals, Warning};
use farmtally_core::scope::Scope;
use farmtally_core::store::rows::DeliveryRow;
use farmtally_core::units::{
    BagType, BusinessDate, CentreCode, CommodityCode, DeliveryId, DeviceCode, FactorCode, FarmerId, GradeCode, Grams,
    InstrumentCode, LoadId, Location, LocationProvider, PaperBookCode, Percent, PhotoHash, ReceiptNumber, SeasonCode,
    Timestamp, UserId,
};

use super::simple::SignatureView;

type CheckCode = Check;
type Bag = BagView;
type Lot = LotView;
type Reading = ReadingView;
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

/// Source of a location.
#[uniffi::remote(Enum)]
pub enum LocationProvider {
    /// Satellites, such as those of GPS
    Satellite,
    /// Networks nearby, of mobile telephony or Wi-Fi
    Network,
    /// Several sources, combined by the phone
    Fused,
    /// A person, who showed the place on a map
    Person,
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
    /// Source of the location; null if the phone does not say
    #[uniffi(default = None)]
    pub provider: Option<LocationProvider>,
    /// Whether the phone says that an app made the location up
    #[uniffi(default = false)]
    pub is_mock: bool,
}

/// What of a delivery is on one load, or on none.
#[uniffi::remote(Record)]
pub struct LoadPart {
    /// The load; null for what is on none
    pub load_id: Option<LoadId>,
    /// Number of its bags; those that were counted in lots are shared out by the weights of the lots
    pub bags: u32,
    /// Weight of produce and bags in grams
    pub gross_g: Grams,
}

/// Number of bags in lots and vehicles, of one type and grade.
#[uniffi::remote(Record)]
pub struct BagCount {
    /// Number of the bag type
    pub bag_type: BagType,
    /// Grade of the produce in them; null for none
    pub grade: Option<GradeCode>,
    /// Number of bags, at most 100,000; 0 for loose produce
    pub count: u32,
}

/// What was read, with its value.
#[uniffi::remote(Enum)]
pub enum Measured {
    /// Moisture
    Moisture(
        /// Percent with up to two decimals, such as 14.5
        #[uniffi(name = "moisture")]
        Percent,
    ),
    /// A quality factor
    Factor {
        /// Code of the factor in the rule set
        factor: FactorCode,
        /// Value in the factor's unit
        value: u32,
    },
}

/// A point of a stroke, in steps from the top left corner of a field of 1,024 steps in width and height.
#[uniffi::remote(Record)]
pub struct Point {
    /// Steps to the right, 0 to 1,023
    pub x: u32,
    /// Steps down, 0 to 1,023
    pub y: u32,
}

/// A line drawn without lifting the finger.
#[uniffi::remote(Record)]
pub struct Stroke {
    /// Points in the order in which they were drawn
    pub points: Vec<Point>,
}

/// A person's mark.
#[uniffi::remote(Enum)]
pub enum Mark {
    /// A signature that was drawn on the screen
    Drawn {
        /// Its strokes, at most 2,048 bytes when packed: some 600 points
        strokes: Vec<Stroke>,
    },
    /// A thumb mark on paper
    Thumb {
        /// SHA-256 of a photo of it
        photo: PhotoHash,
    },
}

/// Where a receipt was printed or sent.
#[uniffi::remote(Enum)]
pub enum PrintMedium {
    /// On paper
    Paper,
    /// As a text message
    Message,
    /// As a file, such as a PDF
    File,
}

/// A print of a receipt.
#[uniffi::remote(Record)]
pub struct Print {
    /// Author, device and time
    pub stamp: Stamp,
    /// Where it was printed or sent
    pub medium: PrintMedium,
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
    /// Grade of the produce in it; null for none
    pub grade: Option<GradeCode>,
    /// How the weight was entered
    pub source: WeightSource,
    /// Code of the scale; null if not known
    pub scale: Option<InstrumentCode>,
    /// User who weighed it
    pub user_id: UserId,
    /// When it was weighed, to the second once it is recorded
    pub weighed_at: Timestamp,
    /// Load that it is on; null for none
    pub load_id: Option<LoadId>,
    /// Voids of this bag itself; without any it counts, unless the delivery is voided
    pub voids: Vec<Act>,
}

/// A lot or vehicle of a delivery: bags or loose produce that were weighed together.
#[uniffi::remote(Record)]
pub struct Lot {
    /// Identifies the lot in VoidLot
    pub lot_id: String,
    /// Number among the bags and lots of the delivery
    pub number: u32,
    /// Weight in grams, with the bags, and with the vehicle if there is one
    pub gross_g: Grams,
    /// Weight of the empty vehicle in grams; null if it was not weighed on one
    pub vehicle_g: Option<Grams>,
    /// Grade of the produce; null for none
    pub grade: Option<GradeCode>,
    /// How the weight was entered
    pub source: WeightSource,
    /// Code of the scale or weighbridge; null if not known
    pub scale: Option<InstrumentCode>,
    /// User who weighed it
    pub user_id: UserId,
    /// When it was weighed
    pub weighed_at: Timestamp,
    /// Load that it is on; null for none
    pub load_id: Option<LoadId>,
    /// Voids of this lot itself; without any it counts, unless the delivery is voided
    pub voids: Vec<Act>,
}

/// A reading of moisture or of a quality factor.
#[uniffi::remote(Record)]
pub struct Reading {
    /// Identifies the reading in VoidReading; in a draft, its place from 1
    pub reading_id: String,
    /// What was read, with its value
    pub measured: Measured,
    /// Grade whose produce was read; null if it counts for each grade that has no reading of its own
    pub grade: Option<GradeCode>,
    /// Code of the meter; null if not known
    pub meter: Option<InstrumentCode>,
    /// SHA-256 of a photo of it; null for none
    pub photo: Option<PhotoHash>,
    /// User who read it
    pub user_id: UserId,
    /// When it was recorded; null in a draft
    pub recorded_at: Option<Timestamp>,
    /// Voids of this reading; without any it counts
    pub voids: Vec<Act>,
}

/// The numbered form of a paper book on which a record was written before it was entered.
#[uniffi::remote(Record)]
pub struct PaperEntry {
    /// Code of the book
    pub book: PaperBookCode,
    /// Number printed on the form, at most 99,999,999
    pub serial: u32,
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
    /// What the current user may do with it now
    pub actions: Vec<ActionCode>,
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
    /// Author, device and time of recording; null for a draft
    pub recorded: Option<Stamp>,
    /// Users who weighed it, in the order in which they began; the last one weighs the draft, or recorded the delivery
    pub users: Vec<UserId>,
    /// Farmer; null only in a draft
    pub farmer_id: Option<FarmerId>,
    /// Load of all that was not put apart; null for none
    pub load_id: Option<LoadId>,
    /// What of its bags and lots that are not voided is on each load: at least one part
    pub parts: Vec<LoadPart>,
    /// Number of bags that the farmer declared; null if not asked
    pub declared_bags: Option<u32>,
    /// All bags, with those that are voided
    pub bags: Vec<Bag>,
    /// All lots and vehicles, with those that are voided
    pub lots: Vec<Lot>,
    /// Bags that were counted in the lots and vehicles
    pub bag_counts: Vec<BagCount>,
    /// Readings, with those that are voided; the rule set says which of several counts
    pub readings: Vec<Reading>,
    /// Where the phone was; null if not known
    pub location: Option<Location>,
    /// Whether the farmer brought a second heap, so that it is not another record of the first one
    pub is_second_heap: bool,
    /// Why it is put on a load above its limit; null if it is not
    pub overload_reason: Option<Reason>,
    /// Paper form on which it was written first; null if on none
    pub paper_entry: Option<PaperEntry>,
    /// Whether it has a signature or thumb mark, also as a draft
    pub is_signed: bool,
    /// Signatures and thumb marks under a recorded delivery, oldest first, if the role may see them
    pub signatures: Vec<SignatureView>,
    /// Prints of the receipt, oldest first; the first one is the receipt, the others are copies
    pub prints: Vec<Print>,
    /// The voided or rejected delivery that this one replaces; null for none
    pub replaces: Option<DeliveryId>,
    /// Deliveries on this phone that replace it and are not voided
    pub replaced_by: Vec<DeliveryId>,
    /// Totals of the weights that are not voided, even if the delivery is and counts in no total
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
    /// Warnings about the instruments and weights of a draft; record_delivery fails with Confirm for them. Of a recorded delivery, those about bags of one number
    pub warnings: Vec<Warning>,
}

/// A check that a draft needs, with its figures, shown while it is weighed.
#[uniffi::remote(Record)]
pub struct Warning {
    /// The check; docs/records.md says what its figures are
    pub check: CheckCode,
    /// Instrument concerned; null for a pattern of weights
    pub instrument: Option<InstrumentCode>,
    /// Number of the first bag or lot concerned, or place of the reading; null if all are
    pub number: Option<u32>,
    /// How many values are concerned
    pub count: u32,
    /// The figure that was found; null for an instrument without any check
    pub value: Option<i64>,
    /// The figure it is compared with; null if there is none
    pub limit: Option<i64>,
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
    /// Load that all of it is on; null for none, and if it is divided
    pub load_id: Option<LoadId>,
    /// Number of parts into which loads divide it; 1 if it is not divided
    pub parts: u32,
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
