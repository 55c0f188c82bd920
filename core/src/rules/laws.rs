//! Laws of the arithmetic, for any rules and any weights.

use proptest::prelude::*;
use proptest::sample::select;

use super::fixtures::{bag, moist_rules, money, percent, price, rules};
use super::*;
use crate::decisions::{
    BagTypeRule, Deduction, DeductionBase, EffectiveReading, FactorUnit, LossBearer, LossPolicy, LossTolerance,
    MoistureMethod, MoistureRules, MoistureStep, QualityFactor, Rounding, RuleSet,
};
use crate::records::BagCount;
use crate::units::{BagType, DeliveryId, Grams, Percent};

const GRADES: [Option<&str>; 3] = [None, Some("A"), Some("B")];
const FACTORS: [&str; 3] = ["STONES", "BROKEN", "INSECTS"];

fn share(most: i64) -> impl Strategy<Value = Percent> {
    (0..=most).prop_map(percent)
}

fn deduction() -> impl Strategy<Value = Deduction> {
    prop_oneof![(0..500_i64).prop_map(|it| Deduction::PerBag(Grams(it))), share(300).prop_map(Deduction::Share)]
}

fn method() -> impl Strategy<Value = MoistureMethod> {
    let steps = |(middle, first, second): (i64, Deduction, Deduction)| {
        let (target, middle, whole) = (percent(1_400), percent(middle), Percent::WHOLE);
        let first = MoistureStep { above: target, up_to: middle, deduction: first };
        MoistureMethod::StepTable(vec![first, MoistureStep { above: middle, up_to: whole, deduction: second }])
    };
    prop_oneof![
        Just(MoistureMethod::None),
        Just(MoistureMethod::WaterShrink),
        deduction().prop_map(MoistureMethod::PerPoint),
        (1_401..10_000_i64, deduction(), deduction()).prop_map(steps),
    ]
}

fn factor(code: &'static str) -> impl Strategy<Value = QualityFactor> {
    (0..300_u32, prop::option::of(deduction()), select(&DeductionBase::ALL[..])).prop_map(
        move |(limit, per_point, base)| QualityFactor {
            code: code.parse().expect("a code"),
            name: code.to_lowercase(),
            unit: if code == "INSECTS" { FactorUnit::Count } else { FactorUnit::Percent },
            limit,
            per_point,
            is_foreign_matter: code == "STONES",
            base,
        },
    )
}

prop_compose! {
    fn any_rules()(
        (tares, allowance) in ([0..3_000_i64, 0..3_000], 0..500_i64),
        (rounding, effective_reading) in (select(&Rounding::ALL[..]), select(&EffectiveReading::ALL[..])),
        (method, base, step_hundredths, handling_loss) in
            (method(), select(&DeductionBase::ALL[..]), select(&[1, 10, 50, 100][..]), share(100)),
        factors in FACTORS.map(factor),
    ) -> RuleSet {
        let types = (0..).zip(tares).map(|(number, tare)| BagTypeRule { number, name: "bag".into(), tare: Grams(tare) });
        let moisture = MoistureRules { base, step_hundredths, handling_loss, ..moist_rules(0, 1_400, method).moisture };
        let rules = RuleSet { bag_types: types.collect(), allowance: Grams(allowance), moisture, ..rules(0) };
        RuleSet { rounding, effective_reading, factors: factors.into(), ..rules }
    }
}

fn grade() -> impl Strategy<Value = Option<crate::units::GradeCode>> {
    select(&GRADES[..]).prop_map(|code| code.map(|code| code.parse().expect("a code")))
}

fn weighing() -> impl Strategy<Value = Weighing> {
    let weighed = prop_oneof![
        4 => (1..100_000_i64, 0..3_u8).prop_map(|(grams, number)| bag(grams, number, None).weighed),
        1 => (1..1_000_000_i64).prop_map(|grams| Weighed::Lot { gross: Grams(grams) }),
        1 => (9_000_000..20_000_000_i64).prop_map(|it| Weighed::Vehicle { gross: Grams(it), tare: Grams(9_000_000) }),
    ];
    (weighed, grade()).prop_map(|(weighed, grade)| Weighing { weighed, grade })
}

fn reading(most: u32) -> impl Strategy<Value = Reading> {
    (0..=most, grade()).prop_map(|(value, grade)| Reading { value, grade })
}

fn decided() -> impl Strategy<Value = DecidedDeduction> {
    let factor = select(&FACTORS[..]).prop_map(|code| code.parse().expect("a code"));
    let amount = prop_oneof![
        (0..50_000_i64).prop_map(|grams| DecidedAmount::Weight(Grams(grams))),
        share(4_000).prop_map(DecidedAmount::Share),
    ];
    (prop::option::of(factor), grade(), amount).prop_map(|(factor, grade, amount)| DecidedDeduction {
        factor,
        grade,
        amount,
    })
}

prop_compose! {
    fn any_input()(
        weighings in prop::collection::vec(weighing(), 1..12),
        bag_counts in prop::collection::vec((0..3_u8, grade(), 0..100_u32), 0..3),
        moisture in prop::collection::vec(reading(3_000), 0..4),
        observations in prop::collection::vec((select(&FACTORS[..]), reading(1_500)), 0..5),
        decided in prop::collection::vec(decided(), 0..3),
        is_quality_cap_waived in any::<bool>(),
    ) -> WeightInput {
        let count = |(number, grade, count)| BagCount { bag_type: BagType::try_from(number).expect("a type"), grade, count };
        let observation = |(code, reading): (&str, _)| Observation { factor: code.parse().expect("a code"), reading };
        let bag_counts = bag_counts.into_iter().map(count).collect();
        let observations = observations.into_iter().map(observation).collect();
        WeightInput { weighings, bag_counts, moisture, observations, decided, is_quality_cap_waived }
    }
}

/// Numerator and denominator of a line's amount, as the documentation states the formulas; `None` for what is no formula.
fn exact(calculation: Calculation) -> Option<(i128, i128)> {
    let wide = |it: Grams| i128::from(it.0);
    let part = |it: Percent| i128::from(it.hundredths());
    Some(match calculation {
        Calculation::Weighed | Calculation::Decided | Calculation::ToLimit => return None,
        Calculation::PerBag { bags, each_g } => (i128::from(bags) * wide(each_g), 1),
        Calculation::Share { of_g, share } => (wide(of_g) * part(share), 10_000),
        Calculation::PerBagAndPoint { bags, each_g, points_hundredths } => {
            (i128::from(bags) * wide(each_g) * i128::from(points_hundredths), 100)
        }
        Calculation::SharePerPoint { of_g, share, points_hundredths } => {
            (wide(of_g) * part(share) * i128::from(points_hundredths), 1_000_000)
        }
        Calculation::WaterShrink { of_g, target, points_hundredths } => {
            (wide(of_g) * i128::from(points_hundredths), 10_000 - part(target))
        }
    })
}

/// Whether the amount is the quotient rounded once, told without dividing.
fn is_rounded_once(amount: i128, (numerator, denominator): (i128, i128), rounding: Rounding) -> bool {
    let over = amount * denominator - numerator;
    match rounding {
        Rounding::HalfAwayFromZero => -denominator < 2 * over && 2 * over <= denominator,
        Rounding::HalfEven => 2 * over.abs() < denominator || (2 * over.abs() == denominator && amount % 2 == 0),
        Rounding::Up => (0..denominator).contains(&over),
        Rounding::Down => (0..denominator).contains(&-over),
    }
}

fn rounded_lines(lines: &[WeightLine]) -> i64 {
    let is_rounded = |line: &&WeightLine| exact(line.calculation).is_some_and(|(_, denominator)| denominator > 1);
    lines.iter().filter(is_rounded).count().try_into().expect("few lines")
}

proptest! {
    #[test]
    fn lines_sum_to_totals_and_grades_to_the_delivery(input in any_input(), rules in any_rules()) {
        let weight = weigh(&input, Some(&rules));
        let totals = weight.totals();
        let lines: Vec<_> = weight.grades.iter().flat_map(|grade| &grade.lines).collect();
        let sum = |kind: LineKind| lines.iter().filter(|it| it.kind == kind).map(|it| it.amount_g.0).sum::<i64>();
        let weighed: i64 = input.weighings.iter().map(|it| match it.weighed {
            Weighed::Bag { gross, .. } | Weighed::Lot { gross } => gross.0,
            Weighed::Vehicle { gross, tare } => gross.0 - tare.0,
        }).sum();
        prop_assert_eq!(totals.gross_g.0, weighed);
        prop_assert_eq!(totals.tare_g.0, -sum(LineKind::Tare));
        prop_assert_eq!(totals.quality_g.0, -sum(LineKind::Quality) - sum(LineKind::QualityCap));
        prop_assert_eq!(totals.moisture_g.0, -sum(LineKind::Moisture) - sum(LineKind::HandlingLoss));
        prop_assert_eq!(totals.allowance_g.0, -sum(LineKind::Allowance));
        prop_assert_eq!(totals.net_g.0, lines.iter().map(|it| it.amount_g.0).sum::<i64>());
        let deducted = totals.tare_g.0 + totals.quality_g.0 + totals.moisture_g.0 + totals.allowance_g.0;
        prop_assert_eq!(totals.net_g.0, weighed - deducted + sum(LineKind::Excess));
        prop_assert!(weight.grades.iter().all(|grade| grade.totals.net_g.0 >= 0));
        if !input.is_quality_cap_waived {
            let limit = |grade: &GradeWeight| grade.totals.quality_g.0 * 2 <= grade.totals.gross_g.0 + 1;
            prop_assert!(weight.grades.iter().all(limit), "at most half, rounded");
        }
    }

    #[test]
    fn a_grade_weighs_the_same_with_others_and_alone(input in any_input(), rules in any_rules()) {
        let decided: Vec<_> = input.decided.iter().filter(|it| it.grade.is_some()).cloned().collect();
        let input = WeightInput { decided, ..input };
        for grade in weigh(&input, Some(&rules)).grades {
            let weighings = input.weighings.iter().filter(|it| it.grade == grade.grade).cloned().collect();
            let bag_counts = input.bag_counts.iter().filter(|it| it.grade == grade.grade).cloned().collect();
            let alone = WeightInput { weighings, bag_counts, ..input.clone() };
            prop_assert_eq!(weigh(&alone, Some(&rules)).grades, [grade]);
        }
    }

    #[test]
    fn each_line_is_rounded_once(input in any_input(), rules in any_rules()) {
        for line in weigh(&input, Some(&rules)).grades.into_iter().flat_map(|grade| grade.lines) {
            if let Some(exact) = exact(line.calculation) {
                let amount = -i128::from(line.amount_g.0);
                prop_assert!(is_rounded_once(amount, exact, rules.rounding), "{:?}", line);
            }
        }
    }

    /// With one line that is rounded, not by a gram; with more, each further one may take a gram.
    #[test]
    fn a_heavier_weight_of_the_same_bags_never_pays_less(
        input in any_input(), rules in any_rules(), place in any::<prop::sample::Index>(), more in 1..1_000_i64,
    ) {
        let decided: Vec<_> = input.decided.into_iter().filter(|it| matches!(it.amount, DecidedAmount::Share(_))).collect();
        let lighter = WeightInput { decided, ..input };
        let mut heavier = lighter.clone();
        let place = place.index(heavier.weighings.len());
        match &mut heavier.weighings[place].weighed {
            Weighed::Bag { gross, .. } | Weighed::Lot { gross } | Weighed::Vehicle { gross, .. } => gross.0 += more,
        }
        let (lighter, heavier) = (weigh(&lighter, Some(&rules)), weigh(&heavier, Some(&rules)));
        for (before, after) in lighter.grades.iter().zip(&heavier.grades) {
            let rounded = rounded_lines(&before.lines).max(rounded_lines(&after.lines));
            let lost = before.totals.net_g.0 - after.totals.net_g.0;
            prop_assert!(lost <= (rounded - 1).max(0), "{lost} g less, {rounded} rounded lines");
        }
    }

    /// As a scale weighs, and with shares that together leave a tenth of the weight.
    #[test]
    fn a_weight_that_is_100_g_heavier_never_pays_less(
        grams in prop::collection::vec(100..1_000_i64, 1..20), rules in any_rules(), moisture in 0..3_000_u32,
        stones in 0..1_000_u32, more in 1..100_i64, minor in 1..10_000_000_i64,
    ) {
        let observed = |value| Observation { factor: "STONES".parse().expect("a code"), reading: Reading { value, grade: None } };
        let input = |more: i64| WeightInput {
            weighings: grams.iter().enumerate().map(|(place, it)| {
                bag((it + if place == 0 { more } else { 0 }) * 100, 0, None)
            }).collect(),
            moisture: vec![Reading { value: moisture, grade: None }],
            observations: vec![observed(stones)],
            ..WeightInput::default()
        };
        let worth = |more| {
            let weight = weigh(&input(more), Some(&rules));
            let lines = value_lines(&weight, |_| Some(price(minor)), rules.rounding).expect("amounts");
            total_value(&lines).expect("an amount").expect("priced")
        };
        prop_assert!(worth(more) >= worth(0));
    }

    #[test]
    fn no_weight_and_no_rule_overflows(
        grams in prop::collection::vec(any::<i64>(), 1..4), counts in prop::collection::vec(any::<u32>(), 0..3),
        readings in prop::collection::vec(any::<u32>(), 0..3), each in any::<i64>(), target in 0..=10_000_i64,
        share in 0..=10_000_i64, is_by_share in any::<bool>(),
    ) {
        let deduction = if is_by_share { Deduction::Share(percent(share)) } else { Deduction::PerBag(Grams(each)) };
        let factor = |unit, code: &str| QualityFactor {
            code: code.parse().expect("a code"), name: "any".into(), unit, limit: 0, per_point: Some(deduction),
            is_foreign_matter: is_by_share, base: DeductionBase::BagNet,
        };
        let factors = vec![factor(FactorUnit::Percent, "A"), factor(FactorUnit::Count, "B")];
        let reading = |value: &u32| Reading { value: *value, grade: None };
        let observed = |code: &str| {
            let code = code.parse::<crate::units::FactorCode>().expect("a code");
            readings.iter().map(reading).map(move |reading| Observation { factor: code.clone(), reading }).collect::<Vec<_>>()
        };
        let input = WeightInput {
            weighings: grams.iter().map(|it| Weighing { weighed: Weighed::Lot { gross: Grams(*it) }, grade: None }).collect(),
            bag_counts: counts.iter().map(|count| BagCount { bag_type: BagType::default(), grade: None, count: *count }).collect(),
            moisture: readings.iter().map(reading).collect(),
            observations: [observed("A"), observed("B")].concat(),
            decided: vec![DecidedDeduction { factor: None, grade: None, amount: DecidedAmount::Weight(Grams(each)) }],
            is_quality_cap_waived: false,
        };
        for method in [MoistureMethod::PerPoint(deduction), MoistureMethod::WaterShrink, MoistureMethod::StepTable(vec![])] {
            let rules = RuleSet { allowance: Grams(each), factors: factors.clone(), ..moist_rules(each, target, method) };
            let net_g = weigh(&input, Some(&rules)).totals().net_g;
            let worth = value(net_g, price(1_000_000_000_000_000), rules.rounding);
            prop_assert_eq!(worth.is_ok(), net_g.0 <= 1_000_000, "of more than a tonne it is no amount");
        }
    }

    #[test]
    fn more_weight_is_never_of_less_value(net in 0..100_000_000_i64, more in 0..1_000_000_i64, minor in 1..10_000_000_i64) {
        for rounding in Rounding::ALL {
            let worth = |grams| value(Grams(grams), price(minor), rounding).expect("an amount");
            prop_assert!(worth(net + more) >= worth(net));
        }
    }

    #[test]
    fn what_is_printed_of_a_payment_adds_up(
        available in -1_000_000_000..1_000_000_000_i64, part in 0..=10_000_i64, unit in prop::option::of(1..10_000_i64),
    ) {
        let recovered = (available.max(0) * part) / 10_000;
        for rounding in Rounding::ALL {
            let it = payable(money(available), money(recovered), unit.map(money), rounding).expect("amounts");
            let lines = it.available.minor() - it.recovered.minor() + it.shortfall.minor() + it.cash_rounding.minor();
            prop_assert_eq!(lines, it.payable.minor());
            prop_assert_eq!(it.payable.minor() + it.carried.minor(), available - recovered);
            prop_assert!(it.payable.minor() >= 0 && it.payable.minor() % unit.unwrap_or(1) == 0);
            prop_assert!(it.cash_rounding.minor().abs() < unit.unwrap_or(1));
        }
    }

    #[test]
    fn shares_of_a_loss_add_up_to_what_is_beyond_the_tolerance(
        gross in prop::collection::vec(1..5_000_000_i64, 1..20), missing in -500_000..500_000_i64,
        (tolerance, is_deductible) in (0..=1_000_i64, any::<bool>()),
        (shortage, gain) in (select(&LossBearer::ALL[..]), select(&LossBearer::ALL[..])),
    ) {
        let delivery = |(id, gross): (u8, &i64)| (DeliveryId::from([id; 16]), Grams(*gross));
        let on_load: Vec<_> = (0..).zip(&gross).map(delivery).collect();
        let tolerance_kind = if is_deductible { LossTolerance::Deductible } else { LossTolerance::Franchise };
        let policy = LossPolicy { tolerance: percent(tolerance), tolerance_kind, shortage, gain, ..LossPolicy::default() };
        let arrived = Grams(gross.iter().sum::<i64>() - missing);
        let loss = loss(&on_load, arrived, &policy, Rounding::default());
        prop_assert_eq!(loss.shortage_g.0, missing);
        prop_assert!(loss.beyond_g.0.abs() <= missing.abs() && loss.beyond_g.0 * missing >= 0);
        let shared: i64 = loss.shares.iter().map(|share| share.weight_g.0).sum();
        prop_assert_eq!(shared, if loss.bearer == LossBearer::Buyer { 0 } else { -loss.beyond_g.0 });
    }
}
