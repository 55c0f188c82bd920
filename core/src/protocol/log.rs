//! The log of a scope: numbered entries in a hash chain.
//!
//! A cursor `(n, chain hash)` identifies all entries up to n.

use minicbor::{Decode, Encode};
use sha2::{Digest, Sha256};

use super::bundle::ChangeEnvelope;
use crate::codec::encode;
use crate::scope::Scope;
use crate::units::{ChainHash, ChangeHash, EntryHash, OrganisationId};

impl ChainHash {
    /// Returns the chain hash before the first entry of a scope.
    pub fn start(organisation: OrganisationId, scope: &Scope) -> Self {
        let hash = Sha256::new().chain_update(b"farmtally scope 1\0").chain_update(organisation.as_bytes());
        Self(hash.chain_update(scope.to_string()).finalize().into())
    }

    /// Returns the chain hash after one more entry, whose hash is `entry`.
    #[must_use]
    pub fn then(self, entry: EntryHash) -> Self {
        Self(Sha256::new().chain_update(self.0).chain_update(entry.0).finalize().into())
    }

    /// Returns the first eight bytes.
    pub fn short(&self) -> [u8; 8] {
        self.0.first_chunk().copied().unwrap_or_default()
    }
}

impl EntryHash {
    /// Returns the hash of a change's entry. It covers the change's hash, so that the chain stays valid when the bytes are erased.
    pub fn of_change(envelope: &ChangeEnvelope, change: ChangeHash) -> Self {
        let hash = Sha256::new().chain_update(b"change\0").chain_update(Sha256::digest(encode(envelope)));
        Self(hash.chain_update(change.0).finalize().into())
    }

    /// Returns the hash of a decision's entry, which covers the decision's bytes.
    pub fn of_decision(decision: &[u8]) -> Self {
        Self(Sha256::new().chain_update(b"decision\0").chain_update(Sha256::digest(decision)).finalize().into())
    }
}

/// A position in a scope's log: how far it was read, or its end.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Cursor {
    /// Scope of the log.
    #[n(0)]
    pub scope: Scope,
    /// Sequence number of the last entry read; 0 before the first.
    #[n(1)]
    pub sequence: u64,
    /// Chain hash after that entry.
    #[n(2)]
    pub chain: ChainHash,
}

impl Cursor {
    /// Returns the cursor before a scope's first entry.
    pub fn start(organisation: OrganisationId, scope: Scope) -> Self {
        Self { sequence: 0, chain: ChainHash::start(organisation, &scope), scope }
    }

    /// Moves past the next entry, whose hash is `entry`.
    pub fn advance(&mut self, entry: EntryHash) {
        self.sequence += 1;
        self.chain = self.chain.then(entry);
    }

    /// Returns the short form for requests.
    pub fn name(&self) -> CursorName {
        CursorName { scope: self.scope.clone(), sequence: self.sequence, chain: self.chain.short() }
    }
}

/// Short form of a cursor in requests. Eight bytes of the chain hash are enough to detect another history.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct CursorName {
    /// Scope of the log.
    #[n(0)]
    pub scope: Scope,
    /// Sequence number of the last entry read; 0 before the first.
    #[n(1)]
    pub sequence: u64,
    /// First eight bytes of the chain hash after that entry.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub chain: [u8; 8],
}
