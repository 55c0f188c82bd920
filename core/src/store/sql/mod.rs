//! SQL on SQLite and on PostgreSQL with the same statement texts.
//!
//! Owns the seam: values, rows, statements inside a transaction ([`Reader`], [`Writer`]), and transactions of an organisation
//! ([`Database`]). Does not know a table. The driver of SQLite is [`sqlite`], that of PostgreSQL is in the server; both keep the contract
//! that `tests/tests/sql_contract` checks.
//!
//! # Statement texts
//!
//! One text serves both engines if it keeps to these rules:
//!
//! - Parameters are `?1`, `?2`, …; each use of a parameter expects the same type.
//! - Columns are named: no `SELECT *`, no `rowid`, and `INSERT` lists its columns. A column named in `DO UPDATE SET` is qualified on the
//!   right-hand side (`seq = heads.seq + 1`).
//! - `ON CONFLICT (columns) DO …` in exactly this spelling, never `INSERT OR …`. An error ends the transaction, so a conflict is handled by
//!   the statement, not by its caller.
//! - A truth value is an integer: `is_voided = 0`, not `NOT is_voided`. `CAST(sum(x) AS BIGINT)`. No `min` or `max` of blobs: `ORDER BY … LIMIT 1`.
//! - Nulls sort first on SQLite and last on PostgreSQL: say `NULLS FIRST` or `NULLS LAST` where a column that is sorted by can be null.
//! - Text is compared byte by byte. What needs letters (`upper`, search) is done in Rust. A text in an index is at most 2,600 bytes long.
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

/// The engine behind a connection, for the few statements that cannot be one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// The table and columns that [`Writer::insert`] fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Insert<'a> {
    /// The table.
    pub table: &'a str,
    /// The columns, in the order of the values of each row.
    pub columns: &'a [Column<'a>],
    /// `ON CONFLICT (…) DO …`, or empty.
    pub on_conflict: &'a str,
}

/// A row of a result. It lives as long as the call of its visitor.
pub trait Row {
    /// Returns the value of a column, counted from 0.
    ///
    /// # Errors
    /// [`Error::Type`] if there is no such column, or if it holds what no [`Value`] can.
    fn value(&self, column: usize) -> Result<Value<'_>, Error>;
}

impl dyn Row + '_ {
    /// Reads a column, counted from 0.
    ///
    /// # Errors
    /// [`Error::Type`] if it holds something else than a `T`.
    pub fn get<T: FromValue>(&self, column: usize) -> Result<T, Error> {
        T::from_value(self.value(column)?).ok_or(Error::Type { column, expected: std::any::type_name::<T>() })
    }
}

/// Takes the rows of a result one by one. It cannot use the connection meanwhile: collect first, or join.
pub type RowVisitor<'a> = &'a mut dyn FnMut(&dyn Row) -> Result<(), Error>;

/// A transaction of one organisation that reads a snapshot.
///
/// After an error, of a statement or of a visitor, all further calls fail with [`Error::Aborted`]. A reader has no method that writes:
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
    /// Those of the engine and of `visit`. A reader's statement may not write.
    fn query(&mut self, statement: &str, params: &[Value<'_>], visit: RowVisitor<'_>) -> Result<(), Error>;

    /// Runs one query about many keys: a `SELECT` from a table `keys`, which has the columns of `keys` and `n`, the number of the key from 0.
    ///
    /// `rows` are the keys' values row by row. There are no other parameters. Nothing is run if there are no rows.
    ///
    /// # Errors
    /// Those of [`Self::query`], and [`Error::Type`] for a value that is not of its column's type, or a row that is not complete.
    fn query_keys(
        &mut self,
        keys: &[Column<'_>],
        rows: &[Value<'_>],
        statement: &str,
        visit: RowVisitor<'_>,
    ) -> Result<(), Error>;

    /// Returns the engine, for the few statements that cannot be one text.
    fn dialect(&self) -> Dialect;
}

/// A transaction of one organisation that may write.
pub trait Writer: Reader {
    /// Runs a statement and returns how many rows it changed.
    ///
    /// # Errors
    /// [`Error::DuplicateKey`], and what else the engine reports.
    fn execute(&mut self, statement: &str, params: &[Value<'_>]) -> Result<usize, Error>;

    /// Inserts rows, given value by value and row by row, and returns how many rows were inserted or changed.
    ///
    /// # Errors
    /// [`Error::DuplicateKey`], also if two of the rows would update the same one; [`Error::Type`] for a value that is not of its column's
    /// type, or a row that is not complete; what else the engine reports.
    fn insert(&mut self, into: &Insert<'_>, rows: &[Value<'_>]) -> Result<usize, Error>;
}

impl dyn Reader + '_ {
    /// Returns all rows of a query about many keys, as [`Reader::query_keys`] runs it, read by `read`.
    ///
    /// # Errors
    /// Those of [`Reader::query_keys`] and of `read`.
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
            /// Returns the first row of a query, read by `read`; `None` if it has no row.
            ///
            /// # Errors
            /// Those of [`Reader::query`] and of `read`.
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

            /// Returns all rows of a query, read by `read`.
            ///
            /// # Errors
            /// Those of [`Reader::query`] and of `read`.
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
            /// Those of [`Reader::query`].
            pub fn exists(&mut self, statement: &str, params: &[Value<'_>]) -> Result<bool, Error> {
                Ok(self.query_one(statement, params, |_| Ok(()))?.is_some())
            }
        }
    )*};
}

// Both, because a method of `dyn Reader` is not one of `dyn Writer`.
queries!(Reader Writer);

/// Splits values into rows of `columns`, and refuses an incomplete row, a value of another type, and what no engine can hold.
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

/// Refuses parameters that no engine can hold.
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
