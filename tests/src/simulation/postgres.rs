//! A sync server with its data on PostgreSQL; disk faults then happen on phones only.
//!
//! Owns the databases: each schedule has its own, copied from that of the start state. Checks read a copy of it on SQLite.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use farmtally_core::environment::Environment;
use farmtally_core::store::RECORDS;
use farmtally_sync_server::storage::postgres::Options;
use farmtally_sync_server::storage::{PostgresStorage, Storage};
use postgres::Client;
use rusqlite::Connection;

use super::setup::StartState;
use crate::ddl;
use crate::postgres::{PostgresServer, SERVER, SUPERUSER};

/// A PostgreSQL server, and the start state of the schedules on it.
pub struct Postgres {
    server: Arc<PostgresServer>,
    pub(super) start_state: OnceLock<StartState>,
}

impl Postgres {
    /// Starts a server, or shares the process's. Returns `None`, and prints why, if it is not installed or does not start.
    pub fn start() -> Option<Arc<Self>> {
        Some(Arc::new(Self { server: PostgresServer::shared()?, start_state: OnceLock::new() }))
    }

    /// Creates a database with the server's tables, without rows.
    pub fn create_database(&self) -> Database {
        Database::new(&self.server, self.server.create_server_database())
    }
}

/// A PostgreSQL database, deleted when this value is dropped.
pub struct Database {
    server: Arc<PostgresServer>,
    name: String,
    /// Connection for reading; closed before a copy, which it would block.
    reader: Mutex<Option<Client>>,
}

impl Database {
    fn new(server: &Arc<PostgresServer>, name: String) -> Self {
        Self { server: Arc::clone(server), name, reader: Mutex::default() }
    }

    fn read<T>(&self, f: impl FnOnce(&mut Client) -> T) -> T {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        f(reader.get_or_insert_with(|| self.server.connect(SUPERUSER, &self.name)))
    }

    /// Opens the storage of a sync server on it.
    pub fn storage(&self) -> Box<dyn Storage> {
        let url = PostgresServer::url(SERVER, self.server.address(), &self.name);
        Box::new(PostgresStorage::open(&url, Options::default(), Environment::system()).expect("it opens"))
    }

    /// Updates the planner's statistics, as autovacuum does a minute after a table has grown.
    pub fn analyze(&self) {
        self.read(|client| client.batch_execute("ANALYZE")).expect("analyzed");
    }

    /// Copies the database. No sync server may run on it.
    pub(super) fn copy(&self) -> Self {
        drop(self.reader.lock().unwrap_or_else(PoisonError::into_inner).take());
        Self::new(&self.server, self.server.copy_database(&self.name))
    }

    /// Returns a text that differs after each transaction that wrote.
    pub(super) fn version(&self) -> String {
        self.read(|client| client.query_one("SELECT pg_current_snapshot()::text", &[])).expect("a snapshot").get(0)
    }

    /// Copies its rows to a new SQLite database in memory.
    pub(super) fn mirror(&self) -> Connection {
        let db = Connection::open_in_memory().expect("it opens");
        for tables in [RECORDS, include_str!("../../../sync-server/src/storage/schema.sql")] {
            db.execute_batch(tables).expect("tables");
        }
        self.read(|client| ddl::copy_rows(client, &db));
        db
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.server.drop_database(&self.name);
    }
}
