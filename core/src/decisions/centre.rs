use minicbor::{Decode, Encode};

use super::{Audience, DecisionKind, Stored};
use crate::units::CentreCode;

/// A place where produce is weighed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Centre {
    /// Code of the centre.
    #[n(0)]
    pub centre: CentreCode,
    /// Name of the centre.
    #[n(1)]
    pub name: String,
}

impl DecisionKind for Centre {
    const NUMBER: u8 = 1;
    const NAME: &'static str = "centre";
    const AUDIENCE: Audience = Audience::Organisation;
    const STORED: Stored<Self> = Stored::Latest { key: |it| it.centre.to_string(), is_cached: true };
}
