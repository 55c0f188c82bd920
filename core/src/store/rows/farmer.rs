//! Rows of farmers, with their contact details.

use super::Part;
use super::find::with_digits_after;
use crate::records::farmer::ContactDetails;
use crate::scope::Scope;
use crate::store::sql::{self, Column, Reader, Row, Value, values};
use crate::store::{Error, search};
use crate::units::{ContactId, DeliveryId, DocumentId, FarmerId, ToValue};

/// A farmer in a list, with contact details if they are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FarmerRow {
    /// The farmer's id.
    pub farmer_id: FarmerId,
    /// The scope of the farmer.
    pub scope: Scope,
    /// The farmer code.
    pub code: String,
    /// Name, local name, village and first telephone number, which lists show; empty texts if they are not stored. The other details are
    /// empty.
    pub contact: ContactDetails,
    /// Whether new records about the farmer are expected.
    pub is_active: bool,
}

impl FarmerRow {
    const COLUMNS: &'static str =
        "farmers.farmer_id, farmers.scope, farmers.code, coalesce(contacts.name, ''), coalesce(contacts.village, ''),
        coalesce(contacts.phone, ''), coalesce(contacts.local_name, ''), farmers.inactive_from_ms";

    fn from_row(row: &dyn Row) -> Result<Self, sql::Error> {
        Ok(Self {
            farmer_id: row.get(0)?,
            scope: row.get(1)?,
            code: row.get(2)?,
            contact: ContactDetails {
                name: row.get(3)?,
                village: row.get(4)?,
                phone: row.get(5)?,
                local_name: row.get(6)?,
                ..ContactDetails::default()
            },
            is_active: row.get::<Option<i64>>(7)?.is_none(),
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

/// Returns a part of the farmers of a scope: those whose name, village or telephone number a search for `text` finds
/// ([`crate::text::queries`]), or all if `text` is blank. The key is the id of the contact document or, for a blank text, of the farmer.
/// A farmer with several contact documents has a row for each that is found; for a blank text one, of the newest.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn farmers(
    db: &mut dyn Reader,
    scope: &Scope,
    text: &str,
    part: &Part<DocumentId>,
) -> Result<Vec<(DocumentId, FarmerRow)>, Error> {
    if text.trim().is_empty() {
        return all_farmers(db, scope, part);
    }
    let contacts = search::matching(db, scope, text, part)?;
    let statement = format!(
        "SELECT {}, n FROM keys JOIN contacts ON contacts.contact_id = keys.contact
         JOIN farmers ON farmers.farmer_id = contacts.farmer_id WHERE farmers.scope = contacts.scope",
        FarmerRow::COLUMNS
    );
    let keys: Vec<Value<'_>> = contacts.iter().map(ToValue::to_value).collect();
    let mut found = db.query_all_keys(&[Column::blob("contact")], &keys, &statement, |row| {
        Ok((row.get::<u32>(8)?, FarmerRow::from_row(row)?))
    })?;
    found.sort_by_key(|(number, _)| *number);
    let contact = |number: u32| contacts.get(number as usize).copied();
    Ok(found.into_iter().filter_map(|(number, row)| Some((contact(number)?, row))).collect())
}

fn all_farmers(
    db: &mut dyn Reader,
    scope: &Scope,
    part: &Part<DocumentId>,
) -> Result<Vec<(DocumentId, FarmerRow)>, Error> {
    let (beyond, direction) = part.order.terms();
    let mut params = values![scope, part.limit].to_vec();
    let mut after = String::new();
    if let Some(key) = &part.after {
        params.push(key.to_value());
        after = format!(" AND farmers.farmer_id {beyond} ?3");
    }
    let statement = format!(
        "SELECT {} FROM farmers LEFT JOIN contacts ON contacts.contact_id = (
             SELECT newest.contact_id FROM contacts newest WHERE newest.farmer_id = farmers.farmer_id
             ORDER BY newest.contact_id DESC LIMIT 1)
         WHERE farmers.scope = ?1{after} ORDER BY farmers.farmer_id {direction} LIMIT ?2",
        FarmerRow::COLUMNS
    );
    let rows = db.query_all(&statement, &params, FarmerRow::from_row)?;
    Ok(rows.into_iter().map(|row| (row.farmer_id.into(), row)).collect())
}

/// Returns the farmer of a scope with this farmer code, as people type it.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn farmer_with_code(db: &mut dyn Reader, scope: &Scope, code: &str) -> Result<Option<FarmerRow>, Error> {
    let statement = "SELECT farmer_id FROM farmers WHERE code = ?1 AND scope = ?2 ORDER BY farmer_id";
    let id = db.query_one(statement, &values![with_digits_after(2, code), scope], |row| row.get(0))?;
    id.map_or(Ok(None), |id| farmer_row(db, id))
}

/// Returns whether a contact of a scope has these details: the same folded name and village, and the same telephone number.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn has_contact(db: &mut dyn Reader, scope: &Scope, details: &ContactDetails) -> Result<bool, Error> {
    let statement = "SELECT 1 FROM contacts WHERE scope = ?1 AND name_key = ?2 AND phone = ?3";
    Ok(db.exists(statement, &values![scope, details.name_key(), details.phone])?)
}

/// Returns all contact documents of a farmer, ordered by id: the newest is last.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn contacts_of(db: &mut dyn Reader, farmer: FarmerId) -> Result<Vec<ContactId>, Error> {
    let statement = "SELECT contact_id FROM contacts WHERE farmer_id = ?1 ORDER BY contact_id";
    Ok(db.query_all(statement, &values![farmer], |row| row.get(0))?)
}

/// Returns, of these deliveries and of all of these farmers, those that are not voided and were recorded after their farmer had become
/// inactive: scope, delivery and farmer.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn deliveries_of_inactive(
    db: &mut dyn Reader,
    deliveries: &[DeliveryId],
    farmers: &[FarmerId],
) -> Result<Vec<(Scope, DeliveryId, FarmerId)>, Error> {
    let mut found = Vec::new();
    for (column, keys) in [
        ("delivery_id", deliveries.iter().map(ToValue::to_value).collect::<Vec<_>>()),
        ("farmer_id", farmers.iter().map(ToValue::to_value).collect()),
    ] {
        let statement = format!(
            "SELECT d.scope, d.delivery_id, d.farmer_id FROM keys JOIN deliveries d ON d.{column} = keys.id
             JOIN farmers f ON f.farmer_id = d.farmer_id
             WHERE d.is_voided = 0 AND d.recorded_at_ms > f.inactive_from_ms"
        );
        let row = |row: &dyn Row| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        found.extend(db.query_all_keys(&[Column::blob("id")], &keys, &statement, row)?);
    }
    Ok(found)
}
