//! Printed lines of a delivery's weight.

use crate::units::{BagType, FactorCode, GradeCode, Grams, Percent, named};

named! {
    /// What a printed line of a delivery's weight is for.
    pub LineKind, "a kind of line" {
        /// Weight of produce and bags.
        Gross = "gross",
        /// Weight of the empty bags of one type.
        Tare = "tare",
        /// Deduction for a quality factor, or by a quality decision.
        Quality = "quality",
        /// Deduction for moisture.
        Moisture = "moisture",
        /// Loss in drying and handling.
        HandlingLoss = "handling_loss",
        /// What the quality deductions are above half of the gross weight, given back.
        QualityCap = "quality_cap",
        /// Customary allowance.
        Allowance = "allowance",
        /// What all deductions are above the weight, given back.
        Excess = "excess",
    }
}

/// How the amount of a line was computed, for the print and for anyone who computes it again. Formulas: `docs/arithmetic.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calculation {
    /// The sum of what was weighed.
    Weighed,
    /// A weight that a person decided.
    Decided,
    /// The difference to a limit.
    ToLimit,
    /// A weight for each bag.
    PerBag {
        /// Number of bags.
        bags: u32,
        /// Weight for one bag.
        each_g: Grams,
    },
    /// A share of a weight.
    Share {
        /// The weight.
        of_g: Grams,
        /// The share.
        share: Percent,
    },
    /// A weight for each bag and point.
    PerBagAndPoint {
        /// Number of bags.
        bags: u32,
        /// Weight for one bag and one point.
        each_g: Grams,
        /// Points, in hundredths of one.
        points_hundredths: i64,
    },
    /// A share of a weight for each point.
    SharePerPoint {
        /// The weight.
        of_g: Grams,
        /// Share for one point.
        share: Percent,
        /// Points, in hundredths of one.
        points_hundredths: i64,
    },
    /// What a weight loses when it dries to the target.
    WaterShrink {
        /// The weight.
        of_g: Grams,
        /// Target moisture.
        target: Percent,
        /// Points above it, in hundredths of one.
        points_hundredths: i64,
    },
}

/// A printed line of a delivery's weight. Totals are sums of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightLine {
    /// What it is for.
    pub kind: LineKind,
    /// Grade of the group to which it belongs; `None` for produce without a grade.
    pub grade: Option<GradeCode>,
    /// Quality factor of a line of that kind; `None` if a decision names none.
    pub factor: Option<FactorCode>,
    /// Bag type of a line of tare.
    pub bag_type: Option<BagType>,
    /// How the amount was computed.
    pub calculation: Calculation,
    /// The amount; a deduction is negative.
    pub amount_g: Grams,
}
