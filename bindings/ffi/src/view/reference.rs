use farmtally_core::decisions::{
    self, BagTypeRule, Centre, FactorUnit, Grade, Instrument, InstrumentInterval, InstrumentType, Lorry, PaperBook,
    PaperPurpose, Season,
};
use farmtally_core::store::decisions::Reference as CoreReference;
use farmtally_core::units::{
    BusinessDate, CentreCode, CommodityCode, FactorCode, GradeCode, Grams, InstrumentCode, LorryPlate, PaperBookCode,
    SeasonCode,
};

/// The organisation that owns the data, with the form of its numbers.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Organisation {
    /// Name of the organisation
    pub name: String,
    /// Code of its country by ISO 3166, such as `IN`
    pub country: String,
    /// Minutes by which its local time is ahead of UTC; negative if it is behind
    pub zone_minutes: i16,
    /// Code of its currency by ISO 4217, such as `INR`
    pub currency: String,
    /// Decimals of the currency's minor unit, 0 to 3: all amounts are whole minor units
    pub currency_exponent: u8,
}

/// A place where produce is weighed.
#[uniffi::remote(Record)]
pub struct Centre {
    /// Code of the centre
    pub code: CentreCode,
    /// Name of the centre
    pub name: String,
}

/// A commodity, with the rules that are valid today.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Commodity {
    /// Code of the commodity
    pub code: CommodityCode,
    /// Name of the commodity
    pub name: String,
    /// Season that covers today; null if nothing is bought
    pub season: Option<SeasonCode>,
    /// Number of the rule set that is valid today; null if there is none, so that nothing can be recorded
    pub rule_set: Option<u32>,
    /// Bag types
    pub bag_types: Vec<BagTypeRule>,
    /// Grades that a bag, lot or reading may have
    pub grades: Vec<Grade>,
    /// Quality factors that are observed
    pub factors: Vec<QualityFactor>,
}

/// A bag type in the rules of a commodity.
#[uniffi::remote(Record)]
pub struct BagTypeRule {
    /// Number of the bag type, 0 to 15
    pub number: u8,
    /// Name of the bag type
    pub name: String,
    /// Weight of the empty bag in grams
    #[uniffi(name = "tare_g")]
    pub tare: Grams,
}

/// A grade of a commodity.
#[uniffi::remote(Record)]
pub struct Grade {
    /// Code of the grade
    pub code: GradeCode,
    /// Name of the grade
    pub name: String,
}

/// Unit of a quality factor's values.
#[uniffi::remote(Enum)]
pub enum FactorUnit {
    /// Hundredths of a percent
    Percent,
    /// Whole numbers, such as insects or parts per billion
    Count,
}

/// A quality factor that is observed.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct QualityFactor {
    /// Code of the factor
    pub code: FactorCode,
    /// Name of the factor
    pub name: String,
    /// Unit of its values
    pub unit: FactorUnit,
    /// Value up to which nothing is deducted, in the factor's unit
    pub limit: u32,
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
    /// The organisation; null before its data have arrived
    pub organisation: Option<Organisation>,
    /// All centres of the organisation, also those that the user is not granted
    pub centres: Vec<Centre>,
    /// The commodities
    pub commodities: Vec<Commodity>,
    /// The known lorries
    pub lorries: Vec<Lorry>,
    /// The known instruments
    pub instruments: Vec<Instrument>,
    /// The known paper books of all centres
    pub paper_books: Vec<PaperBook>,
}

impl Reference {
    pub(crate) fn of(reference: &CoreReference, today: BusinessDate) -> Self {
        let commodity = |it: &decisions::Commodity| Commodity::of(it, reference, today);
        Self {
            organisation: reference.organisation().map(Organisation::of),
            centres: reference.all::<Centre>().cloned().collect(),
            commodities: reference.all::<decisions::Commodity>().map(commodity).collect(),
            lorries: reference.all::<Lorry>().cloned().collect(),
            instruments: reference.all::<Instrument>().cloned().collect(),
            paper_books: reference.all::<PaperBook>().cloned().collect(),
        }
    }
}

impl Organisation {
    fn of(organisation: &decisions::Organisation) -> Self {
        Self {
            name: organisation.name.clone(),
            country: organisation.country.to_string(),
            zone_minutes: organisation.zone_minutes,
            currency: organisation.currency.code.to_string(),
            currency_exponent: organisation.currency.exponent,
        }
    }
}

impl Commodity {
    fn of(commodity: &decisions::Commodity, reference: &CoreReference, today: BusinessDate) -> Self {
        let is_open = |it: &&Season| it.commodity == commodity.code && it.covers(today);
        let rules = reference.rules_on(&commodity.code, today);
        let factor = |it: &decisions::QualityFactor| {
            let decisions::QualityFactor { code, name, unit, limit, .. } = it.clone();
            QualityFactor { code, name, unit, limit }
        };
        Self {
            code: commodity.code.clone(),
            name: commodity.name.clone(),
            season: reference.all::<Season>().find(is_open).map(|it| it.code.clone()),
            rule_set: rules.map(|it| it.number),
            bag_types: rules.map_or_else(Vec::new, |it| it.bag_types.clone()),
            grades: rules.map_or_else(Vec::new, |it| it.grades.clone()),
            factors: rules.map_or_else(Vec::new, |it| it.factors.iter().map(factor).collect()),
        }
    }
}
