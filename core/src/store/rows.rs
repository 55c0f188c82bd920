//! Rows of lists, on the phone and on the office's page.
//!
//! Owns the reading of the projection tables. Pages are cut by key, so that rows that arrive meanwhile are neither repeated nor skipped.

use super::sql::{self, Column, Dialect, Reader, Row, Value, values};
use super::{Error, search};
use crate::records::farmer::ContactDetails;
use crate::records::load::LoadState;
use crate::records::{Delivery, Farmer, Kind, Load, RecordKind};
use crate::scope::Scope;
use crate::text::{code_key, code_text};
use crate::units::{
    BusinessDate, ContactId, DeliveryId, DeviceCode, DocumentId, FarmerId, Grams, LoadId, LorryPlate, ReceiptNumber,
    Timestamp, ToValue, UserId,
};

/// A recorded delivery in a list, voided or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRow {
    /// Number in the order of arrival in this database; the key of paging.
    pub arrival: i64,
    /// The delivery's id.
    pub delivery_id: DeliveryId,
    /// The scope of the delivery.
    pub scope: Scope,
    /// The farmer who delivered.
    pub farmer_id: FarmerId,
    /// The load that it is on, if any.
    pub load_id: Option<LoadId>,
    /// The day that it counts for.
    pub business_date: BusinessDate,
    /// When it was recorded, by the device's time.
    pub recorded_at: Timestamp,
    /// The person who recorded it.
    pub user_id: UserId,
    /// The code of the device that recorded it.
    pub device_code: DeviceCode,
    /// The device's receipt count.
    pub receipt_sequence: u32,
    /// Whether it was voided, and is in no total.
    pub is_voided: bool,
    /// Number of amendments.
    pub amendments: u32,
    /// Number of fields in conflict.
    pub conflicts: u32,
    /// Number of bags that are not voided, even if the delivery is.
    pub bags: u32,
    /// Gross weight of these bags.
    pub gross_g: Grams,
}

impl DeliveryRow {
    const COLUMNS: &'static str =
        "arrival, delivery_id, scope, farmer_id, load_id, business_day, recorded_at_ms, user_id, device_code,
        receipt_seq, is_voided, amendments, conflicts, bag_count, gross_g";

    fn from_row(row: &dyn Row) -> Result<Self, sql::Error> {
        Ok(Self {
            arrival: row.get(0)?,
            delivery_id: row.get(1)?,
            scope: row.get(2)?,
            farmer_id: row.get(3)?,
            load_id: row.get(4)?,
            business_date: row.get(5)?,
            recorded_at: row.get(6)?,
            user_id: row.get(7)?,
            device_code: row.get(8)?,
            receipt_sequence: row.get(9)?,
            is_voided: row.get(10)?,
            amendments: row.get(11)?,
            conflicts: row.get(12)?,
            bags: row.get(13)?,
            gross_g: row.get(14)?,
        })
    }
}

/// Conditions that deliveries must all fulfil; `None` is no condition.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    /// In this scope.
    pub scope: Option<Scope>,
    /// In one of these scopes, those that a person may see; an empty list matches nothing.
    pub within: Option<Vec<Scope>>,
    /// On this business date.
    pub date: Option<BusinessDate>,
    /// On this load.
    pub load_id: Option<LoadId>,
    /// Delivered by this farmer.
    pub farmer_id: Option<FarmerId>,
    /// With an `arrival` below this one, that is, earlier.
    pub before: Option<i64>,
}

/// Returns deliveries, also voided ones, the last to arrive in this database first.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn deliveries(db: &mut dyn Reader, filter: &DeliveryFilter, limit: u32) -> Result<Vec<DeliveryRow>, Error> {
    let mut params: Vec<Value<'_>> = Vec::new();
    let mut conditions = vec!["true".to_owned()];
    for (condition, value) in [
        ("scope =", filter.scope.as_ref().map(ToValue::to_value)),
        ("business_day =", filter.date.as_ref().map(ToValue::to_value)),
        ("load_id =", filter.load_id.as_ref().map(ToValue::to_value)),
        ("farmer_id =", filter.farmer_id.as_ref().map(ToValue::to_value)),
        ("arrival <", filter.before.as_ref().map(ToValue::to_value)),
    ] {
        if let Some(value) = value {
            params.push(value);
            conditions.push(format!("{condition} ?{}", params.len()));
        }
    }
    if let Some(within) = &filter.within {
        // A page follows the order of arrival and ends soon; the plus keeps SQLite from sorting all rows of the scopes instead.
        let scope = if db.dialect() == Dialect::Sqlite { "+scope" } else { "scope" };
        let first = params.len() + 1;
        let places: Vec<String> = (first..first + within.len()).map(|number| format!("?{number}")).collect();
        let places = if within.is_empty() { "NULL".to_owned() } else { places.join(", ") };
        conditions.push(format!("{scope} IN ({places})"));
        params.extend(within.iter().map(ToValue::to_value));
    }
    params.push(limit.to_value());
    let statement = format!(
        "SELECT {} FROM deliveries WHERE {} ORDER BY arrival DESC LIMIT ?{}",
        DeliveryRow::COLUMNS,
        conditions.join(" AND "),
        params.len()
    );
    Ok(db.query_all(&statement, &params, DeliveryRow::from_row)?)
}

/// Totals of deliveries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Deliveries that are not voided.
    pub deliveries: u64,
    /// Voided deliveries, which are in none of the other numbers.
    pub voided: u64,
    /// Bags that are not voided, of the deliveries that are not voided.
    pub bags: u64,
    /// Gross weight of these bags.
    pub gross_g: Grams,
}

impl std::ops::Add for Sum {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            deliveries: self.deliveries + other.deliveries,
            voided: self.voided + other.voided,
            bags: self.bags + other.bags,
            gross_g: self.gross_g + other.gross_g,
        }
    }
}

/// Returns the totals of all deliveries of a scope and day, whether or not they are on a load.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn day_sum(db: &mut dyn Reader, scope: &Scope, date: BusinessDate) -> Result<Sum, Error> {
    sum(db, "scope = ?1 AND business_day = ?2", &values![scope, date])
}

/// Returns the totals of the deliveries on a load that are stored here; zero for an unknown load.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn load_sum(db: &mut dyn Reader, load: LoadId) -> Result<Sum, Error> {
    sum(db, "load_id = ?1", &values![load])
}

fn sum(db: &mut dyn Reader, condition: &str, params: &[Value<'_>]) -> Result<Sum, Error> {
    let statement = format!(
        "SELECT count(*) FILTER (WHERE is_voided = 0), count(*) FILTER (WHERE is_voided = 1),
             CAST(coalesce(sum(bag_count) FILTER (WHERE is_voided = 0), 0) AS BIGINT),
             CAST(coalesce(sum(gross_g) FILTER (WHERE is_voided = 0), 0) AS BIGINT)
         FROM deliveries WHERE {condition}"
    );
    let sum = db.query_one(&statement, params, |row| {
        Ok(Sum { deliveries: row.get(0)?, voided: row.get(1)?, bags: row.get(2)?, gross_g: row.get(3)? })
    })?;
    Ok(sum.unwrap_or_default())
}

/// Returns the latest business date of a delivery in these scopes, voided or not; `None` if there is no delivery.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn latest_day(db: &mut dyn Reader, scopes: &[Scope]) -> Result<Option<BusinessDate>, Error> {
    let statement =
        "SELECT max(business_day) FROM keys JOIN deliveries ON deliveries.scope = keys.scope GROUP BY keys.scope";
    let keys: Vec<Value<'_>> = scopes.iter().map(ToValue::to_value).collect();
    let latest = db.query_all_keys(&[Column::text("scope")], &keys, statement, |row| row.get(0))?;
    Ok(latest.into_iter().max().flatten())
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
}

/// Returns the state of a load, its lorry (not the payload), and the gross weight of the deliveries on it that are not voided.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn load_capacity(db: &mut dyn Reader, id: LoadId) -> Result<Option<(LoadState, LorryPlate, Grams)>, Error> {
    let statement = "SELECT state, lorry, CAST(coalesce(
             (SELECT sum(gross_g) FROM deliveries WHERE deliveries.load_id = loads.load_id AND is_voided = 0), 0) AS BIGINT)
         FROM loads WHERE load_id = ?1";
    Ok(db.query_one(statement, &values![id], |row| Ok((load_state(row.get(0)?), row.get(1)?, row.get(2)?)))?)
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
pub fn loads(db: &mut dyn Reader, scope: &Scope, date: BusinessDate) -> Result<Vec<LoadRow>, Error> {
    let statement = format!(
        "SELECT {} FROM loads WHERE scope = ?1 AND business_day = ?2 ORDER BY number, load_id",
        LoadRow::COLUMNS
    );
    Ok(db.query_all(&statement, &values![scope, date], LoadRow::from_row)?)
}

/// A farmer in a list, with contact details if they are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FarmerRow {
    /// The farmer's id.
    pub farmer_id: FarmerId,
    /// The scope of the farmer.
    pub scope: Scope,
    /// The farmer code.
    pub code: String,
    /// Contact details; empty texts if they are not stored.
    pub contact: ContactDetails,
}

impl FarmerRow {
    const COLUMNS: &'static str =
        "farmers.farmer_id, farmers.scope, farmers.code, coalesce(contacts.name, ''), coalesce(contacts.village, ''),
        coalesce(contacts.phone, '')";

    fn from_row(row: &dyn Row) -> Result<Self, sql::Error> {
        Ok(Self {
            farmer_id: row.get(0)?,
            scope: row.get(1)?,
            code: row.get(2)?,
            contact: ContactDetails { name: row.get(3)?, village: row.get(4)?, phone: row.get(5)? },
        })
    }
}

/// Returns a farmer by id, with the newest contact details.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn farmer_row(db: &mut dyn Reader, id: FarmerId) -> Result<Option<FarmerRow>, Error> {
    let statement = format!(
        "SELECT {} FROM farmers LEFT JOIN contacts ON contacts.farmer_id = farmers.farmer_id WHERE farmers.farmer_id = ?1
         ORDER BY contacts.contact_id DESC LIMIT 1",
        FarmerRow::COLUMNS
    );
    Ok(db.query_one(&statement, &values![id], FarmerRow::from_row)?)
}

/// Returns up to `limit` rows of a scope, newest first: farmers whose name, village or telephone number a search for `text` finds
/// ([`crate::text::queries`]), or all farmers if `text` is blank. A farmer with several contact documents has a row for each.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn farmers(db: &mut dyn Reader, scope: &Scope, text: &str, limit: u32) -> Result<Vec<FarmerRow>, Error> {
    if text.trim().is_empty() {
        let statement = format!(
            "SELECT {} FROM farmers LEFT JOIN contacts ON contacts.farmer_id = farmers.farmer_id WHERE farmers.scope = ?1
             ORDER BY farmers.arrival DESC LIMIT ?2",
            FarmerRow::COLUMNS
        );
        return Ok(db.query_all(&statement, &values![scope, limit], FarmerRow::from_row)?);
    }
    let contacts = search::matching(db, scope, text, limit)?;
    let statement = format!(
        "SELECT {}, n FROM keys JOIN contacts ON contacts.contact_id = keys.contact
         JOIN farmers ON farmers.farmer_id = contacts.farmer_id WHERE farmers.scope = contacts.scope",
        FarmerRow::COLUMNS
    );
    let keys: Vec<Value<'_>> = contacts.iter().map(ToValue::to_value).collect();
    let mut found = db.query_all_keys(&[Column::blob("contact")], &keys, &statement, |row| {
        Ok((row.get::<u32>(6)?, FarmerRow::from_row(row)?))
    })?;
    found.sort_by_key(|(number, _)| *number);
    Ok(found.into_iter().map(|(_, row)| row).collect())
}

/// A record that [`find`] found. `number` is what it was found by: receipt number, load number or farmer code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRecord {
    /// The document's id.
    pub document_id: DocumentId,
    /// The kind of its record.
    pub kind: Kind,
    /// The scope of the document.
    pub scope: Scope,
    /// Receipt number, load number or farmer code.
    pub number: String,
}

/// Returns deliveries by receipt number, loads by number and farmers by code, all in any scope; then farmers of `scopes` by the words of
/// their contact details, until there are `limit` records or more.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn find(db: &mut dyn Reader, scopes: &[Scope], text: &str, limit: u32) -> Result<Vec<FoundRecord>, Error> {
    let mut all = Vec::new();
    let key = code_key(text);
    if let Ok(typed) = ReceiptNumber::unchecked(text) {
        let statement = "SELECT delivery_id, scope, '' FROM deliveries WHERE device_code = ?1 AND receipt_seq = ?2";
        for found in named::<Delivery>(db, statement, &values![typed.device_code, typed.sequence])? {
            let receipt = found.scope.centre().map(|centre| ReceiptNumber { centre: centre.clone(), ..typed.clone() });
            let number = receipt.map(|receipt| receipt.to_string()).filter(|number| code_key(number) == key);
            all.extend(number.map(|number| FoundRecord { number, ..found }));
        }
    }
    let (load, farmer) = (with_digits_after(1, text), with_digits_after(2, text));
    all.extend(named::<Load>(db, "SELECT load_id, scope, number FROM loads WHERE number = ?1", &values![load])?);
    all.extend(named::<Farmer>(db, "SELECT farmer_id, scope, code FROM farmers WHERE code = ?1", &values![farmer])?);
    for scope in scopes {
        if all.len() >= limit as usize || text.trim().is_empty() {
            break;
        }
        let rows = farmers(db, scope, text, limit)?.into_iter();
        all.extend(rows.map(|row| FoundRecord {
            document_id: row.farmer_id.into(),
            kind: Kind::of::<Farmer>(),
            scope: row.scope,
            number: row.code,
        }));
    }
    Ok(all)
}

/// Returns a number as it is printed, from a text as people type it: its first parts have letters, the later ones none that look like digits.
fn with_digits_after(parts: usize, text: &str) -> String {
    let typed = code_text(text);
    let printed = typed.split('-').enumerate();
    let printed = printed.map(|(n, part)| if n < parts { part.to_owned() } else { code_key(part) });
    printed.collect::<Vec<_>>().join("-")
}

fn named<K: RecordKind>(db: &mut dyn Reader, statement: &str, params: &[Value<'_>]) -> Result<Vec<FoundRecord>, Error> {
    Ok(db.query_all(statement, params, |row| {
        Ok(FoundRecord { kind: Kind::of::<K>(), document_id: row.get(0)?, scope: row.get(1)?, number: row.get(2)? })
    })?)
}

/// Returns the deliveries on some loads that are not voided, each with its load.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn unvoided_deliveries_on(db: &mut dyn Reader, loads: &[LoadId]) -> Result<Vec<(LoadId, DeliveryId)>, Error> {
    let keys: Vec<Value<'_>> = loads.iter().map(ToValue::to_value).collect();
    let statement = "SELECT deliveries.load_id, delivery_id FROM keys
         JOIN deliveries ON deliveries.load_id = keys.on_load WHERE is_voided = 0";
    Ok(db.query_all_keys(&[Column::blob("on_load")], &keys, statement, |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// Returns the deliveries that are not voided and replace one of `replaced`, each as a pair of replaced and replacing delivery.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn replacements_of(db: &mut dyn Reader, replaced: &[DeliveryId]) -> Result<Vec<(DeliveryId, DeliveryId)>, Error> {
    let keys: Vec<Value<'_>> = replaced.iter().map(ToValue::to_value).collect();
    let statement = "SELECT deliveries.replaces, delivery_id FROM keys
         JOIN deliveries ON deliveries.replaces = keys.replaced WHERE is_voided = 0";
    Ok(db.query_all_keys(&[Column::blob("replaced")], &keys, statement, |row| Ok((row.get(0)?, row.get(1)?)))?)
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

/// Returns all contact documents of a farmer, ordered by id: the newest is last.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn contacts_of(db: &mut dyn Reader, farmer: FarmerId) -> Result<Vec<ContactId>, Error> {
    let statement = "SELECT contact_id FROM contacts WHERE farmer_id = ?1 ORDER BY contact_id";
    Ok(db.query_all(statement, &values![farmer], |row| row.get(0))?)
}
