//! A pack: what a scope's documents are at one place of its log, so that a new phone need not read how they came about.
//!
//! Owns the messages of packs (format: `docs/protocol.md`). A pack is made once and never changes; it comes in parts that are known by their
//! hashes and fetched one by one, so that whatever breaks off costs one part.

use minicbor::{Decode, Encode};
use sha2::{Digest, Sha256};

use super::log::Cursor;
use super::message::WireError;
use crate::codec::{decode, encode};
use crate::limits::{MAX_BODY_BYTES, MAX_PART_BYTES};
use crate::scope::Scope;
use crate::units::DocumentId;

/// SHA-256 of a part, as it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct PartHash(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

impl PartHash {
    /// The hash of these bytes.
    pub fn of(part: &[u8]) -> Self {
        Self(Sha256::digest(part).into())
    }
}

/// What a scope can be begun with. It stands in an answer and so under the server's signature.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Pack {
    /// The place from which the log is read on.
    #[n(0)]
    pub at: Cursor,
    /// Decisions in their order, then documents, the newest first; documents about persons last, in parts of their own.
    #[n(1)]
    pub parts: Vec<PartHash>,
}

/// One item of a part.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum PackEntry {
    /// A decision of the log.
    #[n(0)]
    Decision {
        /// Its number in the log.
        #[n(0)]
        sequence: u64,
        /// Its bytes.
        #[cbor(n(1), with = "minicbor::bytes")]
        decision: Vec<u8>,
    },
    /// A document as it is at the pack's place, or later.
    #[n(1)]
    Document {
        /// Its id.
        #[n(0)]
        document: DocumentId,
        /// The number of its record kind.
        #[n(1)]
        kind: u8,
        /// Its one change in raw form, or Automerge's saved form.
        #[cbor(n(2), with = "minicbor::bytes")]
        saved: Vec<u8>,
    },
}

/// A part as it is sent: CBOR of the entries in one zstd frame.
///
/// # Errors
/// [`WireError::TooLarge`] if it cannot be sent.
pub fn pack_part(entries: &Vec<PackEntry>) -> Result<Vec<u8>, WireError> {
    let plain = encode(entries);
    if plain.len() > MAX_BODY_BYTES {
        return Err(WireError::TooLarge { limit: MAX_BODY_BYTES });
    }
    let part = zstd::bulk::compress(&plain, 3).map_err(|error| WireError::Unreadable { reason: error.to_string() })?;
    if part.len() > MAX_PART_BYTES { Err(WireError::TooLarge { limit: MAX_PART_BYTES }) } else { Ok(part) }
}

/// Reads a part; never unpacks more than the limit.
///
/// # Errors
/// [`WireError::Unreadable`].
pub fn unpack_part(part: &[u8]) -> Result<Vec<PackEntry>, WireError> {
    let unreadable = |reason: String| WireError::Unreadable { reason };
    let plain = zstd::bulk::decompress(part, MAX_BODY_BYTES).map_err(|error| unreadable(error.to_string()))?;
    decode(&plain).map_err(|error| unreadable(error.to_string()))
}

/// `POST /v1/pack`, up.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct PackRequest {
    /// The version spoken.
    #[n(0)]
    pub protocol: u16,
    /// Whose pack.
    #[n(1)]
    pub scope: Scope,
    /// The parts that are wanted, the most urgent first.
    #[n(2)]
    pub parts: Vec<PartHash>,
}

/// `POST /v1/pack`, down. Nothing signs it: each part is what its hash says.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct PackResponse {
    /// Parts in the order in which they were asked for, as many as fit; none if the first is not here any more.
    #[n(0)]
    pub parts: Vec<minicbor::bytes::ByteVec>,
}
