//! Transactions of an organisation, on any engine.

use std::cell::Cell;

use super::{Error, Reader, Writer};
use crate::units::OrganisationId;

/// What runs on a snapshot; perhaps more than once.
pub type ReadFn<'a> = &'a dyn Fn(&mut dyn Reader) -> Result<(), Error>;

/// What runs in a transaction; perhaps more than once, so time, ids and chance come from outside of it.
pub type WriteFn<'a> = &'a dyn Fn(&mut dyn Writer) -> Result<(), Error>;

/// A database of many organisations. [`read`] and [`write`](fn@write) are these methods with a result and the caller's own error.
///
/// Calls block: in async code they belong on a thread for blocking calls.
pub trait Database: Send + Sync {
    /// Runs `work` on a snapshot of one organisation.
    ///
    /// # Errors
    /// Those of `work`, [`Error::Unavailable`], [`Error::UnknownOrganisation`].
    fn read(&self, organisation: OrganisationId, f: ReadFn<'_>) -> Result<(), Error>;

    /// Runs `work` as the only writer of one organisation, and commits durably and exactly once if it succeeds.
    ///
    /// A transaction that can succeed when it is run again is run again, until a time limit. The last run is the one that counts: it is the
    /// one that was committed, or the one that failed.
    ///
    /// # Errors
    /// Those of `work`, [`Error::Conflict`], [`Error::Unavailable`], [`Error::UnknownOrganisation`]: nothing was changed.
    /// [`Error::OutcomeUnknown`] if nobody can say whether it was.
    fn write(&self, organisation: OrganisationId, f: WriteFn<'_>) -> Result<(), Error>;
}

/// Runs `work` on a snapshot of one organisation and returns its result.
///
/// # Errors
/// Those of `work` and of [`Database::read`].
pub fn read<T, E: From<Error>>(
    database: &dyn Database,
    organisation: OrganisationId,
    f: impl Fn(&mut dyn Reader) -> Result<T, E>,
) -> Result<T, E> {
    let last = Cell::new(None);
    let ended = database.read(organisation, &|reader| keep(&last, f(reader)));
    last_result(last, ended)
}

/// Runs `work` as the only writer of one organisation, commits if it succeeds, and returns its result.
///
/// # Errors
/// Those of `work` and of [`Database::write`].
pub fn write<T, E: From<Error>>(
    database: &dyn Database,
    organisation: OrganisationId,
    f: impl Fn(&mut dyn Writer) -> Result<T, E>,
) -> Result<T, E> {
    let last = Cell::new(None);
    let ended = database.write(organisation, &|writer| keep(&last, f(writer)));
    last_result(last, ended)
}

/// Sets the result of the newest run, and says to the database only whether it failed.
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
