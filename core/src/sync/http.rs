//! HTTP and HTTPS transport.
//!
//! Uses rustls with ring and a fixed list of root certificates: the platform's verifier would need Kotlin code on Android.

use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::transport::{
    CONTENT_TYPE, STOP_STEP, Transport, TransportError, UPLOAD_BYTES_PER_S, WireRequest, WireResponse,
};
use crate::UnavailableCause;
use crate::environment::{Clock, Environment};
use crate::limits::MAX_WIRE_BYTES;

/// Time for which an idle connection is kept; less than a server keeps it.
const KEPT: Duration = Duration::from_secs(20);

/// Time limits of an [`HttpTransport`].
#[derive(Clone, Copy, Debug)]
pub struct HttpTimeouts {
    /// Longest time for making a connection.
    pub connect: Duration,
    /// Longest silence: from the request to the first byte of the response, and between bytes of it.
    pub idle: Duration,
    /// Longest silence after a request over a connection that was idle for longer than `trusted`. It may have died unnoticed, for instance
    /// because the phone changed from one network to another.
    pub doubted: Duration,
    /// Time for which an idle connection is not doubted.
    pub trusted: Duration,
    /// Bytes of a request that a second of further waiting is allowed for. The system takes a request as a whole and reports no progress of
    /// sending it, so a slow upload looks like silence.
    pub upload_bytes_per_s: u32,
}

impl Default for HttpTimeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            doubted: Duration::from_secs(8),
            trusted: Duration::from_secs(2),
            upload_bytes_per_s: UPLOAD_BYTES_PER_S,
        }
    }
}

/// Transport over HTTP or HTTPS; keeps connections open between requests. A request over a connection that was open already, and on which
/// nothing of a response came, is sent once more over a new one.
pub struct HttpTransport {
    runtime: tokio::runtime::Runtime,
    tls: rustls::ClientConfig,
    timeouts: HttpTimeouts,
    /// Its boot clock measures all waits, because the system's timers stop while the phone sleeps.
    clock: Arc<dyn Clock>,
    pool: Mutex<Pool>,
}

/// A client with its open connections, and the boot clock when the last response over one of them ended.
#[derive(Clone)]
struct Pool {
    client: reqwest::Client,
    answered_at_ms: Option<u64>,
}

/// A request without a response.
struct Failure {
    error: TransportError,
    /// Whether another connection may help: nothing of a response came, and nobody stopped the request.
    may_repeat: bool,
}

impl HttpTransport {
    /// Creates a transport with the default time limits and the system's clock.
    ///
    /// # Errors
    /// [`TransportError`] if TLS cannot be set up.
    pub fn open() -> Result<Self, TransportError> {
        Self::open_with(HttpTimeouts::default(), Environment::system().clock)
    }

    /// Creates a transport with these time limits, measured by the boot clock of `clock`.
    ///
    /// # Errors
    /// [`TransportError`] if TLS cannot be set up.
    pub fn open_with(timeouts: HttpTimeouts, clock: Arc<dyn Clock>) -> Result<Self, TransportError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let tls = tls()?;
        let client = client(tls.clone(), timeouts.connect)?;
        Ok(Self { runtime, tls, timeouts, clock, pool: Mutex::new(Pool { client, answered_at_ms: None }) })
    }

    /// Returns the time since the boot clock showed `since_ms`.
    fn passed(&self, since_ms: u64) -> Duration {
        Duration::from_millis(self.clock.boot_ms().saturating_sub(since_ms))
    }

    /// Sends a request, and waits up to `first` for the first byte of the response.
    fn exchange(
        &self,
        client: &reqwest::Client,
        request: &WireRequest,
        first: Duration,
        must_stop: &dyn Fn() -> bool,
    ) -> Result<WireResponse, Failure> {
        let early = |error| Failure { may_repeat: !must_stop(), error };
        let late = |error| Failure { may_repeat: false, error };
        let url = format!("{}{}", request.server_url, request.path);
        let method = reqwest::Method::from_bytes(request.method.as_bytes()).map_err(|error| late(failed(error)))?;
        let mut builder = client.request(method, url).header("content-type", CONTENT_TYPE);
        if let Some(authorization) = &request.authorization {
            builder = builder.header("authorization", authorization);
        }
        let sent = pin!(builder.body(request.body.clone()).send());
        let mut response =
            self.wait_for(sent, first, must_stop).map_err(early)?.map_err(|error| early(failed(error)))?;
        let location = response.headers().get("location").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut answer = WireResponse { status: response.status().as_u16(), body: Vec::new(), location };
        // One piece more than allowed is read, so that the exchange detects an oversized response.
        while answer.body.len() <= MAX_WIRE_BYTES {
            // A body that trickles is never silent for long.
            if must_stop() {
                return Err(late(stopped()));
            }
            let piece = self.wait_for(pin!(response.chunk()), self.timeouts.idle, must_stop).map_err(late)?;
            let Some(piece) = piece.map_err(|error| late(failed(error)))? else { break };
            answer.body.extend_from_slice(&piece);
        }
        Ok(answer)
    }

    /// Waits for a future, up to `longest`, and until `must_stop`.
    fn wait_for<F: Future>(
        &self,
        mut future: Pin<&mut F>,
        longest: Duration,
        must_stop: &dyn Fn() -> bool,
    ) -> Result<F::Output, TransportError> {
        let started_ms = self.clock.boot_ms();
        loop {
            // After a sleep of the phone, what arrived meanwhile is read first.
            let is_last = self.passed(started_ms) >= longest;
            match self.runtime.block_on(async { tokio::time::timeout(STOP_STEP, future.as_mut()).await }) {
                Ok(output) => return Ok(output),
                Err(_elapsed) if must_stop() => return Err(stopped()),
                Err(_elapsed) if is_last => {
                    return Err(TransportError::interrupted(format!("nothing arrived for {} s", longest.as_secs())));
                }
                Err(_elapsed) => {}
            }
        }
    }
}

impl Transport for HttpTransport {
    fn send(&self, request: &WireRequest, must_stop: &dyn Fn() -> bool) -> Result<WireResponse, TransportError> {
        let upload = request.body.len() as u64 / u64::from(self.timeouts.upload_bytes_per_s.max(1));
        let upload = Duration::from_secs(upload);
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let idle = pool.answered_at_ms.map(|at_ms| self.passed(at_ms));
        if idle.is_some_and(|idle| idle >= KEPT) {
            // The client closes idle connections by itself, but counts no sleep.
            pool.client = client(self.tls.clone(), self.timeouts.connect)?;
        }
        let idle = idle.filter(|idle| *idle < KEPT);
        let is_doubted = idle.is_some_and(|idle| idle >= self.timeouts.trusted);
        let first = upload + if is_doubted { self.timeouts.doubted } else { self.timeouts.idle };
        let mut answer = self.exchange(&pool.client, request, first, must_stop);
        // Every request may be repeated.
        if idle.is_some() && answer.as_ref().is_err_and(|it| it.may_repeat) {
            pool.client = client(self.tls.clone(), self.timeouts.connect)?;
            answer = self.exchange(&pool.client, request, self.timeouts.idle + upload, must_stop);
        }
        pool.answered_at_ms = answer.is_ok().then(|| self.clock.boot_ms());
        *self.pool.lock().unwrap_or_else(PoisonError::into_inner) = pool;
        answer.map_err(|failure| failure.error)
    }
}

fn stopped() -> TransportError {
    TransportError::interrupted("stopped before the answer")
}

fn client(tls: rustls::ClientConfig, connect: Duration) -> Result<reqwest::Client, TransportError> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .connect_timeout(connect)
        .pool_idle_timeout(KEPT)
        // A phone has no proxy in its environment, and a developer's proxy must not intercept connections to loopback.
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(failed)
}

pub(super) fn tls() -> Result<rustls::ClientConfig, TransportError> {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(tls.map_err(failed)?.with_root_certificates(roots).with_no_client_auth())
}

/// Keeps an error's root cause: reqwest's own text says only which request failed, by a URL that may contain a name.
pub(super) fn failed(error: impl std::error::Error + 'static) -> TransportError {
    let mut reason = error.to_string();
    let mut kind = UnavailableCause::Interrupted;
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(error) = cause {
        if error.downcast_ref::<reqwest::Error>().is_some_and(reqwest::Error::is_connect) {
            kind = UnavailableCause::NoConnection;
        }
        if let Some(rustls::Error::InvalidCertificate(_)) = tls_error(error) {
            kind = UnavailableCause::WrongCertificate;
        }
        cause = error.source();
        if let Some(error) = cause {
            reason = error.to_string();
        }
    }
    TransportError { cause: kind, reason }
}

/// Returns an error of TLS, which is mostly inside of an I/O error that does not name it as its source.
fn tls_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    error.downcast_ref().or_else(|| inner?.downcast_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_is_not_valid_is_named_as_the_cause() {
        let expired = || rustls::Error::InvalidCertificate(rustls::CertificateError::Expired);
        for (error, cause) in [
            (std::io::Error::other(expired()), UnavailableCause::WrongCertificate),
            (std::io::Error::other(rustls::Error::DecryptError), UnavailableCause::Interrupted),
            (std::io::ErrorKind::ConnectionReset.into(), UnavailableCause::Interrupted),
        ] {
            assert_eq!(failed(error).cause, cause);
        }
        assert_eq!(failed(expired()).cause, UnavailableCause::WrongCertificate);
    }
}
