//! The network seam: a [`Transport`] sends one request and returns one response.

use std::io::Read;
use std::time::Duration;

use crate::limits::MAX_WIRE_BYTES;
use crate::protocol::message::{self, WireError};
use crate::{Error, UnavailableCause};

/// An HTTP request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireRequest {
    /// HTTP method: `POST` or `GET`.
    pub method: &'static str,
    /// Address of the server without a slash at its end, such as `https://sync.example.org`.
    pub server_url: String,
    /// Path, such as `/v1/sync`.
    pub path: &'static str,
    /// Value of the `authorization` header, if the request is signed.
    pub authorization: Option<String>,
    /// CBOR message, compressed with zstd; empty if the request has none.
    pub body: Vec<u8>,
}

/// Media type of all bodies.
pub const CONTENT_TYPE: &str = "application/vnd.farmtally+cbor-zstd";

/// Bytes of a request that a second of further waiting for its answer is allowed for: a slow upload looks like silence.
pub const UPLOAD_BYTES_PER_S: u32 = 512;
/// Interval at which a transport that waits asks whether it must stop.
pub const STOP_STEP: Duration = Duration::from_millis(250);

impl WireRequest {
    /// Returns the bytes above TLS that this request costs: method, path, content type, `authorization` and body.
    pub fn bytes(&self) -> u64 {
        let headers = self.authorization.as_ref().map_or(0, |value| "authorization: \r\n".len() + value.len());
        let line = self.method.len() + self.path.len() + CONTENT_TYPE.len();
        (line + headers + self.body.len()) as u64
    }
}

/// An HTTP response of any status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireResponse {
    /// HTTP status code.
    pub status: u16,
    /// CBOR message, compressed with zstd; any bytes if a proxy answered.
    pub body: Vec<u8>,
    /// Value of the `location` header of a redirect, if it has one.
    pub location: Option<String>,
}

/// First bytes of a body that a proxy compressed with gzip (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// First bytes of every body that phone and server write: a zstd frame (RFC 8878).
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

impl WireResponse {
    /// Returns a response that is no redirect.
    pub fn new(status: u16, body: Vec<u8>) -> Self {
        Self { status, body, location: None }
    }

    /// Returns the message in the body, also if a proxy compressed it once more without having been asked.
    pub(crate) fn unpack<T: for<'b> minicbor::Decode<'b, ()>>(&self) -> Result<T, WireError> {
        match self.unzipped() {
            Some((body, Ok(_))) => message::unpack(&body),
            Some((_, Err(_))) | None => message::unpack(&self.body),
        }
    }

    /// Returns the error for a response of a successful status whose body is not the expected message.
    pub(crate) fn unreadable(&self, error: &WireError) -> Error {
        let unzipped = self.unzipped();
        let body = unzipped.as_ref().map_or(&self.body, |(body, _)| body);
        if body.is_empty() || body.starts_with(&ZSTD) {
            return Error::Unavailable { cause: UnavailableCause::Interrupted, reason: error.to_string() };
        }
        self.foreign_answer()
    }

    /// Returns the error for a response that something on the way wrote in the server's place.
    pub(crate) fn foreign_answer(&self) -> Error {
        let cause = match self.status {
            429 => UnavailableCause::RateLimited,
            408 | 502..=504 => UnavailableCause::Interrupted,
            _ => UnavailableCause::OtherAnswer,
        };
        let to = self.location.as_ref().map_or_else(String::new, |to| format!(" and leads to {to}"));
        let reason =
            format!("not the server, but something on the way to it answered, with status {}{to}", self.status);
        Error::Unavailable { cause, reason }
    }

    /// Returns the address of a server to which this response redirects a request for `path`, if it does. A captive portal leads to
    /// another path.
    pub(crate) fn redirected_server(&self, path: &str) -> Option<&str> {
        let location = self.location.as_deref().filter(|_| (300..400).contains(&self.status))?;
        location.strip_suffix(path).filter(|address| address.starts_with("http"))
    }

    /// Returns what a proxy compressed, as far as it arrived, and whether that is all; `None` if the body is not of gzip.
    fn unzipped(&self) -> Option<(Vec<u8>, std::io::Result<usize>)> {
        if !self.body.starts_with(&GZIP) {
            return None;
        }
        let mut body = Vec::new();
        let limit = MAX_WIRE_BYTES as u64 + 1;
        let read = flate2::read::GzDecoder::new(self.body.as_slice()).take(limit).read_to_end(&mut body);
        Some((body, read))
    }
}

/// Failure to get a response. The server may or may not have acted; retrying is always safe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct TransportError {
    /// Kind of the failure.
    pub cause: UnavailableCause,
    /// Description of the failure, for people.
    pub reason: String,
}

impl TransportError {
    /// Returns the error of a connection that could not be made.
    pub fn no_connection(reason: impl Into<String>) -> Self {
        Self { cause: UnavailableCause::NoConnection, reason: reason.into() }
    }

    /// Returns the error of a connection that broke, or was silent for too long.
    pub fn interrupted(reason: impl Into<String>) -> Self {
        Self { cause: UnavailableCause::Interrupted, reason: reason.into() }
    }
}

impl From<TransportError> for Error {
    fn from(error: TransportError) -> Self {
        Self::Unavailable { cause: error.cause, reason: format!("no answer from the server: {}", error.reason) }
    }
}

/// Sender of requests. This crate provides one for HTTPS; tests and apps may bring their own.
pub trait Transport: Send + Sync {
    /// Sends a request and returns the response, whatever its status, without following redirects.
    ///
    /// While it waits, a transport asks `must_stop` at least once a second, and fails as soon as that is true: the sync was cancelled, or its
    /// time is used up. It counts its own time limits from the last byte that moved, because a poor network moves few.
    ///
    /// # Errors
    /// [`TransportError`] if no response came within a time that the transport chooses, or it had to stop.
    fn send(&self, request: &WireRequest, must_stop: &dyn Fn() -> bool) -> Result<WireResponse, TransportError>;
}
