//! The rules of the trade as pure functions: the same code on phone and server.
//!
//! Owns arithmetic, checks and what makes a review. Reads records and reference data that it is handed; fetches nothing.

mod check;
mod review;
mod weight;

pub use check::Check;
pub use check::check_text;
pub(crate) use check::{check_delivery, check_phone};
pub use review::ReviewCode;
pub use weight::{Totals, totals};
