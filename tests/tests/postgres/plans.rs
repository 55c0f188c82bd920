//! What a server does on a market day with 100,000 rows in each large table, statement by statement, as the engine plans it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use farmtally_core::store::sql::{
    self, Column, ColumnType, Database, Dialect, Error as SqlError, Insert, ReadWork, Reader, RowVisitor, Value,
    WriteWork, Writer,
};
use farmtally_core::units::OrganisationId;
use farmtally_sync_server::Error;
use farmtally_sync_server::storage::{Appended, SqliteStorage, Storage};
use farmtally_tests::postgres::{OWNER, PostgresServer, SERVER};
use farmtally_tests::{Market, ddl};
use tokio::sync::broadcast;

use super::{market_day, open, sqlite_tables};

const ROWS: u32 = 100_000;
const LARGE: [&str; 10] = [
    "documents",
    "deliveries",
    "loads",
    "farmers",
    "contacts",
    "words",
    "bundles",
    "log",
    "logged_changes",
    "returned",
];
/// Looking up what stands on a paper is an office command and has no index.
const RARE: [&str; 3] = ["device_code = ?1 AND receipt_seq", "FROM loads WHERE number", "FROM farmers WHERE code"];

/// A storage that asks for the plan of each statement before it runs it.
struct Explaining {
    storage: Box<dyn Storage>,
    scans: Scans,
}

/// Statements that read a whole table, with their plans.
type Scans = Arc<Mutex<BTreeMap<String, String>>>;

struct Explained<'a, C: ?Sized> {
    connection: &'a mut C,
    scans: &'a Scans,
}

/// Explains a statement.
fn explain(db: &mut dyn Reader, scans: &Scans, statement: &str, params: &[Value<'_>]) -> Result<(), SqlError> {
    let (explain, line) = match db.dialect() {
        Dialect::Sqlite => ("EXPLAIN QUERY PLAN", 3),
        Dialect::Postgres => ("EXPLAIN", 0),
    };
    let plan: Vec<String> = db.query_all(&format!("{explain} {statement}"), params, |row| row.get(line))?;
    let is_scan = match db.dialect() {
        Dialect::Sqlite => plan.iter().any(|line| is_sqlite_scan(line)),
        Dialect::Postgres => plan.iter().any(|line| is_postgres_scan(line)),
    };
    if is_scan {
        scans.lock().expect("a lock").insert(statement.to_owned(), plan.join("\n"));
    }
    Ok(())
}

fn is_sqlite_scan(line: &str) -> bool {
    let table = line.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next());
    table.is_some_and(|table| LARGE.contains(&table) || ["w", "o"].contains(&table))
}

/// A sequential scan of a large table, or one of an index that looks for nothing but the organisation.
fn is_postgres_scan(line: &str) -> bool {
    let line = line.trim();
    let only_organisation = "Index Cond: (organisation = (current_setting('farmtally.organisation'::text))::bigint)";
    let table = line.split("Seq Scan on ").nth(1).and_then(|rest| rest.split(' ').next());
    table.is_some_and(|table| LARGE.contains(&table)) || line == only_organisation
}

/// As the drivers name the keys of a statement.
fn explain_keys(
    db: &mut dyn Reader,
    scans: &Scans,
    keys: &[Column<'_>],
    rows: &[Value<'_>],
    statement: &str,
) -> Result<(), SqlError> {
    if rows.is_empty() {
        return Ok(());
    }
    match db.dialect() {
        Dialect::Sqlite => {
            let column = |(number, column): (usize, &Column<'_>)| match column.column_type {
                ColumnType::Blob => format!("unhex(value ->> {number}) AS {}", column.name),
                _ => format!("value ->> {number} AS {}", column.name),
            };
            let columns: Vec<String> = keys.iter().enumerate().map(column).collect();
            let columns = columns.join(", ");
            explain(
                db,
                scans,
                &format!("WITH keys AS (SELECT key AS n, {columns} FROM json_each('[]')) {statement}"),
                &[],
            )
        }
        Dialect::Postgres => {
            let row = |number: usize| {
                let params = (0..keys.len()).map(|column| format!("?{}", number * keys.len() + column + 1));
                format!("({}, {number})", params.collect::<Vec<_>>().join(", "))
            };
            let values: Vec<String> = (0..rows.len() / keys.len()).map(row).collect();
            let names: Vec<&str> = keys.iter().map(|column| column.name).collect();
            let (names, values) = (names.join(", "), values.join(", "));
            explain(db, scans, &format!("WITH keys ({names}, n) AS (VALUES {values}) {statement}"), rows)
        }
    }
}

macro_rules! explained_reader {
    ($($connection:ident)*) => {$(
        impl Reader for Explained<'_, dyn $connection + '_> {
            fn query(&mut self, statement: &str, params: &[Value<'_>], visit: RowVisitor<'_>) -> Result<(), SqlError> {
                explain(self.connection, self.scans, statement, params)?;
                self.connection.query(statement, params, visit)
            }

            fn query_keys(
                &mut self,
                keys: &[Column<'_>],
                rows: &[Value<'_>],
                statement: &str,
                visit: RowVisitor<'_>,
            ) -> Result<(), SqlError> {
                explain_keys(self.connection, self.scans, keys, rows, statement)?;
                self.connection.query_keys(keys, rows, statement, visit)
            }

            fn dialect(&self) -> Dialect {
                self.connection.dialect()
            }
        }
    )*};
}

explained_reader!(Reader Writer);

impl Writer for Explained<'_, dyn Writer + '_> {
    fn execute(&mut self, statement: &str, params: &[Value<'_>]) -> Result<usize, SqlError> {
        explain(self.connection, self.scans, statement, params)?;
        self.connection.execute(statement, params)
    }

    fn insert(&mut self, into: &Insert<'_>, rows: &[Value<'_>]) -> Result<usize, SqlError> {
        self.connection.insert(into, rows)
    }
}

impl Database for Explaining {
    fn read(&self, organisation: OrganisationId, work: ReadWork<'_>) -> Result<(), SqlError> {
        self.storage.read(organisation, &|connection| work(&mut Explained { connection, scans: &self.scans }))
    }

    fn write(&self, organisation: OrganisationId, work: WriteWork<'_>) -> Result<(), SqlError> {
        self.storage.write(organisation, &|connection| work(&mut Explained { connection, scans: &self.scans }))
    }
}

impl Storage for Explaining {
    fn organisations(&self) -> Result<Vec<OrganisationId>, Error> {
        self.storage.organisations()
    }

    fn prepare(&self, organisation: OrganisationId) -> Result<(), Error> {
        self.storage.prepare(organisation)?;
        let filled = sql::write(&*self.storage, organisation, |writer| {
            for statement in ddl::fill(&sqlite_tables(), writer.dialect(), &LARGE, ROWS) {
                writer.execute(&statement, &[])?;
            }
            Ok::<_, SqlError>(())
        });
        Ok(filled?)
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

    fn announce(&self, organisation: OrganisationId, heads: Appended) -> Result<(), Error> {
        self.storage.announce(organisation, heads)
    }

    fn watch(&self, organisation: OrganisationId) -> Result<broadcast::Receiver<Appended>, Error> {
        self.storage.watch(organisation)
    }

    fn scrub(&self, organisation: OrganisationId) -> Result<(), Error> {
        self.storage.scrub(organisation)
    }

    fn copy_to(&self, folder: &Path) -> Result<(), Error> {
        self.storage.copy_to(folder)
    }
}

/// Plays a market day; `analyse` runs once the tables are full.
fn no_scans(open_storage: impl Fn(&Path) -> Box<dyn Storage> + 'static, analyse: impl FnOnce()) {
    let scans = Scans::default();
    let explaining = {
        let scans = Arc::clone(&scans);
        move |folder: &Path| -> Box<dyn Storage> {
            Box::new(Explaining { storage: open_storage(folder), scans: Arc::clone(&scans) })
        }
    };
    let mut market = Market::open_over(explaining, 7);
    analyse();
    // What was planned before the engine knew how many rows there are.
    scans.lock().expect("a lock").clear();
    market_day(&mut market);
    let scans = scans.lock().expect("a lock");
    let (rare, others): (Vec<_>, Vec<_>) =
        scans.iter().partition(|(statement, _)| RARE.iter().any(|rare| statement.contains(rare)));
    assert!(others.is_empty(), "whole tables are read:\n{others:#?}");
    assert_eq!(rare.len(), RARE.len(), "scans are recognised: {rare:#?}");
}

#[test]
fn sqlite_reads_no_whole_table() {
    let open =
        |folder: &Path| -> Box<dyn Storage> { Box::new(SqliteStorage::open(&folder.join("data")).expect("it opens")) };
    no_scans(open, || ());
}

#[test]
fn postgres_reads_no_whole_table() {
    let Some(server) = PostgresServer::shared() else { return };
    let name = server.create_server_database();
    let url = PostgresServer::url(SERVER, server.address(), &name);
    let mut owner = server.connect(OWNER, &name);
    no_scans(move |_folder| Box::new(open(&url)), || owner.batch_execute("ANALYZE").expect("analysed"));
}
