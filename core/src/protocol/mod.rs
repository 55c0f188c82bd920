//! What phone and server say to each other: values and their coding. No store, no I/O.
//!
//! Owns bundles, logs and their hash chains, messages, signed requests, repair, parcels and QR frames. Does not judge records and does not
//! send anything. Invariant: everything is named by its hash, so every request may be repeated. Format: `docs/protocol.md`.
//! Read next: `bundle.rs`, then `message.rs`.

pub mod authorization;
pub mod bundle;
mod code;
pub mod log;
pub mod message;
pub mod parcel;
pub mod path;
pub mod qr;
pub mod repair;

pub use code::{HoldCode, RefusalCode};
