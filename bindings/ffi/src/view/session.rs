use farmtally_core::client;
use farmtally_core::store::decisions::Reference as CoreReference;
use farmtally_core::units::Timestamp;

/// Who is using the phone.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Session {
    /// The organisation's id
    pub organisation_id: String,
    /// The organisation's name; empty before the first sync
    pub organisation: String,
    /// The person's name; their id before the first sync
    pub user: String,
    /// The installation's code on receipts
    pub device_code: String,
    /// clerk, field_manager or dispatcher; none before the first sync
    pub role: Option<String>,
    /// Codes of the centres that were granted
    pub centres: Vec<String>,
    /// When this phone last had everything from the server
    pub synced_at: Option<Timestamp>,
}

impl Session {
    pub(crate) fn of(session: client::Session, reference: &CoreReference) -> Self {
        let user = reference.user(session.user);
        let (role, centres) = match session.grant {
            Some(grant) => (Some(grant.role.name().to_owned()), grant.centres),
            None => (None, Vec::new()),
        };
        Self {
            organisation_id: session.organisation.to_string(),
            organisation: reference.organisation().map_or_else(String::new, |it| it.name.clone()),
            user: user.map_or_else(|| session.user.to_string(), |user| user.name.clone()),
            device_code: session.device_code.to_string(),
            role,
            centres: centres.iter().map(ToString::to_string).collect(),
            synced_at: session.synced_at,
        }
    }
}

/// Somebody who may use this phone.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct PhoneUser {
    /// Who
    pub user_id: String,
    /// Their name
    pub name: String,
    /// clerk, field_manager or dispatcher
    pub role: String,
}

impl From<client::PhoneUser> for PhoneUser {
    fn from(user: client::PhoneUser) -> Self {
        Self { user_id: user.user.to_string(), name: user.name, role: user.role.name().to_owned() }
    }
}

/// What this phone may still do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Access {
    /// Everything that the user's grant says
    Full,
    /// Fourteen days without contact: recording goes on, everything else waits for a sync
    RecordOnly,
    /// Twenty-one days without contact, or by order of the office: hand in, nothing else
    Locked,
}

impl From<client::Access> for Access {
    fn from(access: client::Access) -> Self {
        match access {
            client::Access::Full => Self::Full,
            client::Access::RecordOnly => Self::RecordOnly,
            client::Access::Locked => Self::Locked,
        }
    }
}
