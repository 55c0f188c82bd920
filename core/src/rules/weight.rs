//! Weight of a delivery: gross, tare, deductions and net, as printed lines for each grade (`docs/arithmetic.md`, formulas 1 to 7).

use std::collections::BTreeMap;

use super::deduction::whole;
use super::input::{DecidedDeduction, Reading, Weighed, Weighing, WeightInput};
use super::line::{Calculation, LineKind, WeightLine};
use super::moisture::Moisture;
use super::quality::{Quality, decided_for};
use crate::decisions::{Deduction, RuleSet};
use crate::records::BagCount;
use crate::units::{BagType, GradeCode, Grams, Percent};

/// Totals of a delivery or of one grade of it; sums of printed lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Number of bags.
    pub bags: u32,
    /// Weight of produce and bags.
    pub gross_g: Grams,
    /// Weight of the empty bags.
    pub tare_g: Grams,
    /// Deduction for quality, at most half of the gross weight unless that was waived.
    pub quality_g: Grams,
    /// Deduction for moisture, with the loss in drying and handling.
    pub moisture_g: Grams,
    /// Customary allowance.
    pub allowance_g: Grams,
    /// Gross minus all deductions, never below zero.
    pub net_g: Grams,
    /// Number of these bags whose type the rule set does not name: their tare is not known, and not part of `tare_g`.
    pub bags_of_unknown_type: u32,
    /// Whether the deductions of a grade use up all that was weighed of it. A person must look at it.
    pub deductions_exceed_weight: bool,
}

impl Totals {
    /// Returns the totals of a grade's lines. `known_bags` are those whose type the rule set names.
    fn of(lines: &[WeightLine], bags: u32, known_bags: u32) -> Self {
        let of = |kinds: &[LineKind]| -> Grams {
            lines.iter().filter(|line| kinds.contains(&line.kind)).map(|line| line.amount_g).sum()
        };
        let less = |kinds: &[LineKind]| Grams::ZERO - of(kinds);
        let net_g = sum(lines);
        Self {
            bags,
            gross_g: of(&[LineKind::Gross]),
            tare_g: less(&[LineKind::Tare]),
            quality_g: less(&[LineKind::Quality, LineKind::QualityCap]),
            moisture_g: less(&[LineKind::Moisture, LineKind::HandlingLoss]),
            allowance_g: less(&[LineKind::Allowance]),
            net_g,
            bags_of_unknown_type: bags.saturating_sub(known_bags),
            deductions_exceed_weight: net_g == Grams::ZERO && lines.iter().any(|line| line.amount_g != Grams::ZERO),
        }
    }

    /// Returns the sums of both.
    #[must_use]
    pub(crate) fn add(self, other: &Self) -> Self {
        Self {
            bags: self.bags.saturating_add(other.bags),
            gross_g: self.gross_g + other.gross_g,
            tare_g: self.tare_g + other.tare_g,
            quality_g: self.quality_g + other.quality_g,
            moisture_g: self.moisture_g + other.moisture_g,
            allowance_g: self.allowance_g + other.allowance_g,
            net_g: self.net_g + other.net_g,
            bags_of_unknown_type: self.bags_of_unknown_type.saturating_add(other.bags_of_unknown_type),
            deductions_exceed_weight: self.deductions_exceed_weight || other.deductions_exceed_weight,
        }
    }
}

/// The weight of the produce of one grade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GradeWeight {
    /// The grade; `None` for produce without one.
    pub grade: Option<GradeCode>,
    /// The moisture that counts; `None` without a reading.
    pub moisture: Option<Percent>,
    /// Place of the price bracket of that moisture, from 1; `None` by other methods, or without a reading.
    pub price_bracket: Option<u32>,
    /// Totals of the lines.
    pub totals: Totals,
    /// Printed lines in their order.
    pub lines: Vec<WeightLine>,
}

/// The weight of a delivery, computed for each grade.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryWeight {
    /// The grades in the order of their codes; produce without a grade is first.
    pub grades: Vec<GradeWeight>,
}

impl DeliveryWeight {
    /// Returns the totals of the delivery, which are the sums of those of its grades.
    pub fn totals(&self) -> Totals {
        self.grades.iter().fold(Totals::default(), |sum, grade| sum.add(&grade.totals))
    }
}

/// What was weighed of one grade.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    pub(super) grade: Option<GradeCode>,
    pub(super) gross: Grams,
    pub(super) bags: BTreeMap<BagType, u32>,
}

impl Group {
    pub(super) fn bag_count(&self) -> u32 {
        self.bags.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Returns the values of the readings of this grade; of those without a grade if it has none.
    pub(super) fn own<'a>(&self, readings: &(impl Iterator<Item = &'a Reading> + Clone)) -> Vec<i64> {
        let of = |grade: Option<&GradeCode>| -> Vec<i64> {
            let readings = readings.clone().filter(|it| it.grade.as_ref() == grade);
            readings.map(|it| it.value.into()).collect()
        };
        let own = of(self.grade.as_ref());
        if own.is_empty() { of(None) } else { own }
    }

    pub(super) fn line(&self, kind: LineKind, calculation: Calculation, amount_g: Grams) -> WeightLine {
        WeightLine { kind, grade: self.grade.clone(), factor: None, bag_type: None, calculation, amount_g }
    }
}

/// Computes the weight of a delivery under a rule set.
///
/// A bag type that `rules` does not name, and each if that is `None`, is counted without tare and allowance, and in
/// [`Totals::bags_of_unknown_type`]: no farmer is paid less because of a gap in the rules, and somebody must look at it.
pub fn weigh(input: &WeightInput, rules: Option<&RuleSet>) -> DeliveryWeight {
    let groups = groups(input);
    let gross: Vec<(Option<GradeCode>, i64)> = groups.iter().map(|it| (it.grade.clone(), it.gross.0)).collect();
    let grades = groups.iter().map(|group| {
        let decided = decided_for(&input.decided, &gross, group.grade.as_ref());
        grade_weight(group, input, &decided, rules)
    });
    DeliveryWeight { grades: grades.collect() }
}

/// Returns what was weighed and counted, by grade.
fn groups(input: &WeightInput) -> Vec<Group> {
    let mut groups = BTreeMap::<&Option<GradeCode>, Group>::new();
    let mut add = |grade, gross: Grams, bags: Option<(BagType, u32)>| {
        let group = groups.entry(grade).or_insert_with(|| Group { grade: grade.clone(), ..Group::default() });
        group.gross = group.gross + gross;
        if let Some((bag_type, count)) = bags {
            let bags = group.bags.entry(bag_type).or_default();
            *bags = bags.saturating_add(count);
        }
    };
    for Weighing { weighed, grade } in &input.weighings {
        match *weighed {
            Weighed::Bag { gross, bag_type } => add(grade, gross, Some((bag_type, 1))),
            Weighed::Lot { gross } => add(grade, gross, None),
            Weighed::Vehicle { gross, tare } => add(grade, gross - tare, None),
        }
    }
    for BagCount { bag_type, grade, count } in &input.bag_counts {
        add(grade, Grams::ZERO, Some((*bag_type, *count)));
    }
    groups.into_values().collect()
}

fn grade_weight(
    group: &Group,
    input: &WeightInput,
    decided: &[DecidedDeduction],
    rules: Option<&RuleSet>,
) -> GradeWeight {
    let mut lines = vec![group.line(LineKind::Gross, Calculation::Weighed, group.gross)];
    let (mut known_bags, mut moisture) = (0_u32, Moisture::default());
    if let Some(rules) = rules {
        for (bag_type, bags) in &group.bags {
            let Some(rule) = rules.bag_type(*bag_type) else { continue };
            known_bags = known_bags.saturating_add(*bags);
            let (calculation, tare) = whole(Deduction::PerBag(rule.tare), group.gross, *bags, rules.rounding);
            lines.push(WeightLine { bag_type: Some(*bag_type), ..group.line(LineKind::Tare, calculation, tare) });
        }
        let bag_net = sum(&lines).max(Grams::ZERO);
        let quality = Quality { group, input, decided, rules };
        let mut deducted = quality.foreign_matter(bag_net);
        let base = Base { bag_net, after_foreign_matter: (bag_net + sum(&deducted)).max(Grams::ZERO) };
        deducted.extend(quality.other(base));
        deducted.extend(quality.cap(sum(&deducted)));
        moisture = Moisture::of(group, &input.moisture, base, rules);
        lines.extend(deducted);
        lines.append(&mut moisture.lines);
        if rules.allowance > Grams::ZERO && known_bags > 0 {
            let (calculation, allowance) =
                whole(Deduction::PerBag(rules.allowance), bag_net, known_bags, rules.rounding);
            lines.push(group.line(LineKind::Allowance, calculation, allowance));
        }
    }
    let net = sum(&lines);
    if net < Grams::ZERO {
        lines.push(group.line(LineKind::Excess, Calculation::ToLimit, Grams::ZERO - net));
    }
    let totals = Totals::of(&lines, group.bag_count(), known_bags);
    let Moisture { effective, price_bracket, .. } = moisture;
    GradeWeight { grade: group.grade.clone(), moisture: effective, price_bracket, totals, lines }
}

/// The weights of which deductions take shares.
#[derive(Clone, Copy)]
pub(super) struct Base {
    pub(super) bag_net: Grams,
    pub(super) after_foreign_matter: Grams,
}

fn sum(lines: &[WeightLine]) -> Grams {
    lines.iter().map(|line| line.amount_g).sum()
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{bag, bags, moist_rules, percent, rules, sample};
    use super::*;
    use crate::decisions::{BagTypeRule, MoistureMethod};

    fn amounts(weight: &DeliveryWeight) -> Vec<(Option<&str>, &'static str, i64)> {
        let lines = weight.grades.iter().flat_map(|grade| &grade.lines);
        lines.map(|it| (it.grade.as_ref().map(GradeCode::as_str), it.kind.as_str(), it.amount_g.0)).collect()
    }

    fn counts(number: u8, grade: Option<&str>, count: u32) -> BagCount {
        let bag_type = BagType::try_from(number).expect("a type");
        BagCount { bag_type, grade: grade.map(|code| code.parse().expect("a code")), count }
    }

    #[test]
    fn net_never_falls_below_nothing_and_a_bag_of_an_unknown_type_counts_without_tare_and_apart() {
        let known = RuleSet { allowance: Grams(300), ..rules(2_000) };
        for (bag_type, rules, net_g, unknown, exceeds) in
            [(0, Some(&known), 0, 0, true), (1, Some(&known), 500, 1, false), (0, None, 500, 1, false)]
        {
            let input = WeightInput { weighings: vec![bag(500, bag_type, None)], ..WeightInput::default() };
            let totals = weigh(&input, rules).totals();
            assert_eq!((totals.net_g, totals.bags_of_unknown_type), (Grams(net_g), unknown));
            assert_eq!(totals.deductions_exceed_weight, exceeds);
        }
        let lines = weigh(&bags([500]), Some(&known));
        let expected =
            [(None, "gross", 500), (None, "tare", -2_000), (None, "allowance", -300), (None, "excess", 1_800)];
        assert_eq!(amounts(&lines), expected);
    }

    #[test]
    fn nothing_weighed_is_not_too_much_deducted() {
        assert_eq!(weigh(&WeightInput::default(), Some(&rules(2_000))).totals(), Totals::default());
    }

    #[test]
    fn lots_and_vehicles_have_the_tare_of_the_bags_that_were_counted() {
        let weighed = [
            Weighed::Lot { gross: Grams(500_000) },
            Weighed::Vehicle { gross: Grams(12_000_000), tare: Grams(9_000_000) },
        ];
        for (weighed, gross_g) in weighed.into_iter().zip([500_000, 3_000_000]) {
            for (count, tare_g) in [(0, 0), (8, 16_000)] {
                let weighings = vec![Weighing { weighed, grade: None }];
                let input =
                    WeightInput { weighings, bag_counts: vec![counts(0, None, count)], ..WeightInput::default() };
                let totals = weigh(&input, Some(&rules(2_000))).totals();
                assert_eq!((totals.bags, totals.gross_g, totals.tare_g), (count, Grams(gross_g), Grams(tare_g)));
            }
        }
        assert!(rules(2_000).needs_bag_counts(), "lots need their bags counted");
        assert!(!rules(0).needs_bag_counts());
        assert!(RuleSet { allowance: Grams(1), ..rules(0) }.needs_bag_counts());
        let per_bag = MoistureMethod::PerPoint(Deduction::PerBag(Grams(100)));
        assert!(moist_rules(0, 1_400, per_bag).needs_bag_counts());
        assert!(!moist_rules(0, 1_400, MoistureMethod::WaterShrink).needs_bag_counts());
    }

    #[test]
    fn each_bag_type_has_a_line_of_tare_and_an_allowance_is_under_its_own_name() {
        let sack = BagTypeRule { number: 1, name: "sack".into(), tare: Grams(400) };
        let mut rules = RuleSet { allowance: Grams(250), ..rules(1_500) };
        rules.bag_types.push(sack);
        let weighings = vec![bag(20_000, 0, None), bag(60_000, 1, None), bag(61_000, 1, None), bag(30_000, 2, None)];
        let weight = weigh(&WeightInput { weighings, ..WeightInput::default() }, Some(&rules));
        let expected =
            [(None, "gross", 171_000), (None, "tare", -1_500), (None, "tare", -800), (None, "allowance", -750)];
        assert_eq!(amounts(&weight), expected, "no allowance for the bag of an unknown type");
        assert_eq!(weight.grades[0].lines[2].calculation, Calculation::PerBag { bags: 2, each_g: Grams(400) });
    }

    #[test]
    fn grades_are_weighed_apart_with_their_own_readings() {
        let rules = moist_rules(1_000, 1_400, MoistureMethod::PerPoint(Deduction::Share(percent(100))));
        let weighings = vec![bag(51_000, 0, Some("B")), bag(61_000, 0, Some("A")), bag(71_000, 0, None)];
        let reading =
            |value, grade: Option<&str>| Reading { value, grade: grade.map(|code| code.parse().expect("a code")) };
        let moisture = vec![reading(1_500, None), reading(1_600, Some("A"))];
        let weight = weigh(&WeightInput { weighings, moisture, ..WeightInput::default() }, Some(&rules));
        let expected = [
            (None, "gross", 71_000),
            (None, "tare", -1_000),
            (None, "moisture", -700),
            (Some("A"), "gross", 61_000),
            (Some("A"), "tare", -1_000),
            (Some("A"), "moisture", -1_200),
            (Some("B"), "gross", 51_000),
            (Some("B"), "tare", -1_000),
            (Some("B"), "moisture", -500),
        ];
        assert_eq!(amounts(&weight), expected);
        assert_eq!(weight.totals().net_g, Grams(177_600));
        let effective: Vec<_> = weight.grades.iter().map(|grade| grade.moisture).collect();
        assert_eq!(effective, [Some(percent(1_500)), Some(percent(1_600)), Some(percent(1_500))]);
    }

    #[test]
    fn bags_that_were_counted_for_a_grade_that_was_not_weighed_are_noticed() {
        let input = WeightInput { bag_counts: vec![counts(0, Some("A"), 3)], ..bags([50_000]) };
        let totals = weigh(&input, Some(&rules(1_000))).totals();
        assert_eq!((totals.net_g, totals.deductions_exceed_weight), (Grams(49_000), true));
    }

    #[test]
    fn without_a_rule_set_all_that_was_weighed_is_net() {
        let totals = weigh(&sample([1_800]), None).totals();
        assert_eq!((totals.net_g, totals.bags_of_unknown_type), (Grams(3_431_000), 55));
    }
}
