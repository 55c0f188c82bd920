//! Lists of simple records. A page is cut by time and id, so that records that arrive meanwhile are neither repeated nor skipped.

use super::Error;
use super::rows::ListOrder;
use super::sql::{Dialect, Reader, Row, Value};
use crate::records::Kind;
use crate::records::simple::SimpleState;
use crate::scope::Scope;
use crate::units::{BusinessDate, DeviceCode, DocumentId, FarmerId, Money, ToValue, UserId};

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

/// An amount in money that the author of a record paid out, whether or not the record was withdrawn since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaidOut {
    /// The record.
    pub record_id: DocumentId,
    /// Its scope.
    pub scope: Scope,
    /// The amount.
    pub amount: Money,
}

/// Returns all that a user paid out on the device with this code, in the order of the records' times.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn paid_out(db: &mut dyn Reader, user: UserId, device: DeviceCode) -> Result<Vec<PaidOut>, Error> {
    let statement = "SELECT record_id, scope, paid_out_minor FROM simple_records
         WHERE user_id = ?1 AND device_code = ?2 AND paid_out_minor IS NOT NULL
         ORDER BY made_at_ms, made_counter, record_id";
    let read = |row: &dyn Row| Ok(PaidOut { record_id: row.get(0)?, scope: row.get(1)?, amount: row.get(2)? });
    Ok(db.query_all(statement, &[user.to_value(), device.to_value()], read)?)
}

/// Returns the documents of a kind that name a farmer, ordered by id.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn of_farmer(db: &mut dyn Reader, kind: Kind, farmer: FarmerId) -> Result<Vec<DocumentId>, Error> {
    let statement = "SELECT record_id FROM simple_records WHERE farmer_id = ?1 AND kind = ?2 ORDER BY record_id";
    Ok(db.query_all(statement, &[farmer.to_value(), kind.to_value()], |row| row.get(0))?)
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
