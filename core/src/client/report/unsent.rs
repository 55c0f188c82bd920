//! The report on work that the server's log does not have yet.

use super::{Cell, Run, Sink};
use crate::Error;
use crate::records::{Delivery, Kind};
use crate::records::{Farmer, Load};
use crate::store::outbox;
use crate::store::records as stored;
use crate::store::rows;
use crate::store::seam;

pub(super) const UNSENT: [&str; 8] =
    ["kind", "number", "record_id", "clerk", "sync", "changes", "oldest_at", "age_minutes"];

impl Run<'_> {
    pub(super) fn unsent(&self, sink: Sink<'_>) -> Result<(), Error> {
        for unsent in outbox::by_document(self.db)? {
            if self.only_user.is_some_and(|user| user != unsent.author_id) {
                continue;
            }
            let number = if unsent.kind == Kind::of::<Delivery>() {
                let found = stored::get::<Delivery>(&mut seam(self.db), unsent.document_id.into())?;
                Cell::maybe(found.map(|found| found.record.receipt_number()))
            } else if unsent.kind == Kind::of::<Load>() {
                Cell::maybe(rows::load_row(&mut seam(self.db), unsent.document_id.into())?.map(|row| row.number))
            } else if unsent.kind == Kind::of::<Farmer>() {
                Cell::maybe(rows::farmer_row(&mut seam(self.db), unsent.document_id.into())?.map(|row| row.code))
            } else {
                Cell::Empty
            };
            let age_minutes = (self.now.0.saturating_sub(unsent.oldest_at.0)).max(0) / 60_000;
            sink(vec![
                Cell::text(unsent.kind.name),
                number,
                Cell::text(unsent.document_id),
                self.clerk(unsent.author_id),
                Cell::text(outbox::state(self.db, unsent.document_id)?.as_str()),
                Cell::number(unsent.changes),
                Cell::text(unsent.oldest_at),
                Cell::Number(age_minutes),
            ])?;
        }
        Ok(())
    }
}
