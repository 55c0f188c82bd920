//! Splits a published total into farmers' deliveries of crates, so that a market day of which only the total is known can be played.
//!
//! Owns: the sizes. Does not own: who the farmers are (`farmers.rs`) or where the total comes from (`arrivals.rs`). The split is made up; the total is
//! not.
//!
//! Invariants, whatever the input:
//! - The crates of all deliveries weigh exactly the total.
//! - A delivery has 1 to 1,000 crates, a crate weighs 1 g to 1,000,000 g.
//! - The same total, number of deliveries and seed give the same split, on every machine and with every version of `rand`: the generator is
//!   [`ChaCha8Rng`], whose stream `rand` documents as portable, and every draw is made here from its raw 64-bit numbers, because the ranges and
//!   shuffles of `rand` may change.
//!
//! How: the number of crates follows from the total at 20 kg a crate, and is shared out among the deliveries by uneven weights. Then each crate gets the
//! average, and pairs of crates trade a random weight, which keeps the sum without a correction at the end.

use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};

/// Grams of a usual crate.
const USUAL_CRATE_G: u64 = 20_000;
/// A usual crate varies from three to five quarters of its average: 15 kg to 25 kg.
const QUARTERS: (u64, u64) = (3, 5);
/// The scale of a market reads 100 g.
const STEP_G: u64 = 100;
const MAX_CRATE_G: u64 = 1_000_000;
const MAX_CRATES: u64 = 1_000;

/// One delivery of the split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Share {
    /// Which farmer delivers, counted from 0; about a fifth of the deliveries are a farmer's second or later one.
    pub(crate) farmer: usize,
    /// Grams of each crate, 1 to 1,000 crates of 1 g to 1,000,000 g.
    pub(crate) crates_g: Vec<i64>,
}

/// Why a total cannot be split.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SplitError {
    /// No delivery to split into.
    #[error("no deliveries to split into: ask for at least one")]
    NoDeliveries,
    /// Less than one gram for each delivery, or a total that is zero or negative.
    #[error("{total_g} g are too little for {deliveries} deliveries: ask for fewer deliveries or a larger total")]
    TotalTooSmall {
        /// The total asked for, in grams.
        total_g: i64,
        /// The deliveries asked for.
        deliveries: usize,
    },
    /// More than 1,000 crates of 1,000 kg for each delivery.
    #[error(
        "{total_g} g are too much for {deliveries} deliveries of at most 1000 tonnes: ask for more deliveries or a smaller total"
    )]
    TotalTooLarge {
        /// The total asked for, in grams.
        total_g: i64,
        /// The deliveries asked for.
        deliveries: usize,
    },
}

/// Splits `total_g` grams into the given number of deliveries.
///
/// Crates weigh 15 kg to 25 kg in steps of 100 g where the total allows; what is left below 100 g sits in the lightest crate. Less than 20 kg a
/// delivery makes deliveries of one lighter crate, more than 1,000 crates of 20 kg a delivery makes heavier crates. The deliveries are of uneven size,
/// about log-normal. There are four farmers for every five deliveries, rounded up, and each of them delivers at least once.
///
/// Memory grows with the number of deliveries and crates, at most 8 bytes for every 20 kg or delivery and as much again while working.
///
/// # Errors
///
/// - [`SplitError::NoDeliveries`]: `deliveries` is 0.
/// - [`SplitError::TotalTooSmall`]: fewer grams than deliveries.
/// - [`SplitError::TotalTooLarge`]: more than 1,000 crates of 1,000,000 g for each delivery.
pub(crate) fn split(total_g: i64, deliveries: usize, seed: u64) -> Result<Vec<Share>, SplitError> {
    if deliveries == 0 {
        return Err(SplitError::NoDeliveries);
    }
    let count = deliveries as u64;
    let total = u64::try_from(total_g).unwrap_or(0);
    if total < count {
        return Err(SplitError::TotalTooSmall { total_g, deliveries });
    }
    if total > count.saturating_mul(MAX_CRATES * MAX_CRATE_G) {
        return Err(SplitError::TotalTooLarge { total_g, deliveries });
    }
    let mut draw = Draw::new(seed);
    let crate_counts = crate_counts(total, count, &mut draw);
    let mut crates_g = crate_weights(total, crate_counts.iter().sum(), count, &mut draw).into_iter();
    let farmers = farmers(deliveries, &mut draw);
    let shares = farmers.into_iter().zip(crate_counts);
    Ok(shares
        .map(|(farmer, count)| Share {
            farmer,
            crates_g: (0..count).zip(&mut crates_g).map(|(_, grams)| grams).collect(),
        })
        .collect())
}

/// How many crates each delivery has: 1 to [`MAX_CRATES`], together as many as the total fills at the usual weight.
fn crate_counts(total_g: u64, deliveries: u64, draw: &mut Draw) -> Vec<u64> {
    let usual = (total_g + USUAL_CRATE_G / 2) / USUAL_CRATE_G;
    let crates = usual.clamp(deliveries, deliveries.saturating_mul(MAX_CRATES));
    // One crate each; the others go by uneven weight, and what exceeds the maximum goes to the deliveries with room for more.
    let weights: Vec<u64> = (0..deliveries).map(|_| draw.uneven_weight()).collect();
    let counts: Vec<u64> =
        apportion(crates - deliveries, &weights).into_iter().map(|more| (1 + more).min(MAX_CRATES)).collect();
    let room: Vec<u64> = counts.iter().map(|count| MAX_CRATES - count).collect();
    let left = crates - counts.iter().sum::<u64>();
    counts.into_iter().zip(apportion(left, &room)).map(|(count, more)| count + more).collect()
}

/// The grams of all crates: together `total_g`, each 1 to [`MAX_CRATE_G`].
fn crate_weights(total_g: u64, crates: u64, deliveries: u64, draw: &mut Draw) -> Vec<i64> {
    let step_g = if total_g / STEP_G < deliveries { 1 } else { STEP_G };
    let steps = total_g / step_g;
    let (low, high) = crate_bounds(steps / crates, steps.div_ceil(crates), step_g);

    let equal_weights: Vec<u64> = (0..crates).map(|_| 1).collect();
    let mut weights = apportion(steps, &equal_weights);
    // Half the list lies between the two of a pair, so that it does not show in a delivery.
    let half = weights.len() / 2;
    let (left, right) = weights.split_at_mut(half);
    for (one, other) in left.iter_mut().zip(right) {
        let down = (*one - low).min(high - *other);
        let up = (high - *one).min(*other - low);
        let moved = draw.below(down + up + 1);
        *one = *one + moved - down;
        *other = *other + down - moved;
    }

    for weight in &mut weights {
        *weight *= step_g;
    }
    // Where something is left below a step, the average is below the maximum and the lightest crate is not above the average: it has room.
    if let Some(lightest) = weights.iter_mut().min() {
        *lightest += total_g % step_g;
    }
    weights.into_iter().map(|grams| i64::try_from(grams).unwrap_or(i64::MAX)).collect()
}

/// The lightest and heaviest crate in steps, around an average that lies between `average` and `average_up` (rounded down and up, at least 1).
fn crate_bounds(average: u64, average_up: u64, step_g: u64) -> (u64, u64) {
    let (low, high) = QUARTERS;
    let usual = USUAL_CRATE_G / step_g;
    let (usual_low, usual_high) = (usual * low / 4, usual * high / 4);
    if usual_low <= average && average_up <= usual_high {
        return (usual_low, usual_high);
    }
    ((average * low / 4).max(1), (average_up * high).div_ceil(4).min(MAX_CRATE_G / step_g))
}

/// Which farmer brings each delivery: four for every five deliveries, each at least once, in a drawn order.
fn farmers(deliveries: usize, draw: &mut Draw) -> Vec<usize> {
    let farmers = deliveries - deliveries / 5;
    let again = (farmers..deliveries).map(|_| draw.index_below(farmers));
    let mut order: Vec<usize> = (0..farmers).chain(again).collect();
    for last in (1..order.len()).rev() {
        order.swap(last, draw.index_below(last + 1));
    }
    order
}

/// Shares `total` out in whole numbers by weight: together exactly `total` unless all weights are 0, each share its exact part rounded up or down.
/// The product of `total` and all weights stays below 2^128: totals are below 2^63, and a weight is below 2^38.
fn apportion(total: u64, weights: &[u64]) -> Vec<u64> {
    let all: u128 = weights.iter().copied().map(u128::from).sum();
    let mut weight_so_far = 0;
    let mut shared = 0;
    weights
        .iter()
        .map(|weight| {
            weight_so_far += u128::from(*weight);
            let shared_by_now = (u128::from(total) * weight_so_far)
                .checked_div(all)
                .and_then(|part| u64::try_from(part).ok())
                .unwrap_or(0);
            let share = shared_by_now - shared;
            shared = shared_by_now;
            share
        })
        .collect()
}

/// The seeded numbers behind a split.
struct Draw(ChaCha8Rng);

impl Draw {
    fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number from 0 up to but without `bound`; 0 when there is none. The remainder favours small numbers by less than `bound` in 2^64.
    fn below(&mut self, bound: u64) -> u64 {
        self.0.next_u64().checked_rem(bound).unwrap_or(0)
    }

    fn index_below(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(bound as u64)).unwrap_or(0)
    }

    /// A weight that is about log-normal: a product of twelve factors from 3/4 to 4/3. Two of three lie within a factor of 1.8 around the middle.
    fn uneven_weight(&mut self) -> u64 {
        const ONE: u64 = 1 << 32;
        const FACTOR_ONE: u64 = 1_200;
        (0..12).fold(ONE, |weight, _| weight / FACTOR_ONE * (900 + self.below(701)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TONNE_G: i64 = 1_000_000;

    /// Checks the sum, the bounds and the farmers of a split, and returns it.
    fn lawful_split(total_g: i64, deliveries: usize, seed: u64) -> Vec<Share> {
        let shares = split(total_g, deliveries, seed).unwrap();
        assert_eq!(shares.len(), deliveries);
        assert_eq!(shares.iter().flat_map(|share| &share.crates_g).sum::<i64>(), total_g);
        for share in &shares {
            assert!((1..=1_000).contains(&share.crates_g.len()), "{} crates", share.crates_g.len());
            assert!(share.crates_g.iter().all(|grams| (1..=1_000_000).contains(grams)));
        }
        let mut farmers: Vec<usize> = shares.iter().map(|share| share.farmer).collect();
        farmers.sort_unstable();
        farmers.dedup();
        assert_eq!(farmers, (0..(deliveries * 4).div_ceil(5)).collect::<Vec<_>>());
        shares
    }

    fn lightest_and_heaviest(shares: &[Share]) -> (i64, i64) {
        let crates = || shares.iter().flat_map(|share| share.crates_g.iter().copied());
        (crates().min().unwrap(), crates().max().unwrap())
    }

    #[test]
    fn the_extremes_split_lawfully() {
        let table = [
            (1, 1),
            (99, 1),
            (100, 1),
            (29_999, 1),
            (1_000 * TONNE_G, 1),
            (1_000 * TONNE_G - 1, 1),
            (5_000, 5_000),
            (499_999, 5_000),
            (500_001, 5_000),
            (TONNE_G, 5_000),
            (37 * TONNE_G, 300),
            (9_070 * TONNE_G, 300),
            (9_070 * TONNE_G, 5_000),
            (9_070 * TONNE_G, 10),
            (10_000 * TONNE_G - 1, 10),
            (10_000 * TONNE_G, 10),
            (100_000 * TONNE_G, 100),
        ];
        for (total_g, deliveries) in table {
            lawful_split(total_g, deliveries, 7);
        }
    }

    #[test]
    fn what_cannot_be_split_says_why() {
        let table = [
            (5, 0, "no deliveries to split into: ask for at least one"),
            (4, 5, "4 g are too little for 5 deliveries: ask for fewer deliveries or a larger total"),
            (0, 1, "0 g are too little for 1 deliveries: ask for fewer deliveries or a larger total"),
            (
                i64::MIN,
                1,
                "-9223372036854775808 g are too little for 1 deliveries: ask for fewer deliveries or a larger total",
            ),
            (
                i64::MAX,
                usize::MAX,
                "9223372036854775807 g are too little for 18446744073709551615 deliveries: ask for fewer deliveries or a larger total",
            ),
            (
                2_000 * TONNE_G + 1,
                2,
                "2000000001 g are too much for 2 deliveries of at most 1000 tonnes: ask for more deliveries or a smaller total",
            ),
        ];
        for (total_g, deliveries, text) in table {
            assert_eq!(split(total_g, deliveries, 7).unwrap_err().to_string(), text);
        }
    }

    #[test]
    fn a_usual_day_has_uneven_deliveries_of_usual_crates() {
        let shares = lawful_split(37 * TONNE_G + 42, 300, 7);
        let (lightest, heaviest) = lightest_and_heaviest(&shares);
        assert!(
            (15_000..15_100).contains(&lightest) && (24_900..=25_000).contains(&heaviest),
            "{lightest} to {heaviest}"
        );
        let off_the_step: Vec<i64> =
            shares.iter().flat_map(|share| &share.crates_g).map(|grams| grams % 100).filter(|rest| *rest > 0).collect();
        assert_eq!(off_the_step, [42]);

        // 1,850 crates in 300 deliveries: log-normal has a mean above the median and a long tail.
        let mut counts: Vec<usize> = shares.iter().map(|share| share.crates_g.len()).collect();
        counts.sort_unstable();
        assert_eq!(counts.iter().sum::<usize>(), 1_850);
        assert!(
            counts[30] <= 3 && (4..=6).contains(&counts[150]) && counts[270] >= 9 && counts[299] >= 15,
            "{counts:?}"
        );
    }

    #[test]
    fn little_makes_light_crates_and_much_makes_heavy_ones() {
        let light = lawful_split(TONNE_G, 5_000, 7);
        assert!(light.iter().all(|share| share.crates_g.len() == 1));
        assert_eq!(lightest_and_heaviest(&light), (100, 300));

        let heavy = lawful_split(9_070 * TONNE_G, 300, 7);
        assert!(heavy.iter().all(|share| share.crates_g.len() == 1_000));
        let (lightest, heaviest) = lightest_and_heaviest(&heavy);
        assert!(
            (22_600..23_000).contains(&lightest) && (37_500..=37_900).contains(&heaviest),
            "{lightest} to {heaviest}"
        );
    }

    /// Frozen: a change here means that a seed no longer shows the market day that people know it for.
    #[test]
    fn a_seed_gives_the_split_it_always_gave() {
        let shares = split(200_042, 5, 7).unwrap();
        let shown: Vec<(usize, &[i64])> =
            shares.iter().map(|share| (share.farmer, share.crates_g.as_slice())).collect();
        let expected: [(usize, &[i64]); 5] = [
            (3, &[21_600, 19_100]),
            (2, &[18_600, 15_042]),
            (1, &[18_000, 18_400]),
            (2, &[20_900]),
            (0, &[21_400, 25_000, 22_000]),
        ];
        assert_eq!(shown, expected);
        assert_ne!(split(200_042, 5, 8).unwrap(), shares);
    }

    #[test]
    fn the_middle_two_thirds_of_the_weights_lie_within_a_factor_of_1_8() {
        let mut draw = Draw::new(7);
        let mut weights: Vec<u64> = (0..10_000).map(|_| draw.uneven_weight()).collect();
        weights.sort_unstable();
        let above_percent = weights[8_333] * 100 / weights[5_000];
        let below_percent = weights[5_000] * 100 / weights[1_667];
        assert!((170..190).contains(&above_percent), "{above_percent}");
        assert!((170..190).contains(&below_percent), "{below_percent}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_total_splits_lawfully_and_alike_twice(total_bits in 0..34_u32, low_bits: i64, deliveries_bits in 0..13_u32, low: usize, seed: u64) {
            // As many small numbers as large ones: 1 g to 17,000 tonnes, 1 to 8,191 deliveries.
            let total_g = (1 << total_bits) | (low_bits & ((1 << total_bits) - 1));
            let deliveries = (1 << deliveries_bits) | (low & ((1 << deliveries_bits) - 1));
            let too_small = total_g < i64::try_from(deliveries).unwrap();
            let too_large = total_g > i64::try_from(deliveries).unwrap() * 1_000 * TONNE_G;
            match split(total_g, deliveries, seed) {
                Ok(shares) => {
                    prop_assert!(!too_small && !too_large);
                    prop_assert_eq!(shares, lawful_split(total_g, deliveries, seed));
                }
                Err(SplitError::TotalTooSmall { .. }) => prop_assert!(too_small),
                Err(SplitError::TotalTooLarge { .. }) => prop_assert!(too_large),
                Err(SplitError::NoDeliveries) => prop_assert!(false),
            }
        }

        #[test]
        fn crates_are_usual_where_the_total_allows(average_g in 20_000..=20_000_000_i64, deliveries in 1..=100_usize, seed: u64) {
            prop_assume!(deliveries > 1 || average_g >= 30_000);
            let (lightest, heaviest) = lightest_and_heaviest(&lawful_split(average_g * i64::try_from(deliveries).unwrap(), deliveries, seed));
            prop_assert!(lightest >= 15_000 && heaviest < 25_100, "{} to {}", lightest, heaviest);
        }

        #[test]
        fn shares_are_the_exact_part_rounded(total in 0..=u64::MAX / 2, weights in proptest::collection::vec(0..1_u64 << 38, 1..20)) {
            let all: u128 = weights.iter().copied().map(u128::from).sum();
            prop_assume!(all > 0);
            let shares = apportion(total, &weights);
            prop_assert_eq!(shares.iter().sum::<u64>(), total);
            for (share, weight) in shares.iter().zip(&weights) {
                let exact = u128::from(total) * u128::from(*weight);
                prop_assert!((exact / all..=exact.div_ceil(all)).contains(&u128::from(*share)));
            }
        }
    }
}
