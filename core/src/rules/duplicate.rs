//! Deliveries that may be one heap, recorded twice.

use crate::records::draft::Draft;
use crate::records::{Bag, Delivery};
use crate::units::Grams;

/// Weights of a delivery, as far as they tell it from another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heap {
    /// Weights of the bags that were weighed alone, sorted.
    weights: Vec<Grams>,
    /// Number of all bags.
    bags: u32,
    gross: Grams,
}

/// Share of equal weights from which two deliveries of as many bags may be one heap, in percent.
const EQUAL_PERCENT: usize = 80;
/// Difference of gross weight up to which two deliveries may be one heap: one part in so many.
const PARTS: i64 = 200;

impl Heap {
    fn new<'a>(bags: impl Iterator<Item = &'a Bag>, bag_count: u32, gross: Grams) -> Self {
        let mut weights: Vec<Grams> = bags.map(|bag| bag.gross.grams()).collect();
        weights.sort_unstable();
        Self { weights, bags: bag_count, gross }
    }

    /// Returns whether two deliveries of one farmer and time may be one heap: they differ by at most 0.5 % in gross weight, or have as many
    /// bags, of which at least 80 % have equal weights.
    pub fn may_equal(&self, other: &Self) -> bool {
        let weights = self.weights.len().max(other.weights.len());
        self.is_near(other.gross)
            || self.has_as_many(other.bags) && self.equal_weights(other) * 100 >= weights * EQUAL_PERCENT
    }

    /// Returns whether a delivery of which only these sums are known may be the same heap.
    pub fn may_be(&self, bags: u32, gross: Grams) -> bool {
        self.is_near(gross) || self.has_as_many(bags)
    }

    fn is_near(&self, gross: Grams) -> bool {
        let (difference, heavier) = ((self.gross - gross).0.saturating_abs(), self.gross.max(gross).0);
        heavier > 0 && difference.saturating_mul(PARTS) <= heavier
    }

    fn has_as_many(&self, bags: u32) -> bool {
        self.bags == bags && !self.weights.is_empty()
    }

    /// Returns the number of weights that both have.
    fn equal_weights(&self, other: &Self) -> usize {
        let (mut mine, mut theirs, mut equal) = (self.weights.iter().peekable(), other.weights.iter().peekable(), 0);
        while let (Some(a), Some(b)) = (mine.peek(), theirs.peek()) {
            match a.cmp(b) {
                std::cmp::Ordering::Less => drop(mine.next()),
                std::cmp::Ordering::Greater => drop(theirs.next()),
                std::cmp::Ordering::Equal => {
                    equal += 1;
                    mine.next();
                    theirs.next();
                }
            }
        }
        equal
    }
}

/// Takes what is not voided.
impl From<&Delivery> for Heap {
    fn from(delivery: &Delivery) -> Self {
        Self::new(delivery.counted_bags(), delivery.bag_count(), delivery.gross())
    }
}

impl From<&Draft> for Heap {
    fn from(draft: &Draft) -> Self {
        let weighed = u32::try_from(draft.bags.len()).unwrap_or(u32::MAX);
        let bags = draft.bag_counts.iter().fold(weighed, |sum, it| sum.saturating_add(it.count));
        Self::new(draft.bags.iter(), bags, draft.gross())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heap(grams: &[i64]) -> Heap {
        let mut weights: Vec<Grams> = grams.iter().copied().map(Grams).collect();
        weights.sort_unstable();
        let bags = u32::try_from(grams.len()).expect("few");
        Heap { gross: weights.iter().copied().sum(), weights, bags }
    }

    #[test]
    fn bags_that_were_counted_are_not_equal_to_weighed_ones_and_nothing_is_no_heap() {
        let ten = heap(&[50_000, 51_000, 52_000, 53_000, 54_000, 55_000, 56_000, 57_000, 58_000, 59_000]);
        let mostly_counted = Heap { weights: vec![Grams(50_000)], bags: 10, gross: Grams(900_000) };
        assert!(!ten.may_equal(&mostly_counted) && !mostly_counted.may_equal(&ten));
        assert!(!heap(&[]).may_equal(&heap(&[])));
    }

    #[test]
    fn deliveries_of_nearly_one_weight_or_of_mostly_equal_bags_may_be_one_heap() {
        let ten = [20_000, 21_000, 22_000, 23_000, 24_000, 25_000, 26_000, 27_000, 28_000, 29_000];
        let with = |changed: &[(usize, i64)]| {
            let mut grams = ten;
            for (at, weight) in changed {
                grams[*at] = *weight;
            }
            heap(&grams)
        };
        for (other, expected) in [
            (with(&[]), true),
            (with(&[(0, 90_000), (1, 90_000)]), true),
            (with(&[(0, 90_000), (1, 90_000), (2, 90_000)]), false),
            (heap(&[245_000]), true),
            (heap(&[246_225]), true),
            (heap(&[246_250]), false),
            (heap(&[100_000; 3]), false),
        ] {
            assert_eq!(heap(&ten).may_equal(&other), expected, "{other:?}");
            assert_eq!(other.may_equal(&heap(&ten)), expected, "{other:?}");
            assert!(!expected || heap(&ten).may_be(other.bags, other.gross), "{other:?}");
        }
    }
}
