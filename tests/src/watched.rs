//! A storage that shows each statement to a test before it runs.

use std::path::Path;

use farmtally_core::store::sql::{
    Column, Database, Dialect, Error as SqlError, Insert, ReadFn, Reader, RowVisitor, Value, WriteFn, Writer,
};
use farmtally_core::units::OrganisationId;
use farmtally_sync_server::Error;
use farmtally_sync_server::storage::Storage;

/// A call of a storage.
#[derive(Clone, Copy)]
pub enum Call<'a> {
    /// A statement with its parameters.
    Statement(&'a str, &'a [Value<'a>]),
    /// A query by keys: statement, columns, values row by row.
    Keys(&'a str, &'a [Column<'a>], &'a [Value<'a>]),
    /// An insert of rows.
    Insert,
}

/// A test's reaction to the calls of a storage.
pub trait Watch: Send + Sync {
    /// Called before a call of a transaction runs, with the connection that will run it.
    ///
    /// # Errors
    /// Any error; the call then fails with it and does not run.
    fn sees(&self, db: &mut dyn Reader, call: Call<'_>) -> Result<(), SqlError>;

    /// Called before a write transaction begins. Nothing is locked yet, so it may wait for another transaction.
    fn begins_to_write(&self) {}

    /// Called after the tables of an organisation were made, to fill them.
    ///
    /// # Errors
    /// Those of the storage.
    fn fills(&self, _storage: &dyn Storage, _organisation: OrganisationId) -> Result<(), Error> {
        Ok(())
    }
}

/// A storage with a watch, which sees the calls within transactions, but no routes, lists, scrubs or copies.
pub struct Watched<W> {
    /// The storage that runs the calls.
    pub storage: Box<dyn Storage>,
    /// The test's reaction.
    pub watch: W,
}

struct Connection<'a, C: ?Sized> {
    connection: &'a mut C,
    watch: &'a dyn Watch,
}

macro_rules! watched_reader {
    ($($connection:ident)*) => {$(
        impl Reader for Connection<'_, dyn $connection + '_> {
            fn query(&mut self, statement: &str, params: &[Value<'_>], visit: RowVisitor<'_>) -> Result<(), SqlError> {
                self.watch.sees(self.connection, Call::Statement(statement, params))?;
                self.connection.query(statement, params, visit)
            }

            fn query_keys(
                &mut self,
                keys: &[Column<'_>],
                rows: &[Value<'_>],
                statement: &str,
                visit: RowVisitor<'_>,
            ) -> Result<(), SqlError> {
                self.watch.sees(self.connection, Call::Keys(statement, keys, rows))?;
                self.connection.query_keys(keys, rows, statement, visit)
            }

            fn dialect(&self) -> Dialect {
                self.connection.dialect()
            }
        }
    )*};
}

watched_reader!(Reader Writer);

impl Writer for Connection<'_, dyn Writer + '_> {
    fn execute(&mut self, statement: &str, params: &[Value<'_>]) -> Result<usize, SqlError> {
        self.watch.sees(self.connection, Call::Statement(statement, params))?;
        self.connection.execute(statement, params)
    }

    fn insert(&mut self, into: &Insert<'_>, rows: &[Value<'_>]) -> Result<usize, SqlError> {
        self.watch.sees(self.connection, Call::Insert)?;
        self.connection.insert(into, rows)
    }
}

impl<W: Watch> Database for Watched<W> {
    fn read(&self, organisation: OrganisationId, f: ReadFn<'_>) -> Result<(), SqlError> {
        self.storage.read(organisation, &|connection| f(&mut Connection { connection, watch: &self.watch }))
    }

    fn write(&self, organisation: OrganisationId, f: WriteFn<'_>) -> Result<(), SqlError> {
        self.watch.begins_to_write();
        self.storage.write(organisation, &|connection| f(&mut Connection { connection, watch: &self.watch }))
    }
}

impl<W: Watch> Storage for Watched<W> {
    fn organisations(&self) -> Result<Vec<OrganisationId>, Error> {
        self.storage.organisations()
    }

    fn prepare(&self, organisation: OrganisationId) -> Result<(), Error> {
        self.storage.prepare(organisation)?;
        self.watch.fills(&*self.storage, organisation)
    }

    fn add_organisation(&self, organisation: OrganisationId) -> Result<(), Error> {
        self.storage.add_organisation(organisation)
    }

    fn add_route(&self, key: &[u8], organisation: OrganisationId) -> Result<(), Error> {
        self.storage.add_route(key, organisation)
    }

    fn route(&self, key: &[u8]) -> Result<Option<OrganisationId>, Error> {
        self.storage.route(key)
    }

    fn scrub(&self, organisation: OrganisationId) -> Result<(), Error> {
        self.storage.scrub(organisation)
    }

    fn copy_to(&self, folder: &Path) -> Result<(), Error> {
        self.storage.copy_to(folder)
    }
}
