//! A signature under a record: strokes that a person drew on the screen, or a photo of a thumb mark.
//!
//! It shows a person's hand, so the whole record is personal data, and is erased with the farmer whose record was signed. It is in the scope of
//! a centre, which phones of receivers and drivers do not get.

use minicbor::{Decode, Encode};

use super::bags::put_varint;
use super::simple::{Reference, SimpleKind, TextField, WrongField, recorded, steps};
use super::{
    Advance, CashMovement, ContainerMovement, Delivery, Error, Load, Privacy, ReceivingNote, RecordKind,
    RetainedSample, Shape, Topic, WeighbridgeTicket,
};
use crate::limits::{MAX_SIGNATURE_BYTES, SIGNATURE_SIZE};
use crate::permission::Capability;
use crate::scope::ScopeForm;
use crate::units::{DocumentId, FarmerId, PhotoHash};

/// Content of a signature.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Signature {
    /// Kind number of the record that was signed; may be a kind of a newer version.
    #[n(0)]
    pub record_kind: u8,
    /// Document of the record that was signed.
    #[n(1)]
    pub record_id: DocumentId,
    /// Farmer of that record; `None` if it has none, such as a load.
    #[n(2)]
    pub farmer_id: Option<FarmerId>,
    /// The mark.
    #[n(3)]
    pub mark: Mark,
}

impl SimpleKind for Signature {
    const NUMBER: u8 = 17;
    const NAME: &'static str = "signature";
    const HOME: ScopeForm = ScopeForm::Centre;
    const PRIVACY: Privacy = Privacy::Personal;
    const TOPICS: &'static [Topic] = &[Topic::Deliveries, Topic::Loads, Topic::Records];
    const CAPABILITY: Capability = Capability::TakeSignature;
    const SHAPE: Shape = Shape(&[recorded(Self::CAPABILITY, "what was signed, and the mark"), steps(Self::CAPABILITY)]);

    fn title(&self) -> String {
        let mark = match &self.mark {
            Mark::Drawn { strokes } => format!("drawn with {} strokes", strokes.len()),
            Mark::Thumb { photo } => photo.to_string(),
        };
        format!("{}: {mark}", self.record_id)
    }

    fn references(&self) -> Vec<Reference> {
        let kinds = &[
            Delivery::NUMBER,
            Load::NUMBER,
            WeighbridgeTicket::NUMBER,
            ReceivingNote::NUMBER,
            ContainerMovement::NUMBER,
            RetainedSample::NUMBER,
            Advance::NUMBER,
            CashMovement::NUMBER,
        ];
        vec![Reference { field: "record_id", kinds, document_id: self.record_id }]
    }

    fn about(&self) -> Option<DocumentId> {
        Some(self.record_id)
    }

    fn shown_under(&self) -> Option<u8> {
        Some(self.record_kind)
    }

    fn farmer_id(&self) -> Option<FarmerId> {
        self.farmer_id
    }

    fn texts(&mut self) -> Vec<TextField<'_>> {
        Vec::new()
    }

    fn check(&self) -> Result<(), WrongField> {
        self.mark.check().map_err(|reason| WrongField::new("mark", reason))
    }
}

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
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Mark {
    /// A signature that was drawn on the screen.
    #[n(0)]
    Drawn {
        /// Its strokes; stored as the distances of their points.
        #[cbor(n(0), with = "packed")]
        strokes: Vec<Stroke>,
    },
    /// A thumb mark on paper.
    #[n(1)]
    Thumb {
        /// Photo of it.
        #[n(0)]
        photo: PhotoHash,
    },
}

impl Mark {
    /// Checks that a drawing has a point, all of them within the field, and at most [`MAX_SIGNATURE_BYTES`].
    ///
    /// # Errors
    /// The reason, for people.
    pub(crate) fn check(&self) -> Result<(), String> {
        let Self::Drawn { strokes } = self else { return Ok(()) };
        let points = || strokes.iter().flat_map(|stroke| &stroke.points);
        if points().next().is_none() {
            return Err("a signature has at least one point".into());
        }
        if points().any(|point| point.x >= SIGNATURE_SIZE || point.y >= SIGNATURE_SIZE) {
            return Err(format!("a point lies within {SIGNATURE_SIZE} steps in width and height"));
        }
        let bytes = pack(strokes).len();
        if bytes > MAX_SIGNATURE_BYTES {
            return Err(format!("has {bytes} bytes, more than {MAX_SIGNATURE_BYTES}: draw it with less detail"));
        }
        Ok(())
    }
}

/// Strokes as bytes of CBOR.
mod packed {
    use minicbor::encode::Write;
    use minicbor::{Decoder, Encoder};

    use super::{MAX_SIGNATURE_BYTES, Stroke, pack, unpack};

    pub(super) fn encode<C, W: Write>(
        strokes: &[Stroke],
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(&pack(strokes))?.ok()
    }

    pub(super) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Vec<Stroke>, minicbor::decode::Error> {
        let bytes = d.bytes()?;
        if bytes.len() > MAX_SIGNATURE_BYTES {
            return Err(minicbor::decode::Error::message("a signature of too many bytes"));
        }
        unpack(bytes).map_err(minicbor::decode::Error::message)
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
    use crate::codec::{decode, encode};

    fn drawn(points: Vec<Vec<(u32, u32)>>) -> Mark {
        let stroke = |it: Vec<(u32, u32)>| Stroke { points: it.into_iter().map(|(x, y)| Point { x, y }).collect() };
        Mark::Drawn { strokes: points.into_iter().map(stroke).collect() }
    }

    proptest! {
        #[test]
        fn signatures_come_back(points in prop::collection::vec(prop::collection::vec((0..SIGNATURE_SIZE, 0..SIGNATURE_SIZE), 1..20), 1..10)) {
            let mark = drawn(points);
            prop_assert_eq!(decode::<Mark>(&encode(&mark)).expect("it reads"), mark);
        }

        #[test]
        fn hostile_bytes_are_read_or_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            drop(unpack(&bytes));
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
            assert_eq!(drawn(points).check().is_ok(), is_mark);
        }
        let long = encode(&drawn(vec![vec![(0, 0); MAX_SIGNATURE_BYTES / 2]]));
        assert!(decode::<Mark>(&long).is_err_and(|error| error.to_string().contains("too many bytes")));
    }
}
