//! CBOR (RFC 8949) in and out, one way for documents, wire and database.

use minicbor::{Decode, Encode};

/// What most envelopes and values fit into, in bytes: growing would cost more than writing.
const COMMON_BYTES: usize = 128;

/// Writes a value as CBOR.
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

/// Reads a value that fills `bytes` exactly.
///
/// # Errors
/// Anything else than one such value.
pub fn decode<T: for<'b> Decode<'b, ()>>(bytes: &[u8]) -> Result<T, minicbor::decode::Error> {
    let mut decoder = minicbor::Decoder::new(bytes);
    let value = decoder.decode()?;
    if decoder.position() == bytes.len() {
        Ok(value)
    } else {
        Err(minicbor::decode::Error::message("bytes after the value"))
    }
}
