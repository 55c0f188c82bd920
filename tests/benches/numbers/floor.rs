//! The floor of a measurement: the same rows written by plain rusqlite with the store's settings.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::Value;
use rusqlite::{Connection, Params, Transaction, TransactionBehavior, params_from_iter};

/// Commits between checkpoints, as in the store; checkpoints are not measured.
const COMMITS_PER_CHECKPOINT: u32 = 400;

pub(crate) type Values = Vec<Value>;

/// A separate database file that gets the same rows.
pub(crate) struct Floor {
    db: Connection,
    commits: u32,
}

impl Floor {
    /// Copies a database file as it is now to the path `copy`, and opens the copy.
    pub(crate) fn copy_of(database: &Path, copy: &Path) -> Self {
        let path = copy.to_str().expect("a path in UTF-8");
        open(database).execute("VACUUM INTO ?1", [path]).expect("a copy");
        Self { db: open(copy), commits: 0 }
    }

    /// Runs `f` in one durable transaction.
    pub(crate) fn write(&mut self, f: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>) {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate).expect("a transaction");
        f(&transaction).expect("written");
        transaction.commit().expect("a commit");
        self.commits += 1;
    }

    /// Checkpoints the write-ahead log when it is due; call it between samples.
    pub(crate) fn rest(&mut self) {
        if self.commits >= COMMITS_PER_CHECKPOINT {
            self.commits = 0;
            self.db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).expect("a checkpoint");
        }
    }
}

/// Opens a file with the settings of `core/src/store/mod.rs`.
pub(crate) fn open(path: &Path) -> Connection {
    let db = Connection::open(path).expect("it opens");
    db.busy_timeout(Duration::from_secs(10)).expect("a timeout");
    db.set_prepared_statement_cache_capacity(64);
    db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).expect("a log");
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).expect("stable plans");
    db.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA trusted_schema = OFF; PRAGMA secure_delete = ON;",
    )
    .expect("settings");
    db
}

pub(crate) fn rows(db: &Connection, query: &str, parameters: impl Params) -> Vec<Values> {
    let mut statement = db.prepare_cached(query).expect("a query");
    let columns = statement.column_count();
    let row = |row: &rusqlite::Row<'_>| (0..columns).map(|column| row.get(column)).collect();
    let rows = statement.query_map(parameters, row).expect("rows");
    rows.collect::<Result<_, _>>().expect("rows")
}

/// The only row of a query; the last one, without an error, if there are several.
pub(crate) fn row(db: &Connection, query: &str, parameters: impl Params) -> Values {
    rows(db, query, parameters).pop().expect("a row")
}

pub(crate) fn run(db: &Connection, statement: &str, values: &Values) -> rusqlite::Result<()> {
    db.prepare_cached(statement)?.execute(params_from_iter(values)).map(drop)
}

pub(crate) const SELECT_DOCUMENT: &str =
    "SELECT document_id, kind, scope, saved, heads FROM documents WHERE document_id = ?1";
pub(crate) const INSERT_DOCUMENT: &str =
    "INSERT INTO documents (document_id, kind, scope, saved, heads) VALUES (?1, ?2, ?3, ?4, ?5)";
pub(crate) const SELECT_DELIVERY: &str =
    "SELECT delivery_id, scope, farmer_id, load_id, business_day, recorded_at_ms, user_id, device_code, receipt_seq,
         is_voided, amendments, conflicts, bag_count, gross_g, replaces
     FROM deliveries WHERE delivery_id = ?1";
pub(crate) const INSERT_DELIVERY: &str =
    "INSERT INTO deliveries (delivery_id, scope, farmer_id, load_id, business_day, recorded_at_ms, user_id, device_code,
         receipt_seq, is_voided, amendments, conflicts, bag_count, gross_g, replaces)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
