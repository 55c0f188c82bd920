use minicbor::{Decode, Encode};

use super::{Audience, DecisionKind, Stored};
use crate::units::{BusinessDate, CommodityCode, SeasonCode};

/// A span of days in which one commodity is bought.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Season {
    /// Code of the season.
    #[n(0)]
    pub season: SeasonCode,
    /// Commodity that is bought.
    #[n(1)]
    pub commodity: CommodityCode,
    /// First day of the season.
    #[n(2)]
    pub from: BusinessDate,
    /// Last day of the season.
    #[n(3)]
    pub to: BusinessDate,
}

impl DecisionKind for Season {
    const NUMBER: u8 = 2;
    const NAME: &'static str = "season";
    const AUDIENCE: Audience = Audience::Organisation;
    const STORED: Stored<Self> = Stored::Latest { key: |it| it.season.to_string(), is_cached: true };
}
