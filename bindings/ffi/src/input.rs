//! Inputs: core's own types, described as in [`crate::view`], and those that cross in another form.

use farmtally_core::client::{
    DeliveryEdit, DeliveryQuery, DraftEdit, FarmerQuery, LoadEdit, LoadQuery, OpenLoad, ReadingInput, SimpleFilter,
    StartDraft,
};
use farmtally_core::records::delivery::Reason;
use farmtally_core::records::load::LoadState;
use farmtally_core::records::simple::SimpleState;
use farmtally_core::records::{BagCount, BagSource, Mark, PaperEntry};
use farmtally_core::units::{
    BagType, BagWeight, BusinessDate, CentreCode, CommodityCode, DeliveryId, DocumentId, FactorCode, FarmerId,
    GradeCode, InstrumentCode, LoadId, Location, LorryPlate, LotWeight, Percent, PhotoHash, UserId,
};

/// Input for a new draft.
#[uniffi::remote(Record)]
pub struct StartDraft {
    /// Centre, one of those granted
    pub centre: CentreCode,
    /// Commodity that is delivered
    pub commodity: CommodityCode,
    /// Farmer of a granted centre who is on this phone; null if not known yet
    #[uniffi(default = None)]
    pub farmer_id: Option<FarmerId>,
    /// Load of the same centre and season that is on this phone; null for none
    #[uniffi(default = None)]
    pub load_id: Option<LoadId>,
    /// The voided delivery that this one replaces; null for none
    #[uniffi(default = None)]
    pub replaces: Option<DeliveryId>,
}

/// Input for a reading.
#[uniffi::remote(Enum)]
pub enum ReadingInput {
    /// A reading of moisture
    Moisture {
        /// Percent with up to two decimals, such as 14.5
        moisture: Percent,
        /// Code of the grade whose produce was read; null if it counts for each grade that has no reading of its own
        #[uniffi(default = None)]
        grade: Option<GradeCode>,
        /// Code of the meter; null if not known
        #[uniffi(default = None)]
        meter: Option<InstrumentCode>,
        /// SHA-256 of a photo of it; null for none
        #[uniffi(default = None)]
        photo: Option<PhotoHash>,
    },
    /// A reading of a quality factor
    Factor {
        /// Code of the factor in the rule set
        factor: FactorCode,
        /// Value in the factor's unit
        value: u32,
        /// Code of the grade whose produce was read; null if it counts for each grade that has no reading of its own
        #[uniffi(default = None)]
        grade: Option<GradeCode>,
        /// Code of the meter; null if not known
        #[uniffi(default = None)]
        meter: Option<InstrumentCode>,
        /// SHA-256 of a photo of it; null for none
        #[uniffi(default = None)]
        photo: Option<PhotoHash>,
    },
}

/// A step of weighing.
#[uniffi::remote(Enum)]
pub enum DraftEdit {
    /// Sets the farmer
    SetFarmer(
        /// Id of a farmer of a granted centre who is on this phone
        #[uniffi(name = "farmer_id")]
        FarmerId,
    ),
    /// Sets the load of all that was not put apart
    SetLoad(
        /// Load; null takes the draft off its load
        #[uniffi(name = "load_id")]
        Option<LoadId>,
    ),
    /// Puts bags and lots on a load of their own; the rest stays
    SetLoadOfBags {
        /// Load; null for none
        load_id: Option<LoadId>,
        /// Numbers of the bags and lots
        numbers: Vec<u32>,
    },
    /// Sets the number of bags that the farmer declares
    SetDeclaredBags(
        /// Number of bags; null for none declared
        #[uniffi(name = "count")]
        Option<u32>,
    ),
    /// Sets the day for which it counts, and with it the season
    SetBusinessDate(
        /// Day, within a season of the commodity
        #[uniffi(name = "date")]
        BusinessDate,
    ),
    /// Adds a bag
    AddBag {
        /// Gross weight with its bag: kilograms such as 62.4, or grams such as 62400 g; 1 g to 1,000 kg
        #[uniffi(name = "weight")]
        gross: BagWeight,
        /// Number of the bag type, which decides the tare
        #[uniffi(default = 0)]
        bag_type: BagType,
        /// How the weight was entered; null means typed
        #[uniffi(default = None)]
        source: Option<BagSource>,
        /// Code of the grade of the produce; null for none
        #[uniffi(default = None)]
        grade: Option<GradeCode>,
        /// Code of the scale; null if not known
        #[uniffi(default = None)]
        scale: Option<InstrumentCode>,
    },
    /// Adds a bag with weight, type, grade and scale of the last one
    RepeatBag,
    /// Adds a lot or vehicle
    AddLot {
        /// Weight with the bags and the vehicle: kilograms such as 1250.5, or grams; 1 g to 100,000 kg
        #[uniffi(name = "weight")]
        gross: LotWeight,
        /// Weight of the empty vehicle; null if the lot was not weighed on one
        #[uniffi(default = None)]
        vehicle: Option<LotWeight>,
        /// How the weight was entered; null means typed
        #[uniffi(default = None)]
        source: Option<BagSource>,
        /// Code of the grade of the produce; null for none
        #[uniffi(default = None)]
        grade: Option<GradeCode>,
        /// Code of the scale; null if not known
        #[uniffi(default = None)]
        scale: Option<InstrumentCode>,
    },
    /// Removes a bag or lot; its number is not used again
    Remove {
        /// Number of the bag or lot
        number: u32,
    },
    /// Sets the number of bags in the lots and vehicles
    SetBagCounts(
        /// One for each bag type and grade
        #[uniffi(name = "counts")]
        Vec<BagCount>,
    ),
    /// Adds a reading; the rule set says which of several counts
    AddReading(
        /// The reading of moisture or of a quality factor
        #[uniffi(name = "reading")]
        ReadingInput,
    ),
    /// Removes a reading; later ones move up
    RemoveReading {
        /// Place among the readings, from 1
        place: u32,
    },
    /// Sets the signature or thumb mark
    SetMark(
        /// The mark; null removes it
        #[uniffi(name = "mark")]
        Option<Mark>,
    ),
    /// Sets whether the farmer brought a second heap, which is not another record of the first one
    SetSecondHeap(
        /// Whether it is a second heap
        #[uniffi(name = "is_second_heap")]
        bool,
    ),
    /// Sets the reason for which it is put on a load above its limit
    SetOverloadReason(
        /// The reason; null removes it
        #[uniffi(name = "reason")]
        Option<Reason>,
    ),
    /// Sets the form of a paper book on which the delivery was written first
    SetPaperEntry(
        /// The form; null for none
        #[uniffi(name = "entry")]
        Option<PaperEntry>,
    ),
    /// Sets where the phone is
    SetLocation(
        /// Location from the phone's receiver
        #[uniffi(name = "location")]
        Location,
    ),
}

/// A correction of a recorded delivery.
#[uniffi::remote(Enum)]
pub enum DeliveryEdit {
    /// Adds a forgotten bag
    AddBag {
        /// Gross weight with its bag: kilograms such as 62.4, or grams such as 62400 g; 1 g to 1,000 kg
        #[uniffi(name = "weight")]
        gross: BagWeight,
        /// Number of the bag type, which decides the tare
        #[uniffi(default = 0)]
        bag_type: BagType,
        /// How the weight was entered; null means typed
        #[uniffi(default = None)]
        source: Option<BagSource>,
        /// Code of the grade of the produce; null for none
        #[uniffi(default = None)]
        grade: Option<GradeCode>,
        /// Code of the scale; null if not known
        #[uniffi(default = None)]
        scale: Option<InstrumentCode>,
    },
    /// Adds a forgotten lot or vehicle
    AddLot {
        /// Weight with the bags and the vehicle: kilograms such as 1250.5, or grams; 1 g to 100,000 kg
        #[uniffi(name = "weight")]
        gross: LotWeight,
        /// Weight of the empty vehicle; null if the lot was not weighed on one
        #[uniffi(default = None)]
        vehicle: Option<LotWeight>,
        /// How the weight was entered; null means typed
        #[uniffi(default = None)]
        source: Option<BagSource>,
        /// Code of the grade of the produce; null for none
        #[uniffi(default = None)]
        grade: Option<GradeCode>,
        /// Code of the scale; null if not known
        #[uniffi(default = None)]
        scale: Option<InstrumentCode>,
    },
    /// Voids a bag, which stays visible
    VoidBag {
        /// `bag_id` of the bag in the view
        bag_id: String,
        /// Why it is voided
        reason: Reason,
    },
    /// Voids a lot or vehicle, which stays visible
    VoidLot {
        /// `lot_id` of the lot in the view
        lot_id: String,
        /// Why it is voided
        reason: Reason,
    },
    /// Voids a reading, which stays visible
    VoidReading {
        /// `reading_id` of the reading in the view
        reading_id: String,
        /// Why it is voided
        reason: Reason,
    },
    /// Sets the number of bags in the lots and vehicles
    SetBagCounts(
        /// One for each bag type and grade
        #[uniffi(name = "counts")]
        Vec<BagCount>,
    ),
    /// Sets the load of all that was not put apart
    SetLoad(
        /// Load; null takes the delivery off its load
        #[uniffi(name = "load_id")]
        Option<LoadId>,
    ),
    /// Puts bags and lots on a load of their own; the rest stays
    SetLoadOfBags {
        /// Load that is planned or open, as far as this phone knows; null for none
        load_id: Option<LoadId>,
        /// `bag_id` of the bags and `lot_id` of the lots in the view that are not voided
        ids: Vec<String>,
        /// Why they are put on a load above its limit; null unless they are
        #[uniffi(default = None)]
        overload_reason: Option<Reason>,
    },
    /// Sets the day for which it counts
    SetBusinessDate(
        /// Day, within the delivery's season
        #[uniffi(name = "date")]
        BusinessDate,
    ),
    /// Corrects the declared number of bags
    SetDeclaredBags(
        /// Number of bags; null for none declared
        #[uniffi(name = "count")]
        Option<u32>,
    ),
}

/// Input for opening a load.
#[uniffi::remote(Record)]
pub struct OpenLoad {
    /// Centre, one of those granted
    pub centre: CentreCode,
    /// Commodity that is loaded
    pub commodity: CommodityCode,
    /// Plate of a lorry in the reference data
    pub lorry: LorryPlate,
    /// The driver's name, one line of at most 200 characters; null if not known
    #[uniffi(default = None)]
    pub driver: Option<String>,
    /// Name of the destination, at most 200 characters; null if not known
    #[uniffi(default = None)]
    pub destination: Option<String>,
    /// Whether it is only planned, and loading begins later with LoadEdit.Open
    #[uniffi(default = false)]
    pub is_planned: bool,
}

/// A change of a load. Texts have at most 200 characters.
#[uniffi::remote(Enum)]
pub enum LoadEdit {
    /// Begins loading a planned load
    Open,
    /// Sets the lorry
    SetLorry(
        /// Plate of a known lorry
        #[uniffi(name = "lorry")]
        LorryPlate,
    ),
    /// Sets the driver
    SetDriver(
        /// The driver's name
        #[uniffi(name = "driver")]
        String,
    ),
    /// Sets the destination; on the way, use Divert, which also says why it changes
    SetDestination(
        /// Name of the place
        #[uniffi(name = "destination")]
        String,
    ),
    /// Records a stop
    AddStop {
        /// Name of the place
        place: String,
    },
    /// Records a seal on the lorry
    AddSeal {
        /// Number on the seal
        seal: String,
    },
    /// Asks the office to close the load with the deliveries that this phone knows to be on it; later ones count as late
    RequestClose {
        /// That of the load's view, as shown
        manifest_hash: String,
    },
    /// Records that the lorry left with the load
    Depart {
        /// Reading of the odometer in kilometres, at most 9,999,999; null if it was not read
        #[uniffi(default = None)]
        odometer_km: Option<u32>,
    },
    /// Orders another destination on the way
    Divert {
        /// Name of the new destination
        destination: String,
        /// Reason that the person gave
        reason: Reason,
    },
    /// Records that the lorry arrived at its destination
    Arrive {
        /// Reading of the odometer in kilometres, at most 9,999,999; null if it was not read
        #[uniffi(default = None)]
        odometer_km: Option<u32>,
    },
    /// Takes the load over at its destination
    Receive,
    /// Gives up a load without deliveries before it left
    Cancel {
        /// Reason that the person gave
        reason: Reason,
    },
}

/// Configuration of a client.
#[derive(Clone, Debug, uniffi::Record)]
pub struct ClientConfig {
    /// Path of a folder that only this client uses; each organisation needs its own
    pub data_dir: String,
}

/// Conditions that listed deliveries must all fulfil, and the page; null is no condition.
#[uniffi::remote(Record)]
pub struct DeliveryQuery {
    /// With this receipt number as people type it; its last part, the check character, may be left out
    #[uniffi(default = None)]
    pub receipt_number: Option<String>,
    /// Weighed at this centre, one of those granted
    #[uniffi(default = None)]
    pub centre: Option<CentreCode>,
    /// On this load
    #[uniffi(default = None)]
    pub load_id: Option<LoadId>,
    /// Delivered by this farmer
    #[uniffi(default = None)]
    pub farmer_id: Option<FarmerId>,
    /// Recorded by this user
    #[uniffi(default = None)]
    pub user_id: Option<UserId>,
    /// Counting on this day or a later one
    #[uniffi(default = None)]
    pub from_date: Option<BusinessDate>,
    /// Counting on this day or an earlier one
    #[uniffi(default = None)]
    pub to_date: Option<BusinessDate>,
    /// Voided if true, not voided if false
    #[uniffi(default = None)]
    pub is_voided: Option<bool>,
    /// Whether the earliest comes first, instead of the latest
    #[uniffi(default = false)]
    pub oldest_first: bool,
    /// `next` of the page before, with the same conditions; null for the first page
    #[uniffi(default = None)]
    pub after: Option<String>,
    /// Maximum number of rows on the page, 1 to 200
    #[uniffi(default = 50)]
    pub limit: u32,
}

/// The farmers to list, and the page.
#[uniffi::remote(Record)]
pub struct FarmerQuery {
    /// Home centre of the farmers, one of those granted
    pub centre: CentreCode,
    /// Beginnings of words of a name, village or telephone number, last digits of a number, or a farmer code; empty for all farmers
    #[uniffi(default = "")]
    pub text: String,
    /// Whether the earliest comes first, instead of the latest
    #[uniffi(default = false)]
    pub oldest_first: bool,
    /// `next` of the page before, with the same text; null for the first page
    #[uniffi(default = None)]
    pub after: Option<String>,
    /// Maximum number of rows on the page, 1 to 200
    #[uniffi(default = 50)]
    pub limit: u32,
}

/// Conditions that listed loads must all fulfil, and the page; null is no condition.
#[uniffi::remote(Record)]
pub struct LoadQuery {
    /// Opened at this centre, one of those granted
    #[uniffi(default = None)]
    pub centre: Option<CentreCode>,
    /// In one of these states; empty for any
    #[uniffi(default = [])]
    pub states: Vec<LoadState>,
    /// On the lorry with this plate
    #[uniffi(default = None)]
    pub lorry: Option<LorryPlate>,
    /// Opened on this day or a later one
    #[uniffi(default = None)]
    pub from_date: Option<BusinessDate>,
    /// Opened on this day or an earlier one
    #[uniffi(default = None)]
    pub to_date: Option<BusinessDate>,
    /// Whether the earliest comes first, instead of the latest
    #[uniffi(default = false)]
    pub oldest_first: bool,
    /// `next` of the page before, with the same conditions; null for the first page
    #[uniffi(default = None)]
    pub after: Option<String>,
    /// Maximum number of rows on the page, 1 to 200
    #[uniffi(default = 50)]
    pub limit: u32,
}

/// Filter and page of a list of simple records; null matches everything.
#[derive(Clone, Debug, uniffi::Record)]
pub struct SimpleQuery {
    /// Only records of this centre; null for those of all granted ones
    #[uniffi(default = None)]
    pub centre: Option<CentreCode>,
    /// Only records about this record
    #[uniffi(default = None)]
    pub about: Option<DocumentId>,
    /// Only records about this farmer
    #[uniffi(default = None)]
    pub farmer_id: Option<FarmerId>,
    /// Only records for this day
    #[uniffi(default = None)]
    pub date: Option<BusinessDate>,
    /// Only records in this state
    #[uniffi(default = None)]
    pub state: Option<SimpleState>,
    /// `next` of the page before; null for the first page
    #[uniffi(default = None)]
    pub after: Option<DocumentId>,
    /// Maximum number of records on the page, 1 to 200
    #[uniffi(default = 50)]
    pub limit: u32,
}

impl From<SimpleQuery> for SimpleFilter {
    fn from(query: SimpleQuery) -> Self {
        let SimpleQuery { about, farmer_id, date, state, centre: _, after: _, limit: _ } = query;
        Self { about, farmer_id, date, state }
    }
}
