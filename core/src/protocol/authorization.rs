//! Signed requests: a device signs each request instead of keeping a token, so there is nothing to refresh or lose.
//!
//! Header: `authorization: FarmTally <base64url of device id, challenge and signature>`. The signature covers server key, device, method,
//! path, SHA-256 of the body as sent, and an earlier challenge. Requests are idempotent, so a challenge may be used again.

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey};
use sha2::{Digest, Sha256};

use super::message::Challenge;
use crate::units::DeviceId;

const SCHEME: &str = "FarmTally ";

/// Content of an `authorization` header.
#[derive(Clone, Debug)]
pub struct Authorization {
    /// Device that signed the request.
    pub device_id: DeviceId,
    /// Challenge from an earlier response.
    pub challenge: Challenge,
    signature: [u8; 64],
}

impl Authorization {
    /// Signs a request with the device's key.
    pub fn sign(request: &SignedRequest<'_>, device: DeviceId, challenge: Challenge, key: &SigningKey) -> Self {
        let signature = key.sign(&request.message(device, challenge)).to_bytes();
        Self { device_id: device, challenge, signature }
    }

    /// Returns whether the device with this key signed the request. Does not check that the challenge is the server's, or recent.
    pub fn verify(&self, request: &SignedRequest<'_>, key: &VerifyingKey) -> bool {
        let message = request.message(self.device_id, self.challenge);
        key.verify(&message, &Signature::from_bytes(&self.signature)).is_ok()
    }

    /// Returns the header's value.
    pub fn to_header(&self) -> String {
        let bytes = [self.device_id.as_bytes().as_slice(), &self.challenge.0, &self.signature].concat();
        format!("{SCHEME}{}", BASE64URL_NOPAD.encode(&bytes))
    }

    /// Parses a header's value without verifying it; `None` if it has another form.
    pub fn from_header(value: &str) -> Option<Self> {
        let bytes = BASE64URL_NOPAD.decode(value.strip_prefix(SCHEME)?.as_bytes()).ok()?;
        let (device, rest) = bytes.split_first_chunk::<16>()?;
        let (challenge, signature) = rest.split_first_chunk::<24>()?;
        Some(Self {
            device_id: DeviceId::from(*device),
            challenge: Challenge(*challenge),
            signature: signature.try_into().ok()?,
        })
    }
}

/// Parts of a request that the signature covers.
#[derive(Clone, Copy, Debug)]
pub struct SignedRequest<'a> {
    /// Public key of the server that the request is for.
    pub server_key: &'a [u8; 32],
    /// HTTP method: `POST` or `GET`.
    pub method: &'a str,
    /// Path without the server's address.
    pub path: &'a str,
    /// Body as sent, that is, compressed.
    pub body: &'a [u8],
}

impl SignedRequest<'_> {
    fn message(&self, device: DeviceId, challenge: Challenge) -> Vec<u8> {
        let mut message = b"farmtally request 1\0".to_vec();
        message.extend(self.server_key);
        message.extend(device.as_bytes());
        message.extend(challenge.0);
        message.extend(<[u8; 32]>::from(Sha256::digest(self.body)));
        message.extend(self.method.as_bytes());
        message.push(0);
        message.extend(self.path.as_bytes());
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_verifies_only_its_own_request() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let (device, challenge) = (DeviceId::from([2; 16]), Challenge([3; 24]));
        let request = SignedRequest { server_key: &[4; 32], method: "POST", path: "/v1/sync", body: b"body" };
        let header = Authorization::sign(&request, device, challenge, &key).to_header();
        let read = Authorization::from_header(&header).expect("it reads");
        assert!(read.verify(&request, &key.verifying_key()));
        let others = [
            SignedRequest { server_key: &[5; 32], ..request },
            SignedRequest { method: "GET", ..request },
            SignedRequest { path: "/v1/live", ..request },
            SignedRequest { body: b"bodi", ..request },
        ];
        for other in others {
            assert!(!read.verify(&other, &key.verifying_key()), "{other:?}");
        }
        assert!(!read.verify(&request, &SigningKey::from_bytes(&[9; 32]).verifying_key()));
        let mut shortened = header.clone();
        shortened.pop();
        for wrong in ["", "FarmTally ", "Bearer x", &shortened] {
            assert!(Authorization::from_header(wrong).is_none(), "{wrong:?}");
        }
    }
}
