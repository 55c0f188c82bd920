//! What a delivery's weight is computed from, as plain values.

use crate::records::draft::Draft;
use crate::records::{self, Bag, BagCount, Delivery, Lot};
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

impl From<&Bag> for Weighing {
    fn from(bag: &Bag) -> Self {
        let weighed = Weighed::Bag { gross: bag.gross.grams(), bag_type: bag.bag_type };
        Self { weighed, grade: bag.grade.clone() }
    }
}

impl From<&Lot> for Weighing {
    fn from(lot: &Lot) -> Self {
        let weighed = match lot.vehicle {
            Some(tare) => Weighed::Vehicle { gross: lot.gross.grams(), tare: tare.grams() },
            None => Weighed::Lot { gross: lot.gross.grams() },
        };
        Self { weighed, grade: lot.grade.clone() }
    }
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
    fn new<'a>(
        bags: impl Iterator<Item = &'a Bag>,
        lots: impl Iterator<Item = &'a Lot>,
        bag_counts: &[BagCount],
        readings: impl Iterator<Item = &'a records::Reading>,
    ) -> Self {
        let (mut moisture, mut observations) = (Vec::new(), Vec::new());
        for read in readings {
            let reading = Reading { value: read.value(), grade: read.grade.clone() };
            match read.factor() {
                Some(factor) => observations.push(Observation { factor: factor.clone(), reading }),
                None => moisture.push(reading),
            }
        }
        Self {
            weighings: bags.map(Weighing::from).chain(lots.map(Weighing::from)).collect(),
            bag_counts: bag_counts.to_vec(),
            moisture,
            observations,
            ..Self::default()
        }
    }
}

/// Takes what is not voided, even if the delivery itself is voided.
impl From<&Delivery> for WeightInput {
    fn from(delivery: &Delivery) -> Self {
        let (bags, lots) = (delivery.counted_bags(), delivery.counted_lots());
        Self::new(bags, lots, &delivery.bag_counts, delivery.counted_readings())
    }
}

impl From<&Draft> for WeightInput {
    fn from(draft: &Draft) -> Self {
        Self::new(draft.bags.iter(), draft.lots.iter(), &draft.bag_counts, draft.readings.iter())
    }
}
