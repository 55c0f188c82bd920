//! The SQLite driver, over a rusqlite connection or transaction.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ErrorCode, ToSql, ffi, params_from_iter};

use super::{
    Column, ColumnType, Dialect, Error, Insert, Reader, Row, RowVisitor, Source, Value, Writer, check, checked_rows,
};

/// A [`Reader`] over a connection. For a snapshot the caller must have begun a transaction.
pub type SqliteReader<'a> = Sqlite<'a, false>;

/// A [`Writer`] over a connection inside a transaction. The transaction's owner commits it after [`Self::finish`].
pub type SqliteWriter<'a> = Sqlite<'a, true>;

/// The driver for a connection; `WRITES` says whether its statements may write.
#[derive(Debug)]
pub struct Sqlite<'a, const WRITES: bool> {
    connection: &'a Connection,
    has_failed: bool,
}

impl<'a, const WRITES: bool> Sqlite<'a, WRITES> {
    /// Returns the driver for a connection.
    pub fn new(connection: &'a Connection) -> Self {
        Self { connection, has_failed: false }
    }
}

impl SqliteWriter<'_> {
    /// Ends the writing; commit the transaction only if this succeeds.
    ///
    /// # Errors
    /// [`Error::Aborted`] if a statement failed, even if its error was dropped: SQLite itself would keep the statements before it.
    pub fn finish(self) -> Result<(), Error> {
        if self.has_failed { Err(Error::Aborted) } else { Ok(()) }
    }
}

/// Runs one step of a transaction, and sets `has_failed` if it fails. After a failed step, returns [`Error::Aborted`] without running it.
fn step<T>(has_failed: &mut bool, run: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    if *has_failed {
        return Err(Error::Aborted);
    }
    let result = run();
    *has_failed = result.is_err();
    result
}

impl<const WRITES: bool> Reader for Sqlite<'_, WRITES> {
    fn query(&mut self, statement: &str, params: &[Value<'_>], visit: RowVisitor<'_>) -> Result<(), Error> {
        step(&mut self.has_failed, || {
            let statement = self.connection.prepare_cached(statement)?;
            if !WRITES && !statement.readonly() {
                return Err(Error::engine("a reader's statement may not write"));
            }
            query(statement, params, visit)
        })
    }

    fn query_keys(
        &mut self,
        keys: &[Column<'_>],
        rows: &[Value<'_>],
        statement: &str,
        visit: RowVisitor<'_>,
    ) -> Result<(), Error> {
        step(&mut self.has_failed, || query_keys(self.connection, keys, rows, statement, visit))
    }

    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }
}

impl Writer for SqliteWriter<'_> {
    fn execute(&mut self, statement: &str, params: &[Value<'_>]) -> Result<usize, Error> {
        step(&mut self.has_failed, || {
            check(params)?;
            Ok(self.connection.prepare_cached(statement)?.execute(params_from_iter(params))?)
        })
    }

    fn insert(&mut self, into: &Insert<'_>, rows: &[Value<'_>]) -> Result<usize, Error> {
        step(&mut self.has_failed, || {
            let rows = checked_rows(into.columns, rows)?;
            if rows.len() == 0 {
                return Ok(0);
            }
            // PostgreSQL refuses this; SQLite would keep the last row, so the defect would show only on PostgreSQL.
            if cfg!(debug_assertions) && updates_a_row_twice(into, rows.clone()) {
                return Err(Error::DuplicateKey { source: None });
            }
            let mut statement = self.connection.prepare_cached(&insert_text(into))?;
            rows.map(|row| Ok(statement.execute(params_from_iter(row))?)).sum()
        })
    }
}

fn query(mut statement: CachedStatement<'_>, params: &[Value<'_>], visit: RowVisitor<'_>) -> Result<(), Error> {
    check(params)?;
    let mut rows = statement.query(params_from_iter(params))?;
    while let Some(row) = rows.next()? {
        visit(&SqliteRow(row))?;
    }
    Ok(())
}

/// Passes all keys as one parameter, a JSON array, so that one statement sorts and counts all of them, as on PostgreSQL. Keys of one column
/// are its elements. Keys of several columns are arrays, which SQLite parses again for each column.
fn query_keys(
    connection: &Connection,
    keys: &[Column<'_>],
    rows: &[Value<'_>],
    statement: &str,
    visit: RowVisitor<'_>,
) -> Result<(), Error> {
    let rows = checked_rows(keys, rows)?;
    if rows.len() == 0 {
        return Ok(());
    }
    let mut text = String::from("WITH keys AS (SELECT key AS n");
    for (number, column) in keys.iter().enumerate() {
        let value = if keys.len() == 1 { "value".to_owned() } else { format!("value ->> {number}") };
        let value = if column.column_type == ColumnType::Blob { format!("unhex({value})") } else { value };
        text.push_str(", ");
        text.push_str(&value);
        text.push_str(" AS ");
        text.push_str(column.name);
    }
    text.push_str(" FROM json_each(?1)) ");
    text.push_str(statement);
    let statement = connection.prepare_cached(&text)?;
    if !statement.readonly() {
        return Err(Error::engine("a query about keys may not write"));
    }
    query(statement, &[Value::Text(Cow::Owned(json(rows)))], visit)
}

/// Returns rows as a JSON array of values, or of arrays if rows have several values; bytes as hexadecimal.
fn json<'v>(rows: impl Iterator<Item = &'v [Value<'v>]>) -> String {
    let mut json = String::from("[");
    for (number, row) in rows.enumerate() {
        if number > 0 {
            json.push(',');
        }
        match row {
            [value] => push_json(&mut json, value),
            row => json.push_str(&self::json(row.chunks(1))),
        }
    }
    json.push(']');
    json
}

fn push_json(json: &mut String, value: &Value<'_>) {
    match value {
        Value::Int(int) => json.push_str(&int.to_string()),
        Value::Text(text) => {
            json.push('"');
            for character in text.chars() {
                match character {
                    '"' | '\\' => json.extend(['\\', character]),
                    '\0'..' ' => drop(write!(json, "\\u{:04x}", u32::from(character))),
                    _ => json.push(character),
                }
            }
            json.push('"');
        }
        Value::Blob(blob) => {
            json.push('"');
            data_encoding::HEXLOWER.encode_append(blob, json);
            json.push('"');
        }
        Value::Null | Value::OutOfRange => json.push_str("null"),
    }
}

fn insert_text(into: &Insert<'_>) -> String {
    let Insert { table, columns, on_conflict } = into;
    let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
    let params: Vec<String> = (1..=columns.len()).map(|number| format!("?{number}")).collect();
    format!("INSERT INTO {table} ({}) VALUES ({}) {on_conflict}", names.join(", "), params.join(", "))
}

/// Returns whether two rows have the same values in the columns of `ON CONFLICT (…) DO UPDATE`; a null equals nothing.
fn updates_a_row_twice<'v>(into: &Insert<'_>, rows: impl Iterator<Item = &'v [Value<'v>]>) -> bool {
    let Some((target, action)) =
        into.on_conflict.strip_prefix("ON CONFLICT (").and_then(|target| target.split_once(')'))
    else {
        return false;
    };
    if !action.trim_start().starts_with("DO UPDATE") {
        return false;
    }
    let key: Vec<usize> = target
        .split(',')
        .filter_map(|name| into.columns.iter().position(|column| column.name == name.trim()))
        .collect();
    let mut seen = BTreeSet::new();
    rows.filter_map(|row| key.iter().map(|column| row.get(*column)).collect::<Option<Vec<_>>>())
        .filter(|key| !key.contains(&&Value::Null))
        .any(|key| !seen.insert(key))
}

struct SqliteRow<'a>(&'a rusqlite::Row<'a>);

impl Row for SqliteRow<'_> {
    fn value(&self, column: usize) -> Result<Value<'_>, Error> {
        match self.0.get_ref(column) {
            Ok(ValueRef::Null) => Ok(Value::Null),
            Ok(ValueRef::Integer(int)) => Ok(Value::Int(int)),
            Ok(ValueRef::Text(text)) => match std::str::from_utf8(text) {
                Ok(text) => Ok(Value::text(text)),
                Err(source) => Err(Error::Corrupt { source: source.into() }),
            },
            Ok(ValueRef::Blob(blob)) => Ok(Value::Blob(blob.into())),
            Ok(ValueRef::Real(_)) => Err(Error::Type { column, expected: "an integer, text or bytes" }),
            Err(_no_such_column) => Err(Error::Type { column, expected: "in the result" }),
        }
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(int) => ValueRef::Integer(*int),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(blob) => ValueRef::Blob(blob),
            Self::OutOfRange => return Err(rusqlite::Error::ToSqlConversionFailure(Box::new(Error::OutOfRange))),
        }))
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        let extended_code = error.sqlite_error().map(|error| error.extended_code);
        let code = error.sqlite_error_code();
        let source: Source = error.into();
        match (code, extended_code) {
            // On a full disk SQLite cannot create the log's index, so the file does not even open.
            (Some(ErrorCode::DiskFull), _) | (_, Some(ffi::SQLITE_IOERR_SHMSIZE)) => Self::Full { source },
            (Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase), _) => Self::Corrupt { source },
            (Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied), _) => {
                Self::Denied { source }
            }
            (Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked), _) => Self::Conflict { source },
            (
                _,
                Some(ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_ROWID),
            ) => Self::DuplicateKey { source: Some(source) },
            _ => Self::Engine { source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sql::values;

    fn connection() -> Connection {
        let connection = Connection::open_in_memory().expect("it opens");
        connection
            .execute_batch("CREATE TABLE heads (scope TEXT NOT NULL PRIMARY KEY, seq INTEGER NOT NULL) STRICT")
            .expect("a table");
        connection
    }

    #[test]
    fn a_reader_does_not_write_by_returning() {
        let connection = connection();
        let mut reader = SqliteReader::new(&connection);
        let insert = "INSERT INTO heads (scope, seq) VALUES ('org', 1) RETURNING seq";
        assert!(matches!(reader.query(insert, &[], &mut |_| Ok(())), Err(Error::Engine { .. })));
        assert!(matches!(reader.query("SELECT 1", &[], &mut |_| Ok(())), Err(Error::Aborted)));
    }

    #[test]
    fn a_failed_statement_ends_the_writing_even_if_its_error_is_dropped() {
        let mut connection = connection();
        let transaction = connection.transaction().expect("a transaction");
        let mut writer = SqliteWriter::new(&transaction);
        let insert = "INSERT INTO heads (scope, seq) VALUES (?1, ?2)";
        writer.execute(insert, &values!["org", 1]).expect("inserted");
        let again = writer.execute(insert, &values!["org", 2]);
        assert!(matches!(again, Err(Error::DuplicateKey { source: Some(_) })), "{again:?}");
        assert!(matches!(writer.finish(), Err(Error::Aborted)));
    }
}
