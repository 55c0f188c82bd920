use minicbor::{Decode, Encode};

use super::{Audience, DecisionKind, Stored};
use crate::units::GrantId;

/// The end of a grant. Changes made without knowledge of it are logged and reviewed; changes made with knowledge of it are held.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Revocation {
    /// Grant that ends.
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
