//! Farmers who may be one person, by name and telephone number.

use std::collections::BTreeSet;

use super::Error;
use super::sql::{Column, Reader, Row, Value};
use crate::limits::MAX_SHARED_PHONE;
use crate::records::farmer::ContactDetails;
use crate::scope::Scope;
use crate::text::is_placeholder;
use crate::units::{FarmerId, ToValue};

/// Farmers of a scope who may be the person of some contact details.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LookAlikes {
    /// Other farmers with the same name and village, or the same telephone number; ordered by id.
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
        by_name.push((n, scope, details.name_key()));
        let with_phone = if is_placeholder(&details.phone) { &mut shared } else { &mut by_phone };
        with_phone.extend(details.phone_key().map(|key| (n, scope, key)));
    }
    let crowded = phones_of_many(db, &by_phone)?;
    shared.extend(by_phone.extract_if(.., |(n, ..)| crowded.contains(n)));
    let mut alike = others_with_same(db, "phone_key", &by_phone, &own)?;
    shared.extend(
        by_phone.into_iter().filter(|(n, ..)| alike.get(*n as usize).is_some_and(|it| it.len() > MAX_SHARED_PHONE)),
    );
    for (n, ..) in &shared {
        alike.get_mut(*n as usize).into_iter().for_each(BTreeSet::clear);
    }
    for (of_phone, of_name) in alike.iter_mut().zip(others_with_same(db, "name_key", &by_name, &own)?) {
        of_phone.extend(of_name);
    }
    let mut found: Vec<LookAlikes> = alike
        .into_iter()
        .map(|farmers| LookAlikes { farmers: farmers.into_iter().collect(), shared_phone: None })
        .collect();
    for (n, first) in first_with_phone(db, &shared)? {
        if let (Some(it), Some(own)) = (found.get_mut(n), own.get(n)) {
            it.shared_phone = (first != *own).then_some(first);
        }
    }
    Ok(found)
}

/// Contact details to compare: their index, scope, and value of a folded column.
type Compared<'c> = (u32, &'c Scope, String);

const COMPARED: [Column<'static>; 3] = [Column::int("number"), Column::text("scope"), Column::text("compared")];

/// Returns for each of `own` the other farmers with the same value of a folded column.
fn others_with_same(
    db: &mut dyn Reader,
    column: &str,
    compared: &[Compared<'_>],
    own: &[FarmerId],
) -> Result<Vec<BTreeSet<FarmerId>>, Error> {
    let statement = format!(
        "SELECT keys.number, contacts.farmer_id FROM keys
         JOIN contacts ON contacts.scope = keys.scope AND contacts.{column} = keys.compared"
    );
    let mut others = vec![BTreeSet::new(); own.len()];
    db.query_keys(&COMPARED, &compared_values(compared), &statement, &mut |row| {
        let (n, farmer): (usize, FarmerId) = (row.get::<u32>(0)? as usize, row.get(1)?);
        if own.get(n) != Some(&farmer) {
            others.get_mut(n).into_iter().for_each(|it| _ = it.insert(farmer));
        }
        Ok(())
    })?;
    Ok(others)
}

/// Returns which of `compared` are telephone numbers that more contacts have than [`find`] returns; reads no more rows than it needs for that.
fn phones_of_many(db: &mut dyn Reader, compared: &[Compared<'_>]) -> Result<BTreeSet<u32>, Error> {
    // The farmer may be among them.
    let many = MAX_SHARED_PHONE + 2;
    let statement = format!(
        "SELECT keys.number, (SELECT count(*) FROM
             (SELECT 1 FROM contacts c WHERE c.scope = keys.scope AND c.phone_key = keys.compared LIMIT {many}) found)
         FROM keys"
    );
    let row = |row: &dyn Row| Ok((row.get::<u32>(0)?, row.get::<u32>(1)? as usize));
    let counts = db.query_all_keys(&COMPARED, &compared_values(compared), &statement, row)?;
    Ok(counts.into_iter().filter(|(_, count)| *count >= many).map(|(n, _)| n).collect())
}

/// Returns the first farmer with each number, with one step in the index however many have it.
fn first_with_phone(db: &mut dyn Reader, compared: &[Compared<'_>]) -> Result<Vec<(usize, FarmerId)>, Error> {
    let statement = "SELECT keys.number, contacts.farmer_id FROM keys JOIN contacts ON contacts.arrival =
         (SELECT min(c.arrival) FROM contacts c WHERE c.scope = keys.scope AND c.phone_key = keys.compared)";
    let row = |row: &dyn Row| Ok((row.get::<u32>(0)? as usize, row.get(1)?));
    Ok(db.query_all_keys(&COMPARED, &compared_values(compared), statement, row)?)
}

fn compared_values<'c>(compared: &'c [Compared<'_>]) -> Vec<Value<'c>> {
    let values = compared.iter().flat_map(|(n, scope, key)| [Value::int(*n), scope.to_value(), key.to_value()]);
    values.collect()
}
