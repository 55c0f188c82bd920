//! Splits a published total into deliveries of crates, with the weigher and the load of each.
//!
//! The split is made up, the total is not: the crates of all deliveries weigh exactly the total.

use std::mem;

use anyhow::{Context, ensure};
use farmtally_core::units::{BagWeight, Grams};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

/// Weight of a usual crate.
const CRATE_G: u64 = 20_000;
/// Largest average number of crates in a delivery. Sizes of deliveries differ by up to ten times, so a delivery has fewer than 1,000.
const MAX_CRATES: u64 = 99;
/// Largest average weight of a crate; a larger total is refused. A crate weighs at most 5/3 of the average, so it stays below
/// [`BagWeight::MAX`].
const MAX_CRATE_G: u64 = 500_000;
/// Payload of a lorry; the next is opened at `LOAD_FULL_G`, so that there is room for the made-up delivery.
pub(crate) const PAYLOAD_G: i64 = 9_000_000;
const LOAD_FULL_G: i64 = 8_800_000;
/// Most deliveries on a load; a manifest has room for 1,000.
const LOAD_DELIVERIES: usize = 900;

/// Person who weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Person {
    Asha,
    Ravi,
}

/// One delivery to weigh.
#[derive(Debug)]
pub(crate) struct Lot {
    /// Number of the farmer, from 0.
    pub(crate) farmer: usize,
    /// Number of the load, from 0.
    pub(crate) load: usize,
    pub(crate) weigher: Person,
    /// Whether the farmer is registered a second time before this delivery.
    pub(crate) is_twin: bool,
    pub(crate) crates: Vec<BagWeight>,
}

/// The deliveries of the day, in the order of weighing.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Deliveries for the first load.
    pub(crate) first: Vec<Lot>,
    /// The last delivery for the first load: Ravi adds it after Asha has asked to close the load.
    pub(crate) late: Lot,
    /// Deliveries for all other loads.
    pub(crate) rest: Vec<Lot>,
    /// Numbers of the farmers who are registered in the morning; the others are registered when they come.
    pub(crate) expected_farmers: Vec<usize>,
    pub(crate) farmers: usize,
    /// Number of loads; at least two.
    pub(crate) loads: usize,
    pub(crate) crates: u32,
}

impl Plan {
    /// Splits `total_g` into a number of deliveries; equal arguments give equal plans. One delivery in five is by a farmer who has
    /// delivered before.
    pub(crate) fn new(total_g: i64, deliveries: u64) -> anyhow::Result<Self> {
        let shares = split(total_g, deliveries)?;
        let loads = loads(&shares);
        let farmers = (shares.len() * 4).div_ceil(5);
        let mut lots: Vec<Lot> = Vec::new();
        for (index, (crates, load)) in shares.into_iter().zip(&loads).enumerate() {
            let weigher = if index % 2 == 0 { Person::Asha } else { Person::Ravi };
            lots.push(Lot { farmer: index % farmers, load: *load, weigher, is_twin: false, crates });
        }
        // Leaves out one farmer in ten, except those with a second delivery, which the other phone may weigh.
        let is_expected = |farmer: &usize| farmer % 10 != 9 || farmer + farmers < lots.len();
        let expected_farmers = (0..farmers).filter(is_expected).collect();
        let crates = lots.iter().map(|lot| lot.crates.len()).sum::<usize>().try_into()?;

        let mut rest = lots.split_off(loads.iter().filter(|load| **load == 0).count());
        let returning = farmers.saturating_sub(lots.len());
        let mut late = lots.pop().context("no delivery")?;
        late.weigher = Person::Ravi;
        let mut twins = rest.iter_mut().skip(returning).filter(|lot| lot.weigher == Person::Ravi);
        twins.next().unwrap_or(&mut late).is_twin = true;
        let loads = loads.last().map_or(0, |last| last + 1).max(2);
        Ok(Self { first: lots, late, rest, expected_farmers, farmers, loads, crates })
    }
}

/// Splits a total into deliveries of uneven size: 1 to 999 crates each, of 15 to 25 kg if the total allows.
fn split(total_g: i64, deliveries: u64) -> anyhow::Result<Vec<Vec<BagWeight>>> {
    let total = u64::try_from(total_g).unwrap_or(0);
    ensure!(
        deliveries > 0 && total >= deliveries,
        "{total_g} g are too little for {deliveries} deliveries: ask for fewer"
    );
    let most = deliveries * MAX_CRATES * MAX_CRATE_G;
    ensure!(total <= most, "{total_g} g are too much for {deliveries} deliveries: ask for more with --deliveries");

    let mut random = ChaCha8Rng::seed_from_u64(1);
    let crates = (total / CRATE_G).clamp(deliveries, deliveries * MAX_CRATES);
    let sizes: Vec<u64> = (0..deliveries).map(|_| random.random_range(1..=10)).collect();
    let counts = share_out(crates, &sizes);
    let weights: Vec<u64> = (0..crates).map(|_| random.random_range(75..=125)).collect();
    let mut grams = share_out(total, &weights).into_iter();
    let mut next = || Ok(BagWeight::try_from(Grams(grams.next().unwrap_or(0).try_into()?))?);
    counts.into_iter().map(|count| (0..count).map(|_| next()).collect()).collect()
}

/// Splits `total` into whole numbers in proportion to `weights`: at least 1 each, exactly `total` together. `total` must not be below their
/// number.
fn share_out(total: u64, weights: &[u64]) -> Vec<u64> {
    let all: u128 = weights.iter().copied().map(u128::from).sum();
    let above_one = u128::from(total) - weights.len() as u128;
    let (mut weight_so_far, mut given) = (0, 0);
    let mut shares = Vec::with_capacity(weights.len());
    for weight in weights {
        weight_so_far += u128::from(*weight);
        let given_before = mem::replace(&mut given, above_one * weight_so_far / all);
        shares.push(1 + u64::try_from(given - given_before).unwrap_or(u64::MAX));
    }
    shares
}

/// Returns the number of the load of each delivery, from 0, filling one after the other; two deliveries or more are on at least two loads.
fn loads(shares: &[Vec<BagWeight>]) -> Vec<usize> {
    let weigh = |crates: &Vec<BagWeight>| crates.iter().map(|weight| weight.grams().0).sum::<i64>();
    let weights_g: Vec<i64> = shares.iter().map(weigh).collect();
    let full_g = LOAD_FULL_G.min((weights_g.iter().sum::<i64>() + 1) / 2);
    let (mut load, mut on_g, mut deliveries) = (0, 0, 0);
    let mut loads = Vec::with_capacity(shares.len());
    for weight_g in weights_g {
        if deliveries > 0 && (on_g + weight_g > full_g || deliveries == LOAD_DELIVERIES) {
            (load, on_g, deliveries) = (load + 1, 0, 0);
        }
        (on_g, deliveries) = (on_g + weight_g, deliveries + 1);
        loads.push(load);
    }
    loads
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Checks the properties of every plan.
    fn checked(total_g: i64, deliveries: u64) -> Plan {
        let plan = Plan::new(total_g, deliveries).unwrap();
        let lots: Vec<&Lot> = plan.first.iter().chain([&plan.late]).chain(&plan.rest).collect();
        assert_eq!(lots.len() as u64, deliveries);
        let gross_g = |lot: &Lot| lot.crates.iter().map(|weight| weight.grams().0).sum::<i64>();
        assert_eq!(lots.iter().map(|lot| gross_g(lot)).sum::<i64>(), total_g);
        assert!(lots.iter().all(|lot| (1..1_000).contains(&lot.crates.len())));

        assert!(lots.is_sorted_by_key(|lot| lot.load) && lots.iter().all(|lot| lot.load < plan.loads));
        assert!(plan.first.iter().all(|lot| lot.load == 0) && plan.late.load == 0);
        assert!(plan.rest.iter().all(|lot| lot.load > 0));
        for load in lots.chunk_by(|one, other| one.load == other.load) {
            let grams: i64 = load.iter().map(|lot| gross_g(lot)).sum();
            assert!(load.len() <= LOAD_DELIVERIES && (grams <= LOAD_FULL_G || load.len() == 1), "{grams} g");
        }

        assert_eq!(plan.late.weigher, Person::Ravi);
        let twins: Vec<_> = lots.iter().filter(|lot| lot.is_twin).collect();
        assert!(matches!(twins[..], [twin] if twin.weigher == Person::Ravi));
        // A farmer who is not registered in the morning is known only to the phone that registers him.
        for farmer in (0..plan.farmers).filter(|farmer| !plan.expected_farmers.contains(farmer)) {
            assert_eq!(lots.iter().filter(|lot| lot.farmer == farmer).count(), 1);
        }
        plan
    }

    #[test]
    fn the_usual_day_has_five_loads_of_usual_crates_and_some_newcomers() {
        let plan = checked(37_000_000, 300);
        assert_eq!((plan.loads, plan.crates, plan.farmers, plan.expected_farmers.len()), (5, 1_850, 240, 222));
        let crates = plan.rest.iter().flat_map(|lot| &lot.crates).map(|weight| weight.grams().0);
        assert!(crates.min() >= Some(14_500) && plan.rest.iter().any(|lot| lot.is_twin));
    }

    #[test]
    fn totals_without_a_plan_are_refused() {
        assert!(Plan::new(4, 5).unwrap_err().to_string().contains("too little"));
        assert!(Plan::new(i64::MIN, 1).unwrap_err().to_string().contains("too little"));
        assert!(Plan::new(9_070_000_000, 10).unwrap_err().to_string().contains("too much"));
        for (total_g, deliveries) in [(1, 1), (5_000, 5_000), (49_500_000, 1), (9_070_000_000, 300)] {
            checked(total_g, deliveries);
        }
    }

    proptest! {
        #[test]
        fn any_total_splits_exactly(grams_each in 1..49_500_000_i64, more in 0..100_u64, deliveries in 1..120_u64) {
            checked(grams_each * i64::try_from(deliveries).unwrap() + i64::try_from(more.min(deliveries)).unwrap() - 1, deliveries);
        }

        #[test]
        fn shares_are_exact_and_above_zero(more in 0..1_u64 << 40, weights in proptest::collection::vec(1..1_000_u64, 1..50)) {
            let total = more + weights.len() as u64;
            let shares = share_out(total, &weights);
            prop_assert_eq!(shares.iter().sum::<u64>(), total);
            prop_assert!(shares.iter().all(|share| *share > 0));
        }
    }
}
