//! What can go wrong, as callers decide about it.

use std::fmt;

use crate::protocol::parcel::HandoverError;
use crate::rules::Check;
use crate::store;
use crate::units::named;

named! {
    /// A stable name of an error, the same in Rust, Kotlin, Dart, Python, JSON and HTTP; listed in `docs/errors.md`, never reused.
    pub ErrorCode, "an error code" {
        /// There is no such record here.
        NotFound = "not_found",
        /// A field holds what it cannot hold.
        InvalidInput = "invalid_input",
        /// Larger than can be recorded at once.
        TooLarge = "too_large",
        /// Something is unusual; repeat with the checks accepted.
        ConfirmNeeded = "confirm_needed",
        /// The record has changed since it was read.
        Stale = "stale",
        /// The user's role or the record's state does not allow it.
        NotAllowed = "not_allowed",
        /// The user's grant does not reach there.
        OutOfScope = "out_of_scope",
        /// The phone is locked: it was marked as lost, is being wiped, or was without its server for too long.
        Locked = "locked",
        /// The key store gives no key now.
        KeyUnavailable = "key_unavailable",
        /// The key does not open the store.
        WrongKey = "wrong_key",
        /// The device is not enrolled, or its server does not know it.
        Unauthorized = "unauthorized",
        /// No connection to the server.
        Offline = "offline",
        /// The server asks to wait.
        RateLimited = "rate_limited",
        /// The call was cancelled, or the server was stopping.
        Interrupted = "interrupted",
        /// The server or the phone is too old for the other.
        IncompatibleVersion = "incompatible_version",
        /// The storage is full.
        StorageFull = "storage_full",
        /// The database is damaged.
        StorageCorrupt = "storage_corrupt",
        /// The database was written by a newer version.
        StorageTooNew = "storage_too_new",
        /// A defect of this program.
        Internal = "internal",
    }
}

impl ErrorCode {
    /// Whether the same call can succeed later without anybody changing anything.
    pub fn is_retryable(self) -> bool {
        match self {
            Self::KeyUnavailable | Self::Offline | Self::RateLimited | Self::Interrupted => true,
            Self::NotFound
            | Self::InvalidInput
            | Self::TooLarge
            | Self::ConfirmNeeded
            | Self::Stale
            | Self::NotAllowed
            | Self::OutOfScope
            | Self::Locked
            | Self::WrongKey
            | Self::Unauthorized
            | Self::IncompatibleVersion
            | Self::StorageFull
            | Self::StorageCorrupt
            | Self::StorageTooNew
            | Self::Internal => false,
        }
    }
}

/// Why a call did nothing. One variant for each thing that a caller can do about it.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub enum Error {
    /// Mark the field and let the person correct it.
    #[error("{field}: {reason}")]
    Invalid {
        /// Which input.
        field: &'static str,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// The input is larger than can be recorded at once; split it.
    #[error("{field}: {reason}")]
    TooLarge {
        /// Which input.
        field: &'static str,
        /// How large, and what is allowed.
        reason: String,
    },
    /// Ask the person, then repeat with these checks accepted.
    #[error("unusual: {}", list(.checks))]
    Confirm {
        /// What is unusual.
        checks: Vec<Check>,
    },
    /// Read the record again and show it.
    #[error("the record has changed since it was read")]
    Stale,
    /// Say why it cannot be done.
    Refused {
        /// [`ErrorCode::NotAllowed`], [`ErrorCode::OutOfScope`] or [`ErrorCode::Locked`].
        code: ErrorCode,
        /// Why.
        reason: String,
    },
    /// There is no such record here.
    #[error("no such {what} here")]
    NotFound {
        /// What was looked for.
        what: &'static str,
    },
    /// Enrol the device; recording goes on meanwhile if it was enrolled before.
    SignIn {
        /// Why.
        reason: String,
    },
    /// Work on and try again later.
    Unavailable {
        /// [`ErrorCode::Offline`], [`ErrorCode::RateLimited`] or [`ErrorCode::Interrupted`].
        code: ErrorCode,
        /// What happened.
        reason: String,
    },
    /// Update this program or the server.
    UpdateNeeded {
        /// Which of the two is too old.
        reason: String,
    },
    /// The store did not do as told.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A defect of this program or of the server.
    Internal {
        /// What was not as it must be.
        reason: String,
    },
}

impl Error {
    /// The error's stable name.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Invalid { .. } => ErrorCode::InvalidInput,
            Self::TooLarge { .. } => ErrorCode::TooLarge,
            Self::Confirm { .. } => ErrorCode::ConfirmNeeded,
            Self::Stale => ErrorCode::Stale,
            Self::Refused { code, .. } | Self::Unavailable { code, .. } => *code,
            Self::NotFound { .. } => ErrorCode::NotFound,
            Self::SignIn { .. } => ErrorCode::Unauthorized,
            Self::UpdateNeeded { .. } => ErrorCode::IncompatibleVersion,
            Self::Store(store::Error::Full) => ErrorCode::StorageFull,
            Self::Store(store::Error::Corrupt { .. } | store::Error::Record(_)) => ErrorCode::StorageCorrupt,
            Self::Store(store::Error::TooNew { .. }) => ErrorCode::StorageTooNew,
            Self::Store(store::Error::KeyUnavailable { .. }) => ErrorCode::KeyUnavailable,
            Self::Store(store::Error::WrongKey { .. }) => ErrorCode::WrongKey,
            Self::Store(store::Error::NoEncryption) => ErrorCode::NotAllowed,
            Self::Store(store::Error::Sql(_)) | Self::Internal { .. } => ErrorCode::Internal,
        }
    }

    /// Whether the same call can succeed later without anybody changing anything ([`ErrorCode::is_retryable`]).
    pub fn is_retryable(&self) -> bool {
        self.code().is_retryable()
    }

    pub(crate) fn invalid(field: &'static str, reason: impl fmt::Display) -> Self {
        Self::Invalid { field, reason: reason.to_string() }
    }

    pub(crate) fn locked(reason: impl Into<String>) -> Self {
        Self::Refused { code: ErrorCode::Locked, reason: reason.into() }
    }

    pub(crate) fn not_allowed(reason: impl Into<String>) -> Self {
        Self::Refused { code: ErrorCode::NotAllowed, reason: reason.into() }
    }
}

impl From<crate::records::Error> for Error {
    fn from(error: crate::records::Error) -> Self {
        match error {
            crate::records::Error::TooLarge { .. } => Self::TooLarge { field: "record", reason: error.to_string() },
            error => Self::Store(error.into()),
        }
    }
}

impl From<HandoverError> for Error {
    fn from(error: HandoverError) -> Self {
        let reason = error.to_string();
        match error {
            HandoverError::Unreadable | HandoverError::Damaged => Self::Invalid { field: "parcel", reason },
            HandoverError::TooLarge => Self::TooLarge { field: "parcel", reason },
            HandoverError::UnknownVersion => Self::UpdateNeeded { reason },
            HandoverError::ForeignOrganisation | HandoverError::ForeignServer => Self::not_allowed(reason),
        }
    }
}

fn list(checks: &[Check]) -> String {
    checks.iter().map(|check| check.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn what_can_be_retried_is_what_the_table_of_codes_says() {
        let table = include_str!("../../docs/errors.md");
        let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
        let retry: BTreeMap<&str, &str> =
            rows.filter_map(|(code, rest)| Some((code, rest.split('|').nth(1)?.trim()))).collect();
        for code in ErrorCode::ALL {
            assert_eq!(code.is_retryable(), retry[code.as_str()] == "yes", "{code}");
        }
    }
}
