use minicbor::{Decode, Encode};

use super::{Audience, DecisionKind, StoredAs};
use crate::units::GrantId;

/// The end of a grant. Changes made without knowledge of it are logged and reviewed; changes made with knowledge of it are held.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Revocation {
    /// Grant that ends.
    #[n(0)]
    pub grant_id: GrantId,
}

impl Revocation {
    /// Returns the subject of a revocation of this grant.
    pub fn subject_of(grant: GrantId) -> String {
        grant.to_string()
    }
}

impl DecisionKind for Revocation {
    const NUMBER: u8 = 9;
    const NAME: &'static str = "revocation";
    const AUDIENCE: Audience = Audience::Device;
    const STORED: StoredAs<Self> = StoredAs::Latest(|it| Self::subject_of(it.grant_id));
}
