//! CBOR (RFC 8949) encoding and decoding, the same for documents, messages and the database.

use minicbor::{Decode, Encode};

/// Initial size of the buffer, in bytes. Most envelopes and values fit; growing the buffer would cost more than encoding them.
const COMMON_BYTES: usize = 128;

/// Encodes a value as CBOR.
#[expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "writing into memory cannot fail, and no type of ours refuses to be written"
)]
pub fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(COMMON_BYTES);
    minicbor::encode(value, &mut bytes).expect("memory takes all bytes");
    bytes
}

/// Decodes a value that fills `bytes` exactly.
///
/// # Errors
/// If `bytes` is anything other than one such value.
pub fn decode<T: for<'b> Decode<'b, ()>>(bytes: &[u8]) -> Result<T, minicbor::decode::Error> {
    let mut decoder = minicbor::Decoder::new(bytes);
    let value = decoder.decode()?;
    if decoder.position() == bytes.len() {
        Ok(value)
    } else {
        Err(minicbor::decode::Error::message("bytes after the value"))
    }
}
