//! The seeded simulation: phones, a server, a network and clocks, all of which fail, in one process and in virtual time.
//!
//! Owns how a schedule runs and what comes of it. Everything is derived from the seed: a seed replays to the byte.
//! Invariants looked at: what was promised is never lost and shows everywhere; replicas of a scope are equal; rows are what a fresh
//! projection gives; every queue drains; nobody says logged of what the server does not have; sums are those of the books; what the
//! office decided stands and counts everywhere.
//! Read next: `action.rs` for what happens, `server.rs` for the network, `crate::disk` for the disks, `checks.rs` for what must hold.

pub mod action;
mod checks;
pub mod clock;
pub mod decisions;
mod faults;
mod handover;
mod monitor;
mod office;
pub mod oracle;
pub mod phone;
pub mod postgres;
pub mod server;
mod setup;
pub mod shrink;
pub mod world;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Once, PoisonError};

use postgres::Postgres;
pub use world::Trace;
use world::{SharedTrace, World};

/// How many steps a schedule has at most.
pub const MAX_STEPS: usize = 45;

/// What happens in which order: a function of these values.
#[derive(Clone, Default)]
pub struct Schedule {
    /// Everything is derived from it.
    pub seed: u64,
    /// The numbers of steps that are left out.
    pub without: BTreeSet<usize>,
    /// Where the server's data are; on SQLite if nowhere else.
    pub postgres: Option<Arc<Postgres>>,
}

/// A schedule that found a defect.
#[derive(Debug)]
pub struct Failure {
    /// Replays it.
    pub seed: u64,
    /// The numbers of the steps that were left out.
    pub without: BTreeSet<usize>,
    /// What did not hold, behind the place in the code that says so.
    pub reason: String,
    /// What everybody did.
    pub trace: Trace,
}

impl Failure {
    /// The place in the code that says what did not hold: the same for the same cause, whatever the values are.
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

/// Panics within a schedule are its outcome, not noise.
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

/// Runs the whole schedule of a seed; returns its trace.
///
/// # Errors
/// [`Failure`] if something did not hold.
pub fn run(seed: u64) -> Result<Trace, Box<Failure>> {
    run_schedule(&Schedule { seed, ..Schedule::default() })
}

/// Runs a schedule; returns its trace.
///
/// # Errors
/// [`Failure`] if something did not hold.
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
