//! HTTP and HTTPS transport.
//!
//! Uses rustls with ring and a fixed list of root certificates: the platform's verifier would need Kotlin code on Android.

use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::transport::{CONTENT_TYPE, Transport, TransportError, WireRequest, WireResponse};
use crate::limits::MAX_WIRE_BYTES;

/// Longest time that a response may take.
const ANSWER_TIME: Duration = Duration::from_secs(60);

/// Transport over HTTP or HTTPS; keeps connections open between requests.
#[derive(Clone, Debug)]
pub struct HttpTransport {
    client: reqwest::blocking::Client,
}

impl HttpTransport {
    /// Creates a transport that waits up to ten seconds for a connection and a minute for a response.
    ///
    /// # Errors
    /// [`TransportError`] if TLS cannot be set up.
    pub fn open() -> Result<Self, TransportError> {
        let client = reqwest::blocking::Client::builder()
            .tls_backend_preconfigured(tls()?)
            .connect_timeout(Duration::from_secs(10))
            .timeout(ANSWER_TIME)
            // Less than a server keeps an idle connection.
            .pool_idle_timeout(Duration::from_secs(20))
            // A phone has no proxy in its environment, and a developer's proxy must not intercept connections to loopback.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(failed)?;
        Ok(Self { client })
    }
}

impl Transport for HttpTransport {
    fn send(&self, request: &WireRequest) -> Result<WireResponse, TransportError> {
        let url = format!("{}{}", request.server_url, request.path);
        let method = reqwest::Method::from_bytes(request.method.as_bytes()).map_err(failed)?;
        let mut builder = self.client.request(method, url).header("content-type", CONTENT_TYPE);
        if let Some(authorization) = &request.authorization {
            builder = builder.header("authorization", authorization);
        }
        let asked_at = Instant::now();
        let response = builder.body(request.body.clone()).send().map_err(failed)?;
        let status = response.status().as_u16();
        // One byte more than allowed is read, so that the exchange detects an oversized response.
        let mut answer = BufReader::new(response.take(MAX_WIRE_BYTES as u64 + 1));
        let mut body = Vec::new();
        loop {
            let piece = answer.fill_buf().map_err(failed)?;
            if piece.is_empty() {
                return Ok(WireResponse { status, body });
            }
            // Each read has its own timeout; many short reads must not take for ever.
            if asked_at.elapsed() > ANSWER_TIME {
                return Err(TransportError { reason: "the response took too long".into() });
            }
            body.extend_from_slice(piece);
            let read = piece.len();
            answer.consume(read);
        }
    }
}

pub(super) fn tls() -> Result<rustls::ClientConfig, TransportError> {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(tls.map_err(failed)?.with_root_certificates(roots).with_no_client_auth())
}

/// Keeps an error's root cause: reqwest's own text says only which request failed, by a URL that may contain a name.
pub(super) fn failed(error: impl std::error::Error) -> TransportError {
    let mut reason = String::new();
    let mut cause: Option<&dyn std::error::Error> = error.source();
    while let Some(error) = cause {
        reason = error.to_string();
        cause = error.source();
    }
    TransportError { reason: if reason.is_empty() { error.to_string() } else { reason } }
}
