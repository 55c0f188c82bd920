use farmtally_core::decisions::{self, BagTypeRule, Commodity};
use farmtally_core::store::decisions::Reference as CoreReference;
use farmtally_core::units::{BusinessDate, CommodityCode, Grams};

/// A type of bag or crate.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct BagType {
    /// The commodity that comes in it
    pub commodity: String,
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
    pub lorry: String,
    /// What it may carry
    pub payload_g: Grams,
}

/// What a centre works with.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Reference {
    /// Codes of the commodities
    pub commodities: Vec<String>,
    /// Bag types of each commodity's rules today
    pub bag_types: Vec<BagType>,
    /// Lorries
    pub lorries: Vec<Lorry>,
}

impl Reference {
    pub(crate) fn of(reference: &CoreReference, today: BusinessDate) -> Self {
        let commodities = reference.all::<Commodity>().map(|it| it.commodity.to_string()).collect();
        let bag_types_of = |commodity: &CommodityCode| {
            let bag_type = |it: &BagTypeRule| BagType {
                commodity: commodity.to_string(),
                number: it.number,
                name: it.name.clone(),
                tare_g: it.tare,
            };
            reference.bag_types(commodity, today).iter().map(bag_type).collect::<Vec<_>>()
        };
        let lorries = reference.all::<decisions::Lorry>();
        Self {
            commodities,
            bag_types: reference.all::<Commodity>().flat_map(|it| bag_types_of(&it.commodity)).collect(),
            lorries: lorries.map(|it| Lorry { lorry: it.lorry.to_string(), payload_g: it.payload }).collect(),
        }
    }
}
