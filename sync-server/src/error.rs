//! What can go wrong on the server, and which HTTP answer each gets.

use farmtally_core::ErrorCode;
use farmtally_core::protocol::parcel::HandoverError;
use farmtally_core::store;
use farmtally_core::store::sql;

/// Why a request or command did nothing.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub enum Error {
    /// A field of the request or command holds what it cannot hold.
    #[error("{field}: {reason}")]
    Invalid {
        /// Which.
        field: &'static str,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// The request is not signed by a device that is known here.
    #[error("the device is not known here, or the signature does not fit")]
    Unauthorized,
    /// There is no such thing.
    #[error("no such {what}")]
    NotFound {
        /// What was looked for.
        what: &'static str,
    },
    /// The request is larger than any may be.
    TooLarge {
        /// What is allowed.
        reason: String,
    },
    /// The phone speaks a version that this server does not.
    Incompatible {
        /// Which of the two is too old.
        reason: String,
    },
    /// A parcel cannot be taken; nothing of it was.
    #[error(transparent)]
    Parcel(#[from] HandoverError),
    /// The server has lost data, and nobody has said yet that all of it came back.
    #[error(
        "a recovery lasts: held work is not decided and no phone is enrolled until it is ended (`farmtally-server recovery`)"
    )]
    Recovering,
    /// More ask at the same time than may.
    Busy {
        /// What is full.
        reason: String,
    },
    /// The database did not do as told.
    #[error(transparent)]
    Storage(#[from] store::Error),
    /// A file, folder or address could not be used.
    #[error("{what}: {source}")]
    Io {
        /// The path or address, as text.
        what: String,
        /// What the system reports.
        source: std::io::Error,
    },
    /// A file or folder is not what it must be: missing, damaged, in the way, or of another server.
    #[error("{what}: {reason}")]
    Unusable {
        /// The path, as text.
        what: String,
        /// What is wrong, and what an operator does about it.
        reason: String,
    },
    /// This storage does not do it.
    Unsupported {
        /// What the operator uses instead.
        reason: &'static str,
    },
    /// The page could not be rendered.
    #[error(transparent)]
    Page(#[from] askama::Error),
    /// The listening task has ended.
    #[error("a task of the server failed: {0}")]
    TaskFailed(#[from] tokio::task::JoinError),
    /// A defect of this program.
    Internal {
        /// What was not as it must be.
        reason: String,
    },
}

impl From<sql::Error> for Error {
    fn from(error: sql::Error) -> Self {
        match error {
            // What a backend met before it came to a statement passes the seam whole.
            sql::Error::Engine { source } => match source.downcast::<Self>() {
                Ok(error) => *error,
                Err(source) => Self::Storage(sql::Error::Engine { source }.into()),
            },
            error => Self::Storage(error.into()),
        }
    }
}

impl Error {
    /// Returns what turns an I/O error about something into this.
    pub(crate) fn io<W: ToString>(what: &W) -> impl Fn(std::io::Error) -> Self + use<W> {
        let what = what.to_string();
        move |source| Self::Io { what: what.clone(), source }
    }

    pub(crate) fn invalid(field: &'static str, reason: impl std::fmt::Display) -> Self {
        Self::Invalid { field, reason: reason.to_string() }
    }

    pub(crate) fn unusable(what: &impl ToString, reason: impl Into<String>) -> Self {
        Self::Unusable { what: what.to_string(), reason: reason.into() }
    }

    /// The error's stable name.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Invalid { .. } | Self::Parcel(_) => ErrorCode::InvalidInput,
            Self::Unauthorized => ErrorCode::Unauthorized,
            Self::NotFound { .. } => ErrorCode::NotFound,
            Self::TooLarge { .. } => ErrorCode::TooLarge,
            Self::Busy { .. } => ErrorCode::RateLimited,
            Self::Incompatible { .. } => ErrorCode::IncompatibleVersion,
            Self::Storage(store::Error::Full) => ErrorCode::StorageFull,
            Self::Storage(store::Error::Corrupt { .. }) => ErrorCode::StorageCorrupt,
            Self::Storage(store::Error::TooNew { .. }) => ErrorCode::StorageTooNew,
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => ErrorCode::StorageFull,
            Self::Unsupported { .. } => ErrorCode::NotAllowed,
            // The same request can succeed later: the recovery ends, the database can be reached again, others ask it less.
            Self::Recovering
            | Self::Storage(store::Error::Sql(
                sql::Error::Unavailable { .. } | sql::Error::Conflict { .. } | sql::Error::OutcomeUnknown { .. },
            )) => ErrorCode::Interrupted,
            // Among them what is said of encrypted stores: a server has none.
            Self::Storage(_)
            | Self::Io { .. }
            | Self::Unusable { .. }
            | Self::Page(_)
            | Self::TaskFailed(_)
            | Self::Internal { .. } => ErrorCode::Internal,
        }
    }

    /// Logs an error that is the server's own fault.
    pub(crate) fn log(&self, path: &str) {
        if self.status() >= 500 {
            tracing::error!(code = %self.code(), path, "{self}");
        }
    }

    /// The HTTP status of the answer.
    pub fn status(&self) -> u16 {
        match self.code() {
            ErrorCode::InvalidInput => 422,
            ErrorCode::Unauthorized => 401,
            ErrorCode::NotFound => 404,
            ErrorCode::TooLarge => 413,
            ErrorCode::IncompatibleVersion => 426,
            ErrorCode::RateLimited => 429,
            ErrorCode::StorageFull | ErrorCode::Interrupted => 503,
            _ => 500,
        }
    }
}
