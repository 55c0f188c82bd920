//! Statements of a transaction.

use farmtally_core::store::sql::{
    Column, Dialect, Error, Insert, Reader, RowVisitor, Value, Writer, check, checked_rows,
};
use postgres::fallible_iterator::FallibleIterator as _;

use super::Failure;
use super::error::{failure, insert_failure};
use super::session::Session;
use super::value::{Array, Param, PostgresRow, array_types};

/// A transaction of one organisation that has begun.
pub(super) struct PostgresTransaction<'a> {
    session: &'a mut Session,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Running,
    /// A statement or visitor failed.
    Failed {
        is_retryable: bool,
    },
}

impl<'a> PostgresTransaction<'a> {
    pub(super) fn new(session: &'a mut Session) -> Self {
        Self { session, state: State::Running }
    }

    /// Converts the result of the work. Errors of its statements decide whether it is repeated, not what the work made of them.
    pub(super) fn ended(self, result: Result<(), Error>) -> Result<(), Failure> {
        match self.state {
            State::Running => result.map_err(|error| Failure { error, is_retryable: false }),
            State::Failed { is_retryable } => {
                Err(Failure { error: result.err().unwrap_or(Error::Aborted), is_retryable })
            }
        }
    }

    fn step<T>(&mut self, run: impl FnOnce(&mut Session) -> Result<T, Error>) -> Result<T, Error> {
        if self.state != State::Running {
            return Err(Error::Aborted);
        }
        let result = run(self.session);
        if let Err(error) = &result {
            self.state = State::Failed { is_retryable: error.is_retryable() };
        }
        result
    }
}

impl Reader for PostgresTransaction<'_> {
    fn query(&mut self, statement: &str, params: &[Value<'_>], visit: RowVisitor<'_>) -> Result<(), Error> {
        self.step(|Session { client, statements }| {
            check(params)?;
            let statement = statements.prepare(client, statement, params).map_err(failure)?;
            let mut rows = client.query_raw(&statement, params.iter().map(Param)).map_err(failure)?;
            while let Some(row) = rows.next().map_err(failure)? {
                visit(&PostgresRow(row))?;
            }
            Ok(())
        })
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
            let text = keys_text(keys, statement);
            let statement = statements.prepare_typed(client, &text, &array_types(keys)).map_err(failure)?;
            let mut rows = client.query_raw(&statement, arrays(keys, &rows)).map_err(failure)?;
            while let Some(row) = rows.next().map_err(failure)? {
                visit(&PostgresRow(row))?;
            }
            Ok(())
        })
    }

    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }
}

impl Writer for PostgresTransaction<'_> {
    fn execute(&mut self, statement: &str, params: &[Value<'_>]) -> Result<usize, Error> {
        self.step(|Session { client, statements }| {
            check(params)?;
            let statement = statements.prepare(client, statement, params).map_err(failure)?;
            let rows = client.query_raw(&statement, params.iter().map(Param)).map_err(failure)?;
            count(rows).map_err(failure)
        })
    }

    fn insert(&mut self, into: &Insert<'_>, rows: &[Value<'_>]) -> Result<usize, Error> {
        self.step(|Session { client, statements }| {
            let rows = checked_rows(into.columns, rows)?;
            if rows.len() == 0 {
                return Ok(0);
            }
            let statement =
                statements.prepare_typed(client, &insert_text(into), &array_types(into.columns)).map_err(failure)?;
            let rows = client.query_raw(&statement, arrays(into.columns, &rows)).map_err(insert_failure)?;
            count(rows).map_err(insert_failure)
        })
    }
}

/// Runs a statement to its end and returns the number of changed rows.
fn count(mut rows: postgres::RowIter<'_>) -> Result<usize, postgres::Error> {
    while rows.next()?.is_some() {}
    Ok(rows.rows_affected().and_then(|count| usize::try_from(count).ok()).unwrap_or(0))
}

fn arrays<'v>(columns: &[Column<'_>], rows: &(impl Iterator<Item = &'v [Value<'v>]> + Clone)) -> Vec<Array<'v>> {
    columns
        .iter()
        .enumerate()
        .map(|(number, column)| Array::collect(column.column_type, number, rows.clone()))
        .collect()
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
