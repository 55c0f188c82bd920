//! QR frames: parcels shown as a loop of QR codes, which a camera reads in any order.
//!
//! Format: `docs/protocol.md`, "Hand-over". Does not draw or scan codes. Invariants: a series is complete only if the hash of the whole is
//! the name in each frame; no more is kept than the limits allow, whatever frames claim.

use super::parcel::{HandoverError, short_hash};
use crate::limits::{MAX_QR_FRAMES, QR_FRAME_BYTES};

/// Version of the QR frame form that this build writes and reads.
pub const QR_FRAME_VERSION: u8 = 1;

const MAGIC: &[u8; 3] = b"FTQ";
/// Magic, version, name of the series, number, count.
const HEADER_BYTES: usize = 3 + 1 + 8 + 2 + 2;
const CHECK_BYTES: usize = 4;
/// Payload of a frame; the last one of a series may have less.
const SLICE_BYTES: usize = QR_FRAME_BYTES - HEADER_BYTES - CHECK_BYTES;

/// Cuts one or more concatenated parcels into the QR frames of a series, to be shown in a loop.
///
/// # Errors
/// [`HandoverError::TooLarge`] beyond [`MAX_QR_FRAMES`]: hand over a file instead; [`HandoverError::Unreadable`] if there are no bytes.
pub fn frames(bytes: &[u8]) -> Result<Vec<Vec<u8>>, HandoverError> {
    if bytes.is_empty() {
        return Err(HandoverError::Unreadable);
    }
    let slices = bytes.chunks(SLICE_BYTES);
    if slices.len() > MAX_QR_FRAMES {
        return Err(HandoverError::TooLarge);
    }
    let count = u16::try_from(slices.len()).map_err(|_over| HandoverError::TooLarge)?;
    let name: [u8; 8] = short_hash(bytes);
    let frame = |(index, slice): (u16, &[u8])| {
        let mut frame = MAGIC.to_vec();
        frame.push(QR_FRAME_VERSION);
        frame.extend(name);
        frame.extend(index.to_be_bytes());
        frame.extend(count.to_be_bytes());
        frame.extend(slice);
        frame.extend(check(&frame));
        frame
    };
    Ok((0..count).zip(slices).map(frame).collect())
}

/// Progress of reading a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QrProgress {
    /// Number of different frames read.
    pub received: u32,
    /// Number of frames in the series.
    pub total: u32,
    /// Numbers of the missing frames, from 0, in order.
    pub missing: Vec<u32>,
}

/// Collector of the frames of one series, in any order and with repeats. A frame of another series starts a new collection.
#[derive(Debug, Default)]
pub struct QrCollector {
    name: [u8; 8],
    slices: Vec<Option<Vec<u8>>>,
    is_handed_out: bool,
}

impl QrCollector {
    /// Adds the bytes of one code.
    ///
    /// # Errors
    /// [`HandoverError::Unreadable`] if it is not a QR frame or was misread, [`HandoverError::UnknownVersion`],
    /// [`HandoverError::TooLarge`], [`HandoverError::Damaged`] if the frame contradicts the others. The collection is kept.
    pub fn add_frame(&mut self, frame: &[u8]) -> Result<QrProgress, HandoverError> {
        let frame = QrFrame::parse(frame)?;
        if frame.name != self.name || self.slices.is_empty() {
            *self = Self { name: frame.name, slices: vec![None; usize::from(frame.count)], ..Self::default() };
        }
        if self.slices.len() != usize::from(frame.count) {
            return Err(HandoverError::Damaged);
        }
        if let Some(slot @ None) = self.slices.get_mut(usize::from(frame.index)) {
            *slot = Some(frame.slice.to_vec());
        }
        Ok(self.progress())
    }

    fn progress(&self) -> QrProgress {
        let missing: Vec<u32> =
            (0..).zip(&self.slices).filter(|(_, it)| it.is_none()).map(|(index, _)| index).collect();
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        QrProgress { received: count(self.slices.len() - missing.len()), total: count(self.slices.len()), missing }
    }

    /// Returns the concatenated parcels of the series once every frame was read; `None` before, and after they were returned.
    ///
    /// # Errors
    /// [`HandoverError::Damaged`] if their hash is not the name in the frames; the collection starts again.
    pub fn parcels(&mut self) -> Result<Option<Vec<u8>>, HandoverError> {
        let slices: Option<Vec<&[u8]>> = self.slices.iter().map(Option::as_deref).collect();
        let Some(slices) = slices.filter(|slices| !slices.is_empty() && !self.is_handed_out) else { return Ok(None) };
        let bytes = slices.concat();
        if short_hash(&bytes) != self.name {
            *self = Self::default();
            return Err(HandoverError::Damaged);
        }
        self.is_handed_out = true;
        Ok(Some(bytes))
    }
}

struct QrFrame<'a> {
    name: [u8; 8],
    index: u16,
    count: u16,
    slice: &'a [u8],
}

impl<'a> QrFrame<'a> {
    fn parse(frame: &'a [u8]) -> Result<Self, HandoverError> {
        if frame.len() > QR_FRAME_BYTES {
            return Err(HandoverError::TooLarge);
        }
        let (signed, found) = frame.split_last_chunk::<CHECK_BYTES>().ok_or(HandoverError::Unreadable)?;
        let rest = signed.strip_prefix(MAGIC).ok_or(HandoverError::Unreadable)?;
        if check(signed) != *found {
            return Err(HandoverError::Unreadable);
        }
        let (&version, rest) = rest.split_first().ok_or(HandoverError::Unreadable)?;
        if version != QR_FRAME_VERSION {
            return Err(HandoverError::UnknownVersion);
        }
        let (&name, rest) = rest.split_first_chunk::<8>().ok_or(HandoverError::Unreadable)?;
        let (&index, rest) = rest.split_first_chunk::<2>().ok_or(HandoverError::Unreadable)?;
        let (&count, slice) = rest.split_first_chunk::<2>().ok_or(HandoverError::Unreadable)?;
        let (index, count) = (u16::from_be_bytes(index), u16::from_be_bytes(count));
        if usize::from(count) > MAX_QR_FRAMES {
            return Err(HandoverError::TooLarge);
        }
        let is_last = index.checked_add(1) == Some(count);
        if index >= count || slice.is_empty() || (!is_last && slice.len() != SLICE_BYTES) {
            return Err(HandoverError::Unreadable);
        }
        Ok(Self { name, index, count, slice })
    }
}

/// Returns the checksum that detects misread codes.
fn check(bytes: &[u8]) -> [u8; CHECK_BYTES] {
    short_hash(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns a changed frame with a valid checksum.
    fn forged(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut frame = frames(&[1; 10]).expect("frames").remove(0);
        frame.truncate(frame.len() - CHECK_BYTES);
        change(&mut frame);
        frame.extend(check(&frame));
        frame
    }

    proptest! {
        /// Codes are seen in any order, some often, some only in a later loop.
        #[test]
        fn a_series_is_whole_once_every_frame_was_seen(
            bytes in proptest::collection::vec(any::<u8>(), 1..20 * SLICE_BYTES),
            seen in proptest::collection::vec(any::<proptest::sample::Index>(), 0..100),
        ) {
            let frames = frames(&bytes).expect("frames");
            let mut collector = QrCollector::default();
            let mut known = std::collections::BTreeSet::new();
            let rest = (0..frames.len()).rev();
            for index in seen.iter().map(|index| index.index(frames.len())).chain(rest) {
                prop_assert!(frames[index].len() <= QR_FRAME_BYTES);
                let progress = collector.add_frame(&frames[index]).expect("a frame");
                let is_last = known.insert(index) && known.len() == frames.len();
                let missing: Vec<u32> = (0..).take(frames.len()).filter(|it| !known.contains(&(*it as usize))).collect();
                let count = |length: usize| u32::try_from(length).expect("few");
                let expected = QrProgress { received: count(known.len()), total: count(frames.len()), missing };
                prop_assert_eq!(progress, expected);
                prop_assert_eq!(collector.parcels(), Ok(is_last.then(|| bytes.clone())));
            }
            prop_assert_eq!(known.len(), frames.len());
        }

        #[test]
        fn no_bytes_disturb_a_collection(bytes in proptest::collection::vec(any::<u8>(), 0..700), cut in 0..620_usize) {
            let frames = frames(&[1; 2_000]).expect("frames");
            let mut collector = QrCollector::default();
            let progress = collector.add_frame(&frames[0]).expect("a frame");
            let is_too_large = bytes.len() > QR_FRAME_BYTES;
            let expected = if is_too_large { HandoverError::TooLarge } else { HandoverError::Unreadable };
            prop_assert_eq!(collector.add_frame(&bytes), Err(expected));
            let cut = frames[1].get(..cut.min(frames[1].len() - 1)).unwrap_or_default();
            prop_assert_eq!(collector.add_frame(cut), Err(HandoverError::Unreadable));
            prop_assert_eq!(collector.progress(), progress);
        }
    }

    #[test]
    fn a_series_has_at_most_its_limit() {
        let most = MAX_QR_FRAMES * SLICE_BYTES;
        for (bytes, count) in [
            (0, Err(HandoverError::Unreadable)),
            (1, Ok(1)),
            (SLICE_BYTES, Ok(1)),
            (SLICE_BYTES + 1, Ok(2)),
            (most - 1, Ok(MAX_QR_FRAMES)),
            (most, Ok(MAX_QR_FRAMES)),
            (most + 1, Err(HandoverError::TooLarge)),
        ] {
            assert_eq!(frames(&vec![0; bytes]).map(|frames| frames.len()), count, "{bytes} bytes");
        }
        assert!(frames(&vec![0; crate::limits::MAX_PARCEL_BYTES]).is_ok());
    }

    #[test]
    fn a_flipped_bit_or_a_forged_frame_is_refused() {
        let frame = frames(&[1; 10]).expect("frames").remove(0);
        for bit in 0..frame.len() * 8 {
            let mut bent = frame.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(QrCollector::default().add_frame(&bent), Err(HandoverError::Unreadable), "bit {bit}");
        }
        let number =
            |at: usize, number: u16| move |frame: &mut Vec<u8>| drop(frame.splice(at..at + 2, number.to_be_bytes()));
        let over = u16::try_from(MAX_QR_FRAMES + 1).expect("it fits");
        let cases = [
            (forged(|_| ()), None),
            (forged(|frame| frame[3] = 0), Some(HandoverError::UnknownVersion)),
            (forged(|frame| frame[3] = 2), Some(HandoverError::UnknownVersion)),
            (forged(number(12, 1)), Some(HandoverError::Unreadable)),
            (forged(number(14, 0)), Some(HandoverError::Unreadable)),
            (forged(number(14, 2)), Some(HandoverError::Unreadable)),
            (forged(number(14, over)), Some(HandoverError::TooLarge)),
            (forged(number(14, u16::MAX)), Some(HandoverError::TooLarge)),
            (forged(|frame| frame.truncate(HEADER_BYTES)), Some(HandoverError::Unreadable)),
            (forged(|frame| frame.resize(QR_FRAME_BYTES, 0)), Some(HandoverError::TooLarge)),
        ];
        for (index, (frame, expected)) in cases.into_iter().enumerate() {
            assert_eq!(QrCollector::default().add_frame(&frame).err(), expected, "case {index}");
        }
    }

    #[test]
    fn frames_that_contradict_each_other_make_no_parcel() {
        let mut collector = QrCollector::default();
        assert_eq!(collector.parcels(), Ok(None));
        let whole = frames(&[1; SLICE_BYTES + 1]).expect("frames");
        collector.add_frame(&whole[0]).expect("a frame");
        // Another content under the same name.
        let mut forged = whole[1].clone();
        forged.truncate(HEADER_BYTES);
        forged.push(2);
        forged.extend(check(&forged));
        assert!(collector.add_frame(&forged).expect("it looks right").missing.is_empty());
        assert_eq!(collector.parcels(), Err(HandoverError::Damaged));
        for frame in &whole {
            collector.add_frame(frame).expect("a frame");
        }
        assert_eq!(collector.parcels(), Ok(Some(vec![1; SLICE_BYTES + 1])), "it began anew");
        let mut third = whole[0].clone();
        third.truncate(third.len() - CHECK_BYTES);
        third.splice(12..16, [0, 2, 0, 3]);
        third.extend(check(&third));
        assert_eq!(collector.add_frame(&third), Err(HandoverError::Damaged));
        // The showing phone has another series to show.
        let other = frames(&[3; 10]).expect("frames");
        assert_eq!(collector.add_frame(&other[0]).expect("a frame").total, 1);
        assert_eq!(collector.parcels(), Ok(Some(vec![3; 10])));
    }
}
