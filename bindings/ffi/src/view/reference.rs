use farmtally_core::decisions::{
    self, Commodity, Instrument, InstrumentInterval, InstrumentType, Lorry, PaperBook, PaperPurpose,
};
use farmtally_core::store::decisions::Reference as CoreReference;
use farmtally_core::units::{
    BusinessDate, CentreCode, CommodityCode, Grams, InstrumentCode, LorryPlate, PaperBookCode,
};

/// A bag type in the rules of a commodity.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct BagTypeRule {
    /// Commodity
    pub commodity: CommodityCode,
    /// Number of the bag type, 0 to 15
    pub number: u8,
    /// Name of the bag type
    pub name: String,
    /// Weight of the empty bag in grams
    pub tare_g: Grams,
}

/// A lorry in the reference data.
#[uniffi::remote(Record)]
pub struct Lorry {
    /// Plate
    pub plate: LorryPlate,
    /// Payload in grams
    #[uniffi(name = "payload_g")]
    pub payload: Grams,
}

/// What an instrument measures with.
#[uniffi::remote(Enum)]
pub enum InstrumentType {
    /// It weighs bags and lots
    Scale,
    /// It weighs vehicles
    Weighbridge,
    /// It measures moisture
    MoistureMeter,
}

/// The interval of an instrument in a range of values.
#[uniffi::remote(Record)]
pub struct InstrumentInterval {
    /// Largest value of the range, which begins above that of the range before
    pub up_to_value: u32,
    /// Difference between two values that it shows in the range
    pub interval_value: u32,
}

/// A scale, weighbridge or moisture meter. Values are in grams; of a moisture meter, in hundredths of a percent.
#[uniffi::remote(Record)]
pub struct Instrument {
    /// Code
    pub code: InstrumentCode,
    /// What it is
    pub instrument_type: InstrumentType,
    /// Serial number
    pub serial: String,
    /// Accuracy class; may be empty
    pub accuracy_class: String,
    /// Smallest value for which it may be used
    pub min_value: u32,
    /// Largest value
    pub max_value: u32,
    /// Intervals by range, in ascending order; none if not known
    pub intervals: Vec<InstrumentInterval>,
    /// Number of the certificate; may be empty
    pub certificate: String,
    /// Last day on which the certificate is valid
    pub valid_until: BusinessDate,
}

/// What the forms of a paper book are for.
#[uniffi::remote(Enum)]
pub enum PaperPurpose {
    /// Deliveries
    Deliveries,
    /// Advances
    Advances,
}

/// A book of numbered paper forms.
#[uniffi::remote(Record)]
pub struct PaperBook {
    /// Code
    pub code: PaperBookCode,
    /// Number of the first form
    pub first_serial: u32,
    /// Number of the last form
    pub last_serial: u32,
    /// Centre that has the book
    pub centre: CentreCode,
    /// What its forms are for
    pub purpose: PaperPurpose,
}

/// Reference data for weighing and loading.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Reference {
    /// Codes of the commodities
    pub commodities: Vec<CommodityCode>,
    /// Bag types of each commodity, by the rules that are valid today
    pub bag_types: Vec<BagTypeRule>,
    /// The known lorries
    pub lorries: Vec<Lorry>,
    /// The known instruments
    pub instruments: Vec<Instrument>,
    /// The known paper books of all centres
    pub paper_books: Vec<PaperBook>,
}

impl Reference {
    pub(crate) fn of(reference: &CoreReference, today: BusinessDate) -> Self {
        let commodities: Vec<_> = reference.all::<Commodity>().map(|it| it.code.clone()).collect();
        let bag_types = commodities.iter().flat_map(|commodity| {
            reference.bag_types(commodity, today).iter().map(|rule| {
                let decisions::BagTypeRule { number, name, tare } = rule;
                BagTypeRule { commodity: commodity.clone(), number: *number, name: name.clone(), tare_g: *tare }
            })
        });
        let lorries = reference.all::<Lorry>().cloned().collect();
        let instruments = reference.all::<Instrument>().cloned().collect();
        let paper_books = reference.all::<PaperBook>().cloned().collect();
        Self { bag_types: bag_types.collect(), lorries, instruments, paper_books, commodities }
    }
}
