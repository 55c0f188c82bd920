//! Errors of this crate and their stable codes.

use std::fmt;

use crate::protocol::parcel::HandoverError;
use crate::rules::Check;
use crate::store;
use crate::units::{Money, named};

named! {
    /// A stable name of an error, the same on every surface, listed in `docs/errors.md` and never reused.
    pub ErrorCode, "an error code" {
        /// The record is not on this device or server, or is of a centre that is not granted.
        NotFound = "not_found",
        /// The value of a field is not allowed.
        InvalidInput = "invalid_input",
        /// The input is larger than can be recorded at once.
        TooLarge = "too_large",
        /// Something is unusual. After a person confirms it, repeat the call with the checks accepted.
        ConfirmNeeded = "confirm_needed",
        /// The record has changed since it was read.
        Stale = "stale",
        /// The user's role, the record's state or the phone's state does not allow it.
        NotAllowed = "not_allowed",
        /// The user's grant does not cover the centre.
        OutOfScope = "out_of_scope",
        /// More than is left of the user's allowance on this phone, or of a limit of cash on the spot.
        AllowanceExceeded = "allowance_exceeded",
        /// The phone was marked as lost, is being wiped, or was without its server for too long: 21 days, or 14 to do more than read and
        /// record.
        Locked = "locked",
        /// The key store provides no key at present.
        KeyUnavailable = "key_unavailable",
        /// The key does not open the store.
        WrongKey = "wrong_key",
        /// The device is not enrolled, its server does not know it, or nothing is granted to the user here.
        Unauthorized = "unauthorized",
        /// No connection to the server.
        Offline = "offline",
        /// The server asks the client to wait.
        RateLimited = "rate_limited",
        /// The response was incomplete or damaged, or the server cannot answer at present.
        Interrupted = "interrupted",
        /// The server or the phone is too old for the other.
        IncompatibleVersion = "incompatible_version",
        /// The storage is full.
        StorageFull = "storage_full",
        /// The system does not let this account write the files: they are read-only, or belong to another account.
        StorageDenied = "storage_denied",
        /// The database is damaged.
        StorageCorrupt = "storage_corrupt",
        /// The database was written by a newer version.
        StorageTooNew = "storage_too_new",
        /// A defect of this program or of the server.
        Internal = "internal",
    }
}

impl ErrorCode {
    /// Returns whether the same call can succeed later without anyone changing anything.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::KeyUnavailable | Self::Offline | Self::RateLimited | Self::Interrupted)
    }
}

named! {
    /// A limit of what a user may pay out.
    pub SpendingLimit, "a limit" {
        /// The allowance that the office leased to the user on this phone.
        Lease = "lease",
        /// Cash on the spot for one delivery, by the rule set.
        CashPerDelivery = "cash_per_delivery",
        /// Cash on the spot for one farmer on one day, by the rule set.
        CashPerPayee = "cash_per_payee",
        /// Cash on the spot that one user pays on one day, by the rule set.
        CashPerDay = "cash_per_day",
    }
}

/// Why the server is not available, by which an app chooses what to tell the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnavailableCause {
    /// There is no network, the host is not known, or nothing listens at the address.
    NoConnection,
    /// The server's certificate is not valid for its address at the phone's time. The phone's date may be wrong.
    WrongCertificate,
    /// Something on the way answered in the server's place: a captive portal, a firewall or a proxy.
    OtherAnswer,
    /// The connection broke, nothing arrived for too long, the answer was damaged, or the server cannot answer at present.
    Interrupted,
    /// The server or a proxy asks the phone to wait.
    RateLimited,
}

impl UnavailableCause {
    /// Returns the code of an error with this cause.
    pub fn code(self) -> ErrorCode {
        match self {
            Self::NoConnection | Self::WrongCertificate | Self::OtherAnswer => ErrorCode::Offline,
            Self::Interrupted => ErrorCode::Interrupted,
            Self::RateLimited => ErrorCode::RateLimited,
        }
    }
}

/// An error of a call that changed nothing, except for a sync. There is one variant for each way in which a caller can react.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub enum Error {
    /// The input is not valid. Mark the field and let the person correct it.
    #[error("{field}: {reason}")]
    Invalid {
        /// Name of the input.
        field: &'static str,
        /// What is wrong and what is expected.
        reason: String,
    },
    /// The input is larger than can be recorded at once. Split it.
    #[error("{field}: {reason}")]
    TooLarge {
        /// Name of the input.
        field: &'static str,
        /// Its size and the limit.
        reason: String,
    },
    /// The input is unusual. Ask the person, then repeat the call with these checks accepted.
    #[error("unusual: {}", list(.checks))]
    Confirm {
        /// Checks to confirm.
        checks: Vec<Check>,
    },
    /// The record has changed since it was read. Read it again and show it.
    #[error("the record has changed since it was read")]
    Stale,
    /// The action is not allowed. Say why.
    Refused {
        /// [`ErrorCode::NotAllowed`], [`ErrorCode::OutOfScope`] or [`ErrorCode::Locked`].
        code: ErrorCode,
        /// Why it is not allowed.
        reason: String,
    },
    /// The amount is more than is left. Offer to pay less, or to ask the office.
    #[error("{}: {} minor units are left", .limit, .left.minor())]
    AllowanceExceeded {
        /// Which limit it is.
        limit: SpendingLimit,
        /// Amount that is left, not negative.
        left: Money,
    },
    /// The record is not here, or is of a centre that is not granted.
    #[error("no such {what} here")]
    NotFound {
        /// Kind of the record.
        what: &'static str,
    },
    /// The device is not enrolled, its server does not know it, or nothing is granted to the user here.
    Unauthorized {
        /// Why enrolment is needed.
        reason: String,
    },
    /// The server is not available. Continue to work and try again later.
    Unavailable {
        /// Why it is not available; its [`UnavailableCause::code`] is the error's.
        cause: UnavailableCause,
        /// Description of the failure.
        reason: String,
    },
    /// The versions of this program and the server are incompatible. Update one of them.
    UpdateNeeded {
        /// Which of the two is too old.
        reason: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// This program or the server has a defect.
    Internal {
        /// Description of the defect.
        reason: String,
    },
}

impl Error {
    /// Returns the error's stable name.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Invalid { .. } => ErrorCode::InvalidInput,
            Self::TooLarge { .. } => ErrorCode::TooLarge,
            Self::Confirm { .. } => ErrorCode::ConfirmNeeded,
            Self::Stale => ErrorCode::Stale,
            Self::Refused { code, .. } => *code,
            Self::AllowanceExceeded { .. } => ErrorCode::AllowanceExceeded,
            Self::Unavailable { cause, .. } => cause.code(),
            Self::NotFound { .. } => ErrorCode::NotFound,
            Self::Unauthorized { .. } => ErrorCode::Unauthorized,
            Self::UpdateNeeded { .. } => ErrorCode::IncompatibleVersion,
            Self::Store(store::Error::Full) => ErrorCode::StorageFull,
            Self::Store(store::Error::Denied { .. }) => ErrorCode::StorageDenied,
            Self::Store(store::Error::Corrupt { .. } | store::Error::Removed { .. } | store::Error::Record(_)) => {
                ErrorCode::StorageCorrupt
            }
            Self::Store(store::Error::TooNew { .. }) => ErrorCode::StorageTooNew,
            Self::Store(store::Error::KeyUnavailable { .. }) => ErrorCode::KeyUnavailable,
            Self::Store(store::Error::WrongKey { .. }) => ErrorCode::WrongKey,
            Self::Store(store::Error::NoEncryption) => ErrorCode::NotAllowed,
            Self::Store(store::Error::Sql(_)) | Self::Internal { .. } => ErrorCode::Internal,
        }
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
