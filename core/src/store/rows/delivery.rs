//! Rows of deliveries: lists, totals, and what is on a load.

use minicbor::{Decode, Encode};

use super::{List, Part, sorted};
use crate::scope::Scope;
use crate::store::Error;
use crate::store::sql::{self, Column, Reader, Row, Value, values};
use crate::units::{BusinessDate, DeliveryId, DeviceCode, FarmerId, Grams, LoadId, Timestamp, ToValue, UserId};

/// A recorded delivery in a list, voided or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRow {
    /// The delivery's id.
    pub delivery_id: DeliveryId,
    /// The scope of the delivery.
    pub scope: Scope,
    /// The farmer who delivered.
    pub farmer_id: FarmerId,
    /// The load that all of it is on; `None` for none, and if it is divided.
    pub load_id: Option<LoadId>,
    /// Number of parts into which loads divide it, of which one may be on none; 1 if it is not divided.
    pub parts: u32,
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
        "delivery_id, scope, farmer_id, load_id, parts, business_day, recorded_at_ms, user_id, device_code,
        receipt_seq, is_voided, amendments, conflicts, bag_count, gross_g";

    fn from_row(row: &dyn Row) -> Result<Self, sql::Error> {
        Ok(Self {
            delivery_id: row.get(0)?,
            scope: row.get(1)?,
            farmer_id: row.get(2)?,
            load_id: row.get(3)?,
            parts: row.get(4)?,
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

    /// Returns the place of the delivery in lists.
    pub fn key(&self) -> DeliveryKey {
        DeliveryKey(self.business_date, self.recorded_at, self.receipt_sequence, self.delivery_id)
    }
}

/// Place of a delivery in lists: its day, when it was recorded, the count on its receipt, by which a device distinguishes what has the same
/// time, and its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(array)]
pub struct DeliveryKey(#[n(0)] pub BusinessDate, #[n(1)] pub Timestamp, #[n(2)] pub u32, #[n(3)] pub DeliveryId);

/// Conditions that deliveries must all fulfil; `None` is no condition.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    /// With the receipt of this device and count.
    pub receipt: Option<(DeviceCode, u32)>,
    /// On this load, at least in part.
    pub load_id: Option<LoadId>,
    /// Delivered by this farmer.
    pub farmer_id: Option<FarmerId>,
    /// Recorded by this user.
    pub user_id: Option<UserId>,
    /// On this business date or a later one.
    pub from: Option<BusinessDate>,
    /// On this business date or an earlier one.
    pub to: Option<BusinessDate>,
    /// Voided, or not voided.
    pub is_voided: Option<bool>,
}

/// Returns a part of the deliveries in some scopes, voided ones too.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn deliveries(
    db: &mut dyn Reader,
    scopes: &[Scope],
    filter: &DeliveryFilter,
    part: &Part<DeliveryKey>,
) -> Result<Vec<DeliveryRow>, Error> {
    let key = &["business_day", "recorded_at_ms", "receipt_seq", "delivery_id"];
    let mut list = List::new("deliveries", DeliveryRow::COLUMNS, key);
    list.narrow(db, "device_code", filter.receipt.as_ref().map(|(device, _)| device.to_value()));
    list.filter("receipt_seq", "=", filter.receipt.as_ref().map(|(_, sequence)| sequence.to_value()));
    if let Some(load) = &filter.load_id {
        list.narrow_to(db, "delivery_id", &["deliveries", "delivery_parts"], "load_id", load.to_value());
    }
    list.narrow(db, "farmer_id", filter.farmer_id.as_ref().map(ToValue::to_value));
    // Without an index of its own, which would be larger than what it saves: days are few, and people weigh every day.
    list.filter("user_id", "=", filter.user_id.as_ref().map(ToValue::to_value));
    list.filter("business_day", ">=", filter.from.as_ref().map(ToValue::to_value));
    list.filter("business_day", "<=", filter.to.as_ref().map(ToValue::to_value));
    if let Some(is_voided) = filter.is_voided {
        // As a literal, because there is an index of voided deliveries only.
        list.conditions.push(format!("is_voided = {}", u8::from(is_voided)));
    }
    let after =
        part.after.as_ref().map(|key| vec![key.0.to_value(), key.1.to_value(), key.2.to_value(), key.3.to_value()]);
    let cut = Part { order: part.order, after, limit: part.limit };
    let rows = list.read(db, scopes, &cut, DeliveryRow::from_row)?;
    Ok(sorted(rows, part.order, part.limit, DeliveryRow::key))
}

/// What of a delivery that is not voided is on a load: all or a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnLoad {
    /// The delivery's id.
    pub delivery_id: DeliveryId,
    /// Number of its bags that are on the load.
    pub bags: u32,
    /// Gross weight of these bags.
    pub gross_g: Grams,
    /// Whether the rest of the delivery is on other loads, or on none.
    pub is_part: bool,
}

/// Returns what of deliveries, in any scope, is on a load, ordered by the ids of the deliveries.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn parts_on(db: &mut dyn Reader, load: LoadId) -> Result<Vec<OnLoad>, Error> {
    let on = parts_on_loads(db, &[load])?;
    Ok(on.into_iter().map(|(_, part)| part).collect())
}

/// Returns what of deliveries is on some loads, each with its load, ordered by the ids of the deliveries.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn parts_on_loads(db: &mut dyn Reader, loads: &[LoadId]) -> Result<Vec<(LoadId, OnLoad)>, Error> {
    let keys: Vec<Value<'_>> = loads.iter().map(ToValue::to_value).collect();
    let statement =
        "SELECT deliveries.load_id AS load_id, deliveries.delivery_id AS delivery_id, bag_count, gross_g, CAST(0 AS BIGINT) AS is_part
         FROM keys JOIN deliveries ON deliveries.load_id = keys.on_load WHERE is_voided = 0
         UNION ALL
         SELECT delivery_parts.load_id, delivery_parts.delivery_id, bag_count, gross_g, CAST(1 AS BIGINT)
         FROM keys JOIN delivery_parts ON delivery_parts.load_id = keys.on_load WHERE is_voided = 0
         ORDER BY delivery_id";
    Ok(db.query_all_keys(&[Column::blob("on_load")], &keys, statement, |row| {
        let part = OnLoad { delivery_id: row.get(1)?, bags: row.get(2)?, gross_g: row.get(3)?, is_part: row.get(4)? };
        Ok((row.get(0)?, part))
    })?)
}

/// Returns the row of a delivery; `None` if it is not stored here.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn delivery_row(db: &mut dyn Reader, delivery: DeliveryId) -> Result<Option<DeliveryRow>, Error> {
    let statement = format!("SELECT {} FROM deliveries WHERE delivery_id = ?1", DeliveryRow::COLUMNS);
    Ok(db.query_one(&statement, &values![delivery], DeliveryRow::from_row)?)
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
    sum(db, "deliveries WHERE scope = ?1 AND business_day = ?2", &values![scope, date])
}

/// Returns the totals of what is on a load and stored here; zero for an unknown load. A delivery of which a part is on it is counted.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn load_sum(db: &mut dyn Reader, load: LoadId) -> Result<Sum, Error> {
    let of = "(SELECT is_voided, bag_count, gross_g FROM deliveries WHERE load_id = ?1
         UNION ALL SELECT is_voided, bag_count, gross_g FROM delivery_parts WHERE load_id = ?1) AS parts";
    sum(db, of, &values![load])
}

fn sum(db: &mut dyn Reader, of: &str, params: &[Value<'_>]) -> Result<Sum, Error> {
    let statement = format!(
        "SELECT count(*) FILTER (WHERE is_voided = 0), count(*) FILTER (WHERE is_voided = 1),
             CAST(coalesce(sum(bag_count) FILTER (WHERE is_voided = 0), 0) AS BIGINT),
             CAST(coalesce(sum(gross_g) FILTER (WHERE is_voided = 0), 0) AS BIGINT)
         FROM {of}"
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
    let mut latest = None;
    for scope in scopes {
        let of_scope =
            db.query_one("SELECT max(business_day) FROM deliveries WHERE scope = ?1", &values![scope], |row| {
                row.get::<Option<BusinessDate>>(0)
            })?;
        latest = latest.max(of_scope.flatten());
    }
    Ok(latest)
}

/// Returns the deliveries that are on these loads, all or a part, also voided ones.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn delivery_ids_on(db: &mut dyn Reader, loads: &[LoadId]) -> Result<Vec<DeliveryId>, Error> {
    let keys: Vec<Value<'_>> = loads.iter().map(ToValue::to_value).collect();
    let statement = "SELECT delivery_id FROM keys JOIN deliveries ON deliveries.load_id = keys.on_load
         UNION SELECT delivery_id FROM keys JOIN delivery_parts ON delivery_parts.load_id = keys.on_load";
    Ok(db.query_all_keys(&[Column::blob("on_load")], &keys, statement, |row| row.get(0))?)
}

/// Returns the deliveries of some scopes of which something was weighed or read after a time, ordered by time of recording and id, also voided
/// ones.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn deliveries_measured_after(
    db: &mut dyn Reader,
    scopes: &[Scope],
    after: Timestamp,
) -> Result<Vec<DeliveryId>, Error> {
    let mut found = Vec::new();
    for scope in scopes {
        let statement = "SELECT recorded_at_ms, delivery_id FROM deliveries WHERE scope = ?1 AND measured_at_ms > ?2";
        let rows = db.query_all(statement, &values![scope, after], |row| Ok((row.get(0)?, row.get(1)?)))?;
        found.extend::<Vec<(Timestamp, DeliveryId)>>(rows);
    }
    found.sort_unstable();
    Ok(found.into_iter().map(|(_, delivery)| delivery).collect())
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
