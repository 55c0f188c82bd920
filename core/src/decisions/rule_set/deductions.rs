//! Rules of deductions from the weight, as data.

use minicbor::{Decode, Encode};

use crate::units::{FactorCode, Grams, Percent, named};

named! {
    /// Rounding of a quotient to an integer.
    #[derive(Default, Encode, Decode)]
    #[cbor(index_only)]
    pub Rounding, "a rounding" {
        /// To the nearest; a half away from zero.
        #[default]
        #[n(0)]
        HalfAwayFromZero = "half_away_from_zero",
        /// To the nearest; a half to the even one.
        #[n(1)]
        HalfEven = "half_even",
        /// Away from zero.
        #[n(2)]
        Up = "up",
        /// Towards zero.
        #[n(3)]
        Down = "down",
    }
}

named! {
    /// The reading that counts, of several.
    #[derive(Default, Encode, Decode)]
    #[cbor(index_only)]
    pub EffectiveReading, "an effective reading" {
        /// The last one.
        #[default]
        #[n(0)]
        Last = "last",
        /// The average, rounded once.
        #[n(1)]
        Average = "average",
        /// The highest.
        #[n(2)]
        Worst = "worst",
    }
}

named! {
    /// The weight of which a deduction takes a share.
    #[derive(Default, Encode, Decode)]
    #[cbor(index_only)]
    pub DeductionBase, "a base" {
        /// Gross minus tare.
        #[n(0)]
        BagNet = "bag_net",
        /// Gross minus tare and minus foreign matter.
        #[default]
        #[n(1)]
        AfterForeignMatter = "after_foreign_matter",
    }
}

/// A deduction from the weight. Where it is said to be for a point, the amount is multiplied by the points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Deduction {
    /// A weight for each bag.
    #[n(0)]
    PerBag(#[n(0)] Grams),
    /// A share of the deduction's base.
    #[n(1)]
    Share(#[n(0)] Percent),
}

/// Deduction for moisture above the target. A point is one percent of moisture.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct MoistureRules {
    /// Whether a delivery without a moisture reading must be confirmed.
    #[n(0)]
    pub is_required: bool,
    /// Moisture up to which nothing is deducted; below 100 %.
    #[n(1)]
    pub target: Percent,
    /// Method of the deduction.
    #[n(2)]
    pub method: MoistureMethod,
    /// Weight of which shares are taken, also for the handling loss.
    #[n(3)]
    pub base: DeductionBase,
    /// Step to which the points above the target are rounded, in hundredths of a percent: 1 is exact, 10 a tenth of a point.
    #[n(4)]
    pub step_hundredths: u32,
    /// Rounding of the points to steps.
    #[n(5)]
    pub step_rounding: Rounding,
    /// Share that is lost in drying and handling, deducted where moisture is.
    #[n(6)]
    pub handling_loss: Percent,
}

/// Deducts nothing; the target has no effect then.
impl Default for MoistureRules {
    fn default() -> Self {
        Self {
            is_required: false,
            target: Percent::ZERO,
            method: MoistureMethod::None,
            base: DeductionBase::default(),
            step_hundredths: 1,
            step_rounding: Rounding::Down,
            handling_loss: Percent::ZERO,
        }
    }
}

/// Method of deducting for moisture.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum MoistureMethod {
    /// Nothing is deducted.
    #[n(0)]
    None,
    /// A weight for each bag and point, or a share for each point (a constant factor).
    #[n(1)]
    PerPoint(#[n(0)] Deduction),
    /// As much as the produce would lose if it dried to the target.
    #[n(2)]
    WaterShrink,
    /// The deduction of the bracket in which the moisture is. Brackets are in order, and together cover all above the target.
    #[n(3)]
    StepTable(#[n(0)] Vec<MoistureStep>),
    /// No weight, but a price for each bracket. Brackets are in order, and together cover all from 0 to 100 %.
    #[n(4)]
    PriceBracket(#[n(0)] Vec<PriceBracket>),
}

/// A bracket of moisture with its deduction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct MoistureStep {
    /// Moisture above which the bracket begins.
    #[n(0)]
    pub above: Percent,
    /// Highest moisture of the bracket.
    #[n(1)]
    pub up_to: Percent,
    /// The whole deduction, whatever the points.
    #[n(2)]
    pub deduction: Deduction,
}

/// A bracket of moisture that has a price of its own. Price decisions name it by its place, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct PriceBracket {
    /// Moisture above which the bracket begins; the first one includes 0 %.
    #[n(0)]
    pub above: Percent,
    /// Highest moisture of the bracket.
    #[n(1)]
    pub up_to: Percent,
}

named! {
    /// The unit of a quality factor's observations and limit.
    #[derive(Default, Encode, Decode)]
    #[cbor(index_only)]
    pub FactorUnit, "a unit" {
        /// Hundredths of a percent; a point is one percent.
        #[default]
        #[n(0)]
        Percent = "percent",
        /// Whole numbers, such as insects or parts per billion; a point is one.
        #[n(1)]
        Count = "count",
    }
}

/// Something that is observed about the quality of the produce, such as broken grains.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct QualityFactor {
    /// Code of the factor.
    #[n(0)]
    pub code: FactorCode,
    /// Name of the factor.
    #[n(1)]
    pub name: String,
    /// Unit of observations and limit.
    #[n(2)]
    pub unit: FactorUnit,
    /// Value up to which nothing is deducted, in the factor's unit.
    #[n(3)]
    pub limit: u32,
    /// Deduction for each point above the limit; `None` if a person decides.
    #[n(4)]
    pub per_point: Option<Deduction>,
    /// Whether it is foreign matter. Foreign matter is deducted first, always from gross minus tare.
    #[n(5)]
    pub is_foreign_matter: bool,
    /// Weight of which shares are taken, unless it is foreign matter.
    #[n(6)]
    pub base: DeductionBase,
}
