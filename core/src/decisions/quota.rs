//! Quotas: the most that is bought of a farmer, or from a plot, in a season.

use minicbor::{Decode, Encode};

use super::{Audience, DecisionKind, LandSubject, StoredAs};
use crate::units::{CommodityCode, DocumentId, Grams, SeasonCode};

/// The most that is bought of a farmer, or from a plot, in a season.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Quota {
    /// Farmer or plot.
    #[n(0)]
    pub subject: LandSubject,
    /// Commodity of the season.
    #[n(1)]
    pub commodity: CommodityCode,
    /// Season in which it counts.
    #[n(2)]
    pub season: SeasonCode,
    /// Most weight, with the bags.
    #[n(3)]
    pub most: Grams,
}

impl DecisionKind for Quota {
    const NUMBER: u8 = 19;
    const NAME: &'static str = "quota";
    const AUDIENCE: Audience = Audience::Scope;
    const STORED: StoredAs<Self> =
        StoredAs::Latest(|it| format!("{}/{}/{}", it.subject.document_id(), it.season.as_str(), it.commodity.as_str()));

    fn document_ids(&self) -> Vec<DocumentId> {
        vec![self.subject.document_id()]
    }
}
