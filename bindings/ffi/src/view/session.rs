use farmtally_core::client::{Access, PhoneUser, Session};
use farmtally_core::permission::{Capability, Role};
use farmtally_core::units::{CentreCode, DeviceCode, DeviceId, GrantId, OrganisationId, Timestamp, UserId};

/// The current user of the phone and their rights.
#[uniffi::remote(Record)]
pub struct Session {
    /// Id of the organisation
    pub organisation_id: OrganisationId,
    /// Name of the organisation; empty before the first sync
    pub organisation_name: String,
    /// Id of this device
    pub device_id: DeviceId,
    /// Code of this device on receipts
    pub device_code: DeviceCode,
    /// Id of the user
    pub user_id: UserId,
    /// Name of the user; the id as text before the first sync
    pub user_name: String,
    /// The user's newest grant on this phone; null before the first sync and while the user has none
    pub grant_id: Option<GrantId>,
    /// Role of that grant; null without one
    pub role: Option<Role>,
    /// What that role may do, for some records at least; empty without one
    pub capabilities: Vec<Capability>,
    /// Centres of that grant; empty without one
    pub centres: Vec<CentreCode>,
    /// When the last complete sync ended, by the phone's time; null if none did
    pub synced_at: Option<Timestamp>,
}

/// Role of a user in the organisation.
#[uniffi::remote(Enum)]
pub enum Role {
    /// Weighs and records deliveries at a centre
    Clerk,
    /// Runs the field work of a centre and its loads
    FieldManager,
    /// Heads a centre and its lorries
    Dispatcher,
    /// Weighs and receives loads at their destination
    Receiver,
    /// Drives a load
    Driver,
    /// Owns or manages the organisation
    Admin,
    /// Keeps the accounts
    Accountant,
    /// Reads everything, changes nothing
    Auditor,
    /// Delivers produce; has no phone of the organisation
    Farmer,
    /// Runs the server for several organisations; has no phone of one
    PlatformAdmin,
}

/// A user who has a grant on this phone.
#[uniffi::remote(Record)]
pub struct PhoneUser {
    /// Id of the user
    pub user_id: UserId,
    /// Name of the user
    pub name: String,
    /// Role in the user's newest grant on this phone
    pub role: Role,
}

/// What this phone may do.
#[uniffi::remote(Enum)]
pub enum Access {
    /// Everything that the user's grant allows
    Full,
    /// Only weighing and recording, because there was no contact with the server for more than 14 days; a sync restores full access
    RecordOnly,
    /// Only sync and hand-over: no contact for more than 21 days, the office ordered it, or the user has no grant on this phone
    Locked,
}
