//! Points and rings on the globe, checked and packed.

use std::fmt;

use minicbor::decode::{self, Decoder};
use minicbor::encode::{self, Encoder, Write};
use minicbor::{Decode, Encode};

use super::geometry::{flattened, is_crossing};
use crate::limits::{MAX_PLOT_EXTENT_E7, PLOT_POINTS};

/// A place on the globe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GeoPoint {
    /// Latitude in degrees × 10⁷.
    pub latitude_e7: i32,
    /// Longitude in degrees × 10⁷.
    pub longitude_e7: i32,
}

/// Where a plot lies. Its CBOR form is a byte string with the distance of each point from the point before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlotShape {
    /// One place on the land; its border is not known.
    Point {
        /// The place.
        point: GeoPoint,
    },
    /// The border: straight lines in latitude and longitude from each point to the next, and from the last to the first.
    Ring {
        /// Points of the border in either direction.
        points: Vec<GeoPoint>,
    },
}

impl PlotShape {
    /// Returns the points.
    pub fn points(&self) -> &[GeoPoint] {
        match self {
            Self::Point { point } => std::slice::from_ref(point),
            Self::Ring { points } => points,
        }
    }

    /// Checks everything but the area.
    ///
    /// # Errors
    /// The reason for people: a point that is not on the globe, too few or too many of them, too far from each other, one that repeats its
    /// neighbour, or a border that touches or crosses itself.
    pub(super) fn check(&self) -> Result<(), String> {
        let points = self.points();
        if points.iter().any(|it| it.latitude_e7.unsigned_abs() > 900_000_000) {
            return Err("has a latitude beyond 90 degrees".to_owned());
        }
        if points.iter().any(|it| it.longitude_e7.unsigned_abs() > 1_800_000_000) {
            return Err("has a longitude beyond 180 degrees".to_owned());
        }
        let Self::Ring { points } = self else { return Ok(()) };
        if !PLOT_POINTS.contains(&points.len()) {
            return Err(format!("a border has {} to {} points", PLOT_POINTS.start(), PLOT_POINTS.end()));
        }
        let flat = flattened(points);
        let extent = |of: fn(&(i64, i64)) -> i64| {
            let (least, most) = (flat.iter().map(of).min(), flat.iter().map(of).max());
            most.unwrap_or(0) - least.unwrap_or(0)
        };
        if extent(|it| it.0).max(extent(|it| it.1)) > MAX_PLOT_EXTENT_E7 {
            return Err("is too wide: check the points".to_owned());
        }
        let neighbours = flat.iter().zip(flat.iter().cycle().skip(1));
        if neighbours.into_iter().any(|(a, b)| a == b) {
            return Err("repeats a point, or ends where it begins".to_owned());
        }
        if is_crossing(&flat) {
            return Err("the border touches or crosses itself".to_owned());
        }
        Ok(())
    }

    /// Packs the points: the distance of each from the point before, first north, then east, as signed varints; that of the first from zero.
    fn pack(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut last = GeoPoint { latitude_e7: 0, longitude_e7: 0 };
        for point in self.points() {
            for (to, from) in [(point.latitude_e7, last.latitude_e7), (point.longitude_e7, last.longitude_e7)] {
                // Writing to a Vec cannot fail.
                drop(leb128::write::signed(&mut out, i64::from(to) - i64::from(from)));
            }
            last = *point;
        }
        out
    }

    fn unpack(mut packed: &[u8]) -> Option<Self> {
        let mut points = Vec::new();
        let mut last = GeoPoint { latitude_e7: 0, longitude_e7: 0 };
        let moved = |from: i32, packed: &mut &[u8]| {
            let distance = leb128::read::signed(packed).ok()?;
            i64::from(from).checked_add(distance).and_then(|to| i32::try_from(to).ok())
        };
        while !packed.is_empty() && points.len() <= *PLOT_POINTS.end() {
            let latitude_e7 = moved(last.latitude_e7, &mut packed)?;
            let longitude_e7 = moved(last.longitude_e7, &mut packed)?;
            last = GeoPoint { latitude_e7, longitude_e7 };
            points.push(last);
        }
        match points.as_slice() {
            [] => None,
            [point] => Some(Self::Point { point: *point }),
            _ => Some(Self::Ring { points }),
        }
    }
}

/// Prints the points in degrees.
impl fmt::Display for PlotShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, point) in self.points().iter().enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            write!(f, "{separator}{} {}", Degrees(point.latitude_e7), Degrees(point.longitude_e7))?;
        }
        Ok(())
    }
}

struct Degrees(i32);

impl fmt::Display for Degrees {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, value) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        write!(f, "{sign}{}.{:07}", value / 10_000_000, value % 10_000_000)
    }
}

impl<C> Encode<C> for PlotShape {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.bytes(&self.pack())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for PlotShape {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        Self::unpack(d.bytes()?).ok_or_else(|| decode::Error::message("points of a plot that cannot be read"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::{decode, encode};

    fn at(latitude_e7: i32, longitude_e7: i32) -> GeoPoint {
        GeoPoint { latitude_e7, longitude_e7 }
    }

    fn ring(points: &[(i32, i32)]) -> PlotShape {
        PlotShape::Ring { points: points.iter().map(|it| at(it.0, it.1)).collect() }
    }

    /// A border without crossings that has `points` points: teeth of a comb.
    fn comb(points: usize) -> PlotShape {
        let points = i32::try_from(points).expect("few");
        let tooth = |n: i32| at(if n % 2 == 0 { 0 } else { 500 }, n * 1_000);
        PlotShape::Ring { points: (0..points - 1).map(tooth).chain([at(-1_000, 0)]).collect() }
    }

    proptest! {
        #[test]
        fn shapes_come_back(points in prop::collection::vec((any::<i32>(), any::<i32>()), 2..=*PLOT_POINTS.end())) {
            let shape = ring(&points);
            prop_assert_eq!(decode::<PlotShape>(&encode(&shape)).expect("it reads"), shape);
            let shape = PlotShape::Point { point: at(points[0].0, points[0].1) };
            prop_assert_eq!(decode::<PlotShape>(&encode(&shape)).expect("it reads"), shape);
        }

        #[test]
        fn hostile_bytes_are_read_or_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Some(shape) = PlotShape::unpack(&bytes) {
                drop(shape.check());
            }
        }
    }

    #[test]
    fn a_point_of_a_border_takes_few_bytes() {
        let shape = ring(&[(131_367_000, 781_289_000), (131_369_000, 781_290_000), (131_368_000, 781_293_000)]);
        assert!(shape.pack().len() <= 10 + 2 * 6, "{}", shape.pack().len());
    }

    #[test]
    fn a_border_has_points_on_the_globe_within_its_limits() {
        let (least, most) = (*PLOT_POINTS.start(), *PLOT_POINTS.end());
        for (points, is_border) in [(least - 1, false), (least, true), (most, true), (most + 1, false)] {
            assert_eq!(comb(points).check().is_ok(), is_border, "{points} points");
        }
        let widest = i32::try_from(MAX_PLOT_EXTENT_E7).expect("small");
        for (shape, is_place) in [
            (ring(&[(0, 0), (0, widest), (10, 0)]), true),
            (ring(&[(0, 0), (0, widest + 1), (10, 0)]), false),
            (ring(&[(0, 0), (widest + 1, 0), (0, 10)]), false),
            (ring(&[(0, 1_800_000_000), (0, -1_799_990_000), (10_000, 1_800_000_000)]), true),
            (PlotShape::Point { point: at(900_000_000, -1_800_000_000) }, true),
            (PlotShape::Point { point: at(900_000_001, 0) }, false),
            (PlotShape::Point { point: at(-900_000_001, 0) }, false),
            (PlotShape::Point { point: at(0, 1_800_000_001) }, false),
            (PlotShape::Point { point: at(i32::MIN, i32::MIN) }, false),
        ] {
            assert_eq!(shape.check().is_ok(), is_place, "{shape}");
        }
    }

    #[test]
    fn a_border_neither_repeats_a_point_nor_touches_or_crosses_itself() {
        let square = [(0, 0), (0, 10), (10, 10), (10, 0)];
        assert_eq!(ring(&square).check(), Ok(()));
        for wrong in [
            vec![(0, 0), (0, 10), (0, 10), (10, 0)],
            vec![(0, 0), (0, 10), (10, 10), (10, 0), (0, 0)],
            vec![(0, 0), (10, 10), (0, 10), (10, 0)],
            // It goes out and back on one line, touches a point again, and touches a side.
            vec![(0, 0), (0, 10), (0, 5), (10, 0)],
            vec![(0, 0), (0, 10), (5, 5), (10, 10), (10, 0), (5, 5)],
            vec![(0, 0), (0, 10), (10, 10), (10, 0), (5, 10)],
            vec![(0, 0), (0, 5), (0, 10)],
        ] {
            assert!(ring(&wrong).check().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_shape_prints_in_degrees() {
        assert_eq!(PlotShape::Point { point: at(-5, 781_289_000) }.to_string(), "-0.0000005 78.1289000");
    }
}
