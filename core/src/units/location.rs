use minicbor::{Decode, Encode};

use super::{UnitError, named};

named! {
    /// Source of a location.
    #[derive(Encode, Decode)]
    #[cbor(index_only)]
    pub LocationProvider, "a location provider" {
        /// Satellites, such as those of GPS.
        #[n(0)]
        Satellite = "satellite",
        /// Networks nearby, of mobile telephony or Wi-Fi.
        #[n(1)]
        Network = "network",
        /// Several sources, combined by the phone.
        #[n(2)]
        Fused = "fused",
        /// A person, who showed the place on a map.
        #[n(3)]
        Person = "person",
    }
}

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
    /// Source of the location; `None` if the phone does not say.
    #[n(4)]
    pub provider: Option<LocationProvider>,
    /// Whether the phone says that an app made the location up.
    #[cbor(n(5), skip_if = "is_false")]
    pub is_mock: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that the derived encoder calls")]
fn is_false(value: &bool) -> bool {
    !*value
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
