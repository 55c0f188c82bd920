//! Errors of the server, and the HTTP status of each.

use farmtally_core::ErrorCode;
use farmtally_core::protocol::parcel::HandoverError;
use farmtally_core::rules::PublicationError;
use farmtally_core::store;
use farmtally_core::store::sql;

/// Error of a request or command. Parts of it may be done nevertheless; after [`Self::Io`] or [`Self::Storage`], even all of it.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub enum Error {
    /// A field of the request or command has an invalid value.
    #[error("{field}: {reason}")]
    Invalid {
        /// Name of the field.
        field: &'static str,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// Users have a name like the one of a new user: they may be one person or two.
    #[error("user: a user has this name: {users}")]
    LikeKnownUser {
        /// Their names and ids.
        users: String,
    },
    /// Reference data cannot be published; nothing of it was.
    #[error("the reference data cannot be published:\n{}", lines(.errors))]
    Reference {
        /// All errors, never none.
        errors: Vec<PublicationError>,
    },
    /// The request is not signed by a device that this server knows.
    #[error("unknown device, or invalid or expired signature")]
    Unauthorized,
    /// The thing asked for does not exist.
    #[error("no such {what}")]
    NotFound {
        /// Kind of thing.
        what: &'static str,
    },
    /// The request is too large.
    TooLarge {
        /// The limit that it exceeds.
        reason: String,
    },
    /// The phone's protocol version is not supported here.
    Incompatible {
        /// Which side is too old.
        reason: String,
    },
    /// A parcel was refused; nothing of it was kept.
    #[error(transparent)]
    Parcel(#[from] HandoverError),
    /// A recovery is open: the server has lost data, and nobody has ended the recovery yet.
    #[error("a recovery is open: no held change is decided and no phone is enrolled until it is ended")]
    Recovering,
    /// A limit of concurrent use is reached.
    Busy {
        /// Name of the limit.
        reason: String,
    },
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] store::Error),
    /// A file, folder or address could not be used.
    #[error("{what}: {source}")]
    Io {
        /// Path or address, as text.
        what: String,
        /// Error of the operating system.
        source: std::io::Error,
    },
    /// A file or folder is missing, damaged, already there, or belongs to another server.
    #[error("{what}: {reason}")]
    Unusable {
        /// Path, as text.
        what: String,
        /// What is wrong, and what the operator can do.
        reason: String,
    },
    /// Data that the server had are not there.
    #[error("{what}: {reason}: restore it from a copy")]
    DataMissing {
        /// Path, as text.
        what: String,
        /// What is missing.
        reason: String,
    },
    /// The file with the address to which the server moves has none.
    #[error("{what}: it has no address: remove it")]
    NoAddress {
        /// Path, as text.
        what: String,
    },
    /// This storage does not support the operation.
    Unsupported {
        /// What the operator can use instead.
        reason: &'static str,
    },
    /// The page could not be rendered.
    #[error(transparent)]
    Page(#[from] askama::Error),
    /// A task of the server panicked or was cancelled.
    #[error("a task of the server failed: {0}")]
    TaskFailed(#[from] tokio::task::JoinError),
    /// Defect of this program.
    Internal {
        /// The violated assumption.
        reason: String,
    },
}

fn lines(errors: &[PublicationError]) -> String {
    errors.iter().map(|error| format!("  {error}")).collect::<Vec<_>>().join("\n")
}

impl From<sql::Error> for Error {
    fn from(error: sql::Error) -> Self {
        match error {
            // An error that a backend met before it ran a statement passes through the seam unchanged.
            sql::Error::Engine { source } => match source.downcast::<store::Error>() {
                Ok(error) => Self::Storage(*error),
                Err(source) => Self::Storage(sql::Error::Engine { source }.into()),
            },
            error => Self::Storage(error.into()),
        }
    }
}

impl Error {
    /// Returns a function that converts an I/O error on the file or folder `what`.
    pub fn io<W: ToString>(what: &W) -> impl Fn(std::io::Error) -> Self + use<W> {
        let what = what.to_string();
        move |source| match source.kind() {
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                Self::Storage(store::Error::Denied { what: what.clone() })
            }
            _ => Self::Io { what: what.clone(), source },
        }
    }

    pub(crate) fn invalid(field: &'static str, reason: impl std::fmt::Display) -> Self {
        Self::Invalid { field, reason: reason.to_string() }
    }

    pub(crate) fn unusable(what: &impl ToString, reason: impl Into<String>) -> Self {
        Self::Unusable { what: what.to_string(), reason: reason.into() }
    }

    /// Returns the stable code of the error.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Invalid { .. } | Self::LikeKnownUser { .. } | Self::Reference { .. } | Self::Parcel(_) => {
                ErrorCode::InvalidInput
            }
            Self::Unauthorized => ErrorCode::Unauthorized,
            Self::NotFound { .. } => ErrorCode::NotFound,
            Self::TooLarge { .. } => ErrorCode::TooLarge,
            Self::Busy { .. } => ErrorCode::RateLimited,
            Self::Incompatible { .. } => ErrorCode::IncompatibleVersion,
            Self::Storage(store::Error::Full) => ErrorCode::StorageFull,
            // A phone keeps what it has and tries again, as with any storage that cannot be written at present.
            Self::Storage(store::Error::Denied { .. } | store::Error::Removed { .. }) => ErrorCode::StorageDenied,
            Self::Storage(store::Error::Corrupt { .. }) | Self::DataMissing { .. } => ErrorCode::StorageCorrupt,
            Self::Storage(store::Error::TooNew { .. }) => ErrorCode::StorageTooNew,
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => ErrorCode::StorageFull,
            Self::Unsupported { .. } => ErrorCode::NotAllowed,
            // The same request can succeed later: the recovery is ended, the database can be reached again, or there are fewer conflicts.
            Self::Recovering
            | Self::Storage(store::Error::Sql(
                sql::Error::Unavailable { .. } | sql::Error::Conflict { .. } | sql::Error::OutcomeUnknown { .. },
            )) => ErrorCode::Interrupted,
            // These include the errors of encrypted stores, which a server does not have.
            Self::Storage(_)
            | Self::Io { .. }
            | Self::Unusable { .. }
            | Self::NoAddress { .. }
            | Self::Page(_)
            | Self::TaskFailed(_)
            | Self::Internal { .. } => ErrorCode::Internal,
        }
    }

    /// Logs an error whose status is 500 or above.
    pub(crate) fn log(&self, path: &str) {
        if self.status() >= 500 {
            tracing::error!(code = %self.code(), path, "{self}");
        }
    }

    /// Returns the HTTP status for the error.
    pub fn status(&self) -> u16 {
        match self.code() {
            ErrorCode::InvalidInput => 422,
            ErrorCode::Unauthorized => 401,
            ErrorCode::NotFound => 404,
            ErrorCode::TooLarge => 413,
            ErrorCode::IncompatibleVersion => 426,
            ErrorCode::RateLimited => 429,
            ErrorCode::StorageFull | ErrorCode::StorageDenied | ErrorCode::Interrupted => 503,
            _ => 500,
        }
    }
}
