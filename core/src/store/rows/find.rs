//! Finding records by the numbers that people read out.

use super::{ListOrder, Part, farmers};
use crate::records::{Delivery, Farmer, Kind, Load, RecordKind};
use crate::scope::Scope;
use crate::store::Error;
use crate::store::sql::{Reader, Value, values};
use crate::text::{code_key, code_text};
use crate::units::{DocumentId, ReceiptNumber};

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
        let part = Part { order: ListOrder::NewestFirst, after: None, limit };
        let rows = farmers(db, scope, text, &part)?.into_iter();
        all.extend(rows.map(|(_, row)| FoundRecord {
            document_id: row.farmer_id.into(),
            kind: Kind::of::<Farmer>(),
            scope: row.scope,
            number: row.code,
        }));
    }
    Ok(all)
}

/// Returns a number as it is printed, from a text as people type it: its first parts have letters, the later ones none that look like digits.
pub(super) fn with_digits_after(parts: usize, text: &str) -> String {
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
