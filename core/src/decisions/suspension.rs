use minicbor::{Decode, Encode};

use super::{Audience, DecisionKind, Stored};
use crate::units::{DeviceId, UserId};

/// Whether a user may work on a device; logged in the scope of each device that the user has a grant on.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Suspension {
    /// Whom it concerns.
    #[n(0)]
    pub user: UserId,
    /// The device.
    #[n(1)]
    pub device: DeviceId,
    /// Whether it holds from here on; `false` lifts it.
    #[n(2)]
    pub is_suspended: bool,
}

impl Suspension {
    /// Returns the matter of a suspension of this user on this device. Those of one device begin with [`Self::codes_of`].
    pub fn code_of(device: DeviceId, user: UserId) -> String {
        format!("{}{user}", Self::codes_of(device))
    }

    /// Returns how the matters of all suspensions on a device begin.
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
