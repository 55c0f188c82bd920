use farmtally_core::records::farmer::ContactDetails;
use farmtally_core::records::{Act, Conflict, ConflictValue, Stamp, delivery::Reason};
use farmtally_core::units::{ChangeHash, DeviceCode, HybridTime, UserId};

type Contact = ContactDetails;
type FieldConflict = Conflict;

/// Who wrote something, where and when.
#[uniffi::remote(Record)]
pub struct Stamp {
    /// The person
    #[uniffi(name = "user_id")]
    pub user: UserId,
    /// The installation
    #[uniffi(name = "device_code")]
    pub device: DeviceCode,
    /// When, by the installation's clock
    pub at: HybridTime,
    /// Whether the installation doubted its clock
    pub clock_suspect: bool,
}

/// Why something is amended or voided.
#[uniffi::remote(Record)]
pub struct Reason {
    /// A code such as mistyped, wrong_farmer, returned
    pub code: String,
    /// Words of the person
    #[uniffi(default = "")]
    pub text: String,
}

/// Something that a person did to a recorded delivery, or to one of its bags.
#[uniffi::remote(Record)]
pub struct Act {
    /// Who did it, where and when
    pub stamp: Stamp,
    /// Why
    pub reason: Reason,
}

/// Values of one field that were given without knowledge of each other, all of them.
#[uniffi::remote(Record)]
pub struct FieldConflict {
    /// The field
    pub field: String,
    /// Whether the same field got different values; otherwise both can stand, but somebody should know
    pub is_hard: bool,
    /// The values, the effective one first
    pub values: Vec<ConflictValue>,
}

/// One of the values that stand against each other.
#[uniffi::remote(Record)]
pub struct ConflictValue {
    /// The value as text
    pub text: String,
    /// Who gave it, where and when
    pub stamp: Stamp,
    /// Whether it is the one that counts until a person chooses
    pub is_effective: bool,
    /// Names the value in a choice; none if there is nothing to choose
    pub change: Option<ChangeHash>,
}

/// Name, village and telephone number of a farmer.
#[uniffi::remote(Record)]
pub struct Contact {
    /// The name as people say it
    pub name: String,
    /// The village, may be empty
    #[uniffi(default = "")]
    pub village: String,
    /// The telephone number with country code, may be empty
    #[uniffi(default = "")]
    pub phone: String,
}
