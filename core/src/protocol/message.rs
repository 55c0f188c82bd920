//! Messages between phone and server: CBOR maps with integer keys, compressed with zstd.
//!
//! [`pack`] and [`unpack`] enforce the size limits. Format: `docs/protocol.md`. Unknown keys are skipped, so either side may be newer.

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

/// Protocol version of this build.
pub const PROTOCOL_VERSION: u16 = 1;

/// Reason why a message could not be packed or read.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The message exceeds a size limit.
    #[error("the message is larger than {limit} bytes")]
    TooLarge {
        /// Limit in bytes.
        limit: usize,
    },
    /// The bytes are not the expected message.
    #[error("the message cannot be read: {source}")]
    Unreadable {
        /// The underlying error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The signature is not the server's, or is about another request or device key.
    #[error("the answer is not signed by this organisation's server")]
    Unsigned,
}

/// Encodes and compresses a message.
///
/// # Errors
/// [`WireError::TooLarge`] if the receiver would reject its size.
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

/// Decompresses and decodes a message. Never unpacks more than the limit, whatever size the bytes claim.
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
                Ok(None) if is_too_large(bytes) => WireError::TooLarge { limit: MAX_BODY_BYTES },
                _ => unreadable(error),
            },
        )?;
    decode(&plain).map_err(unreadable)
}

/// Returns whether a frame that does not state its size has more than a body may have.
fn is_too_large(bytes: &[u8]) -> bool {
    let Ok(mut frame) = zstd::stream::read::Decoder::new(bytes) else { return false };
    // The window of a larger frame would take more memory than a body.
    let limited = frame.window_log_max(MAX_BODY_BYTES.ilog2() + 1);
    let mut rest = std::io::Read::take(frame, MAX_BODY_BYTES as u64 + 1);
    let read = std::io::copy(&mut rest, &mut std::io::sink());
    limited.is_ok() && (rest.limit() == 0 || read.is_err_and(|error| error.to_string().contains("memory")))
}

fn unreadable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> WireError {
    WireError::Unreadable { source: error.into() }
}

/// Body of `POST /v1/enrol`: redeems an enrolment code once. The same code with the same key gets the same answer again.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct EnrolRequest {
    /// Protocol version of the phone.
    #[n(0)]
    pub protocol: u16,
    /// Enrolment code from the office.
    #[n(1)]
    pub code: String,
    /// New public key of the device.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub public_key: [u8; 32],
    /// Signature over the code by the new key, which proves that the device has its private key.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub proof: [u8; 64],
    /// Model of the phone, for the office's list.
    #[n(4)]
    pub model: String,
}

const ENROL_AS: &[u8] = b"farmtally enrol 1\0";

impl EnrolRequest {
    /// Returns the request of a device with the new key `key`, with its proof.
    pub fn new(code: &str, key: &SigningKey, model: &str) -> Self {
        Self {
            protocol: PROTOCOL_VERSION,
            code: code.to_owned(),
            public_key: key.verifying_key().to_bytes(),
            proof: key.sign(&[ENROL_AS, code.as_bytes()].concat()).to_bytes(),
            model: model.to_owned(),
        }
    }

    /// Returns the public key if the proof is valid.
    pub fn verified_key(&self) -> Option<VerifyingKey> {
        proven(&self.public_key, &[ENROL_AS, self.code.as_bytes()].concat(), &self.proof)
    }
}

/// Body of `POST /v1/rekey`, signed with the old key: a new key and id. The same new key gets the same answer again.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct RekeyRequest {
    /// Protocol version of the phone.
    #[n(0)]
    pub protocol: u16,
    /// New public key of the device.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub public_key: [u8; 32],
    /// Signature over the old device id by the new key.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub proof: [u8; 64],
}

const REKEY_AS: &[u8] = b"farmtally rekey 1\0";

impl RekeyRequest {
    /// Returns the request, with its proof, of the device whose old id is `device` and whose new key is `key`.
    pub fn new(device: DeviceId, key: &SigningKey) -> Self {
        Self {
            protocol: PROTOCOL_VERSION,
            public_key: key.verifying_key().to_bytes(),
            proof: key.sign(&[REKEY_AS, device.as_bytes()].concat()).to_bytes(),
        }
    }

    /// Returns the new public key if the proof is valid for a device with this old id.
    pub fn verified_key(&self, device: DeviceId) -> Option<VerifyingKey> {
        proven(&self.public_key, &[REKEY_AS, device.as_bytes()].concat(), &self.proof)
    }
}

/// Returns the public key if the proof is its signature over the message.
fn proven(public_key: &[u8; 32], message: &[u8], proof: &[u8; 64]) -> Option<VerifyingKey> {
    let key = VerifyingKey::from_bytes(public_key).ok()?;
    key.verify(message, &Signature::from_bytes(proof)).ok().map(|()| key)
}

/// Response to an enrolment or a rekey.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Enrolment {
    /// Certificate of the device.
    #[n(0)]
    pub certificate: Certificate,
    /// Public key of the server, to be pinned.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub server_key: [u8; 32],
    /// Challenge for the first signed request.
    #[n(2)]
    pub challenge: Challenge,
    /// Time on the server's clock.
    #[n(3)]
    pub server_time: Timestamp,
}

impl Enrolment {
    /// Returns whether the certificate is for the device key `key` and signed by the server key beside it, whether or not that is pinned.
    pub fn is_for(&self, key: &VerifyingKey) -> bool {
        let server = VerifyingKey::from_bytes(&self.server_key);
        self.certificate.public_key == key.to_bytes() && server.is_ok_and(|server| self.certificate.verify(&server))
    }
}

/// Proof, signed by the server, that a device is enrolled. `POST /v1/readmit` shows it to a server that lost the enrolment.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Certificate {
    /// Organisation of the device.
    #[n(0)]
    pub organisation_id: OrganisationId,
    /// Id of the device.
    #[n(1)]
    pub device_id: DeviceId,
    /// Short code of the device, for receipts.
    #[n(2)]
    pub device_code: DeviceCode,
    /// Public key of the device.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub public_key: [u8; 32],
    /// User that the enrolment code was for; others may use the device too.
    #[n(4)]
    pub user_id: UserId,
    /// Id of the device before it took a new key, if it did.
    #[n(5)]
    pub ancestor_id: Option<DeviceId>,
    /// Time of enrolment.
    #[n(6)]
    pub enrolled_at: Timestamp,
    /// Public key that will follow the server's current one, to be pinned too; its private key is kept offline.
    #[cbor(n(7), with = "minicbor::bytes")]
    pub successor_key: [u8; 32],
    /// Signature of the server over all other fields.
    #[cbor(n(8), with = "minicbor::bytes")]
    pub signature: [u8; 64],
}

const CERTIFIED_AS: &[u8] = b"farmtally certificate 1\0";

impl Certificate {
    /// Signs the certificate with the server's key.
    #[must_use]
    pub fn sign(self, key: &SigningKey) -> Self {
        Self { signature: key.sign(&self.message()).to_bytes(), ..self }
    }

    /// Returns whether the server with this key signed the certificate.
    pub fn verify(&self, key: &VerifyingKey) -> bool {
        key.verify(&self.message(), &Signature::from_bytes(&self.signature)).is_ok()
    }

    fn message(&self) -> Vec<u8> {
        let mut message = CERTIFIED_AS.to_vec();
        message.extend(encode(&Self { signature: [0; 64], ..self.clone() }));
        message
    }
}

/// The server's time with a code that only it can make; every signed request repeats one of the last 48 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Challenge(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 24]);

/// Body of `POST /v1/sync`.
#[derive(Clone, Debug, Default, Encode, Decode)]
#[cbor(map)]
pub struct SyncRequest {
    /// Protocol version of the phone.
    #[n(0)]
    pub protocol: u16,
    /// Cursor of each scope; a scope that is not listed is read from the start.
    #[n(2)]
    pub cursors: Vec<CursorName>,
    /// Sealed bundles, oldest first.
    #[n(3)]
    pub bundles: Vec<minicbor::bytes::ByteVec>,
    /// Limit for the frames of the response, in bytes before compression; at most twice as much is sent.
    #[n(4)]
    pub budget_bytes: u32,
    /// Whether the device's own changes must be sent with their bytes, because it has trimmed their bundles or purged their scope.
    #[n(5)]
    pub own_bytes: bool,
    /// Parcels of other devices, oldest first.
    #[cbor(n(6), default, skip_if = "Vec::is_empty")]
    pub parcels: Vec<minicbor::bytes::ByteVec>,
    /// Earlier cursors of scopes that have diverged.
    #[cbor(n(7), default, skip_if = "Vec::is_empty")]
    pub checkpoints: Vec<CursorName>,
    /// Log entries that the server may have lost. A request with offers asks for nothing else.
    #[cbor(n(8), default, skip_if = "Vec::is_empty")]
    pub offers: Vec<Offer>,
    /// [`SafeCopy::copy`] that the device knows; 0 for none.
    #[cbor(n(9), default, skip_if = "is_zero")]
    pub safe_copy: u64,
}

fn is_zero<T: Default + PartialEq>(number: &T) -> bool {
    *number == T::default()
}

/// Response to `POST /v1/sync`. Attestation and updates stay encoded until their signature is verified.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct SyncResponse {
    /// Protocol version of the server.
    #[n(0)]
    pub protocol: u16,
    /// Challenge for the next signed request.
    #[n(1)]
    pub challenge: Challenge,
    /// CBOR of the [`Attestation`].
    #[n(2)]
    pub attestation: minicbor::bytes::ByteVec,
    /// CBOR of the [`SyncUpdates`].
    #[n(3)]
    pub updates: minicbor::bytes::ByteVec,
    /// Signature of the server over attestation and updates, and over the request that they answer; not over the challenge.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub signature: [u8; 64],
}

impl SyncResponse {
    /// Signs the response to a request; `request` is its body as sent.
    pub fn sign(
        request: &[u8],
        attestation: &Attestation,
        updates: &SyncUpdates,
        challenge: Challenge,
        key: &SigningKey,
    ) -> Self {
        let (attestation, updates) = (encode(attestation), encode(updates));
        let signature = key.sign(&Self::message(request, &attestation, &updates)).to_bytes();
        Self {
            protocol: PROTOCOL_VERSION,
            challenge,
            attestation: attestation.into(),
            updates: updates.into(),
            signature,
        }
    }

    /// Verifies the signature and decodes both parts; `request` is the body that was sent.
    ///
    /// # Errors
    /// [`WireError::Unsigned`] if the server did not sign this response to this request, [`WireError::Unreadable`].
    pub fn open(&self, request: &[u8], key: &VerifyingKey) -> Result<(Attestation, SyncUpdates), WireError> {
        let message = Self::message(request, &self.attestation, &self.updates);
        key.verify(&message, &Signature::from_bytes(&self.signature)).map_err(|_wrong| WireError::Unsigned)?;
        Ok((decode(&self.attestation).map_err(unreadable)?, decode(&self.updates).map_err(unreadable)?))
    }

    /// Returns the signed message. All but the attestation is hashed, so that a phone can keep an attestation as evidence without the rest.
    fn message(request: &[u8], attestation: &[u8], updates: &[u8]) -> Vec<u8> {
        Self::signed_part(Sha256::digest(request).into(), Sha256::digest(updates).into(), attestation)
    }

    pub(super) fn signed_part(request: [u8; 32], updates: [u8; 32], attestation: &[u8]) -> Vec<u8> {
        let mut message = b"farmtally answer 1\0".to_vec();
        message.extend(request);
        message.extend(updates);
        message.extend(attestation);
        message
    }

    /// Returns the evidence that the server signed its attestation, without verifying it; `request` is the body that was sent.
    pub fn evidence(&self, request: &[u8]) -> Evidence {
        Evidence {
            request: Sha256::digest(request).into(),
            updates: Sha256::digest(self.updates.as_slice()).into(),
            attestation: self.attestation.clone(),
            signature: self.signature,
        }
    }
}

/// Updates in a sync response: verdicts, frames and diverged scopes.
#[derive(Clone, Debug, Default, Encode, Decode)]
#[cbor(map)]
pub struct SyncUpdates {
    /// Verdicts on the bundles of the request; none if a scope has diverged.
    #[n(0)]
    pub verdicts: Vec<BundleVerdict>,
    /// Frames of logs, in the order of [`Scope`], the most urgent first.
    #[n(1)]
    pub frames: Vec<LogFrame>,
    /// Whether the server has more to send, or a repair must continue.
    #[n(2)]
    pub more: bool,
    /// Scopes whose log on the server is not the one that the device read. If there are any, no bundle or parcel is judged.
    #[n(3)]
    pub diverged: Vec<Divergence>,
    /// Verdicts on the carried parcels, which need not be carried again.
    #[cbor(n(4), default, skip_if = "Vec::is_empty")]
    pub parcels: Vec<ParcelVerdict>,
    /// Address to which the server moves; the phone uses it as soon as the server has answered there.
    #[n(5)]
    pub moved_to: Option<String>,
}

/// Log heads under the server's signature. A server that cannot reproduce one later has lost data.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Attestation {
    /// Device that the attestation is for.
    #[n(0)]
    pub device_id: DeviceId,
    /// Time on the server's clock.
    #[n(1)]
    pub server_time: Timestamp,
    /// Newest bundle of this device up to which the server has all; `None` if it lacks the first.
    #[n(2)]
    pub device_head: Option<DeviceHead>,
    /// Heads of the scopes with new entries for the device; it already has the heads of the others.
    #[n(3)]
    pub heads: Vec<Cursor>,
    /// Content of two safe copies, which the device may trim; absent if the device knows it already, or there are no two yet.
    #[n(4)]
    pub safe: Option<SafeCopy>,
    /// Number of recoveries that the server had begun. A loss that an attestation with an older number shows was already known.
    #[cbor(n(5), default, skip_if = "is_zero")]
    pub epoch: u32,
}

/// Content of two verified copies of the server's data.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SafeCopy {
    /// Time in milliseconds when the older of the two copies was made; identifies the pair.
    #[n(0)]
    pub copy: u64,
    /// Positions of logs in the copies, for the scopes of which the request has cursors.
    #[n(1)]
    pub scopes: Vec<SafePosition>,
    /// Number of the device's newest bundle in both copies; 0 for none.
    #[n(2)]
    pub bundle: u64,
}

/// Position up to which two verified copies contain a scope's log.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SafePosition {
    /// Scope of the log.
    #[n(0)]
    pub scope: Scope,
    /// Number of entries of the log that both copies contain.
    #[n(1)]
    pub sequence: u64,
}

/// Newest bundle of a device that the server has without a gap before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct DeviceHead {
    /// Number of the bundle.
    #[n(0)]
    pub sequence: u64,
    /// Hash of the bundle.
    #[n(1)]
    pub hash: BundleHash,
}

/// Verdict on a carried parcel. The verdicts on its bundles are for their own device only.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ParcelVerdict {
    /// Id of the parcel.
    #[n(0)]
    pub parcel_id: ParcelId,
    /// Reason if the whole parcel was refused; `None` if it was accepted.
    #[n(1)]
    pub refused: Option<RefusalCode>,
}

/// Verdict on a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct BundleVerdict {
    /// Index of the bundle in the request, from 0.
    #[n(0)]
    pub index: u32,
    /// Reason if the whole bundle was refused; it left no trace on the server.
    #[n(1)]
    pub refused: Option<RefusalCode>,
    /// Verdicts on its entries: consecutive runs from entry 0; none if it was refused.
    #[n(2)]
    pub runs: Vec<VerdictRun>,
}

/// Consecutive entries with the same verdict.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct VerdictRun {
    /// Number of entries.
    #[n(0)]
    pub count: u32,
    /// Verdict of the entries; if logged, that of the first, and the sequence numbers of the others follow.
    #[n(1)]
    pub verdict: Verdict,
}

/// Verdict on one entry.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Verdict {
    /// Logged at this position, now or earlier.
    #[n(0)]
    Logged {
        /// Scope of the document, as the server recorded it.
        #[n(0)]
        scope: Scope,
        /// Sequence number of the entry, from 1.
        #[n(1)]
        sequence: u64,
    },
    /// Waits for other changes, or for a newer server. Not an acknowledgement; any device may bring what is missing.
    #[n(1)]
    Deferred {
        /// Hashes of the missing changes; empty if the server is too old to judge the entry.
        #[n(0)]
        missing: Vec<ChangeHash>,
    },
    /// Kept unchanged for a person to decide.
    #[n(2)]
    Held {
        /// Code of the reason.
        #[n(0)]
        code: HoldCode,
        /// Details for people.
        #[n(1)]
        reason: String,
    },
    /// Rejected by a person, or builds on a rejected change: returned to its author and never logged.
    #[n(3)]
    Rejected {
        /// Text for the author; may be empty.
        #[n(0)]
        reason: String,
    },
    /// Its document was erased; drop the bytes.
    #[n(4)]
    Erased,
    /// Its bytes are missing, and the server has no erasure of its document. Not final: any device may bring the bytes.
    #[n(5)]
    BytesMissing,
}

impl Verdict {
    /// Returns whether this verdict continues a run that began with `first`, `count` entries before.
    fn continues(&self, first: &Self, count: u32) -> bool {
        match (first, self) {
            (Self::Logged { scope, sequence }, Self::Logged { scope: own_scope, sequence: own }) => {
                scope == own_scope && *own == sequence + u64::from(count)
            }
            _ => self == first,
        }
    }

    /// Groups verdicts into runs.
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

/// Consecutive entries of a scope's log, applied with the new cursor in one transaction.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct LogFrame {
    /// Scope of the log.
    #[n(0)]
    pub scope: Scope,
    /// Number of log entries before the first of the frame.
    #[n(1)]
    pub after: u64,
    /// Entries of the frame.
    #[n(2)]
    pub entries: Vec<FrameEntry>,
    /// Chain hash that must result after the last entry.
    #[n(3)]
    pub chain: ChainHash,
}

/// One or more entries of a log.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum FrameEntry {
    /// A change with its bytes: of another device; or of the receiver, if it asked for `own_bytes`.
    #[n(0)]
    Change {
        /// Envelope of the change.
        #[n(0)]
        envelope: ChangeEnvelope,
        /// The stripped change.
        #[cbor(n(1), with = "minicbor::bytes")]
        change: Vec<u8>,
    },
    /// A decision of the server.
    #[n(1)]
    Decision {
        /// Bytes of the decision, stored unchanged even by a phone that cannot read them yet.
        #[cbor(n(0), with = "minicbor::bytes")]
        decision: Vec<u8>,
    },
    /// Consecutive entries of one of the receiver's own bundles, whose bytes it has.
    #[n(2)]
    Own {
        /// Hash of the bundle.
        #[n(0)]
        bundle: BundleHash,
        /// Number of the first entry in the bundle, from 0.
        #[n(1)]
        first: u32,
        /// Number of entries.
        #[n(2)]
        count: u32,
    },
    /// A change of an erased document; only what the hash chain needs is left.
    #[n(3)]
    Erased {
        /// Envelope of the change.
        #[n(0)]
        envelope: ChangeEnvelope,
        /// Hash of the change.
        #[n(1)]
        change: ChangeHash,
    },
}

/// Body of a `401` response, after which the phone signs again with this challenge, and of the responses to `/v1/wiped` and `/v1/readmit`.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct ChallengeResponse {
    /// Challenge for the next signed request.
    #[n(0)]
    pub challenge: Challenge,
    /// Time on the server's clock.
    #[n(1)]
    pub server_time: Timestamp,
}

/// Body of any other error response.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Problem {
    /// Stable code from `docs/errors.md`.
    #[n(0)]
    pub code: String,
    /// Description of the problem, for logs.
    #[n(1)]
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_verdicts_in_a_row_are_one_run() {
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
            organisation_id: OrganisationId::from([3; 16]),
            device_id: DeviceId::from([4; 16]),
            device_code: DeviceCode(5),
            public_key: device.verifying_key().to_bytes(),
            user_id: UserId::from([6; 16]),
            ancestor_id: None,
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
            // A wrong challenge costs one more request; a wrong time is corrected by the first response.
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
