//! Rows of loads.

use minicbor::{Decode, Encode};

use super::{List, Part, places, sorted};
use crate::records::load::LoadState;
use crate::scope::Scope;
use crate::store::Error;
use crate::store::sql::{self, Column, Reader, Row, Value, values};
use crate::units::{BusinessDate, Grams, LoadId, LorryPlate, ToValue};

/// A load in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadRow {
    /// The load's id.
    pub load_id: LoadId,
    /// The scope of the load.
    pub scope: Scope,
    /// The load number, as people read it out.
    pub number: String,
    /// The plate of its lorry.
    pub lorry: LorryPlate,
    /// The day when it was opened.
    pub business_date: BusinessDate,
    /// Whether it is open or closing.
    pub state: LoadState,
    /// Number of loaders: a user on two devices is counted twice.
    pub loaders: u32,
    /// Number of fields in conflict.
    pub conflicts: u32,
}

impl LoadRow {
    const COLUMNS: &'static str = "load_id, scope, number, lorry, business_day, state, loaders, conflicts";

    fn from_row(row: &dyn Row) -> Result<Self, sql::Error> {
        Ok(Self {
            load_id: row.get(0)?,
            scope: row.get(1)?,
            number: row.get(2)?,
            lorry: row.get(3)?,
            business_date: row.get(4)?,
            state: load_state(row.get(5)?),
            loaders: row.get(6)?,
            conflicts: row.get(7)?,
        })
    }

    /// Returns the place of the load in lists.
    pub fn key(&self) -> LoadKey {
        LoadKey(self.business_date, self.load_id)
    }
}

/// Returns a load by id.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn load_row(db: &mut dyn Reader, id: LoadId) -> Result<Option<LoadRow>, Error> {
    let statement = format!("SELECT {} FROM loads WHERE load_id = ?1", LoadRow::COLUMNS);
    Ok(db.query_one(&statement, &values![id], LoadRow::from_row)?)
}

/// Returns the state of a load, its lorry (not the payload), and the gross weight of what is on it of deliveries that are not voided.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn load_capacity(db: &mut dyn Reader, id: LoadId) -> Result<Option<(LoadState, LorryPlate, Grams)>, Error> {
    let gross = |table: &str| {
        let of_load = format!("{table}.load_id = loads.load_id AND is_voided = 0");
        format!("coalesce((SELECT sum(gross_g) FROM {table} WHERE {of_load}), 0)")
    };
    let (whole, parts) = (gross("deliveries"), gross("delivery_parts"));
    let statement = format!("SELECT state, lorry, CAST({whole} + {parts} AS BIGINT) FROM loads WHERE load_id = ?1");
    Ok(db.query_one(&statement, &values![id], |row| Ok((load_state(row.get(0)?), row.get(1)?, row.get(2)?)))?)
}

/// Returns the state of a load; `None` if it is not in this database.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn load_state_of(db: &mut dyn Reader, id: LoadId) -> Result<Option<LoadState>, Error> {
    let statement = "SELECT state FROM loads WHERE load_id = ?1";
    Ok(db.query_one(statement, &values![id], |row| Ok(load_state(row.get(0)?)))?)
}

fn load_state(stored: u8) -> LoadState {
    LoadState::ALL.get(usize::from(stored)).copied().unwrap_or(LoadState::Open)
}

/// Returns the loads of a scope and day, ordered by number.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn loads_on(db: &mut dyn Reader, scope: &Scope, date: BusinessDate) -> Result<Vec<LoadRow>, Error> {
    let statement = format!(
        "SELECT {} FROM loads WHERE scope = ?1 AND business_day = ?2 ORDER BY number, load_id",
        LoadRow::COLUMNS
    );
    Ok(db.query_all(&statement, &values![scope, date], LoadRow::from_row)?)
}

/// Place of a load in lists: its day and its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(array)]
pub struct LoadKey(#[n(0)] pub BusinessDate, #[n(1)] pub LoadId);

/// Conditions that loads must all fulfil; `None` is no condition.
#[derive(Clone, Debug, Default)]
pub struct LoadFilter {
    /// On this lorry.
    pub lorry: Option<LorryPlate>,
    /// In one of these states; empty for any.
    pub states: Vec<LoadState>,
    /// Opened on this business date or a later one.
    pub from: Option<BusinessDate>,
    /// Opened on this business date or an earlier one.
    pub to: Option<BusinessDate>,
}

/// Returns a part of the loads in some scopes.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn loads(
    db: &mut dyn Reader,
    scopes: &[Scope],
    filter: &LoadFilter,
    part: &Part<LoadKey>,
) -> Result<Vec<LoadRow>, Error> {
    let mut list = List::new("loads", LoadRow::COLUMNS, &["business_day", "load_id"]);
    list.narrow(db, "lorry", filter.lorry.as_ref().map(ToValue::to_value));
    list.filter("business_day", ">=", filter.from.as_ref().map(ToValue::to_value));
    list.filter("business_day", "<=", filter.to.as_ref().map(ToValue::to_value));
    if !filter.states.is_empty() {
        let places = places(list.params.len() + 1, filter.states.len());
        list.conditions.push(format!("state IN ({places})"));
        list.params.extend(filter.states.iter().map(|state| Value::int(*state as u8)));
    }
    let after = part.after.as_ref().map(|key| vec![key.0.to_value(), key.1.to_value()]);
    let cut = Part { order: part.order, after, limit: part.limit };
    let rows = list.read(db, scopes, &cut, LoadRow::from_row)?;
    Ok(sorted(rows, part.order, part.limit, LoadRow::key))
}

/// Returns for each of `lorries` (scope, day, plate), in their order, its loads in no order.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn loads_of_lorries<'l>(
    db: &mut dyn Reader,
    lorries: impl IntoIterator<Item = (&'l Scope, BusinessDate, &'l LorryPlate)>,
) -> Result<Vec<Vec<LoadId>>, Error> {
    let keys: Vec<Value<'_>> = lorries
        .into_iter()
        .flat_map(|(scope, date, lorry)| [scope.to_value(), Value::int(date.0), lorry.to_value()])
        .collect();
    let mut found = vec![Vec::new(); keys.len() / 3];
    let statement = "SELECT keys.n, load_id FROM keys
         JOIN loads ON loads.scope = keys.scope AND business_day = keys.date AND loads.lorry = keys.plate";
    let columns = [Column::text("scope"), Column::int("date"), Column::text("plate")];
    db.query_keys(&columns, &keys, statement, &mut |row| {
        if let Some(loads) = found.get_mut(row.get::<u32>(0)? as usize) {
            loads.push(row.get(1)?);
        }
        Ok(())
    })?;
    Ok(found)
}
