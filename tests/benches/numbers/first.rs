//! The first sync of a new phone behind a whole season: by packs and read as logs, beside the same rows by plain rusqlite.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use farmtally_core::environment::Environment;
use farmtally_core::protocol::message;
use farmtally_core::protocol::pack::{PackEntry, PackResponse, pack_part, unpack_part};
use farmtally_sync_server::Server;
use rusqlite::Connection;

use crate::Sizes;
use crate::bytes::{Bags, json_lines, packed};
use crate::floor::{self, Floor, Values};
use crate::process::{self, HttpPhone, Reads, ServerProcess};
use crate::table::{Samples, Table, mebibytes, micros, millis, none, ratio};
use crate::world::{Exchanged, FARMERS, Loads, Phone, Place, World, new_code, settle, without_packs};

/// People who weigh a season.
const WEIGHERS: usize = 5;

/// A server behind which a season lies.
pub(crate) struct Season {
    pub(crate) world: World,
    weighers: Vec<Phone>,
    /// Deliveries.
    deliveries: usize,
}

impl Season {
    pub(crate) fn weighed(sizes: &Sizes) -> Self {
        let mut world = World::open(Place::Disk);
        let weigher = |number| world.phone(&format!("weigher-{number}"), Loads::Others, Place::Memory);
        let mut weighers: Vec<Phone> = (0..WEIGHERS).map(weigher).collect();
        for weigher in &mut weighers {
            weigher.weighs(sizes.season / WEIGHERS);
            weigher.syncs();
        }
        world.verifies_two_copies();
        Self { world, weighers, deliveries: sizes.season }
    }

    /// As if nobody had begun this season yet.
    fn forget_packs(&self) {
        std::fs::remove_dir_all(self.world.server_folder().join("packs")).expect("packs");
    }

    /// The same deliveries as JSON lines.
    fn json_bytes(&self) -> usize {
        let lines: String = self.weighers.iter().map(|weigher| json_lines(weigher, Bags::Arrays)).collect();
        packed(lines.as_bytes())
    }
}

/// The table of each record kind, by its number: name, key, columns.
const TABLES: [(&str, &str, usize); 4] = [
    ("deliveries", "delivery_id", 16),
    ("loads", "load_id", 10),
    ("farmers", "farmer_id", 6),
    ("contacts", "contact_id", 8),
];

/// A document with its row.
struct Written {
    kind: usize,
    document: Values,
    row: Values,
}

/// What a phone wrote, part by part.
fn written(peek: &Connection, parts: &[Vec<u8>]) -> Vec<Vec<Written>> {
    let of = |entry: PackEntry| match entry {
        PackEntry::Decision { .. } => None,
        PackEntry::Document { document, kind, .. } => {
            let kind = usize::from(kind) - 1;
            let (table, key, _) = TABLES[kind];
            let row = floor::row(peek, &format!("SELECT * FROM {table} WHERE {key} = ?1"), [document]);
            Some(Written { kind, document: floor::row(peek, floor::SELECT_DOCUMENT, [document]), row })
        }
    };
    parts.iter().map(|part| unpack_part(part).expect("a part").into_iter().filter_map(of).collect()).collect()
}

fn write(floor: &mut Floor, parts: &[Vec<Written>]) -> Duration {
    let insert = |(table, _, columns): (&str, &str, usize)| {
        format!("INSERT INTO {table} VALUES ({})", vec!["?"; columns].join(", "))
    };
    let inserts = TABLES.map(insert);
    let begun = Instant::now();
    for part in parts {
        floor.write(|db| {
            part.iter().try_for_each(|it| {
                floor::run(db, floor::INSERT_DOCUMENT, &it.document)?;
                floor::run(db, &inserts[it.kind], &it.row)
            })
        });
    }
    begun.elapsed()
}

fn parts(exchanged: &[Exchanged]) -> Vec<Vec<u8>> {
    let answers = exchanged.iter().filter(|it| it.request.path == "/v1/pack" && it.response.status == 200);
    let parts = answers.flat_map(|it| message::unpack::<PackResponse>(&it.response.body).expect("an answer").parts);
    parts.map(Vec::from).collect()
}

/// What the server cannot do without when it makes packs: read all documents, compress all parts.
fn make_parts(db: &Connection, parts: &[Vec<u8>]) -> Duration {
    let parts: Vec<_> = parts.iter().map(|part| unpack_part(part).expect("a part")).collect();
    let begun = Instant::now();
    drop(floor::rows(db, "SELECT document_id, kind, saved FROM documents ORDER BY document_id DESC", []));
    for part in &parts {
        drop(pack_part(part).expect("it packs"));
    }
    begun.elapsed()
}

/// Times and bytes of new phones in this process, and what the server needed to make packs for each.
pub(crate) fn alone(season: &mut Season, sizes: &Sizes, table: &mut Table) {
    let (mut by_packs, mut as_logs, mut floors) = (Samples::default(), Samples::default(), Samples::default());
    let (mut making, mut making_floor) = (Samples::default(), Samples::default());
    let (mut bytes, mut records) = ([0, 0], 0);
    let server = floor::open(&season.world.server_database());
    for number in 0..sizes.pulls {
        season.forget_packs();
        let [one, other] = ["packs", "logs"]
            .map(|reads| season.world.new_phone(&format!("new-{number}-{reads}"), Loads::Others, Place::Disk));
        without_packs(&other.database());
        let mut floor = Floor::copy_of(&one.database(), &season.world.path(&format!("new-{number}-floor.db")));
        let (took, exchanged) = timed(&one);
        by_packs.push(took);
        making.push(exchanged.iter().map(|it| it.took).max().expect("an answer"));
        bytes[0] = exchanged.iter().map(|it| it.response.body.len()).sum();
        let parts = parts(&exchanged);
        let written = written(&floor::open(&one.database()), &parts);
        records = written.iter().map(Vec::len).sum();
        settle();
        floors.push(write(&mut floor, &written));
        making_floor.push(make_parts(&server, &parts));
        let (took, exchanged) = timed(&other);
        as_logs.push(took);
        assert!(exchanged.iter().all(|it| it.request.path == "/v1/sync"), "it reads logs");
        bytes[1] = exchanged.iter().map(|it| it.response.body.len()).sum();
    }
    let what = format!("first sync of {} deliveries, {FARMERS} farmers: the phone, by packs", season.deliveries);
    let mut times = |what: &str, measured: &Samples, floor: &Samples, reach: &str| {
        let (us, floor_us) = (measured.median_us(), floor.median_us());
        table.line(what, [millis(us), millis(floor_us), ratio(us, floor_us), reach.to_owned()], measured.len());
    };
    times(&what, &by_packs, &floors, "≤ 4×");
    times("  the same, read as logs", &as_logs, &floors, "–");
    times("  the server: making the packs, once", &making, &making_floor, "–");
    let json = season.json_bytes() as f64 / season.deliveries as f64;
    for (what, bytes) in ["  bytes down, a record", "  the same, read as logs"].iter().zip(bytes) {
        let each = bytes as f64 / records as f64;
        table.line(*what, [format!("{each:.1} B"), format!("{json:.1} B"), ratio(each, json), "–".to_owned()], records);
    }
}

/// Syncs; without the server's time, which answers on this thread.
fn timed(phone: &Phone) -> (Duration, Vec<Exchanged>) {
    settle();
    let begun = Instant::now();
    let (_, exchanged) = phone.syncs();
    let whole = begun.elapsed();
    settle();
    (whole.saturating_sub(exchanged.iter().map(|it| it.took).sum()), exchanged)
}

/// The memory of a phone in a process of its own, over HTTP.
pub(crate) fn in_a_process(season: &Season, table: &mut Table) {
    let office = Server::open(&season.world.server_folder(), Environment::system()).expect("the office");
    let server = ServerProcess::start(&season.world.server_folder());
    for (reads, reach) in [(Reads::Packs, "≤ 64 MiB"), (Reads::Logs, "–")] {
        let name = format!("lonely-{reads:?}");
        let code = office.create_code(season.world.organisation, &new_code(&name)).expect("a code");
        let needed = process::first_sync(&season.world.path(&name), &server.url, &code, reads);
        let [before, peak] = needed.mib;
        let cells = [mebibytes(peak), mebibytes(before), ratio(peak, before), reach.to_owned()];
        table.line(
            format!("  {reads:?}: peak memory of a phone's process; floor: before its sync").to_lowercase(),
            cells,
            1,
        );
        let cells = [millis(needed.took.as_secs_f64() * 1e6), none(), none(), none()];
        table.line("    its whole time over HTTP", cells, 1);
    }
}

/// What must be equal everywhere.
fn sums(db: &Connection) -> Values {
    floor::row(
        db,
        "SELECT count(*), sum(bag_count), sum(gross_g), (SELECT count(*) FROM documents), (SELECT count(*) FROM contacts)
         FROM deliveries",
        [],
    )
}

/// Many phones at once, a thread each, against one server process.
pub(crate) fn together(season: &Season, sizes: &Sizes, table: &mut Table) {
    season.forget_packs();
    let office = Server::open(&season.world.server_folder(), Environment::system()).expect("the office");
    let server = ServerProcess::start(&season.world.server_folder());
    let expected = sums(&floor::open(&season.world.server_database()));
    let phones: Vec<_> = (0..sizes.crowd)
        .map(|number| {
            let code =
                office.create_code(season.world.organisation, &new_code(&format!("new-{number}"))).expect("a code");
            let folder = season.world.memory(&format!("crowd-{number}"));
            (HttpPhone::enrol(&folder, &server.url, &code, Reads::Packs), folder)
        })
        .collect();
    let (ready, computed) = (Barrier::new(phones.len()), server.cpu());
    let done: Vec<_> = std::thread::scope(|scope| {
        let one = |(phone, folder): (HttpPhone, std::path::PathBuf)| {
            let (ready, expected) = (&ready, &expected);
            scope.spawn(move || {
                ready.wait();
                let begun = Instant::now();
                let reports = phone.syncs();
                let took = begun.elapsed();
                assert_eq!(sums(&floor::open(&folder.join("field.db"))), *expected, "it has all");
                drop(phone);
                std::fs::remove_dir_all(folder).expect("removed");
                let bytes: u64 = reports.iter().map(|it| it.progress.bytes_up + it.progress.bytes_down).sum();
                (took, bytes, reports.len() - 1)
            })
        };
        let threads: Vec<_> = phones.into_iter().map(one).collect();
        threads.into_iter().map(|thread| thread.join().expect("complete")).collect()
    });
    let computed = server.cpu().saturating_sub(computed);
    let (mut times, mut bytes, mut again) = (Samples::default(), 0, 0);
    for (took, its_bytes, its_again) in done {
        times.push(took);
        bytes += its_bytes;
        again += its_again;
    }
    let phones = times.len();
    let what = format!("{phones} phones at once, first sync over HTTP");
    let mut line = |what: String, measured: String| {
        table.line(what, [measured, none(), none(), none()], phones);
    };
    line(format!("{what}: median"), millis(times.median_us()));
    line("  p99".to_owned(), millis(times.p99_us()));
    line("  the slowest".to_owned(), millis(times.slowest_us()));
    line("  bytes up and down, all".to_owned(), mebibytes(bytes as f64 / 1_048_576.0));
    line("  begun again after a broken connection".to_owned(), again.to_string());
    line("  the server's computing time, a phone".to_owned(), micros(computed.as_secs_f64() * 1e6 / phones as f64));
    line("  the server's peak memory".to_owned(), mebibytes(server.peak_mib()));
}
