use std::num::NonZeroU64;

use crate::decisions::{EffectiveReading, Rounding};

/// Hundredths of a percent in the whole.
pub(super) const WHOLE: NonZeroU64 = denominator(10_000);

/// Returns a denominator that is known not to be zero. Of 0, a defect, it would be 1.
pub(super) const fn denominator(value: u64) -> NonZeroU64 {
    match NonZeroU64::new(value) {
        Some(value) => value,
        None => NonZeroU64::MIN,
    }
}

/// Divides and rounds to an integer, once. The numerator is within ±2¹²⁶, as products of two quantities and a few shares are.
pub fn divide(numerator: i128, denominator: NonZeroU64, rounding: Rounding) -> i128 {
    let denominator = i128::from(denominator.get());
    let (quotient, rest) = (numerator / denominator, (numerator % denominator).abs());
    let is_away = match rounding {
        Rounding::HalfAwayFromZero => rest * 2 >= denominator,
        Rounding::HalfEven => rest * 2 > denominator || (rest * 2 == denominator && quotient % 2 != 0),
        Rounding::Up => rest > 0,
        Rounding::Down => false,
    };
    if is_away { quotient + numerator.signum() } else { quotient }
}

/// Returns the reading that counts, of several in the order in which they were taken; `None` of none. The caller leaves out readings that are
/// not valid, such as of a meter that failed its check.
pub fn effective(readings: &[i64], which: EffectiveReading, rounding: Rounding) -> Option<i64> {
    match which {
        EffectiveReading::Last => readings.last().copied(),
        EffectiveReading::Worst => readings.iter().max().copied(),
        EffectiveReading::Average => {
            let count = NonZeroU64::new(readings.len() as u64)?;
            let sum: i128 = readings.iter().map(|it| i128::from(*it)).sum();
            i64::try_from(divide(sum, count, rounding)).ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_quotient_is_rounded_as_the_rule_set_says() {
        let cases = [
            // Numerator of quarters; half away from zero, half even, up, down.
            (0, [0, 0, 0, 0]),
            (1, [0, 0, 1, 0]),
            (2, [1, 0, 1, 0]),
            (3, [1, 1, 1, 0]),
            (4, [1, 1, 1, 1]),
            (6, [2, 2, 2, 1]),
            (10, [3, 2, 3, 2]),
            (-1, [0, 0, -1, 0]),
            (-2, [-1, 0, -1, 0]),
            (-6, [-2, -2, -2, -1]),
            (-10, [-3, -2, -3, -2]),
        ];
        for (numerator, expected) in cases {
            let rounded = Rounding::ALL.map(|rounding| divide(numerator, denominator(4), rounding));
            assert_eq!(rounded, expected, "{numerator} / 4");
        }
    }

    #[test]
    fn the_reading_that_counts_is_the_last_the_average_or_the_worst() {
        let readings = [1_450, 1_701, 1_500];
        let effective = |readings: &[i64], which| effective(readings, which, Rounding::HalfAwayFromZero);
        assert_eq!(
            EffectiveReading::ALL.map(|which| effective(&readings, which)),
            [Some(1_500), Some(1_550), Some(1_701)]
        );
        assert_eq!(effective(&[1_450, 1_451], EffectiveReading::Average), Some(1_451), "1,450.5 is rounded once");
        assert_eq!(EffectiveReading::ALL.map(|which| effective(&[], which)), [None; 3]);
        assert_eq!(effective(&[i64::MAX; 3], EffectiveReading::Average), Some(i64::MAX));
    }

    proptest! {
        #[test]
        fn a_rounded_quotient_is_less_than_one_from_the_exact_one(
            numerator in -(1_i128 << 126)..(1_i128 << 126), divisor in 1_u64..,
        ) {
            for rounding in Rounding::ALL {
                let error = divide(numerator, denominator(divisor), rounding) * i128::from(divisor) - numerator;
                let at_most = if matches!(rounding, Rounding::Up | Rounding::Down) { 2 } else { 1 };
                prop_assert!(error.abs() < i128::from(divisor));
                prop_assert!(error.abs() * 2 <= i128::from(divisor) * at_most);
            }
        }
    }
}
