//! Transactions of one organisation, on any engine.

use std::cell::Cell;

use super::{Error, Reader, Writer};
use crate::units::OrganisationId;

/// The body of a read transaction. It may run more than once.
pub type ReadFn<'a> = &'a dyn Fn(&mut dyn Reader) -> Result<(), Error>;

/// The body of a write transaction. It may run more than once, so time, ids and random numbers must come from outside.
pub type WriteFn<'a> = &'a dyn Fn(&mut dyn Writer) -> Result<(), Error>;

/// A database of many organisations. The functions [`read`] and [`write`](fn@write) add a result and the caller's own error type. Calls
/// block: in async code, make them on a thread for blocking calls.
pub trait Database: Send + Sync {
    /// Runs `f` on a snapshot of one organisation.
    ///
    /// # Errors
    /// Errors of `f`, [`Error::Unavailable`], [`Error::UnknownOrganisation`].
    fn read(&self, organisation: OrganisationId, f: ReadFn<'_>) -> Result<(), Error>;

    /// Runs `f` as the only writer of one organisation. If `f` succeeds, commits durably and exactly once. After a retryable error `f` is
    /// run again, until a time limit. The last run is the one that was committed, or the one that failed.
    ///
    /// # Errors
    /// Errors of `f`, [`Error::Conflict`], [`Error::Unavailable`], [`Error::UnknownOrganisation`]: nothing was changed.
    /// [`Error::OutcomeUnknown`] if it cannot be found out whether the transaction was committed.
    fn write(&self, organisation: OrganisationId, f: WriteFn<'_>) -> Result<(), Error>;
}

/// Runs `f` on a snapshot of one organisation, perhaps several times, and returns its last result.
///
/// # Errors
/// Errors of `f` and of [`Database::read`].
pub fn read<T, E: From<Error>>(
    database: &dyn Database,
    organisation: OrganisationId,
    f: impl Fn(&mut dyn Reader) -> Result<T, E>,
) -> Result<T, E> {
    let last = Cell::new(None);
    let ended = database.read(organisation, &|reader| keep(&last, f(reader)));
    last_result(last, ended)
}

/// Runs `f` as the only writer of one organisation, perhaps several times, commits if it succeeds, and returns its last result.
///
/// # Errors
/// Errors of `f` and of [`Database::write`].
pub fn write<T, E: From<Error>>(
    database: &dyn Database,
    organisation: OrganisationId,
    f: impl Fn(&mut dyn Writer) -> Result<T, E>,
) -> Result<T, E> {
    let last = Cell::new(None);
    let ended = database.write(organisation, &|writer| keep(&last, f(writer)));
    last_result(last, ended)
}

/// Stores the result of the latest run; the database learns only whether it failed.
fn keep<T, E>(last: &Cell<Option<Result<T, E>>>, result: Result<T, E>) -> Result<(), Error> {
    let said = if result.is_ok() { Ok(()) } else { Err(Error::Aborted) };
    last.set(Some(result));
    said
}

fn last_result<T, E: From<Error>>(last: Cell<Option<Result<T, E>>>, ended: Result<(), Error>) -> Result<T, E> {
    match (ended, last.into_inner()) {
        (Ok(()), Some(result @ Ok(_))) | (Err(Error::Aborted), Some(result @ Err(_))) => result,
        (Err(error), _) => Err(error.into()),
        (Ok(()), _) => Err(Error::Aborted.into()),
    }
}
