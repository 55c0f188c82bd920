//! Rule sets: the rules of one commodity as numbered, immutable data.
//!
//! Owns the data and its defaults. The arithmetic that reads it is in [`crate::rules`], and so is the validation before publication.

mod deductions;
mod money;

pub use deductions::{
    Deduction, DeductionBase, EffectiveReading, FactorUnit, MoistureMethod, MoistureRules, MoistureStep, PriceBracket,
    QualityFactor, Rounding,
};
pub use money::{
    ApprovalThresholds, CashLimits, DayCount, InterestPolicy, LossBearer, LossPolicy, LossPrice, LossTolerance,
    RecoveryPolicy,
};

use minicbor::{Decode, Encode};

use super::{Audience, DecisionKind, StoredAs};
use crate::permission::ChangeWindows;
use crate::units::{BagType, BusinessDate, CommodityCode, GradeCode, Grams, Money};

/// The numbered rules of one commodity. The number is stamped on each delivery; a published rule set is immutable.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct RuleSet {
    /// Number of the rule set, unique among those of all commodities; of those of a commodity that are valid on a day, the highest counts.
    #[n(0)]
    pub number: u32,
    /// Commodity to which it applies.
    #[n(1)]
    pub commodity: CommodityCode,
    /// First day on which it is valid; there is no last day.
    #[n(2)]
    pub valid_from: BusinessDate,
    /// Bag types and their empty weights.
    #[n(3)]
    pub bag_types: Vec<BagTypeRule>,
    /// Grades that a bag, lot or vehicle may have.
    #[n(4)]
    pub grades: Vec<Grade>,
    /// Rounding of each printed line.
    #[n(5)]
    pub rounding: Rounding,
    /// The reading that counts, of several of moisture or of one quality factor.
    #[n(6)]
    pub effective_reading: EffectiveReading,
    /// Customary allowance for each bag, beyond its tare.
    #[n(7)]
    pub allowance: Grams,
    /// Most that tare and allowance of one bag may be together by law; `None` if the law has no limit.
    #[n(8)]
    pub legal_cap: Option<Grams>,
    /// Deduction for moisture.
    #[n(9)]
    pub moisture: MoistureRules,
    /// Quality factors that are observed.
    #[n(10)]
    pub factors: Vec<QualityFactor>,
    /// Times within which something may be done or is looked for.
    #[n(11)]
    pub windows: Windows,
    /// How full a lorry may be.
    #[n(12)]
    pub capacity: CapacityLimits,
    /// Limits of cash that is paid on the spot.
    #[n(13)]
    pub cash_limits: CashLimits,
    /// Amounts above which a second person approves.
    #[n(14)]
    pub approval: ApprovalThresholds,
    /// Interest on advances.
    #[n(15)]
    pub interest: InterestPolicy,
    /// Recovery of what a farmer owes.
    #[n(16)]
    pub recovery: RecoveryPolicy,
    /// Loss between gate and arrival.
    #[n(17)]
    pub loss: LossPolicy,
    /// Smallest amount that can be paid in cash, to which a cash payment is rounded; `None` pays minor units.
    #[n(18)]
    pub cash_unit: Option<Money>,
    /// What is expected of instruments and weights.
    #[n(19)]
    pub weighing: WeighingRules,
}

impl RuleSet {
    /// Returns the rule set with these bag types that deducts only their tare, with the default of everything else.
    pub fn new(number: u32, commodity: CommodityCode, valid_from: BusinessDate, bag_types: Vec<BagTypeRule>) -> Self {
        Self {
            number,
            commodity,
            valid_from,
            bag_types,
            grades: Vec::new(),
            rounding: Rounding::default(),
            effective_reading: EffectiveReading::default(),
            allowance: Grams::ZERO,
            legal_cap: None,
            moisture: MoistureRules::default(),
            factors: Vec::new(),
            windows: Windows::default(),
            capacity: CapacityLimits::default(),
            cash_limits: CashLimits::default(),
            approval: ApprovalThresholds::default(),
            interest: InterestPolicy::default(),
            recovery: RecoveryPolicy::default(),
            loss: LossPolicy::default(),
            cash_unit: None,
            weighing: WeighingRules::default(),
        }
    }

    /// Returns the rule for a bag type, if there is one.
    pub fn bag_type(&self, bag_type: BagType) -> Option<&BagTypeRule> {
        self.bag_types.iter().find(|rule| rule.number == bag_type.number())
    }

    /// Returns whether a deduction depends on the number of bags. Then lots and vehicles need their bags counted by type, 0 if the goods are
    /// loose.
    pub fn needs_bag_counts(&self) -> bool {
        let per_bag = |deduction: &Deduction| matches!(deduction, Deduction::PerBag(_));
        let has_tare = self.bag_types.iter().any(|rule| rule.tare > Grams::ZERO);
        let by_moisture = match &self.moisture.method {
            MoistureMethod::PerPoint(deduction) => per_bag(deduction),
            MoistureMethod::StepTable(steps) => steps.iter().any(|step| per_bag(&step.deduction)),
            MoistureMethod::None | MoistureMethod::WaterShrink | MoistureMethod::PriceBracket(_) => false,
        };
        let by_factor = self.factors.iter().any(|factor| factor.per_point.as_ref().is_some_and(per_bag));
        has_tare || self.allowance > Grams::ZERO || by_moisture || by_factor
    }
}

impl DecisionKind for RuleSet {
    const NUMBER: u8 = 5;
    const NAME: &'static str = "rule_set";
    const AUDIENCE: Audience = Audience::Organisation;
    const STORED: StoredAs<Self> = StoredAs::Latest(|it| it.number.to_string());
}

/// The rule for one type of bag or crate.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct BagTypeRule {
    /// Number of the type, 0 to 15.
    #[n(0)]
    pub number: u8,
    /// Name of the type.
    #[n(1)]
    pub name: String,
    /// Weight of an empty bag.
    #[n(2)]
    pub tare: Grams,
}

/// A grade of the commodity.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Grade {
    /// Code of the grade.
    #[n(0)]
    pub code: GradeCode,
    /// Name of the grade.
    #[n(1)]
    pub name: String,
}

/// Times, in minutes, within which something may be done or is looked for. Those of the rule set that is stamped on a delivery count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Windows {
    /// Time after recording within which a clerk may amend or void an own delivery.
    #[n(0)]
    pub clerk_amend_minutes: u32,
    /// The same for a field manager.
    #[n(1)]
    pub field_manager_amend_minutes: u32,
    /// Time within which two deliveries of one farmer that look alike may be one heap, recorded twice.
    #[n(2)]
    pub duplicate_minutes: u32,
}

impl Default for Windows {
    fn default() -> Self {
        let ChangeWindows { clerk_minutes, field_manager_minutes } = ChangeWindows::default();
        Self {
            clerk_amend_minutes: clerk_minutes,
            field_manager_amend_minutes: field_manager_minutes,
            duplicate_minutes: 120,
        }
    }
}

impl Windows {
    /// Returns how long the author of a delivery may amend or void it.
    pub fn of_changes(&self) -> ChangeWindows {
        ChangeWindows {
            clerk_minutes: self.clerk_amend_minutes,
            field_manager_minutes: self.field_manager_amend_minutes,
        }
    }
}

/// What is expected of instruments and weights. What is not as expected is a warning, never refused; a 0 expects nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct WeighingRules {
    /// Days for which a check of an instrument is good: 1 if it is to be checked on each day of use.
    #[n(0)]
    pub check_days: u32,
    /// Bags in a row of one weight from which a person is asked.
    #[n(1)]
    pub repeated_bags: u32,
    /// Bags of a delivery from which shares of them are looked at.
    #[n(2)]
    pub pattern_bags: u32,
    /// Share of weights that are multiples of half a kilogram, on scales with intervals of at most 100 g, in hundredths of a percent.
    #[n(3)]
    pub regular_hundredths: u32,
    /// Share of bags whose weight was repeated from the one before, in hundredths of a percent.
    #[n(4)]
    pub repeat_hundredths: u32,
    /// Seconds that a person needs at least for a bag.
    #[n(5)]
    pub bag_seconds: u32,
    /// Bags in a row, each weighed in less time, from which a person is asked.
    #[n(6)]
    pub fast_bags: u32,
}

impl Default for WeighingRules {
    fn default() -> Self {
        Self {
            check_days: 1,
            repeated_bags: 6,
            pattern_bags: 10,
            regular_hundredths: 9_000,
            repeat_hundredths: 3_000,
            bag_seconds: 4,
            fast_bags: 5,
        }
    }
}

/// Shares of a lorry's payload, in hundredths of a percent, at which a person is warned or stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct CapacityLimits {
    /// Share from which the person is warned.
    #[n(0)]
    pub warning_hundredths: u32,
    /// Share above which a reason is needed; never below the first one.
    #[n(1)]
    pub stop_hundredths: u32,
}

impl Default for CapacityLimits {
    fn default() -> Self {
        Self { warning_hundredths: 9_500, stop_hundredths: 10_500 }
    }
}
