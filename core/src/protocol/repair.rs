//! Messages for logs that have diverged: the last common position, and entries that the server lost.
//!
//! A server that was set back to an older copy gets the entries that it had signed restored by phones; a phone whose log differs reads
//! again from the last common position. Format: `docs/protocol.md`, "Repair and recovery".

use ed25519_dalek::{Signature, Verifier, VerifyingKey};
use minicbor::{Decode, Encode};

use super::log::Cursor;
use super::message::{Attestation, FrameEntry, SyncResponse};
use crate::codec::decode;
use crate::records::Change;
use crate::scope::Scope;
use crate::units::{ChainHash, EntryHash};

/// Attestation that the server signed, with the other data that its signature covers. A server that cannot reproduce it has lost data.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Evidence {
    /// SHA-256 of the body of the request that was answered.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub request: [u8; 32],
    /// SHA-256 of [`SyncResponse::updates`].
    #[cbor(n(1), with = "minicbor::bytes")]
    pub updates: [u8; 32],
    /// CBOR of the [`Attestation`].
    #[n(2)]
    pub attestation: minicbor::bytes::ByteVec,
    /// Signature of the server.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub signature: [u8; 64],
}

impl Evidence {
    /// Returns the attestation if the server with this key signed it.
    pub fn open(&self, key: &VerifyingKey) -> Option<Attestation> {
        let message = SyncResponse::signed_part(self.request, self.updates, &self.attestation);
        key.verify(&message, &Signature::from_bytes(&self.signature)).ok()?;
        decode(&self.attestation).ok()
    }
}

/// Run of log entries that the server may have lost. A long run is sent in several offers, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Offer {
    /// Scope of the log.
    #[n(0)]
    pub scope: Scope,
    /// Number of log entries before the first of the offer.
    #[n(1)]
    pub after: u64,
    /// Entries, with their bytes.
    #[n(2)]
    pub entries: Vec<FrameEntry>,
    /// Evidence that the server once had all of the run.
    #[n(3)]
    pub evidence: Evidence,
}

/// Scope in which the device's cursor is not on the server's log.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Divergence {
    /// The diverged scope.
    #[n(0)]
    pub scope: Scope,
    /// Sequence number of the newest checkpoint that is on the server's log, 0 for its start; absent if the device sent none of the scope.
    #[n(1)]
    pub common: Option<u64>,
}

/// Returns the hash of an entry; `None` for [`FrameEntry::Own`], whose bytes are elsewhere.
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

/// Returns the chain hash after each entry, from the cursor before the first; `None` if one of them is [`FrameEntry::Own`].
pub fn chain_hashes(from: &Cursor, entries: &[FrameEntry]) -> Option<Vec<ChainHash>> {
    let mut at = from.clone();
    let chain = |entry: &FrameEntry| {
        at.advance(entry_hash(entry)?);
        Some(at.chain)
    };
    entries.iter().map(chain).collect()
}
