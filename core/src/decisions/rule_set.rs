use minicbor::{Decode, Encode};

use super::{Audience, DecisionKind, Stored};
use crate::units::{BagType, BusinessDate, CommodityCode, Grams};

/// The numbered rules of one commodity. The number is stamped on each delivery; a published rule set is immutable.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct RuleSet {
    /// Number of the rule set; a later one is higher.
    #[n(0)]
    pub number: u32,
    /// Commodity to which it applies.
    #[n(1)]
    pub commodity: CommodityCode,
    /// First day on which it is valid.
    #[n(2)]
    pub valid_from: BusinessDate,
    /// Bag types and their empty weights.
    #[n(3)]
    pub bag_types: Vec<BagTypeRule>,
    /// Whether a delivery needs a moisture reading.
    #[n(4)]
    pub moisture_required: bool,
}

impl DecisionKind for RuleSet {
    const NUMBER: u8 = 5;
    const NAME: &'static str = "rule_set";
    const AUDIENCE: Audience = Audience::Organisation;
    const STORED: Stored<Self> = Stored::Latest { key: |it| it.number.to_string(), is_cached: true };
}

/// The rule for one type of bag or crate.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct BagTypeRule {
    /// Number of the type, 0 to 15.
    #[n(0)]
    pub number: u8,
    /// Name of the type.
    #[n(1)]
    pub name: String,
    /// Weight of an empty bag.
    #[n(2)]
    pub tare: Grams,
}

impl BagTypeRule {
    /// Returns whether the rule applies to this type.
    pub fn is_for(&self, bag_type: BagType) -> bool {
        self.number == bag_type.number()
    }
}
