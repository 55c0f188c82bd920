//! What a delivery's weight is computed from, as plain values.

use crate::records::Bag;
use crate::units::{BagType, FactorCode, GradeCode, Grams, Percent};

/// Something that was put on a scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weighed {
    /// One bag, alone.
    Bag {
        /// Weight with the bag.
        gross: Grams,
        /// Type of the bag.
        bag_type: BagType,
    },
    /// Any number of bags or loose produce, together.
    Lot {
        /// Weight with the bags.
        gross: Grams,
    },
    /// A vehicle, full and empty.
    Vehicle {
        /// Weight of the full vehicle.
        gross: Grams,
        /// Weight of the empty vehicle.
        tare: Grams,
    },
}

/// One weighing, with the grade of what was weighed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weighing {
    /// What was weighed.
    pub weighed: Weighed,
    /// Its grade, if any.
    pub grade: Option<GradeCode>,
}

/// Takes a bag that has no grade.
impl From<&Bag> for Weighing {
    fn from(bag: &Bag) -> Self {
        Self { weighed: Weighed::Bag { gross: bag.gross.grams(), bag_type: bag.bag_type }, grade: None }
    }
}

/// Number of bags in lots and vehicles, of one type and grade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BagCount {
    /// Type of the bags.
    pub bag_type: BagType,
    /// Grade of the produce in them, if any.
    pub grade: Option<GradeCode>,
    /// Number of bags.
    pub count: u32,
}

/// A value of moisture or of a quality factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The value: hundredths of a percent, or the factor's unit.
    pub value: u32,
    /// Grade whose produce was read. A reading without one counts for each grade that has no reading of its own.
    pub grade: Option<GradeCode>,
}

/// A reading of a quality factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Factor that was observed.
    pub factor: FactorCode,
    /// What was read.
    pub reading: Reading,
}

/// A quality deduction that a person decided. One that names a factor replaces the deduction that follows from observations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecidedDeduction {
    /// Factor that it names, if any.
    pub factor: Option<FactorCode>,
    /// Grade that it names. A share without one applies to each grade, a weight without one is divided among them by gross.
    pub grade: Option<GradeCode>,
    /// The deduction.
    pub amount: DecidedAmount,
}

/// The size of a [`DecidedDeduction`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecidedAmount {
    /// A weight.
    Weight(Grams),
    /// A share of the factor's base, or of gross minus tare without a factor.
    Share(Percent),
}

/// All that a delivery's weight is computed from. Voided bags and readings that are not valid are left out by the caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WeightInput {
    /// What was weighed.
    pub weighings: Vec<Weighing>,
    /// Bags in lots and vehicles. A bag that was weighed alone is not among them.
    pub bag_counts: Vec<BagCount>,
    /// Moisture readings in their order.
    pub moisture: Vec<Reading>,
    /// Observations in their order.
    pub observations: Vec<Observation>,
    /// Quality deductions that a person decided.
    pub decided: Vec<DecidedDeduction>,
    /// Whether two persons waived the limit of quality deductions.
    pub is_quality_cap_waived: bool,
}

impl WeightInput {
    /// Returns the input of bags without grades, with their moisture readings.
    pub fn of_bags<'a>(bags: impl Iterator<Item = &'a Bag>, readings: &[Percent]) -> Self {
        let reading = |it: &Percent| Reading { value: it.hundredths().unsigned_abs(), grade: None };
        Self {
            weighings: bags.map(Weighing::from).collect(),
            moisture: readings.iter().map(reading).collect(),
            ..Self::default()
        }
    }
}
