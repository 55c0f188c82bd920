use minicbor::{Decode, Encode};

use super::{Audience, DecisionKind, Stored};
use crate::units::CommodityCode;

/// Something that is bought.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Commodity {
    /// Its code.
    #[n(0)]
    pub commodity: CommodityCode,
    /// Its name.
    #[n(1)]
    pub name: String,
}

impl DecisionKind for Commodity {
    const NUMBER: u8 = 3;
    const NAME: &'static str = "commodity";
    const AUDIENCE: Audience = Audience::Organisation;
    const STORED: Stored<Self> = Stored::Latest { key: |it| it.commodity.to_string(), is_cached: true };
}
