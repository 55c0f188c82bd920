//! The foreign interface: core's `FieldClient` for Kotlin, Swift, Python and Dart.
//!
//! Owns how core's types look in other languages, and that no call blocks its caller. Has no rule of its own and touches neither SQLite
//! nor Automerge. Invariants: every call hands its work to a thread of this library and only awaits it, so a cancelled call is never half
//! done; every error has a code. Docs of exported items are written for readers of the other languages: they are copied as they stand.

#![expect(
    clippy::missing_errors_doc,
    clippy::doc_markdown,
    reason = "every call fails with FieldError, whose variants say what to do; the docs are read in Kotlin, Swift and Dart, without Rust's mark-up"
)]

uniffi::setup_scaffolding!();

mod client;
mod error;
mod input;
mod key_store;
mod names;
#[cfg(feature = "probes")]
pub mod probes;
mod transport;
mod view;

pub use client::FieldClient;
pub use error::FieldError;
pub use key_store::{KeyStore, KeyStoreError};
pub use transport::{Transport, TransportError, WireRequest, WireResponse};
