//! Cash of users: movements, counts and books.

use rusqlite::Connection;

use super::action::Action;
use super::advance::money_scopes;
use super::lists::check_days;
use super::simple_sums::all;
use super::{Author, FieldClient, SimpleView};
use crate::Error;
use crate::records::{CashCount, CashMovement};
use crate::rules::{CashBook, CashRecords, cash_book};
use crate::scope::Scope;
use crate::store::simple::SimpleFilter;
use crate::units::{BusinessDate, CentreCode, Money, UserId};

impl FieldClient {
    /// Records a count of the current user's cash at a centre, beside what this phone expects at the end of the day.
    ///
    /// # Errors
    /// [`Error::Invalid`] of `counted_minor`, [`Error::TooLarge`] if a balance is no amount; the other errors of [`Self::record_simple`].
    pub fn count_cash(
        &self,
        centre: &CentreCode,
        date: BusinessDate,
        counted_minor: Money,
    ) -> Result<SimpleView<CashCount>, Error> {
        let user_id = self.author()?.grant.user_id;
        // What is expected is computed in the transaction that writes the count.
        let count = CashCount { user_id, date, counted_minor, expected_minor: Money::ZERO };
        self.record_simple(Some(centre), count)
    }

    /// Returns the cash book of a user over these days, by the records of the granted centres on this phone; with `None`, of the current user.
    ///
    /// # Errors
    /// [`Error::Invalid`] of `from_date`, [`Error::TooLarge`] if a balance is no amount, [`Error::Refused`] for another user than the current
    /// one by a role that reports on its own work only, and on a locked phone; [`Error::Unauthorized`], [`Error::Store`].
    pub fn cash_book(&self, user: Option<UserId>, from: BusinessDate, to: BusinessDate) -> Result<CashBook, Error> {
        let author = self.author()?;
        author.require_contact()?;
        check_days(Some(from), Some(to))?;
        let (own, role) = (author.grant.user_id, author.grant.role);
        let user = user.unwrap_or(own);
        if user != own && !role.reports_on_others() {
            return Err(Error::not_allowed(format!("role {role} may not see the cash of others")));
        }
        let records = self.store.read(|db| cash_records(db, &money_scopes(&author, None)))?;
        Ok(cash_book(user, &records, from, to)?)
    }

    /// Writes into a count whose cash it is and what this phone expects.
    pub(super) fn complete_count(action: &Action<'_>, content: &mut CashCount) -> Result<(), Error> {
        let (author, date) = (action.author, content.date);
        content.user_id = author.grant.user_id;
        let records = cash_records(action.db, &money_scopes(author, None))?;
        content.expected_minor = cash_book(content.user_id, &records, date, date)?.closing_minor;
        Ok(())
    }
}

/// Requires that the author gives the cash, for the office only as an admin or accountant, and that a user who receives it is known.
pub(super) fn check_movement(author: &Author, content: &CashMovement) -> Result<(), Error> {
    if !content.from.is_represented_by(author.grant.user_id, author.grant.role) {
        return Err(Error::invalid("from", "who gives the cash records it; for the office, an admin or accountant"));
    }
    match content.to.user_id() {
        Some(user) if author.reference.user(user).is_none() => Err(Error::invalid("to", "no such user is known here")),
        _ => Ok(()),
    }
}

/// Returns all records of these scopes from which cash books follow.
pub(super) fn cash_records(db: &Connection, scopes: &[Scope]) -> Result<CashRecords, Error> {
    let filter = SimpleFilter::default();
    Ok(CashRecords {
        advances: all(db, scopes, &filter)?,
        movements: all(db, scopes, &filter)?,
        counts: all(db, scopes, &filter)?,
    })
}
