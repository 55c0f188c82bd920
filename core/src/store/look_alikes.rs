//! Farmers who may be one person, by name and telephone number.

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
    /// Farmers with the same name and village, or the same telephone number; ordered by id. A farmer who is stored already is among them.
    pub farmers: Vec<FarmerId>,
    /// First farmer with the same telephone number, if it is a placeholder, or more than [`MAX_SHARED_PHONE`] farmers have it. It then says
    /// nothing about who they are.
    pub shared_phone: Option<FarmerId>,
}

/// Returns the look-alikes of each of `contacts` (a scope and contact details), in their order.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn find<'c>(
    db: &mut dyn Reader,
    contacts: impl IntoIterator<Item = (&'c Scope, &'c ContactDetails)>,
) -> Result<Vec<LookAlikes>, Error> {
    let (mut by_name, mut by_phone, mut placeholders) = (Vec::new(), Vec::new(), Vec::new());
    let mut count = 0;
    for (n, (scope, details)) in (0_u32..).zip(contacts) {
        by_name.push((n, scope, details.name_key()));
        let with_phone = if is_placeholder(&details.phone) { &mut placeholders } else { &mut by_phone };
        with_phone.extend(details.phone_key().map(|key| (n, scope, key)));
        count += 1;
    }
    let mut alike = vec![LookAlikes::default(); count];
    for (n, farmer) in with_same(db, "phone_key", &by_phone)? {
        alike.get_mut(n).into_iter().for_each(|it| it.farmers.push(farmer));
    }
    for it in alike.iter_mut().filter(|it| it.farmers.len() > MAX_SHARED_PHONE) {
        it.shared_phone = std::mem::take(&mut it.farmers).into_iter().min();
    }
    for (n, farmer) in first_with_phone(db, &placeholders)? {
        alike.get_mut(n).into_iter().for_each(|it| it.shared_phone = Some(farmer));
    }
    for (n, farmer) in with_same(db, "name_key", &by_name)? {
        alike.get_mut(n).into_iter().for_each(|it| it.farmers.push(farmer));
    }
    for it in &mut alike {
        it.farmers.sort_unstable();
        it.farmers.dedup();
    }
    Ok(alike)
}

/// Contact details to compare: their index, scope, and value of a folded column.
type Compared<'c> = (u32, &'c Scope, String);

const COMPARED: [Column<'static>; 3] = [Column::int("number"), Column::text("scope"), Column::text("compared")];

fn with_same(db: &mut dyn Reader, column: &str, compared: &[Compared<'_>]) -> Result<Vec<(usize, FarmerId)>, Error> {
    let statement = format!(
        "SELECT keys.number, contacts.farmer_id FROM keys
         JOIN contacts ON contacts.scope = keys.scope AND contacts.{column} = keys.compared"
    );
    let row = |row: &dyn Row| Ok((row.get::<u32>(0)? as usize, row.get(1)?));
    Ok(db.query_all_keys(&COMPARED, &compared_values(compared), &statement, row)?)
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
