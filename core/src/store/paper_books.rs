//! Records that were entered from the forms of paper books.

use super::Error;
use super::sql::{Column, Reader, Value, values};
use crate::records::PaperEntry;
use crate::units::{DeliveryId, PaperBookCode, ToValue};

/// Returns the deliveries that are not voided and were entered from one of `entries`, each with the place of its entry.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn entered_from(db: &mut dyn Reader, entries: &[PaperEntry]) -> Result<Vec<(usize, DeliveryId)>, Error> {
    let keys: Vec<Value<'_>> = entries.iter().flat_map(|it| [it.book.to_value(), it.serial.to_value()]).collect();
    let statement = "SELECT keys.n, delivery_id FROM keys
         JOIN deliveries ON deliveries.paper_book = keys.book AND deliveries.paper_serial = keys.serial
         WHERE is_voided = 0 ORDER BY keys.n, delivery_id";
    let columns = [Column::text("book"), Column::int("serial")];
    let read: Vec<(u32, DeliveryId)> =
        db.query_all_keys(&columns, &keys, statement, |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(read.into_iter().map(|(place, delivery)| (place as usize, delivery)).collect())
}

/// Returns the numbers of a book's forms from which records were entered, also voided ones, in ascending order and each once.
///
/// # Errors
/// [`Error::Sql`] and other errors of the database.
pub fn entered_serials(db: &mut dyn Reader, book: &PaperBookCode) -> Result<Vec<u32>, Error> {
    let statement = "SELECT DISTINCT paper_serial FROM deliveries WHERE paper_book = ?1 ORDER BY paper_serial";
    Ok(db.query_all(statement, &values![book], |row| row.get(0))?)
}
