use minicbor::{Decode, Encode};

use super::{Audience, DecisionKind, Stored};
use crate::units::OrganisationId;

/// The organisation that owns the data.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Organisation {
    /// Id of the organisation.
    #[n(0)]
    pub organisation_id: OrganisationId,
    /// Name of the organisation.
    #[n(1)]
    pub name: String,
    /// Minutes by which its local time is ahead of UTC.
    #[n(2)]
    pub zone_minutes: i16,
}

impl DecisionKind for Organisation {
    const NUMBER: u8 = 0;
    const NAME: &'static str = "organisation";
    const AUDIENCE: Audience = Audience::Organisation;
    const STORED: Stored<Self> = Stored::Latest { key: |_| String::new(), is_cached: true };
}
