use minicbor::{Decode, Encode};

use super::{Audience, DecisionKind, Stored};
use crate::units::{DeviceId, named};

/// What a device must do about itself; the newest counts.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct DeviceOrder {
    /// The device.
    #[n(0)]
    pub device: DeviceId,
    /// What to do.
    #[n(1)]
    pub order: Order,
}

impl DecisionKind for DeviceOrder {
    const NUMBER: u8 = 11;
    const NAME: &'static str = "order";
    const AUDIENCE: Audience = Audience::Device;
    const STORED: Stored<Self> = Stored::Latest { key: |it| it.device.to_string(), is_cached: false };
}

named! {
    /// What a device may be told about itself. The numbers are on every wire: never reuse one.
    #[derive(Encode, Decode)]
    #[cbor(index_only)]
    pub Order, "an order" {
        /// Go on: an earlier order no longer holds.
        #[n(0)]
        Resume = "resume",
        /// It is lost: record nothing, read nothing more; what it hands over is held.
        #[n(1)]
        Lost = "lost",
        /// Hand everything over, then destroy what is here.
        #[n(2)]
        Wipe = "wipe",
        /// There is a second copy of it: take a new key and a new id.
        #[n(3)]
        Rekey = "rekey",
    }
}
