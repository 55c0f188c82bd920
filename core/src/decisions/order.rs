use minicbor::{Decode, Encode};

use super::{Audience, DecisionKind, StoredAs};
use crate::units::{DeviceId, named};

/// An order to a device, by the office, or a rekey by the server itself; each replaces the one before.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct DeviceOrder {
    /// Device that must obey.
    #[n(0)]
    pub device_id: DeviceId,
    /// Order to carry out.
    #[n(1)]
    pub order: Order,
}

impl DecisionKind for DeviceOrder {
    const NUMBER: u8 = 11;
    const NAME: &'static str = "order";
    const AUDIENCE: Audience = Audience::Device;
    const STORED: StoredAs<Self> = StoredAs::Latest(|it| it.device_id.to_string());
}

named! {
    /// The orders that a device can receive. The numbers are in logs and messages: never reuse one.
    #[derive(Encode, Decode)]
    #[cbor(index_only)]
    pub Order, "an order" {
        /// Return to normal work: cancels the order before, unless it was carried out.
        #[n(0)]
        Resume = "resume",
        /// The device is lost: it may not record, and may read only its own scope; the server holds its changes.
        #[n(1)]
        Lost = "lost",
        /// Send everything to the server, drafts too, then destroy the local data; until then the device may not record.
        #[n(2)]
        Wipe = "wipe",
        /// Take a new key and a new id, because a second copy of the device exists or another device has its code.
        #[n(3)]
        Rekey = "rekey",
    }
}
