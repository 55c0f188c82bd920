//! Bounded pool of connections.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use farmtally_core::store::sql::Error;

use super::Options;
use super::session::Session;

pub(super) struct Pool {
    config: postgres::Config,
    pub(super) options: Options,
    connections: Mutex<Connections>,
    freed: Condvar,
}

#[derive(Default)]
struct Connections {
    idle: Vec<Session>,
    /// Connections in use and idle.
    open: usize,
}

impl Pool {
    pub(super) fn new(config: postgres::Config, options: Options) -> Self {
        Self { config, options, connections: Mutex::default(), freed: Condvar::new() }
    }

    /// Returns an idle connection, opens one, or waits for one, at most [`Options::retry_for`].
    ///
    /// # Errors
    /// [`Error::Unavailable`] if none can be opened, or none is returned in time.
    pub(super) fn lease(&self) -> Result<Lease<'_>, Error> {
        let until = Instant::now() + self.options.retry_for;
        let mut connections = self.lock();
        loop {
            if let Some(session) = connections.idle.pop() {
                return Ok(Lease { pool: self, session: Some(session), is_kept: false });
            }
            if connections.open < self.options.connections.max(1) {
                connections.open += 1;
                drop(connections);
                // Already counted in `open`, so that dropping it frees the slot even if connecting fails.
                let mut lease = Lease { pool: self, session: None, is_kept: false };
                lease.session = Some(Session::connect(&self.config, &self.options)?);
                return Ok(lease);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::Unavailable { source: "all connections are in use".into() });
            }
            connections = self.freed.wait_timeout(connections, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pool {
    /// Closes the connections on a separate thread: closing blocks, which would panic if the last user is async code.
    fn drop(&mut self) {
        let idle = std::mem::take(&mut self.lock().idle);
        drop(std::thread::spawn(move || drop(idle)).join());
    }
}

/// A connection in use. Unless it is [`kept`](Self::keep), dropping it closes it and ends its transaction, so a panic leaves no lock.
pub(super) struct Lease<'a> {
    pool: &'a Pool,
    session: Option<Session>,
    is_kept: bool,
}

impl Lease<'_> {
    /// Returns the connection.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if it was never opened.
    pub(super) fn session(&mut self) -> Result<&mut Session, Error> {
        self.session.as_mut().ok_or_else(|| Error::Unavailable { source: "not connected".into() })
    }

    /// Gives the connection back to the pool; it must be outside of a transaction.
    pub(super) fn keep(mut self) {
        self.is_kept = true;
    }

    /// Rolls back the transaction, and gives the connection back to the pool if that succeeds; otherwise closes it.
    pub(super) fn end_transaction(mut self) {
        self.is_kept = self.session.as_mut().is_some_and(|session| session.rollback().is_ok());
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut connections = self.pool.lock();
        let dropped = match self.session.take() {
            Some(session) if self.is_kept => {
                connections.idle.push(session);
                Vec::new()
            }
            // Idle connections are closed too, because the same failure has probably ended them.
            session => {
                let mut dropped = std::mem::take(&mut connections.idle);
                connections.open = connections.open.saturating_sub(dropped.len() + 1);
                dropped.extend(session);
                dropped
            }
        };
        drop(connections);
        self.pool.freed.notify_all();
        // Closing waits for the server, so it must not hold the lock.
        drop(dropped);
    }
}
