//! Patterns of weights that a person could not have weighed, or probably did not. Advisory: most have an honest explanation somewhere.
//!
//! Thresholds are in the rule set ([`WeighingRules`]); a threshold of 0 turns a pattern off.

use std::collections::BTreeMap;

use super::{Check, Warning};
use crate::decisions::WeighingRules;
use crate::records::{Bag, BagSource};

/// Weights that a person rounds to, in grams.
const REGULAR: i64 = 500;

/// Returns the warnings about the bags of a delivery, in their order. `interval` is that of the scale of a bag, if it is known.
pub fn pattern_warnings(bags: &[Bag], rules: &WeighingRules, interval: impl Fn(&Bag) -> Option<i64>) -> Vec<Warning> {
    let repeated = longest(bags, |before, bag| before.gross == bag.gross);
    let limit_ms = i64::from(rules.bag_seconds) * 1_000;
    let fast = longest(bags, |before, bag| (0..limit_ms).contains(&(bag.weighed_at.0 - before.weighed_at.0)));
    let is_fine = |bag: &&Bag| interval(bag).is_some_and(|it| it * 5 <= REGULAR);
    let fine: Vec<&Bag> = bags.iter().filter(is_fine).collect();
    let regular = fine.iter().filter(|bag| bag.gross.grams().0 % REGULAR == 0).count();
    let by_repeat = bags.iter().filter(|bag| bag.source == BagSource::Repeat).count();
    let run = |check, (first, count): (Option<&Bag>, u32), limit: u32| Warning {
        check,
        instrument: None,
        number: first.map(|bag| bag.number),
        count,
        value: Some(count.into()),
        limit: Some(limit.into()),
    };
    let share = |check, part: usize, of: usize, limit: u32| Warning {
        check,
        instrument: None,
        number: None,
        count: u32::try_from(part).unwrap_or(u32::MAX),
        value: Some(hundredths(part, of)),
        limit: Some(limit.into()),
    };
    let is_often = |part: usize, of: usize, limit: u32| {
        limit > 0 && of > 0 && of >= rules.pattern_bags as usize && hundredths(part, of) >= i64::from(limit)
    };
    let is_long = |count: u32, limit: u32| limit > 0 && count > 1 && count >= limit;
    let found = [
        is_long(repeated.1, rules.repeated_bags).then(|| run(Check::WeightsRepeated, repeated, rules.repeated_bags)),
        is_often(regular, fine.len(), rules.regular_hundredths)
            .then(|| share(Check::WeightsTooRegular, regular, fine.len(), rules.regular_hundredths)),
        is_long(fast.1, rules.fast_bags).then(|| run(Check::WeighedTooFast, fast, rules.fast_bags)),
        is_often(by_repeat, bags.len(), rules.repeat_hundredths)
            .then(|| share(Check::RepeatUsedOften, by_repeat, bags.len(), rules.repeat_hundredths)),
    ];
    found.into_iter().flatten().collect()
}

/// Returns a warning for each number that two or more bags of one weight have. Only phones that added bags at the same time give one number
/// twice, and they may have weighed one bag twice.
pub fn repeated_numbers<'a>(bags: impl IntoIterator<Item = &'a Bag>) -> Vec<Warning> {
    let mut counts: BTreeMap<(u32, i64), u32> = BTreeMap::new();
    for bag in bags {
        *counts.entry((bag.number, bag.gross.grams().0)).or_default() += 1;
    }
    let repeated = counts.into_iter().filter(|(_, count)| *count > 1);
    let warning = |((number, grams), count)| Warning {
        check: Check::BagNumberRepeated,
        instrument: None,
        number: Some(number),
        count,
        value: Some(grams),
        limit: None,
    };
    repeated.map(warning).collect()
}

/// Returns the share of a part in hundredths of a percent, rounded down.
fn hundredths(part: usize, of: usize) -> i64 {
    let share = (part as u128 * 10_000).checked_div(of as u128).unwrap_or(0);
    i64::try_from(share).unwrap_or(i64::MAX)
}

/// Returns the first bag and the length of the longest run of bags in which each follows the one before.
fn longest(bags: &[Bag], follows: impl Fn(&Bag, &Bag) -> bool) -> (Option<&Bag>, u32) {
    let mut best: (Option<&Bag>, u32) = (None, 0);
    let mut run = best;
    for (index, bag) in bags.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|before| bags.get(before));
        run = if before.is_some_and(|before| follows(before, bag)) { (run.0, run.1 + 1) } else { (Some(bag), 1) };
        if run.1 > best.1 {
            best = run;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{BagType, Grams, Timestamp, UserId};

    /// A generator of `SplitMix64`, with a fixed seed.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, bound: u64) -> i64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = self.0;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            i64::try_from((mixed ^ (mixed >> 31)) % bound).expect("small")
        }
    }

    fn bag(number: u32, grams: i64, at_ms: i64) -> Bag {
        Bag {
            number,
            gross: Grams(grams).try_into().expect("in bounds"),
            bag_type: BagType::default(),
            source: BagSource::Manual,
            weighed_at: Timestamp(at_ms),
            user_id: UserId::from([1; 16]),
            grade: None,
            scale: None,
        }
    }

    /// Forty bags of about 50 kg, as a scale with this interval shows them, each 12 to 40 seconds after the one before.
    fn honest(dice: &mut Dice, interval: i64) -> Vec<Bag> {
        let mut at_ms = 0;
        (1..=40)
            .map(|number| {
                at_ms += 12_000 + dice.below(28_000);
                // The sum of four even draws of 0 to 3 kg: a standard deviation of 1.7 kg.
                let spread: i64 = (0..4).map(|_| dice.below(3_000)).sum();
                bag(number, (44_000 + spread) / interval * interval, at_ms)
            })
            .collect()
    }

    fn codes(bags: &[Bag], interval: i64) -> Vec<&'static str> {
        let found = pattern_warnings(bags, &WeighingRules::default(), |_| Some(interval));
        found.into_iter().map(|it| it.check.as_str()).collect()
    }

    #[test]
    fn of_ten_thousand_honest_deliveries_hardly_any_is_warned_about() {
        for interval in [20, 50, 100, 500] {
            let mut dice = Dice(2_029);
            let warned = (0..10_000).filter(|_| !codes(&honest(&mut dice, interval), interval).is_empty()).count();
            // At most 1 in 10,000 at 20, 50 and 100 g, and 1 in 100 at 500 g, where neighbours are often equal.
            assert!(warned <= if interval == 500 { 100 } else { 1 }, "{warned} of 10,000 at {interval} g");
        }
    }

    #[test]
    fn planted_patterns_are_found_from_their_thresholds_on() {
        let mut dice = Dice(29);
        for _ in 0..1_000 {
            let honest = honest(&mut dice, 20);
            for (count, expected) in [(5, &[][..]), (6, &["weights_repeated"])] {
                let mut bags = honest.clone();
                for bag in &mut bags[10..10 + count] {
                    bag.gross = Grams(77_720).try_into().expect("in bounds");
                }
                assert_eq!(codes(&bags, 20), expected, "{count}");
            }
            let mut rounded = honest.clone();
            for bag in &mut rounded {
                bag.gross = Grams(bag.gross.grams().0 / 500 * 500 + i64::from(bag.number % 2) * 5_000)
                    .try_into()
                    .expect("in bounds");
            }
            assert!(codes(&rounded, 20).contains(&"weights_too_regular"));
            assert!(!codes(&rounded, 500).contains(&"weights_too_regular"), "the scale shows no finer steps");
            for (count, expected) in [(4, &[][..]), (5, &["weighed_too_fast"])] {
                let mut bags = honest.clone();
                for index in 21..20 + count {
                    bags[index].weighed_at = Timestamp(bags[index - 1].weighed_at.0 + 3_999);
                }
                let found = codes(&bags, 20);
                assert_eq!(found, expected, "{count}");
            }
            for (count, expected) in [(11, &[][..]), (12, &["repeat_used_often"])] {
                let mut bags = honest.clone();
                for bag in bags.iter_mut().step_by(3).take(count) {
                    bag.source = BagSource::Repeat;
                }
                assert_eq!(codes(&bags, 20), expected, "{count}");
            }
        }
    }

    #[test]
    fn bags_of_one_number_are_warned_about_if_they_weigh_the_same() {
        let bags = [bag(1, 20_000, 0), bag(2, 20_000, 0), bag(2, 21_000, 0), bag(3, 22_000, 0), bag(3, 22_000, 9)];
        let found: Vec<_> = repeated_numbers(&bags).iter().map(|it| (it.number, it.count, it.value)).collect();
        assert_eq!(found, [(Some(3), 2, Some(22_000))]);
    }

    #[test]
    fn a_warning_has_its_figures_and_a_threshold_of_zero_turns_a_pattern_off() {
        let bags: Vec<Bag> = (1..=10).map(|number| bag(number, 50_000, 0)).collect();
        let found = pattern_warnings(&bags, &WeighingRules::default(), |_| Some(20));
        let figures: Vec<_> =
            found.iter().map(|it| (it.check.as_str(), it.number, it.count, it.value, it.limit)).collect();
        assert_eq!(
            figures,
            [
                ("weights_repeated", Some(1), 10, Some(10), Some(6)),
                ("weights_too_regular", None, 10, Some(10_000), Some(9_000)),
                ("weighed_too_fast", Some(1), 10, Some(10), Some(5)),
            ]
        );
        let off = WeighingRules {
            check_days: 0,
            repeated_bags: 0,
            pattern_bags: 0,
            regular_hundredths: 0,
            repeat_hundredths: 0,
            bag_seconds: 0,
            fast_bags: 0,
        };
        assert_eq!(pattern_warnings(&bags, &off, |_| Some(20)), []);
        assert_eq!(pattern_warnings(&[], &WeighingRules::default(), |_| None), []);
    }
}
