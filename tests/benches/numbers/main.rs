//! Benchmarks of docs/performance.md, each with a floor measured in the same run: `cargo bench -p farmtally-tests`.
//!
//! Owns the order of the measurements and the resulting table. Does not own targets: `docs/performance.md` says what each number means.
//! Measured call and floor alternate, sample by sample, in one process: machines differ and are never idle, so the ratios and bytes count,
//! not the microseconds.
//! Read next: `record.rs` for how two things are compared, `world.rs` for the data.
//!
//! Names of parts restrict the run: `cargo bench -p farmtally-tests -- phone server season`. Without `--bench` (as in `cargo test
//! --all-targets`) the same code runs on little data, to show that it still works.

mod behind;
mod bytes;
mod first;
mod floor;
mod large;
mod process;
mod record;
mod server;
mod table;
mod world;

use first::Season;
use table::Table;
use world::{Place, World};

/// Numbers of everything that is measured.
struct Sizes {
    /// Rounds of measured recordings, after one that is not measured; the phone syncs after each.
    rounds: usize,
    /// Deliveries in a round.
    per_round: usize,
    /// Deliveries in the large push.
    push: usize,
    /// Rounds of measured recordings on top of the large unsent backlog; their deliveries are included in `push`.
    backlog_rounds: usize,
    /// Working days that the server ingests, one bundle each.
    days: usize,
    /// Requests with many working days at once.
    late_days: usize,
    /// Phones that fetch the large push.
    pulls: usize,
    /// Number of empty syncs.
    idle_syncs: usize,
    /// Deliveries of the season that new phones fetch.
    season: usize,
    /// Phones that fetch it at once.
    crowd: usize,
    /// Log entries that the phone with empty syncs has.
    behind: u64,
    /// Deliveries, and farmers, of the phone with very many records.
    many: usize,
    /// Deliveries of the farmer whose statement is written.
    statement_rows: usize,
    /// Times that this phone is opened.
    openings: usize,
    /// Names that are typed letter by letter.
    searches: usize,
    /// Times that the statement is written.
    statements: usize,
}

impl Sizes {
    const FULL: Self = Self {
        rounds: 12,
        per_round: 50,
        push: 5_000,
        backlog_rounds: 2,
        days: 40,
        late_days: 10,
        pulls: 3,
        idle_syncs: 500,
        season: 25_000,
        crowd: 100,
        behind: 1_000_000,
        many: 100_000,
        statement_rows: 500,
        openings: 20,
        searches: 100,
        statements: 100,
    };
    const SMALL: Self = Self {
        rounds: 1,
        per_round: 4,
        push: 130,
        backlog_rounds: 1,
        days: 2,
        late_days: 1,
        pulls: 1,
        idle_syncs: 2,
        season: 50,
        crowd: 3,
        behind: 500,
        many: 300,
        statement_rows: 50,
        openings: 2,
        searches: 3,
        statements: 2,
    };

    /// Replaces `crowd` and `behind` by what environment variables say.
    fn or_as_asked(self) -> Self {
        let asked = |name: &str| std::env::var(name).ok().map(|number| number.parse::<u64>().expect("a number"));
        Self {
            crowd: asked("FARMTALLY_BENCH_PHONES").map_or(self.crowd, |number| usize::try_from(number).expect("few")),
            behind: asked("FARMTALLY_BENCH_RECORDS").unwrap_or(self.behind),
            ..self
        }
    }
}

/// Name of a part of the measurements, and its function.
type Part = (&'static str, fn(&Sizes, &mut Table));

const PARTS: [Part; 4] = [("phone", phone), ("server", server::ingest), ("season", season), ("large", large::large)];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((process::PHONE, phone)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return process::be_phone(phone);
    }
    let is_whole = arguments.iter().any(|argument| argument == "--bench");
    let sizes = if is_whole { Sizes::FULL } else { Sizes::SMALL }.or_as_asked();
    let asked: Vec<&str> = arguments.iter().map(String::as_str).filter(|it| !it.starts_with("--")).collect();
    let known = PARTS.map(|(name, _)| name);
    assert!(asked.iter().all(|part| known.contains(part)), "{asked:?}: the parts are {known:?}");
    let mut table = Table::default();
    for (name, part) in PARTS {
        if asked.is_empty() || asked.contains(&name) {
            part(&sizes, &mut table);
        }
    }
    table.print();
}

/// Measures a phone that records, sends and fetches.
fn phone(sizes: &Sizes, table: &mut Table) {
    let mut world = World::open(Place::Disk);
    record::bags_and_deliveries(&mut world, sizes, table);
    let early = server::early_phones(&mut world, sizes);
    let (pushed, backlog) = record::behind_a_backlog(&mut world, sizes);
    backlog.rows(table, sizes.push);
    bytes::push(&mut world, pushed, table);
    server::pull(&world, &early, table);
    bytes::working_day(&mut world, table);
    bytes::two_phones(&mut world, table);
}

/// Measures the cost of a whole season for phones that sync with it.
fn season(sizes: &Sizes, table: &mut Table) {
    let mut season = Season::weighed(sizes);
    season.on_disk(table);
    first::alone(&mut season, sizes, table);
    first::in_a_process(&season, table);
    first::together(&season, sizes, table);
    behind::nothing_to_say(&mut season.world, sizes, table);
}
