//! Views: core's own types, described for the other languages.
//!
//! Each item under `uniffi::remote` repeats the fields of core's type of the same name. UniFFI takes names, types and docs from it,
//! discards it, and reads and writes the real type: a field or variant that only one of the two has does not compile. A `type` next to it,
//! or `#[uniffi(name = …)]`, gives a name in the other languages that differs from core's.

mod delivery;
mod event;
mod farmer;
mod import;
mod inbox;
mod load;
mod money;
mod record;
mod reference;
mod report;
mod session;
pub(crate) mod simple;
mod sync;
mod today;
mod weight;

pub(crate) use inbox::InboxPage;
pub(crate) use reference::Reference;
