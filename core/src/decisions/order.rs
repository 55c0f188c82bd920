use minicbor::{Decode, Encode};

use super::{Audience, DecisionKind, Stored};
use crate::units::{DeviceId, UnitError};

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

/// What a device may be told about itself. The numbers are on every wire: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Order {
    /// Go on: an earlier order no longer holds.
    #[n(0)]
    Work,
    /// It is lost: record nothing, read nothing more; what it hands over is held.
    #[n(1)]
    Lost,
    /// Hand everything over, then destroy what is here.
    #[n(2)]
    Wipe,
    /// There is a second copy of it: take a new key and a new id.
    #[n(3)]
    Rekey,
}

impl std::str::FromStr for Order {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Self::Work, Self::Lost, Self::Wipe, Self::Rekey];
        let order = all.into_iter().find(|order| order.name() == text);
        order.ok_or_else(|| UnitError::new("not an order: use lost, wipe, rekey or work"))
    }
}

impl Order {
    /// The order's stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Lost => "lost",
            Self::Wipe => "wipe",
            Self::Rekey => "rekey",
        }
    }
}
