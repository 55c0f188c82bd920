//! The golden vectors: examples with known results, which `docs/arithmetic.md` states too.

use super::fixtures::{SAMPLE, bags, day, grouped, moist_rules, money, percent, price, rules, sample};
use super::*;
use crate::decisions::{
    Deduction, InterestPolicy, LossBearer, LossPolicy, LossPrice, LossTolerance, MoistureMethod, MoistureRules,
    RecoveryPolicy, Rounding, RuleSet,
};
use crate::units::{DeliveryId, DocumentId, Grams, Money};

/// Price of the sample sheet: 21.50 a kilogram.
const PRICE: i64 = 2_150_000;

const HALF: Rounding = Rounding::HalfAwayFromZero;

/// Requires that the documentation has this row of its table of examples.
fn is_documented(example: &str, result: &str) {
    let row = format!("| {example} | {result} |");
    let text = include_str!("../../../docs/arithmetic.md");
    assert!(text.contains(&row), "docs/arithmetic.md has no row\n{row}");
}

fn totals(input: &WeightInput, rules: &RuleSet) -> Totals {
    weigh(input, Some(rules)).totals()
}

fn value_of(net: Grams) -> i64 {
    value(net, price(PRICE), HALF).expect("an amount").minor()
}

/// Prints an amount of a currency with two decimals.
fn in_major(minor: i64) -> String {
    format!("{}.{:02}", grouped(minor / 100), minor.unsigned_abs() % 100)
}

#[test]
fn the_sample_sheet_adds_up_to_its_bags_and_not_to_its_printed_sum() {
    assert_eq!(SAMPLE.iter().sum::<i64>(), 3_431);
    let totals = totals(&sample([]), &rules(2_000));
    assert_eq!((totals.bags, totals.gross_g, totals.net_g), (55, Grams(3_431_000), Grams(3_321_000)));
    assert_eq!(value_of(totals.net_g), 7_140_150);
    assert_eq!(7_161_650 - value_of(totals.net_g), 21_500, "the printed sheet pays this much too much");
    let result = format!("net {} g, value {}", grouped(totals.net_g.0), in_major(value_of(totals.net_g)));
    is_documented("2,000 g a bag", &result);
}

#[test]
fn a_tare_of_650_g_a_bag_pays_1596_38_more() {
    let net_g = totals(&sample([]), &rules(650)).net_g;
    assert_eq!((net_g, value_of(net_g)), (Grams(3_395_250), 7_299_788));
    assert_eq!(value_of(net_g) - 7_140_150, 159_638);
    is_documented("650 g a bag", &format!("net {} g, value {}", grouped(net_g.0), in_major(value_of(net_g))));
}

#[test]
fn moisture_of_14_50_percent_by_bag_and_point_and_by_water_shrink() {
    let per_bag = moist_rules(2_000, 1_400, MoistureMethod::PerPoint(Deduction::PerBag(Grams(100))));
    let shrink = moist_rules(2_000, 1_400, MoistureMethod::WaterShrink);
    for (rules, deduction, net_g, value, example) in [
        (per_bag, 2_750, 3_318_250, 7_134_238, "14.50 % moisture, 100 g a bag and point above 14 %"),
        (shrink, 19_308, 3_301_692, 7_098_638, "14.50 % moisture, water shrink to 14 %"),
    ] {
        let totals = totals(&sample([1_450]), &rules);
        assert_eq!((totals.moisture_g, totals.net_g), (Grams(deduction), Grams(net_g)), "{example}");
        assert_eq!(value_of(totals.net_g), value, "{example}");
        let result = format!("{} g, net {} g, value {}", grouped(deduction), grouped(net_g), in_major(value));
        is_documented(example, &result);
    }
}

#[test]
fn moisture_of_18_percent_shows_that_the_method_matters_sevenfold() {
    let methods = [
        (MoistureMethod::PerPoint(Deduction::PerBag(Grams(100))), 22_000, "100 g a bag and point above 14 %"),
        (MoistureMethod::WaterShrink, 154_465, "water shrink to 14 %"),
        (MoistureMethod::PerPoint(Deduction::Share(percent(140))), 185_976, "1.40 % a point above 14 %"),
    ];
    for (method, deduction, example) in methods {
        let totals = totals(&sample([1_800]), &moist_rules(2_000, 1_400, method));
        assert_eq!(totals.moisture_g, Grams(deduction), "{example}");
        is_documented(&format!("18.00 % moisture, {example}"), &format!("{} g", grouped(deduction)));
    }
}

#[test]
fn a_tonne_of_25_50_percent_shrinks_and_is_handled() {
    let rules = moist_rules(0, 1_550, MoistureMethod::WaterShrink);
    let tonne = WeightInput { moisture: vec![Reading { value: 2_550, grade: None }], ..bags([1_000_000]) };
    assert_eq!(totals(&tonne, &rules).moisture_g, Grams(118_343));
    is_documented("a tonne of 25.50 %, water shrink to 15.50 %", "118,343 g");
    let moisture = MoistureRules { handling_loss: percent(50), ..rules.moisture.clone() };
    let handled = totals(&tonne, &RuleSet { moisture, ..rules });
    assert_eq!(handled.moisture_g, Grams(123_343));
    is_documented("the same with a handling loss of 0.50 %", "123,343 g");
}

#[test]
fn four_advances_bear_interest_with_and_without_grace() {
    let advances = [(300_000, "2023-12-01"), (400_000, "2023-12-15"), (300_000, "2024-01-05"), (500_000, "2024-01-15")];
    for (grace_days, expected, example) in [
        (0, [7_397, 7_101, 2_219, 1_233], "four advances settled on 2024-01-20 at 18 %"),
        (30, [2_959, 1_184, 0, 0], "the same with 30 days of grace"),
    ] {
        let policy =
            InterestPolicy { rate: 1_800.try_into().expect("a rate"), grace_days, ..InterestPolicy::default() };
        let lines = advances.map(|(principal, paid_on)| {
            let advance = InterestInput {
                principal: money(principal),
                paid_on: day(paid_on),
                repayments: &[],
                accrued_through: None,
                charged: Money::ZERO,
            };
            interest(&advance, day("2024-01-20"), &policy, HALF).expect("an amount").amount.minor()
        });
        assert_eq!(lines, expected, "{example}");
        let parts: Vec<_> = lines.iter().filter(|it| **it > 0).map(|it| in_major(*it)).collect();
        is_documented(example, &format!("{} = {}", parts.join(" + "), in_major(lines.iter().sum())));
    }
}

#[test]
fn what_is_left_of_an_advance_after_a_recovery_bears_interest_from_that_day() {
    let policy = InterestPolicy { rate: 1_800.try_into().expect("a rate"), ..InterestPolicy::default() };
    let repaid = Repayment { on: day("2024-01-20"), amount: money(100_000) };
    let advance = InterestInput {
        principal: money(300_000),
        paid_on: day("2023-12-01"),
        repayments: &[repaid],
        accrued_through: Some(repaid.on),
        charged: money(7_397),
    };
    let charged = interest(&advance, day("2024-03-20"), &policy, HALF).expect("an amount");
    assert_eq!((charged.days, charged.amount), (60, money(5_918)));
    is_documented("2,000.00 left of an advance, 60 days at 18 %", &in_major(charged.amount.minor()));
}

#[test]
fn the_sample_sheet_less_its_advances_pays_56401_50() {
    let claims: Vec<Claim> = [(300_000, 1), (400_000, 2), (300_000, 3), (500_000, 4)]
        .map(|(amount, id)| Claim {
            document_id: DocumentId::from([id; 16]),
            kind: ClaimKind::AdvancePrincipal,
            dated: day("2023-12-01"),
            amount: money(amount),
        })
        .to_vec();
    let available = available(money(7_140_150), &[], &[]).expect("an amount");
    let recovery = recover(available, &claims, RecoveryPolicy::default(), HALF).expect("amounts");
    assert_eq!(recovery.recovered, money(1_500_000));
    let payable = payable(available, recovery.recovered, None, HALF).expect("amounts");
    assert_eq!((payable.payable, payable.carried), (money(5_640_150), Money::ZERO));
    is_documented("2,000 g a bag, less advances of 15,000.00", &in_major(payable.payable.minor()));
}

/// A load of the sample sheet and two other deliveries, with the prices 21.50, 22.00 and 20.00 a kilogram.
fn loaded() -> ([(DeliveryId, Grams); 3], [LossValue; 3]) {
    let deliveries =
        [(1, 3_431_000, 3_321_000, PRICE), (2, 1_200_000, 1_160_000, 2_200_000), (3, 250_500, 242_500, 2_000_000)];
    let gross = deliveries.map(|(id, gross, ..)| (DeliveryId::from([id; 16]), Grams(gross)));
    let values = deliveries.map(|(_, _, net, minor)| LossValue {
        net: Grams(net),
        price: Some(price(minor)),
        value: Some(value(Grams(net), price(minor), HALF).expect("an amount")),
    });
    (gross, values)
}

fn pro_rata(policy: LossPolicy) -> LossPolicy {
    LossPolicy { shortage: LossBearer::ProRata, gain: LossBearer::ProRata, ..policy }
}

/// Weights and amounts of the shares, in grams and minor units, with the weight that is shared.
fn shares(arrival: i64, policy: &LossPolicy) -> (i64, Vec<i64>, Vec<i64>) {
    let (on_load, values) = loaded();
    let loss = loss(&on_load, Grams(arrival), policy, HALF);
    let amounts = loss_amounts(&loss.shares, &values, policy.price, HALF).expect("amounts");
    let weights = loss.shares.iter().map(|share| share.weight_g.0).collect();
    let amounts = amounts.into_iter().map(|amount| amount.expect("priced").minor()).collect();
    (loss.beyond_g.0, weights, amounts)
}

#[test]
fn a_shortage_is_divided_to_the_gram() {
    let (beyond, weights, _) = shares(4_850_000, &pro_rata(LossPolicy::default()));
    assert_eq!((beyond, weights), (31_500, vec![-22_140, -7_744, -1_616]));
    is_documented("4,881,500 g on the manifest, 4,850,000 g arrive", "31,500 = 22,140 + 7,744 + 1,616 g");
}

#[test]
fn a_tolerance_is_a_franchise_or_deductible() {
    let tolerant = pro_rata(LossPolicy { tolerance: percent(50), ..LossPolicy::default() });
    let (beyond, weights, _) = shares(4_850_000, &tolerant);
    assert_eq!((beyond, weights), (31_500, vec![-22_140, -7_744, -1_616]));
    is_documented("the same with a franchise of 0.50 %", "31,500 = 22,140 + 7,744 + 1,616 g");
    let deductible = LossPolicy { tolerance_kind: LossTolerance::Deductible, ..tolerant };
    let (beyond, weights, _) = shares(4_850_000, &deductible);
    assert_eq!((beyond, weights), (7_092, vec![-4_985, -1_743, -364]));
    is_documented("the same, 0.50 % (24,408 g) deductible", "7,092 = 4,985 + 1,743 + 364 g");
    let (beyond, weights, _) = shares(4_860_000, &tolerant);
    assert_eq!((beyond, weights), (0, vec![]), "21,500 g are within the tolerance");
}

#[test]
fn a_gain_is_the_buyers_or_divided() {
    let (beyond, weights, _) = shares(4_886_500, &LossPolicy::default());
    assert_eq!((beyond, weights), (-5_000, vec![]), "the buyer has it");
    let (beyond, weights, amounts) = shares(4_886_500, &pro_rata(LossPolicy::default()));
    assert_eq!((beyond, weights), (-5_000, vec![3_514, 1_229, 257]));
    assert_eq!(amounts, [7_555, 2_704, 514]);
    is_documented("4,881,500 g on the manifest, 4,886,500 g arrive", "5,000 = 3,514 + 1,229 + 257 g");
}

#[test]
fn a_share_is_money_at_the_price_of_delivery_or_load_or_a_stated_one() {
    let prices = [
        (LossPrice::Delivery, [-47_601, -17_037, -3_232], "at the price of each delivery", "476.01 + 170.37 + 32.32"),
        (LossPrice::LoadAverage, [-47_702, -16_685, -3_482], "at the load's average price", "477.02 + 166.85 + 34.82"),
        (LossPrice::Fixed(price(1_000_000)), [-22_140, -7_744, -1_616], "at 10.00 a kg", "221.40 + 77.44 + 16.16"),
    ];
    for (price, expected, example, result) in prices {
        let (_, _, amounts) = shares(4_850_000, &pro_rata(LossPolicy { price, ..LossPolicy::default() }));
        assert_eq!(amounts, expected, "{example}");
        is_documented(&format!("that shortage {example}"), result);
    }
}
