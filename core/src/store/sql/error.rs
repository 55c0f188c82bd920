//! What can go wrong with a statement or a transaction, the same for every engine.

/// What the engine reports. Drivers leave out what may quote a record, such as the key of a conflict.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why a statement or transaction failed. Nothing was changed, except perhaps after [`Self::OutcomeUnknown`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A row with this key exists, or two rows of one insert have the same key.
    #[error("a row with this key exists already")]
    DuplicateKey {
        /// What the engine reports.
        #[source]
        source: Option<Source>,
    },
    /// The transaction got in the way of another one (serialization failure, deadlock, lock timeout); run it again.
    #[error("another transaction was in the way")]
    Conflict {
        /// What the engine reports.
        #[source]
        source: Source,
    },
    /// The connection was lost or could not be made; run the transaction again later.
    #[error("the database cannot be reached")]
    Unavailable {
        /// What the engine reports.
        #[source]
        source: Source,
    },
    /// The connection was lost during the commit, and until the time limit nobody could be asked whether it happened.
    #[error("the database was lost while it committed: the transaction may have happened")]
    OutcomeUnknown {
        /// What the engine reports.
        #[source]
        source: Source,
    },
    /// An earlier statement of the transaction failed, or its work gave up: nothing of it is kept.
    #[error("the transaction has failed before")]
    Aborted,
    /// A column does not hold what it is read as or written to.
    #[error("column {column} is not {expected}")]
    Type {
        /// The column, counted from 0.
        column: usize,
        /// What was expected.
        expected: &'static str,
    },
    /// A text contains NUL, which PostgreSQL cannot store.
    #[error("a text contains the character NUL")]
    NulInText,
    /// A number is larger than a signed integer of 64 bits.
    #[error("a number is too large for a column")]
    OutOfRange,
    /// There is no such organisation in the database.
    #[error("the organisation is not in the database")]
    UnknownOrganisation,
    /// No room on the disk.
    #[error("the storage is full: free some space and try again")]
    Full {
        /// What the engine reports.
        #[source]
        source: Source,
    },
    /// The database is damaged.
    #[error("the database is damaged")]
    Corrupt {
        /// What the engine reports.
        #[source]
        source: Source,
    },
    /// The engine refuses a statement: a defect of the statement, or a constraint other than a key.
    #[error("the database refuses the statement: {source}")]
    Engine {
        /// What the engine reports.
        #[source]
        source: Source,
    },
}

impl Error {
    /// Returns whether the same transaction can succeed when it is run again.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Conflict { .. } | Self::Unavailable { .. })
    }

    /// Wraps an error of the engine that is none of the other variants.
    pub fn engine(source: impl Into<Source>) -> Self {
        Self::Engine { source: source.into() }
    }
}
