//! Borders on the ellipsoid of WGS 84, in integers: whether one crosses itself, and the area that it encloses.

use super::GeoPoint;

/// 360 degrees × 10⁷.
const TURN_E7: i64 = 3_600_000_000;
/// One, in the fixed point of the trigonometric functions here.
const ONE: i128 = 1_000_000_000_000_000;
/// A radian for each degree × 10⁷, times 10²⁴: π / 1,800,000,000.
const RADIAN_E24: i128 = 1_745_329_251_994_330;
/// First eccentricity of WGS 84, squared, in units of 1 / [`ONE`].
const ECCENTRICITY_SQUARED: i128 = 6_694_379_990_141;
/// Square metres of (degree × 10⁷)² at the equator, times 10¹⁸: a² (1 − e²) (π / 1,800,000,000)².
const SQUARE_METRES_E18: i128 = 123_090_720_792_949;

/// Returns the points as longitude and latitude, the longitudes near that of the first point, also across the 180th meridian.
pub(super) fn flattened(points: &[GeoPoint]) -> Vec<(i64, i64)> {
    let first = points.first().map_or(0, |it| i64::from(it.longitude_e7));
    let near = |longitude: i64| match longitude - first {
        east if east > TURN_E7 / 2 => longitude - TURN_E7,
        west if west < -TURN_E7 / 2 => longitude + TURN_E7,
        _ => longitude,
    };
    points.iter().map(|it| (near(it.longitude_e7.into()), it.latitude_e7.into())).collect()
}

/// Returns whether two sides of a ring have a point in common that is not the end of one and the beginning of the next.
pub(super) fn is_crossing(ring: &[(i64, i64)]) -> bool {
    let sides: Vec<_> = ring.iter().zip(ring.iter().cycle().skip(1)).collect();
    let last = sides.len().saturating_sub(1);
    sides.iter().enumerate().any(|(place, (a, b))| {
        sides.iter().enumerate().skip(place + 1).any(|(other, (c, d))| {
            if other == place + 1 {
                return is_back(a, b, d);
            }
            if place == 0 && other == last {
                return is_back(c, d, b);
            }
            touch(a, b, c, d)
        })
    })
}

/// Returns whether the way from `a` to `b` and on to `c` turns back on its own line.
fn is_back(a: &(i64, i64), b: &(i64, i64), c: &(i64, i64)) -> bool {
    let ahead = i128::from(b.0 - a.0) * i128::from(c.0 - b.0) + i128::from(b.1 - a.1) * i128::from(c.1 - b.1);
    turn(a, b, c) == 0 && ahead < 0
}

/// Returns 1 if the way from `a` over `b` to `c` turns left, -1 if right, 0 if it is straight or turns back.
fn turn(a: &(i64, i64), b: &(i64, i64), c: &(i64, i64)) -> i128 {
    (i128::from(b.0 - a.0) * i128::from(c.1 - a.1) - i128::from(b.1 - a.1) * i128::from(c.0 - a.0)).signum()
}

/// Returns whether the lines from `a` to `b` and from `c` to `d` have a point in common.
fn touch(a: &(i64, i64), b: &(i64, i64), c: &(i64, i64), d: &(i64, i64)) -> bool {
    let turns = [turn(a, b, c), turn(a, b, d), turn(c, d, a), turn(c, d, b)];
    let is_on = |from: &(i64, i64), to: &(i64, i64), point: &(i64, i64)| {
        (from.0.min(to.0)..=from.0.max(to.0)).contains(&point.0)
            && (from.1.min(to.1)..=from.1.max(to.1)).contains(&point.1)
    };
    let [of_c, of_d, of_a, of_b] = turns;
    (of_c != of_d && of_a != of_b)
        || (of_c == 0 && is_on(a, b, c))
        || (of_d == 0 && is_on(a, b, d))
        || (of_a == 0 && is_on(c, d, a))
        || (of_b == 0 && is_on(c, d, b))
}

/// Returns the area in square metres that a ring encloses, 0 for fewer than three points.
///
/// The area in square degrees (Gauss's formula) is multiplied by that of a square degree of the ellipsoid at the latitude of the ring's
/// centroid, M N cos φ with the radii of curvature M and N (J. P. Snyder, Map Projections, U.S. Geological Survey Professional Paper 1395,
/// formulas 4-18 and 4-20). For a ring within the limits and 70 degrees of the equator, the result differs by at most 0.02 % and 1 m² from
/// the area on the ellipsoid of WGS 84.
pub fn ring_area_m2(points: &[GeoPoint]) -> u32 {
    let ring = flattened(points);
    let Some(origin) = ring.first() else { return 0 };
    let (mut doubled, mut moment) = (0_i128, 0_i128);
    for (from, to) in ring.iter().zip(ring.iter().cycle().skip(1)) {
        let (x, y) = (i128::from(from.0 - origin.0), i128::from(from.1 - origin.1));
        let (next_x, next_y) = (i128::from(to.0 - origin.0), i128::from(to.1 - origin.1));
        let cross = x * next_y - next_x * y;
        doubled += cross;
        moment += cross * (y + next_y);
    }
    if doubled == 0 {
        return 0;
    }
    // The latitude of the centroid is beside this moment divided by three times the doubled area.
    let latitude = (i128::from(origin.1) + moment / (3 * doubled)).clamp(-900_000_000, 900_000_000);
    let (sine, cosine) = sine_and_cosine(latitude);
    let flattening = ONE - ECCENTRICITY_SQUARED * (sine * sine / ONE) / ONE;
    let scale = cosine * ONE / (flattening * flattening / ONE);
    let metres = doubled.abs() * SQUARE_METRES_E18 / 1_000_000_000 * (scale / 1_000_000) / 1_000_000_000;
    u32::try_from((metres / 2 + 500_000_000) / 1_000_000_000).unwrap_or(u32::MAX)
}

/// Returns the sine and cosine of a latitude in degrees × 10⁷, in units of 1 / [`ONE`], by their power series.
fn sine_and_cosine(latitude_e7: i128) -> (i128, i128) {
    let angle = latitude_e7 * RADIAN_E24 / 1_000_000_000;
    let (mut term, mut sums) = (ONE, [0, ONE]);
    for power in 1..=24_i128 {
        term = term * angle / ONE / power;
        let signed = if power % 4 < 2 { term } else { -term };
        let [odd, even] = &mut sums;
        if power % 2 == 1 {
            *odd += signed;
        } else {
            *even += signed;
        }
    }
    let [sine, cosine] = sums;
    (sine, cosine.max(0))
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use proptest::prelude::*;

    use super::*;

    /// Area by Green's theorem on the authalic function of Snyder's formula 3-12, integrated numerically along each side.
    fn on_the_ellipsoid(points: &[(f64, f64)]) -> f64 {
        let (a, e2) = (6_378_137.0_f64, 0.006_694_379_990_141_317_f64);
        let e = e2.sqrt();
        let q = |latitude: f64| {
            let sine = latitude.to_radians().sin();
            (1.0 - e2) * (sine / (1.0 - e2 * sine * sine) + ((1.0 + e * sine) / (1.0 - e * sine)).ln() / (2.0 * e))
        };
        let base = q(points[0].0);
        let side = |((latitude, longitude), (to, further)): (&(f64, f64), &(f64, f64))| {
            let at = |share: f64| q(latitude + (to - latitude) * share) - base;
            let steps = 64_u32;
            let weight = |step: u32| match step {
                0 | 64 => 1.0,
                odd if odd % 2 == 1 => 4.0,
                _ => 2.0,
            };
            let mean: f64 = (0..=steps).map(|it| weight(it) * at(f64::from(it) / f64::from(steps))).sum();
            mean / (3.0 * f64::from(steps)) * (further - longitude) * PI / 180.0
        };
        let sum: f64 = points.iter().zip(points.iter().cycle().skip(1)).map(side).sum();
        (a * a / 2.0 * sum).abs()
    }

    fn star(center: (i32, i32), radii: &[i32]) -> Vec<GeoPoint> {
        let count = u32::try_from(radii.len()).expect("few");
        let point = |(place, radius): (u32, &i32)| {
            let angle = f64::from(place) / f64::from(count) * 2.0 * PI;
            #[expect(clippy::cast_possible_truncation, reason = "radii are small")]
            let moved = |from: i32, by: f64| from + (f64::from(*radius) * by) as i32;
            GeoPoint { latitude_e7: moved(center.0, angle.sin()), longitude_e7: moved(center.1, angle.cos()) }
        };
        (0..).zip(radii).map(point).collect()
    }

    proptest! {
        #[test]
        fn the_area_is_that_on_the_ellipsoid(
            latitude in -697_000_000..=697_000_000,
            longitude in -1_700_000_000..=1_700_000_000,
            size in 500..2_000_000_i32,
            radii in prop::collection::vec(20..=100_i32, 3..40),
        ) {
            let radii: Vec<i32> = radii.iter().map(|it| it * (size / 100).max(1)).collect();
            let points = star((latitude, longitude), &radii);
            let degrees: Vec<_> =
                points.iter().map(|it| (f64::from(it.latitude_e7) / 1e7, f64::from(it.longitude_e7) / 1e7)).collect();
            let (found, expected) = (f64::from(ring_area_m2(&points)), on_the_ellipsoid(&degrees));
            prop_assert!(found >= 4e9 || (found - expected).abs() <= 1.0 + expected * 0.000_2, "{found} {expected}");
            let reversed: Vec<GeoPoint> = points.iter().rev().copied().collect();
            prop_assert!(ring_area_m2(&reversed).abs_diff(ring_area_m2(&points)) <= 1 + ring_area_m2(&points) / 50_000_000);
        }

        #[test]
        fn any_points_have_an_area(points in prop::collection::vec((any::<i32>(), any::<i32>()), 0..10)) {
            let points: Vec<_> =
                points.into_iter().map(|(latitude_e7, longitude_e7)| GeoPoint { latitude_e7, longitude_e7 }).collect();
            ring_area_m2(&points);
        }
    }

    #[test]
    fn sines_and_cosines_are_those_of_the_angles() {
        for degrees in -90..=90_i32 {
            let (sine, cosine) = sine_and_cosine(i128::from(degrees) * 10_000_000);
            let angle = f64::from(degrees).to_radians();
            #[expect(clippy::cast_precision_loss, reason = "only compared")]
            let near = |found: i128, expected: f64| (found as f64 / ONE as f64 - expected).abs() < 1e-12;
            assert!(near(sine, angle.sin()) && near(cosine, angle.cos()), "{degrees}");
        }
    }

    #[test]
    fn a_hectare_is_found_on_both_sides_of_the_180th_meridian() {
        let square = |longitude: i32| {
            // 100 m on the equator are 8,983 ten-millionths of a degree to the east, 9,044 to the north.
            [(0, 0), (0, 8_983), (9_044, 8_983), (9_044, 0)].map(|(north, east)| {
                let sum = i64::from(longitude) + east;
                let wrapped = if sum > 1_800_000_000 { sum - 3_600_000_000 } else { sum };
                GeoPoint { latitude_e7: north, longitude_e7: i32::try_from(wrapped).expect("on the globe") }
            })
        };
        for longitude in [0, 1_799_995_000, -1_800_000_000] {
            assert_eq!(ring_area_m2(&square(longitude)), 10_000, "{longitude}");
        }
    }
}
