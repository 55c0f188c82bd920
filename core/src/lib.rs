//! FarmTally's field core.
pub mod environment;
pub mod units;
