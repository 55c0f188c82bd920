//! Deductions that a rule set states for a bag, a share, or a point of either.

use super::line::Calculation;
use super::rounding::{WHOLE, denominator, divide};
use crate::decisions::{Deduction, Rounding};
use crate::units::{Grams, Percent};

/// Hundredths of a point in a point.
const POINT: u64 = 100;

/// Returns how a deduction is computed of a weight and this many bags, with its amount, which is negative.
pub(super) fn whole(deduction: Deduction, of_g: Grams, bags: u32, rounding: Rounding) -> (Calculation, Grams) {
    match deduction {
        Deduction::PerBag(each_g) => {
            (Calculation::PerBag { bags, each_g }, less(i128::from(bags) * i128::from(each_g.0)))
        }
        Deduction::Share(share) => (Calculation::Share { of_g, share }, of_share(of_g, share, rounding)),
    }
}

/// Returns the same for a deduction that the rule set states for each point. The points are rounded once, together with the amount.
pub(super) fn by_points(
    deduction: Deduction,
    points_hundredths: i64,
    of_g: Grams,
    bags: u32,
    rounding: Rounding,
) -> (Calculation, Grams) {
    let points = i128::from(points_hundredths);
    let (calculation, numerator, per) = match deduction {
        Deduction::PerBag(each_g) => {
            let calculation = Calculation::PerBagAndPoint { bags, each_g, points_hundredths };
            (calculation, (i128::from(bags) * i128::from(each_g.0)).saturating_mul(points), denominator(POINT))
        }
        Deduction::Share(share) => {
            let calculation = Calculation::SharePerPoint { of_g, share, points_hundredths };
            let numerator = i128::from(of_g.0) * i128::from(share.hundredths()) * points;
            (calculation, numerator, denominator(WHOLE.get() * POINT))
        }
    };
    (calculation, less(divide(numerator, per, rounding)))
}

/// Returns the deduction of a share of a weight, which is negative.
pub(super) fn of_share(of_g: Grams, share: Percent, rounding: Rounding) -> Grams {
    less(divide(i128::from(of_g.0) * i128::from(share.hundredths()), WHOLE, rounding))
}

/// Returns a deduction of this many grams. One of more than 2⁶³ grams is as large as all other weights together.
pub(super) fn less(grams: i128) -> Grams {
    Grams(i64::try_from(grams.saturating_neg()).unwrap_or(if grams > 0 { i64::MIN } else { i64::MAX }))
}
