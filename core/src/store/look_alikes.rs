//! Farmers who may be one person, by name and telephone number.

use std::collections::BTreeSet;

use super::Error;
use super::sql::{Column, Reader, Row, Value};
use crate::limits::MAX_SHARED_PHONE;
use crate::records::farmer::ContactDetails;
use crate::scope::Scope;
use crate::text::compared_word;
use crate::units::{FarmerId, ToValue};

/// Farmers of a scope who may be the person of some contact details.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LookAlikes {
    /// Other farmers with the same name and village, in either script, or the same telephone number; ordered by id.
    pub farmers: Vec<FarmerId>,
    /// First farmer with the same telephone number, if it is a placeholder, or more than [`MAX_SHARED_PHONE`] others have it. It then says
    /// nothing about who they are.
    pub shared_phone: Option<FarmerId>,
}

/// Returns the look-alikes of each of `contacts`, a scope, the farmer and their details, in their order. The farmer may be stored or not.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn find<'c>(
    db: &mut dyn Reader,
    contacts: impl IntoIterator<Item = (&'c Scope, FarmerId, &'c ContactDetails)>,
) -> Result<Vec<LookAlikes>, Error> {
    let (mut own, mut by_name, mut by_phone, mut shared) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (n, (scope, farmer, details)) in (0_u32..).zip(contacts) {
        own.push(farmer);
        by_name.extend(details.name_keys().iter().map(|key| (n, scope, compared_word(key))));
        for (key, is_placeholder) in details.phone_keys() {
            let phones = if is_placeholder { &mut shared } else { &mut by_phone };
            phones.push((n, scope, compared_word(&key)));
        }
    }
    let mut alike = vec![BTreeSet::new(); own.len()];
    for (name, others) in by_name.iter().zip(others_with_same(db, &by_name, &own)?) {
        alike.get_mut(name.0 as usize).into_iter().for_each(|it| it.extend(others.iter().copied()));
    }
    let crowded = phones_of_many(db, &by_phone)?;
    let (many, by_phone): (Vec<_>, Vec<_>) = (0..).zip(by_phone).partition(|(place, _)| crowded.contains(place));
    shared.extend(many.into_iter().map(|(_, phone)| phone));
    let by_phone: Vec<Compared<'_>> = by_phone.into_iter().map(|(_, phone)| phone).collect();
    let of_phones = others_with_same(db, &by_phone, &own)?;
    for (phone, others) in by_phone.into_iter().zip(of_phones) {
        if others.len() > MAX_SHARED_PHONE {
            shared.push(phone);
        } else {
            alike.get_mut(phone.0 as usize).into_iter().for_each(|it| it.extend(others.iter().copied()));
        }
    }
    let mut found: Vec<LookAlikes> = alike
        .into_iter()
        .map(|farmers| LookAlikes { farmers: farmers.into_iter().collect(), shared_phone: None })
        .collect();
    for (place, first) in first_with_phone(db, &shared)? {
        let Some(n) = shared.get(place).map(|phone| phone.0 as usize) else { continue };
        if let (Some(it), Some(own)) = (found.get_mut(n), own.get(n))
            && first != *own
        {
            it.shared_phone = it.shared_phone.or(Some(first));
        }
    }
    Ok(found)
}

/// What contact details are compared by: the number of the details, their scope, and a word.
type Compared<'c> = (u32, &'c Scope, String);

/// Keys of a statement: the place of what is compared, its scope, and its word.
const KEYS: [Column<'static>; 3] = [Column::int("place"), Column::text("scope"), Column::text("compared")];

/// Returns for each of `compared` the farmers with the same word, without the one of `own` that it belongs to.
fn others_with_same(
    db: &mut dyn Reader,
    compared: &[Compared<'_>],
    own: &[FarmerId],
) -> Result<Vec<BTreeSet<FarmerId>>, Error> {
    let statement = "SELECT keys.place, contacts.farmer_id FROM keys
         JOIN words ON words.scope = keys.scope AND words.token = keys.compared
         JOIN contacts ON contacts.contact_id = words.document_id";
    let mut others = vec![BTreeSet::new(); compared.len()];
    db.query_keys(&KEYS, &compared_values(compared), statement, &mut |row| {
        let (place, farmer): (usize, FarmerId) = (row.get::<u32>(0)? as usize, row.get(1)?);
        let whose = compared.get(place).and_then(|(n, ..)| own.get(*n as usize));
        if whose != Some(&farmer) {
            others.get_mut(place).into_iter().for_each(|it| _ = it.insert(farmer));
        }
        Ok(())
    })?;
    Ok(others)
}

/// Returns the places of telephone numbers that more contacts have than [`find`] returns; reads no more rows than it needs for that.
fn phones_of_many(db: &mut dyn Reader, compared: &[Compared<'_>]) -> Result<BTreeSet<u32>, Error> {
    // The farmer may be among them.
    let many = MAX_SHARED_PHONE + 2;
    let statement = format!(
        "SELECT keys.place, (SELECT count(*) FROM
             (SELECT 1 FROM words w WHERE w.scope = keys.scope AND w.token = keys.compared LIMIT {many}) found)
         FROM keys"
    );
    let row = |row: &dyn Row| Ok((row.get::<u32>(0)?, row.get::<u32>(1)? as usize));
    let counts = db.query_all_keys(&KEYS, &compared_values(compared), &statement, row)?;
    Ok(counts.into_iter().filter(|(_, count)| *count >= many).map(|(place, _)| place).collect())
}

/// Returns the place of each number with the farmer whose contact with it arrived first, which no later one changes.
fn first_with_phone(db: &mut dyn Reader, compared: &[Compared<'_>]) -> Result<Vec<(usize, FarmerId)>, Error> {
    let statement = "SELECT keys.place, contacts.farmer_id FROM keys JOIN contacts ON contacts.arrival =
         (SELECT min(c.arrival) FROM words w JOIN contacts c ON c.contact_id = w.document_id
          WHERE w.scope = keys.scope AND w.token = keys.compared)";
    let row = |row: &dyn Row| Ok((row.get::<u32>(0)? as usize, row.get(1)?));
    Ok(db.query_all_keys(&KEYS, &compared_values(compared), statement, row)?)
}

fn compared_values<'c>(compared: &'c [Compared<'_>]) -> Vec<Value<'c>> {
    let places = (0_u32..).zip(compared);
    places.flat_map(|(place, (_, scope, key))| [Value::int(place), scope.to_value(), key.to_value()]).collect()
}
