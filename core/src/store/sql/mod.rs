//! SQL on SQLite and PostgreSQL with the same statement texts.
//!
//! Owns values, rows, statements inside a transaction ([`Reader`], [`Writer`]), and transactions of an organisation ([`Database`]). Does
//! not own any table. The SQLite driver is [`sqlite`]; the PostgreSQL driver is in the server. `tests/tests/sql_contract` checks both.
//!
//! # Statement texts
//!
//! One text works on both engines if it follows these rules:
//!
//! - Parameters are `?1`, `?2`, …; each use of a parameter expects the same type.
//! - Columns are named: no `SELECT *`, no `rowid`, and `INSERT` lists its columns. A column in `DO UPDATE SET` is qualified on the
//!   right-hand side (`seq = heads.seq + 1`).
//! - `ON CONFLICT (columns) DO …` in exactly this spelling, never `INSERT OR …`. An error ends the transaction, so the statement must
//!   handle a conflict, not its caller.
//! - Truth values are integers: `is_voided = 0`, not `NOT is_voided`. Blobs have no `min` or `max`: `ORDER BY … LIMIT 1`. Sums are cast:
//!   `CAST(sum(x) AS BIGINT)`.
//! - Nulls sort first on SQLite and last on PostgreSQL: write `NULLS FIRST` or `NULLS LAST` if the sorted column can be null.
//! - Text is compared byte by byte. What depends on letters (`upper`, search) is done in Rust. An indexed text has at most 2,600 bytes.
//!
//! ```
//! use farmtally_core::store::sql::{Error, Reader, Writer, values};
//! use farmtally_core::units::DocumentId;
//!
//! fn is_erased(reader: &mut dyn Reader, document: DocumentId) -> Result<bool, Error> {
//!     reader.exists("SELECT 1 FROM erased WHERE document_id = ?1", &values![document])
//! }
//!
//! fn erase(writer: &mut dyn Writer, document: DocumentId) -> Result<(), Error> {
//!     if is_erased(writer, document)? {
//!         return Ok(());
//!     }
//!     let insert = "INSERT INTO erased (document_id) VALUES (?1)";
//!     writer.execute(insert, &values![document]).map(drop)
//! }
//! ```

mod database;
mod error;
pub mod sqlite;

pub use crate::sql_values as values;
pub use crate::units::{Column, ColumnType, FromValue, ToValue, Value};
pub use database::{Database, ReadFn, WriteFn, read, write};
pub use error::{Error, Source};

/// The engine behind a connection, for the few statements that need two texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// Target of [`Writer::insert`]: table, columns and `ON CONFLICT` clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Insert<'a> {
    /// The table's name.
    pub table: &'a str,
    /// The columns, in the order of the values of each row.
    pub columns: &'a [Column<'a>],
    /// `ON CONFLICT (…) DO …`, or empty.
    pub on_conflict: &'a str,
}

/// A row of a result, valid only during the call of its visitor.
pub trait Row {
    /// Returns the value of a column, by index from 0.
    ///
    /// # Errors
    /// [`Error::Type`] if there is no such column, or if no [`Value`] can represent its value.
    fn value(&self, column: usize) -> Result<Value<'_>, Error>;
}

impl dyn Row + '_ {
    /// Returns a column as a `T`, by index from 0.
    ///
    /// # Errors
    /// [`Error::Type`] if the value is not a `T`.
    pub fn get<T: FromValue>(&self, column: usize) -> Result<T, Error> {
        T::from_value(self.value(column)?).ok_or(Error::Type { column, expected: std::any::type_name::<T>() })
    }
}

/// A callback for each row of a result. It cannot use the connection: collect the rows first, or join.
pub type RowVisitor<'a> = &'a mut dyn FnMut(&dyn Row) -> Result<(), Error>;

/// A transaction of one organisation that reads a snapshot.
///
/// After an error of a statement or visitor, all further calls fail with [`Error::Aborted`]. A reader has no method that writes:
///
/// ```compile_fail
/// fn erase(reader: &mut dyn farmtally_core::store::sql::Reader) {
///     drop(reader.execute("DELETE FROM erased", &[]));
/// }
/// ```
pub trait Reader {
    /// Runs a query and passes each row to `visit`, in the query's order.
    ///
    /// # Errors
    /// Errors of the engine and of `visit`. A reader that is not a [`Writer`] refuses a statement that writes.
    fn query(&mut self, statement: &str, params: &[Value<'_>], visit: RowVisitor<'_>) -> Result<(), Error>;

    /// Runs one query for many keys: a `SELECT` from a table `keys`, which has the columns in `keys` and `n`, the index of the key from 0.
    /// `rows` has the keys' values, row by row; without rows nothing is run. The statement has no other parameters, and its own order.
    ///
    /// # Errors
    /// As for [`Self::query`]; [`Error::Type`] for a value that is not of its column's type, or an incomplete row.
    fn query_keys(
        &mut self,
        keys: &[Column<'_>],
        rows: &[Value<'_>],
        statement: &str,
        visit: RowVisitor<'_>,
    ) -> Result<(), Error>;

    /// Returns the engine behind this connection.
    fn dialect(&self) -> Dialect;
}

/// A transaction of one organisation that may write.
pub trait Writer: Reader {
    /// Runs a statement and returns how many rows it changed.
    ///
    /// # Errors
    /// [`Error::DuplicateKey`] and other errors of the engine.
    fn execute(&mut self, statement: &str, params: &[Value<'_>]) -> Result<usize, Error>;

    /// Inserts rows, given value by value and row by row; returns how many were inserted or changed.
    ///
    /// # Errors
    /// [`Error::DuplicateKey`], also if two of the rows would update the same one; [`Error::Type`] for a value that is not of its column's
    /// type, or an incomplete row; other errors of the engine.
    fn insert(&mut self, into: &Insert<'_>, rows: &[Value<'_>]) -> Result<usize, Error>;
}

impl dyn Reader + '_ {
    /// Returns all rows of a query for many keys (see [`Reader::query_keys`]), each read by `read`.
    ///
    /// # Errors
    /// Errors of [`Reader::query_keys`] and of `read`.
    pub fn query_all_keys<T>(
        &mut self,
        keys: &[Column<'_>],
        rows: &[Value<'_>],
        statement: &str,
        mut read: impl FnMut(&dyn Row) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let mut all = Vec::new();
        self.query_keys(keys, rows, statement, &mut |row| {
            all.push(read(row)?);
            Ok(())
        })?;
        Ok(all)
    }
}

macro_rules! queries {
    ($($connection:ident)*) => {$(
        impl dyn $connection + '_ {
            /// Returns the first row of a query, read by `read`; `None` if there is no row.
            ///
            /// # Errors
            /// Errors of [`Reader::query`] and of `read`.
            pub fn query_one<T>(
                &mut self,
                statement: &str,
                params: &[Value<'_>],
                mut read: impl FnMut(&dyn Row) -> Result<T, Error>,
            ) -> Result<Option<T>, Error> {
                let mut first = None;
                self.query(statement, params, &mut |row| {
                    if first.is_none() {
                        first = Some(read(row)?);
                    }
                    Ok(())
                })?;
                Ok(first)
            }

            /// Returns all rows of a query, each read by `read`.
            ///
            /// # Errors
            /// Errors of [`Reader::query`] and of `read`.
            pub fn query_all<T>(
                &mut self,
                statement: &str,
                params: &[Value<'_>],
                mut read: impl FnMut(&dyn Row) -> Result<T, Error>,
            ) -> Result<Vec<T>, Error> {
                let mut all = Vec::new();
                self.query(statement, params, &mut |row| {
                    all.push(read(row)?);
                    Ok(())
                })?;
                Ok(all)
            }

            /// Returns whether a query has a row.
            ///
            /// # Errors
            /// As for [`Reader::query`].
            pub fn exists(&mut self, statement: &str, params: &[Value<'_>]) -> Result<bool, Error> {
                Ok(self.query_one(statement, params, |_| Ok(()))?.is_some())
            }
        }
    )*};
}

// For both, because a method of `dyn Reader` is not one of `dyn Writer`.
queries!(Reader Writer);

/// Splits values into rows of `columns`. Refuses an incomplete row, a value of another type, and a value that no engine can store.
///
/// # Errors
/// [`Error::Type`], [`Error::NulInText`], [`Error::OutOfRange`].
pub fn checked_rows<'v, 'a>(
    columns: &[Column<'_>],
    values: &'v [Value<'a>],
) -> Result<impl ExactSizeIterator<Item = &'v [Value<'a>]> + Clone, Error> {
    let width = columns.len().max(1);
    let rows = values.chunks_exact(width);
    if columns.is_empty() || !rows.remainder().is_empty() {
        return Err(Error::Type { column: rows.remainder().len(), expected: "a value for each column" });
    }
    check(values)?;
    for row in rows.clone() {
        for (number, (column, value)) in columns.iter().zip(row).enumerate() {
            if !value.is_of(column.column_type) {
                return Err(Error::Type { column: number, expected: column.column_type.name() });
            }
        }
    }
    Ok(rows)
}

/// Refuses parameters that no engine can store.
///
/// # Errors
/// [`Error::NulInText`], [`Error::OutOfRange`].
pub fn check(params: &[Value<'_>]) -> Result<(), Error> {
    for value in params {
        match value {
            Value::Text(text) if text.contains('\0') => return Err(Error::NulInText),
            Value::OutOfRange => return Err(Error::OutOfRange),
            _ => {}
        }
    }
    Ok(())
}
