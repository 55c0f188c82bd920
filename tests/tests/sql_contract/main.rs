//! The SQL contract: one list of cases that SQLite and PostgreSQL must both pass, and cases for PostgreSQL alone.

mod faults;
mod isolation;
mod order;
mod rows;
mod transactions;
mod values;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use farmtally_core::environment::Environment;
use farmtally_core::store::sql::{self, Database, Error, Reader, Writer};
use farmtally_core::units::OrganisationId;
use farmtally_sync_server::storage::SqliteStorage;
use farmtally_sync_server::storage::Storage as _;
use farmtally_sync_server::storage::postgres::{Options, PostgresStorage};
use farmtally_tests::postgres::{PostgresServer, SERVER};
use tempfile::TempDir;

const SCHEMA: &str = include_str!("schema.sql");

fn kolar() -> OrganisationId {
    OrganisationId::from([1; 16])
}

fn mandya() -> OrganisationId {
    OrganisationId::from([2; 16])
}

/// A database of two organisations on one engine.
struct Engine {
    database: Arc<dyn Database>,
    _kept: Kept,
}

/// What a database needs while it is used.
enum Kept {
    Folder { _folder: TempDir },
    Server { _server: Arc<PostgresServer> },
}

impl Engine {
    fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let database = SqliteStorage::open_with(folder.path(), &[SCHEMA]).expect("it opens");
        for organisation in [kolar(), mandya()] {
            database.prepare(organisation).expect("prepared");
            database.add_organisation(organisation).expect("added");
        }
        Self { database: Arc::new(database), _kept: Kept::Folder { _folder: folder } }
    }

    /// Returns `None` if there is no PostgreSQL.
    fn postgres() -> Option<Self> {
        let server = PostgresServer::shared()?;
        let name = server.create_database(SCHEMA);
        let database = open(&PostgresServer::url(SERVER, server.address(), &name), Options::default());
        Some(Self { database: Arc::new(database), _kept: Kept::Server { _server: server } })
    }

    fn read<T>(&self, f: impl Fn(&mut dyn Reader) -> Result<T, Error>) -> Result<T, Error> {
        sql::read(&*self.database, kolar(), f)
    }

    fn write<T>(&self, f: impl Fn(&mut dyn Writer) -> Result<T, Error>) -> Result<T, Error> {
        sql::write(&*self.database, kolar(), f)
    }
}

/// Opens a database and adds both organisations.
fn open(url: &str, options: Options) -> PostgresStorage {
    let database = PostgresStorage::open(url, options, Environment::system()).expect("it opens");
    for organisation in [kolar(), mandya()] {
        database.prepare(organisation).expect("added");
    }
    database
}

/// Longest wait of a thread for another one, which may have failed.
const LIMIT: Duration = Duration::from_secs(30);

/// One end of a meeting of two threads that wait for each other.
struct Meeting {
    here: Sender<()>,
    there: Receiver<()>,
}

impl Meeting {
    fn of_two() -> [Self; 2] {
        let (first, from_first) = channel();
        let (second, from_second) = channel();
        [Self { here: first, there: from_second }, Self { here: second, there: from_first }]
    }

    /// Waits until the other thread waits too.
    fn wait(&self) {
        self.here.send(()).expect("the other one is still there");
        self.there.recv_timeout(LIMIT).expect("the other one comes");
    }
}

/// Adds one to the counter and returns the new value.
fn count_up(writer: &mut dyn Writer) -> Result<i64, Error> {
    let query = "SELECT value FROM counters WHERE centre = 'KOLAR' AND part = 0";
    let value = writer.query_one(query, &[], |row| row.get::<i64>(0))?.unwrap_or(0) + 1;
    writer.execute(
        "INSERT INTO counters (centre, part, value) VALUES ('KOLAR', 0, ?1)
         ON CONFLICT (centre, part) DO UPDATE SET value = excluded.value",
        &sql::values![value],
    )?;
    writer.execute("INSERT INTO steps (value) VALUES (?1)", &sql::values![value])?;
    Ok(value)
}

/// Returns the counter, and the steps of all writes.
fn counted(reader: &mut dyn Reader) -> Result<(i64, Vec<i64>), Error> {
    let value = reader.query_one("SELECT value FROM counters WHERE centre = 'KOLAR'", &[], |row| row.get(0))?;
    let steps = reader.query_all("SELECT value FROM steps ORDER BY step", &[], |row| row.get(0))?;
    Ok((value.unwrap_or(0), steps))
}

macro_rules! contract {
    ($($module:ident: $($case:ident)*;)*) => {
        mod sqlite {
            $(mod $module {$(
                #[test]
                fn $case() {
                    crate::$module::$case(&crate::Engine::sqlite());
                }
            )*})*
        }

        mod postgres {
            $(mod $module {$(
                #[test]
                fn $case() {
                    if let Some(engine) = crate::Engine::postgres() {
                        crate::$module::$case(&engine);
                    }
                }
            )*})*
        }
    };
}

contract! {
    values:
        values_come_back_as_stored
        a_null_is_found_first_and_later_in_each_type
        a_parameter_is_null_first_and_a_value_later
        text_with_nul_is_refused
        numbers_beyond_a_column_are_refused
        a_column_is_read_only_as_its_type
        expressions_have_the_types_of_columns;
    rows:
        rows_of_any_number_are_inserted
        incomplete_and_mistyped_rows_are_refused
        keys_of_any_number_are_matched_by_n
        one_statement_sees_all_keys
        duplicate_keys_are_refused
        conflicts_update_or_do_nothing
        written_rows_are_returned;
    order:
        text_is_ordered_by_its_bytes
        blobs_are_ordered_by_their_bytes
        nulls_are_where_the_statement_says;
    transactions:
        a_failed_statement_leaves_nothing_and_answers_nothing_more
        a_failed_visitor_ends_the_transaction
        the_callers_own_error_comes_back
        a_panic_leaves_no_lock
        two_writers_of_one_organisation_count_one_after_the_other
        writers_of_two_organisations_run_at_the_same_time
        a_snapshot_does_not_move
        a_reader_does_not_write
        organisations_do_not_see_each_other
        an_unknown_organisation_is_refused;
}
