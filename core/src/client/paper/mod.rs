//! Papers of the records on this phone: receipts, manifests, statements and day books, as pages that every form takes.
//!
//! Owns what each paper says. Words, forms and printing are in [`crate::paper`]; a print is recorded with
//! [`FieldClient::record_print`], because only the app knows that paper was used.

mod day_book;
mod manifest;
mod receipt;
mod statement;

use super::{Author, FieldClient, not_found, require_visible};
use crate::Error;
use crate::decisions::Centre;
use crate::paper::{CopyNumber, FarmerName, Heading, Instant, Page, Wording};
use crate::records::delivery::Reason;
use crate::records::{Delivery, Load};
use crate::store::rows;
use crate::store::seam;
use crate::units::{BusinessDate, CentreCode, Currency, DeliveryId, FarmerId, LoadId, Timestamp};

impl FieldClient {
    /// Returns the receipt of a recorded delivery, as the next print of it. A voided delivery's receipt says so.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for a draft; [`Error::Unauthorized`], [`Error::Refused`] on a locked phone, [`Error::Store`].
    pub fn receipt(&self, delivery_id: DeliveryId, wording: Wording) -> Result<Page, Error> {
        let (author, now) = (self.author()?, self.now());
        self.store.read(|db| {
            let found = require_visible::<Delivery>(db, &author, delivery_id, "delivery")?;
            let version = found.version();
            let desk = Desk { db, author: &author, wording };
            Ok(desk.receipt(&found.record, version, now)?.page(wording))
        })
    }

    /// Returns the manifest of a load: of the last request to close it, or of the deliveries on it that are here if there is none.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unauthorized`], [`Error::Refused`] on a locked phone, [`Error::Store`].
    pub fn manifest(&self, load_id: LoadId, wording: Wording) -> Result<Page, Error> {
        let (author, now) = (self.author()?, self.now());
        self.store.read(|db| {
            let load = require_visible::<Load>(db, &author, load_id, "load")?.record;
            Ok(Desk { db, author: &author, wording }.manifest(&load, now)?.page(wording))
        })
    }

    /// Returns the statement of a farmer: the deliveries of a period that are on this phone and not voided.
    ///
    /// # Errors
    /// [`Error::Invalid`] of `from_date` after `to_date`; [`Error::TooLarge`] of `rows` for more than
    /// [`MAX_REPORT_ROWS`](crate::limits::MAX_REPORT_ROWS); [`Error::NotFound`], [`Error::Unauthorized`], [`Error::Refused`] on a locked
    /// phone, [`Error::Store`].
    pub fn statement(
        &self,
        farmer_id: FarmerId,
        from_date: BusinessDate,
        to_date: BusinessDate,
        wording: Wording,
    ) -> Result<Page, Error> {
        super::lists::check_days(Some(from_date), Some(to_date))?;
        let (author, now) = (self.author()?, self.now());
        self.store.read(|db| {
            let desk = Desk { db, author: &author, wording };
            Ok(desk.statement(farmer_id, from_date, to_date, now)?.page(wording))
        })
    }

    /// Returns the current user's day book of a centre.
    ///
    /// # Errors
    /// [`Error::Refused`] for a centre that is not granted, and on a locked phone; [`Error::TooLarge`] as for [`Self::statement`];
    /// [`Error::Unauthorized`], [`Error::Store`].
    pub fn day_book(&self, centre: &CentreCode, date: BusinessDate, wording: Wording) -> Result<Page, Error> {
        let (author, now) = (self.author()?, self.now());
        author.require_centre(centre)?;
        self.store.read(|db| Ok(Desk { db, author: &author, wording }.day_book(centre, date, now)?.page(wording)))
    }
}

/// What a paper is written from: one snapshot, for one reader.
struct Desk<'a> {
    db: &'a rusqlite::Connection,
    author: &'a Author,
    wording: Wording,
}

impl Desk<'_> {
    fn heading(&self, centre: &CentreCode, copy: CopyNumber) -> Heading {
        let reference = &self.author.reference;
        let organisation = reference.organisation().map_or_else(String::new, |it| it.name.clone());
        let named = reference.latest::<Centre>(centre.as_str()).map(|it| it.name.clone());
        Heading { organisation, centre: named.unwrap_or_else(|| centre.to_string()), copy }
    }

    fn instant(&self, at: Timestamp) -> Instant {
        let zone_minutes = self.author.reference.organisation().map_or(0, |it| it.zone_minutes);
        Instant { at, zone_minutes }
    }

    /// Returns the currency; [`Error::NotFound`] before the organisation's data have arrived.
    fn currency(&self) -> Result<Currency, Error> {
        let organisation = self.author.reference.organisation().ok_or_else(|| not_found("organisation"))?;
        Ok(organisation.currency.clone())
    }

    /// Returns how a paper names a farmer; empty texts if they are not on this phone, or the reader may not know who the farmers are.
    fn farmer(&self, farmer_id: FarmerId) -> Result<FarmerName, Error> {
        if !self.author.grant.role.sees_farmers() {
            return Ok(FarmerName::default());
        }
        let row = rows::farmer_row(&mut seam(self.db), farmer_id)?;
        let (code, contact) = row.map_or_else(Default::default, |row| (row.code, row.contact));
        Ok(FarmerName { code, name: contact.name, phone: contact.phone })
    }
}

/// Returns a reason as text: what the person wrote, or else its code.
fn reason_text(reason: &Reason) -> String {
    if reason.text.is_empty() { reason.code.clone() } else { reason.text.clone() }
}
