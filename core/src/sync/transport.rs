//! The network seam: a [`Transport`] sends one request and returns one response.

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

impl WireRequest {
    /// Returns the bytes above TLS that this request costs: method, path, content type, `authorization` and body.
    pub fn bytes(&self) -> u64 {
        let headers = self.authorization.as_ref().map_or(0, |value| "authorization: \r\n".len() + value.len());
        let line = self.method.len() + self.path.len() + CONTENT_TYPE.len();
        (line + headers + self.body.len()) as u64
    }
}

/// An HTTP response of any status: that and its body; no header is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireResponse {
    /// HTTP status code.
    pub status: u16,
    /// CBOR message, compressed with zstd; any bytes if a proxy answered.
    pub body: Vec<u8>,
}

/// Failure to get a response. The server may or may not have acted; retrying is always safe.
#[derive(Clone, Debug, thiserror::Error)]
#[error("no answer from the server: {reason}")]
pub struct TransportError {
    /// Description of the failure.
    pub reason: String,
}

/// Sender of requests. This crate provides one for HTTPS; tests and apps may bring their own.
pub trait Transport: Send + Sync {
    /// Sends a request and returns the response, whatever its status, without following redirects.
    ///
    /// # Errors
    /// [`TransportError`] if no response came within a time that the transport chooses.
    fn send(&self, request: &WireRequest) -> Result<WireResponse, TransportError>;
}
