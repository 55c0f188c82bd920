//! A slow connection to the server in virtual time, with something on the way that answers or changes messages.
//!
//! Moves the clock of the market, so that a test or a measurement is exact and instant.

use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use farmtally_core::environment::Clock;
use farmtally_core::sync::{Transport, TransportError, WireRequest, WireResponse};

use crate::{Market, TestClock};

/// Bytes of the line and the headers of a response.
const RESPONSE_HEAD_BYTES: u64 = 120;
/// Interval at which a running transfer asks whether it is to stop.
const STEP_MS: u64 = 500;

/// What is on the way between phone and server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Middlebox {
    /// Nothing: request and response pass unchanged.
    None,
    /// A page answers with this status in place of the server.
    Page(u16),
    /// A proxy that gives each response of status 200 this status.
    Relabels(u16),
    /// A proxy that compresses responses with gzip without having been asked.
    Compresses,
    /// A proxy that compresses responses with gzip and is cut off after this many bytes of each.
    CutsCompressed(usize),
    /// A proxy that refuses larger requests than this many bytes with a page of status 413.
    LimitsRequests(usize),
    /// A proxy that cuts larger responses than this many bytes.
    CutsResponses(usize),
}

/// A connection with a rate, a latency and a time for which it lasts.
pub struct Link {
    market: Arc<dyn Transport>,
    clock: Arc<TestClock>,
    up_bytes_per_s: u64,
    down_bytes_per_s: u64,
    latency_ms: u64,
    /// Monotonic time at which the connection breaks.
    breaks_at_ms: Mutex<u64>,
    middlebox: Mutex<Middlebox>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Link {
    /// A link to a market's server with these rates, a quarter of a second of latency each way, and nothing on the way.
    pub fn new(market: &Market, up_bytes_per_s: u64, down_bytes_per_s: u64) -> Self {
        Self {
            market: Arc::new(market.network()),
            clock: Arc::clone(&market.clock),
            up_bytes_per_s,
            down_bytes_per_s,
            latency_ms: 250,
            breaks_at_ms: Mutex::new(u64::MAX),
            middlebox: Mutex::new(Middlebox::None),
        }
    }

    /// Lets the connection break this many seconds from now.
    pub fn breaks_in(&self, seconds: u64) {
        *lock(&self.breaks_at_ms) = self.clock.boot_ms() + seconds * 1_000;
    }

    /// Puts something on the way.
    pub fn passes(&self, middlebox: Middlebox) {
        *lock(&self.middlebox) = middlebox;
    }

    /// Lets the time pass that so many bytes take; fails when the connection breaks before, or the phone stops waiting.
    fn moves(&self, bytes: u64, bytes_per_s: u64, must_stop: &dyn Fn() -> bool) -> Result<(), TransportError> {
        let mut left_ms = self.latency_ms + bytes * 1_000 / bytes_per_s;
        while left_ms > 0 {
            let until_broken = lock(&self.breaks_at_ms).saturating_sub(self.clock.boot_ms());
            if until_broken == 0 {
                return Err(TransportError::interrupted("the connection broke"));
            }
            if must_stop() {
                return Err(TransportError::interrupted("stopped"));
            }
            let step = left_ms.min(STEP_MS).min(until_broken);
            self.clock.pass_ms(step);
            left_ms -= step;
        }
        Ok(())
    }
}

/// Compresses bytes as a proxy does.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("compressed");
    encoder.finish().expect("compressed")
}

impl Transport for Link {
    fn send(&self, request: &WireRequest, must_stop: &dyn Fn() -> bool) -> Result<WireResponse, TransportError> {
        self.moves(request.bytes(), self.up_bytes_per_s, must_stop)?;
        let middlebox = *lock(&self.middlebox);
        let page = |status| WireResponse::new(status, b"<html>This is not the server</html>".to_vec());
        let mut response = match middlebox {
            Middlebox::Page(status) => page(status),
            Middlebox::LimitsRequests(bytes) if request.body.len() > bytes => page(413),
            _ => self.market.send(request, must_stop)?,
        };
        match middlebox {
            Middlebox::Relabels(status) if response.status == 200 => response.status = status,
            Middlebox::Compresses => response.body = gzip(&response.body),
            Middlebox::CutsCompressed(bytes) => {
                response.body = gzip(&response.body);
                response.body.truncate(bytes);
            }
            Middlebox::CutsResponses(bytes) => response.body.truncate(bytes),
            _ => {}
        }
        self.moves(RESPONSE_HEAD_BYTES + response.body.len() as u64, self.down_bytes_per_s, must_stop)?;
        Ok(response)
    }
}
