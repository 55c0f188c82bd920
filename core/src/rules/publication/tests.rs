use PublicationCode as Code;

use super::super::fixtures::{moist_rules, money, percent, rules};
use super::*;
use crate::decisions::WeighingRules;
use crate::decisions::{BagTypeRule, DeductionBase, FactorUnit, Grade, MoistureStep, PriceBracket, QualityFactor};
use crate::units::Grams;

fn errors(rules: &RuleSet) -> Vec<(String, PublicationCode)> {
    check_rule_set(rules).into_iter().map(|error| (error.path, error.code)).collect()
}

/// Requires that exactly these errors are found after a change to rules without any.
fn finds(change: impl FnOnce(&mut RuleSet), expected: &[(&str, PublicationCode)]) {
    let mut rules = moist_rules(650, 1_400, MoistureMethod::WaterShrink);
    assert_eq!(errors(&rules), []);
    change(&mut rules);
    let expected: Vec<_> = expected.iter().map(|(path, code)| ((*path).to_owned(), *code)).collect();
    assert_eq!(errors(&rules), expected);
}

fn factor(code: &str, per_point: Option<Deduction>) -> QualityFactor {
    QualityFactor {
        code: code.parse().expect("a code"),
        name: "any".into(),
        unit: FactorUnit::Count,
        limit: 0,
        per_point,
        is_foreign_matter: false,
        base: DeductionBase::default(),
    }
}

#[test]
fn the_defaults_have_no_error() {
    assert_eq!(errors(&rules(1_500)), []);
}

#[test]
fn all_errors_are_found_at_once() {
    let change = |rules: &mut RuleSet| {
        rules.number = 0;
        rules.bag_types.clear();
        rules.moisture.step_hundredths = 0;
        rules.cash_unit = Some(Money::ZERO);
    };
    let expected = [
        ("/number", Code::OutOfRange),
        ("/bag_types", Code::NoBagType),
        ("/moisture/step_hundredths", Code::OutOfRange),
        ("/cash_unit_minor", Code::OutOfRange),
    ];
    finds(change, &expected);
    let mut rules = rules(0);
    change(&mut rules);
    let first = check_rule_set(&rules).swap_remove(0);
    assert_eq!(first.to_string(), "/number: 0 is not 1 to 1000000 (out_of_range)");
}

#[test]
fn bag_types_are_numbered_once_and_within_their_bounds() {
    let bag = |number, tare| BagTypeRule { number, name: "sack".into(), tare: Grams(tare) };
    finds(|rules| rules.bag_types.push(bag(15, 1_000_000)), &[]);
    finds(|rules| rules.bag_types.push(bag(0, 0)), &[("/bag_types/1/number", Code::Duplicate)]);
    let expected = [("/bag_types/1/number", Code::OutOfRange), ("/bag_types/1/tare_g", Code::OutOfRange)];
    finds(|rules| rules.bag_types.push(bag(16, 1_000_001)), &expected);
    finds(|rules| rules.bag_types.push(bag(1, -1)), &[("/bag_types/1/tare_g", Code::OutOfRange)]);
}

#[test]
fn tare_and_allowance_of_each_bag_type_are_within_the_legal_cap() {
    let set = |rules: &mut RuleSet, allowance, cap| {
        rules.bag_types.push(BagTypeRule { number: 1, name: "sack".into(), tare: Grams(200) });
        (rules.allowance, rules.legal_cap) = (Grams(allowance), Some(Grams(cap)));
    };
    finds(|rules| set(rules, 350, 1_000), &[]);
    finds(|rules| set(rules, 351, 1_000), &[("/bag_types/0/tare_g", Code::LegalCapExceeded)]);
    let both = [("/bag_types/0/tare_g", Code::LegalCapExceeded), ("/bag_types/1/tare_g", Code::LegalCapExceeded)];
    finds(|rules| set(rules, 801, 1_000), &both);
    finds(|rules| rules.allowance = Grams(-1), &[("/allowance_g", Code::OutOfRange)]);
    finds(|rules| rules.legal_cap = Some(Grams(1_000_001)), &[("/legal_cap_g", Code::OutOfRange)]);
}

#[test]
fn a_target_is_above_nothing_and_below_everything() {
    let target = "/moisture/target_hundredths";
    for (hundredths, found) in
        [(0, Some(Code::MoistureTargetMissing)), (1, None), (9_999, None), (10_000, Some(Code::MoistureTargetTooHigh))]
    {
        let expected: Vec<_> = found.map(|code| (target, code)).into_iter().collect();
        finds(|rules| rules.moisture.target = percent(hundredths), &expected);
    }
    finds(|rules| rules.moisture.step_hundredths = 10_000, &[]);
    finds(|rules| rules.moisture.step_hundredths = 10_001, &[("/moisture/step_hundredths", Code::OutOfRange)]);
}

#[test]
fn a_handling_loss_needs_a_method_that_cuts_weight() {
    finds(|rules| rules.moisture.handling_loss = percent(50), &[]);
    let without = |rules: &mut RuleSet| {
        (rules.moisture.handling_loss, rules.moisture.method) = (percent(50), MoistureMethod::None);
    };
    finds(without, &[("/moisture/handling_loss_hundredths", Code::HandlingLossUnused)]);
}

#[test]
fn steps_have_neither_gap_nor_overlap_and_cover_all_above_the_target() {
    let table = |ends: &[(i64, i64)]| {
        let deduction = Deduction::Share(percent(100));
        let steps = ends.iter().map(|(above, up_to)| MoistureStep {
            above: percent(*above),
            up_to: percent(*up_to),
            deduction,
        });
        let method = MoistureMethod::StepTable(steps.collect());
        move |rules: &mut RuleSet| rules.moisture.method = method
    };
    let (first, second) = ("/moisture/brackets/0/above_hundredths", "/moisture/brackets/1/above_hundredths");
    finds(table(&[(1_400, 1_800), (1_800, 10_000)]), &[]);
    finds(table(&[(1_400, 1_800), (1_900, 10_000)]), &[(second, Code::BracketGap)]);
    finds(table(&[(1_400, 1_800), (1_700, 10_000)]), &[(second, Code::BracketOverlap)]);
    finds(table(&[(1_500, 10_000)]), &[(first, Code::BracketGap)]);
    finds(table(&[(1_300, 10_000)]), &[(first, Code::BracketOverlap)]);
    finds(table(&[(1_400, 1_800)]), &[("/moisture/brackets", Code::BracketGap)]);
    finds(table(&[]), &[("/moisture/brackets", Code::BracketGap)]);
    let empty = [("/moisture/brackets/1/up_to_hundredths", Code::BracketEmpty)];
    finds(table(&[(1_400, 1_800), (1_800, 1_800), (1_800, 10_000)]), &empty);
    let many: Vec<_> = (1_400..).map(|it| (it, it + 1)).take(MAX_BRACKETS - 1).collect();
    let last = 1_400 + i64::try_from(MAX_BRACKETS).expect("small") - 1;
    finds(table(&[many.clone(), vec![(last, 10_000)]].concat()), &[]);
    let more = [many, vec![(last, last + 1), (last + 1, 10_000)]].concat();
    finds(table(&more), &[("/moisture/brackets", Code::TooMany)]);
}

#[test]
fn price_brackets_cover_all_from_nothing() {
    let table = |above| {
        let bracket = PriceBracket { above: percent(above), up_to: Percent::WHOLE };
        move |rules: &mut RuleSet| rules.moisture.method = MoistureMethod::PriceBracket(vec![bracket])
    };
    finds(table(0), &[]);
    finds(table(1), &[("/moisture/brackets/0/above_hundredths", Code::BracketGap)]);
}

#[test]
fn deductions_for_a_bag_are_within_the_weight_of_one() {
    let heavy = Deduction::PerBag(Grams(1_000_001));
    finds(
        |rules| rules.moisture.method = MoistureMethod::PerPoint(heavy),
        &[("/moisture/per_bag_g", Code::OutOfRange)],
    );
    let step = MoistureStep { above: percent(1_400), up_to: Percent::WHOLE, deduction: Deduction::PerBag(Grams(-1)) };
    let expected = [("/moisture/brackets/0/per_bag_g", Code::OutOfRange)];
    finds(|rules| rules.moisture.method = MoistureMethod::StepTable(vec![step]), &expected);
    finds(|rules| rules.factors.push(factor("A", Some(heavy))), &[("/factors/0/per_bag_g", Code::OutOfRange)]);
}

#[test]
fn factors_and_grades_are_there_once_and_not_too_many() {
    let twice = |rules: &mut RuleSet| {
        rules.factors = vec![factor("A", None), factor("A", None)];
        let grade = Grade { code: "A".parse().expect("a code"), name: "first".into() };
        rules.grades = vec![grade.clone(), grade];
    };
    finds(twice, &[("/grades/1/code", Code::Duplicate), ("/factors/1/code", Code::Duplicate)]);
    let many = |more: usize| {
        move |rules: &mut RuleSet| {
            rules.factors = (0..MAX_FACTORS + more).map(|it| factor(&it.to_string(), None)).collect();
            let code = |it: usize| it.to_string().parse().expect("a code");
            rules.grades = (0..MAX_GRADES + more).map(|it| Grade { code: code(it), name: "any".into() }).collect();
        }
    };
    finds(many(0), &[]);
    finds(many(1), &[("/grades", Code::TooMany), ("/factors", Code::TooMany)]);
}

#[test]
fn windows_capacity_and_grace_are_bounded() {
    finds(|rules| rules.windows.clerk_amend_minutes = MAX_WINDOW_MINUTES, &[]);
    let late = |rules: &mut RuleSet| {
        rules.windows.clerk_amend_minutes = MAX_WINDOW_MINUTES + 1;
        rules.windows.field_manager_amend_minutes = MAX_WINDOW_MINUTES + 1;
        rules.windows.duplicate_minutes = MAX_WINDOW_MINUTES + 1;
    };
    let names = ["clerk_amend_minutes", "field_manager_amend_minutes", "duplicate_minutes"];
    let paths = names.map(|name| format!("/windows/{name}"));
    finds(late, &paths.each_ref().map(|path| (path.as_str(), Code::OutOfRange)));

    let (days, bags, seconds) = (MAX_CHECK_DAYS, MAX_PATTERN_BAGS, MAX_BAG_SECONDS);
    let weighing = |more: u32| {
        move |rules: &mut RuleSet| {
            rules.weighing = WeighingRules {
                check_days: days + more,
                repeated_bags: bags + more,
                pattern_bags: bags + more,
                regular_hundredths: 10_000 + more,
                repeat_hundredths: 10_000 + more,
                bag_seconds: seconds + more,
                fast_bags: bags + more,
            };
        }
    };
    finds(weighing(0), &[]);
    let names = ["check_days", "repeated_bags", "pattern_bags", "regular_hundredths", "repeat_hundredths"];
    let paths: Vec<String> =
        names.into_iter().chain(["bag_seconds", "fast_bags"]).map(|name| format!("/weighing/{name}")).collect();
    finds(weighing(1), &paths.iter().map(|path| (path.as_str(), Code::OutOfRange)).collect::<Vec<_>>());

    let (warning, stop) = ("/capacity/warning_hundredths", "/capacity/stop_hundredths");
    let most = MAX_CAPACITY_HUNDREDTHS;
    for (of_warning, of_stop, expected) in [
        (1, most, &[][..]),
        (most, most, &[]),
        (0, most, &[(warning, Code::OutOfRange)]),
        (1, most + 1, &[(stop, Code::OutOfRange)]),
        (10_001, 10_000, &[(warning, Code::CapacityWarningAboveStop)]),
    ] {
        let set = |rules: &mut RuleSet| {
            (rules.capacity.warning_hundredths, rules.capacity.stop_hundredths) = (of_warning, of_stop);
        };
        finds(set, expected);
    }
    finds(|rules| rules.interest.grace_days = MAX_GRACE_DAYS, &[]);
    finds(|rules| rules.interest.grace_days = MAX_GRACE_DAYS + 1, &[("/interest/grace_days", Code::OutOfRange)]);
}

#[test]
fn limits_of_cash_do_not_contradict_each_other() {
    let (payee, day, delivery) =
        ("/cash_limits/per_payee_minor", "/cash_limits/per_day_minor", "/cash_limits/per_delivery_minor");
    let some = |minor: i64| (minor != 0).then(|| money(minor));
    for (limits, expected) in [
        ([5, 9, 5], &[][..]),
        ([0, 0, 5], &[]),
        ([5, 9, 6], &[(delivery, Code::CashLimitsContradict)]),
        ([0, 4, 5], &[(delivery, Code::CashLimitsContradict)]),
        ([5, 4, 0], &[(payee, Code::CashLimitsContradict)]),
        ([-1, 0, -1], &[(payee, Code::OutOfRange), (delivery, Code::OutOfRange)]),
        ([0, -1, 0], &[(day, Code::OutOfRange)]),
    ] {
        let [of_payee, of_day, of_delivery] = limits.map(some);
        let set = |rules: &mut RuleSet| {
            rules.cash_limits.per_payee = of_payee;
            rules.cash_limits.per_day = of_day;
            rules.cash_limits.per_delivery = of_delivery;
        };
        finds(set, expected);
    }
}

#[test]
fn thresholds_are_not_negative_and_a_unit_of_cash_is_something() {
    let negative = |rules: &mut RuleSet| {
        let owed = Some(money(-1));
        (rules.approval.advance, rules.approval.settlement, rules.approval.payment) = (owed, owed, owed);
    };
    let names = ["advance_minor", "settlement_minor", "payment_minor"].map(|name| format!("/approval/{name}"));
    finds(negative, &names.each_ref().map(|path| (path.as_str(), Code::OutOfRange)));
    for (unit, fits) in [(0, false), (1, true), (MAX_CASH_UNIT, true), (MAX_CASH_UNIT + 1, false)] {
        let expected = [("/cash_unit_minor", Code::OutOfRange)];
        finds(|rules| rules.cash_unit = Some(money(unit)), if fits { &[] } else { &expected });
    }
}
