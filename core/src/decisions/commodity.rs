use minicbor::{Decode, Encode};

use super::{Audience, DecisionKind, Stored};
use crate::units::CommodityCode;

/// A commodity that the organisation buys.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Commodity {
    /// Code of the commodity.
    #[n(0)]
    pub commodity: CommodityCode,
    /// Name of the commodity.
    #[n(1)]
    pub name: String,
}

impl DecisionKind for Commodity {
    const NUMBER: u8 = 3;
    const NAME: &'static str = "commodity";
    const AUDIENCE: Audience = Audience::Organisation;
    const STORED: Stored<Self> = Stored::Latest { key: |it| it.commodity.to_string(), is_cached: true };
}
