//! Interest on advances (formula 10 of `docs/arithmetic.md`).

use super::rounding::{WHOLE, denominator, divide};
use super::value::AmountTooLarge;
use crate::decisions::{DayCount, InterestPolicy, Rounding};
use crate::units::{BusinessDate, Money};

/// A repayment of principal. Of the day on which it is made, interest is still due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repayment {
    /// Day of the repayment.
    pub on: BusinessDate,
    /// Principal that was repaid.
    pub amount: Money,
}

/// An advance, as far as its interest depends on it. Interest that was charged and not paid is carried without interest, so it is not part of
/// the principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterestInput<'a> {
    /// Amount that was paid out.
    pub principal: Money,
    /// Day on which it was paid out, which bears no interest.
    pub paid_on: BusinessDate,
    /// Repayments of principal in any order.
    pub repayments: &'a [Repayment],
    /// Last day for which interest was charged; `None` for none.
    pub accrued_through: Option<BusinessDate>,
    /// Interest that was charged before, paid or not.
    pub charged: Money,
}

/// Interest of one advance at a settlement: a printed line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interest {
    /// Day after which it begins.
    pub from: BusinessDate,
    /// Days that bear interest, the day of settlement included.
    pub days: u32,
    /// The interest, rounded once for all periods between repayments.
    pub amount: Money,
}

/// Returns the interest of an advance that a settlement on a day charges.
///
/// # Errors
/// [`AmountTooLarge`] if the result is beyond the bounds of its unit.
pub fn interest(
    advance: &InterestInput<'_>,
    settled_on: BusinessDate,
    policy: &InterestPolicy,
    rounding: Rounding,
) -> Result<Interest, AmountTooLarge> {
    let grace = i32::try_from(policy.grace_days).unwrap_or(i32::MAX);
    let begins = BusinessDate(advance.paid_on.0.saturating_add(grace));
    let from = advance.accrued_through.map_or(begins, |through| begins.max(through));

    let mut repayments = advance.repayments.to_vec();
    repayments.retain(|it| it.on <= settled_on);
    repayments.sort_by_key(|it| it.on);
    let (mut since, mut outstanding, mut amount_days) = (from, i128::from(advance.principal.minor()), 0_i128);
    for Repayment { on, amount } in repayments {
        amount_days += outstanding.max(0) * i128::from(days(since, on, policy.day_count));
        (since, outstanding) = (since.max(on), outstanding - i128::from(amount.minor()));
    }
    amount_days += outstanding.max(0) * i128::from(days(since, settled_on, policy.day_count));

    let year = if policy.day_count == DayCount::Actual365 { 365 } else { 360 };
    let numerator = amount_days * i128::from(policy.rate.per_year());
    let mut amount = divide(numerator, denominator(WHOLE.get() * year), rounding);
    if let Some(cap) = policy.cap {
        let most = i128::from(advance.principal.minor()) * i128::from(cap.hundredths());
        amount = amount.min((divide(most, WHOLE, rounding) - i128::from(advance.charged.minor())).max(0));
    }
    let amount = Money::from_wide(amount).ok_or(AmountTooLarge)?;
    Ok(Interest { from, days: days(from, settled_on, policy.day_count), amount })
}

/// Returns the days after one day, up to and with another; 0 if that is not later.
fn days(from: BusinessDate, to: BusinessDate, count: DayCount) -> u32 {
    let calendar = i64::from(to.0) - i64::from(from.0);
    let days = match (count, from.year_month_day(), to.year_month_day()) {
        (DayCount::Thirty360, Some(from), Some(to)) => {
            let of = |(year, month, day): (i32, u32, u32)| {
                i64::from(year) * 360 + i64::from(month) * 30 + i64::from(day.min(30))
            };
            of(to) - of(from)
        }
        _ => calendar,
    };
    u32::try_from(days).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fixtures::{day, money, percent};
    use super::*;

    fn policy() -> InterestPolicy {
        InterestPolicy { rate: 1_800.try_into().expect("a rate"), ..InterestPolicy::default() }
    }

    fn advance(repayments: &[Repayment]) -> InterestInput<'_> {
        InterestInput {
            principal: money(300_000),
            paid_on: day("2023-12-01"),
            repayments,
            accrued_through: None,
            charged: Money::ZERO,
        }
    }

    fn charged(advance: &InterestInput<'_>, on: &str, policy: &InterestPolicy) -> (u32, i64) {
        let line = interest(advance, day(on), policy, Rounding::default()).expect("an amount");
        (line.days, line.amount.minor())
    }

    #[test]
    fn the_day_of_payment_bears_no_interest_and_the_day_of_settlement_does() {
        assert_eq!(charged(&advance(&[]), "2023-11-30", &policy()), (0, 0));
        assert_eq!(charged(&advance(&[]), "2023-12-01", &policy()), (0, 0));
        assert_eq!(charged(&advance(&[]), "2023-12-02", &policy()), (1, 148));
    }

    #[test]
    fn a_repayment_splits_the_period_and_the_line_is_rounded_once() {
        let repaid = |on, minor| Repayment { on: day(on), amount: money(minor) };
        // 20 days of 3,000.00, 10 of 2,000.00, 20 of 500.00: 90,000.00 for a day, at 18 %. The order of the list has no meaning.
        let repayments = [repaid("2023-12-31", 150_000), repaid("2023-12-21", 100_000), repaid("2024-02-01", 50_000)];
        assert_eq!(charged(&advance(&repayments), "2024-01-20", &policy()), (50, 4_438));
        let too_much = [repaid("2023-12-11", 400_000)];
        assert_eq!(charged(&advance(&too_much), "2024-01-20", &policy()), (50, 1_479));
    }

    #[test]
    fn interest_begins_after_grace_or_after_what_was_charged_whichever_is_later() {
        let grace = InterestPolicy { grace_days: 30, ..policy() };
        let through = |on| InterestInput { accrued_through: Some(day(on)), ..advance(&[]) };
        assert_eq!(charged(&through("2023-12-10"), "2024-01-20", &grace).0, 20);
        assert_eq!(charged(&through("2024-01-10"), "2024-01-20", &grace).0, 10);
        assert_eq!(charged(&through("2024-01-20"), "2024-01-20", &grace), (0, 0));
        let endless = InterestPolicy { grace_days: u32::MAX, ..policy() };
        assert_eq!(charged(&advance(&[]), "2024-01-20", &endless), (0, 0));
    }

    #[test]
    fn days_are_counted_as_the_policy_says() {
        let mut advance = advance(&[]);
        advance.paid_on = day("2024-01-31");
        for (day_count, on, expected) in [
            (DayCount::Actual365, "2024-03-31", (60, 8_877)),
            (DayCount::Actual360, "2024-03-31", (60, 9_000)),
            (DayCount::Thirty360, "2024-03-31", (60, 9_000)),
            (DayCount::Thirty360, "2024-02-29", (29, 4_350)),
            (DayCount::Actual365, "2025-01-31", (366, 54_148)),
            (DayCount::Thirty360, "2025-01-31", (360, 54_000)),
        ] {
            let policy = InterestPolicy { day_count, ..policy() };
            assert_eq!(charged(&advance, on, &policy), expected, "{day_count} until {on}");
        }
    }

    #[test]
    fn a_cap_limits_all_interest_of_an_advance_together() {
        let capped = InterestPolicy { cap: Some(percent(200)), ..policy() };
        for (before, expected) in [(0, 6_000), (4_000, 2_000), (6_000, 0), (7_000, 0)] {
            let advance = InterestInput { charged: money(before), ..advance(&[]) };
            assert_eq!(charged(&advance, "2024-01-20", &capped).1, expected, "{before} charged before");
        }
        let wide = InterestPolicy { cap: Some(percent(10_000)), ..policy() };
        assert_eq!(charged(&advance(&[]), "2024-01-20", &wide).1, 7_397);
    }

    proptest! {
        #[test]
        fn no_day_is_charged_twice_or_left_out(
            principal in 0..1_000_000_000_i64, start in -3_000..30_000_i32, first in 0..2_000_i32, second in 0..2_000_i32,
            grace_days in 0..60_u32, day_count in prop::sample::select(&DayCount::ALL[..]),
        ) {
            let policy = InterestPolicy { day_count, grace_days, ..policy() };
            let paid_on = BusinessDate(start);
            let (first, second) = (BusinessDate(start + first), BusinessDate(start + first + second));
            let whole = InterestInput { principal: money(principal), paid_on, ..advance(&[]) };
            let line = |it: &InterestInput<'_>, on| interest(it, on, &policy, Rounding::default()).expect("an amount");
            let once = line(&whole, second);
            let before = line(&whole, first);
            let after = line(&InterestInput { accrued_through: Some(first), ..whole }, second);
            prop_assert_eq!(before.days + after.days, once.days);
            let error = before.amount.minor() + after.amount.minor() - once.amount.minor();
            prop_assert!(error.abs() <= 1, "each line is rounded: {}", error);
        }
    }
}
