//! Lists of simple records. A page is cut by time and id, so that records that arrive meanwhile are neither repeated nor skipped.

use super::Error;
use super::rows::ListOrder;
use super::sql::{Dialect, Reader, Value};
use crate::records::Kind;
use crate::records::simple::SimpleState;
use crate::scope::Scope;
use crate::units::{BusinessDate, DocumentId, FarmerId, ToValue};

/// Conditions that simple records must all fulfil; `None` is no condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SimpleFilter {
    /// About this record.
    pub about: Option<DocumentId>,
    /// About this farmer.
    pub farmer_id: Option<FarmerId>,
    /// For this business date.
    pub date: Option<BusinessDate>,
    /// In this state.
    pub state: Option<SimpleState>,
}

/// Returns, in the order of their times, the ids of up to `limit` records of a kind in these scopes that follow the record `after`; none if
/// `after` is not stored.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn list(
    db: &mut dyn Reader,
    kind: Kind,
    scopes: &[Scope],
    filter: &SimpleFilter,
    order: ListOrder,
    after: Option<DocumentId>,
    limit: u32,
) -> Result<Vec<DocumentId>, Error> {
    let mut params: Vec<Value<'_>> = vec![kind.to_value()];
    let mut conditions = vec!["kind = ?1".to_owned()];
    for (column, value) in [
        ("about_id", filter.about.as_ref().map(ToValue::to_value)),
        ("farmer_id", filter.farmer_id.as_ref().map(ToValue::to_value)),
        ("business_day", filter.date.as_ref().map(ToValue::to_value)),
        ("state", filter.state.map(|state| Value::int(state as u8))),
    ] {
        if let Some(value) = value {
            params.push(value);
            conditions.push(format!("{column} = ?{}", params.len()));
        }
    }
    // The plus keeps SQLite from sorting all rows of the scopes instead of following the order.
    let scope = if db.dialect() == Dialect::Sqlite { "+scope" } else { "scope" };
    let first = params.len() + 1;
    let places: Vec<String> = (first..first + scopes.len()).map(|number| format!("?{number}")).collect();
    let places = if scopes.is_empty() { "NULL".to_owned() } else { places.join(", ") };
    conditions.push(format!("{scope} IN ({places})"));
    params.extend(scopes.iter().map(ToValue::to_value));
    let (than, direction) = order.terms();
    if let Some(after) = &after {
        params.push(after.to_value());
        conditions.push(format!(
            "(made_at_ms, made_counter, record_id) {than}
             (SELECT made_at_ms, made_counter, record_id FROM simple_records WHERE record_id = ?{})",
            params.len()
        ));
    }
    params.push(limit.to_value());
    let statement = format!(
        "SELECT record_id FROM simple_records WHERE {}
         ORDER BY made_at_ms {direction}, made_counter {direction}, record_id {direction} LIMIT ?{}",
        conditions.join(" AND "),
        params.len()
    );
    Ok(db.query_all(&statement, &params, |row| row.get(0))?)
}
