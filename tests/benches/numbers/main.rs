//! The numbers of design section 12, each beside its floor measured in the same run: `cargo bench -p farmtally-tests`.
//!
//! Owns the order of the measurements and the table they end in. Owns no target: `docs/performance.md` says what each number means.
//! Measured and floor take turns, sample by sample, in one process: machines differ and are never quiet, so the ratios and the bytes count,
//! not the microseconds. Read next: `record.rs` for how two things are compared, `world.rs` for the data.
//!
//! Without `--bench` (as under `cargo test --all-targets`) the same code runs on little data, to show that it still works.

mod bytes;
mod floor;
mod record;
mod server;
mod table;
mod world;

use table::Table;
use world::World;

/// How much of everything.
struct Sizes {
    /// Rounds of measured recordings; the phone syncs after each.
    rounds: usize,
    /// Deliveries a round.
    per_round: usize,
    /// Deliveries in the large push.
    push: usize,
    /// Rounds of recordings on top of the large unsent backlog; they belong to `push`.
    backlog_rounds: usize,
    /// Working days that the server takes in, a bundle each.
    days: usize,
    /// Phones that fetch the large push.
    pulls: usize,
    /// Syncs with nothing to say.
    idle_syncs: usize,
}

impl Sizes {
    const FULL: Self =
        Self { rounds: 12, per_round: 50, push: 5_000, backlog_rounds: 2, days: 40, pulls: 3, idle_syncs: 200 };
    const SMALL: Self =
        Self { rounds: 1, per_round: 4, push: 130, backlog_rounds: 1, days: 2, pulls: 1, idle_syncs: 2 };
}

fn main() {
    let sizes = if std::env::args().any(|argument| argument == "--bench") { Sizes::FULL } else { Sizes::SMALL };
    let mut world = World::open();
    let mut table = Table::default();
    record::bags_and_deliveries(&mut world, &sizes, &mut table);
    let early = server::early_phones(&mut world, &sizes);
    let (pushed, backlog) = record::behind_a_backlog(&mut world, &sizes);
    backlog.rows(&mut table, sizes.push);
    bytes::push(&mut world, pushed, &mut table);
    server::pull(&world, &early, &mut table);
    server::ingest(&mut world, &sizes, &mut table);
    bytes::working_day(&mut world, &mut table);
    bytes::nothing_to_say(&mut world, &sizes, &mut table);
    table.print();
}
