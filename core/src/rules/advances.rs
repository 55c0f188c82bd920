//! What farmers owe by the advances that are known, and the sums that limits compare.

use std::collections::BTreeMap;

use super::AmountTooLarge;
use crate::decisions::RuleSet;
use crate::records::advance::{AdvanceKind, PaymentMethod};
use crate::records::simple::SimpleState;
use crate::records::{Advance, Simple};
use crate::units::{BusinessDate, DocumentId, FarmerId, Money};

/// An advance that is not settled, as far as this device knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenAdvance {
    /// Id of the advance.
    pub record_id: DocumentId,
    /// Farmer who got it.
    pub farmer_id: FarmerId,
    /// Day on which it was given.
    pub date: BusinessDate,
    /// What it was given for.
    pub kind: AdvanceKind,
    /// The way in which it was given.
    pub method: PaymentMethod,
    /// Amount that was given.
    pub amount_minor: Money,
    /// Amount less the goods that came back; above zero.
    pub outstanding_minor: Money,
    /// Days since it was given; 0 for a later day.
    pub age_days: u32,
}

/// Returns the advances of which something is outstanding, oldest first. Those that were cancelled do not count, nor do their returns.
pub fn open_advances(advances: &[Simple<Advance>], today: BusinessDate) -> Vec<OpenAdvance> {
    let standing = || advances.iter().filter(|it| it.state() != SimpleState::Withdrawn);
    let mut returned = BTreeMap::<DocumentId, i128>::new();
    for it in standing() {
        if let AdvanceKind::Returned { advance_id, .. } = it.content.kind {
            *returned.entry(advance_id).or_default() += i128::from(it.content.amount_minor.minor());
        }
    }
    let given = standing().filter(|it| !matches!(it.content.kind, AdvanceKind::Returned { .. }));
    let open = |it: &Simple<Advance>| {
        let Advance { farmer_id, amount_minor, method, date, ref kind, .. } = it.content;
        let left = i128::from(amount_minor.minor()) - returned.get(&it.record_id).copied().unwrap_or_default();
        let outstanding_minor = Money::from_wide(left).filter(|left| *left > Money::ZERO)?;
        let age_days = u32::try_from(today.0.saturating_sub(date.0)).unwrap_or(0);
        let (record_id, kind) = (it.record_id, kind.clone());
        Some(OpenAdvance { record_id, farmer_id, date, kind, method, amount_minor, outstanding_minor, age_days })
    };
    let mut open: Vec<OpenAdvance> = given.filter_map(open).collect();
    open.sort_by_key(|it| (it.date, it.record_id));
    open
}

/// Returns what is outstanding of all these advances.
///
/// # Errors
/// [`AmountTooLarge`] if the sum is no amount.
pub fn outstanding(advances: &[OpenAdvance]) -> Result<Money, AmountTooLarge> {
    Money::checked_sum(advances.iter().map(|it| it.outstanding_minor)).ok_or(AmountTooLarge)
}

/// Returns the limit of the open advances of one farmer on a day: the lowest that the rule sets in force name, one for each commodity; `None`
/// if none names one.
pub fn farmer_limit<'a>(rule_sets: impl IntoIterator<Item = &'a RuleSet>, date: BusinessDate) -> Option<Money> {
    let mut in_force = BTreeMap::<_, &RuleSet>::new();
    for rules in rule_sets.into_iter().filter(|it| it.valid_from <= date) {
        let newest = in_force.entry(&rules.commodity).or_insert(rules);
        if rules.number > newest.number {
            *newest = rules;
        }
    }
    in_force.values().filter_map(|rules| rules.approval.farmer_advances).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Stamp;
    use crate::records::simple::{SimpleEvent, SimpleStep};
    use crate::units::{DeviceCode, HybridTime, UserId};

    fn minor(amount: i64) -> Money {
        Money::try_from(amount).expect("an amount")
    }

    fn stamp() -> Stamp {
        let at = HybridTime { wall_ms: 1, counter: 0 };
        Stamp { user_id: UserId::from([1; 16]), device_code: DeviceCode(32), at, clock_suspect: false }
    }

    fn advance(number: u8, day: i32, amount: i64, kind: AdvanceKind) -> Simple<Advance> {
        let content = Advance {
            farmer_id: FarmerId::from([1; 16]),
            amount_minor: minor(amount),
            method: PaymentMethod::Cash,
            date: BusinessDate(day),
            reason_code: "seed".into(),
            reference: String::new(),
            kind,
            paper_entry: None,
        };
        Simple {
            record_id: [number; 16].into(),
            made: stamp(),
            content,
            steps: Vec::new(),
            corrections: Vec::new(),
            conflicts: Vec::new(),
        }
    }

    fn cancelled(mut advance: Simple<Advance>) -> Simple<Advance> {
        advance.steps.push(SimpleEvent { stamp: stamp(), step: SimpleStep::Withdrawn, reason: None });
        advance
    }

    fn returned(of: u8) -> AdvanceKind {
        AdvanceKind::Returned { advance_id: [of; 16].into(), items: Vec::new() }
    }

    fn shown(advances: &[Simple<Advance>]) -> Vec<(i64, u32)> {
        let open = open_advances(advances, BusinessDate(50));
        open.iter().map(|it| (it.outstanding_minor.minor(), it.age_days)).collect()
    }

    #[test]
    fn advances_are_listed_oldest_first_less_what_came_back() {
        let (cash, goods) = (|| AdvanceKind::Cash, || AdvanceKind::InKind { items: Vec::new(), store: String::new() });
        let (late, early) = (advance(1, 40, 300, cash()), advance(2, 10, 500, goods()));
        assert_eq!(shown(&[late.clone(), early.clone()]), [(500, 40), (300, 10)]);
        assert_eq!(shown(&[early.clone(), advance(3, 41, 499, returned(2))]), [(1, 40)]);
        assert_eq!(shown(&[advance(3, 41, 500, returned(2)), early.clone()]), []);
        assert_eq!(shown(&[early.clone(), cancelled(advance(3, 41, 499, returned(2)))]), [(500, 40)]);
        assert_eq!(shown(&[cancelled(early), late, advance(4, 60, 5, cash())]), [(300, 10), (5, 0)]);
    }

    #[test]
    fn a_sum_that_is_no_amount_is_an_error() {
        let largest = |number| advance(number, 1, Money::MAX.minor(), AdvanceKind::Cash);
        let open = |advances: &[Simple<Advance>]| outstanding(&open_advances(advances, BusinessDate(1)));
        assert_eq!(open(&[largest(1)]), Ok(Money::MAX));
        assert_eq!(open(&[largest(1), largest(2)]), Err(AmountTooLarge));
    }

    #[test]
    fn the_limit_of_a_farmer_is_the_lowest_of_the_newest_rule_sets() {
        let rules = |number, commodity: &str, day, limit: Option<i64>| {
            let mut rules = RuleSet::new(number, commodity.parse().expect("a code"), BusinessDate(day), Vec::new());
            rules.approval.farmer_advances = limit.map(minor);
            rules
        };
        let limit = |all: &[RuleSet], day| farmer_limit(all, BusinessDate(day)).map(Money::minor);
        let (old, new) = (rules(1, "TOMATO", 1, Some(10)), rules(2, "TOMATO", 5, Some(90)));
        let (other, without) = (rules(3, "MAIZE", 1, Some(70)), rules(4, "TOMATO", 7, None));
        assert_eq!(limit(&[], 5), None);
        assert_eq!(limit(&[old.clone(), new.clone()], 4), Some(10));
        assert_eq!(limit(&[new.clone(), old.clone()], 5), Some(90));
        assert_eq!(limit(&[new.clone(), old, other.clone()], 5), Some(70));
        assert_eq!(limit(&[new, without, other], 7), Some(70));
    }
}
