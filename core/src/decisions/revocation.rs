use minicbor::{Decode, Encode};

use super::{Audience, DecisionKind, Stored};
use crate::units::GrantId;

/// The end of a grant. What was made without knowing of it is logged and reviewed, what was made knowing it is held.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Revocation {
    /// The grant that ends.
    #[n(0)]
    pub grant: GrantId,
}

impl Revocation {
    /// Returns the matter of a revocation of this grant.
    pub fn code_of(grant: GrantId) -> String {
        grant.to_string()
    }
}

impl DecisionKind for Revocation {
    const NUMBER: u8 = 9;
    const NAME: &'static str = "revocation";
    const AUDIENCE: Audience = Audience::Device;
    const STORED: Stored<Self> = Stored::Latest { key: |it| Self::code_of(it.grant), is_cached: false };
}
