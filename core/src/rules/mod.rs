//! Trade rules as pure functions, the same on phone and server.
//!
//! Owns arithmetic and checks. Does not read the store: records and reference data come as arguments.

mod action;
mod check;
mod weight;

pub use action::{ActionCode, LoadAtHand, Refusal};
pub use check::{Check, TextError, check_text};
pub(crate) use check::{check_delivery, check_phone};
pub use weight::{Totals, totals};
