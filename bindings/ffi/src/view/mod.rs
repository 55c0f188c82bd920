//! What screens show: core's own types, described for the other languages.
//!
//! Each item under `uniffi::remote` repeats the fields of core's type of the same name. UniFFI takes names, types and docs from it, then drops
//! it, and reads and writes the real type: a field or variant that core has and the item does not, or the other way round, does not compile.
//! A `type` beside it, or `#[uniffi(name = …)]`, says what is called otherwise abroad than in core.

mod delivery;
mod event;
mod farmer;
mod inbox;
mod load;
mod record;
mod reference;
mod session;
mod sync;
mod today;

pub(crate) use delivery::DeliveryPage;
pub(crate) use inbox::InboxPage;
pub(crate) use reference::Reference;
