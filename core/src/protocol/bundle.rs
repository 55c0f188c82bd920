//! A bundle: sealed and signed changes of one device, which any carrier may deliver.
//!
//! Format: `docs/protocol.md`, "Bundles". Invariant: the signature covers the header and, for each entry, its envelope and the *hash* of
//! its change, never the encoding. So the encoding may improve, and a person's bytes may be erased, without breaking a signature.

use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey};
use minicbor::{Decode, Encode};
use sha2::{Digest, Sha256};

use super::RefusalCode;
use crate::codec::{decode, encode};
use crate::records::Change;
use crate::scope::Scope;
use crate::units::{BundleHash, ChangeHash, DeviceId, DocumentId, GrantId, OrganisationId, Timestamp, UserId};

/// Version of the bundle form that this build writes and reads.
pub const BUNDLE_VERSION: u16 = 1;
/// Newest schema (set of record kinds and keys) that this build knows.
pub const SCHEMA_VERSION: u16 = 1;

const SIGNED_AS: &[u8] = b"farmtally bundle 1\0";

/// Bundle header: the sealing device, its sequence number, and its clock.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct BundleHeader {
    /// Version of the bundle form.
    #[n(0)]
    pub version: u16,
    /// Organisation that owns the data.
    #[n(1)]
    pub organisation_id: OrganisationId,
    /// Device that sealed the bundle.
    #[n(2)]
    pub device_id: DeviceId,
    /// Number of the bundle in the device's own count, from 1; a device that takes a new key continues its count.
    #[n(3)]
    pub sequence: u64,
    /// Hash of the device's previous bundle; zeroes for the first under its key.
    #[n(4)]
    pub previous: BundleHash,
    /// Wall-clock time of sealing, by the device.
    #[n(5)]
    pub sealed_at: Timestamp,
    /// Newest schema that the device knew.
    #[n(6)]
    pub schema: u16,
}

/// Changes of one action of a person.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
pub struct BundleAction {
    /// Person who acted.
    #[n(0)]
    pub author_id: UserId,
    /// Grant that the person acted under.
    #[n(1)]
    pub grant_id: GrantId,
    /// Number of entries of the device's own scope that the author had read; shows which grants and revocations they could know.
    #[n(2)]
    pub device_cursor: u64,
    /// Changes of the action.
    #[n(3)]
    pub entries: Vec<BundleEntry>,
}

/// One change, with its document and scope; of kind 0, a draft of a phone that was wiped.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
pub struct BundleEntry {
    /// Document that the change belongs to.
    #[n(0)]
    pub document_id: DocumentId,
    /// Number of the record kind.
    #[n(1)]
    pub kind: u8,
    /// Scope as the author knew it.
    #[n(2)]
    pub scope: Scope,
    /// Stripped change ([`Change::stripped`]), or a draft as CBOR; empty if `erased` has its hash.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub change: Vec<u8>,
    /// Hash of the change if its bytes were erased or left out ([`Bundle::without_bytes`]), so that the signature stays valid.
    #[n(4)]
    pub erased: Option<ChangeHash>,
}

impl BundleEntry {
    /// Returns the hash of the entry's change, also if its bytes are absent.
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
    /// Header, which links to the previous bundle.
    #[n(0)]
    pub header: BundleHeader,
    /// Actions, in order.
    #[n(1)]
    pub actions: Vec<BundleAction>,
    #[cbor(n(2), with = "minicbor::bytes")]
    signature: [u8; 64],
}

/// Everything that the log keeps of a change besides its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ChangeEnvelope {
    /// Device that sealed the change.
    #[n(0)]
    pub device_id: DeviceId,
    /// Person who made the change.
    #[n(1)]
    pub author_id: UserId,
    /// Grant that the person acted under.
    #[n(2)]
    pub grant_id: GrantId,
    /// Document that the change belongs to.
    #[n(3)]
    pub document_id: DocumentId,
    /// Number of the record kind.
    #[n(4)]
    pub kind: u8,
    /// Scope as the author knew it.
    #[n(5)]
    pub scope: Scope,
}

impl Bundle {
    /// Seals actions into a bundle and signs it.
    pub fn seal(header: BundleHeader, actions: Vec<BundleAction>, key: &SigningKey) -> Self {
        let mut bundle = Self { header, actions, signature: [0; 64] };
        bundle.signature = key.sign(&bundle.message()).to_bytes();
        bundle
    }

    /// Parses a bundle without checking its signature or its changes.
    ///
    /// # Errors
    /// [`RefusalCode::BundleTooLarge`], [`RefusalCode::BundleUnreadable`], [`RefusalCode::BundleVersionUnknown`].
    pub fn parse(bytes: &[u8]) -> Result<Self, RefusalCode> {
        // A bundle is cut at the limit for changes; its envelopes add half as much if the changes are as small as possible. The bound is
        // needed because one response must have room for a frame and the entries of a whole bundle.
        if bytes.len() > 2 * crate::limits::MAX_BUNDLE_BYTES {
            return Err(RefusalCode::BundleTooLarge);
        }
        let bundle: Self = decode(bytes).map_err(|_form| RefusalCode::BundleUnreadable)?;
        if bundle.header.version != BUNDLE_VERSION {
            return Err(RefusalCode::BundleVersionUnknown);
        }
        let too_large = |number| i64::try_from(number).is_err();
        if bundle.header.sequence == 0
            || too_large(bundle.header.sequence)
            || bundle.actions.iter().any(|action| too_large(action.device_cursor))
        {
            return Err(RefusalCode::BundleUnreadable);
        }
        // The signature covers only the hash of erased bytes, so it would not cover bytes next to that hash.
        if bundle.entries().any(|(_, entry)| entry.erased.is_some() && !entry.change.is_empty()) {
            return Err(RefusalCode::BundleUnreadable);
        }
        Ok(bundle)
    }

    /// Returns the bytes that are sent and stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        encode(self)
    }

    /// Verifies that this key signed the bundle, and returns its hash. The caller finds the key by `device_id`, and checks the
    /// organisation.
    ///
    /// # Errors
    /// [`RefusalCode::BundleSignatureWrong`].
    pub fn verify(&self, key: &VerifyingKey) -> Result<BundleHash, RefusalCode> {
        let (message, signature) = (self.message(), Signature::from_bytes(&self.signature));
        key.verify(&message, &signature).map_err(|_mismatch| RefusalCode::BundleSignatureWrong)?;
        Ok(BundleHash(Sha256::digest(message).into()))
    }

    /// Returns the hash that identifies the bundle; the same with and without the bytes of its changes.
    pub fn hash(&self) -> BundleHash {
        BundleHash(Sha256::digest(self.message()).into())
    }

    /// Returns the entries in order, each with its action. An entry's number is its position here, from 0.
    pub fn entries(&self) -> impl Iterator<Item = (&BundleAction, &BundleEntry)> {
        let of = |action| std::iter::repeat(action);
        self.actions.iter().flat_map(move |action| of(action).zip(&action.entries))
    }

    /// Returns the envelope of an entry of this bundle; `action` must be the entry's own.
    pub fn envelope(&self, action: &BundleAction, entry: &BundleEntry) -> ChangeEnvelope {
        ChangeEnvelope {
            device_id: self.header.device_id,
            author_id: action.author_id,
            grant_id: action.grant_id,
            document_id: entry.document_id,
            kind: entry.kind,
            scope: entry.scope.clone(),
        }
    }

    /// Erases the bytes of a document's changes and keeps their hashes. Returns `false` if it had no bytes of the document.
    pub fn erase(&mut self, document: DocumentId) -> bool {
        let entries = self.actions.iter_mut().flat_map(|action| &mut action.entries);
        let mut has_erased = false;
        for entry in entries.filter(|entry| entry.document_id == document && entry.erased.is_none()) {
            entry.drop_bytes();
            has_erased = true;
        }
        has_erased
    }

    /// Returns the bundle with the hashes of its changes instead of their bytes: all that its signature covers.
    #[must_use]
    pub fn without_bytes(&self) -> Self {
        let mut bundle = self.clone();
        bundle.actions.iter_mut().flat_map(|it| &mut it.entries).for_each(BundleEntry::drop_bytes);
        bundle
    }

    fn message(&self) -> Vec<u8> {
        // As arrays, like header, actions and entries themselves.
        let entry = |it: &BundleEntry| (it.document_id, it.kind, it.scope.clone(), it.change_hash());
        let action = |it: &BundleAction| {
            let entries: Vec<_> = it.entries.iter().map(entry).collect();
            (it.author_id, it.grant_id, it.device_cursor, entries)
        };
        let actions: Vec<_> = self.actions.iter().map(action).collect();
        [SIGNED_AS, &encode(&(self.header.clone(), actions))].concat()
    }
}
