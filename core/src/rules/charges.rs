//! Bonuses and fees (formula 9 of `docs/arithmetic.md`).

use super::rounding::{WHOLE, denominator, divide};
use super::value::AmountTooLarge;
use crate::decisions::Rounding;
use crate::units::{Grams, Money, Percent};

/// Grams in a kilogram.
const KILOGRAM: u64 = 1_000;

/// The rate of a bonus or fee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChargeRate {
    /// An amount for the delivery.
    Fixed(Money),
    /// An amount for each kilogram of net weight.
    PerKilogram(Money),
    /// A share of the value.
    Share(Percent),
}

/// Returns the amount of a bonus or fee on a net weight and value.
///
/// # Errors
/// [`AmountTooLarge`] if the result is beyond the bounds of its unit.
pub fn charge(rate: ChargeRate, net: Grams, value: Money, rounding: Rounding) -> Result<Money, AmountTooLarge> {
    let amount = match rate {
        ChargeRate::Fixed(amount) => return Ok(amount),
        ChargeRate::PerKilogram(each) => {
            divide(i128::from(net.0) * i128::from(each.minor()), denominator(KILOGRAM), rounding)
        }
        ChargeRate::Share(share) => divide(i128::from(value.minor()) * i128::from(share.hundredths()), WHOLE, rounding),
    };
    Money::from_wide(amount).ok_or(AmountTooLarge)
}

/// Returns what is available to recover from and to pay: the value with all bonuses and without all fees. It is negative if the fees are more.
///
/// # Errors
/// [`AmountTooLarge`] if the result is beyond the bounds of its unit.
pub fn available(value: Money, bonuses: &[Money], fees: &[Money]) -> Result<Money, AmountTooLarge> {
    let lines = bonuses.iter().copied().chain(fees.iter().map(|fee| -*fee));
    Money::checked_sum(std::iter::once(value).chain(lines)).ok_or(AmountTooLarge)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{money, percent};
    use super::*;

    #[test]
    fn a_bonus_or_fee_is_fixed_or_for_each_kilogram_or_a_share_of_the_value() {
        let (net, value) = (Grams(3_321_500), money(7_141_225));
        for (rate, expected) in [
            (ChargeRate::Fixed(money(5_000)), 5_000),
            (ChargeRate::PerKilogram(money(3)), 9_965),
            (ChargeRate::Share(percent(150)), 107_118),
        ] {
            assert_eq!(charge(rate, net, value, Rounding::default()), Ok(money(expected)), "{rate:?}");
        }
        let too_large = charge(ChargeRate::PerKilogram(Money::MAX), net, value, Rounding::default());
        assert_eq!(too_large, Err(AmountTooLarge));
    }

    #[test]
    fn fees_above_the_value_leave_less_than_nothing_available() {
        assert_eq!(available(money(1_000), &[money(200), money(50)], &[money(300)]), Ok(money(950)));
        assert_eq!(available(money(1_000), &[], &[money(1_700)]), Ok(money(-700)));
        assert_eq!(available(Money::MAX, &[money(1)], &[]), Err(AmountTooLarge));
        assert_eq!(available(Money::MAX, &[money(1)], &[money(1)]), Ok(Money::MAX));
    }
}
