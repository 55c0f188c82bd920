//! Documents of personal data about a farmer, which are erased when the farmer is forgotten.

use super::Error;
use super::sql::{Reader, Value};
use crate::records::{KINDS, Kind, Privacy, TableInfo};
use crate::units::{Column, DocumentId};

/// Returns the documents of personal data that name any of these farmers, each a [`Value`] of a farmer's id; in no order. The table of each
/// personal kind has a column `farmer_id`.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn documents_of(db: &mut dyn Reader, farmers: &[Value<'_>]) -> Result<Vec<DocumentId>, Error> {
    let mut documents = Vec::<DocumentId>::new();
    for kind in personal_kinds() {
        let TableInfo { name, key, columns } = (kind.table)();
        let is_shared = columns.iter().any(|column| column.name == "kind");
        let of_kind = if is_shared { format!("WHERE {name}.kind = {}", kind.number) } else { String::new() };
        let statement =
            format!("SELECT {name}.{key} FROM keys JOIN {name} ON {name}.farmer_id = keys.farmer {of_kind}");
        documents
            .extend(db.query_all_keys::<DocumentId>(&[Column::blob("farmer")], farmers, &statement, |row| row.get(0))?);
    }
    Ok(documents)
}

/// Returns the kinds of personal data.
fn personal_kinds() -> impl Iterator<Item = Kind> {
    KINDS.into_iter().filter(|kind| kind.privacy == Privacy::Personal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_each_personal_kind_names_the_farmer() {
        for kind in personal_kinds() {
            let columns = (kind.table)().columns;
            assert!(columns.iter().any(|column| column.name == "farmer_id"), "{kind}");
        }
    }
}
