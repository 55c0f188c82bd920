use farmtally_core::rules;
use farmtally_core::units::Money;
use farmtally_core::{Error, ErrorCode};

/// Something unusual that a person must confirm.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Check {
    /// Stable code, listed in docs/records.md; the app shows a text of its own for it
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

/// Error of a call. The call changed nothing, with these exceptions: what sync and enrol had done before the error stays done, and after
/// Internal the change may have been made. `code` is stable and listed in docs/errors.md; choose the text for people by it. `reason` is for
/// logs.
#[derive(Debug, thiserror::Error, uniffi::Error)]
#[error("{reason}")]
pub enum FieldError {
    /// An input is wrong: mark `field` and let the person correct it.
    #[error("{field}: {reason}")]
    Invalid {
        /// invalid_input
        code: String,
        /// What is wrong and what is allowed
        reason: String,
        /// Name of the input
        field: String,
    },
    /// An input is larger than can be recorded or carried at once: ask to split it.
    #[error("{field}: {reason}")]
    TooLarge {
        /// too_large
        code: String,
        /// How large it is and what is allowed
        reason: String,
        /// Name of the input
        field: String,
    },
    /// Something is unusual: ask the person, then repeat the call with these checks in `accept`.
    Confirm {
        /// confirm_needed
        code: String,
        /// Codes of the checks
        reason: String,
        /// Checks to confirm
        checks: Vec<Check>,
    },
    /// The record has changed since it was read: read it again and show it.
    Stale {
        /// stale
        code: String,
        /// What happened
        reason: String,
    },
    /// The user's role, the granted centres or the record's state do not allow it: say why, by the code.
    Refused {
        /// not_allowed, out_of_scope or locked
        code: String,
        /// Why it is not allowed
        reason: String,
    },
    /// The amount is more than is left of a limit: offer to pay less, or to ask the office.
    AllowanceExceeded {
        /// allowance_exceeded
        code: String,
        /// Which limit, and what is left
        reason: String,
        /// lease (the allowance), cash_per_delivery, cash_per_payee or cash_per_day
        limit: String,
        /// Amount left in minor units of the currency, not negative
        left_minor: Money,
    },
    /// The key store gave no key, or the key is not that of this database. Never delete the database because of this: its unsent records
    /// are lost then.
    KeyNeeded {
        /// key_unavailable (retry after unlocking the phone) or wrong_key
        code: String,
        /// What failed
        reason: String,
    },
    /// There is no such record on this phone, or it is in no granted centre: leave the screen.
    NotFound {
        /// not_found
        code: String,
        /// What was looked for
        reason: String,
    },
    /// The device is not enrolled, the server does not know it, or nothing is granted to the user: enrol, or sync.
    Unauthorized {
        /// unauthorized
        code: String,
        /// Which of these
        reason: String,
    },
    /// The network or the server cannot be reached: continue offline and try again later.
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
    /// The phone's storage is full: ask the person to free space.
    StorageFull {
        /// storage_full
        code: String,
        /// What happened
        reason: String,
    },
    /// The system does not let the app write its files: report it.
    StorageDenied {
        /// storage_denied
        code: String,
        /// Which file or folder, and what to change
        reason: String,
    },
    /// The database is damaged, emptied or lost: keep the folder and report it. Never delete it: its unsent records are lost then.
    StorageDamaged {
        /// storage_corrupt
        code: String,
        /// What happened
        reason: String,
    },
    /// The client was shut down before the call.
    ShutDown {
        /// shut_down
        code: String,
        /// What happened
        reason: String,
    },
    /// A defect of the library or the server; the client stays usable.
    Internal {
        /// internal
        code: String,
        /// What happened
        reason: String,
    },
}

#[uniffi::export]
impl FieldError {
    /// Returns whether the same call can succeed later without any other change.
    pub fn is_retryable(&self) -> bool {
        let code = match self {
            Self::Invalid { code, .. }
            | Self::TooLarge { code, .. }
            | Self::Confirm { code, .. }
            | Self::Stale { code, .. }
            | Self::Refused { code, .. }
            | Self::AllowanceExceeded { code, .. }
            | Self::KeyNeeded { code, .. }
            | Self::NotFound { code, .. }
            | Self::Unauthorized { code, .. }
            | Self::Unavailable { code, .. }
            | Self::UpdateNeeded { code, .. }
            | Self::StorageFull { code, .. }
            | Self::StorageDenied { code, .. }
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
            Error::AllowanceExceeded { limit, left } => {
                Self::AllowanceExceeded { code, reason, limit: limit.to_string(), left_minor: left }
            }
            Error::NotFound { .. } => Self::NotFound { code, reason },
            Error::Unauthorized { .. } => Self::Unauthorized { code, reason },
            Error::Unavailable { .. } => Self::Unavailable { code, reason },
            Error::UpdateNeeded { .. } => Self::UpdateNeeded { code, reason },
            Error::Store(_) => match kind {
                ErrorCode::KeyUnavailable | ErrorCode::WrongKey => Self::KeyNeeded { code, reason },
                ErrorCode::NotAllowed => Self::Refused { code, reason },
                ErrorCode::StorageFull => Self::StorageFull { code, reason },
                ErrorCode::StorageDenied => Self::StorageDenied { code, reason },
                ErrorCode::StorageTooNew => Self::UpdateNeeded { code, reason },
                ErrorCode::StorageCorrupt => Self::StorageDamaged { code, reason },
                _ => Self::Internal { code, reason },
            },
            Error::Internal { .. } => Self::Internal { code, reason },
        }
    }
}
