//! Stamps: author, device and time of a value, and the order of concurrent values.

use minicbor::{Decode, Encode};

use crate::permission::Target;
use crate::units::{ChangeHash, DeviceCode, HybridTime, Timestamp, UserId};

/// Author, device and time of a value; every value in a document has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Stamp {
    /// User who wrote the value.
    #[n(0)]
    pub user_id: UserId,
    /// Device that wrote the value.
    #[n(1)]
    pub device_code: DeviceCode,
    /// Hybrid time of writing.
    #[n(2)]
    pub at: HybridTime,
    /// Whether the device's wall clock was in doubt: behind the last contact with the server, or a day off the estimate of its time.
    #[n(3)]
    pub clock_suspect: bool,
}

impl Stamp {
    /// Returns the hybrid time without its counter; it may be up to a day ahead of the device's own time.
    pub fn written_at(&self) -> Timestamp {
        Timestamp(self.at.wall_ms)
    }

    /// Returns the target of a change with stamp `change` to a record that was created with stamp `self`. Compares users, not devices.
    pub fn target_of(&self, change: &Self) -> Target {
        if self.user_id == change.user_id {
            Target::Own { age_ms: change.at.wall_ms.saturating_sub(self.at.wall_ms) }
        } else {
            Target::Others
        }
    }

    /// Returns the rank of a concurrent value; the effective value has the greatest. Suspect clocks lose, then the later hybrid time wins,
    /// then the greater change hash. Automerge's own winner is arbitrary and not used.
    pub(crate) fn rank(&self, change: ChangeHash) -> (bool, HybridTime, ChangeHash) {
        (!self.clock_suspect, self.at, change)
    }
}

/// Beginning of every value except the snapshots of deliveries, loads and farmers.
#[derive(Encode, Decode)]
#[cbor(array)]
pub(crate) struct Stamped {
    #[n(0)]
    pub(crate) stamp: Stamp,
}

/// Value of a register.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct Register<T> {
    #[n(0)]
    pub(crate) stamp: Stamp,
    #[n(1)]
    pub(crate) value: T,
}

impl Register<()> {
    /// Returns a register's bytes under another stamp, without decoding the value. An empty value, which is left out after the stamp, stays
    /// empty. `None` if `value` is not an array of one or two elements.
    pub(crate) fn restamped(value: &[u8], stamp: Stamp) -> Option<Vec<u8>> {
        let mut decoder = minicbor::Decoder::new(value);
        // CBOR headers of arrays; an empty value at the end is left out.
        let header = match decoder.array().ok().flatten()? {
            1 => 0x81,
            2 => 0x82,
            _ => return None,
        };
        decoder.skip().ok()?;
        let value = value.get(decoder.position()..)?;
        Some([&[header], super::encode(&stamp).as_slice(), value].concat())
    }
}

/// One of several concurrent values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConflictValue {
    /// The value as text.
    pub text: String,
    /// Author, device and time.
    pub stamp: Stamp,
    /// Whether this value counts until a person chooses.
    pub is_effective: bool,
    /// Change that wrote the value, which a person may choose; `None` if there is nothing to choose.
    pub change: Option<ChangeHash>,
}

/// All concurrent values of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Name of the field in the shape table, or `lifecycle`.
    pub field: String,
    /// True for a hard conflict: one field has different values. False for a soft one: all can be kept, but somebody should know.
    pub is_hard: bool,
    /// All values, effective ones first: one, or in `lifecycle` all voids.
    pub values: Vec<ConflictValue>,
}
