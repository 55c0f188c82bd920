//! A bounded number of connections, which calls take turns to use.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use farmtally_core::store::sql::Error;

use super::Options;
use super::session::Session;

/// The connections of a database.
pub(super) struct Pool {
    config: postgres::Config,
    options: Options,
    connections: Mutex<Connections>,
    freed: Condvar,
}

#[derive(Default)]
struct Connections {
    idle: Vec<Session>,
    /// Those in use and idle.
    open: usize,
}

impl Pool {
    /// A pool without connections yet.
    pub(super) fn new(config: postgres::Config, options: Options) -> Self {
        Self { config, options, connections: Mutex::default(), freed: Condvar::new() }
    }

    /// Takes a connection, or makes one.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if none can be made, or none is given back in time.
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
                // Counted, so that dropping it frees the place even if connecting fails.
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
    /// Closes the connections on a thread of its own: closing blocks, which would panic if the last user were async code.
    fn drop(&mut self) {
        let idle = std::mem::take(&mut self.lock().idle);
        drop(std::thread::spawn(move || drop(idle)).join());
    }
}

/// A connection in use. Unless [`kept`](Self::keep) it is closed, which ends its transaction: a panic leaves no lock.
pub(super) struct Lease<'a> {
    pool: &'a Pool,
    session: Option<Session>,
    is_kept: bool,
}

impl Lease<'_> {
    /// Returns the connection.
    ///
    /// # Errors
    /// [`Error::Unavailable`] for one that was not made.
    pub(super) fn session(&mut self) -> Result<&mut Session, Error> {
        self.session.as_mut().ok_or_else(|| Error::Unavailable { source: "not connected".into() })
    }

    /// Gives the connection back, outside of a transaction.
    pub(super) fn keep(mut self) {
        self.is_kept = true;
    }

    /// Undoes the transaction and gives the connection back, if that is possible.
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
            // What ended this connection has likely ended the idle ones too.
            session => {
                let mut dropped = std::mem::take(&mut connections.idle);
                connections.open = connections.open.saturating_sub(dropped.len() + 1);
                dropped.extend(session);
                dropped
            }
        };
        drop(connections);
        self.pool.freed.notify_all();
        // Closing waits for the server, so not under the lock.
        drop(dropped);
    }
}
