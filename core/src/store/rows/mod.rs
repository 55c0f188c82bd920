//! Rows of lists, on the phone and on the office's page.
//!
//! Owns the reading of the projection tables. Pages are cut by key, so that rows that arrive meanwhile are neither repeated nor skipped.

mod delivery;
mod farmer;
mod find;
mod load;

pub use delivery::{
    DeliveryFilter, DeliveryKey, DeliveryRow, OnLoad, Sum, day_sum, deliveries, deliveries_measured_after,
    delivery_ids_on, delivery_row, latest_day, load_sum, parts_on, parts_on_loads, replacements_of,
};
pub use farmer::{FarmerRow, contacts_of, deliveries_of_inactive, farmer_row, farmer_with_code, farmers, has_contact};
pub use find::{FoundRecord, find};
pub use load::{
    LoadFilter, LoadKey, LoadRow, load_capacity, load_row, load_state_of, loads, loads_of_lorries, loads_on,
};

use super::Error;
use super::sql::{self, Column, Dialect, Reader, Row, Value};
use crate::scope::Scope;
use crate::units::{BusinessDate, ToValue};

/// Order of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListOrder {
    /// The latest day first, and of each day what was recorded last.
    NewestFirst,
    /// The earliest day first, and of each day what was recorded first.
    OldestFirst,
}

impl ListOrder {
    /// Returns the comparison of what comes after a key, and the direction in which keys are sorted.
    pub(in crate::store) fn terms(self) -> (&'static str, &'static str) {
        match self {
            Self::NewestFirst => ("<", "DESC"),
            Self::OldestFirst => (">", "ASC"),
        }
    }
}

/// Part of a list: up to `limit` rows that come after a key of type `K`.
#[derive(Clone, Copy, Debug)]
pub struct Part<K> {
    /// Order of the list.
    pub order: ListOrder,
    /// Key of the last row of the part before; `None` for the first part.
    pub after: Option<K>,
    /// Maximum number of rows.
    pub limit: u32,
}

/// A list over scopes: a statement and its conditions, which are joined by `AND`.
struct List<'v> {
    /// `SELECT … FROM …`.
    select: String,
    /// Columns that the list is sorted by.
    key: &'static [&'static str],
    conditions: Vec<String>,
    params: Vec<Value<'v>>,
    /// Whether a condition restricts an indexed column to one value, so that scopes are only filtered.
    is_narrow: bool,
}

impl<'v> List<'v> {
    fn new(table: &str, columns: &str, key: &'static [&'static str]) -> Self {
        let select = format!("SELECT {columns} FROM {table}");
        Self { select, key, conditions: Vec::new(), params: Vec::new(), is_narrow: false }
    }

    /// Adds a condition on an indexed column. Only the first such condition uses the index; see [`column`].
    fn narrow(&mut self, db: &dyn Reader, name: &str, value: Option<Value<'v>>) {
        if let Some(value) = value {
            let name = if self.is_narrow { column(db, name) } else { name.to_owned() };
            self.is_narrow = true;
            self.filter(&name, "=", Some(value));
        }
    }

    /// Adds the condition that the column `name` is among those of the rows of `tables` that have a value in the indexed column `of`.
    fn narrow_to(&mut self, db: &dyn Reader, name: &str, tables: &[&str], of: &str, value: Value<'v>) {
        let outer = if self.is_narrow { column(db, name) } else { name.to_owned() };
        self.is_narrow = true;
        self.params.push(value);
        let place = self.params.len();
        let rows: Vec<String> =
            tables.iter().map(|table| format!("SELECT {name} FROM {table} WHERE {of} = ?{place}")).collect();
        self.conditions.push(format!("{outer} IN ({})", rows.join(" UNION ALL ")));
    }

    /// Adds a condition if there is a value.
    fn filter(&mut self, name: &str, comparison: &str, value: Option<Value<'v>>) {
        if let Some(value) = value {
            self.params.push(value);
            self.conditions.push(format!("{name} {comparison} ?{}", self.params.len()));
        }
    }

    /// Returns a part of the list, of each scope or of all. The caller sorts and cuts what comes from several scopes.
    fn read<T>(
        mut self,
        db: &mut dyn Reader,
        scopes: &'v [Scope],
        part: &Part<Vec<Value<'v>>>,
        read: impl Fn(&dyn Row) -> Result<T, sql::Error> + Copy,
    ) -> Result<Vec<T>, Error> {
        let (beyond, direction) = part.order.terms();
        if let Some(after) = &part.after {
            let first = self.params.len() + 1;
            let places = places(first, after.len());
            self.params.extend_from_slice(after);
            self.conditions.push(format!("({}) {beyond} ({places})", self.key.join(", ")));
        }
        let sorted: Vec<String> = self.key.iter().map(|column| format!("{column} {direction}")).collect();
        let limit = self.params.len() + 1;
        self.params.push(Value::int(part.limit));
        let statement = |scope: &str| {
            let conditions: Vec<&str> = [scope].into_iter().chain(self.conditions.iter().map(String::as_str)).collect();
            let (select, conditions) = (&self.select, conditions.join(" AND "));
            format!("{select} WHERE {conditions} ORDER BY {} LIMIT ?{limit}", sorted.join(", "))
        };
        let with = |scopes: &'v [Scope]| -> Vec<Value<'v>> {
            self.params.iter().cloned().chain(scopes.iter().map(ToValue::to_value)).collect()
        };
        if self.is_narrow {
            let of_scopes = format!("{} IN ({})", column(db, "scope"), places(limit + 1, scopes.len()));
            return Ok(db.query_all(&statement(&of_scopes), &with(scopes), read)?);
        }
        let mut found = Vec::new();
        let of_scope = statement(&format!("scope = ?{}", limit + 1));
        for scope in scopes {
            found.extend(db.query_all(&of_scope, &with(std::slice::from_ref(scope)), read)?);
        }
        Ok(found)
    }
}

/// Returns `count` places for parameters from number `first`; `NULL`, which equals nothing, for none.
fn places(first: usize, count: usize) -> String {
    let places: Vec<String> = (first..first + count).map(|number| format!("?{number}")).collect();
    if places.is_empty() { "NULL".to_owned() } else { places.join(", ") }
}

/// Returns a column that is only filtered by: the plus keeps SQLite from using its index instead of the narrower one.
fn column(db: &dyn Reader, name: &str) -> String {
    if db.dialect() == Dialect::Sqlite { format!("+{name}") } else { name.to_owned() }
}

/// Sorts rows that come from several scopes, and cuts them.
pub(super) fn sorted<T, K: Ord>(mut rows: Vec<T>, order: ListOrder, limit: u32, key: impl Fn(&T) -> K) -> Vec<T> {
    rows.sort_by_key(key);
    if order == ListOrder::NewestFirst {
        rows.reverse();
    }
    rows.truncate(limit as usize);
    rows
}

/// Returns those of these scopes that have deliveries, voided or not, or loads on a day, sorted.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn scopes_on(db: &mut dyn Reader, scopes: &[Scope], date: BusinessDate) -> Result<Vec<Scope>, Error> {
    let keys: Vec<Value<'_>> = scopes.iter().flat_map(|scope| [scope.to_value(), date.to_value()]).collect();
    let statement = "SELECT scope FROM keys
         WHERE EXISTS (SELECT 1 FROM deliveries WHERE deliveries.scope = keys.scope AND deliveries.business_day = keys.day)
             OR EXISTS (SELECT 1 FROM loads WHERE loads.scope = keys.scope AND loads.business_day = keys.day)";
    let columns = [Column::text("scope"), Column::int("day")];
    let mut found = db.query_all_keys(&columns, &keys, statement, |row| row.get(0))?;
    found.sort_unstable();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::sql::sqlite::SqliteWriter;
    use super::*;
    use crate::records::load::LoadState;
    use crate::store::RECORDS;
    use crate::units::{DeviceCode, DocumentId, Timestamp};

    /// Explains each statement instead of running it.
    struct Explaining<'c> {
        db: SqliteWriter<'c>,
        plans: Vec<String>,
    }

    impl Reader for Explaining<'_> {
        fn query(&mut self, statement: &str, params: &[Value<'_>], _: sql::RowVisitor<'_>) -> Result<(), sql::Error> {
            let reader: &mut dyn Reader = &mut self.db;
            let lines: Vec<String> =
                reader.query_all(&format!("EXPLAIN QUERY PLAN {statement}"), params, |row| row.get(3))?;
            self.plans.push(lines.join("; "));
            Ok(())
        }

        fn query_keys(
            &mut self,
            _: &[Column<'_>],
            _: &[Value<'_>],
            _: &str,
            _: sql::RowVisitor<'_>,
        ) -> Result<(), sql::Error> {
            Ok(())
        }

        fn dialect(&self) -> Dialect {
            Dialect::Sqlite
        }
    }

    fn plans(read: impl FnOnce(&mut dyn Reader) -> Result<(), Error>) -> Vec<String> {
        let db = Connection::open_in_memory().expect("it opens");
        db.execute_batch(RECORDS).expect("tables");
        let mut explaining = Explaining { db: SqliteWriter::new(&db), plans: Vec::new() };
        read(&mut explaining).expect("explained");
        explaining.plans
    }

    fn scopes() -> Vec<Scope> {
        ["c/KOLAR/2019", "c/MALUR/2019"].map(|scope| scope.parse().expect("a scope")).to_vec()
    }

    #[test]
    fn each_list_of_deliveries_is_searched_in_the_index_of_its_narrowest_condition() {
        let any = DeliveryFilter::default();
        let day = Some(BusinessDate(18_025));
        let cases = [
            (any.clone(), "deliveries_by_day (scope=?"),
            (DeliveryFilter { from: day, to: day, ..any.clone() }, "deliveries_by_day (scope=? AND business_day>"),
            (DeliveryFilter { is_voided: Some(true), ..any.clone() }, "voided_deliveries (scope=?"),
            (DeliveryFilter { is_voided: Some(false), ..any.clone() }, "deliveries_by_day (scope=?"),
            (DeliveryFilter { receipt: Some((DeviceCode(32), 17)), ..any.clone() }, "deliveries_by_receipt"),
            (DeliveryFilter { load_id: Some([7; 16].into()), ..any.clone() }, "deliveries_by_load (load_id=?"),
            (DeliveryFilter { farmer_id: Some([7; 16].into()), ..any.clone() }, "deliveries_by_farmer (farmer_id=?"),
            (DeliveryFilter { user_id: Some([7; 16].into()), from: day, ..any.clone() }, "deliveries_by_day (scope=?"),
            (
                DeliveryFilter { load_id: Some([7; 16].into()), farmer_id: Some([7; 16].into()), ..any.clone() },
                "deliveries_by_load (load_id=?",
            ),
        ];
        for (filter, index) in cases {
            for after in [None, Some(DeliveryKey(BusinessDate(18_025), Timestamp(7), 7, [7; 16].into()))] {
                for order in [ListOrder::NewestFirst, ListOrder::OldestFirst] {
                    let part = Part { order, after, limit: 51 };
                    let plans = plans(|db| deliveries(db, &scopes(), &filter, &part).map(drop));
                    assert!(plans.iter().all(|plan| plan.contains(index)), "{filter:?}: {plans:?}");
                }
            }
        }
        let page = Part { order: ListOrder::NewestFirst, after: None, limit: 51 };
        let whole = plans(|db| deliveries(db, &scopes(), &any, &page).map(drop));
        assert_eq!(whole.len(), 2, "a statement for each scope");
        assert!(!whole[0].contains("TEMP B-TREE FOR ORDER BY"), "{whole:?}");
    }

    #[test]
    fn loads_and_farmers_are_searched_in_an_index() {
        let (scopes, any) = (scopes(), LoadFilter::default());
        let lorry = Some("KA07A1111".parse().expect("a plate"));
        for (filter, index) in [
            (any.clone(), "loads_by_day (scope=?"),
            (LoadFilter { states: vec![LoadState::Open], ..any.clone() }, "loads_by_day (scope=?"),
            (LoadFilter { lorry, ..any }, "loads_by_lorry (lorry=?"),
        ] {
            let part = Part { order: ListOrder::NewestFirst, after: None, limit: 51 };
            let plans = plans(|db| loads(db, &scopes, &filter, &part).map(drop));
            assert!(plans.iter().all(|plan| plan.contains(index)), "{filter:?}: {plans:?}");
        }
        for after in [None, Some(DocumentId::from([7; 16]))] {
            let part = Part { order: ListOrder::OldestFirst, after, limit: 51 };
            let plans = plans(|db| farmers(db, &scopes[0], " ", &part).map(drop));
            assert!(plans[0].contains("farmers_by_scope (scope=?") && !plans[0].contains("SCAN"), "{plans:?}");
        }
        let plans = plans(|db| farmer_with_code(db, &scopes[0], "T-KOLAR-10-1").map(drop));
        assert!(plans[0].contains("farmers_by_code"), "{plans:?}");
    }
}
