//! The foreign interface: core's `FieldClient` for Kotlin, Swift, Python and Dart.
//!
//! Owns the types of the other languages, and that no call blocks its caller. Has no rules, and uses neither SQLite nor Automerge directly.
//! Invariants: every call runs on a worker thread of this library, so a cancelled call is never half done; every error has a code. Docs of
//! exported items are copied into the other languages as they are, so they are written for their readers.

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
mod money;
mod names;
mod paper;
#[cfg(feature = "probes")]
pub mod probes;
mod simple;
mod transport;
mod view;

pub use client::FieldClient;
pub use error::FieldError;
pub use input::ClientConfig;
pub use key_store::{KeyStore, KeyStoreError};
pub use transport::{Transport, TransportError, WireRequest, WireResponse};
