//! The report on forms of paper books from which nothing was entered.

use super::{Cell, Run, Sink};
use crate::Error;
use crate::decisions::PaperBook;
use crate::store::{paper_books, seam};

pub(super) const MISSING: [&str; 6] = ["centre", "paper_book", "purpose", "from_serial", "to_serial", "serials"];

impl Run<'_> {
    /// Passes on the runs of numbers that are missing between the first form of each book and the highest one that was entered.
    pub(super) fn missing_serials(&self, sink: Sink<'_>) -> Result<(), Error> {
        let centres = &self.author.grant.centres;
        let is_of = |book: &&PaperBook| {
            centres.contains(&book.centre) && self.query.centre.as_ref().is_none_or(|centre| *centre == book.centre)
        };
        for book in self.author.reference.all::<PaperBook>().filter(is_of) {
            let mut next = book.first_serial;
            let entered = paper_books::entered_serials(&mut seam(self.db), &book.code)?;
            for serial in entered.into_iter().filter(|serial| book.has(*serial)) {
                if next < serial {
                    sink(vec![
                        Cell::text(&book.centre),
                        Cell::text(&book.code),
                        Cell::text(book.purpose),
                        Cell::number(next),
                        Cell::number(serial - 1),
                        Cell::number(serial - next),
                    ])?;
                }
                next = serial.saturating_add(1);
            }
        }
        Ok(())
    }
}
