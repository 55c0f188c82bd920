//! A bundle: what a device hands over, sealed and signed; any carrier may bring it.
//!
//! Owns the bundle's form, its signature and the chain of a device's bundles (format: `docs/protocol.md`).
//! Invariant: the signature covers the header and, for each entry, its envelope and the *hash* of its change, never the coding of the bytes;
//! so the coding may improve, and a person's bytes may be erased, without breaking a signature.

use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey};
use minicbor::{Decode, Encode};
use sha2::{Digest, Sha256};

use super::RefusalCode;
use crate::codec::{decode, encode};
use crate::records::Change;
use crate::scope::Scope;
use crate::units::{BundleHash, ChangeHash, DeviceId, DocumentId, GrantId, OrganisationId, Timestamp, UserId};

/// The form of bundles that this version writes and reads.
pub const BUNDLE_VERSION: u16 = 1;
/// The newest set of record kinds and keys that this version knows.
pub const SCHEMA_VERSION: u16 = 1;

const SIGNED_AS: &[u8] = b"farmtally bundle 1\0";

/// Who sealed a bundle, as what number of theirs, and when by their clock.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct BundleHeader {
    /// The form of the bundle.
    #[n(0)]
    pub version: u16,
    /// Whose data it is.
    #[n(1)]
    pub organisation: OrganisationId,
    /// Who sealed it.
    #[n(2)]
    pub device: DeviceId,
    /// The device's own count, from 1.
    #[n(3)]
    pub sequence: u64,
    /// The device's bundle before; zeroes for the first.
    #[n(4)]
    pub previous: BundleHash,
    /// The wall clock at sealing.
    #[n(5)]
    pub sealed_at: Timestamp,
    /// The newest record kinds and keys that the device knew.
    #[n(6)]
    pub schema: u16,
}

/// What one action of a person changed.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
pub struct BundleAction {
    /// Who.
    #[n(0)]
    pub author: UserId,
    /// By which grant.
    #[n(1)]
    pub grant: GrantId,
    /// How far the author had read the device's own scope: tells which grants and revocations they could know.
    #[n(2)]
    pub device_cursor: u64,
    /// The changes.
    #[n(3)]
    pub entries: Vec<BundleEntry>,
}

/// One change with where it belongs.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
pub struct BundleEntry {
    /// The document.
    #[n(0)]
    pub document: DocumentId,
    /// The number of its kind.
    #[n(1)]
    pub kind: u8,
    /// The scope that the author knew.
    #[n(2)]
    pub scope: Scope,
    /// The stripped change ([`Change::stripped`]); empty once it is erased.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub change: Vec<u8>,
    /// The hash of a change whose bytes were erased: the signature still fits.
    #[n(4)]
    pub erased: Option<ChangeHash>,
}

impl BundleEntry {
    /// The hash of its change.
    pub fn change_hash(&self) -> ChangeHash {
        self.erased.unwrap_or_else(|| Change::hash_of_stripped(&self.change))
    }

    fn drop_bytes(&mut self) {
        self.erased = Some(self.change_hash());
        self.change = Vec::new();
    }
}

/// A sealed bundle.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
pub struct Bundle {
    /// Who, when and after which.
    #[n(0)]
    pub header: BundleHeader,
    /// What.
    #[n(1)]
    pub actions: Vec<BundleAction>,
    #[cbor(n(2), with = "minicbor::bytes")]
    signature: [u8; 64],
}

/// What the log keeps about a change beside its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ChangeEnvelope {
    /// The device that sealed it.
    #[n(0)]
    pub device: DeviceId,
    /// Who made it.
    #[n(1)]
    pub author: UserId,
    /// By which grant.
    #[n(2)]
    pub grant: GrantId,
    /// The document.
    #[n(3)]
    pub document: DocumentId,
    /// The number of its kind.
    #[n(4)]
    pub kind: u8,
    /// The scope that the author knew.
    #[n(5)]
    pub scope: Scope,
}

impl Bundle {
    /// Seals what a device hands over.
    pub fn seal(header: BundleHeader, actions: Vec<BundleAction>, key: &SigningKey) -> Self {
        let mut bundle = Self { header, actions, signature: [0; 64] };
        bundle.signature = key.sign(&bundle.message()).to_bytes();
        bundle
    }

    /// Reads a bundle's bytes without judging them.
    ///
    /// # Errors
    /// [`RefusalCode::BundleTooLarge`], [`RefusalCode::BundleUnreadable`], [`RefusalCode::BundleVersionUnknown`].
    pub fn parse(bytes: &[u8]) -> Result<Self, RefusalCode> {
        // Changes are cut at the limit; envelopes come on top, half as much for the smallest changes. Whoever pulls must get a frame and
        // a whole bundle's entries into one answer.
        if bytes.len() > 2 * crate::limits::MAX_BUNDLE_BYTES {
            return Err(RefusalCode::BundleTooLarge);
        }
        let bundle: Self = decode(bytes).map_err(|_form| RefusalCode::BundleUnreadable)?;
        if bundle.header.version != BUNDLE_VERSION {
            return Err(RefusalCode::BundleVersionUnknown);
        }
        if bundle.header.sequence == 0 || i64::try_from(bundle.header.sequence).is_err() {
            return Err(RefusalCode::BundleUnreadable);
        }
        // The signature covers the hash that stands for erased bytes, so it says nothing about bytes beside it.
        if bundle.entries().any(|(_, entry)| entry.erased.is_some() && !entry.change.is_empty()) {
            return Err(RefusalCode::BundleUnreadable);
        }
        Ok(bundle)
    }

    /// The bytes that travel and are kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        encode(self)
    }

    /// Checks the signature and returns the bundle's hash.
    ///
    /// # Errors
    /// [`RefusalCode::BundleSignatureWrong`].
    pub fn verify(&self, key: &VerifyingKey) -> Result<BundleHash, RefusalCode> {
        let (message, signature) = (self.message(), Signature::from_bytes(&self.signature));
        key.verify(&message, &signature).map_err(|_mismatch| RefusalCode::BundleSignatureWrong)?;
        Ok(BundleHash(Sha256::digest(message).into()))
    }

    /// The bundle's name.
    pub fn hash(&self) -> BundleHash {
        BundleHash(Sha256::digest(self.message()).into())
    }

    /// The entries in order, numbered from 0 across actions.
    pub fn entries(&self) -> impl Iterator<Item = (&BundleAction, &BundleEntry)> {
        let of = |action| std::iter::repeat(action);
        self.actions.iter().flat_map(move |action| of(action).zip(&action.entries))
    }

    /// What the log keeps about an entry beside its bytes.
    pub fn envelope(&self, action: &BundleAction, entry: &BundleEntry) -> ChangeEnvelope {
        ChangeEnvelope {
            device: self.header.device,
            author: action.author,
            grant: action.grant,
            document: entry.document,
            kind: entry.kind,
            scope: entry.scope.clone(),
        }
    }

    /// Drops the bytes of a document's changes and keeps their hashes. Returns whether there were any.
    pub fn erase(&mut self, document: DocumentId) -> bool {
        let entries = self.actions.iter_mut().flat_map(|action| &mut action.entries);
        let mut has_erased = false;
        for entry in entries.filter(|entry| entry.document == document && entry.erased.is_none()) {
            entry.drop_bytes();
            has_erased = true;
        }
        has_erased
    }

    /// The bundle with the hashes of its changes in place of their bytes: all that its signature covers.
    #[must_use]
    pub fn without_bytes(&self) -> Self {
        let mut bundle = self.clone();
        bundle.actions.iter_mut().flat_map(|it| &mut it.entries).for_each(BundleEntry::drop_bytes);
        bundle
    }

    fn message(&self) -> Vec<u8> {
        // As arrays, like header, actions and entries themselves.
        let entry = |it: &BundleEntry| (it.document, it.kind, it.scope.clone(), it.change_hash());
        let action = |it: &BundleAction| {
            let entries: Vec<_> = it.entries.iter().map(entry).collect();
            (it.author, it.grant, it.device_cursor, entries)
        };
        let actions: Vec<_> = self.actions.iter().map(action).collect();
        [SIGNED_AS, &encode(&(self.header.clone(), actions))].concat()
    }
}
