//! What phone and server say to each other: CBOR maps with integer keys, compressed with zstd.
//!
//! Owns the messages and their limits (format: `docs/protocol.md`). Unknown keys are skipped, so either side may be newer.

use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey};
use minicbor::{Decode, Encode};
use sha2::{Digest, Sha256};

use super::bundle::ChangeEnvelope;
use super::log::{Cursor, CursorName};
use super::repair::{Divergence, Evidence, Offer};
use super::{HoldCode, RefusalCode};
use crate::codec::{decode, encode};
use crate::limits::{MAX_BODY_BYTES, MAX_WIRE_BYTES};
use crate::scope::Scope;
use crate::units::{
    BundleHash, ChainHash, ChangeHash, DeviceCode, DeviceId, OrganisationId, ParcelId, Timestamp, UserId,
};

/// The version of the exchange that this build speaks.
pub const PROTOCOL_VERSION: u16 = 1;

/// Why a message could not be read.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// Larger than any message may be.
    #[error("the message is larger than {limit} bytes")]
    TooLarge {
        /// What is allowed.
        limit: usize,
    },
    /// Not what was expected.
    #[error("the message cannot be read: {source}")]
    Unreadable {
        /// What is wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Not signed by the server whose key was pinned.
    #[error("the answer is not signed by this organisation's server")]
    Unsigned,
}

/// Packs a message for the wire.
///
/// # Errors
/// [`WireError::TooLarge`] if it would not be accepted.
pub fn pack<T: Encode<()>>(message: &T) -> Result<Vec<u8>, WireError> {
    let plain = encode(message);
    if plain.len() > MAX_BODY_BYTES {
        return Err(WireError::TooLarge { limit: MAX_BODY_BYTES });
    }
    let packed = zstd::bulk::compress(&plain, 3).map_err(unreadable)?;
    if packed.len() > MAX_WIRE_BYTES {
        return Err(WireError::TooLarge { limit: MAX_WIRE_BYTES });
    }
    Ok(packed)
}

/// Reads a message from the wire; never unpacks more than the limit, whatever the bytes claim.
///
/// # Errors
/// [`WireError::TooLarge`], [`WireError::Unreadable`].
pub fn unpack<T: for<'b> Decode<'b, ()>>(bytes: &[u8]) -> Result<T, WireError> {
    if bytes.len() > MAX_WIRE_BYTES {
        return Err(WireError::TooLarge { limit: MAX_WIRE_BYTES });
    }
    let plain =
        zstd::bulk::decompress(bytes, MAX_BODY_BYTES).map_err(
            |error| match zstd::zstd_safe::get_frame_content_size(bytes) {
                Ok(Some(claimed)) if claimed > MAX_BODY_BYTES as u64 => WireError::TooLarge { limit: MAX_BODY_BYTES },
                _ => unreadable(error),
            },
        )?;
    decode(&plain).map_err(unreadable)
}

fn unreadable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> WireError {
    WireError::Unreadable { source: error.into() }
}

/// `POST /v1/enrol`: redeems a code, once; the same code with the same key is answered the same way again.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct EnrolRequest {
    /// The version spoken.
    #[n(0)]
    pub protocol: u16,
    /// The code that the office handed out.
    #[n(1)]
    pub code: String,
    /// The device's new public key.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub public_key: [u8; 32],
    /// A signature over the code with that key: shows that the device holds the other half.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub proof: [u8; 64],
    /// What kind of phone, for the office's list.
    #[n(4)]
    pub model: String,
}

const ENROL_AS: &[u8] = b"farmtally enrol 1\0";

impl EnrolRequest {
    /// The request of a device with this key.
    pub fn new(code: &str, key: &SigningKey, model: &str) -> Self {
        Self {
            protocol: PROTOCOL_VERSION,
            code: code.to_owned(),
            public_key: key.verifying_key().to_bytes(),
            proof: key.sign(&[ENROL_AS, code.as_bytes()].concat()).to_bytes(),
            model: model.to_owned(),
        }
    }

    /// The key, if the proof fits it.
    pub fn verified_key(&self) -> Option<VerifyingKey> {
        let key = VerifyingKey::from_bytes(&self.public_key).ok()?;
        let message = [ENROL_AS, self.code.as_bytes()].concat();
        key.verify(&message, &Signature::from_bytes(&self.proof)).ok()?;
        Some(key)
    }
}

/// `POST /v1/rekey`: a device goes on under a new key and id. Signed with the old key; the same new key is answered the same way again.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct RekeyRequest {
    /// The version spoken.
    #[n(0)]
    pub protocol: u16,
    /// The device's new public key.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub public_key: [u8; 32],
    /// A signature over the old device id with that key.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub proof: [u8; 64],
}

const REKEY_AS: &[u8] = b"farmtally rekey 1\0";

impl RekeyRequest {
    /// The request of a device that has made this key.
    pub fn new(device: DeviceId, key: &SigningKey) -> Self {
        Self {
            protocol: PROTOCOL_VERSION,
            public_key: key.verifying_key().to_bytes(),
            proof: key.sign(&[REKEY_AS, device.as_bytes()].concat()).to_bytes(),
        }
    }

    /// The key, if the proof fits it and the device.
    pub fn verified_key(&self, device: DeviceId) -> Option<VerifyingKey> {
        let key = VerifyingKey::from_bytes(&self.public_key).ok()?;
        let message = [REKEY_AS, device.as_bytes()].concat();
        key.verify(&message, &Signature::from_bytes(&self.proof)).ok()?;
        Some(key)
    }
}

/// The answer to an enrolment.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Enrolment {
    /// Who the device is.
    #[n(0)]
    pub certificate: Certificate,
    /// The server's public key, to be pinned.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub server_key: [u8; 32],
    /// For the first signed request.
    #[n(2)]
    pub challenge: Challenge,
    /// The server's clock.
    #[n(3)]
    pub server_time: Timestamp,
}

impl Enrolment {
    /// Whether the server that it names has signed it, for the owner of this key.
    pub fn is_for(&self, key: &VerifyingKey) -> bool {
        let server = VerifyingKey::from_bytes(&self.server_key);
        self.certificate.public_key == key.to_bytes() && server.is_ok_and(|server| self.certificate.verify(&server))
    }
}

/// The server's word that a device is enrolled. `POST /v1/readmit` shows it to a server that has forgotten the device.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Certificate {
    /// The organisation.
    #[n(0)]
    pub organisation: OrganisationId,
    /// The device.
    #[n(1)]
    pub device: DeviceId,
    /// Its short code for receipts.
    #[n(2)]
    pub device_code: DeviceCode,
    /// Its public key.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub public_key: [u8; 32],
    /// The person it was handed to.
    #[n(4)]
    pub user: UserId,
    /// The device that it was before it took a new key.
    #[n(5)]
    pub ancestor: Option<DeviceId>,
    /// When it was enrolled.
    #[n(6)]
    pub enrolled_at: Timestamp,
    /// The server's public key that will follow, held offline; to be pinned too.
    #[cbor(n(7), with = "minicbor::bytes")]
    pub successor_key: [u8; 32],
    /// The server's signature over all of it.
    #[cbor(n(8), with = "minicbor::bytes")]
    pub signature: [u8; 64],
}

const CERTIFIED_AS: &[u8] = b"farmtally certificate 1\0";

impl Certificate {
    /// Signs it.
    #[must_use]
    pub fn sign(self, key: &SigningKey) -> Self {
        Self { signature: key.sign(&self.message()).to_bytes(), ..self }
    }

    /// Whether this server signed it.
    pub fn verify(&self, key: &VerifyingKey) -> bool {
        key.verify(&self.message(), &Signature::from_bytes(&self.signature)).is_ok()
    }

    fn message(&self) -> Vec<u8> {
        let mut message = CERTIFIED_AS.to_vec();
        message.extend(encode(&Self { signature: [0; 64], ..self.clone() }));
        message
    }
}

/// A moment that the server has vouched for; every signed request repeats a recent one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Challenge(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 24]);

/// `POST /v1/sync`, up.
#[derive(Clone, Debug, Default, Encode, Decode)]
#[cbor(map)]
pub struct SyncRequest {
    /// The version spoken.
    #[n(0)]
    pub protocol: u16,
    /// How far each scope was read; one that is not named is read from the start.
    #[n(2)]
    pub cursors: Vec<CursorName>,
    /// Sealed bundles, oldest first.
    #[n(3)]
    pub bundles: Vec<minicbor::bytes::ByteVec>,
    /// How many bytes of frames to send at most, before compression; at least one frame comes.
    #[n(4)]
    pub budget_bytes: u32,
    /// Whether the device's own changes must come with their bytes, because it has lost its bundles.
    #[n(5)]
    pub own_bytes: bool,
    /// Parcels of other devices, oldest first.
    #[cbor(n(6), default, skip_if = "Vec::is_empty")]
    pub parcels: Vec<minicbor::bytes::ByteVec>,
    /// Places further back in the scopes that had diverged.
    #[cbor(n(7), default, skip_if = "Vec::is_empty")]
    pub checkpoints: Vec<CursorName>,
    /// What the server may have lost. Whoever offers asks for nothing else in the same request.
    #[cbor(n(8), default, skip_if = "Vec::is_empty")]
    pub offers: Vec<Offer>,
    /// The [`SafeCopy`] that the device knows; 0 for none.
    #[cbor(n(9), default, skip_if = "is_zero")]
    pub safe_copy: u64,
}

fn is_zero<T: Default + PartialEq>(number: &T) -> bool {
    *number == T::default()
}

/// `POST /v1/sync`, down. Statement and news stay bytes until the signature over them is checked.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct SyncResponse {
    /// The version spoken.
    #[n(0)]
    pub protocol: u16,
    /// For the next signed request.
    #[n(1)]
    pub challenge: Challenge,
    /// CBOR of the [`Statement`].
    #[n(2)]
    pub statement: minicbor::bytes::ByteVec,
    /// CBOR of the [`SyncUpdates`].
    #[n(3)]
    pub news: minicbor::bytes::ByteVec,
    /// The server's signature over both, and over the request that they answer.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub signature: [u8; 64],
}

impl SyncResponse {
    /// Signs what the server has to say to a request, whose body as sent is given.
    pub fn sign(
        request: &[u8],
        statement: &Statement,
        news: &SyncUpdates,
        challenge: Challenge,
        key: &SigningKey,
    ) -> Self {
        let (statement, news) = (encode(statement), encode(news));
        let signature = key.sign(&Self::message(request, &statement, &news)).to_bytes();
        Self { protocol: PROTOCOL_VERSION, challenge, statement: statement.into(), news: news.into(), signature }
    }

    /// Reads both parts, if the signature is that of the server and this is the answer to the request.
    ///
    /// # Errors
    /// [`WireError::Unsigned`], [`WireError::Unreadable`].
    pub fn open(&self, request: &[u8], key: &VerifyingKey) -> Result<(Statement, SyncUpdates), WireError> {
        let message = Self::message(request, &self.statement, &self.news);
        key.verify(&message, &Signature::from_bytes(&self.signature)).map_err(|_wrong| WireError::Unsigned)?;
        Ok((decode(&self.statement).map_err(unreadable)?, decode(&self.news).map_err(unreadable)?))
    }

    /// The statement stands at the end and the rest only as hashes, so that a phone can keep a statement as evidence without the rest.
    fn message(request: &[u8], statement: &[u8], news: &[u8]) -> Vec<u8> {
        Self::signed_part(Sha256::digest(request).into(), Sha256::digest(news).into(), statement)
    }

    pub(super) fn signed_part(request: [u8; 32], news: [u8; 32], statement: &[u8]) -> Vec<u8> {
        let mut message = b"farmtally answer 1\0".to_vec();
        message.extend(request);
        message.extend(news);
        message.extend(statement);
        message
    }

    /// What is worth keeping of an answer: enough to show later that the server signed its statement.
    pub fn evidence(&self, request: &[u8]) -> Evidence {
        Evidence {
            request: Sha256::digest(request).into(),
            news: Sha256::digest(self.news.as_slice()).into(),
            statement: self.statement.clone(),
            signature: self.signature,
        }
    }
}

/// What a sync brought.
#[derive(Clone, Debug, Default, Encode, Decode)]
#[cbor(map)]
pub struct SyncUpdates {
    /// What became of each bundle.
    #[n(0)]
    pub verdicts: Vec<BundleVerdict>,
    /// Stretches of logs, the most urgent scope first.
    #[n(1)]
    pub frames: Vec<LogFrame>,
    /// Whether there is more to fetch.
    #[n(2)]
    pub more: bool,
    /// Scopes whose log here is not the one that the device has read. Nothing that was handed over is judged then.
    #[n(3)]
    pub diverged: Vec<Divergence>,
    /// Parcels that were carried here and need not be carried again.
    #[cbor(n(4), default, skip_if = "Vec::is_empty")]
    pub parcels: Vec<ParcelVerdict>,
}

/// Heads that the server hands out under its signature; a server that cannot reproduce one later has lost data.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Statement {
    /// To whom.
    #[n(0)]
    pub device: DeviceId,
    /// The server's clock.
    #[n(1)]
    pub server_time: Timestamp,
    /// The newest bundle of this device that the server has: number and hash.
    #[n(2)]
    pub device_head: Option<DeviceHead>,
    /// The heads of the scopes that have news for the device; of the others it has the head already.
    #[n(3)]
    pub heads: Vec<Cursor>,
    /// What the device may let go of; absent if it knows that already, or there are no two verified copies yet.
    #[n(4)]
    pub safe: Option<SafeCopy>,
    /// How many recoveries the server had begun: what an older statement shows to be lost was known to be.
    #[cbor(n(5), default, skip_if = "is_zero")]
    pub epoch: u32,
}

/// What two verified copies of the server's data contain.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SafeCopy {
    /// When the older of the two was made, in milliseconds; names the pair.
    #[n(0)]
    pub copy: u64,
    /// Up to where it has each scope's log.
    #[n(1)]
    pub scopes: Vec<SafePosition>,
    /// Up to which bundle of the device.
    #[n(2)]
    pub bundle: u64,
}

/// Up to where two verified copies have a scope's log.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SafePosition {
    /// Whose log.
    #[n(0)]
    pub scope: Scope,
    /// How many entries.
    #[n(1)]
    pub sequence: u64,
}

/// The newest bundle of a device that the server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct DeviceHead {
    /// Its number.
    #[n(0)]
    pub sequence: u64,
    /// Its hash.
    #[n(1)]
    pub hash: BundleHash,
}

/// What became of a parcel; what became of the bundles in it is their owner's to know.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ParcelVerdict {
    /// Which parcel.
    #[n(0)]
    pub parcel: ParcelId,
    /// Set if it was refused as a whole; otherwise it was taken.
    #[n(1)]
    pub refused: Option<RefusalCode>,
}

/// What became of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct BundleVerdict {
    /// Which bundle, by its place in the request.
    #[n(0)]
    pub index: u32,
    /// Set if the bundle was refused as a whole; it left no trace on the server.
    #[n(1)]
    pub refused: Option<RefusalCode>,
    /// What became of its entries, in runs that lie end to end from entry 0.
    #[n(2)]
    pub runs: Vec<VerdictRun>,
}

/// Entries in a row with the same fate.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct VerdictRun {
    /// How many entries.
    #[n(0)]
    pub count: u32,
    /// The fate; for logged entries, that of the first, the others follow on.
    #[n(1)]
    pub verdict: Verdict,
}

/// What became of one entry.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Verdict {
    /// In the log at this place; repeated for an entry that was there before.
    #[n(0)]
    Logged {
        /// The document's scope, as the server's record says.
        #[n(0)]
        scope: Scope,
        /// The entry's number, from 1.
        #[n(1)]
        sequence: u64,
    },
    /// Waits for other changes, or for a newer server. This is no acknowledgement; any device may bring what is missing.
    #[n(1)]
    Deferred {
        /// What is missing; empty if the server is too old to judge the entry.
        #[n(0)]
        missing: Vec<ChangeHash>,
    },
    /// Kept verbatim for a person to decide.
    #[n(2)]
    Held {
        /// Why.
        #[n(0)]
        code: HoldCode,
        /// Details for people.
        #[n(1)]
        reason: String,
    },
    /// A person sent it back to its author; it will not be logged.
    #[n(3)]
    Rejected {
        /// Words for the author, may be empty.
        #[n(0)]
        reason: String,
    },
    /// Its document was erased; the bytes are wanted nowhere.
    #[n(4)]
    Erased,
    /// Its bytes are missing, and the server does not know its document as erased. Not final: any device may bring the bytes.
    #[n(5)]
    BytesMissing,
}

impl Verdict {
    /// Whether this entry's fate continues a run that began with `first`, `count` entries before.
    fn continues(&self, first: &Self, count: u32) -> bool {
        match (first, self) {
            (Self::Logged { scope, sequence }, Self::Logged { scope: own_scope, sequence: own }) => {
                scope == own_scope && *own == sequence + u64::from(count)
            }
            _ => self == first,
        }
    }

    /// Gathers fates into runs.
    pub fn runs(verdicts: impl IntoIterator<Item = Self>) -> Vec<VerdictRun> {
        let mut runs: Vec<VerdictRun> = Vec::new();
        for verdict in verdicts {
            match runs.last_mut() {
                Some(run) if verdict.continues(&run.verdict, run.count) => run.count += 1,
                _ => runs.push(VerdictRun { count: 1, verdict }),
            }
        }
        runs
    }
}

/// A stretch of a scope's log. It is applied with its cursor in one transaction, and ends with the chain hash that must come out.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct LogFrame {
    /// Whose log.
    #[n(0)]
    pub scope: Scope,
    /// How many entries lie before.
    #[n(1)]
    pub after: u64,
    /// The entries.
    #[n(2)]
    pub entries: Vec<FrameEntry>,
    /// The chain hash after the last of them.
    #[n(3)]
    pub chain: ChainHash,
}

/// One or more entries of a log.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum FrameEntry {
    /// A change of another device.
    #[n(0)]
    Change {
        /// What is logged about it.
        #[n(0)]
        envelope: ChangeEnvelope,
        /// The stripped change.
        #[cbor(n(1), with = "minicbor::bytes")]
        change: Vec<u8>,
    },
    /// A decision.
    #[n(1)]
    Decision {
        /// Its bytes, kept as they are even by a phone that cannot read them yet.
        #[cbor(n(0), with = "minicbor::bytes")]
        decision: Vec<u8>,
    },
    /// Entries in a row of one of the receiver's own bundles; it has the bytes.
    #[n(2)]
    Own {
        /// Which bundle.
        #[n(0)]
        bundle: BundleHash,
        /// The first entry in it, from 0.
        #[n(1)]
        first: u32,
        /// How many entries.
        #[n(2)]
        count: u32,
    },
    /// A change of a document that was erased: all that is left is what its place in the chain needs.
    #[n(3)]
    Erased {
        /// What is logged about it.
        #[n(0)]
        envelope: ChangeEnvelope,
        /// The hash of the change.
        #[n(1)]
        change: ChangeHash,
    },
}

/// The body of `401`: sign again, with this challenge.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct ChallengeResponse {
    /// For the next signed request.
    #[n(0)]
    pub challenge: Challenge,
    /// The server's clock.
    #[n(1)]
    pub server_time: Timestamp,
}

/// The body of any other refusal.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Problem {
    /// A stable code of `docs/errors.md`.
    #[n(0)]
    pub code: String,
    /// What is wrong, for logs.
    #[n(1)]
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fates_in_a_row_are_one_run() {
        let logged = |scope: &str, sequence| Verdict::Logged { scope: scope.parse().expect("a scope"), sequence };
        let held = || Verdict::Held { code: "shape".into(), reason: String::new() };
        let verdicts = vec![
            logged("c/A", 5),
            logged("c/A", 6),
            logged("c/A", 8),
            held(),
            held(),
            logged("c/B", 9),
            logged("c/A", 10),
        ];
        let counts: Vec<u32> = Verdict::runs(verdicts).iter().map(|run| run.count).collect();
        assert_eq!(counts, [2, 1, 2, 1, 1]);
    }

    #[test]
    fn an_enrolment_that_was_changed_on_its_way_is_nobodys() {
        let (device, server) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
        let certificate = Certificate {
            organisation: OrganisationId::from([3; 16]),
            device: DeviceId::from([4; 16]),
            device_code: DeviceCode(5),
            public_key: device.verifying_key().to_bytes(),
            user: UserId::from([6; 16]),
            ancestor: None,
            enrolled_at: Timestamp(7),
            successor_key: [8; 32],
            signature: [0; 64],
        };
        let (server_key, challenge) = (server.verifying_key().to_bytes(), Challenge([9; 24]));
        let certificate = certificate.sign(&server);
        let enrolment = Enrolment { certificate, server_key, challenge, server_time: Timestamp(10) };
        assert!(enrolment.is_for(&device.verifying_key()));
        assert!(!enrolment.is_for(&server.verifying_key()));
        let bytes = encode(&enrolment);
        for bit in 0..bytes.len() * 8 {
            let mut bent = bytes.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            // A wrong challenge costs a round; a wrong time is corrected by the first answer.
            if let Ok(bent) = decode::<Enrolment>(&bent)
                && bent.is_for(&device.verifying_key())
            {
                assert_eq!((bent.certificate, bent.server_key), (enrolment.certificate.clone(), server_key), "{bit}");
            }
        }
    }

    #[test]
    fn a_message_that_unpacks_beyond_the_limit_is_refused() {
        for (length, fits) in [(MAX_BODY_BYTES - 5, true), (MAX_BODY_BYTES + 1, false)] {
            let mut plain = vec![0x5a];
            plain.extend(u32::try_from(length - 5).unwrap_or(0).to_be_bytes());
            plain.resize(length, 0);
            let packed = zstd::bulk::compress(&plain, 3).expect("it packs");
            assert_eq!(unpack::<minicbor::bytes::ByteVec>(&packed).is_ok(), fits, "{length}");
        }
    }
}
