//! How work reaches the server and news reaches the phone.
//!
//! Owns the protocol: bundles, logs and their chains, messages, signed requests, the exchange, hand-over without network. Does not judge
//! records.
//! Invariants: everything is named by its hash, so every request may be repeated; nothing leaves the outbox without a verdict that
//! names it; the exchange has no I/O, so tests drive it through any network. Format: `docs/protocol.md`. Read next: `exchange.rs`.

pub mod authorization;
pub mod bundle;
pub(crate) mod exchange;
pub mod handover;
#[cfg(feature = "http")]
mod http;
pub mod live;
pub mod log;
pub mod message;
pub(crate) mod pace;
pub mod qr;
pub mod repair;
pub(crate) mod seal;
mod transport;

pub use exchange::Progress;
#[cfg(feature = "http")]
pub use http::HttpTransport;
#[cfg(feature = "http")]
pub use live::HttpLive;
pub use live::Live;
pub use transport::{CONTENT_TYPE, Transport, TransportError, WireRequest, WireResponse};
