//! PostgreSQL backend: one set of tables for all organisations, kept apart by row level security.
//!
//! Owns connections, transactions and their repetition; the statements are those of SQLite ([`farmtally_core::store::sql`]). Each table
//! has the column `organisation` first in its keys, filled from and compared with the transaction's setting `farmtally.organisation`.
//! Invariants: a statement sees the rows of one organisation; a write is applied exactly once, even if its connection is lost.
//!
//! A write takes an advisory lock of its organisation before its first statement, so READ COMMITTED shows it all that was committed
//! before. With its COMMIT it inserts a write id. If the answer to the COMMIT is lost, the next run takes the lock, which waits for a
//! COMMIT that is still running, and then looks for the id (measured without: 8 of 300 writes were applied twice).

mod error;
mod pool;
mod retry;
mod session;
mod statement;
mod storage;
mod transaction;
mod value;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use farmtally_core::environment::Environment;
use farmtally_core::store::sql::{Database, Error, ReadFn, Source, WriteFn};
use farmtally_core::units::OrganisationId;

use error::failure;
use pool::Pool;
use retry::Retries;
use session::{Committed, Session};
use storage::LISTED;
use transaction::PostgresTransaction;

/// DDL of the driver's own tables, to be run by their owner.
pub const CONTROL: &str = include_str!("control.sql");

/// DDL of the server's tables: the routes to organisations, and what [`farmtally_core::store::RECORDS`] and `schema.sql` are on SQLite.
/// The last two are written by `cargo run -p farmtally-tests --bin ddl`.
pub const TABLES: [&str; 3] = [include_str!("routes.sql"), include_str!("records.sql"), include_str!("schema.sql")];

/// Limits of a [`PostgresStorage`].
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Maximum number of connections; further calls wait for one.
    pub connections: usize,
    /// How long a transaction is repeated after a conflict or a lost connection, and how long a call waits for a connection.
    pub retry_for: Duration,
    /// Maximum duration of a statement.
    pub statement_timeout: Duration,
    /// How long a run of a write waits for earlier writes in its organisation; it is then repeated.
    pub lock_timeout: Duration,
    /// How long a transaction may be idle before PostgreSQL ends it, so that a crashed server does not keep its lock for ever.
    pub idle_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connections: 8,
            retry_for: Duration::from_secs(10),
            statement_timeout: Duration::from_secs(60),
            lock_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
        }
    }
}

/// Storage in a PostgreSQL database that already has the tables ([`CONTROL`], [`TABLES`]).
/// Calls block, and panic in async code: make them on threads for blocking calls.
pub struct PostgresStorage {
    pool: Pool,
    environment: Environment,
    /// Cache of organisations' numbers, which never change.
    numbers: Mutex<BTreeMap<OrganisationId, i64>>,
}

/// Error of one run of a transaction.
struct Failure {
    error: Error,
    is_retryable: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { is_retryable: error.is_retryable(), error }
    }
}

impl PostgresStorage {
    /// Connects to a server by a libpq connection string or URL.
    ///
    /// # Errors
    /// [`Error::Unavailable`]; [`Error::Engine`] if the string is invalid, the role bypasses row level security, or tables are missing.
    pub fn open(url: &str, options: Options, environment: Environment) -> Result<Self, Error> {
        let mut config: postgres::Config = url.parse().map_err(failure)?;
        config.application_name("farmtally-server").connect_timeout(options.retry_for);
        // Detects a network that drops packets, which would otherwise leave the connection open.
        config.tcp_user_timeout(options.idle_timeout).keepalives_idle(options.idle_timeout);
        config.keepalives_interval(options.idle_timeout / 3).keepalives_retries(3);
        let database = Self { pool: Pool::new(config, options), environment, numbers: Mutex::default() };
        let mut lease = database.pool.lease()?;
        if lease.session()?.passes_row_security()? {
            return Err(Error::engine(
                "row level security does not bind this role: connect as one that is no superuser and has no BYPASSRLS",
            ));
        }
        lease.keep();
        database.on_session(|session| session.organisations(LISTED, &[]))?;
        Ok(database)
    }

    /// Runs a repeatable statement that belongs to no organisation, and returns its result.
    fn on_session<T>(&self, run: impl Fn(&mut Session) -> Result<T, Error>) -> Result<T, Error> {
        self.repeat(|| {
            let mut lease = self.pool.lease()?;
            let result = run(lease.session()?)?;
            lease.keep();
            Ok(result)
        })
    }

    /// Repeats `run` until it succeeds, fails with an error that is not retryable, or the time limit is reached.
    fn repeat<T>(&self, run: impl Fn() -> Result<T, Failure>) -> Result<T, Error> {
        let mut retries = Retries::new(&self.environment, self.pool.options.retry_for);
        loop {
            match run() {
                Err(failed) if failed.is_retryable && retries.pause() => {}
                ended => return ended.map_err(|failed| failed.error),
            }
        }
    }

    fn number(&self, session: &mut Session, organisation: OrganisationId) -> Result<i64, Error> {
        let known = self.numbers.lock().unwrap_or_else(PoisonError::into_inner).get(&organisation).copied();
        if let Some(number) = known {
            return Ok(number);
        }
        let number = session.number(organisation)?.ok_or(Error::UnknownOrganisation)?;
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner).insert(organisation, number);
        Ok(number)
    }

    fn read_once(&self, organisation: OrganisationId, f: ReadFn<'_>) -> Result<(), Failure> {
        let mut lease = self.pool.lease()?;
        let ended = self.read_on(lease.session()?, organisation, f);
        lease.end_transaction();
        ended
    }

    fn read_on(&self, session: &mut Session, organisation: OrganisationId, f: ReadFn<'_>) -> Result<(), Failure> {
        let number = self.number(session, organisation)?;
        session.begin_read(number)?;
        let mut transaction = PostgresTransaction::new(session);
        let result = f(&mut transaction);
        transaction.ended(result)
    }

    /// Runs a write once. `doubt` is why the outcome of an earlier run is unknown; set if that of this run is.
    fn write_once(
        &self,
        organisation: OrganisationId,
        write_id: [u8; 16],
        doubt: &RefCell<Option<Source>>,
        f: WriteFn<'_>,
    ) -> Result<(), Failure> {
        let mut lease = self.pool.lease()?;
        let ended = self.write_on(lease.session()?, organisation, write_id, doubt, f);
        if matches!(ended, Ok(true)) {
            lease.keep();
        } else {
            lease.end_transaction();
        }
        ended.map(drop)
    }

    /// Returns whether this run was committed; otherwise an earlier one was, and this one must be rolled back.
    fn write_on(
        &self,
        session: &mut Session,
        organisation: OrganisationId,
        write_id: [u8; 16],
        doubt: &RefCell<Option<Source>>,
        f: WriteFn<'_>,
    ) -> Result<bool, Failure> {
        let number = self.number(session, organisation)?;
        session.begin_write(number)?;
        if doubt.borrow().is_some() {
            // The lock is held, so no earlier run is still in progress: an id that is not here now never will be.
            let has_happened = session.has_committed(write_id)?;
            *doubt.borrow_mut() = None;
            if has_happened {
                return Ok(false);
            }
        }
        let mut transaction = PostgresTransaction::new(session);
        let result = f(&mut transaction);
        transaction.ended(result)?;
        match session.commit(write_id) {
            Committed::Done => Ok(true),
            Committed::Refused(error) => Err(error.into()),
            Committed::Unknown(source) => {
                *doubt.borrow_mut() = Some(source);
                Err(Failure { error: Error::Aborted, is_retryable: true })
            }
        }
    }
}

impl Database for PostgresStorage {
    fn read(&self, organisation: OrganisationId, f: ReadFn<'_>) -> Result<(), Error> {
        self.repeat(|| self.read_once(organisation, f))
    }

    fn write(&self, organisation: OrganisationId, f: WriteFn<'_>) -> Result<(), Error> {
        let (write_id, doubt) = (self.environment.random(), RefCell::new(None));
        let written = self.repeat(|| self.write_once(organisation, write_id, &doubt, f));
        written.map_err(|error| doubt.take().map_or(error, |source| Error::OutcomeUnknown { source }))
    }
}
