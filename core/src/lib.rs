//! FarmTally's field core.
pub mod client;
pub mod codec;
pub mod decisions;
pub mod environment;
mod error;
pub mod limits;
pub mod records;
pub mod rules;
pub mod scope;
pub mod store;
pub mod sync;
pub mod units;
pub use error::{Error, ErrorCode};
