use minicbor::{Decode, Encode};

use super::{Audience, DecisionKind, Stored};
use crate::units::{DeviceId, UserId};

/// Start or end of a user's suspension on a device; logged in the scope of each device on which the user has a grant.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Suspension {
    /// User whom it concerns.
    #[n(0)]
    pub user: UserId,
    /// Device on which it is valid.
    #[n(1)]
    pub device: DeviceId,
    /// Whether the user is suspended from now on; `false` ends the suspension.
    #[n(2)]
    pub is_suspended: bool,
}

impl Suspension {
    /// Returns the matter of a suspension of this user on this device; it begins with [`Self::codes_of`].
    pub fn code_of(device: DeviceId, user: UserId) -> String {
        format!("{}{user}", Self::codes_of(device))
    }

    /// Returns the common prefix of the matters of all suspensions on a device.
    pub fn codes_of(device: DeviceId) -> String {
        format!("{device}/")
    }
}

impl DecisionKind for Suspension {
    const NUMBER: u8 = 10;
    const NAME: &'static str = "suspension";
    const AUDIENCE: Audience = Audience::Device;
    const STORED: Stored<Self> = Stored::Latest { key: |it| Self::code_of(it.device, it.user), is_cached: false };
}
