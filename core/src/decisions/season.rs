use minicbor::{Decode, Encode};

use super::{Audience, DecisionKind, Stored};
use crate::units::{BusinessDate, CommodityCode, SeasonCode};

/// A season of one commodity.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Season {
    /// Its code.
    #[n(0)]
    pub season: SeasonCode,
    /// What is bought.
    #[n(1)]
    pub commodity: CommodityCode,
    /// First day.
    #[n(2)]
    pub from: BusinessDate,
    /// Last day.
    #[n(3)]
    pub to: BusinessDate,
}

impl DecisionKind for Season {
    const NUMBER: u8 = 2;
    const NAME: &'static str = "season";
    const AUDIENCE: Audience = Audience::Organisation;
    const STORED: Stored<Self> = Stored::Latest { key: |it| it.season.to_string(), is_cached: true };
}
