//! Deductions for quality (formula 5 of `docs/arithmetic.md`).

use super::deduction::{by_points, of_share};
use super::input::{DecidedAmount, DecidedDeduction, WeightInput};
use super::line::{Calculation, LineKind, WeightLine};
use super::rounding::effective;
use super::shares::largest_remainder;
use super::weight::{Base, Group};
use crate::decisions::{FactorUnit, QualityFactor, RuleSet};
use crate::units::{FactorCode, GradeCode, Grams, Percent};

/// Largest share of the gross weight that is deducted for quality, unless two persons waive the limit.
const QUALITY_CAP: Percent = Percent::HALF;

/// What the quality deductions of one grade follow from.
pub(super) struct Quality<'a> {
    pub(super) group: &'a Group,
    pub(super) input: &'a WeightInput,
    pub(super) decided: &'a [DecidedDeduction],
    pub(super) rules: &'a RuleSet,
}

impl Quality<'_> {
    /// Returns the lines of foreign matter.
    pub(super) fn foreign_matter(&self, bag_net: Grams) -> Vec<WeightLine> {
        let factors = self.rules.factors.iter().filter(|factor| factor.is_foreign_matter);
        factors.flat_map(|factor| self.lines_of(factor, bag_net)).collect()
    }

    /// Returns the lines of all other factors, and of decisions that are about none of the rule set's.
    pub(super) fn other(&self, base: Base) -> Vec<WeightLine> {
        let factors = self.rules.factors.iter().filter(|factor| !factor.is_foreign_matter);
        let lines = factors.flat_map(|factor| self.lines_of(factor, base.of(factor.base)));
        let has_rule = |code: &FactorCode| self.rules.factors.iter().any(|factor| factor.code == *code);
        let without_rule = self.decided.iter().filter(|it| !it.factor.as_ref().is_some_and(has_rule));
        lines.chain(without_rule.map(|it| self.decided_line(it, base.bag_net))).collect()
    }

    /// Returns the line that gives back what quality deductions of `total`, which is negative, are above the limit.
    pub(super) fn cap(&self, total: Grams) -> Option<WeightLine> {
        let limit = of_share(self.group.gross.max(Grams::ZERO), QUALITY_CAP, self.rules.rounding);
        let is_above = total < limit && !self.input.is_quality_cap_waived;
        is_above.then(|| self.group.line(LineKind::QualityCap, Calculation::ToLimit, limit - total))
    }

    /// Returns the lines of a factor: those that people decided, or else the one that follows from observations above the limit.
    fn lines_of(&self, factor: &QualityFactor, of_g: Grams) -> Vec<WeightLine> {
        let decided = self.decided.iter().filter(|it| it.factor.as_ref() == Some(&factor.code));
        let decided: Vec<_> = decided.map(|it| self.decided_line(it, of_g)).collect();
        if decided.is_empty() { self.observed_line(factor, of_g).into_iter().collect() } else { decided }
    }

    fn observed_line(&self, factor: &QualityFactor, of_g: Grams) -> Option<WeightLine> {
        let observations = self.input.observations.iter().filter(|it| it.factor == factor.code);
        let values = self.group.own(&observations.map(|it| &it.reading));
        let value = effective(&values, self.rules.effective_reading, self.rules.rounding)?;
        let above = value.saturating_sub(factor.limit.into());
        let points_hundredths = match factor.unit {
            FactorUnit::Percent => above,
            FactorUnit::Count => above.saturating_mul(100),
        };
        let deduction = factor.per_point.filter(|_| above > 0)?;
        let bags = self.group.bag_count();
        let (calculation, amount_g) = by_points(deduction, points_hundredths, of_g, bags, self.rules.rounding);
        Some(self.line(Some(factor.code.clone()), calculation, amount_g))
    }

    fn decided_line(&self, decided: &DecidedDeduction, of_g: Grams) -> WeightLine {
        let (calculation, amount_g) = match decided.amount {
            DecidedAmount::Weight(weight) => (Calculation::Decided, Grams::ZERO - weight),
            DecidedAmount::Share(share) => {
                (Calculation::Share { of_g, share }, of_share(of_g, share, self.rules.rounding))
            }
        };
        self.line(decided.factor.clone(), calculation, amount_g)
    }

    fn line(&self, factor: Option<FactorCode>, calculation: Calculation, amount_g: Grams) -> WeightLine {
        WeightLine { factor, ..self.group.line(LineKind::Quality, calculation, amount_g) }
    }
}

/// Returns the decided deductions of one grade. A weight without a grade is divided among all grades by their gross weights.
pub(super) fn decided_for(
    decided: &[DecidedDeduction],
    gross: &[(Option<GradeCode>, i64)],
    grade: Option<&GradeCode>,
) -> Vec<DecidedDeduction> {
    let own = decided.iter().filter_map(|it| match it.amount {
        _ if it.grade.is_some() && it.grade.as_ref() != grade => None,
        DecidedAmount::Weight(weight) if it.grade.is_none() => {
            let shares = largest_remainder(weight.0, gross);
            let (_, own) = shares.into_iter().find(|(of, _)| of.as_ref() == grade)?;
            Some(DecidedDeduction { amount: DecidedAmount::Weight(Grams(own)), ..it.clone() })
        }
        _ => Some(it.clone()),
    });
    own.collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{bag, bags, moist_rules, percent, rules};
    use super::super::{Observation, Reading, Totals, weigh};
    use super::*;
    use crate::decisions::{Deduction, DeductionBase, MoistureMethod};

    fn factor(code: &str, per_point: Option<Deduction>) -> QualityFactor {
        QualityFactor {
            code: code.parse().expect("a code"),
            name: code.to_lowercase(),
            unit: FactorUnit::Percent,
            limit: 100,
            per_point,
            is_foreign_matter: false,
            base: DeductionBase::AfterForeignMatter,
        }
    }

    fn observed(code: &str, value: u32) -> Observation {
        Observation { factor: code.parse().expect("a code"), reading: Reading { value, grade: None } }
    }

    fn decided(factor: Option<&str>, amount: DecidedAmount) -> DecidedDeduction {
        DecidedDeduction { factor: factor.map(|code| code.parse().expect("a code")), grade: None, amount }
    }

    fn totals(rules: &RuleSet, observations: Vec<Observation>, decided: Vec<DecidedDeduction>) -> Totals {
        weigh(&WeightInput { observations, decided, ..bags([60_000, 40_000]) }, Some(rules)).totals()
    }

    #[test]
    fn a_factor_deducts_for_each_point_above_its_limit() {
        let by_share = RuleSet { factors: vec![factor("BROKEN", Some(Deduction::Share(percent(50))))], ..rules(0) };
        let by_bag = RuleSet { factors: vec![factor("BROKEN", Some(Deduction::PerBag(Grams(200))))], ..rules(0) };
        let count = QualityFactor {
            unit: FactorUnit::Count,
            limit: 3,
            ..factor("BROKEN", Some(Deduction::Share(percent(50))))
        };
        let by_count = RuleSet { factors: vec![count], ..rules(0) };
        let by_person = RuleSet { factors: vec![factor("BROKEN", None)], ..rules(0) };
        for (rules, value, expected) in [
            (&by_share, 100, 0),
            (&by_share, 101, 5),
            (&by_share, 350, 1_250),
            (&by_bag, 350, 1_000),
            (&by_count, 3, 0),
            (&by_count, 5, 1_000),
            (&by_person, 350, 0),
        ] {
            assert_eq!(totals(rules, vec![observed("BROKEN", value)], vec![]).quality_g, Grams(expected), "{value}");
        }
        assert_eq!(
            totals(&by_share, vec![observed("OTHER", 350)], vec![]).quality_g,
            Grams(0),
            "no factor of the rules"
        );
    }

    #[test]
    fn foreign_matter_is_deducted_first_and_the_rule_set_names_the_base_of_the_others() {
        let stones =
            QualityFactor { is_foreign_matter: true, ..factor("STONES", Some(Deduction::Share(percent(1_000)))) };
        let broken = factor("BROKEN", Some(Deduction::Share(percent(100))));
        for (base, moisture_g, broken_g) in
            [(DeductionBase::AfterForeignMatter, 3_600, 900), (DeductionBase::BagNet, 4_000, 1_000)]
        {
            let mut rules = moist_rules(0, 1_400, MoistureMethod::PerPoint(Deduction::Share(percent(100))));
            rules.moisture.base = base;
            // Foreign matter is last in the list: the order of the list has no meaning.
            rules.factors = vec![QualityFactor { base, ..broken.clone() }, stones.clone()];
            let input = WeightInput {
                moisture: vec![Reading { value: 1_800, grade: None }],
                observations: vec![observed("BROKEN", 200), observed("STONES", 200)],
                ..bags([60_000, 40_000])
            };
            let weight = weigh(&input, Some(&rules));
            let amounts: Vec<_> = weight.grades[0].lines.iter().map(|line| (line.kind, -line.amount_g.0)).collect();
            let quality = [(LineKind::Quality, 10_000), (LineKind::Quality, broken_g)];
            assert_eq!(amounts[2..4], quality, "{base}");
            assert_eq!(amounts[4], (LineKind::Moisture, moisture_g), "{base}");
        }
    }

    #[test]
    fn what_a_person_decided_replaces_what_follows_from_observations() {
        let rules = RuleSet { factors: vec![factor("BROKEN", Some(Deduction::Share(percent(50))))], ..rules(0) };
        let broken = || vec![observed("BROKEN", 350)];
        for (decision, expected) in [
            (decided(Some("BROKEN"), DecidedAmount::Weight(Grams(400))), 400),
            (decided(Some("BROKEN"), DecidedAmount::Share(percent(0))), 0),
            (decided(None, DecidedAmount::Share(percent(200))), 1_250 + 2_000),
            (decided(Some("SMELL"), DecidedAmount::Weight(Grams(7))), 1_250 + 7),
        ] {
            assert_eq!(totals(&rules, broken(), vec![decision.clone()]).quality_g, Grams(expected), "{decision:?}");
        }
    }

    #[test]
    fn quality_takes_at_most_half_of_the_gross_unless_that_is_waived() {
        let decided = vec![decided(None, DecidedAmount::Share(percent(6_000)))];
        let input = WeightInput { decided, ..bags([60_000, 40_001]) };
        let capped = weigh(&input, Some(&rules(1_000)));
        assert_eq!((capped.totals().quality_g, capped.totals().net_g), (Grams(50_001), Grams(48_000)));
        let cap = capped.grades[0].lines.last().expect("lines");
        assert_eq!((cap.kind, cap.amount_g), (LineKind::QualityCap, Grams(8_800)), "58,801 less 50,001");
        let waived = weigh(&WeightInput { is_quality_cap_waived: true, ..input }, Some(&rules(1_000))).totals();
        assert_eq!(waived.quality_g, Grams(58_801));
    }

    #[test]
    fn a_decided_weight_without_a_grade_is_divided_among_the_grades() {
        let weighings = vec![bag(10_000, 0, Some("A")), bag(20_000, 0, Some("B"))];
        let decided = vec![decided(None, DecidedAmount::Weight(Grams(1_000)))];
        let weight = weigh(&WeightInput { weighings, decided, ..WeightInput::default() }, Some(&rules(0)));
        let quality: Vec<_> = weight.grades.iter().map(|grade| grade.totals.quality_g.0).collect();
        assert_eq!(quality, [333, 667]);
    }
}
