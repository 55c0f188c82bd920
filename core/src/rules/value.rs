//! Value of a delivery (formula 8 of `docs/arithmetic.md`).

use super::rounding::{denominator, divide};
use super::weight::{DeliveryWeight, GradeWeight};
use crate::decisions::Rounding;
use crate::units::{GradeCode, Grams, Money, PricePerTonne};

/// Grams in a tonne.
const TONNE: u64 = 1_000_000;

/// Error for a result of arithmetic that is no amount, because it has more than 10¹⁵ minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an amount of more than 1,000,000,000,000,000 minor units: check the prices and weights that it was computed from"
)]
pub struct AmountTooLarge;

/// Returns the value of a weight, which is negative for a negative weight.
///
/// # Errors
/// [`AmountTooLarge`] if the result is beyond the bounds of its unit.
pub fn value(weight: Grams, price: PricePerTonne, rounding: Rounding) -> Result<Money, AmountTooLarge> {
    let product = i128::from(weight.0) * i128::from(price.minor());
    Money::from_wide(divide(product, denominator(TONNE), rounding)).ok_or(AmountTooLarge)
}

/// The printed line of the value of one grade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueLine {
    /// The grade; `None` for produce without one.
    pub grade: Option<GradeCode>,
    /// Net weight.
    pub net_g: Grams,
    /// Price; `None` if it is to be decided.
    pub price: Option<PricePerTonne>,
    /// Value of the net weight; `None` without a price.
    pub value: Option<Money>,
}

/// Returns the lines of value of a delivery, one for each grade, with the price that `price_of` returns for it.
///
/// # Errors
/// [`AmountTooLarge`] if the result is beyond the bounds of its unit.
pub fn value_lines(
    weight: &DeliveryWeight,
    price_of: impl Fn(&GradeWeight) -> Option<PricePerTonne>,
    rounding: Rounding,
) -> Result<Vec<ValueLine>, AmountTooLarge> {
    let lines = weight.grades.iter().map(|grade| {
        let (net_g, price) = (grade.totals.net_g, price_of(grade));
        let value = price.map(|price| value(net_g, price, rounding)).transpose()?;
        Ok(ValueLine { grade: grade.grade.clone(), net_g, price, value })
    });
    lines.collect()
}

/// Returns the value of a delivery, the sum of its lines; `None` if the price of a grade is to be decided.
///
/// # Errors
/// [`AmountTooLarge`] if the result is beyond the bounds of its unit.
pub fn total_value(lines: &[ValueLine]) -> Result<Option<Money>, AmountTooLarge> {
    let values: Option<Vec<Money>> = lines.iter().map(|line| line.value).collect();
    values.map(|values| Money::checked_sum(values).ok_or(AmountTooLarge)).transpose()
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{bag, bags, money, price, rules};
    use super::super::{WeightInput, weigh};
    use super::*;

    #[test]
    fn a_value_beyond_all_amounts_is_an_error_and_not_another_amount() {
        let worth = |grams, minor| value(Grams(grams), price(minor), Rounding::default());
        assert_eq!(worth(1_000_000, Money::MAX.minor()), Ok(Money::MAX));
        assert_eq!(worth(1_000_001, Money::MAX.minor()), Err(AmountTooLarge));
        assert_eq!(worth(i64::MAX, Money::MAX.minor()), Err(AmountTooLarge));
        assert_eq!(worth(-1_000, 2_150_000), Ok(money(-2_150)));
    }

    #[test]
    fn each_grade_has_its_price_and_a_price_to_be_decided_leaves_the_value_open() {
        let weighings = vec![bag(10_333, 0, Some("A")), bag(20_333, 0, Some("B"))];
        let weight = weigh(&WeightInput { weighings, ..WeightInput::default() }, Some(&rules(333)));
        let is_a = |grade: &GradeWeight| grade.grade.as_ref().is_some_and(|code| code.as_str() == "A");
        let lines = |other| {
            let price_of = |grade: &GradeWeight| if is_a(grade) { Some(price(2_500_000)) } else { other };
            value_lines(&weight, price_of, Rounding::default()).expect("amounts")
        };
        let priced = lines(Some(price(2_000_000)));
        assert_eq!(
            priced.iter().map(|line| line.value).collect::<Vec<_>>(),
            [Some(money(25_000)), Some(money(40_000))]
        );
        assert_eq!(total_value(&priced), Ok(Some(money(65_000))));
        assert_eq!(total_value(&lines(None)), Ok(None));
        let nothing = value_lines(&weigh(&bags([]), None), |_| None, Rounding::default()).expect("no line");
        assert_eq!(total_value(&nothing), Ok(Some(Money::ZERO)));
    }
}
