//! Statements of a transaction.

use farmtally_core::store::sql::{
    Column, Dialect, Error, Insert, Reader, RowVisitor, Value, Writer, check, checked_rows,
};
use postgres::RowIter;
use postgres::fallible_iterator::FallibleIterator as _;

use super::Failure;
use super::error::{failure, insert_failure};
use super::session::Session;
use super::value::{Param, PostgresRow, array_types, type_of};

/// A transaction of one organisation that has begun.
pub(super) struct PostgresTransaction<'a> {
    session: &'a mut Session,
    /// Whether it can be run again; `None` until a statement or visitor fails.
    failed: Option<bool>,
}

impl<'a> PostgresTransaction<'a> {
    pub(super) fn new(session: &'a mut Session) -> Self {
        Self { session, failed: None }
    }

    /// Converts the result of the work. If a statement failed, the work failed, even if it returned `Ok`; only that error can repeat it.
    pub(super) fn ended(self, result: Result<(), Error>) -> Result<(), Failure> {
        match self.failed {
            None => result.map_err(|error| Failure { error, is_retryable: false }),
            Some(is_retryable) => Err(Failure { error: result.err().unwrap_or(Error::Aborted), is_retryable }),
        }
    }

    fn step<T>(&mut self, run: impl FnOnce(&mut Session) -> Result<T, Error>) -> Result<T, Error> {
        if self.failed.is_some() {
            return Err(Error::Aborted);
        }
        let result = run(self.session);
        self.failed = result.as_ref().err().map(Error::is_retryable);
        result
    }
}

impl Reader for PostgresTransaction<'_> {
    fn query(&mut self, statement: &str, params: &[Value<'_>], visit: RowVisitor<'_>) -> Result<(), Error> {
        self.step(|session| visit_all(run(session, statement, params)?, visit))
    }

    fn query_keys(
        &mut self,
        keys: &[Column<'_>],
        rows: &[Value<'_>],
        statement: &str,
        visit: RowVisitor<'_>,
    ) -> Result<(), Error> {
        self.step(|Session { client, statements }| {
            let rows = checked_rows(keys, rows)?;
            if rows.len() == 0 {
                return Ok(());
            }
            let statement =
                statements.prepare(client, &keys_text(keys, statement), &array_types(keys)).map_err(failure)?;
            visit_all(client.query_raw(&statement, arrays(keys.len(), &rows)).map_err(failure)?, visit)
        })
    }

    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }
}

impl Writer for PostgresTransaction<'_> {
    fn execute(&mut self, statement: &str, params: &[Value<'_>]) -> Result<usize, Error> {
        self.step(|session| count(run(session, statement, params)?).map_err(failure))
    }

    fn insert(&mut self, into: &Insert<'_>, rows: &[Value<'_>]) -> Result<usize, Error> {
        self.step(|Session { client, statements }| {
            let rows = checked_rows(into.columns, rows)?;
            if rows.len() == 0 {
                return Ok(0);
            }
            let statement =
                statements.prepare(client, &insert_text(into), &array_types(into.columns)).map_err(failure)?;
            let rows = client.query_raw(&statement, arrays(into.columns.len(), &rows)).map_err(insert_failure)?;
            count(rows).map_err(insert_failure)
        })
    }
}

fn run<'s>(session: &'s mut Session, statement: &str, params: &[Value<'_>]) -> Result<RowIter<'s>, Error> {
    check(params)?;
    let types: Vec<_> = params.iter().map(type_of).collect();
    let statement = session.statements.prepare(&mut session.client, statement, &types).map_err(failure)?;
    session.client.query_raw(&statement, params.iter().map(Param)).map_err(failure)
}

fn visit_all(mut rows: RowIter<'_>, visit: RowVisitor<'_>) -> Result<(), Error> {
    while let Some(row) = rows.next().map_err(failure)? {
        visit(&PostgresRow(row))?;
    }
    Ok(())
}

/// Runs a statement to its end and returns the number of changed rows.
fn count(mut rows: RowIter<'_>) -> Result<usize, postgres::Error> {
    while rows.next()?.is_some() {}
    Ok(rows.rows_affected().and_then(|count| usize::try_from(count).ok()).unwrap_or(0))
}

/// Returns the values of each column, as one array.
fn arrays<'v>(columns: usize, rows: &(impl Iterator<Item = &'v [Value<'v>]> + Clone)) -> Vec<Vec<Param<'v>>> {
    (0..columns).map(|column| rows.clone().filter_map(|row| row.get(column)).map(Param).collect()).collect()
}

fn keys_text(keys: &[Column<'_>], statement: &str) -> String {
    let names = names(keys);
    let params = params(keys.len());
    format!(
        "WITH keys AS (SELECT {names}, n - 1 AS n FROM unnest({params}) WITH ORDINALITY AS given ({names}, n)) {statement}"
    )
}

fn insert_text(into: &Insert<'_>) -> String {
    let Insert { table, columns, on_conflict } = into;
    format!("INSERT INTO {table} ({}) SELECT * FROM unnest({}) {on_conflict}", names(columns), params(columns.len()))
}

fn names(columns: &[Column<'_>]) -> String {
    columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
}

fn params(count: usize) -> String {
    (1..=count).map(|number| format!("?{number}")).collect::<Vec<_>>().join(", ")
}
