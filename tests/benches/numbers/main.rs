//! The numbers of design section 12, each beside its floor measured in the same run: `cargo bench -p farmtally-tests`.
//!
//! Owns the order of the measurements and the table they end in. Owns no target: `docs/performance.md` says what each number means.
//! Measured and floor take turns, sample by sample, in one process: machines differ and are never quiet, so the ratios and the bytes count,
//! not the microseconds. Read next: `record.rs` for how two things are compared, `world.rs` for the data.
//!
//! Without `--bench` (as under `cargo test --all-targets`) the same code runs on little data, to show that it still works.

mod behind;
mod bytes;
mod first;
mod floor;
mod process;
mod record;
mod server;
mod table;
mod world;

use first::Season;
use table::Table;
use world::{Place, World};

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
    /// Deliveries of the season that new phones find.
    season: usize,
    /// Phones that find it at once.
    crowd: usize,
    /// Entries of the log behind the syncs with nothing to say.
    behind: u64,
}

impl Sizes {
    const FULL: Self = Self {
        rounds: 12,
        per_round: 50,
        push: 5_000,
        backlog_rounds: 2,
        days: 40,
        pulls: 3,
        idle_syncs: 500,
        season: 25_000,
        crowd: 100,
        behind: 1_000_000,
    };
    const SMALL: Self = Self {
        rounds: 1,
        per_round: 4,
        push: 130,
        backlog_rounds: 1,
        days: 2,
        pulls: 1,
        idle_syncs: 2,
        season: 50,
        crowd: 3,
        behind: 500,
    };

    /// Variables of the environment change what takes longest.
    fn or_as_asked(self) -> Self {
        let asked = |name: &str| std::env::var(name).ok().map(|number| number.parse::<u64>().expect("a number"));
        Self {
            crowd: asked("FARMTALLY_BENCH_PHONES").map_or(self.crowd, |number| usize::try_from(number).expect("few")),
            behind: asked("FARMTALLY_BENCH_RECORDS").unwrap_or(self.behind),
            ..self
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((process::PHONE, phone)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return process::be_phone(phone);
    }
    let is_whole = arguments.iter().any(|argument| argument == "--bench");
    let sizes = if is_whole { Sizes::FULL } else { Sizes::SMALL }.or_as_asked();
    let mut world = World::open(Place::Disk);
    let mut table = Table::default();
    record::bags_and_deliveries(&mut world, &sizes, &mut table);
    let early = server::early_phones(&mut world, &sizes);
    let (pushed, backlog) = record::behind_a_backlog(&mut world, &sizes);
    backlog.rows(&mut table, sizes.push);
    bytes::push(&mut world, pushed, &mut table);
    server::pull(&world, &early, &mut table);
    server::ingest(&mut world, &sizes, &mut table);
    bytes::working_day(&mut world, &mut table);
    drop((world, early));
    let mut season = Season::weighed(&sizes);
    first::alone(&mut season, &sizes, &mut table);
    first::in_a_process(&season, &mut table);
    first::together(&season, &sizes, &mut table);
    behind::nothing_to_say(&mut season.world, &sizes, &mut table);
    table.print();
}
