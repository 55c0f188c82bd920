//! Cash books: what a user should have in cash, by the records that are known.

use super::AmountTooLarge;
use crate::records::advance::AdvanceKind;
use crate::records::simple::{SimpleState, SimpleStep};
use crate::records::{Advance, CashCount, CashMovement, Simple};
use crate::units::{BusinessDate, DocumentId, HybridTime, Money, UserId, named};

named! {
    /// What a line of a cash book is.
    pub CashLineKind, "a line of a cash book" {
        /// Cash that the user received, and confirmed.
        Received = "received",
        /// Cash that the user gave to another user or the office.
        Given = "given",
        /// An advance in cash.
        Advance = "advance",
        /// Cash on the spot for a delivery.
        OnAccount = "on_account",
        /// A count; its amount is the difference to the balance before.
        Count = "count",
    }
}

/// A line of a cash book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CashLine {
    /// Record from which it follows.
    pub record_id: DocumentId,
    /// Day of the line.
    pub date: BusinessDate,
    /// What it is.
    pub kind: CashLineKind,
    /// Amount by which the cash grew; negative for what was paid out.
    pub amount_minor: Money,
    /// What the user should have after it.
    pub balance_minor: Money,
}

/// Cash book of a user over some days, as far as this device knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CashBook {
    /// The user.
    pub user_id: UserId,
    /// Balance before the first day.
    pub opening_minor: Money,
    /// Lines of the days, by day, then in the order of their recording.
    pub lines: Vec<CashLine>,
    /// Balance after the last day.
    pub closing_minor: Money,
}

/// Records from which cash books follow.
#[derive(Clone, Debug, Default)]
pub struct CashRecords {
    /// Advances in any form; those in cash count.
    pub advances: Vec<Simple<Advance>>,
    /// Movements of cash between users and the office.
    pub movements: Vec<Simple<CashMovement>>,
    /// What users counted, on any day.
    pub counts: Vec<Simple<CashCount>>,
}

impl CashRecords {
    /// Returns the users who gave, received, paid out or counted cash, sorted.
    pub fn users(&self) -> Vec<UserId> {
        let advances = self.advances.iter().filter(|it| it.content.in_cash().is_some()).map(|it| it.made.user_id);
        let sides = |it: &Simple<CashMovement>| [it.content.from.user_id(), it.content.to.user_id()];
        let moved = self.movements.iter().flat_map(sides).flatten();
        let counted = self.counts.iter().map(|it| it.content.user_id);
        let mut users: Vec<UserId> = advances.chain(moved).chain(counted).collect();
        users.sort_unstable();
        users.dedup();
        users
    }
}

/// Returns whether the receiver of a movement confirmed it. Steps of others say nothing.
pub fn is_confirmed(movement: &Simple<CashMovement>) -> bool {
    let receiver = movement.content.to.user_id();
    let is_valid = |user| receiver.is_none_or(|it| it == user) && user != movement.made.user_id;
    movement.steps.iter().any(|it| it.step == SimpleStep::Confirmed && is_valid(it.stamp.user_id))
}

/// Returns whether a movement counts for its giver: it was not withdrawn, or the receiver has the cash.
fn stands(movement: &Simple<CashMovement>) -> bool {
    movement.state() != SimpleState::Withdrawn || is_confirmed(movement)
}

struct Entry {
    key: (BusinessDate, HybridTime, DocumentId),
    kind: CashLineKind,
    /// Amount by which the cash grows; of a count, the amount that was counted.
    amount: i128,
}

fn entries(user: UserId, records: &CashRecords) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut push = |date, made, id, kind, amount: i128| entries.push(Entry { key: (date, made, id), kind, amount });
    for it in records.advances.iter().filter(|it| it.made.user_id == user && it.state() != SimpleState::Withdrawn) {
        let Some(amount) = it.content.in_cash() else { continue };
        let is_on_account = matches!(it.content.kind, AdvanceKind::OnAccount { .. });
        let kind = if is_on_account { CashLineKind::OnAccount } else { CashLineKind::Advance };
        push(it.content.date, it.made.at, it.record_id, kind, -i128::from(amount.minor()));
    }
    for it in records.movements.iter().filter(|it| stands(it)) {
        let (content, amount) = (&it.content, i128::from(it.content.amount_minor.minor()));
        if content.from.user_id() == Some(user) {
            push(content.date, it.made.at, it.record_id, CashLineKind::Given, -amount);
        } else if content.to.user_id() == Some(user) && is_confirmed(it) {
            push(content.date, it.made.at, it.record_id, CashLineKind::Received, amount);
        }
    }
    let counts = records.counts.iter().filter(|it| it.content.user_id == user && it.state() != SimpleState::Withdrawn);
    for it in counts {
        let counted = i128::from(it.content.counted_minor.minor());
        push(it.content.date, it.made.at, it.record_id, CashLineKind::Count, counted);
    }
    entries.sort_by_key(|it| it.key);
    entries
}

/// Returns the cash book of a user over these days. After a count, the user has what was counted.
///
/// # Errors
/// [`AmountTooLarge`] if a balance or difference is no amount.
pub fn cash_book(
    user_id: UserId,
    records: &CashRecords,
    from: BusinessDate,
    to: BusinessDate,
) -> Result<CashBook, AmountTooLarge> {
    let amount = |wide: i128| Money::from_wide(wide).ok_or(AmountTooLarge);
    let (mut opening, mut balance, mut lines) = (0, 0, Vec::new());
    for Entry { key: (date, _, record_id), kind, amount: value } in entries(user_id, records) {
        let change = if kind == CashLineKind::Count { value - balance } else { value };
        if date > to {
            break;
        }
        balance += change;
        if date < from {
            opening = balance;
            continue;
        }
        let (amount_minor, balance_minor) = (amount(change)?, amount(balance)?);
        lines.push(CashLine { record_id, date, kind, amount_minor, balance_minor });
    }
    Ok(CashBook { user_id, opening_minor: amount(opening)?, lines, closing_minor: amount(balance)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Stamp;
    use crate::records::advance::PaymentMethod;
    use crate::records::cash_movement::CashHolder;
    use crate::records::simple::{SimpleEvent, SimpleKind};
    use crate::units::{DeviceCode, FarmerId};

    fn user(number: u8) -> UserId {
        UserId::from([number; 16])
    }

    fn minor(amount: i64) -> Money {
        Money::try_from(amount).expect("an amount")
    }

    fn record<C: SimpleKind>(number: u8, author: u8, content: C) -> Simple<C> {
        let at = HybridTime { wall_ms: number.into(), counter: 0 };
        let made = Stamp { user_id: user(author), device_code: DeviceCode(32), at, clock_suspect: false };
        Simple {
            record_id: [number; 16].into(),
            made,
            content,
            steps: Vec::new(),
            corrections: Vec::new(),
            conflicts: Vec::new(),
        }
    }

    fn takes<C: SimpleKind>(mut record: Simple<C>, author: u8, step: SimpleStep) -> Simple<C> {
        let stamp = Stamp { user_id: user(author), ..record.made };
        record.steps.push(SimpleEvent { stamp, step, reason: None });
        record
    }

    fn moved(number: u8, to: CashHolder, day: i32, amount: i64) -> Simple<CashMovement> {
        let (from, reference) = (CashHolder::User { user_id: user(1) }, String::new());
        record(number, 1, CashMovement { from, to, amount_minor: minor(amount), date: BusinessDate(day), reference })
    }

    fn paid(number: u8, day: i32, amount: i64, method: PaymentMethod) -> Simple<Advance> {
        let (farmer_id, kind) = (FarmerId::from([7; 16]), AdvanceKind::Cash);
        let (amount_minor, date) = (minor(amount), BusinessDate(day));
        let (reason_code, reference) = ("seed".into(), String::new());
        record(
            number,
            2,
            Advance { farmer_id, amount_minor, method, date, reason_code, reference, kind, paper_entry: None },
        )
    }

    fn counted(number: u8, day: i32, amount: i64) -> Simple<CashCount> {
        let (counted_minor, expected_minor) = (minor(amount), Money::ZERO);
        record(number, 2, CashCount { user_id: user(2), date: BusinessDate(day), counted_minor, expected_minor })
    }

    fn book(number: u8, records: &CashRecords, from: i32, to: i32) -> (i64, Vec<(i64, i64)>, i64) {
        let book = cash_book(user(number), records, BusinessDate(from), BusinessDate(to)).expect("a book");
        let lines = book.lines.iter().map(|it| (it.amount_minor.minor(), it.balance_minor.minor())).collect();
        (book.opening_minor.minor(), lines, book.closing_minor.minor())
    }

    #[test]
    fn cash_is_with_its_giver_or_under_way_until_the_receiver_confirms() {
        let to = CashHolder::User { user_id: user(2) };
        let closing = |movement: Simple<CashMovement>| {
            let records = CashRecords { movements: vec![movement], ..CashRecords::default() };
            [1, 2].map(|number| book(number, &records, 1, 9).2)
        };
        let open = moved(1, to, 1, 100);
        assert_eq!(closing(open.clone()), [-100, 0]);
        assert_eq!(closing(takes(open.clone(), 2, SimpleStep::Confirmed)), [-100, 100]);
        for author in [1, 3] {
            assert_eq!(closing(takes(open.clone(), author, SimpleStep::Confirmed)), [-100, 0], "not the receiver");
        }
        let withdrawn = takes(open, 1, SimpleStep::Withdrawn);
        assert_eq!(closing(withdrawn.clone()), [0, 0]);
        assert_eq!(closing(takes(withdrawn, 2, SimpleStep::Confirmed)), [-100, 100], "who has it, has it");
    }

    #[test]
    fn a_book_goes_from_opening_to_closing_and_a_count_sets_the_balance() {
        let to = CashHolder::User { user_id: user(2) };
        let cancelled = takes(paid(6, 2, 7, PaymentMethod::Cash), 2, SimpleStep::Withdrawn);
        let records = CashRecords {
            movements: vec![takes(moved(1, to, 1, 100), 2, SimpleStep::Confirmed)],
            advances: vec![
                paid(4, 3, 25, PaymentMethod::Cash),
                paid(2, 2, 30, PaymentMethod::Cash),
                paid(5, 2, 1_000, PaymentMethod::MobileMoney),
                cancelled,
            ],
            counts: vec![counted(3, 2, 65)],
        };
        assert_eq!(book(2, &records, 1, 1), (0, vec![(100, 100)], 100));
        assert_eq!(book(2, &records, 2, 2), (100, vec![(-30, 70), (-5, 65)], 65));
        assert_eq!(book(2, &records, 3, 9), (65, vec![(-25, 40)], 40));
        assert_eq!(book(2, &records, 9, 9), (40, vec![], 40));
        assert_eq!(records.users(), [user(1), user(2)]);
    }
}
