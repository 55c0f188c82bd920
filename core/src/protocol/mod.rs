//! Protocol between phone and server: values and their encoding, without storage or I/O.
//!
//! Does not judge records. Invariant: everything is identified by its hash, so every request may be repeated. Format: `docs/protocol.md`.
//! Read next: `bundle.rs`, then `message.rs`.

mod address;
pub mod authorization;
pub mod bundle;
mod code;
pub mod log;
pub mod message;
pub mod parcel;
pub mod path;
pub mod qr;
pub mod receipt_code;
pub mod repair;

pub use address::{normalize_secure_url, normalize_server_url};
pub use code::{HoldCode, RefusalCode};
