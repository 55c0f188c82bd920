use farmtally_core::decisions::{self, Commodity};
use farmtally_core::store::decisions::Reference as CoreReference;
use farmtally_core::units::{BusinessDate, CommodityCode, Grams, LorryPlate};

/// A type of bag or crate, by the rules of one commodity.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct BagTypeRule {
    /// The commodity that comes in it
    pub commodity: CommodityCode,
    /// Its number, 0 to 15
    pub number: u8,
    /// Its name
    pub name: String,
    /// What an empty one weighs
    pub tare_g: Grams,
}

/// A lorry.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Lorry {
    /// Its plate
    pub lorry: LorryPlate,
    /// What it may carry
    pub payload_g: Grams,
}

/// What a centre works with.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Reference {
    /// Codes of the commodities
    pub commodities: Vec<CommodityCode>,
    /// Bag types of each commodity's rules today
    pub bag_types: Vec<BagTypeRule>,
    /// Lorries
    pub lorries: Vec<Lorry>,
}

impl Reference {
    pub(crate) fn of(reference: &CoreReference, today: BusinessDate) -> Self {
        let commodities: Vec<_> = reference.all::<Commodity>().map(|it| it.commodity.clone()).collect();
        let bag_types = commodities.iter().flat_map(|commodity| {
            reference.bag_types(commodity, today).iter().map(|rule| {
                let decisions::BagTypeRule { number, name, tare } = rule;
                BagTypeRule { commodity: commodity.clone(), number: *number, name: name.clone(), tare_g: *tare }
            })
        });
        let lorries = reference.all::<decisions::Lorry>().map(|lorry| {
            let decisions::Lorry { lorry, payload } = lorry;
            Lorry { lorry: lorry.clone(), payload_g: *payload }
        });
        Self { bag_types: bag_types.collect(), lorries: lorries.collect(), commodities }
    }
}
