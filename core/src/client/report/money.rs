//! Reports on advances and cash.

use std::collections::BTreeMap;

use super::{Cell, Run, Sink};
use crate::Error;
use crate::client::advance::money_scopes;
use crate::client::cash::cash_records;
use crate::client::simple_sums::all;
use crate::records::Advance;
use crate::rules::{AmountTooLarge, OpenAdvance, cash_book, open_advances};
use crate::store::simple::SimpleFilter;
use crate::units::{BusinessDate, FarmerId, Money};

pub(super) const ADVANCES: [&str; 9] = [
    "farmer_code",
    "farmer_name",
    "advances",
    "outstanding_minor",
    "oldest_date",
    "to_30_days_minor",
    "to_60_days_minor",
    "to_90_days_minor",
    "over_90_days_minor",
];
pub(super) const CASH_BOOK: [&str; 6] = ["clerk", "date", "line", "amount_minor", "balance_minor", "record_id"];

/// Last ages of the columns of [`ADVANCES`], in days.
const AGES: [u32; 4] = [30, 60, 90, u32::MAX];

impl Run<'_> {
    pub(super) fn advances(&self, sink: Sink<'_>) -> Result<(), Error> {
        let filter = SimpleFilter { farmer_id: self.query.farmer_id, ..SimpleFilter::default() };
        let mut known = all::<Advance>(self.db, &money_scopes(self.author, self.query.centre.as_ref()), &filter)?;
        known.retain(|it| self.only_user.is_none_or(|user| it.made.user_id == user));
        let (from, to) = (self.query.from_date, self.query.to_date);
        let is_within = |it: &OpenAdvance| from.is_none_or(|day| day <= it.date) && to.is_none_or(|day| it.date <= day);
        let mut of_farmers = BTreeMap::<FarmerId, Vec<OpenAdvance>>::new();
        for it in open_advances(&known, self.today).into_iter().filter(is_within) {
            of_farmers.entry(it.farmer_id).or_default().push(it);
        }
        for (farmer, open) in of_farmers {
            let [code, name] = self.farmer_cells(farmer)?;
            let oldest = open.first().map(|it| it.date);
            let mut cells = vec![code, name, Cell::number(open.len()), sum(&open, 0..=u32::MAX)?, Cell::maybe(oldest)];
            let mut first = 0;
            for last in AGES {
                cells.push(sum(&open, first..=last)?);
                first = last.saturating_add(1);
            }
            sink(cells)?;
        }
        Ok(())
    }

    pub(super) fn cash_book(&self, sink: Sink<'_>) -> Result<(), Error> {
        let records = cash_records(self.db, &money_scopes(self.author, self.query.centre.as_ref()))?;
        let from = self.query.from_date.unwrap_or(BusinessDate(i32::MIN));
        let to = self.query.to_date.unwrap_or(BusinessDate(i32::MAX));
        let users = records.users().into_iter().filter(|it| self.only_user.is_none_or(|user| user == *it));
        for user in users {
            let book = cash_book(user, &records, from, to)?;
            let total = |line: &str, balance: Money| {
                let cells = [self.clerk(user), Cell::Empty, Cell::text(line), Cell::Empty];
                cells.into_iter().chain([Cell::Number(balance.minor()), Cell::Empty]).collect()
            };
            sink(total("opening", book.opening_minor))?;
            for it in &book.lines {
                let amounts = [it.amount_minor, it.balance_minor].map(|amount| Cell::Number(amount.minor()));
                let cells = [self.clerk(user), Cell::text(it.date), Cell::text(it.kind)];
                sink(cells.into_iter().chain(amounts).chain([Cell::text(it.record_id)]).collect())?;
            }
            sink(total("closing", book.closing_minor))?;
        }
        Ok(())
    }
}

/// Returns what is outstanding of the advances of these ages.
fn sum(open: &[OpenAdvance], ages: std::ops::RangeInclusive<u32>) -> Result<Cell, Error> {
    let amounts = open.iter().filter(|it| ages.contains(&it.age_days)).map(|it| it.outstanding_minor);
    Ok(Cell::Number(Money::checked_sum(amounts).ok_or(AmountTooLarge)?.minor()))
}
