//! One Automerge change: the unit that is recorded, sent, logged and merged.
//!
//! Invariants: a [`Change`] has the hash of its bytes, and reading its operations cannot panic; one that came through [`Change::parse`] has
//! the bytes that Automerge itself writes for its content.

use std::panic::{AssertUnwindSafe, catch_unwind};

use sha2::{Digest, Sha256};

use super::Error;
use super::bags::put_varint;
use crate::limits::{MAX_CHANGE_BYTES, MAX_OPERATIONS};
use crate::units::ChangeHash;

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const CHANGE_CHUNK: u8 = 1;

/// A parsed change.
#[derive(Clone, Debug)]
pub struct Change {
    pub(super) inner: automerge::Change,
    pub(super) expanded: automerge::ExpandedChange,
}

impl Change {
    /// Reads a change in Automerge's raw form.
    ///
    /// # Errors
    /// [`Error::TooLarge`] above [`MAX_CHANGE_BYTES`], [`Error::Malformed`] for any other bytes that are not a change.
    pub fn parse(raw: &[u8]) -> Result<Self, Error> {
        check_size(raw)?;
        let claimed = claimed_operations(raw).ok_or_else(|| Error::malformed("not a change"))?;
        if claimed > MAX_OPERATIONS {
            return Err(Error::malformed(format!("more than {MAX_OPERATIONS} operations")));
        }
        let change = Self::load(raw)?;
        // Automerge accepts a change that is encoded differently from its own output, but then cannot load the document it saves (0.12.0).
        let rewritten = guarded(|| automerge::Change::from(change.expanded.clone()))?;
        if rewritten.hash() != change.inner.hash() {
            return Err(Error::malformed("not written as Automerge writes it"));
        }
        Ok(change)
    }

    /// Reads a raw change that this code stored, without the limits and the encoding check of [`Change::parse`].
    pub(super) fn load(raw: &[u8]) -> Result<Self, Error> {
        let inner = guarded(|| automerge::Change::try_from(raw))?.map_err(Error::malformed)?;
        if raw.get(4..8) != inner.hash().0.get(..4) {
            return Err(Error::malformed("the checksum does not fit"));
        }
        Self::from_inner(inner)
    }

    pub(super) fn from_inner(inner: automerge::Change) -> Result<Self, Error> {
        let expanded = guarded(|| inner.decode())?;
        Ok(Self { inner, expanded })
    }

    /// Returns the hash, which identifies the change.
    pub fn hash(&self) -> ChangeHash {
        ChangeHash(self.inner.hash().0)
    }

    /// Returns the raw form. Automerge's own compression is never used, because the wire compresses better.
    pub fn raw(&self) -> &[u8] {
        self.inner.raw_bytes()
    }

    /// Returns the raw form without the parts that a receiver can compute: magic, checksum, chunk type and length.
    ///
    /// Format: Automerge binary format, "Chunk container".
    pub fn stripped(&self) -> &[u8] {
        let raw = self.raw();
        let length = raw.iter().skip(9).take_while(|byte| **byte >= 0x80).count() + 1;
        raw.get(9 + length..).unwrap_or_default()
    }

    /// Reads the bytes that [`Change::stripped`] returned.
    ///
    /// # Errors
    /// As [`Change::parse`].
    pub fn parse_stripped(body: &[u8]) -> Result<Self, Error> {
        let chunk = chunk(body);
        let [a, b, c, d, ..]: [u8; 32] = Sha256::digest(&chunk).into();
        let mut raw = Vec::with_capacity(chunk.len() + 8);
        raw.extend_from_slice(&MAGIC);
        raw.extend_from_slice(&[a, b, c, d]);
        raw.extend_from_slice(&chunk);
        Self::parse(&raw)
    }

    /// Returns the hash of the change whose [`Change::stripped`] bytes these are, without checking them.
    pub fn hash_of_stripped(body: &[u8]) -> ChangeHash {
        ChangeHash(Sha256::digest(chunk(body)).into())
    }

    pub(super) fn values(&self) -> impl Iterator<Item = (&str, &[u8])> {
        use automerge::legacy::{Key, OpType};
        self.expanded.operations.iter().filter_map(|op| match (&op.key, &op.action) {
            (Key::Map(key), OpType::Put(automerge::ScalarValue::Bytes(value))) => {
                Some((key.as_str(), value.as_slice()))
            }
            _ => None,
        })
    }

    /// Returns the hashes of the changes that this change directly depends on.
    pub fn dependencies(&self) -> Vec<ChangeHash> {
        self.inner.deps().iter().map(|hash| ChangeHash(hash.0)).collect()
    }

    /// Returns the first four bytes of the actor in hex, which are part of every added key.
    pub(super) fn actor_prefix(&self) -> String {
        actor_prefix(self.inner.actor_id())
    }

    /// Returns whether this is the first change of its actor, made without having seen any other change.
    pub(super) fn is_first(&self) -> bool {
        self.inner.deps().is_empty() && self.inner.seq() == 1 && self.inner.start_op().get() == 1
    }
}

/// Checks the size of a change in its raw form, not in its stripped form.
pub(super) fn check_size(raw: &[u8]) -> Result<(), Error> {
    let (bytes, limit) = (raw.len(), MAX_CHANGE_BYTES);
    if bytes > limit { Err(Error::TooLarge { bytes, limit }) } else { Ok(()) }
}

/// Returns how many operations the action column of a raw change claims to have, 0 without that column; `None` if it cannot be read.
///
/// Automerge 0.12 iterates over as many operations as a run claims before it validates them, and ten bytes can claim 2^62. Format:
/// Automerge binary format, "Change chunks" and "Run length encoded columns".
fn claimed_operations(raw: &[u8]) -> Option<u64> {
    const ACTION_COLUMN: u64 = 0x42;
    let mut input = LebReader(raw.get(9..)?);
    input.unsigned()?; // the chunk's length
    for _ in 0..input.unsigned()? {
        input.skip(32)?; // dependencies
    }
    input.skip_text()?; // actor
    input.unsigned()?; // sequence
    input.unsigned()?; // first operation
    input.signed()?; // time
    input.skip_text()?; // message
    for _ in 0..input.unsigned()? {
        input.skip_text()?; // other actors
    }
    let (mut before, mut column) = (0_u64, None);
    for _ in 0..input.unsigned()? {
        let (name, length) = (input.unsigned()?, input.unsigned()?);
        match column {
            None if name == ACTION_COLUMN => column = Some(length),
            None => before = before.checked_add(length)?,
            Some(_) => {}
        }
    }
    let Some(length) = column else { return Some(0) };
    input.skip(before)?;
    let mut column = LebReader(input.0.get(..usize::try_from(length).ok()?)?);
    let mut operations = 0_u64;
    while !column.0.is_empty() && operations <= MAX_OPERATIONS {
        match column.signed()? {
            0 => operations = operations.saturating_add(column.unsigned()?),
            run if run > 0 => {
                operations = operations.saturating_add(run.unsigned_abs());
                column.unsigned()?;
            }
            literal => {
                operations = operations.saturating_add(literal.unsigned_abs());
                for _ in 0..literal.unsigned_abs() {
                    column.unsigned()?;
                }
            }
        }
    }
    Some(operations)
}

/// Reader of LEB128 numbers; every method returns `None` at the end of the bytes.
struct LebReader<'a>(&'a [u8]);

impl LebReader<'_> {
    fn skip(&mut self, bytes: u64) -> Option<()> {
        self.0 = self.0.get(usize::try_from(bytes).ok()?..)?;
        Some(())
    }

    fn skip_text(&mut self) -> Option<()> {
        let length = self.unsigned()?;
        self.skip(length)
    }

    fn unsigned(&mut self) -> Option<u64> {
        leb128::read::unsigned(&mut self.0).ok()
    }

    fn signed(&mut self) -> Option<i64> {
        leb128::read::signed(&mut self.0).ok()
    }
}

/// Returns the bytes that a change's hash covers: chunk type, length and body.
fn chunk(body: &[u8]) -> Vec<u8> {
    let mut chunk = Vec::with_capacity(body.len() + 6);
    chunk.push(CHANGE_CHUNK);
    put_varint(&mut chunk, body.len() as u64);
    chunk.extend_from_slice(body);
    chunk
}

pub(super) fn actor_prefix(actor: &automerge::ActorId) -> String {
    let bytes = actor.to_bytes();
    data_encoding::HEXLOWER.encode(bytes.get(..4).unwrap_or(bytes))
}

/// Runs `f`, and returns a panic of Automerge as an error: it panics on some hostile operations (0.12.0, `legacy::OpType::from_parts`).
pub(super) fn guarded<T>(f: impl FnOnce() -> T) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|_panic| Error::Malformed { reason: "the change cannot be read".into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(action_column: &[u8]) -> Vec<u8> {
        let mut body = vec![0, 16];
        body.extend([7; 16]);
        // Sequence, first operation, time, message, other actors; one column, the actions.
        body.extend([1, 1, 0, 0, 0, 1, 0x42]);
        body.push(u8::try_from(action_column.len()).expect("short"));
        body.extend(action_column);
        body
    }

    #[test]
    fn a_change_that_claims_endless_operations_is_refused_at_once() {
        let endless = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0xc0, 0x00, 1];
        let reason = Change::parse_stripped(&stripped(&endless)).expect_err("refused").to_string();
        assert!(reason.contains("operations"), "{reason}");
    }

    #[test]
    fn claims_are_counted_at_below_and_above_the_limit() {
        for (run, claimed) in
            [(&[1_u8, 1][..], 1), (&[0xcf, 0x0f, 1], 1_999), (&[0xd0, 0x0f, 1], 2_000), (&[0xd1, 0x0f, 1], 2_001)]
        {
            let body = stripped(run);
            let mut raw = vec![0; 9];
            raw.push(u8::try_from(body.len()).expect("short"));
            raw.extend(body);
            assert_eq!(claimed_operations(&raw), Some(claimed));
        }
        for literal in [&[0x7d, 1, 1, 1][..], &[0x7e, 1, 1, 0, 1]] {
            let mut raw = vec![0; 10];
            raw.extend(stripped(literal));
            assert_eq!(claimed_operations(&raw), Some(3));
        }
    }

    #[test]
    fn cut_changes_are_refused_without_a_panic() {
        let whole = crate::records::create(&crate::records::Actor::new([1; 16]), vec![9; 300]).expect("a change");
        for length in 0..whole.stripped().len() {
            let error = Change::parse_stripped(&whole.stripped()[..length]).expect_err("a part is missing");
            assert!(matches!(error, Error::Malformed { .. }), "{length} bytes: {error}");
        }
        assert_eq!(claimed_operations(whole.raw()), Some(1));
    }
}
