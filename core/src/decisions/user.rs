use minicbor::{Decode, Encode};

use super::{Audience, DecisionKind, Stored};
use crate::units::UserId;

/// A person who records on phones. Role and centres are in [`Grant`](super::Grant).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct User {
    /// Id of the user.
    #[n(0)]
    pub user: UserId,
    /// Name of the user.
    #[n(1)]
    pub name: String,
}

impl DecisionKind for User {
    const NUMBER: u8 = 6;
    const NAME: &'static str = "user";
    const AUDIENCE: Audience = Audience::Organisation;
    const STORED: Stored<Self> = Stored::Latest { key: |it| it.user.to_string(), is_cached: true };
}
