//! One Automerge change: the unit that is recorded, sent, logged and merged.
//!
//! Owns the border to Automerge's change format. Invariant: a [`Change`] has parsed, its hash is that of its bytes,
//! and its operations can be read without a panic.

use std::panic::{AssertUnwindSafe, catch_unwind};

use minicbor::{Decode, Encode};
use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use sha2::{Digest, Sha256};

use super::Error;
use super::bags::put_varint;
use crate::limits::MAX_CHANGE_BYTES;

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const CHANGE_CHUNK: u8 = 1;

/// The SHA-256 by which a change is known; it covers the change's content and all it depends on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeHash(pub [u8; 32]);

impl std::fmt::Debug for ChangeHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl<C> Encode<C> for ChangeHash {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(&self.0)?;
        Ok(())
    }
}

impl<'b, C> Decode<'b, C> for ChangeHash {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        d.bytes()?
            .try_into()
            .map(Self)
            .map_err(|_length| minicbor::decode::Error::message("a hash has thirty-two bytes"))
    }
}

impl ToSql for ChangeHash {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.as_slice().into())
    }
}

impl FromSql for ChangeHash {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_blob()?.try_into().map(Self).map_err(|_length| FromSqlError::InvalidType)
    }
}

/// A change that has parsed.
#[derive(Clone, Debug)]
pub struct Change {
    pub(super) inner: automerge::Change,
    pub(super) expanded: automerge::ExpandedChange,
}

impl Change {
    /// Reads the raw form of a change.
    ///
    /// # Errors
    /// [`Error::TooLarge`] above [`MAX_CHANGE_BYTES`], [`Error::Malformed`] for anything else that is no change.
    pub fn parse(raw: &[u8]) -> Result<Self, Error> {
        if raw.len() > MAX_CHANGE_BYTES {
            return Err(Error::TooLarge { bytes: raw.len(), limit: MAX_CHANGE_BYTES });
        }
        let inner = guarded(|| automerge::Change::try_from(raw))?.map_err(Error::malformed)?;
        Self::from_inner(inner)
    }

    pub(super) fn from_inner(inner: automerge::Change) -> Result<Self, Error> {
        let expanded = guarded(|| inner.decode())?;
        Ok(Self { inner, expanded })
    }

    /// The change's name.
    pub fn hash(&self) -> ChangeHash {
        ChangeHash(self.inner.hash().0)
    }

    /// The raw form; Automerge's own compression is never used, the wire compresses better.
    pub fn raw(&self) -> &[u8] {
        self.inner.raw_bytes()
    }

    /// The raw form without what the receiver can work out: magic, checksum, chunk type and length.
    ///
    /// Format: Automerge binary format, "Chunk container".
    pub fn stripped(&self) -> &[u8] {
        let raw = self.raw();
        let length = raw.iter().skip(9).take_while(|byte| **byte >= 0x80).count() + 1;
        raw.get(9 + length..).unwrap_or_default()
    }

    /// Reads what [`Change::stripped`] left.
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

    /// The hash of the change that [`Change::stripped`] left these bytes of.
    pub fn hash_of_stripped(body: &[u8]) -> ChangeHash {
        ChangeHash(Sha256::digest(chunk(body)).into())
    }

    /// The hashes of the changes this one was made on top of.
    pub fn dependencies(&self) -> Vec<ChangeHash> {
        self.inner.deps().iter().map(|hash| ChangeHash(hash.0)).collect()
    }

    /// The first four bytes of the actor in hex, with which every added key ends.
    pub(super) fn actor_prefix(&self) -> String {
        actor_prefix(self.inner.actor_id())
    }

    /// Whether this is the first change of its actor in the document, made without having seen any other.
    pub(super) fn is_first(&self) -> bool {
        self.inner.deps().is_empty() && self.inner.seq() == 1 && self.inner.start_op().get() == 1
    }
}

/// What a change's hash covers: the chunk's type, its length and its bytes.
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

/// Runs Automerge on bytes from outside: its decoder is thorough, but panics on some hostile operations (0.12.0, `legacy::OpType::from_parts`).
pub(super) fn guarded<T>(f: impl FnOnce() -> T) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|_panic| Error::Malformed { reason: "the change cannot be read".into() })
}
