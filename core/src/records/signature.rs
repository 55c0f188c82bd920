//! Signatures: strokes that a person drew on the screen, or a photo of a thumb mark.

use minicbor::{Decode, Encode};

use super::Error;
use super::bags::put_varint;
use crate::limits::{MAX_SIGNATURE_BYTES, SIGNATURE_SIZE};
use crate::units::PhotoHash;

/// A point of a stroke, in steps from the top left corner of the field of [`SIGNATURE_SIZE`] steps in width and height.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Steps to the right.
    pub x: u32,
    /// Steps down.
    pub y: u32,
}

/// A line drawn without lifting the finger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stroke {
    /// Points in the order in which they were drawn.
    pub points: Vec<Point>,
}

/// A person's mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A signature that was drawn on the screen.
    Drawn {
        /// Its strokes.
        strokes: Vec<Stroke>,
    },
    /// A thumb mark on paper.
    Thumb {
        /// Photo of it.
        photo: PhotoHash,
    },
}

/// A mark as it is stored: strokes as the distances of their points.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) enum StoredMark {
    #[n(0)]
    Drawn(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    #[n(1)]
    Thumb(#[n(0)] PhotoHash),
}

impl StoredMark {
    /// Packs a mark.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a drawing without a point, or a point outside of the field; [`Error::TooLarge`] for one of more than
    /// [`MAX_SIGNATURE_BYTES`].
    pub(crate) fn new(mark: &Mark) -> Result<Self, Error> {
        let strokes = match mark {
            Mark::Thumb { photo } => return Ok(Self::Thumb(*photo)),
            Mark::Drawn { strokes } => strokes,
        };
        let points = || strokes.iter().flat_map(|stroke| &stroke.points);
        if points().next().is_none() {
            return Err(Error::malformed("a signature has at least one point"));
        }
        if points().any(|point| point.x >= SIGNATURE_SIZE || point.y >= SIGNATURE_SIZE) {
            return Err(Error::malformed(format!("a point lies within {SIGNATURE_SIZE} steps in width and height")));
        }
        let packed = pack(strokes);
        if packed.len() > MAX_SIGNATURE_BYTES {
            return Err(Error::TooLarge { bytes: packed.len(), limit: MAX_SIGNATURE_BYTES });
        }
        Ok(Self::Drawn(packed))
    }

    /// Unpacks the mark.
    ///
    /// # Errors
    /// [`Error::Malformed`] for bytes that [`Self::new`] does not make.
    pub(crate) fn read(&self) -> Result<Mark, Error> {
        match self {
            Self::Thumb(photo) => Ok(Mark::Thumb { photo: *photo }),
            Self::Drawn(packed) if packed.len() > MAX_SIGNATURE_BYTES => {
                Err(Error::malformed(format!("a signature of {} bytes", packed.len())))
            }
            Self::Drawn(packed) => Ok(Mark::Drawn { strokes: unpack(packed)? }),
        }
    }
}

/// Packs each stroke: the number of its points, then the distance of each from the point before, first to the right, then down.
fn pack(strokes: &[Stroke]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut last = Point { x: 0, y: 0 };
    for stroke in strokes {
        put_varint(&mut out, stroke.points.len() as u64);
        for point in &stroke.points {
            put_distance(&mut out, last.x, point.x);
            put_distance(&mut out, last.y, point.y);
            last = *point;
        }
    }
    out
}

fn put_distance(out: &mut Vec<u8>, from: u32, to: u32) {
    // Writing to a Vec cannot fail.
    drop(leb128::write::signed(out, i64::from(to) - i64::from(from)));
}

fn unpack(mut packed: &[u8]) -> Result<Vec<Stroke>, Error> {
    let broken = |_| Error::malformed("a signature that cannot be read");
    let mut last = Point { x: 0, y: 0 };
    let mut strokes = Vec::new();
    while !packed.is_empty() {
        let mut points = Vec::new();
        // Each point takes at least two bytes, so a false number ends with the bytes.
        for _ in 0..leb128::read::unsigned(&mut packed).map_err(broken)? {
            let x = moved(last.x, leb128::read::signed(&mut packed).map_err(broken)?)?;
            let y = moved(last.y, leb128::read::signed(&mut packed).map_err(broken)?)?;
            last = Point { x, y };
            points.push(last);
        }
        strokes.push(Stroke { points });
    }
    Ok(strokes)
}

fn moved(from: u32, distance: i64) -> Result<u32, Error> {
    let to = i64::from(from).checked_add(distance).and_then(|to| u32::try_from(to).ok());
    to.filter(|to| *to < SIGNATURE_SIZE).ok_or_else(|| Error::malformed("a point outside of the field"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn drawn(points: Vec<Vec<(u32, u32)>>) -> Mark {
        let stroke = |it: Vec<(u32, u32)>| Stroke { points: it.into_iter().map(|(x, y)| Point { x, y }).collect() };
        Mark::Drawn { strokes: points.into_iter().map(stroke).collect() }
    }

    proptest! {
        #[test]
        fn signatures_come_back(points in prop::collection::vec(prop::collection::vec((0..SIGNATURE_SIZE, 0..SIGNATURE_SIZE), 1..20), 1..10)) {
            let mark = drawn(points);
            prop_assert_eq!(StoredMark::new(&mark).expect("a mark").read().expect("it unpacks"), mark);
        }

        #[test]
        fn hostile_bytes_are_read_or_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            drop(StoredMark::Drawn(bytes).read());
        }
    }

    #[test]
    fn a_signature_has_a_point_within_the_field_and_at_most_two_kilobytes() {
        for (points, is_mark) in [
            (vec![], false),
            (vec![vec![]], false),
            (vec![vec![(0, 0)]], true),
            (vec![vec![(SIGNATURE_SIZE - 1, SIGNATURE_SIZE - 1)]], true),
            (vec![vec![(SIGNATURE_SIZE, 0)]], false),
            (vec![vec![(0, SIGNATURE_SIZE)]], false),
            // Two bytes for the number of points, two for each.
            (vec![vec![(0, 0); (MAX_SIGNATURE_BYTES - 2) / 2]], true),
            (vec![vec![(0, 0); MAX_SIGNATURE_BYTES / 2]], false),
        ] {
            assert_eq!(StoredMark::new(&drawn(points)).is_ok(), is_mark);
        }
        let long = StoredMark::Drawn(vec![0; MAX_SIGNATURE_BYTES + 1]);
        assert!(matches!(long.read(), Err(Error::Malformed { .. })));
    }
}
