//! Requests to the server, and the errors that its responses, or those of others, mean.

use ed25519_dalek::SigningKey;

use super::transport::{WireRequest, WireResponse};
use crate::protocol::authorization::{Authorization, SignedRequest};
use crate::protocol::message::{self, ChallengeResponse, Enrolment, Problem, RekeyRequest, WireError};
use crate::protocol::path;
use crate::store::installation::Installation;
use crate::{Error, ErrorCode, UnavailableCause};

pub(crate) fn rekey_request(installation: &Installation, key: &SigningKey) -> Result<WireRequest, Error> {
    let body = message::pack(&RekeyRequest::new(installation.device_id, key)).map_err(|error| internal(&error))?;
    Ok(signed_request("POST", installation, installation.challenge, path::REKEY, body))
}

/// Returns the challenge in a [`ChallengeResponse`], whatever its status; `None` if the body is another, such as that of a proxy.
pub(crate) fn challenge(answer: &WireResponse) -> Option<message::Challenge> {
    answer.unpack::<ChallengeResponse>().ok().map(|answer| answer.challenge)
}

pub(crate) fn unknown_device() -> Error {
    Error::Unauthorized { reason: "the server does not know this device: export its work and ask the office".into() }
}

/// Returns an unsigned request, for a device that the server does not know.
pub(crate) fn unsigned_request(
    server_url: &str,
    path: &'static str,
    message: &impl minicbor::Encode<()>,
) -> Result<WireRequest, Error> {
    let body = message::pack(message).map_err(|error| internal(&error))?;
    Ok(WireRequest { method: "POST", server_url: server_url.to_owned(), path, authorization: None, body })
}

pub(crate) fn signed_request(
    method: &'static str,
    installation: &Installation,
    challenge: message::Challenge,
    path: &'static str,
    body: Vec<u8>,
) -> WireRequest {
    let signed = SignedRequest { server_key: &installation.server_key, method, path, body: &body };
    let authorization = Authorization::sign(&signed, installation.device_id, challenge, &installation.key).to_header();
    let server_url = installation.server_url.clone();
    WireRequest { method, server_url, path, authorization: Some(authorization), body }
}

/// Reads the response to an enrolment or rekey, which must be for this device key. The caller compares the server key with the pinned one.
pub(crate) fn enrolment(response: &WireResponse, key: &SigningKey) -> Result<Enrolment, Error> {
    if !is_success(response.status) {
        return Err(problem(response, "code"));
    }
    response
        .unpack()
        .and_then(|it: Enrolment| if it.is_for(&key.verifying_key()) { Ok(it) } else { Err(WireError::Unsigned) })
        .map_err(|error| response.unreadable(&error))
}

/// Returns whether a status is that of an answer: 200, or 203 from a proxy that has transformed it.
pub(crate) fn is_success(status: u16) -> bool {
    matches!(status, 200 | 203)
}

/// Returns the error for a failed response: by the server's code, or that of a missing answer if the server did not write the body.
pub(super) fn problem(response: &WireResponse, field: &'static str) -> Error {
    let Ok(Problem { code, reason }) = response.unpack() else { return response.foreign_answer() };
    match code.parse().unwrap_or_else(|_newer| code_of_status(response.status)) {
        ErrorCode::Unauthorized => Error::Unauthorized { reason },
        code @ (ErrorCode::NotAllowed | ErrorCode::OutOfScope | ErrorCode::Locked) => Error::Refused { code, reason },
        ErrorCode::TooLarge => Error::TooLarge { field, reason },
        ErrorCode::InvalidInput => Error::Invalid { field, reason },
        // A server of another version does not have this path.
        ErrorCode::IncompatibleVersion | ErrorCode::NotFound => Error::UpdateNeeded { reason },
        ErrorCode::RateLimited => Error::Unavailable { cause: UnavailableCause::RateLimited, reason },
        // If it is the server's disk that is full or read-only, there is nothing that the person with the phone can fix.
        ErrorCode::Interrupted | ErrorCode::Offline | ErrorCode::StorageFull | ErrorCode::StorageDenied => {
            Error::Unavailable { cause: UnavailableCause::Interrupted, reason }
        }
        ErrorCode::ConfirmNeeded
        | ErrorCode::AllowanceExceeded
        | ErrorCode::Stale
        | ErrorCode::KeyUnavailable
        | ErrorCode::WrongKey
        | ErrorCode::StorageCorrupt
        | ErrorCode::StorageTooNew
        | ErrorCode::Internal => Error::Internal { reason },
    }
}

/// Returns the code for the status of a server with a code of a newer version.
fn code_of_status(status: u16) -> ErrorCode {
    match status {
        401 => ErrorCode::Unauthorized,
        403 => ErrorCode::NotAllowed,
        413 => ErrorCode::TooLarge,
        422 => ErrorCode::InvalidInput,
        426 => ErrorCode::IncompatibleVersion,
        429 => ErrorCode::RateLimited,
        503 => ErrorCode::Interrupted,
        _ => ErrorCode::Internal,
    }
}

pub(super) fn internal(error: &dyn std::error::Error) -> Error {
    Error::Internal { reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_none_is_read_by_the_servers_code_and_otherwise_is_no_connection() {
        let written = |code: &str| message::pack(&Problem { code: code.into(), reason: "why".into() }).expect("a body");
        for (status, body, expected) in [
            (503, written("storage_full"), "interrupted"),
            (403, written("locked"), "locked"),
            (403, written("out_of_scope"), "out_of_scope"),
            (422, written("rate_limited"), "rate_limited"),
            (404, written("not_found"), "incompatible_version"),
            (500, written("storage_corrupt"), "internal"),
            (200, written("invalid_input"), "invalid_input"),
            (429, written("a_code_of_a_newer_version"), "rate_limited"),
            (418, written("a_code_of_a_newer_version"), "internal"),
            (403, b"<html>".to_vec(), "offline"),
            (404, Vec::new(), "offline"),
            (504, Vec::new(), "interrupted"),
            (500, Vec::new(), "offline"),
            (429, Vec::new(), "rate_limited"),
        ] {
            let is_written = !body.is_empty() && body != b"<html>";
            let error = problem(&WireResponse::new(status, body), "request");
            assert_eq!(error.code().as_str(), expected, "{status}");
            let text = if is_written { "why".to_owned() } else { status.to_string() };
            assert!(error.to_string().contains(&text), "{error}");
        }
    }
}
