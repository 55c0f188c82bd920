//! Seeded simulation of phones, a server, a network and clocks, all of which fail, in one process and in virtual time.
//!
//! Everything is derived from the seed, so a seed replays to the byte.
//! Invariants: no fact that a call promised is lost, and every phone of its centre shows it; replicas of a scope are equal; table rows
//! equal a fresh projection of the documents; every queue drains; no phone reports "logged" for a change that the server does not have;
//! sums equal the oracle's; every decision of the office is stored and takes effect everywhere.
//! Read next: `action.rs` for the steps, `server.rs` for network faults, `crate::disk` for disk faults, `checks.rs` for the invariants.

pub mod action;
mod checks;
pub mod clock;
pub mod decisions;
mod farmer;
mod faults;
mod handover;
mod money;
mod monitor;
mod office;
pub mod oracle;
pub mod phone;
pub mod postgres;
pub mod server;
mod setup;
pub mod shrink;
mod simple;
pub mod world;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Once, PoisonError};

use postgres::Postgres;
pub use world::Trace;
use world::{SharedTrace, World};

/// Largest number of steps in a schedule.
pub const MAX_STEPS: usize = 45;

/// A sequence of steps and faults, fully determined by these values.
#[derive(Clone, Default)]
pub struct Schedule {
    /// Seed from which everything is derived.
    pub seed: u64,
    /// Numbers of the steps that are left out.
    pub without: BTreeSet<usize>,
    /// PostgreSQL server that holds the sync server's data; SQLite if `None`.
    pub postgres: Option<Arc<Postgres>>,
}

/// A schedule that violated an invariant.
#[derive(Debug)]
pub struct Failure {
    /// Seed that replays it.
    pub seed: u64,
    /// Numbers of the steps that were left out.
    pub without: BTreeSet<usize>,
    /// Panic message: source location on the first line, then the violated invariant.
    pub reason: String,
    /// Log of the steps.
    pub trace: Trace,
}

impl Failure {
    /// Returns the source location of the failed assertion: equal for equal causes, whatever the values in the message.
    pub fn cause(&self) -> &str {
        self.reason.lines().next().unwrap_or_default()
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for line in &self.trace.lines {
            writeln!(f, "{line}")?;
        }
        writeln!(f, "seed {}: {}", self.seed, self.reason)?;
        write!(f, "replay: cargo run --release -p farmtally-tests --bin simulate -- --replay {}", self.seed)?;
        if self.without.is_empty() {
            return Ok(());
        }
        let without: Vec<String> = self.without.iter().map(ToString::to_string).collect();
        write!(f, " --without {}", without.join(","))
    }
}

thread_local! {
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
    static IS_SIMULATING: RefCell<bool> = const { RefCell::new(false) };
}

static HOOKED: Once = Once::new();

/// Installs a panic hook that captures panics within a schedule, as they are its outcome, and does not print them.
fn hook_panics() {
    HOOKED.call_once(|| {
        let outer = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if IS_SIMULATING.with_borrow(|is| *is) {
                LAST_PANIC.with_borrow_mut(|last| *last = Some(panic.to_string()));
            } else {
                outer(panic);
            }
        }));
    });
}

/// Runs the whole schedule of a seed and returns its trace.
///
/// # Errors
/// [`Failure`] if an invariant was violated.
pub fn run(seed: u64) -> Result<Trace, Box<Failure>> {
    run_schedule(&Schedule { seed, ..Schedule::default() })
}

/// Runs a schedule and returns its trace.
///
/// # Errors
/// [`Failure`] if an invariant was violated.
pub fn run_schedule(schedule: &Schedule) -> Result<Trace, Box<Failure>> {
    hook_panics();
    IS_SIMULATING.set(true);
    let shared = SharedTrace::default();
    let ended = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::open(schedule, SharedTrace::clone(&shared));
        world.run_steps(&schedule.without);
        world.quiesce();
        world.check_invariants();
    }));
    IS_SIMULATING.set(false);
    let trace = std::mem::take(&mut *shared.lock().unwrap_or_else(PoisonError::into_inner));
    if ended.is_ok() {
        return Ok(trace);
    }
    let reason = LAST_PANIC.take().unwrap_or_default();
    Err(Box::new(Failure { seed: schedule.seed, without: schedule.without.clone(), reason, trace }))
}
