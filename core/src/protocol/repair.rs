//! What phone and server say to each other when their logs differ: where they still agreed, and what the server has lost.
//!
//! Owns the messages of repair (format: `docs/protocol.md`). A server that was set back to an older copy is given back what it had signed;
//! a phone whose log went another way reads it again from the last place that both know.

use ed25519_dalek::{Signature, Verifier, VerifyingKey};
use minicbor::{Decode, Encode};

use super::log::Cursor;
use super::message::{FrameEntry, Statement, SyncResponse};
use crate::codec::decode;
use crate::records::Change;
use crate::scope::Scope;
use crate::units::{ChainHash, EntryHash};

/// A statement that the server signed, with what its signature covers besides. A server that cannot reproduce it has lost data.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Evidence {
    /// SHA-256 of the request that was answered.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub request: [u8; 32],
    /// SHA-256 of the news beside the statement.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub news: [u8; 32],
    /// CBOR of the [`Statement`].
    #[n(2)]
    pub statement: minicbor::bytes::ByteVec,
    /// The server's signature.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub signature: [u8; 64],
}

impl Evidence {
    /// The statement, if this server signed it.
    pub fn open(&self, key: &VerifyingKey) -> Option<Statement> {
        let message = SyncResponse::signed_part(self.request, self.news, &self.statement);
        key.verify(&message, &Signature::from_bytes(&self.signature)).ok()?;
        decode(&self.statement).ok()
    }
}

/// A stretch of a log that the server may have lost, offered back to it. Long stretches come in several pieces, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Offer {
    /// Whose log.
    #[n(0)]
    pub scope: Scope,
    /// How many entries lie before.
    #[n(1)]
    pub after: u64,
    /// The entries, with their bytes.
    #[n(2)]
    pub entries: Vec<FrameEntry>,
    /// Shows that the server once had all of it.
    #[n(3)]
    pub evidence: Evidence,
}

/// A scope in which the device names a place that does not lie on the server's log.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Divergence {
    /// Which scope.
    #[n(0)]
    pub scope: Scope,
    /// The last place among the checkpoints that both know; absent if the device has named none.
    #[n(1)]
    pub common: Option<u64>,
}

/// What an entry adds to its chain; `None` for one that names the bytes of somebody else.
pub fn entry_hash(entry: &FrameEntry) -> Option<EntryHash> {
    match entry {
        FrameEntry::Change { envelope, change } => {
            Some(EntryHash::of_change(envelope, Change::hash_of_stripped(change)))
        }
        FrameEntry::Erased { envelope, change } => Some(EntryHash::of_change(envelope, *change)),
        FrameEntry::Decision { decision } => Some(EntryHash::of_decision(decision)),
        FrameEntry::Own { .. } => None,
    }
}

/// The places after each of these entries, from one place on; `None` if one of them names the bytes of somebody else.
pub fn walk(from: &Cursor, entries: &[FrameEntry]) -> Option<Vec<ChainHash>> {
    let mut at = from.clone();
    let chain = |entry: &FrameEntry| {
        at.advance(entry_hash(entry)?);
        Some(at.chain)
    };
    entries.iter().map(chain).collect()
}
