//! Readings of a delivery's produce: moisture, and factors of quality.

use minicbor::{Decode, Encode};

use super::Error;
use crate::units::{FactorCode, GradeCode, InstrumentCode, Percent, PhotoHash, UserId};

/// What was read, with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measured {
    /// Moisture.
    Moisture(Percent),
    /// A quality factor.
    Factor {
        /// Code of the factor in the rule set.
        factor: FactorCode,
        /// Value in the factor's unit.
        value: u32,
    },
}

/// A reading of moisture or of a quality factor.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Reading {
    /// Hundredths of a percent, or the value in the factor's unit.
    #[n(0)]
    pub(crate) value: u32,
    /// Quality factor; `None` for moisture.
    #[n(1)]
    pub(crate) factor: Option<FactorCode>,
    /// Grade whose produce was read; `None` if it counts for each grade that has no reading of its own.
    #[n(2)]
    pub grade: Option<GradeCode>,
    /// Meter that showed it, if known.
    #[n(3)]
    pub meter: Option<InstrumentCode>,
    /// Photo of it, if there is one.
    #[n(4)]
    pub photo: Option<PhotoHash>,
    /// User who read it; `None` if that is the author of the value in which the reading is.
    #[n(5)]
    pub user_id: Option<UserId>,
}

impl Reading {
    /// Returns a reading without grade, meter and photo, by the author of the value in which it will be.
    pub fn new(measured: Measured) -> Self {
        let (value, factor) = match measured {
            Measured::Moisture(moisture) => (moisture.hundredths().unsigned_abs(), None),
            Measured::Factor { factor, value } => (value, Some(factor)),
        };
        Self { value, factor, grade: None, meter: None, photo: None, user_id: None }
    }

    /// Returns what was read.
    ///
    /// # Errors
    /// [`Error::Malformed`] for moisture above 100 %.
    pub fn measured(&self) -> Result<Measured, Error> {
        match &self.factor {
            Some(factor) => Ok(Measured::Factor { factor: factor.clone(), value: self.value }),
            None => Percent::try_from(i64::from(self.value)).map(Measured::Moisture).map_err(Error::malformed),
        }
    }

    /// Returns the quality factor; `None` for moisture.
    pub fn factor(&self) -> Option<&FactorCode> {
        self.factor.as_ref()
    }

    /// Returns the value: hundredths of a percent for moisture, otherwise in the factor's unit.
    pub fn value(&self) -> u32 {
        self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{decode, encode};

    #[test]
    fn readings_come_back_and_moisture_is_a_share() {
        let factor: FactorCode = "BROKEN".parse().expect("a code");
        for measured in [
            Measured::Moisture(Percent::try_from(0).expect("a share")),
            Measured::Moisture(Percent::try_from(10_000).expect("a share")),
            Measured::Factor { factor: factor.clone(), value: u32::MAX },
        ] {
            let reading = Reading { grade: Some("A".parse().expect("a code")), ..Reading::new(measured.clone()) };
            let read: Reading = decode(&encode(&reading)).expect("it decodes");
            assert_eq!((read.measured().expect("a value"), &read), (measured, &reading));
        }
        let too_moist: Reading = decode(&encode(&(10_001_u32,))).expect("it decodes");
        assert!(matches!(too_moist.measured(), Err(Error::Malformed { .. })));
    }
}
