//! Query plans of all statements of a market day, with 100,000 rows in each large table.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use farmtally_core::store::sql::{self, Column, ColumnType, Dialect, Error as SqlError, Reader, Value};
use farmtally_core::units::OrganisationId;
use farmtally_sync_server::Error;
use farmtally_sync_server::storage::{SqliteStorage, Storage};
use farmtally_tests::postgres::{OWNER, PostgresServer, SERVER};
use farmtally_tests::watched::{Call, Watch, Watched};
use farmtally_tests::{Market, ddl};

use super::{market_day, open};

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
    "rejected",
];
/// Statements that read a whole table, with their plans.
type Scans = Arc<Mutex<BTreeMap<String, String>>>;

/// Explains each statement before it runs, on tables with many rows.
struct Explaining(Scans);

impl Watch for Explaining {
    fn sees(&self, db: &mut dyn Reader, call: Call<'_>) -> Result<(), SqlError> {
        match call {
            Call::Statement(statement, params) => explain(db, &self.0, statement, params),
            Call::Keys(statement, keys, rows) => explain_keys(db, &self.0, keys, rows, statement),
            Call::Insert => Ok(()),
        }
    }

    fn fills(&self, storage: &dyn Storage, organisation: OrganisationId) -> Result<(), Error> {
        let filled = sql::write(storage, organisation, |writer| {
            for statement in ddl::fill_statements(&ddl::sqlite_server_tables(), writer.dialect(), &LARGE, ROWS) {
                writer.execute(&statement, &[])?;
            }
            Ok::<_, SqlError>(())
        });
        Ok(filled?)
    }
}

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

/// A sequential scan of a large table, or of an index that is restricted by the organisation only.
fn is_postgres_scan(line: &str) -> bool {
    let line = line.trim();
    let only_organisation = "Index Cond: (organisation = (current_setting('farmtally.organisation'::text))::bigint)";
    let table = line.split("Seq Scan on ").nth(1).and_then(|rest| rest.split(' ').next());
    table.is_some_and(|table| LARGE.contains(&table)) || line == only_organisation
}

/// Explains a statement with the names that the drivers give to keys.
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

/// Plays a market day, and requires that no statement scans a large table; `analyse` runs once the tables are full.
fn no_scans(open_storage: impl Fn(&Path) -> Box<dyn Storage> + 'static, analyse: impl FnOnce()) {
    let scans = Scans::default();
    let explaining = {
        let scans = Arc::clone(&scans);
        move |folder: &Path| Watched { storage: open_storage(folder), watch: Explaining(Arc::clone(&scans)) }
    };
    let explaining = Rc::new(explaining);
    let opens = Rc::clone(&explaining);
    let mut market = Market::open_over(move |folder| -> Box<dyn Storage> { Box::new(opens(folder)) }, 7);
    analyse();
    // Plans made before the engine had statistics about the rows.
    scans.lock().expect("a lock").clear();
    market_day(&mut market);
    let found = std::mem::take(&mut *scans.lock().expect("a lock"));
    assert!(found.is_empty(), "whole tables are read:\n{found:#?}");
    let scan = "SELECT delivery_id FROM deliveries WHERE gross_g = 7";
    let storage = explaining(&market.server_folder());
    sql::read(&storage, market.organisation, |db| db.query(scan, &[], &mut |_| Ok(()))).expect("read");
    assert_eq!(scans.lock().expect("a lock").len(), 1, "a scan is recognised");
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
