//! Encoding and decoding of request and response bodies.

use farmtally_core::ErrorCode;
use farmtally_core::protocol::message::{self, PROTOCOL_VERSION, Problem, WireError};

use crate::Error;

/// Requires a protocol version that this server supports.
pub(crate) fn require_protocol(protocol: u16) -> Result<(), Error> {
    match protocol {
        0 => Err(Error::invalid("protocol", "begins at 1")),
        // All older versions: what an old phone recorded must be accepted.
        1..=PROTOCOL_VERSION => Ok(()),
        newer => Err(Error::Incompatible {
            reason: format!("protocol {newer} is newer than this server: update the server"),
        }),
    }
}

/// Returns the text of an error for the caller; for status 500 and for files a general one: a message of the database may quote data.
/// Logs nothing.
pub(crate) fn public_reason(error: &Error) -> String {
    if error.status() == 500 || error.code() == ErrorCode::StorageDenied {
        "the server failed; its log says why".into()
    } else {
        error.to_string()
    }
}

/// Returns the response body that describes an error.
pub(crate) fn problem(error: &Error) -> Vec<u8> {
    pack(&Problem { code: error.code().to_string(), reason: public_reason(error) }).unwrap_or_default()
}

pub(crate) fn pack<T: minicbor::Encode<()>>(message: &T) -> Result<Vec<u8>, Error> {
    message::pack(message).map_err(|error| Error::Internal { reason: error.to_string() })
}

pub(crate) fn unpack<T: for<'b> minicbor::Decode<'b, ()>>(body: &[u8]) -> Result<T, Error> {
    message::unpack(body).map_err(|error| match error {
        WireError::TooLarge { .. } => Error::TooLarge { reason: error.to_string() },
        WireError::Unreadable { .. } | WireError::Unsigned => Error::invalid("body", error),
    })
}
