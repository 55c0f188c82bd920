//! Arithmetic of tracks: distances on the globe, thinning, gaps, and how far a track is off its route. All in integers.
//!
//! A distance is that on a plane through both points, with the scale of longitudes at the latitude between them: over a few hundred
//! kilometres less than a percent from that on the globe.

use std::collections::{BTreeMap, BTreeSet};

use crate::records::load::{TrackPiece, TrackPoint};
use crate::units::{DeviceCode, Location, Timestamp, UnitError};

/// Largest distance of a point that thinning leaves out from the track that is left, in centimetres.
pub const MAX_TRACK_ERROR_CM: i64 = 5_000;
/// Time after which the next point of a track that has points is kept, in milliseconds: so a lorry that stands still is seen to.
const KEPT_AFTER_MS: i64 = 5 * 60_000;
/// Time between two points above which the track has a gap, in milliseconds.
pub const TRACK_GAP_MS: i64 = 10 * 60_000;
/// Speed above which a lorry did not drive from one point to the next, in centimetres per second: 180 km/h.
pub const MAX_TRACK_SPEED_CM_S: i64 = 5_000;
/// Centimetres of 10⁷ units of 10⁻⁷ degrees on a meridian.
const CM_A_DEGREE: i128 = 11_131_949;
/// Distance beyond which positions are not compared with each other exactly, in centimetres.
const FAR_CM: i128 = 500_000_000;

/// A place on a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoutePoint {
    /// Latitude in degrees × 10⁷.
    pub latitude_e7: i32,
    /// Longitude in degrees × 10⁷.
    pub longitude_e7: i32,
}

impl RoutePoint {
    /// Checks that the position is on the globe.
    ///
    /// # Errors
    /// A latitude beyond ±90° or a longitude beyond ±180°.
    pub fn check(&self) -> Result<(), UnitError> {
        let Self { latitude_e7, longitude_e7 } = *self;
        let location =
            Location { latitude_e7, longitude_e7, accuracy_cm: 0, age_ms: 0, provider: None, is_mock: false };
        location.check()
    }
}

impl From<&TrackPoint> for RoutePoint {
    fn from(point: &TrackPoint) -> Self {
        Self { latitude_e7: point.latitude_e7, longitude_e7: point.longitude_e7 }
    }
}

/// Returns the cosine of an angle in degrees × 10⁷, times 10⁹.
fn cosine(degrees_e7: i32) -> i128 {
    const ONE: i128 = 1_000_000_000;
    // Radians × 10⁹.
    let x = i128::from(degrees_e7) * 1_745_329_252 / ONE;
    let square = x * x / ONE;
    let (mut term, mut sum) = (ONE, ONE);
    for n in 1..=6_i128 {
        term = -term * square / ONE / ((2 * n - 1) * (2 * n));
        sum += term;
    }
    sum.max(0)
}

/// Returns how far `to` is to the east and to the north of `from`, in centimetres.
fn offset(from: RoutePoint, to: RoutePoint) -> (i128, i128) {
    const TURN: i64 = 3_600_000_000;
    let north = i128::from(to.latitude_e7) - i128::from(from.latitude_e7);
    // The shorter way around the globe.
    let east = (i64::from(to.longitude_e7) - i64::from(from.longitude_e7) + TURN / 2).rem_euclid(TURN) - TURN / 2;
    let middle = i32::midpoint(from.latitude_e7, to.latitude_e7);
    let cm = |e7: i128| e7 * CM_A_DEGREE / 10_000_000;
    (cm(i128::from(east)) * cosine(middle) / 1_000_000_000, cm(north))
}

/// Returns the distance of two positions in centimetres.
pub fn distance_cm(from: RoutePoint, to: RoutePoint) -> i64 {
    let (east, north) = offset(from, to);
    i64::try_from((east * east + north * north).isqrt()).unwrap_or(i64::MAX)
}

/// Returns the distance of a position from the straight line between two others, in centimetres.
pub fn distance_from_leg_cm(position: RoutePoint, from: RoutePoint, to: RoutePoint) -> i64 {
    let near = |(east, north): (i128, i128)| (east.clamp(-FAR_CM, FAR_CM), north.clamp(-FAR_CM, FAR_CM));
    let ((x, y), (u, v)) = (near(offset(from, position)), near(offset(from, to)));
    let (along, length) = (x * u + y * v, u * u + v * v);
    if along <= 0 || length == 0 {
        return distance_cm(from, position);
    }
    if along >= length {
        return distance_cm(to, position);
    }
    let area = (x * v - y * u).abs();
    i64::try_from(area / length.isqrt().max(1)).unwrap_or(i64::MAX)
}

/// What is strange about a leg of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapKind {
    /// There is no point for more than [`TRACK_GAP_MS`].
    Silent,
    /// No lorry drives that fast: one of the two positions is wrong, or the phone's clock was changed.
    TooFast,
}

/// Leg of a track between two points that follow each other, of which it is not known how the lorry went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrackGap {
    /// Time of the point before.
    pub from: Timestamp,
    /// Time of the point after.
    pub to: Timestamp,
    /// Straight distance in metres.
    pub distance_m: u64,
    /// What is strange about it.
    pub kind: GapKind,
}

fn gap(from: &TrackPoint, to: &TrackPoint) -> Option<GapKind> {
    let (ms, cm) = (to.at.0.saturating_sub(from.at.0), distance_cm(from.into(), to.into()));
    if i128::from(cm) * 1_000 > i128::from(MAX_TRACK_SPEED_CM_S) * i128::from(ms.max(1_000)) {
        Some(GapKind::TooFast)
    } else if ms > TRACK_GAP_MS {
        Some(GapKind::Silent)
    } else {
        None
    }
}

/// Returns the points of which the others are no further than [`MAX_TRACK_ERROR_CM`] from the track (Douglas and Peucker). The points must be
/// in the order of their times. Both ends are kept, both points of each gap and of each change between a receiver and an app that makes
/// positions up, and one point in five minutes.
pub fn thin(points: &[TrackPoint]) -> Vec<TrackPoint> {
    let fixed = fixed(points);
    let mut open: Vec<(usize, usize)> = fixed.iter().copied().zip(fixed.iter().copied().skip(1)).collect();
    let mut kept: BTreeSet<usize> = fixed.into_iter().collect();
    while let Some((from, to)) = open.pop() {
        let (Some(a), Some(b)) = (points.get(from), points.get(to)) else { continue };
        let inner = points.iter().enumerate().take(to).skip(from + 1);
        let far = inner.map(|(i, it)| (distance_from_leg_cm(it.into(), a.into(), b.into()), i)).max();
        if let Some((distance, farthest)) = far
            && distance > MAX_TRACK_ERROR_CM
        {
            kept.insert(farthest);
            open.extend([(from, farthest), (farthest, to)]);
        }
    }
    kept.into_iter().filter_map(|index| points.get(index).copied()).collect()
}

/// Returns the indexes of the points that are kept wherever they are, in order.
fn fixed(points: &[TrackPoint]) -> Vec<usize> {
    let mut fixed = Vec::new();
    let mut since: Option<Timestamp> = None;
    for (index, point) in points.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|it| points.get(it));
        let next = points.get(index + 1);
        let is_break = |a: &TrackPoint, b: &TrackPoint| gap(a, b).is_some() || a.is_mock != b.is_mock;
        let is_end = before.is_none_or(|it| is_break(it, point)) || next.is_none_or(|it| is_break(point, it));
        let is_due = next.zip(since).is_some_and(|(next, since)| next.at.0.saturating_sub(since.0) > KEPT_AFTER_MS);
        if is_end || is_due {
            fixed.push(index);
            since = Some(point.at);
        }
    }
    fixed
}

/// Points of one device, oldest first, each time once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceTrack {
    /// The device.
    pub device_code: DeviceCode,
    /// Its points.
    pub points: Vec<TrackPoint>,
}

/// Returns the points of pieces for each device, by device code.
pub fn by_device(pieces: &[TrackPiece]) -> Vec<DeviceTrack> {
    let mut devices = BTreeMap::<DeviceCode, Vec<TrackPoint>>::new();
    for piece in pieces {
        devices.entry(piece.stamp.device_code).or_default().extend(&piece.points);
    }
    let track = |(device_code, mut points): (DeviceCode, Vec<TrackPoint>)| {
        points.sort_by_key(|it| (it.at, it.latitude_e7, it.longitude_e7));
        points.dedup_by_key(|it| it.at);
        DeviceTrack { device_code, points }
    };
    devices.into_iter().map(track).collect()
}

/// What a track says as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrackSummary {
    /// Number of points of all devices.
    pub points: u32,
    /// Length of the way in metres, without legs that are too fast; of several devices, that of the one with the longest.
    pub distance_m: u64,
    /// Latest point.
    pub last: Option<TrackPoint>,
    /// Gaps of that device, oldest first.
    pub gaps: Vec<TrackGap>,
    /// Greatest distance from the route in metres; `None` if fewer than two positions of the route are known, or there is no point. A point
    /// that is only reached and left too fast does not count.
    pub off_route_m: Option<u64>,
}

fn metres(cm: i64) -> u64 {
    u64::try_from(cm / 100).unwrap_or_default()
}

/// Summarises the points of devices; `route` has positions in the order in which the lorry should pass them.
pub fn summarise(devices: &[DeviceTrack], route: &[RoutePoint]) -> TrackSummary {
    let mut summary = TrackSummary::default();
    let mut off_route = None;
    for DeviceTrack { points, .. } in devices {
        let count = u32::try_from(points.len()).unwrap_or(u32::MAX);
        summary.points = summary.points.saturating_add(count);
        summary.last = summary.last.into_iter().chain(points.last().copied()).max_by_key(|it| it.at);
        let (mut way, mut gaps) = (0_i64, Vec::new());
        let legs: Vec<Option<GapKind>> = points.windows(2).map(|it| leg_of(it, &mut way, &mut gaps)).collect();
        if metres(way) > summary.distance_m || (summary.distance_m == 0 && summary.gaps.is_empty()) {
            (summary.distance_m, summary.gaps) = (metres(way), gaps);
        }
        let is_too_fast = |leg: Option<&Option<GapKind>>| leg.is_none_or(|it| *it == Some(GapKind::TooFast));
        for (index, point) in points.iter().enumerate() {
            let before = index.checked_sub(1).and_then(|it| legs.get(it));
            if !legs.is_empty() && is_too_fast(before) && is_too_fast(legs.get(index)) {
                continue;
            }
            let distances = route.windows(2).filter_map(|leg| match leg {
                [from, to] => Some(distance_from_leg_cm(point.into(), *from, *to)),
                _ => None,
            });
            off_route = off_route.max(distances.min());
        }
    }
    summary.off_route_m = off_route.map(metres);
    summary
}

fn leg_of(leg: &[TrackPoint], way: &mut i64, gaps: &mut Vec<TrackGap>) -> Option<GapKind> {
    let [from, to] = leg else { return None };
    let (kind, cm) = (gap(from, to), distance_cm(from.into(), to.into()));
    if kind != Some(GapKind::TooFast) {
        *way = way.saturating_add(cm);
    }
    gaps.extend(kind.map(|kind| TrackGap { from: from.at, to: to.at, distance_m: metres(cm), kind }));
    kind
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(latitude_e7: i32, longitude_e7: i32) -> RoutePoint {
        RoutePoint { latitude_e7, longitude_e7 }
    }

    fn point(second: i64, latitude_e7: i32, longitude_e7: i32) -> TrackPoint {
        let at = Timestamp(second * 1_000);
        TrackPoint { at, latitude_e7, longitude_e7, accuracy_cm: 0, provider: None, is_mock: false }
    }

    #[test]
    fn distances_are_those_on_the_globe() {
        const DEGREE: i32 = 10_000_000;
        for (from, to, metres) in [
            (place(0, 0), place(DEGREE, 0), 111_319),
            (place(0, 0), place(0, DEGREE), 111_319),
            // The cosines of 60, 45 and 13 degrees are 0.5, 0.70711 and 0.97437.
            (place(60 * DEGREE, 0), place(60 * DEGREE, DEGREE), 55_660),
            (place(-45 * DEGREE, 0), place(-45 * DEGREE, -DEGREE), 78_715),
            (place(13 * DEGREE, 78 * DEGREE), place(13 * DEGREE, 79 * DEGREE), 108_466),
            (place(0, 1_795_000_000), place(0, -1_795_000_000), 111_319),
            (place(90 * DEGREE, 0), place(90 * DEGREE, 90 * DEGREE), 0),
        ] {
            let found = distance_cm(from, to) / 100;
            assert!((found - metres).abs() <= 2, "{from:?} {to:?}: {found} m, not {metres}");
        }
    }

    #[test]
    fn a_distance_from_a_leg_is_that_from_its_line_or_from_its_nearer_end() {
        let (from, to) = (place(0, 0), place(0, 100_000));
        for (at, cm) in [
            (place(0, 50_000), 0),
            (place(1_000, 50_000), 1_113),
            (place(-1_000, 0), 1_113),
            (place(0, 101_000), 1_113),
            (place(0, -1_000), 1_113),
        ] {
            assert!((distance_from_leg_cm(at, from, to) - cm).abs() <= 1, "{at:?}");
        }
        assert_eq!(distance_from_leg_cm(place(0, 1_000), from, from), distance_cm(place(0, 1_000), from));
        // As far apart as two places are: nothing overflows.
        let far = distance_from_leg_cm(place(900_000_000, 0), place(-900_000_000, 0), place(0, 1_799_999_999));
        assert!(far > 0);
    }

    #[test]
    fn a_point_is_kept_in_five_minutes_and_at_both_ends_of_a_gap() {
        let standing: Vec<TrackPoint> = (0..=20).map(|minute| point(minute * 60, 0, 0)).collect();
        let minutes = |points: &[TrackPoint]| points.iter().map(|it| it.at.0 / 60_000).collect::<Vec<_>>();
        assert_eq!(minutes(&thin(&standing)), [0, 5, 10, 15, 20]);
        let silent = [point(0, 0, 0), point(60, 0, 0), point(660, 0, 0), point(720, 0, 0), point(1_321, 0, 0)];
        assert_eq!(minutes(&thin(&silent)), [0, 1, 11, 12, 22], "600 s are no gap, but more than five minutes");
        assert_eq!(gap(&silent[1], &silent[2]), None);
        assert_eq!(gap(&silent[3], &silent[4]), Some(GapKind::Silent));
        assert_eq!(thin(&[]), []);
        assert_eq!(thin(&silent[..1]), silent[..1]);
    }

    #[test]
    fn a_leg_is_too_fast_above_its_speed() {
        // 50 m are 4,492 units of 10⁻⁷ degrees.
        for (second, units, expected) in [
            (1, 4_491, None),
            (1, 4_500, Some(GapKind::TooFast)),
            (10, 44_910, None),
            (10, 45_000, Some(GapKind::TooFast)),
        ] {
            assert_eq!(gap(&point(0, 0, 0), &point(second, units, 0)), expected, "{second} s {units}");
        }
    }

    proptest! {
        #[test]
        fn what_thinning_leaves_out_is_near_to_what_it_keeps(
            steps in prop::collection::vec((1..90_i64, -30_000..30_000_i32, -30_000..30_000_i32), 1..120),
        ) {
            let mut at = (0, 130_000_000, 780_000_000);
            let points: Vec<TrackPoint> = steps.into_iter().map(|(second, north, east)| {
                at = (at.0 + second, at.1 + north, at.2 + east);
                point(at.0, at.1, at.2)
            }).collect();
            let kept = thin(&points);
            prop_assert!(kept.iter().all(|it| points.contains(it)));
            prop_assert_eq!((kept.first(), kept.last()), (points.first(), points.last()));
            for it in &points {
                let legs = kept.windows(2).map(|leg| distance_from_leg_cm(it.into(), (&leg[0]).into(), (&leg[1]).into()));
                let nearest = legs.min().unwrap_or(0);
                prop_assert!(nearest <= MAX_TRACK_ERROR_CM, "{} cm off", nearest);
            }
        }
    }
}
