use minicbor::{Decode, Encode};

use super::{Audience, DecisionKind, Stored};
use crate::units::{BagType, BusinessDate, CommodityCode, Grams};

/// The numbered rules of one commodity that are stamped on each delivery; immutable once published.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct RuleSet {
    /// Its number, rising.
    #[n(0)]
    pub number: u32,
    /// The commodity that it is for.
    #[n(1)]
    pub commodity: CommodityCode,
    /// The first day on which it holds.
    #[n(2)]
    pub valid_from: BusinessDate,
    /// What bags there are and what they weigh empty.
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

/// A type of bag or crate.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct BagTypeRule {
    /// Its number, 0 to 15.
    #[n(0)]
    pub number: u8,
    /// Its name.
    #[n(1)]
    pub name: String,
    /// What an empty one weighs.
    #[n(2)]
    pub tare: Grams,
}

impl BagTypeRule {
    /// Whether the rule is about this type.
    pub fn is_for(&self, bag_type: BagType) -> bool {
        self.number == bag_type.number()
    }
}
