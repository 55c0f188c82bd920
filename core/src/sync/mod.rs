//! How work reaches the server and news reaches the phone.
//!
//! Owns the order of an exchange, the sealing of bundles, when a sync is tried again, and the network seam. Does not judge records; what is
//! said is in [`crate::protocol`]. Invariants: nothing leaves the outbox without a verdict that names it; the exchange has no network of its
//! own, so tests drive it through any. Read next: `exchange.rs`.

pub(crate) mod exchange;
#[cfg(feature = "http")]
mod http;
pub mod live;
pub(crate) mod retry_schedule;
pub(crate) mod seal;
mod transport;

pub use exchange::Progress;
#[cfg(feature = "http")]
pub use http::HttpTransport;
#[cfg(feature = "http")]
pub use live::HttpLive;
pub use live::Live;
pub use transport::{CONTENT_TYPE, Transport, TransportError, WireRequest, WireResponse};
