use farmtally_core::rules;
use farmtally_core::{Error, ErrorCode};

/// Something unusual that a person must say yes to.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Check {
    /// Its stable code, by which the app has a text for it
    pub code: String,
}

impl From<rules::Check> for Check {
    fn from(check: rules::Check) -> Self {
        Self { code: check.to_string() }
    }
}

impl TryFrom<Check> for rules::Check {
    type Error = FieldError;
    fn try_from(Check { code }: Check) -> Result<Self, FieldError> {
        code.parse().map_err(|error| FieldError::invalid("accept", error))
    }
}

/// Why a call gives no result; it changed nothing then, unless what it changed could not be read back. `code` is stable and listed in
/// docs/errors.md; `reason` is for logs, not for people.
#[derive(Debug, thiserror::Error, uniffi::Error)]
#[error("{reason}")]
pub enum FieldError {
    /// Mark the input `field` and let the person correct it.
    #[error("{field}: {reason}")]
    Invalid {
        /// invalid_input
        code: String,
        /// What is wrong and what would be right
        reason: String,
        /// The input's name
        field: String,
    },
    /// More than can be recorded or carried at once: ask to split it.
    #[error("{field}: {reason}")]
    TooLarge {
        /// too_large
        code: String,
        /// How large it is, and what is allowed
        reason: String,
        /// The input's name
        field: String,
    },
    /// Something is unusual: ask the person, then repeat the call with these checks in `accept`.
    Confirm {
        /// confirm_needed
        code: String,
        /// What is unusual
        reason: String,
        /// What to ask about
        checks: Vec<Check>,
    },
    /// The record has changed since it was read: read it again and show it.
    Stale {
        /// stale
        code: String,
        /// What happened
        reason: String,
    },
    /// The user's role, the granted centres or the record's state do not allow it: say why.
    Refused {
        /// not_allowed, out_of_scope or locked
        code: String,
        /// Why
        reason: String,
    },
    /// The key store gave no key, or not the key of this store.
    KeyNeeded {
        /// key_unavailable or wrong_key
        code: String,
        /// What is in the way
        reason: String,
    },
    /// There is no such record on this phone.
    NotFound {
        /// not_found
        code: String,
        /// What was looked for
        reason: String,
    },
    /// The device is not enrolled, or its server does not know it: enrol it.
    SignIn {
        /// unauthorized
        code: String,
        /// Why
        reason: String,
    },
    /// The network or the server is not there: work on and try again later.
    Unavailable {
        /// offline, rate_limited or interrupted
        code: String,
        /// What happened
        reason: String,
    },
    /// The app or the server must be updated.
    UpdateNeeded {
        /// incompatible_version or storage_too_new
        code: String,
        /// Which of the two is too old
        reason: String,
    },
    /// The phone's storage is full: ask for space.
    StorageFull {
        /// storage_full
        code: String,
        /// What happened
        reason: String,
    },
    /// The database is damaged.
    StorageDamaged {
        /// storage_corrupt
        code: String,
        /// What happened
        reason: String,
    },
    /// The client was shut down.
    ShutDown {
        /// shut_down
        code: String,
        /// What happened
        reason: String,
    },
    /// A defect of the library; the client stays usable.
    Internal {
        /// internal
        code: String,
        /// What happened
        reason: String,
    },
}

#[uniffi::export]
impl FieldError {
    /// Whether the same call can succeed later without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        let code = match self {
            Self::Invalid { code, .. }
            | Self::TooLarge { code, .. }
            | Self::Confirm { code, .. }
            | Self::Stale { code, .. }
            | Self::Refused { code, .. }
            | Self::KeyNeeded { code, .. }
            | Self::NotFound { code, .. }
            | Self::SignIn { code, .. }
            | Self::Unavailable { code, .. }
            | Self::UpdateNeeded { code, .. }
            | Self::StorageFull { code, .. }
            | Self::StorageDamaged { code, .. }
            | Self::ShutDown { code, .. }
            | Self::Internal { code, .. } => code,
        };
        code.parse().is_ok_and(ErrorCode::is_retryable)
    }
}

impl FieldError {
    pub(crate) fn invalid(field: &str, error: impl std::fmt::Display) -> Self {
        Self::Invalid { code: ErrorCode::InvalidInput.to_string(), reason: error.to_string(), field: field.into() }
    }

    pub(crate) fn shut_down() -> Self {
        Self::ShutDown { code: "shut_down".into(), reason: "the client was shut down".into() }
    }

    pub(crate) fn internal(reason: impl std::fmt::Display) -> Self {
        Self::Internal { code: ErrorCode::Internal.to_string(), reason: reason.to_string() }
    }
}

impl From<Error> for FieldError {
    fn from(error: Error) -> Self {
        let kind = error.code();
        let (code, reason) = (kind.to_string(), error.to_string());
        match error {
            Error::Invalid { field, reason } => Self::Invalid { code, reason, field: field.into() },
            Error::TooLarge { field, reason } => Self::TooLarge { code, reason, field: field.into() },
            Error::Confirm { checks } => {
                Self::Confirm { code, reason, checks: checks.into_iter().map(Check::from).collect() }
            }
            Error::Stale => Self::Stale { code, reason },
            Error::Refused { .. } => Self::Refused { code, reason },
            Error::NotFound { .. } => Self::NotFound { code, reason },
            Error::SignIn { .. } => Self::SignIn { code, reason },
            Error::Unavailable { .. } => Self::Unavailable { code, reason },
            Error::UpdateNeeded { .. } => Self::UpdateNeeded { code, reason },
            Error::Store(_) => match kind {
                ErrorCode::KeyUnavailable | ErrorCode::WrongKey => Self::KeyNeeded { code, reason },
                ErrorCode::NotAllowed => Self::Refused { code, reason },
                ErrorCode::StorageFull => Self::StorageFull { code, reason },
                ErrorCode::StorageTooNew => Self::UpdateNeeded { code, reason },
                ErrorCode::StorageCorrupt => Self::StorageDamaged { code, reason },
                _ => Self::Internal { code, reason },
            },
            Error::Internal { .. } => Self::Internal { code, reason },
        }
    }
}
