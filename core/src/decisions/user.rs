use minicbor::{Decode, Encode};

use super::{Audience, DecisionKind, Stored};
use crate::units::UserId;

/// A person who records.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct User {
    /// Their id.
    #[n(0)]
    pub user: UserId,
    /// Their name.
    #[n(1)]
    pub name: String,
}

impl DecisionKind for User {
    const NUMBER: u8 = 6;
    const NAME: &'static str = "user";
    const AUDIENCE: Audience = Audience::Organisation;
    const STORED: Stored<Self> = Stored::Latest { key: |it| it.user.to_string(), is_cached: true };
}
