//! Deduction for moisture (formula 4 of `docs/arithmetic.md`).

use std::num::NonZeroU64;

use super::deduction::{by_points, less, of_share, whole};
use super::input::Reading;
use super::line::{Calculation, LineKind, WeightLine};
use super::rounding::{divide, effective};
use super::weight::{Base, Group};
use crate::decisions::{DeductionBase, MoistureMethod, MoistureRules, RuleSet};
use crate::units::{Grams, Percent};

/// Moisture of one grade and its deduction.
#[derive(Default)]
pub(super) struct Moisture {
    pub(super) effective: Option<Percent>,
    pub(super) price_bracket: Option<u32>,
    pub(super) lines: Vec<WeightLine>,
}

impl Moisture {
    /// Returns the deduction of a grade. Without a reading, nothing is deducted.
    pub(super) fn of(group: &Group, readings: &[Reading], base: Base, rules: &RuleSet) -> Self {
        let mut result = Self::default();
        let readings = group.own(&readings.iter());
        let effective = effective(&readings, rules.effective_reading, rules.rounding);
        let Some(moisture) = effective.and_then(|it| it.try_into().ok()) else { return result };
        result.effective = Some(moisture);
        if let MoistureMethod::PriceBracket(brackets) = &rules.moisture.method {
            let place = brackets.iter().position(|bracket| moisture <= bracket.up_to);
            result.price_bracket = place.and_then(|place| u32::try_from(place + 1).ok());
        }
        let of_g = base.of(rules.moisture.base);
        if let Some((calculation, amount_g)) = deduction(group, moisture, of_g, rules) {
            result.lines.push(group.line(LineKind::Moisture, calculation, amount_g));
            let share = rules.moisture.handling_loss;
            if share > Percent::ZERO {
                let amount_g = of_share(of_g, share, rules.rounding);
                result.lines.push(group.line(LineKind::HandlingLoss, Calculation::Share { of_g, share }, amount_g));
            }
        }
        result
    }
}

/// Returns the deduction by the rule set's method; `None` for a method that cuts no weight, or moisture up to the target.
fn deduction(group: &Group, moisture: Percent, of_g: Grams, rules: &RuleSet) -> Option<(Calculation, Grams)> {
    let (bags, target, rounding) = (group.bag_count(), rules.moisture.target, rules.rounding);
    if moisture <= target {
        return None;
    }
    match &rules.moisture.method {
        MoistureMethod::None | MoistureMethod::PriceBracket(_) => None,
        MoistureMethod::PerPoint(deduction) => {
            Some(by_points(*deduction, points_above_target(moisture, &rules.moisture)?, of_g, bags, rounding))
        }
        MoistureMethod::WaterShrink => {
            let points_hundredths = points_above_target(moisture, &rules.moisture)?;
            let dry = u64::try_from(Percent::WHOLE.hundredths() - target.hundredths()).ok();
            let dry = dry.and_then(NonZeroU64::new)?;
            let lost = divide(i128::from(of_g.0) * i128::from(points_hundredths), dry, rounding);
            Some((Calculation::WaterShrink { of_g, target, points_hundredths }, less(lost)))
        }
        MoistureMethod::StepTable(steps) => {
            let step = steps.iter().find(|step| moisture <= step.up_to)?;
            Some(whole(step.deduction, of_g, bags, rounding))
        }
    }
}

/// Returns the points above the target in hundredths of one, in steps of the rule set; `None` if there is no whole step.
fn points_above_target(moisture: Percent, rules: &MoistureRules) -> Option<i64> {
    let above = i128::from(moisture.hundredths() - rules.target.hundredths());
    let step = NonZeroU64::new(rules.step_hundredths.into())?;
    let points = divide(above, step, rules.step_rounding) * i128::from(step.get());
    i64::try_from(points).ok().filter(|points| *points > 0)
}

impl Base {
    pub(super) fn of(self, base: DeductionBase) -> Grams {
        match base {
            DeductionBase::BagNet => self.bag_net,
            DeductionBase::AfterForeignMatter => self.after_foreign_matter,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{bags, moist_rules, percent};
    use super::super::{WeightInput, weigh};
    use super::*;
    use crate::decisions::{Deduction, EffectiveReading, MoistureStep, PriceBracket, Rounding};

    fn read(readings: &[u32]) -> WeightInput {
        let moisture = readings.iter().map(|value| Reading { value: *value, grade: None }).collect();
        WeightInput { moisture, ..bags([60_000, 40_000]) }
    }

    fn deducted(rules: &RuleSet, readings: &[u32]) -> i64 {
        weigh(&read(readings), Some(rules)).totals().moisture_g.0
    }

    #[test]
    fn nothing_is_deducted_up_to_the_target_or_without_a_reading() {
        let steps = vec![MoistureStep {
            above: percent(1_400),
            up_to: Percent::WHOLE,
            deduction: Deduction::Share(percent(500)),
        }];
        let methods = [
            MoistureMethod::PerPoint(Deduction::PerBag(Grams(100))),
            MoistureMethod::PerPoint(Deduction::Share(percent(140))),
            MoistureMethod::WaterShrink,
            MoistureMethod::StepTable(steps),
        ];
        for method in methods {
            let mut rules = moist_rules(0, 1_400, method);
            rules.moisture.handling_loss = percent(50);
            for readings in [&[][..], &[0], &[1_400]] {
                assert_eq!(deducted(&rules, readings), 0, "{:?} {readings:?}", rules.moisture.method);
            }
            assert!(deducted(&rules, &[1_401]) > 500, "{:?}", rules.moisture.method);
        }
        assert_eq!(deducted(&moist_rules(0, 1_400, MoistureMethod::None), &[2_000]), 0);
    }

    #[test]
    fn points_count_in_steps() {
        let mut rules = moist_rules(0, 1_400, MoistureMethod::PerPoint(Deduction::PerBag(Grams(100))));
        for (step_hundredths, step_rounding, expected) in [
            (1, Rounding::Down, 310),
            (10, Rounding::Down, 300),
            (10, Rounding::Up, 320),
            (10, Rounding::HalfAwayFromZero, 320),
            (50, Rounding::Down, 300),
            (100, Rounding::Down, 200),
            (100, Rounding::Up, 400),
            (200, Rounding::Down, 0),
        ] {
            rules.moisture.step_hundredths = step_hundredths;
            rules.moisture.step_rounding = step_rounding;
            assert_eq!(deducted(&rules, &[1_555]), expected, "{step_hundredths} {step_rounding}");
        }
    }

    #[test]
    fn a_step_table_deducts_what_its_bracket_says() {
        let step = |above, up_to, deduction| MoistureStep { above: percent(above), up_to: percent(up_to), deduction };
        let steps = vec![
            step(1_400, 1_600, Deduction::PerBag(Grams(500))),
            step(1_600, 2_000, Deduction::Share(percent(250))),
            step(2_000, 10_000, Deduction::Share(percent(1_000))),
        ];
        let mut rules = moist_rules(0, 1_400, MoistureMethod::StepTable(steps));
        rules.moisture.step_hundredths = 100;
        for (reading, expected) in [
            (1_400, 0),
            (1_401, 1_000),
            (1_600, 1_000),
            (1_601, 2_500),
            (2_000, 2_500),
            (2_001, 10_000),
            (10_000, 10_000),
        ] {
            assert_eq!(deducted(&rules, &[reading]), expected, "{reading}");
        }
    }

    #[test]
    fn a_price_bracket_cuts_no_weight_and_is_named_by_its_place() {
        let bracket = |above, up_to| PriceBracket { above: percent(above), up_to: percent(up_to) };
        let method =
            MoistureMethod::PriceBracket(vec![bracket(0, 1_400), bracket(1_400, 1_800), bracket(1_800, 10_000)]);
        let rules = moist_rules(0, 0, method);
        for (readings, expected) in [
            (&[][..], None),
            (&[0], Some(1)),
            (&[1_400], Some(1)),
            (&[1_401], Some(2)),
            (&[1_800], Some(2)),
            (&[10_000], Some(3)),
        ] {
            let weight = weigh(&read(readings), Some(&rules));
            assert_eq!(
                (weight.grades[0].price_bracket, weight.totals().net_g),
                (expected, Grams(100_000)),
                "{readings:?}"
            );
        }
    }

    #[test]
    fn the_reading_that_counts_follows_the_rule_set() {
        let mut rules = moist_rules(0, 1_400, MoistureMethod::PerPoint(Deduction::Share(percent(100))));
        for (which, moisture, expected) in [
            (EffectiveReading::Last, 1_500, 1_000),
            (EffectiveReading::Average, 1_567, 1_670),
            (EffectiveReading::Worst, 1_700, 3_000),
        ] {
            rules.effective_reading = which;
            let weight = weigh(&read(&[1_500, 1_700, 1_500]), Some(&rules));
            assert_eq!(weight.grades[0].moisture, Some(percent(moisture)), "{which}");
            assert_eq!(weight.totals().moisture_g, Grams(expected), "{which}");
        }
    }

    #[test]
    fn a_target_of_everything_deducts_nothing() {
        assert_eq!(deducted(&moist_rules(0, 10_000, MoistureMethod::WaterShrink), &[10_000]), 0);
    }
}
