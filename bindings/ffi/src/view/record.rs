use farmtally_core::records::farmer::ContactDetails;
use farmtally_core::records::{Act, Conflict, ConflictValue, Stamp, delivery::Reason};
use farmtally_core::units::{ChangeHash, DeviceCode, HybridTime, UserId};

type Contact = ContactDetails;
type FieldConflict = Conflict;

/// Author, device and time of a value.
#[uniffi::remote(Record)]
pub struct Stamp {
    /// User who wrote it
    pub user_id: UserId,
    /// Device that wrote it
    pub device_code: DeviceCode,
    /// When, by the device's time, an estimate of the server's
    pub at: HybridTime,
    /// Whether the device's clock was in doubt: behind the last contact with the server, or a day off the device's time
    pub clock_suspect: bool,
}

/// Why something is amended or voided.
#[uniffi::remote(Record)]
pub struct Reason {
    /// A code such as mistyped, wrong_farmer or returned; must not be empty
    pub code: String,
    /// The person's own words, one line of at most 200 characters; may be empty
    #[uniffi(default = "")]
    pub text: String,
}

/// An amendment or void of a delivery, or a void of a bag.
#[uniffi::remote(Record)]
pub struct Act {
    /// Author, device and time
    pub stamp: Stamp,
    /// Why it was done
    pub reason: Reason,
}

/// A field that has concurrent values: each was written without knowledge of the others.
#[uniffi::remote(Record)]
pub struct FieldConflict {
    /// Name of the field
    pub field: String,
    /// True if the values exclude each other; false if both can be right, but somebody should know
    pub is_hard: bool,
    /// All values, effective ones first: one, or in lifecycle all voids
    pub values: Vec<ConflictValue>,
}

/// One of the concurrent values of a field.
#[uniffi::remote(Record)]
pub struct ConflictValue {
    /// The value as text
    pub text: String,
    /// Author, device and time
    pub stamp: Stamp,
    /// Whether it counts until a person chooses
    pub is_effective: bool,
    /// Identifies the value in the choice Keep; null if there is nothing to choose
    pub change: Option<ChangeHash>,
}

/// Contact details of a farmer.
#[uniffi::remote(Record)]
pub struct Contact {
    /// Name, one line of at most 200 characters; must not be empty
    pub name: String,
    /// Village; may be empty
    #[uniffi(default = "")]
    pub village: String,
    /// First telephone number of 5 to 15 digits, with `+` before a country code; may be empty
    #[uniffi(default = "")]
    pub phone: String,
    /// Name in the local script; may be empty
    #[uniffi(default = "")]
    pub local_name: String,
    /// Address besides the village; may be empty
    #[uniffi(default = "")]
    pub address: String,
    /// Language that the farmer reads, as a BCP 47 tag such as kn or sw-KE; may be empty
    #[uniffi(default = "")]
    pub language: String,
    /// Further telephone numbers, in any order; at most 10 with the first
    #[uniffi(default = [])]
    pub other_phones: Vec<String>,
    /// Whether the farmer may be sent messages; null if nobody has asked
    #[uniffi(default = None)]
    pub messages_consent: Option<bool>,
    /// Whether photos of the farmer may be kept; null if nobody has asked
    #[uniffi(default = None)]
    pub photo_consent: Option<bool>,
}
