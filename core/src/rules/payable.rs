//! What is paid to a farmer (formula 12 of `docs/arithmetic.md`).

use super::rounding::divide;
use super::value::AmountTooLarge;
use crate::decisions::Rounding;
use crate::units::Money;

use std::num::NonZeroU64;

/// What one farmer is paid at a settlement, and what is carried forward.
///
/// `available − recovered + shortfall + cash_rounding = payable`, and `carried = −shortfall − cash_rounding`: the printed lines add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payable {
    /// Value with bonuses and without fees.
    pub available: Money,
    /// What was recovered.
    pub recovered: Money,
    /// What fees and recovery are above the value, which the next settlement recovers; 0 if nothing is missing.
    pub shortfall: Money,
    /// What rounding to the cash unit adds; negative if it takes.
    pub cash_rounding: Money,
    /// What is paid.
    pub payable: Money,
    /// What is carried to the next settlement; negative if the farmer owes it.
    pub carried: Money,
}

/// Computes what is paid. `cash_unit` is the smallest amount of cash; `None` for a payment that is not in cash, or pays minor units.
///
/// # Errors
/// [`AmountTooLarge`] if the result is beyond the bounds of its unit.
pub fn payable(
    available: Money,
    recovered: Money,
    cash_unit: Option<Money>,
    rounding: Rounding,
) -> Result<Payable, AmountTooLarge> {
    let exact = available.checked_sub(recovered).ok_or(AmountTooLarge)?;
    let shortfall = (-exact).max(Money::ZERO);
    let exact = exact.max(Money::ZERO);
    let payable = match cash_unit.and_then(|unit| NonZeroU64::new(u64::try_from(unit.minor()).ok()?)) {
        Some(unit) => {
            let units = divide(exact.minor().into(), unit, rounding);
            Money::from_wide(units * i128::from(unit.get())).ok_or(AmountTooLarge)?
        }
        None => exact,
    };
    let cash_rounding = payable.checked_sub(exact).ok_or(AmountTooLarge)?;
    let carried = (-shortfall).checked_sub(cash_rounding).ok_or(AmountTooLarge)?;
    Ok(Payable { available, recovered, shortfall, cash_rounding, payable, carried })
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::money;
    use super::*;

    fn paid(available: i64, recovered: i64, unit: Option<i64>, rounding: Rounding) -> (i64, i64, i64, i64) {
        let it = payable(money(available), money(recovered), unit.map(money), rounding).expect("amounts");
        (it.payable.minor(), it.shortfall.minor(), it.cash_rounding.minor(), it.carried.minor())
    }

    #[test]
    fn fees_above_the_value_are_carried_forward_and_never_dropped() {
        assert_eq!(paid(-700, 0, None, Rounding::default()), (0, 700, 0, -700));
        assert_eq!(paid(-700, 0, Some(100), Rounding::default()), (0, 700, 0, -700));
    }

    #[test]
    fn cash_is_rounded_to_its_unit_and_the_rest_is_carried_forward() {
        let half = Rounding::HalfAwayFromZero;
        assert_eq!(paid(7_140_150, 1_500_000, None, half), (5_640_150, 0, 0, 0));
        for (unit, rounding, expected) in [
            (100, half, (5_640_200, 0, 50, -50)),
            (100, Rounding::HalfEven, (5_640_200, 0, 50, -50)),
            (100, Rounding::Down, (5_640_100, 0, -50, 50)),
            (500, half, (5_640_000, 0, -150, 150)),
            (500, Rounding::Up, (5_640_500, 0, 350, -350)),
            (1, half, (5_640_150, 0, 0, 0)),
            (0, half, (5_640_150, 0, 0, 0)),
        ] {
            assert_eq!(paid(7_140_150, 1_500_000, Some(unit), rounding), expected, "{unit} {rounding}");
        }
    }

    #[test]
    fn amounts_beyond_all_bounds_are_an_error() {
        let unit = money(7);
        assert_eq!(payable(Money::MAX, Money::MIN, None, Rounding::default()), Err(AmountTooLarge));
        assert_eq!(payable(Money::MAX, Money::ZERO, Some(unit), Rounding::Up), Err(AmountTooLarge));
    }
}
