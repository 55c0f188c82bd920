//! Values for the tests of the rules.

use super::input::{Reading, Weighed, Weighing, WeightInput};
use crate::decisions::{BagTypeRule, MoistureMethod, MoistureRules, RuleSet};
use crate::units::{BagType, BusinessDate, Grams, Money, Percent, PricePerTonne};

/// The bags of FarmTally's printed sample sheet, in kg. They add up to 3,431 kg, though the sheet says 3,441.
pub(super) const SAMPLE: [i64; 55] = [
    64, 59, 64, 65, 59, 63, 61, 59, 62, 60, 62, 59, 60, 63, 63, 64, 62, 67, 66, 64, 62, 62, 61, 62, 65, 62, 60, 60, 65,
    59, 65, 59, 62, 62, 66, 64, 63, 56, 53, 62, 60, 64, 61, 62, 65, 66, 62, 64, 66, 70, 65, 62, 65, 59, 64,
];

pub(super) fn percent(hundredths: i64) -> Percent {
    hundredths.try_into().expect("a share")
}

pub(super) fn money(minor: i64) -> Money {
    minor.try_into().expect("an amount")
}

pub(super) fn price(minor: i64) -> PricePerTonne {
    minor.try_into().expect("a price")
}

pub(super) fn day(text: &str) -> BusinessDate {
    text.parse().expect("a date")
}

/// Rules of a bag type 0 with this tare.
pub(super) fn rules(tare_g: i64) -> RuleSet {
    let bag = BagTypeRule { number: 0, name: "bag".into(), tare: Grams(tare_g) };
    RuleSet::new(1, "MAIZE".parse().expect("a code"), BusinessDate(0), vec![bag])
}

/// Rules of a bag type 0 with this tare, and of moisture above a target.
pub(super) fn moist_rules(tare_g: i64, target: i64, method: MoistureMethod) -> RuleSet {
    let moisture = MoistureRules { target: percent(target), method, ..MoistureRules::default() };
    RuleSet { moisture, ..rules(tare_g) }
}

pub(super) fn bag(grams: i64, bag_type: u8, grade: Option<&str>) -> Weighing {
    let bag_type = BagType::try_from(bag_type).expect("in bounds");
    let grade = grade.map(|code| code.parse().expect("a code"));
    Weighing { weighed: Weighed::Bag { gross: Grams(grams), bag_type }, grade }
}

/// Bags of type 0 without a grade.
pub(super) fn bags(grams: impl IntoIterator<Item = i64>) -> WeightInput {
    WeightInput { weighings: grams.into_iter().map(|it| bag(it, 0, None)).collect(), ..WeightInput::default() }
}

/// The bags of the sample sheet, with a moisture reading.
pub(super) fn sample(moisture: impl IntoIterator<Item = u32>) -> WeightInput {
    let moisture = moisture.into_iter().map(|value| Reading { value, grade: None }).collect();
    WeightInput { moisture, ..bags(SAMPLE.map(|kilograms| kilograms * 1_000)) }
}

/// Prints a number with commas between thousands, as the documentation does.
pub(super) fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("−{text}") } else { text }
}
