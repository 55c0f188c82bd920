//! Who weighs which delivery onto which load of the played day.
//!
//! Owns the order of the day as plain numbers; `day/acts.rs` does it on phones.
//! Invariants: every share of the split is one lot, in the split's order; a load has at least one lot, at most [`LOTS_PER_LOAD`], and weighs at most
//! [`LOAD_FULL_G`] unless a single lot weighs more; there are at most [`FARMERS`] farmers; exactly one lot is late, the last one of the first load, and
//! Ravi weighs it; exactly one lot comes under the second registration of its farmer, and Ravi weighs it.

use std::collections::BTreeMap;

use farmtally_core::limits::MAX_MANIFEST;

use crate::split::Share;

/// What a lorry of the demo may carry.
pub(crate) const PAYLOAD_G: i64 = 9_000_000;
/// A load is full here: there must be room for the made-up delivery.
const LOAD_FULL_G: i64 = 8_800_000;
/// A manifest holds [`MAX_MANIFEST`] deliveries; some room is left for the made-up one.
const LOTS_PER_LOAD: usize = MAX_MANIFEST - 100;
/// Farmers at most: each registration looks through those before it, and 16,000 were not done after six minutes of a debug build
/// on a busy machine (November 2026); 4,000 and 20,000 deliveries are through in two and a half minutes.
const FARMERS: usize = 4_000;
/// One of this many farmers with a single delivery comes unannounced, and is registered at the scale.
const NEWCOMER_EVERY: usize = 10;

/// Who holds the phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    Asha,
    Ravi,
}

/// One delivery to be weighed.
#[derive(Debug)]
pub(crate) struct Lot {
    /// Which farmer, counted from 0.
    pub(crate) farmer: usize,
    /// Grams of each crate.
    pub(crate) crates_g: Vec<i64>,
    /// Which load, counted from 0; the second one is opened by both phones.
    pub(crate) load: usize,
    /// Who weighs.
    pub(crate) weigher: Who,
}

/// The deliveries of the day.
#[derive(Debug)]
pub(crate) struct Plan {
    /// In the order of weighing; never none.
    pub(crate) lots: Vec<Lot>,
    /// The lot that Ravi puts on the first load after Asha asked to close it.
    pub(crate) late: usize,
    /// The lot that comes under the second registration of its farmer.
    pub(crate) twin: usize,
    /// How many loads the lots fill.
    pub(crate) loads: usize,
    /// Which farmers are registered in the morning; the others come unannounced.
    pub(crate) is_expected: Vec<bool>,
    /// Crates of all lots.
    pub(crate) crates: usize,
}

impl Plan {
    /// Orders the shares of a split.
    pub(crate) fn new(shares: Vec<Share>) -> Self {
        let crates = shares.iter().map(|share| share.crates_g.len()).sum();
        let places = places(&shares.iter().map(weight_g).collect::<Vec<_>>());
        let late = places.iter().filter(|load| **load == 0).count().saturating_sub(1);
        let loads = places.iter().max().map_or(0, |last| last + 1);
        let in_turn = [Who::Asha, Who::Ravi].into_iter().cycle();
        let lots: Vec<Lot> = (0..)
            .zip(shares.into_iter().zip(places).zip(in_turn))
            .map(|(index, ((Share { farmer, crates_g }, load), in_turn))| Lot {
                farmer: farmer % FARMERS,
                crates_g,
                load,
                weigher: if index == late { Who::Ravi } else { in_turn },
            })
            .collect();
        let is_expected = expected(&lots, late);
        Self { twin: twin(&lots, late), late, loads, is_expected, crates, lots }
    }
}

fn weight_g(share: &Share) -> i64 {
    share.crates_g.iter().sum()
}

/// The load of each delivery: one after the other is filled, and there are two if there are two deliveries.
fn places(weights_g: &[i64]) -> Vec<usize> {
    let half = (weights_g.iter().sum::<i64>() + 1) / 2;
    let full = LOAD_FULL_G.min(half);
    let (mut load, mut on_g, mut lots) = (0, 0, 0);
    let mut places = Vec::with_capacity(weights_g.len());
    for weight in weights_g {
        if lots > 0 && (on_g + weight > full || lots == LOTS_PER_LOAD) {
            (load, on_g, lots) = (load + 1, 0, 0);
        }
        (on_g, lots) = (on_g + weight, lots + 1);
        places.push(load);
    }
    places
}

fn expected(lots: &[Lot], late: usize) -> Vec<bool> {
    let mut deliveries = BTreeMap::new();
    for lot in lots {
        *deliveries.entry(lot.farmer).or_insert(0) += 1;
    }
    let late = lots.get(late).map(|lot| lot.farmer);
    let is_newcomer = |farmer: usize, deliveries: usize| {
        deliveries == 1 && farmer % NEWCOMER_EVERY == NEWCOMER_EVERY - 1 && Some(farmer) != late
    };
    deliveries.into_iter().map(|(farmer, deliveries)| !is_newcomer(farmer, deliveries)).collect()
}

/// The first lot after the late one that Ravi weighs for a farmer who has delivered before; else the late one.
fn twin(lots: &[Lot], late: usize) -> usize {
    let has_delivered = |index: usize, farmer| lots.iter().take(index).any(|lot| lot.farmer == farmer);
    let mut after = lots.iter().enumerate().skip(late + 1);
    after.find(|(index, lot)| lot.weigher == Who::Ravi && has_delivered(*index, lot.farmer)).map_or(late, |(at, _)| at)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::split::split;
    use proptest::prelude::*;

    fn check(total_g: i64, deliveries: usize, seed: u64) -> Plan {
        let shares = split(total_g, deliveries, seed).unwrap();
        let plan = Plan::new(shares);
        assert_eq!(plan.lots.len(), deliveries);
        assert_eq!(plan.lots.iter().flat_map(|lot| &lot.crates_g).sum::<i64>(), total_g);
        let mut loads = vec![(0_usize, 0_i64); plan.loads];
        for lot in &plan.lots {
            loads[lot.load].0 += 1;
            loads[lot.load].1 += lot.crates_g.iter().sum::<i64>();
        }
        for (lots, grams) in loads {
            assert!((1..=LOTS_PER_LOAD).contains(&lots), "{lots} lots");
            assert!(grams <= LOAD_FULL_G || lots == 1, "{grams} g");
        }
        assert!(plan.lots.is_sorted_by_key(|lot| lot.load));
        let (late, twin) = (&plan.lots[plan.late], &plan.lots[plan.twin]);
        assert!(late.load == 0 && plan.lots.iter().skip(plan.late + 1).all(|lot| lot.load > 0));
        assert_eq!((late.weigher, twin.weigher), (Who::Ravi, Who::Ravi));
        assert!(plan.is_expected[twin.farmer] && plan.is_expected[late.farmer] && plan.is_expected[0]);
        plan
    }

    #[test]
    fn the_usual_day_has_five_lorries_and_a_few_newcomers() {
        let plan = check(37_000_000, 300, 1);
        assert_eq!(plan.loads, 5);
        let newcomers = plan.is_expected.iter().filter(|expected| !**expected).count();
        assert!((5..40).contains(&newcomers), "{newcomers}");
        assert!(plan.twin > plan.late, "the twin has delivered before");
    }

    #[test]
    fn one_delivery_is_late_and_its_farmers_second_registration() {
        let plan = check(1_000_000, 1, 1);
        assert_eq!((plan.late, plan.twin, plan.loads), (0, 0, 1));
    }

    proptest! {
        #[test]
        fn loads_stay_below_their_limits(total_kg in 2_000_i64..200_000, deliveries in 1_usize..2_000, seed: u64) {
            prop_assume!(total_kg <= i64::try_from(deliveries).unwrap() * 1_000_000);
            check(total_kg * 1_000, deliveries, seed);
        }
    }
}
