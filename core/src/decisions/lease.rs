use minicbor::{Decode, Encode};

use super::{Audience, DecisionKind, StoredAs};
use crate::units::{BusinessDate, DeviceId, Money, UserId};

/// Allowance of one user on one device for advances in money. Each decision replaces the one before; an allowance is never taken back, so
/// what was paid out by it can be subtracted without network.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Lease {
    /// User who may pay out.
    #[n(0)]
    pub user_id: UserId,
    /// Device on which it is valid.
    #[n(1)]
    pub device_id: DeviceId,
    /// Sum of all that was ever leased to the user on this device; it only rises.
    #[n(2)]
    pub total_minor: Money,
    /// Last day on which the user may pay out.
    #[n(3)]
    pub valid_until: BusinessDate,
}

impl Lease {
    /// Returns the subject of a lease to this user on this device.
    pub fn subject_of(device: DeviceId, user: UserId) -> String {
        format!("{device}/{user}")
    }
}

impl DecisionKind for Lease {
    const NUMBER: u8 = 17;
    const NAME: &'static str = "lease";
    const AUDIENCE: Audience = Audience::Device;
    const STORED: StoredAs<Self> = StoredAs::Latest(|it| Self::subject_of(it.device_id, it.user_id));
}
