//! Errors of statements and transactions, the same for every engine.

/// The engine's own error. Drivers leave out text that may quote a record, such as the key of a conflict.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// An error of a statement or transaction. Nothing was changed, except perhaps after [`Self::OutcomeUnknown`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A row with this key exists, or two rows of one insert have the same key.
    #[error("a row with this key exists already")]
    DuplicateKey {
        /// The engine's error, if it came from the engine.
        #[source]
        source: Option<Source>,
    },
    /// The transaction conflicted with another one (serialization failure, deadlock, lock timeout); run it again.
    #[error("another transaction was in the way")]
    Conflict {
        /// The engine's error.
        #[source]
        source: Source,
    },
    /// The connection was lost or could not be made; run the transaction again later.
    #[error("the database cannot be reached")]
    Unavailable {
        /// The engine's error.
        #[source]
        source: Source,
    },
    /// The connection was lost during the commit, and no new one within the time limit could tell whether the commit happened.
    #[error("the database was lost while it committed: the transaction may have happened")]
    OutcomeUnknown {
        /// The engine's error.
        #[source]
        source: Source,
    },
    /// An earlier statement of the transaction failed, or its body returned an error: the transaction is rolled back.
    #[error("an earlier statement of the transaction failed")]
    Aborted,
    /// A value does not have the type that its column is read as or written to.
    #[error("column {column} is not {expected}")]
    Type {
        /// The column's index, from 0.
        column: usize,
        /// The expected type or form.
        expected: &'static str,
    },
    /// A text contains NUL, which PostgreSQL cannot store.
    #[error("a text contains the character NUL")]
    NulInText,
    /// A number is larger than a signed integer of 64 bits.
    #[error("a number is too large for a column")]
    OutOfRange,
    /// The organisation is not in the database.
    #[error("the organisation is not in the database")]
    UnknownOrganisation,
    /// The disk is full.
    #[error("the storage is full: free some space and try again")]
    Full {
        /// The engine's error.
        #[source]
        source: Source,
    },
    /// The system does not let this account use the database's file or folder.
    #[error("the database or its folder is read-only, or belongs to another account")]
    Denied {
        /// The engine's error.
        #[source]
        source: Source,
    },
    /// The database is damaged.
    #[error("the database is damaged")]
    Corrupt {
        /// The engine's error.
        #[source]
        source: Source,
    },
    /// The engine refuses the statement: the statement is wrong, or violates a constraint other than a key.
    #[error("the database failed on a statement: {source}")]
    Engine {
        /// The engine's error.
        #[source]
        source: Source,
    },
}

impl Error {
    /// Returns whether the same transaction may be run again and can then succeed; `false` for [`Self::OutcomeUnknown`].
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Conflict { .. } | Self::Unavailable { .. })
    }

    /// Wraps an engine's error that fits none of the other variants.
    pub fn engine(source: impl Into<Source>) -> Self {
        Self::Engine { source: source.into() }
    }
}
