use minicbor::{Decode, Encode};

use super::{Audience, DecisionKind, Stored};

/// A text that the office shows on all phones.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Notice {
    /// Code of the notice; a later notice with the same code replaces it.
    #[n(0)]
    pub code: String,
    /// Text of the notice; empty to remove it.
    #[n(1)]
    pub text: String,
}

impl DecisionKind for Notice {
    const NUMBER: u8 = 15;
    const NAME: &'static str = "notice";
    const AUDIENCE: Audience = Audience::Organisation;
    const STORED: Stored<Self> = Stored::Latest { key: |it| it.code.clone(), is_cached: true };
}
