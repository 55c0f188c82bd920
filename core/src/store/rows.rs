//! Rows as lists show them, on the phone and on the office's page.
//!
//! Owns the reading of the projection tables. Pages go by key, so that arriving rows neither repeat nor skip.

use rusqlite::{Connection, OptionalExtension, Row, ToSql};

use super::Error;
use crate::records::Kind;
use crate::records::farmer::ContactDetails;
use crate::records::load::LoadState;
use crate::scope::Scope;
use crate::units::{
    BusinessDate, ContactId, DeliveryId, DeviceCode, DocumentId, FarmerId, Grams, LoadId, LorryPlate, ReceiptNumber,
    Timestamp, UserId,
};

/// A delivery in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRow {
    /// Its place in the order of arrival here; the key of paging.
    pub position: i64,
    /// Its id.
    pub delivery_id: DeliveryId,
    /// Where it belongs.
    pub scope: Scope,
    /// Who delivered.
    pub farmer_id: FarmerId,
    /// The load it lies on.
    pub load_id: Option<LoadId>,
    /// The day it counts for.
    pub business_date: BusinessDate,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Who recorded it.
    pub user: UserId,
    /// With which installation.
    pub device: DeviceCode,
    /// The installation's count.
    pub receipt_sequence: u32,
    /// Whether it no longer counts.
    pub is_voided: bool,
    /// How often it was amended.
    pub amendments: u32,
    /// Fields in conflict.
    pub conflicts: u32,
    /// Bags that count.
    pub bags: u32,
    /// Their weight.
    pub gross: Grams,
}

const DELIVERY_COLUMNS: &str =
    "delivery, delivery_id, scope, farmer_id, load_id, business_day, recorded_at_ms, user_id,
    device_code, receipt_seq, is_voided, amendments, conflicts, bag_count, gross_g";

fn delivery(row: &Row<'_>) -> rusqlite::Result<DeliveryRow> {
    Ok(DeliveryRow {
        position: row.get(0)?,
        delivery_id: row.get(1)?,
        scope: row.get(2)?,
        farmer_id: row.get(3)?,
        load_id: row.get(4)?,
        business_date: BusinessDate(row.get(5)?),
        recorded_at: Timestamp(row.get(6)?),
        user: row.get(7)?,
        device: DeviceCode(row.get(8)?),
        receipt_sequence: row.get(9)?,
        is_voided: row.get(10)?,
        amendments: row.get(11)?,
        conflicts: row.get(12)?,
        bags: row.get(13)?,
        gross: Grams(row.get(14)?),
    })
}

/// Which deliveries to list; what is not given does not matter.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    /// Of this scope.
    pub scope: Option<Scope>,
    /// Of these scopes, which somebody may see.
    pub within: Option<Vec<Scope>>,
    /// Of this day.
    pub date: Option<BusinessDate>,
    /// On this load.
    pub load_id: Option<LoadId>,
    /// Of this farmer.
    pub farmer_id: Option<FarmerId>,
    /// Those before this position; the newest come first.
    pub before: Option<i64>,
}

/// Deliveries, the newest to arrive here first.
///
/// # Errors
/// What SQLite reports.
pub fn deliveries(db: &Connection, filter: &DeliveryFilter, limit: u32) -> Result<Vec<DeliveryRow>, Error> {
    let day = filter.date.map(|date| date.0);
    let mut sql = format!("SELECT {DELIVERY_COLUMNS} FROM deliveries WHERE true");
    let mut parameters: Vec<&dyn ToSql> = Vec::new();
    for (condition, value) in [
        (" AND scope = ?", filter.scope.as_ref().map(|it| it as &dyn ToSql)),
        (" AND business_day = ?", day.as_ref().map(|it| it as &dyn ToSql)),
        (" AND load_id = ?", filter.load_id.as_ref().map(|it| it as &dyn ToSql)),
        (" AND farmer_id = ?", filter.farmer_id.as_ref().map(|it| it as &dyn ToSql)),
        (" AND delivery < ?", filter.before.as_ref().map(|it| it as &dyn ToSql)),
    ] {
        if let Some(value) = value {
            sql.push_str(condition);
            parameters.push(value);
        }
    }
    if let Some(within) = &filter.within {
        // Not by the index on scopes: a page follows the order of arrival, and ends soon.
        sql = format!("{sql} AND +scope IN ({})", vec!["?"; within.len()].join(", "));
        parameters.extend(within.iter().map(|scope| scope as &dyn ToSql));
    }
    sql.push_str(" ORDER BY delivery DESC LIMIT ?");
    parameters.push(&limit);
    let mut statement = db.prepare_cached(&sql)?;
    Ok(statement.query_map(parameters.as_slice(), delivery)?.collect::<Result<_, _>>()?)
}

/// What the deliveries that count add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Deliveries that count.
    pub deliveries: u64,
    /// Voided ones, in none of the other numbers.
    pub voided: u64,
    /// Bags that count.
    pub bags: u64,
    /// Their weight.
    pub gross: Grams,
}

impl std::ops::Add for Sum {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            deliveries: self.deliveries + other.deliveries,
            voided: self.voided + other.voided,
            bags: self.bags + other.bags,
            gross: self.gross + other.gross,
        }
    }
}

/// The sum of a scope and day, over all loads and none.
///
/// # Errors
/// What SQLite reports.
pub fn day_sum(db: &Connection, scope: &Scope, date: BusinessDate) -> Result<Sum, Error> {
    sum(db, "scope = ?1 AND business_day = ?2", (scope, date.0))
}

/// The sum of a load.
///
/// # Errors
/// What SQLite reports.
pub fn load_sum(db: &Connection, load: LoadId) -> Result<Sum, Error> {
    sum(db, "load_id = ?1", [load])
}

fn sum(db: &Connection, condition: &str, parameters: impl rusqlite::Params) -> Result<Sum, Error> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT count(*) FILTER (WHERE NOT is_voided), count(*) FILTER (WHERE is_voided),
             coalesce(sum(bag_count) FILTER (WHERE NOT is_voided), 0), coalesce(sum(gross_g) FILTER (WHERE NOT is_voided), 0)
         FROM deliveries WHERE {condition}"
    ))?;
    Ok(statement.query_row(parameters, |row| {
        Ok(Sum { deliveries: row.get(0)?, voided: row.get(1)?, bags: row.get(2)?, gross: Grams(row.get(3)?) })
    })?)
}

/// The latest day that has a delivery.
///
/// # Errors
/// What SQLite reports.
pub fn latest_day(db: &Connection) -> Result<Option<BusinessDate>, Error> {
    let day: Option<i32> = db.query_row("SELECT max(business_day) FROM deliveries", [], |row| row.get(0))?;
    Ok(day.map(BusinessDate))
}

/// The scopes that have deliveries or loads on a day.
///
/// # Errors
/// What SQLite reports.
pub fn scopes_on(db: &Connection, date: BusinessDate) -> Result<Vec<Scope>, Error> {
    let mut statement = db.prepare_cached(
        "SELECT scope FROM deliveries WHERE business_day = ?1 UNION SELECT scope FROM loads WHERE business_day = ?1 ORDER BY 1",
    )?;
    Ok(statement.query_map([date.0], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// A load in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadRow {
    /// Its id.
    pub load_id: LoadId,
    /// Where it belongs.
    pub scope: Scope,
    /// The number that people read out.
    pub number: String,
    /// The lorry.
    pub lorry: LorryPlate,
    /// The day it was opened.
    pub business_date: BusinessDate,
    /// How far it has come.
    pub state: LoadState,
    /// Clerks who load.
    pub loaders: u32,
    /// Fields in conflict.
    pub conflicts: u32,
}

const LOAD: &str = "SELECT load_id, scope, number, lorry, business_day, state, loaders, conflicts FROM loads";

fn load(row: &Row<'_>) -> rusqlite::Result<LoadRow> {
    let state: u8 = row.get(5)?;
    Ok(LoadRow {
        load_id: row.get(0)?,
        scope: row.get(1)?,
        number: row.get(2)?,
        lorry: row.get(3)?,
        business_date: BusinessDate(row.get(4)?),
        state: if state == LoadState::Open as u8 { LoadState::Open } else { LoadState::Closing },
        loaders: row.get(6)?,
        conflicts: row.get(7)?,
    })
}

/// One load.
///
/// # Errors
/// What SQLite reports.
pub fn load_row(db: &Connection, id: LoadId) -> Result<Option<LoadRow>, Error> {
    let mut statement = db.prepare_cached(&format!("{LOAD} WHERE load_id = ?1"))?;
    Ok(statement.query_row([id], load).optional()?)
}

/// The loads of a scope and day, in the order of their numbers.
///
/// # Errors
/// What SQLite reports.
pub fn loads(db: &Connection, scope: &Scope, date: BusinessDate) -> Result<Vec<LoadRow>, Error> {
    let query = format!("{LOAD} WHERE scope = ?1 AND business_day = ?2 ORDER BY number, load_id");
    Ok(db.prepare_cached(&query)?.query_map((scope, date.0), load)?.collect::<Result<_, _>>()?)
}

/// A farmer in a list, with contact details if they are here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FarmerRow {
    /// The id.
    pub farmer_id: FarmerId,
    /// Where the farmer belongs.
    pub scope: Scope,
    /// The code.
    pub code: String,
    /// The name, empty if it is not here.
    pub name: String,
    /// The village, may be empty.
    pub village: String,
    /// The telephone number, may be empty.
    pub phone: String,
}

fn farmer(row: &Row<'_>) -> rusqlite::Result<FarmerRow> {
    Ok(FarmerRow {
        farmer_id: row.get(0)?,
        scope: row.get(1)?,
        code: row.get(2)?,
        name: row.get(3)?,
        village: row.get(4)?,
        phone: row.get(5)?,
    })
}

const FARMER_COLUMNS: &str = "farmer_id, farmers.scope, code, coalesce(contacts.name, ''), coalesce(contacts.village, ''), coalesce(contacts.phone, '')";

/// One farmer.
///
/// # Errors
/// What SQLite reports.
pub fn farmer_row(db: &Connection, id: FarmerId) -> Result<Option<FarmerRow>, Error> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT {FARMER_COLUMNS} FROM farmers LEFT JOIN contacts USING (farmer_id) WHERE farmer_id = ?1"
    ))?;
    let mut rows = statement.query_map([id], farmer)?;
    Ok(rows.next().transpose()?)
}

/// Farmers of a scope, the best match first: each word of `text` must begin a word of the name, village or telephone number.
/// Without a word, the newest.
///
/// # Errors
/// What SQLite reports.
pub fn farmers(db: &Connection, scope: &Scope, text: &str, limit: u32) -> Result<Vec<FarmerRow>, Error> {
    let Some(pattern) = words(text) else {
        let mut statement = db.prepare_cached(&format!(
            "SELECT {FARMER_COLUMNS} FROM farmers LEFT JOIN contacts USING (farmer_id) WHERE farmers.scope = ?1
             ORDER BY farmer DESC LIMIT ?2"
        ))?;
        return Ok(statement.query_map((scope, limit), farmer)?.collect::<Result<_, _>>()?);
    };
    let mut statement = db.prepare_cached(&format!(
        "SELECT {FARMER_COLUMNS} FROM contacts_text JOIN contacts ON contact = contacts_text.rowid JOIN farmers USING (farmer_id)
         WHERE contacts_text MATCH ?1 AND farmers.scope = ?2 ORDER BY rank LIMIT ?3"
    ))?;
    Ok(statement.query_map((pattern, scope, limit), farmer)?.collect::<Result<_, _>>()?)
}

/// A document, and by what people know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The document.
    pub document: DocumentId,
    /// What it is.
    pub kind: Kind,
    /// Where it belongs.
    pub scope: Scope,
    /// A load's number, a farmer's code; empty for a delivery.
    pub number: String,
}

/// What a text names: a delivery by its receipt, a load by its number, farmers by their code or by words of their contact details.
/// Of the last at most `limit`.
///
/// # Errors
/// What SQLite reports.
pub fn find(db: &Connection, text: &str, limit: u32) -> Result<Vec<Found>, Error> {
    let mut all = Vec::new();
    let mut add = |kind: Kind, query: &str, parameters: &[&dyn ToSql]| -> Result<(), Error> {
        let mut statement = db.prepare_cached(query)?;
        let rows = statement.query_map(parameters, |row| {
            Ok(Found { kind, document: row.get(0)?, scope: row.get(1)?, number: row.get(2)? })
        })?;
        all.extend(rows.collect::<Result<Vec<_>, _>>()?);
        Ok(())
    };
    if let Ok(ReceiptNumber { device, sequence, .. }) = text.parse() {
        let query = "SELECT delivery_id, scope, '' FROM deliveries WHERE device_code = ?1 AND receipt_seq = ?2";
        add(Kind::Delivery, query, &[&device.0, &sequence])?;
    }
    add(Kind::Load, "SELECT load_id, scope, number FROM loads WHERE number = upper(?1)", &[&text])?;
    add(Kind::Farmer, "SELECT farmer_id, scope, code FROM farmers WHERE code = upper(?1)", &[&text])?;
    if let Some(words) = words(text) {
        let query = "SELECT farmer_id, farmers.scope, code
             FROM contacts_text JOIN contacts ON contact = contacts_text.rowid JOIN farmers USING (farmer_id)
             WHERE contacts_text MATCH ?1 ORDER BY rank LIMIT ?2";
        add(Kind::Farmer, query, &[&words, &limit])?;
    }
    Ok(all)
}

/// What each word of a text begins, for full-text search; `None` without a word.
fn words(text: &str) -> Option<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let pattern = words.map(|word| format!("\"{word}\"*")).collect::<Vec<_>>().join(" ");
    if pattern.is_empty() { None } else { Some(pattern) }
}

/// The newest contact document of a farmer.
///
/// # Errors
/// What SQLite reports.
pub fn contact_of(db: &Connection, farmer: FarmerId) -> Result<Option<ContactId>, Error> {
    let mut statement =
        db.prepare_cached("SELECT contact_id FROM contacts WHERE farmer_id = ?1 ORDER BY contact_id DESC LIMIT 1")?;
    Ok(statement.query_row([farmer], |row| row.get(0)).optional()?)
}

/// Whose details a contact document holds.
///
/// # Errors
/// What SQLite reports.
pub fn farmer_of(db: &Connection, contact: ContactId) -> Result<Option<FarmerId>, Error> {
    let mut statement = db.prepare_cached("SELECT farmer_id FROM contacts WHERE contact_id = ?1")?;
    Ok(statement.query_row([contact], |row| row.get(0)).optional()?)
}

/// Farmers of a scope with the same words in name and village, or the same telephone number: [`crate::rules::look_alike`] decides among them.
///
/// # Errors
/// What SQLite reports.
pub fn look_alike_candidates(
    db: &Connection,
    scope: &Scope,
    details: &ContactDetails,
) -> Result<Vec<(FarmerId, ContactDetails)>, Error> {
    let all_of = |column: &str, text: &str| {
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        words.map(|word| format!("{column} : \"{word}\"")).collect::<Vec<_>>().join(" AND ")
    };
    let (name, village) = (all_of("name", &details.name), all_of("village", &details.village));
    let same_name = [name, village].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" AND ");
    let either = [same_name, all_of("phone", &details.phone)].into_iter().filter(|part| !part.is_empty());
    let pattern = either.map(|part| format!("({part})")).collect::<Vec<_>>().join(" OR ");
    if pattern.is_empty() {
        return Ok(Vec::new());
    }
    let mut statement = db.prepare_cached(
        "SELECT farmer_id, contacts.name, contacts.village, contacts.phone
         FROM contacts_text JOIN contacts ON contact = contacts_text.rowid
         WHERE contacts_text MATCH ?1 AND scope = ?2",
    )?;
    let rows = statement.query_map((pattern, scope), |row| {
        Ok((row.get(0)?, ContactDetails { name: row.get(1)?, village: row.get(2)?, phone: row.get(3)? }))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The documents that have fields in conflict.
///
/// # Errors
/// What SQLite reports.
pub fn in_conflict(db: &Connection) -> Result<Vec<DocumentId>, Error> {
    let mut statement = db.prepare_cached(
        "SELECT delivery_id FROM deliveries WHERE conflicts > 0 UNION ALL SELECT load_id FROM loads WHERE conflicts > 0
         UNION ALL SELECT farmer_id FROM farmers WHERE conflicts > 0 UNION ALL SELECT contact_id FROM contacts WHERE conflicts > 0
         ORDER BY 1",
    )?;
    Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}
