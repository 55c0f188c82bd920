use minicbor::{Decode, Encode};

use super::{Audience, DecisionKind, Stored};
use crate::units::{Grams, LorryPlate};

/// A lorry that carries loads.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Lorry {
    /// Plate of the lorry.
    #[n(0)]
    pub lorry: LorryPlate,
    /// Weight that it may carry.
    #[n(1)]
    pub payload: Grams,
}

impl DecisionKind for Lorry {
    const NUMBER: u8 = 4;
    const NAME: &'static str = "lorry";
    const AUDIENCE: Audience = Audience::Organisation;
    const STORED: Stored<Self> = Stored::Latest { key: |it| it.lorry.to_string(), is_cached: true };
}
