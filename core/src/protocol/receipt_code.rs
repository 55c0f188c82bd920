//! The code on a receipt: what was printed, signed by the device that printed it, so that a changed receipt is noticed without network.
//!
//! Format: `docs/protocol.md`, "Receipt codes". It has no personal data.

use data_encoding::{BASE64URL_NOPAD, HEXUPPER};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use minicbor::{Decode, Encode};

use crate::codec::{decode, encode};
use crate::units::{DeliveryId, DeviceId, Grams, ReceiptNumber, UnitError};

/// Beginning of a code.
const PREFIX: &str = "FTR1-";
/// What is signed begins with this.
const CONTEXT: &[u8] = b"farmtally receipt 1\0";

/// What a receipt says.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ReceiptCode {
    /// Id of the delivery.
    #[n(0)]
    pub delivery_id: DeliveryId,
    /// Version of the delivery that was printed: the first eight bytes of the SHA-256 over its heads.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub version: [u8; 8],
    /// Receipt number, as printed.
    #[n(2)]
    pub receipt_number: String,
    /// Number of bags.
    #[n(3)]
    pub bags: u32,
    /// Gross weight.
    #[n(4)]
    pub gross: Grams,
    /// Net weight.
    #[n(5)]
    pub net: Grams,
    /// Whether the delivery was voided.
    #[n(6)]
    pub is_voided: bool,
    /// Device that printed it.
    #[n(7)]
    pub device_id: DeviceId,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Signed {
    #[n(0)]
    code: ReceiptCode,
    #[cbor(n(1), with = "minicbor::bytes")]
    signature: [u8; 64],
}

impl ReceiptCode {
    /// Returns the content of the QR code, signed with the device's key.
    pub fn sign(&self, key: &SigningKey) -> String {
        let signed = Signed { code: self.clone(), signature: key.sign(&self.message()).to_bytes() };
        format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&encode(&signed)))
    }

    /// Returns the digest that is printed below the code: the version as 16 hexadecimal digits.
    pub fn digest(&self) -> String {
        HEXUPPER.encode(&self.version)
    }

    /// Reads a code. Whether the device signed it is known only after [`SignedReceipt::verify`].
    ///
    /// # Errors
    /// [`UnitError`] for a text that is no such code.
    pub fn read(text: &str) -> Result<SignedReceipt, UnitError> {
        let bytes = text.trim().strip_prefix(PREFIX).and_then(|rest| BASE64URL_NOPAD.decode(rest.as_bytes()).ok());
        let signed = bytes.and_then(|bytes| decode::<Signed>(&bytes).ok());
        let Signed { code, signature } =
            signed.ok_or_else(|| UnitError::new("not the code of a receipt: scan it again from the paper"))?;
        code.receipt_number.parse::<ReceiptNumber>()?;
        Ok(SignedReceipt { code, signature: Signature::from_bytes(&signature) })
    }

    fn message(&self) -> Vec<u8> {
        [CONTEXT, encode(self).as_slice()].concat()
    }
}

/// A code that was read from a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedReceipt {
    /// What the receipt says.
    pub code: ReceiptCode,
    signature: Signature,
}

impl SignedReceipt {
    /// Returns whether this key signed the code.
    pub fn verify(&self, key: &VerifyingKey) -> bool {
        key.verify_strict(&self.code.message(), &self.signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MAX_PRINTED_CODE;

    fn code() -> ReceiptCode {
        ReceiptCode {
            delivery_id: DeliveryId::from([1; 16]),
            version: [2; 8],
            receipt_number: "KOLAR-10-17-C".into(),
            bags: 55,
            gross: Grams(3_431_000),
            net: Grams(3_321_000),
            is_voided: false,
            device_id: DeviceId::from([3; 16]),
        }
    }

    #[test]
    fn a_code_is_verified_by_the_key_of_its_device_only() {
        let (key, other) = (SigningKey::from_bytes(&[7; 32]), SigningKey::from_bytes(&[8; 32]));
        let receipt = ReceiptNumber {
            centre: "KOLAR".parse().expect("a code"),
            device_code: crate::units::DeviceCode(32),
            sequence: 17,
        };
        let code = ReceiptCode { receipt_number: receipt.to_string(), ..code() };
        let text = code.sign(&key);
        assert!(text.len() < 250 && text.len() < MAX_PRINTED_CODE, "{} characters", text.len());
        let read = ReceiptCode::read(&text).expect("a code");
        assert_eq!(read.code, code);
        assert!(read.verify(&key.verifying_key()));
        assert!(!read.verify(&other.verifying_key()));
        let heavier = SignedReceipt { code: ReceiptCode { net: Grams(3_321_001), ..code }, ..read };
        assert!(!heavier.verify(&key.verifying_key()));
    }

    #[test]
    fn what_is_no_code_is_refused() {
        for text in ["", "FTR1-", "FTR1-AAAA", "FTL1-AAAA", &code().sign(&SigningKey::from_bytes(&[7; 32]))] {
            ReceiptCode::read(text).expect_err(text);
        }
    }
}
