//! Records that were entered from the forms of paper books.

use super::Error;
use super::sql::{Column, Reader, Value, values};
use crate::records::PaperEntry;
use crate::records::simple::SimpleState;
use crate::units::{DocumentId, PaperBookCode, ToValue};

/// Returns the deliveries that are not voided, and the simple records that are not withdrawn, that were entered from one of `entries`, each
/// with the place of its entry.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn entered_from(db: &mut dyn Reader, entries: &[PaperEntry]) -> Result<Vec<(usize, DocumentId)>, Error> {
    let keys: Vec<Value<'_>> = entries.iter().flat_map(|it| [it.book.to_value(), it.serial.to_value()]).collect();
    let statement = format!(
        "SELECT keys.n, delivery_id AS document_id FROM keys
         JOIN deliveries d ON d.paper_book = keys.book AND d.paper_serial = keys.serial WHERE is_voided = 0
         UNION ALL SELECT keys.n, record_id FROM keys
         JOIN simple_records s ON s.paper_book = keys.book AND s.paper_serial = keys.serial WHERE state <> {}
         ORDER BY n, document_id",
        SimpleState::Withdrawn as u8
    );
    let columns = [Column::text("book"), Column::int("serial")];
    let read: Vec<(u32, DocumentId)> =
        db.query_all_keys(&columns, &keys, &statement, |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(read.into_iter().map(|(place, document)| (place as usize, document)).collect())
}

/// Returns the numbers of a book's forms from which records were entered, also voided and withdrawn ones, in ascending order and each once.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn entered_serials(db: &mut dyn Reader, book: &PaperBookCode) -> Result<Vec<u32>, Error> {
    let statement = "SELECT paper_serial FROM deliveries WHERE paper_book = ?1
         UNION SELECT paper_serial FROM simple_records WHERE paper_book = ?1 ORDER BY paper_serial";
    Ok(db.query_all(statement, &values![book], |row| row.get(0))?)
}
