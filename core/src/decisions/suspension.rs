use minicbor::{Decode, Encode};

use super::{Audience, DecisionKind, StoredAs};
use crate::units::{DeviceId, UserId};

/// Start or end of a user's suspension on one device. The office decides one for each device on which the user ever had a grant.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Suspension {
    /// User whom it concerns.
    #[n(0)]
    pub user_id: UserId,
    /// Device on which it is valid.
    #[n(1)]
    pub device_id: DeviceId,
    /// Whether the user is suspended from now on; `false` ends the suspension.
    #[n(2)]
    pub is_suspended: bool,
}

impl Suspension {
    /// Returns the subject of a suspension of this user on this device; it begins with [`Self::subjects_of`].
    pub fn subject_of(device: DeviceId, user: UserId) -> String {
        format!("{}{user}", Self::subjects_of(device))
    }

    /// Returns the common prefix of the subjects of all suspensions on a device.
    pub fn subjects_of(device: DeviceId) -> String {
        format!("{device}/")
    }
}

impl DecisionKind for Suspension {
    const NUMBER: u8 = 10;
    const NAME: &'static str = "suspension";
    const AUDIENCE: Audience = Audience::Device;
    const STORED: StoredAs<Self> = StoredAs::Latest(|it| Self::subject_of(it.device_id, it.user_id));
}
