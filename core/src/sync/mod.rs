//! Sync between phone and server.
//!
//! Does not judge records; messages are in [`crate::protocol`]. Invariants: a change leaves the outbox only when the server names it; the
//! exchange has no network access, so tests run it over any transport. Read next: `exchange.rs`.

pub(crate) mod exchange;
#[cfg(feature = "http")]
mod http;
pub mod live;
pub(crate) mod piece_size;
pub(crate) mod request;
pub(crate) mod retry_schedule;
pub(crate) mod seal;
mod transport;

pub use exchange::Progress;
#[cfg(feature = "http")]
pub use http::{HttpTimeouts, HttpTransport};
#[cfg(feature = "http")]
pub use live::HttpLive;
pub use live::Live;
pub use transport::{
    CONTENT_TYPE, STOP_STEP, Transport, TransportError, UPLOAD_BYTES_PER_S, WireRequest, WireResponse,
};
