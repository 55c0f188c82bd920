//! The rules of the trade as pure functions: the same code on phone and server.
//!
//! Owns arithmetic and checks. Reads records and reference data that it is handed; fetches nothing.

mod check;
mod weight;

pub use check::{Check, TextError, check_text};
pub(crate) use check::{check_delivery, check_phone};
pub use weight::{Totals, totals};
