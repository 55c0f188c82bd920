use minicbor::{Decode, Encode};

use super::UnitError;

/// Location of a phone, as its receiver reported it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Location {
    /// Latitude in degrees × 10⁷.
    #[n(0)]
    pub latitude_e7: i32,
    /// Longitude in degrees × 10⁷.
    #[n(1)]
    pub longitude_e7: i32,
    /// Radius of the receiver's error in centimetres.
    #[n(2)]
    pub accuracy_cm: u32,
    /// Age of the fix when it was recorded, in milliseconds.
    #[n(3)]
    pub age_ms: u32,
}

impl Location {
    /// Checks that the location is on the globe.
    ///
    /// # Errors
    /// A latitude beyond ±90° or a longitude beyond ±180°.
    pub fn check(&self) -> Result<(), UnitError> {
        if self.latitude_e7.unsigned_abs() > 900_000_000 {
            return Err(UnitError::new("latitude is beyond 90 degrees"));
        }
        if self.longitude_e7.unsigned_abs() > 1_800_000_000 {
            return Err(UnitError::new("longitude is beyond 180 degrees"));
        }
        Ok(())
    }
}
