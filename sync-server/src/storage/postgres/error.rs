//! Conversion of PostgreSQL errors into those of the SQL seam.

use farmtally_core::store::sql::{Error, Source};
use postgres::error::{DbError, Severity, SqlState};

/// Converts an error of the driver.
pub(super) fn failure(error: postgres::Error) -> Error {
    let Some(reported) = error.as_db_error() else {
        return if is_lost(&error) { Error::Unavailable { source: error.into() } } else { Error::engine(error) };
    };
    let source = server_error(reported);
    let code = reported.code();
    match *code {
        SqlState::UNIQUE_VIOLATION => Error::DuplicateKey { source: Some(source) },
        SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED | SqlState::LOCK_NOT_AVAILABLE => {
            Error::Conflict { source }
        }
        SqlState::IN_FAILED_SQL_TRANSACTION => Error::Aborted,
        SqlState::CHARACTER_NOT_IN_REPERTOIRE => Error::NulInText,
        SqlState::DISK_FULL => Error::Full { source },
        SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => Error::Corrupt { source },
        _ if ends_connection(reported) => Error::Unavailable { source },
        _ => Error::Engine { source },
    }
}

/// Converts an error of an insert of many rows, two of which may have updated the same row.
pub(super) fn insert_failure(error: postgres::Error) -> Error {
    match error.as_db_error() {
        Some(reported) if *reported.code() == SqlState::CARDINALITY_VIOLATION => {
            Error::DuplicateKey { source: Some(server_error(reported)) }
        }
        _ => failure(error),
    }
}

/// Returns whether the server answered and keeps the connection, so that the transaction is known not to have been committed.
pub(super) fn is_answer(error: &postgres::Error) -> bool {
    error.as_db_error().is_some_and(|reported| !ends_connection(reported))
}

/// Returns an error that the server reported, without its detail, which may quote a row.
fn server_error(reported: &DbError) -> Source {
    format!("{} (SQLSTATE {})", reported.message(), reported.code().code()).into()
}

/// Returns whether the server closes the connection (shutdown, administrator, timeout), or accepts no more connections.
fn ends_connection(reported: &DbError) -> bool {
    let class = reported.code().code().get(..2);
    reported.parsed_severity() != Some(Severity::Error)
        || class == Some("08")
        || *reported.code() == SqlState::TOO_MANY_CONNECTIONS
}

/// Returns whether the connection broke without an answer from the server.
fn is_lost(error: &postgres::Error) -> bool {
    let source = std::error::Error::source(error);
    error.is_closed() || source.is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
}
