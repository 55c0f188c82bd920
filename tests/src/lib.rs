//! Test kit: named people on named phones, a server in the same process, and a network between them that can fail.
//!
//! A test reads as a story: `asha.weighs(…)`, `asha.syncs()`. Clock and randomness are under its control, so that a run can be repeated.

#[cfg(unix)]
pub mod accounts;
mod capture;
mod cast;
pub mod ddl;
pub mod disk;
mod forger;
pub mod fuzz;
mod link;
mod market;
pub mod names;
mod network;
pub mod paper;
pub mod postgres;
mod proxy;
pub mod samples;
pub mod simulation;
mod town;
pub mod watched;
mod world;

pub use capture::{Capture, Exchange, Tap, one_of_everything, remarks};
pub use cast::{Person, all_deliveries, bag, forgotten_bag, mark, moisture, reason, track_point};
pub use forger::{Forger, bent_change, forged_change, hostile_details, verdict_code, verdicts_of};
pub use link::{Link, Middlebox, gzip};
pub use market::{ADDRESS, Market, REFERENCE, bytes_of, copy_folder, fingerprint};
pub use network::{CurrentServer, Fault, Network};
pub use proxy::{Cut, Proxy};
pub use town::Town;
pub use world::{SeededEntropy, TestClock, environment};
