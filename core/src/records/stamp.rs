//! Who wrote a value, when, and which of several concurrent values stands.

use minicbor::{Decode, Encode};

use crate::permission::Subject;
use crate::units::{ChangeHash, DeviceCode, HybridTime, Timestamp, UserId};

/// Author, device and time of a value; every value in a document carries one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Stamp {
    /// The person.
    #[n(0)]
    pub user: UserId,
    /// The installation.
    #[n(1)]
    pub device: DeviceCode,
    /// The hybrid clock.
    #[n(2)]
    pub at: HybridTime,
    /// Whether the device doubted its own clock.
    #[n(3)]
    pub clock_suspect: bool,
}

impl Stamp {
    /// The wall clock's part.
    pub fn written_at(&self) -> Timestamp {
        Timestamp(self.at.wall_ms)
    }

    /// Whose record somebody changes who writes another stamp, this one being that of its creation.
    pub fn subject_of(&self, change: &Self) -> Subject {
        if self.user == change.user {
            Subject::Own { age_ms: change.at.wall_ms.saturating_sub(self.at.wall_ms) }
        } else {
            Subject::Others
        }
    }

    /// The order of concurrent values, the effective one greatest: clocks in doubt lose, then the later hybrid clock wins,
    /// then the greater change hash. Automerge's own winner is arbitrary and never asked.
    pub(crate) fn rank(&self, change: ChangeHash) -> (bool, HybridTime, ChangeHash) {
        (!self.clock_suspect, self.at, change)
    }
}

/// Any value but the snapshots of deliveries, loads and farmers: the stamp comes first.
#[derive(Decode)]
#[cbor(array)]
pub(crate) struct Stamped {
    #[n(0)]
    pub(crate) stamp: Stamp,
}

/// A value of a register.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct Register<T> {
    #[n(0)]
    pub(crate) stamp: Stamp,
    #[n(1)]
    pub(crate) value: T,
}

impl Register<()> {
    /// The bytes of a register's value under another stamp, whatever the value is.
    pub(crate) fn restamped(value: &[u8], stamp: Stamp) -> Option<Vec<u8>> {
        let mut decoder = minicbor::Decoder::new(value);
        decoder.array().ok().flatten().filter(|length| *length == 2)?;
        decoder.skip().ok()?;
        let value = value.get(decoder.position()..)?;
        Some([&[0x82], super::encode(&stamp).as_slice(), value].concat())
    }
}

/// One of the values that stand against each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConflictValue {
    /// The value as text.
    pub text: String,
    /// Who wrote it, where and when.
    pub stamp: Stamp,
    /// Whether this is the one that counts until a person chooses.
    pub is_effective: bool,
    /// The change that wrote it, by which a person may choose it; `None` if there is nothing to choose.
    pub change: Option<ChangeHash>,
}

/// Concurrent values of one field, all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The field's name in the shape table, or `lifecycle`.
    pub field: String,
    /// Hard: the same field was given different values. Soft: both can stand, but somebody should know.
    pub is_hard: bool,
    /// The values, the effective one first.
    pub values: Vec<ConflictValue>,
}
