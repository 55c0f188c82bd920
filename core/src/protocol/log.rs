//! The log of a scope: a contiguous sequence whose every prefix has one name.
//!
//! Owns the hash chain and what an entry's hash covers. A cursor `(n, chain hash)` names the whole prefix up to n.

use minicbor::{Decode, Encode};
use sha2::{Digest, Sha256};

use super::bundle::ChangeEnvelope;
use crate::codec::encode;
use crate::scope::Scope;
use crate::units::{ChainHash, ChangeHash, EntryHash, OrganisationId};

impl ChainHash {
    /// The chain before the first entry of a scope.
    pub fn start(organisation: OrganisationId, scope: &Scope) -> Self {
        let hash = Sha256::new().chain_update(b"farmtally scope 1\0").chain_update(organisation.as_bytes());
        Self(hash.chain_update(scope.to_string()).finalize().into())
    }

    /// The chain after one more entry.
    #[must_use]
    pub fn then(self, entry: EntryHash) -> Self {
        Self(Sha256::new().chain_update(self.0).chain_update(entry.0).finalize().into())
    }
}

impl EntryHash {
    /// Of a change: its envelope and its hash, so that its bytes can be erased and the chain still holds.
    pub fn of_change(envelope: &ChangeEnvelope, change: ChangeHash) -> Self {
        let hash = Sha256::new().chain_update(b"change\0").chain_update(Sha256::digest(encode(envelope)));
        Self(hash.chain_update(change.0).finalize().into())
    }

    /// Of a decision: its bytes.
    pub fn of_decision(decision: &[u8]) -> Self {
        Self(Sha256::new().chain_update(b"decision\0").chain_update(Sha256::digest(decision)).finalize().into())
    }
}

/// A place in a scope's log.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Cursor {
    /// Whose log.
    #[n(0)]
    pub scope: Scope,
    /// How many entries lie before this place.
    #[n(1)]
    pub sequence: u64,
    /// The chain hash there.
    #[n(2)]
    pub chain: ChainHash,
}

impl Cursor {
    /// The place before a scope's first entry.
    pub fn start(organisation: OrganisationId, scope: Scope) -> Self {
        Self { sequence: 0, chain: ChainHash::start(organisation, &scope), scope }
    }

    /// Moves past one entry.
    pub fn advance(&mut self, entry: EntryHash) {
        self.sequence += 1;
        self.chain = self.chain.then(entry);
    }
}

/// A cursor as a phone names it: eight bytes of the chain hash are enough to notice another history.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct CursorName {
    /// Whose log.
    #[n(0)]
    pub scope: Scope,
    /// How many entries lie before this place.
    #[n(1)]
    pub sequence: u64,
    /// The beginning of the chain hash there.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub chain: [u8; 8],
}

impl Cursor {
    /// The short form that is sent up.
    pub fn name(&self) -> CursorName {
        CursorName { scope: self.scope.clone(), sequence: self.sequence, chain: self.chain.short() }
    }
}

impl ChainHash {
    /// Its first eight bytes.
    pub fn short(&self) -> [u8; 8] {
        self.0.first_chunk().copied().unwrap_or_default()
    }
}
