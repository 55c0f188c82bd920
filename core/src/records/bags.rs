//! Packed binary form of a delivery's bags: 20 bags in steps of 100 g take about 45 bytes (their entropy is 34).
//!
//! Format: `docs/records.md`, "Packed bags".

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use super::{Error, Stamp};
use crate::codec::{decode, encode};
use crate::limits::MAX_BAGS;
use crate::units::{BagType, BagWeight, GradeCode, Grams, InstrumentCode, Timestamp, UserId};

/// Numbers of bags and lots are below this one.
pub(super) const NUMBERS: u32 = 1_000_000;

/// How a weight was entered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum BagSource {
    /// Typed by a person.
    #[default]
    #[n(0)]
    Manual,
    /// Read from a scale.
    #[n(1)]
    Scale,
    /// Repeated from the previous bag.
    #[n(2)]
    Repeat,
    /// Entered by voice.
    #[n(3)]
    Voice,
}

/// One weighed bag. The CBOR form is that of drafts; a recorded delivery has its bags packed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Bag {
    /// Label on the bag; never changes. Not unique: two phones may concurrently add bags with one number.
    #[n(0)]
    pub number: u32,
    /// Weight including the bag itself.
    #[n(1)]
    pub gross: BagWeight,
    /// Type of the bag, which decides its tare.
    #[n(2)]
    pub bag_type: BagType,
    /// How the weight was entered.
    #[n(3)]
    pub source: BagSource,
    /// Time of weighing; packing keeps only the whole seconds before recording.
    #[n(4)]
    pub weighed_at: Timestamp,
    /// User who weighed it.
    #[n(5)]
    pub user_id: UserId,
    /// Grade of the produce in it, if any.
    #[n(6)]
    pub grade: Option<GradeCode>,
    /// Scale, if known.
    #[n(7)]
    pub scale: Option<InstrumentCode>,
}

/// What consecutive bags usually have in common, and most bags do not have at all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Marks {
    #[n(0)]
    grade: Option<GradeCode>,
    #[n(1)]
    scale: Option<InstrumentCode>,
    /// User who weighed them; `None` for the author of the value in which they are.
    #[n(2)]
    user_id: Option<UserId>,
}

impl Marks {
    fn of(bag: &Bag, author: UserId) -> Self {
        let user_id = (bag.user_id != author).then_some(bag.user_id);
        Self { grade: bag.grade.clone(), scale: bag.scale.clone(), user_id }
    }
}

/// Packs at most [`MAX_BAGS`] bags, sorted by label and time. [`unpack`] needs the same stamp, whose time no bag's may exceed.
pub(crate) fn pack(bags: &[Bag], stamp: &Stamp) -> Vec<u8> {
    let recorded_at = stamp.written_at();
    let mut out = Vec::with_capacity(8 + bags.len() * 3);
    put_varint(&mut out, bags.len() as u64);
    let (Some(first), Some(last)) = (bags.first(), bags.last()) else {
        return out;
    };
    // Each time is cut to whole seconds by itself: cutting each gap would let the times of a long delivery drift.
    let seconds_before: Vec<u64> = bags.iter().map(|bag| seconds_between(bag.weighed_at, recorded_at)).collect();
    put_varint(&mut out, u64::from(first.number));
    put_varint(&mut out, seconds_between(last.weighed_at, recorded_at));

    let weights: Vec<u64> = bags.iter().map(|bag| bag.gross.grams().0.unsigned_abs()).collect();
    let unit = weights.iter().copied().fold(0, gcd).max(1);
    let lightest = weights.iter().copied().min().unwrap_or(0);
    put_varint(&mut out, unit);
    put_varint(&mut out, lightest / unit);
    put_bits(&mut out, weights.iter().map(|weight| (weight - lightest) / unit));
    let times = seconds_before.iter().zip(seconds_before.iter().skip(1));
    put_bits(&mut out, times.map(|(before, at)| before.saturating_sub(*at)));

    let kind = |bag: &Bag| bag.bag_type.number() * 16 + bag.source as u8;
    let kinds: Vec<u8> = bags.iter().map(kind).collect();
    let common = most_frequent(&kinds);
    out.push(common);
    let others: Vec<(u64, u8)> = (0..).zip(kinds).filter(|(_, kind)| *kind != common).collect();
    put_varint(&mut out, others.len() as u64);
    for (index, kind) in others {
        put_varint(&mut out, index);
        out.push(kind);
    }
    let left_out = bags.iter().zip(bags.iter().skip(1)).map(|(a, b)| b.number.saturating_sub(a.number + 1));
    let gaps: Vec<(u64, u32)> = (1..).zip(left_out).filter(|(_, left_out)| *left_out > 0).collect();
    put_varint(&mut out, gaps.len() as u64);
    for (index, left_out) in gaps {
        put_varint(&mut out, index);
        put_varint(&mut out, u64::from(left_out));
    }
    put_marks(&mut out, bags, stamp.user_id);
    out
}

/// Writes the runs of consecutive bags with equal marks, up to the last bag that has any.
fn put_marks(out: &mut Vec<u8>, bags: &[Bag], author: UserId) {
    let mut runs: Vec<(u64, Marks)> = Vec::new();
    for marks in bags.iter().map(|bag| Marks::of(bag, author)) {
        match runs.last_mut() {
            Some((length, of)) if *of == marks => *length += 1,
            _ => runs.push((1, marks)),
        }
    }
    runs.pop_if(|(_, marks)| *marks == Marks::default());
    put_varint(out, runs.len() as u64);
    for (length, marks) in runs {
        put_varint(out, length);
        let marks = encode(&marks);
        put_varint(out, marks.len() as u64);
        out.extend(marks);
    }
}

/// Reads the bytes that [`pack`] wrote with the same stamp.
pub(crate) fn unpack(packed: &[u8], stamp: &Stamp) -> Result<Vec<Bag>, Error> {
    let recorded_at = stamp.written_at();
    let mut input = PackedReader(packed);
    let count = input.read_index(MAX_BAGS)?;
    if count == 0 {
        return input.require_end().map(|()| Vec::new());
    }
    let first = input.read_label()?;
    let since_last = input.read_varint()?;
    let unit = input.read_varint()?;
    let lightest = input.read_varint()?;
    let steps = input.read_bits(count)?;
    let gaps = input.read_bits(count - 1)?;
    let common = input.read_byte()?;
    let mut kinds = vec![common; count];
    input.read_exceptions(&mut kinds, PackedReader::read_byte)?;
    let mut left_out = vec![0; count];
    input.read_exceptions(&mut left_out, PackedReader::read_label)?;
    let marks = input.read_marks(count)?;
    input.require_end()?;

    let back = gaps.iter().try_fold(since_last, |sum, gap| sum.checked_add(*gap));
    let back = back.and_then(|seconds| i64::try_from(seconds).ok()?.checked_mul(1000));
    let mut at = back.and_then(|back| recorded_at.0.checked_sub(back)).ok_or_else(|| broken("times out of range"))?;
    let mut bags = Vec::with_capacity(count);
    let gaps = std::iter::once(0).chain(gaps);
    let mut number = first;
    for ((((left_out, step), gap), kind), marks) in left_out.into_iter().zip(steps).zip(gaps).zip(kinds).zip(marks) {
        number += left_out;
        at += i64::try_from(gap * 1000).map_err(|_too_large| broken("times out of range"))?;
        let grams = step
            .checked_add(lightest)
            .and_then(|steps| i64::try_from(steps.checked_mul(unit)?).ok())
            .ok_or_else(|| broken("too large a weight"))?;
        bags.push(Bag {
            number,
            gross: BagWeight::try_from(Grams(grams)).map_err(Error::malformed)?,
            bag_type: BagType::try_from(kind / 16).map_err(Error::malformed)?,
            // The CBOR form of a number below 16 is one byte, the number itself.
            source: decode(&[kind % 16]).map_err(|_unknown| broken("an unknown source of a bag's weight"))?,
            weighed_at: Timestamp(at),
            user_id: marks.user_id.unwrap_or(stamp.user_id),
            grade: marks.grade,
            scale: marks.scale,
        });
        number += 1;
    }
    Ok(bags)
}

fn seconds_between(before: Timestamp, after: Timestamp) -> u64 {
    u64::try_from(after.0.saturating_sub(before.0) / 1000).unwrap_or(0)
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn most_frequent(kinds: &[u8]) -> u8 {
    let mut counts = BTreeMap::<u8, usize>::new();
    for kind in kinds {
        *counts.entry(*kind).or_default() += 1;
    }
    kinds.iter().copied().max_by_key(|kind| counts.get(kind).copied()).unwrap_or(0)
}

pub(super) fn put_varint(out: &mut Vec<u8>, value: u64) {
    // Writing to a Vec cannot fail.
    drop(leb128::write::unsigned(out, value));
}

fn put_bits(out: &mut Vec<u8>, values: impl Iterator<Item = u64> + Clone) {
    let width = values.clone().map(|value| u64::BITS - value.leading_zeros()).max().unwrap_or(0);
    out.push(width.to_le_bytes()[0]);
    let (mut pending, mut bits) = (0_u128, 0);
    for value in values {
        pending |= u128::from(value) << bits;
        bits += width;
        while bits >= 8 {
            out.push(lowest_byte(pending));
            pending >>= 8;
            bits -= 8;
        }
    }
    if bits > 0 {
        out.push(lowest_byte(pending));
    }
}

fn lowest_byte(pending: u128) -> u8 {
    let [lowest, ..] = pending.to_le_bytes();
    lowest
}

struct PackedReader<'a>(&'a [u8]);

impl PackedReader<'_> {
    fn read_byte(&mut self) -> Result<u8, Error> {
        let (byte, rest) = self.0.split_first().ok_or_else(|| broken("the bags end early"))?;
        self.0 = rest;
        Ok(*byte)
    }

    fn read_varint(&mut self) -> Result<u64, Error> {
        leb128::read::unsigned(&mut self.0).map_err(|error| match error {
            leb128::read::Error::IoError(_) => broken("the bags end early"),
            leb128::read::Error::Overflow => broken("too large a number"),
        })
    }

    /// Reads a label below 1,000,000, so that the labels of [`MAX_BAGS`] bags with the largest gaps cannot overflow `u32`.
    fn read_label(&mut self) -> Result<u32, Error> {
        let label = u32::try_from(self.read_varint()?).ok().filter(|label| *label < NUMBERS);
        label.ok_or_else(|| broken("too large a bag number"))
    }

    fn read_index(&mut self, most: usize) -> Result<usize, Error> {
        let value = usize::try_from(self.read_varint()?).unwrap_or(usize::MAX);
        if value > most {
            return Err(broken("more bags than a delivery can have"));
        }
        Ok(value)
    }

    /// Reads the number of exceptions, then the index and the value of each, into `slots`, which must not be empty.
    fn read_exceptions<T>(&mut self, slots: &mut [T], read: fn(&mut Self) -> Result<T, Error>) -> Result<(), Error> {
        for _ in 0..self.read_index(slots.len())? {
            let index = self.read_index(slots.len() - 1)?;
            if let Some(slot) = slots.get_mut(index) {
                *slot = read(self)?;
            }
        }
        Ok(())
    }

    /// Reads the marks of `count` bags.
    fn read_marks(&mut self, count: usize) -> Result<Vec<Marks>, Error> {
        let mut all = Vec::with_capacity(count);
        for _ in 0..self.read_index(count)? {
            let length = self.read_index(count - all.len())?;
            let size = self.read_index(self.0.len())?;
            let (marks, rest) = self.0.split_at_checked(size).ok_or_else(|| broken("the bags end early"))?;
            self.0 = rest;
            let marks: Marks = decode(marks).map_err(Error::malformed)?;
            all.extend(std::iter::repeat_n(marks, length));
        }
        all.resize(count, Marks::default());
        Ok(all)
    }

    fn read_bits(&mut self, count: usize) -> Result<Vec<u64>, Error> {
        let width = u32::from(self.read_byte()?);
        if width > 40 {
            return Err(broken("too wide a number"));
        }
        let mask = (1_u128 << width) - 1;
        let (mut pending, mut bits) = (0_u128, 0);
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            while bits < width {
                pending |= u128::from(self.read_byte()?) << bits;
                bits += 8;
            }
            values.push(u64::try_from(pending & mask).unwrap_or(0));
            pending >>= width;
            bits -= width;
        }
        Ok(values)
    }

    fn require_end(&self) -> Result<(), Error> {
        if self.0.is_empty() { Ok(()) } else { Err(broken("bytes after the last bag")) }
    }
}

fn broken(reason: &str) -> Error {
    Error::Malformed { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::units::{DeviceCode, HybridTime};

    const AUTHOR: [u8; 16] = [1; 16];

    fn stamp_at(wall_ms: i64) -> Stamp {
        let at = HybridTime { wall_ms, counter: 0 };
        Stamp { user_id: UserId::from(AUTHOR), device_code: DeviceCode(32), at, clock_suspect: false }
    }

    fn bag(number: u32, grams: i64, weighed_at: i64) -> Bag {
        Bag {
            number,
            gross: BagWeight::try_from(Grams(grams)).expect("in bounds"),
            bag_type: BagType::default(),
            source: BagSource::Manual,
            weighed_at: Timestamp(weighed_at),
            user_id: UserId::from(AUTHOR),
            grade: None,
            scale: None,
        }
    }

    /// Weight, bag type, source, seconds since the bag before, labels left out, and a place among the marks.
    fn any_bag() -> impl Strategy<Value = (i64, u8, u8, i64, u32, usize)> {
        let left_out = prop_oneof![9 => Just(0_u32), 1 => 1..50_u32];
        (1_i64..=1_000_000, 0_u8..16, 0_u8..4, 0_i64..1000, left_out, 0_usize..8)
    }

    proptest! {
        #[test]
        fn packed_bags_come_back(first in 1_u32..2000, late in 0_i64..100_000, bags in prop::collection::vec(any_bag(), 0..60)) {
            let stamp = stamp_at(1_557_400_000_000);
            let spans: i64 = bags.iter().skip(1).map(|bag| bag.3).sum();
            let mut at = stamp.at.wall_ms - (late + spans) * 1000;
            let mut number = first;
            let bags: Vec<Bag> = bags.iter().enumerate().map(|(index, (grams, kind, source, gap, left_out, marks))| {
                if index > 0 {
                    at += gap * 1000;
                    number += 1 + left_out;
                }
                Bag {
                    bag_type: BagType::try_from(*kind).expect("in bounds"),
                    source: decode(&[*source]).expect("in bounds"),
                    user_id: UserId::from([if marks & 1 == 0 { 1 } else { 2 }; 16]),
                    grade: (marks & 2 != 0).then(|| "A".parse().expect("a code")),
                    scale: (marks & 4 != 0).then(|| "SCALE7".parse().expect("a code")),
                    ..bag(number, *grams, at)
                }
            }).collect();
            let packed = pack(&bags, &stamp);
            prop_assert_eq!(unpack(&packed, &stamp).expect("it unpacks"), bags);
        }

        #[test]
        fn hostile_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), at in any::<i64>()) {
            if let Ok(bags) = unpack(&bytes, &stamp_at(at)) {
                prop_assert!(bags.len() <= MAX_BAGS);
            }
        }
    }

    #[test]
    fn times_do_not_drift() {
        let stamp = stamp_at(1_557_400_000_000);
        let bags: Vec<Bag> =
            (1..=500).map(|number| bag(number, 20_000, stamp.at.wall_ms - i64::from(500 - number) * 1_900)).collect();
        for (kept, bag) in unpack(&pack(&bags, &stamp), &stamp).expect("it unpacks").iter().zip(&bags) {
            assert!((0..1_000).contains(&(kept.weighed_at.0 - bag.weighed_at.0)), "bag {}", bag.number);
        }
    }

    #[test]
    fn marks_are_written_once_for_consecutive_bags() {
        let stamp = stamp_at(0);
        let graded =
            |number: u32, grade: &str| Bag { grade: Some(grade.parse().expect("a code")), ..bag(number, 20_000, 0) };
        let size = |bags: &[Bag]| pack(bags, &stamp).len();
        let plain: Vec<Bag> = (1..=20).map(|number| bag(number, 20_000, 0)).collect();
        let all: Vec<Bag> = (1..=20).map(|number| graded(number, "A")).collect();
        let two: Vec<Bag> = (1..=20).map(|number| graded(number, if number > 9 { "B" } else { "A" })).collect();
        assert_eq!((size(&all), size(&two)), (size(&plain) + 5, size(&plain) + 10));
    }

    #[test]
    fn the_number_of_bags_is_bounded() {
        let (bag, stamp) = (bag(1, 20_000, 0), stamp_at(0));
        for count in [MAX_BAGS - 1, MAX_BAGS] {
            let packed = pack(&vec![bag.clone(); count], &stamp);
            assert_eq!(unpack(&packed, &stamp).expect("it unpacks").len(), count);
        }
        let error = unpack(&pack(&vec![bag; MAX_BAGS + 1], &stamp), &stamp).expect_err("one too many");
        assert!(error.to_string().contains("more bags than"), "{error}");
    }
}
