//! The border to the network: one request, one answer.

/// A request as it goes over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireRequest {
    /// `POST` or `GET`.
    pub method: &'static str,
    /// The server's address without a slash at its end, such as `https://sync.example.org`.
    pub server_url: String,
    /// The path, such as `/v1/sync`.
    pub path: &'static str,
    /// The `authorization` header, if the request is signed.
    pub authorization: Option<String>,
    /// A CBOR message in zstd.
    pub body: Vec<u8>,
}

/// The media type of all bodies.
pub const CONTENT_TYPE: &str = "application/vnd.farmtally+cbor-zstd";

impl WireRequest {
    /// Bytes above TLS that this request costs: body, path and the headers named here.
    pub fn bytes(&self) -> u64 {
        let headers = self.authorization.as_ref().map_or(0, |value| "authorization: \r\n".len() + value.len());
        let line = self.method.len() + self.path.len() + CONTENT_TYPE.len();
        (line + headers + self.body.len()) as u64
    }
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireResponse {
    /// The HTTP status.
    pub status: u16,
    /// A CBOR message in zstd; anything at all from a proxy in between.
    pub body: Vec<u8>,
}

/// No answer came. The server may or may not have acted; asking again is always safe.
#[derive(Clone, Debug, thiserror::Error)]
#[error("no answer from the server: {reason}")]
pub struct TransportError {
    /// What happened.
    pub reason: String,
}

/// Carries requests. Core brings one for HTTPS; tests and apps may bring their own.
pub trait Transport: Send + Sync {
    /// Sends a request and waits for the answer.
    ///
    /// # Errors
    /// [`TransportError`] if none came within a time of the transport's choosing.
    fn send(&self, request: &WireRequest) -> Result<WireResponse, TransportError>;
}
