use farmtally_core::rules::{Calculation, GradeWeight, LineKind, Totals, WeightLine};
use farmtally_core::units::{BagType, FactorCode, GradeCode, Grams, Percent};

/// Totals of bags, without voided ones; sums of printed lines.
#[uniffi::remote(Record)]
pub struct Totals {
    /// Number of bags
    pub bags: u32,
    /// Gross weight in grams, with the bags
    pub gross_g: Grams,
    /// Weight of the empty bags in grams; 0 for a bag type without a rule
    pub tare_g: Grams,
    /// Deduction for quality in grams
    pub quality_g: Grams,
    /// Deduction for moisture in grams, with the loss in drying and handling
    pub moisture_g: Grams,
    /// Customary allowance in grams
    pub allowance_g: Grams,
    /// Gross less all deductions in grams, never below 0
    pub net_g: Grams,
    /// Number of these bags whose type the rule set does not name: their tare is not known, and not part of the tare
    pub bags_of_unknown_type: u32,
    /// Whether the deductions of a grade use up all that was weighed of it
    pub deductions_exceed_weight: bool,
}

/// What a printed line of a weight is for.
#[uniffi::remote(Enum)]
pub enum LineKind {
    /// Weight with the bags
    Gross,
    /// Weight of the empty bags of one type
    Tare,
    /// Deduction for quality
    Quality,
    /// Deduction for moisture
    Moisture,
    /// Loss in drying and handling
    HandlingLoss,
    /// What the quality deductions are above their limit, given back
    QualityCap,
    /// Customary allowance
    Allowance,
    /// What all deductions are above the weight, given back
    Excess,
}

/// How the amount of a line was computed; the formulas are in docs/arithmetic.md.
#[uniffi::remote(Enum)]
pub enum Calculation {
    /// The sum of what was weighed
    Weighed,
    /// A weight that a person decided
    Decided,
    /// The difference to a limit
    ToLimit,
    /// A weight for each bag
    PerBag {
        /// Number of bags
        bags: u32,
        /// Weight for one bag in grams
        each_g: Grams,
    },
    /// A share of a weight
    Share {
        /// The weight in grams
        of_g: Grams,
        /// The share in percent
        share: Percent,
    },
    /// A weight for each bag and point
    PerBagAndPoint {
        /// Number of bags
        bags: u32,
        /// Weight for one bag and point in grams
        each_g: Grams,
        /// Points in hundredths of one
        points_hundredths: i64,
    },
    /// A share of a weight for each point
    SharePerPoint {
        /// The weight in grams
        of_g: Grams,
        /// Share for one point in percent
        share: Percent,
        /// Points in hundredths of one
        points_hundredths: i64,
    },
    /// What a weight loses when it dries to the target
    WaterShrink {
        /// The weight in grams
        of_g: Grams,
        /// Target moisture in percent
        target: Percent,
        /// Points above it in hundredths of one
        points_hundredths: i64,
    },
}

/// A printed line of a weight.
#[uniffi::remote(Record)]
pub struct WeightLine {
    /// What it is for
    pub kind: LineKind,
    /// Grade that it belongs to; null for produce without a grade
    pub grade: Option<GradeCode>,
    /// Quality factor, for a line of quality that has one
    pub factor: Option<FactorCode>,
    /// Bag type, for a line of tare
    pub bag_type: Option<BagType>,
    /// How the amount was computed
    pub calculation: Calculation,
    /// The amount in grams; a deduction is negative
    pub amount_g: Grams,
}

/// The weight of the produce of one grade.
#[uniffi::remote(Record)]
pub struct GradeWeight {
    /// The grade; null for produce without one
    pub grade: Option<GradeCode>,
    /// The moisture that counts in percent; null without a reading
    pub moisture: Option<Percent>,
    /// Place of the price bracket of that moisture, from 1; null if prices do not depend on it
    pub price_bracket: Option<u32>,
    /// Totals of the lines
    pub totals: Totals,
    /// Printed lines in their order
    pub lines: Vec<WeightLine>,
}
