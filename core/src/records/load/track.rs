//! Track of a load: where the lorry was on its way, packed as small differences.
//!
//! Format: `docs/records.md`, "Packed track".

use minicbor::{Decode, Encode};

use super::super::bags::put_varint;
use super::super::{Error, Put, Stamp, encode};
use crate::units::{Location, LocationProvider, Timestamp};

/// Family of keys for pieces of the track.
pub(super) const TRACK: char = 'k';

/// Steps of a stored position in degrees × 10⁷: a millionth of a degree, 11 cm on a meridian.
const STEP_E7: i32 = 10;

/// Place of a lorry at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrackPoint {
    /// When it was there; stored in whole seconds.
    pub at: Timestamp,
    /// Latitude in degrees × 10⁷; stored to the nearest ten.
    pub latitude_e7: i32,
    /// Longitude in degrees × 10⁷; stored to the nearest ten.
    pub longitude_e7: i32,
    /// Radius of the receiver's error in centimetres; stored in whole metres, rounded up.
    pub accuracy_cm: u32,
    /// Source of the position; `None` if the phone does not say.
    pub provider: Option<LocationProvider>,
    /// Whether the phone says that an app made the position up.
    pub is_mock: bool,
}

impl TrackPoint {
    /// Returns the point as it is stored and read again.
    #[must_use]
    pub fn rounded(self) -> Self {
        let nearest = |value: i32| {
            let half = if value < 0 { -STEP_E7 / 2 } else { STEP_E7 / 2 };
            value.saturating_add(half) / STEP_E7 * STEP_E7
        };
        Self {
            at: Timestamp(self.at.0.div_euclid(1_000) * 1_000),
            latitude_e7: nearest(self.latitude_e7),
            longitude_e7: nearest(self.longitude_e7),
            accuracy_cm: self.accuracy_cm.div_ceil(100).saturating_mul(100),
            ..self
        }
    }

    /// Checks that the point is on the globe.
    ///
    /// # Errors
    /// As for [`Location::check`].
    pub fn check(&self) -> Result<(), crate::units::UnitError> {
        let Self { latitude_e7, longitude_e7, accuracy_cm, provider, is_mock, .. } = *self;
        Location { latitude_e7, longitude_e7, accuracy_cm, age_ms: 0, provider, is_mock }.check()
    }
}

/// Value of a key of the family [`TRACK`].
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
pub(super) struct StoredPiece {
    #[n(0)]
    pub(super) stamp: Stamp,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(super) points: Vec<u8>,
}

/// Piece of a track: what one call added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackPiece {
    /// Author, device and time.
    pub stamp: Stamp,
    /// Points, oldest first; at least one.
    pub points: Vec<TrackPoint>,
    /// Size of the points as stored, in bytes.
    pub bytes: usize,
}

/// Returns the put of a piece whose points are [rounded](TrackPoint::rounded) and in the order of their times.
pub(crate) fn add_track(stamp: Stamp, points: &[TrackPoint]) -> Put {
    Put::Add(TRACK, String::new(), encode(&StoredPiece { stamp, points: pack(points, &stamp) }))
}

/// Returns the size of these points as stored, in bytes.
pub(crate) fn packed_size(points: &[TrackPoint], stamp: &Stamp) -> usize {
    pack(points, stamp).len()
}

fn seconds(at: Timestamp) -> i64 {
    at.0.div_euclid(1_000)
}

fn flags(point: &TrackPoint) -> u8 {
    let provider = match point.provider {
        None => 0,
        Some(LocationProvider::Satellite) => 1,
        Some(LocationProvider::Network) => 2,
        Some(LocationProvider::Fused) => 3,
        Some(LocationProvider::Person) => 4,
    };
    provider | u8::from(point.is_mock) << 3
}

fn pack(points: &[TrackPoint], stamp: &Stamp) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut time, mut latitude, mut longitude, mut known) = (seconds(stamp.written_at()), 0, 0, None);
    for point in points {
        let (at, flags) = (seconds(point.at), flags(point));
        let is_new = known != Some(flags);
        // Writing to a Vec cannot fail.
        let mut put = |value: i64| drop(leb128::write::signed(&mut out, value));
        put((at - time) * 2 + i64::from(is_new));
        put(i64::from(point.latitude_e7 / STEP_E7) - latitude);
        put(i64::from(point.longitude_e7 / STEP_E7) - longitude);
        put_varint(&mut out, u64::from(point.accuracy_cm.div_ceil(100)));
        if is_new {
            out.push(flags);
        }
        (time, known) = (at, Some(flags));
        (latitude, longitude) = (i64::from(point.latitude_e7 / STEP_E7), i64::from(point.longitude_e7 / STEP_E7));
    }
    out
}

impl StoredPiece {
    /// Unpacks the piece.
    ///
    /// # Errors
    /// [`Error::Malformed`] for bytes that [`add_track`] does not write.
    pub(super) fn read(self) -> Result<TrackPiece, Error> {
        let (stamp, bytes) = (self.stamp, self.points.len());
        let points = unpack(&self.points, &stamp).ok_or_else(|| Error::malformed("a track that cannot be read"))?;
        for point in &points {
            point.check().map_err(Error::malformed)?;
        }
        if points.is_empty() {
            return Err(Error::malformed("a piece of a track has at least one point"));
        }
        Ok(TrackPiece { stamp, points, bytes })
    }
}

fn unpack(mut packed: &[u8], stamp: &Stamp) -> Option<Vec<TrackPoint>> {
    let mut points = Vec::<TrackPoint>::new();
    let (mut time, mut latitude, mut longitude) = (seconds(stamp.written_at()), 0_i64, 0_i64);
    let (mut provider, mut is_mock) = (None, false);
    while !packed.is_empty() {
        let mut signed = || leb128::read::signed(&mut packed).ok();
        let (step, north, east) = (signed()?, signed()?, signed()?);
        time = time.checked_add(step >> 1)?;
        latitude = latitude.checked_add(north)?;
        longitude = longitude.checked_add(east)?;
        let accuracy = u32::try_from(leb128::read::unsigned(&mut packed).ok()?).ok()?;
        if step & 1 == 1 {
            let (flags, rest) = packed.split_first()?;
            packed = rest;
            provider = match flags & 7 {
                0 => None,
                1 => Some(LocationProvider::Satellite),
                2 => Some(LocationProvider::Network),
                3 => Some(LocationProvider::Fused),
                4 => Some(LocationProvider::Person),
                _ => return None,
            };
            is_mock = match flags >> 3 {
                0 => false,
                1 => true,
                _ => return None,
            };
        } else if points.is_empty() {
            return None;
        }
        let degrees = |steps: i64| i32::try_from(steps.checked_mul(STEP_E7.into())?).ok();
        points.push(TrackPoint {
            at: Timestamp(time.checked_mul(1_000)?),
            latitude_e7: degrees(latitude)?,
            longitude_e7: degrees(longitude)?,
            accuracy_cm: accuracy.checked_mul(100)?,
            provider,
            is_mock,
        });
    }
    Some(points)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::units::{DeviceCode, HybridTime, UserId};

    fn stamp() -> Stamp {
        let at = HybridTime { wall_ms: 1_557_400_000_123, counter: 0 };
        Stamp { user_id: UserId::from([1; 16]), device_code: DeviceCode(7), at, clock_suspect: false }
    }

    fn any_point() -> impl Strategy<Value = TrackPoint> {
        let provider = prop_oneof![
            Just(None),
            Just(Some(LocationProvider::Satellite)),
            Just(Some(LocationProvider::Network)),
            Just(Some(LocationProvider::Fused)),
            Just(Some(LocationProvider::Person)),
        ];
        let place = (-900_000_000..=900_000_000_i32, -1_800_000_000..=1_800_000_000_i32);
        let time = -1_000_000_000_000..=4_000_000_000_000_i64;
        (time, place, 0..1_000_000_000_u32, provider, any::<bool>()).prop_map(
            |(at, (latitude_e7, longitude_e7), accuracy_cm, provider, is_mock)| {
                let at = Timestamp(at);
                TrackPoint { at, latitude_e7, longitude_e7, accuracy_cm, provider, is_mock }.rounded()
            },
        )
    }

    proptest! {
        #[test]
        fn tracks_come_back(points in prop::collection::vec(any_point(), 1..30)) {
            let stored = StoredPiece { stamp: stamp(), points: pack(&points, &stamp()) };
            prop_assert_eq!(stored.read().expect("it unpacks").points, points);
        }

        #[test]
        fn hostile_bytes_are_read_or_refused_without_a_panic(points in prop::collection::vec(any::<u8>(), 0..80)) {
            drop(StoredPiece { stamp: stamp(), points }.read());
        }

        #[test]
        fn a_point_is_stored_within_half_a_step(point in any_point(), off in -5..=4_i32) {
            let moved = TrackPoint { latitude_e7: point.latitude_e7.saturating_add(off), ..point };
            prop_assert!((moved.rounded().latitude_e7 - moved.latitude_e7).abs() <= STEP_E7 / 2);
            prop_assert_eq!(point.rounded(), point);
        }
    }
}
