use farmtally_core::client::{Access, PhoneUser, Session};
use farmtally_core::permission::Role;
use farmtally_core::units::{CentreCode, DeviceCode, DeviceId, GrantId, OrganisationId, Timestamp, UserId};

/// Who is using the phone, and what they may do.
#[uniffi::remote(Record)]
pub struct Session {
    /// The organisation's id
    pub organisation_id: OrganisationId,
    /// The organisation's name; empty before the first sync
    pub organisation_name: String,
    /// The installation's id
    pub device_id: DeviceId,
    /// The installation's code on receipts
    pub device_code: DeviceCode,
    /// The person's id
    pub user_id: UserId,
    /// The person's name; the id before the first sync
    pub user_name: String,
    /// The grant by which the person works here; none before the first sync, and once nothing is granted any more
    pub grant_id: Option<GrantId>,
    /// What the person is in the organisation, by that grant
    pub role: Option<Role>,
    /// The centres that were granted
    pub centres: Vec<CentreCode>,
    /// When this phone last had everything from the server
    pub synced_at: Option<Timestamp>,
}

/// What a person is in the organisation.
#[uniffi::remote(Enum)]
pub enum Role {
    /// Records deliveries; may not open loads or edit what others recorded
    Clerk,
    /// Runs the field work of a centre
    FieldManager,
    /// Heads a centre and its lorries
    Dispatcher,
}

/// Somebody who may use this phone.
#[uniffi::remote(Record)]
pub struct PhoneUser {
    /// The person's id
    pub user_id: UserId,
    /// The person's name
    pub name: String,
    /// What the person is in the organisation
    pub role: Role,
}

/// What this phone may still do.
#[uniffi::remote(Enum)]
pub enum Access {
    /// Everything that the user's grant says
    Full,
    /// Fourteen days without contact: recording goes on, everything else waits for a sync
    RecordOnly,
    /// Twenty-one days without contact, or by order of the office: hand in, nothing else
    Locked,
}
