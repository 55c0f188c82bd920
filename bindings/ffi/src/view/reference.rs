use farmtally_core::decisions::{self, Commodity, Lorry};
use farmtally_core::store::decisions::Reference as CoreReference;
use farmtally_core::units::{BusinessDate, CommodityCode, Grams, LorryPlate};

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

/// Reference data for weighing and loading.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Reference {
    /// Codes of the commodities
    pub commodities: Vec<CommodityCode>,
    /// Bag types of each commodity, by the rules that are valid today
    pub bag_types: Vec<BagTypeRule>,
    /// The known lorries
    pub lorries: Vec<Lorry>,
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
        Self { bag_types: bag_types.collect(), lorries, commodities }
    }
}
