//! Packed binary form of a delivery's bags: 20 bags in steps of 100 g take about 44 bytes (their entropy is 34).
//!
//! Format: `docs/records.md`, "Packed bags".

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use super::Error;
use crate::codec::decode;
use crate::limits::MAX_BAGS;
use crate::units::{BagType, BagWeight, Grams, Timestamp};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
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
}

/// Packs at most [`MAX_BAGS`] bags, sorted by label and time. [`unpack`] needs the same `recorded_at`, which no time may exceed.
pub(crate) fn pack(bags: &[Bag], recorded_at: Timestamp) -> Vec<u8> {
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
    out
}

/// Reads the bytes that [`pack`] wrote with the same `recorded_at`.
pub(crate) fn unpack(packed: &[u8], recorded_at: Timestamp) -> Result<Vec<Bag>, Error> {
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
    input.require_end()?;

    let back = gaps.iter().try_fold(since_last, |sum, gap| sum.checked_add(*gap));
    let back = back.and_then(|seconds| i64::try_from(seconds).ok()?.checked_mul(1000));
    let mut at = back.and_then(|back| recorded_at.0.checked_sub(back)).ok_or_else(|| broken("times out of range"))?;
    let mut bags = Vec::with_capacity(count);
    let gaps = std::iter::once(0).chain(gaps);
    let mut number = first;
    for (((left_out, step), gap), kind) in left_out.into_iter().zip(steps).zip(gaps).zip(kinds) {
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
        let label = u32::try_from(self.read_varint()?).ok().filter(|label| *label < 1_000_000);
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

    fn any_bag() -> impl Strategy<Value = (i64, u8, u8, i64, u32)> {
        (1_i64..=1_000_000, 0_u8..16, 0_u8..4, 0_i64..1000, prop_oneof![9 => Just(0_u32), 1 => 1..50_u32])
    }

    proptest! {
        #[test]
        fn packed_bags_come_back(first in 1_u32..2000, late in 0_i64..100_000, bags in prop::collection::vec(any_bag(), 0..60)) {
            let recorded_at = Timestamp(1_557_400_000_000);
            let spans: i64 = bags.iter().skip(1).map(|bag| bag.3).sum();
            let mut at = recorded_at.0 - (late + spans) * 1000;
            let mut number = first;
            let bags: Vec<Bag> = bags.iter().enumerate().map(|(index, (grams, kind, source, gap, left_out))| {
                if index > 0 {
                    at += gap * 1000;
                    number += 1 + left_out;
                }
                Bag {
                    number,
                    gross: BagWeight::try_from(Grams(*grams)).expect("in bounds"),
                    bag_type: BagType::try_from(*kind).expect("in bounds"),
                    source: decode(&[*source]).expect("in bounds"),
                    weighed_at: Timestamp(at),
                }
            }).collect();
            let packed = pack(&bags, recorded_at);
            prop_assert_eq!(unpack(&packed, recorded_at).expect("it unpacks"), bags);
        }

        #[test]
        fn hostile_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), at in any::<i64>()) {
            if let Ok(bags) = unpack(&bytes, Timestamp(at)) {
                prop_assert!(bags.len() <= MAX_BAGS);
            }
        }
    }

    #[test]
    fn times_do_not_drift() {
        let recorded_at = Timestamp(1_557_400_000_000);
        let bag = |number: u32| Bag {
            number,
            gross: BagWeight::try_from(Grams(20_000)).expect("in bounds"),
            bag_type: BagType::default(),
            source: BagSource::Manual,
            weighed_at: Timestamp(recorded_at.0 - i64::from(500 - number) * 1_900),
        };
        let bags: Vec<Bag> = (1..=500).map(bag).collect();
        for (kept, bag) in unpack(&pack(&bags, recorded_at), recorded_at).expect("it unpacks").iter().zip(&bags) {
            assert!((0..1_000).contains(&(kept.weighed_at.0 - bag.weighed_at.0)), "bag {}", bag.number);
        }
    }

    #[test]
    fn the_number_of_bags_is_bounded() {
        let bag = Bag {
            number: 1,
            gross: BagWeight::try_from(Grams(20_000)).expect("in bounds"),
            bag_type: BagType::default(),
            source: BagSource::Manual,
            weighed_at: Timestamp(0),
        };
        for count in [MAX_BAGS - 1, MAX_BAGS] {
            let packed = pack(&vec![bag; count], Timestamp(0));
            assert_eq!(unpack(&packed, Timestamp(0)).expect("it unpacks").len(), count);
        }
        let error = unpack(&pack(&vec![bag; MAX_BAGS + 1], Timestamp(0)), Timestamp(0)).expect_err("one too many");
        assert!(error.to_string().contains("more bags than"), "{error}");
    }
}
