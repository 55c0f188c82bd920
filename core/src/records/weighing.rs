//! Produce that is not weighed bag by bag: lots and vehicles, and the bags that were counted in them.

use minicbor::{Decode, Encode};

use super::bags::NUMBERS;
use super::{BagSource, Error};
use crate::limits::MAX_BAG_COUNT;
use crate::units::{BagType, GradeCode, Grams, InstrumentCode, LotWeight, Timestamp, UserId};

/// Bags or loose produce that were weighed together, perhaps on a vehicle.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Lot {
    /// Number among the bags and lots of the delivery; never changes.
    #[n(0)]
    pub number: u32,
    /// Weight with the bags, and with the vehicle if there is one.
    #[n(1)]
    pub gross: LotWeight,
    /// Weight of the empty vehicle; `None` if the lot was not weighed on one.
    #[n(2)]
    pub vehicle: Option<LotWeight>,
    /// Grade of the produce, if any.
    #[n(3)]
    pub grade: Option<GradeCode>,
    /// How the weight was entered.
    #[n(4)]
    pub source: BagSource,
    /// Scale or weighbridge, if known.
    #[n(5)]
    pub scale: Option<InstrumentCode>,
    /// User who weighed it.
    #[n(6)]
    pub user_id: UserId,
    /// Time of weighing.
    #[n(7)]
    pub weighed_at: Timestamp,
}

impl Lot {
    /// Returns the weight of the produce with its bags, without the vehicle.
    pub fn without_vehicle(&self) -> Grams {
        self.gross.grams() - self.vehicle.map_or(Grams::ZERO, LotWeight::grams)
    }

    /// Checks that the number is below [`NUMBERS`], and the full vehicle heavier than the empty one.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.number >= NUMBERS {
            Err(Error::malformed("too large a lot number"))
        } else if self.without_vehicle() > Grams::ZERO {
            Ok(())
        } else {
            Err(Error::malformed("the full vehicle is not heavier than the empty one"))
        }
    }
}

/// Number of bags in lots and vehicles, of one type and grade.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct BagCount {
    /// Type of the bags.
    #[n(0)]
    pub bag_type: BagType,
    /// Grade of the produce in them, if any.
    #[n(1)]
    pub grade: Option<GradeCode>,
    /// Number of bags; 0 for loose produce.
    #[n(2)]
    pub count: u32,
}

/// Checks that each bag type and grade is counted once, with at most [`MAX_BAG_COUNT`] bags.
///
/// # Errors
/// [`Error::Malformed`].
pub(crate) fn check_bag_counts(counts: &[BagCount]) -> Result<(), Error> {
    if counts.iter().any(|it| it.count > MAX_BAG_COUNT) {
        return Err(Error::malformed(format!("a count has at most {MAX_BAG_COUNT} bags")));
    }
    let mut kinds: Vec<_> = counts.iter().map(|it| (it.bag_type, it.grade.as_ref())).collect();
    kinds.sort_unstable();
    if kinds.windows(2).any(|pair| matches!(pair, [a, b] if a == b)) {
        return Err(Error::malformed("a bag type and grade is counted twice"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_vehicle_is_heavier_than_the_empty_one() {
        for (gross, vehicle, is_heavier) in [
            (1, None, true),
            (9_000_001, Some(9_000_000), true),
            (9_000_000, Some(9_000_000), false),
            (1, Some(2), false),
        ] {
            let weight = |grams| LotWeight::try_from(Grams(grams)).expect("in bounds");
            let lot = Lot {
                number: 1,
                gross: weight(gross),
                vehicle: vehicle.map(weight),
                grade: None,
                source: BagSource::Manual,
                scale: None,
                user_id: UserId::from([1; 16]),
                weighed_at: Timestamp(0),
            };
            assert_eq!(lot.check().is_ok(), is_heavier, "{gross} {vehicle:?}");
            assert!(matches!(Lot { number: NUMBERS, ..lot }.check(), Err(Error::Malformed { .. })));
        }
    }

    #[test]
    fn bags_of_a_type_and_grade_are_counted_once() {
        let count = |number: u8, grade: Option<&str>, count| BagCount {
            bag_type: BagType::try_from(number).expect("a type"),
            grade: grade.map(|it| it.parse().expect("a code")),
            count,
        };
        for (counts, is_count) in [
            (vec![], true),
            (vec![count(0, None, 0), count(0, Some("A"), 3), count(1, None, MAX_BAG_COUNT)], true),
            (vec![count(0, None, MAX_BAG_COUNT + 1)], false),
            (vec![count(0, Some("A"), 1), count(1, None, 1), count(0, Some("A"), 2)], false),
        ] {
            assert_eq!(check_bag_counts(&counts).is_ok(), is_count, "{counts:?}");
        }
    }
}
