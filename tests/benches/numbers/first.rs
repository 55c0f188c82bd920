//! First sync of a new phone with a whole season to read, compared with the same rows by plain rusqlite.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use farmtally_core::codec::decode;
use farmtally_core::environment::Environment;
use farmtally_core::protocol::message::{self, FrameEntry, LogFrame, SyncResponse, SyncUpdates};
use farmtally_sync_server::Server;
use rusqlite::Connection;

use crate::Sizes;
use crate::bytes::{Bags, json_lines, packed};
use crate::floor::{self, Floor, Values};
use crate::process::{self, HttpPhone, ServerProcess};
use crate::table::{Samples, Table, mebibytes, micros, millis, none, ratio};
use crate::world::{Exchanged, FARMERS, Loads, Phone, Place, World, new_code, settle};

/// People who weigh the season.
const WEIGHERS: usize = 5;

/// A server with the records of a season.
pub(crate) struct Season {
    pub(crate) world: World,
    weighers: Vec<Phone>,
    /// Number of deliveries.
    deliveries: usize,
    /// Bytes by which they made the server's files grow.
    grown: u64,
}

impl Season {
    pub(crate) fn weighed(sizes: &Sizes) -> Self {
        let mut world = World::open(Place::Disk);
        let weigher = |number| world.phone(&format!("weigher-{number}"), Loads::Others, Place::Memory);
        let mut weighers: Vec<Phone> = (0..WEIGHERS).map(weigher).collect();
        let before = bytes_of_server(&world, "before");
        for weigher in &mut weighers {
            weigher.weighs(sizes.season / WEIGHERS);
            weigher.syncs();
        }
        let grown = bytes_of_server(&world, "after") - before;
        Self { world, weighers, deliveries: sizes.season, grown }
    }

    /// Reports the bytes that a delivery takes on the server's disk.
    pub(crate) fn on_disk(&self, table: &mut Table) {
        let each = format!("{:.0} B", self.grown as f64 / self.deliveries as f64);
        let what = format!("all files of the server, a delivery of {}", self.deliveries);
        table.line(what, [each, none(), none(), "≤ 1200 B".to_owned()], 1);
    }

    /// Compressed size of the season's deliveries as JSON lines.
    fn json_bytes(&self) -> usize {
        let lines: String = self.weighers.iter().map(|weigher| json_lines(weigher, Bags::Arrays)).collect();
        packed(lines.as_bytes())
    }
}

/// Bytes of all files of the server, with a copy `NAME.db`, which it makes, instead of the database: without log and free pages.
fn bytes_of_server(world: &World, name: &str) -> u64 {
    let copy = world.path(&format!("{name}.db"));
    let path = copy.to_str().expect("a path in UTF-8");
    floor::open(&world.server_database()).execute("VACUUM INTO ?1", [path]).expect("a copy");
    let bytes = |path: &Path| std::fs::metadata(path).expect("a file").len();
    let journal = std::fs::read_dir(world.server_folder().join("journal")).expect("a folder");
    let journal: u64 = journal.map(|file| bytes(&file.expect("a file").path())).sum();
    let control = bytes(&world.server_folder().join("data").join("control.db"));
    bytes(&copy) + control + journal
}

/// Name and primary key of each record kind's table; the kind's number is the index plus 1.
const TABLES: [(&str, &str); 4] =
    [("deliveries", "delivery_id"), ("loads", "load_id"), ("farmers", "farmer_id"), ("contacts", "contact_id")];

struct Written {
    kind: usize,
    document: Values,
    row: Values,
}

/// Documents that a phone wrote, by frame: each in its final state, in the first frame that has it.
fn written(peek: &Connection, frames: &[LogFrame]) -> Vec<Vec<Written>> {
    let mut seen = BTreeSet::new();
    let mut of = |entry: &FrameEntry| match entry {
        FrameEntry::Change { envelope, .. } if seen.insert(envelope.document_id) => {
            let kind = usize::from(envelope.kind) - 1;
            let (table, key) = TABLES[kind];
            let row = floor::row(peek, &format!("SELECT * FROM {table} WHERE {key} = ?1"), [envelope.document_id]);
            Some(Written { kind, document: floor::row(peek, floor::SELECT_DOCUMENT, [envelope.document_id]), row })
        }
        _ => None,
    };
    frames.iter().map(|frame| frame.entries.iter().filter_map(&mut of).collect()).collect()
}

fn write(floor: &mut Floor, frames: &[Vec<Written>]) -> Duration {
    let all = || frames.iter().flatten();
    let columns = |kind| all().find(|it| it.kind == kind).map_or(0, |it| it.row.len());
    let insert = |(kind, (table, _)): (usize, &(&str, &str))| {
        format!("INSERT INTO {table} VALUES ({})", vec!["?"; columns(kind)].join(", "))
    };
    let inserts: Vec<String> = TABLES.iter().enumerate().map(insert).collect();
    let begun = Instant::now();
    for frame in frames {
        floor.write(|db| {
            frame.iter().try_for_each(|it| {
                floor::run(db, floor::INSERT_DOCUMENT, &it.document)?;
                floor::run(db, &inserts[it.kind], &it.row)
            })
        });
    }
    begun.elapsed()
}

fn frames(exchanged: &[Exchanged]) -> Vec<LogFrame> {
    let answers = exchanged.iter().filter(|it| it.request.path == "/v1/sync" && it.response.status == 200);
    let frames = answers.flat_map(|it| {
        let answer: SyncResponse = message::unpack(&it.response.body).expect("an answer");
        decode::<SyncUpdates>(&answer.updates).expect("updates").frames
    });
    frames.collect()
}

/// Measures times and bytes of new phones in this process.
pub(crate) fn alone(season: &mut Season, sizes: &Sizes, table: &mut Table) {
    let (mut times, mut floors) = (Samples::default(), Samples::default());
    let (mut bytes, mut records) = (0, 0);
    for number in 0..sizes.pulls {
        let phone = season.world.new_phone(&format!("new-{number}"), Loads::Others, Place::Disk);
        let mut floor = Floor::copy_of(&phone.database(), &season.world.path(&format!("new-{number}-floor.db")));
        let (took, exchanged) = timed(&phone);
        times.push(took);
        bytes = exchanged.iter().map(|it| it.response.body.len()).sum();
        let written = written(&floor::open(&phone.database()), &frames(&exchanged));
        records = written.iter().map(Vec::len).sum();
        settle();
        floors.push(write(&mut floor, &written));
    }
    let what = format!("first sync of {} deliveries, {FARMERS} farmers: the phone", season.deliveries);
    let (us, floor_us) = (times.median_us(), floors.median_us());
    table.line(what, [millis(us), millis(floor_us), ratio(us, floor_us), "≤ 4×".to_owned()], times.len());
    let (each, json) = (bytes as f64 / records as f64, season.json_bytes() as f64 / season.deliveries as f64);
    let cells = [format!("{each:.1} B"), format!("{json:.1} B"), ratio(each, json), "–".to_owned()];
    table.line("  bytes down, a record", cells, records);
}

/// Syncs, and returns the time without the server's, which runs on this thread.
fn timed(phone: &Phone) -> (Duration, Vec<Exchanged>) {
    settle();
    let begun = Instant::now();
    let (_, exchanged) = phone.syncs();
    let whole = begun.elapsed();
    settle();
    (whole.saturating_sub(exchanged.iter().map(|it| it.took).sum()), exchanged)
}

/// Measures the memory of a phone in its own process, over HTTP.
pub(crate) fn in_a_process(season: &Season, table: &mut Table) {
    let office = Server::open(&season.world.server_folder(), Environment::system()).expect("the office");
    let server = ServerProcess::start(&season.world.server_folder());
    let code = new_code(&office, season.world.organisation, "lonely");
    let needed = process::first_sync(&season.world.path("lonely"), &server.url, &code);
    let [before, peak] = needed.mib;
    let cells = [mebibytes(peak), mebibytes(before), ratio(peak, before), "≤ 64 MiB".to_owned()];
    table.line("  peak memory of a phone's process; floor: before its sync", cells, 1);
    let cells = [millis(needed.took.as_secs_f64() * 1e6), none(), none(), none()];
    table.line("  its whole time over HTTP", cells, 1);
}

/// Values that must be equal on server and phones.
fn sums(db: &Connection) -> Values {
    floor::row(
        db,
        "SELECT count(*), sum(bag_count), sum(gross_g), (SELECT count(*) FROM documents), (SELECT count(*) FROM contacts)
         FROM deliveries",
        [],
    )
}

/// Measures many phones at once, a thread each, against one server process.
pub(crate) fn together(season: &Season, sizes: &Sizes, table: &mut Table) {
    let office = Server::open(&season.world.server_folder(), Environment::system()).expect("the office");
    let server = ServerProcess::start(&season.world.server_folder());
    let expected = sums(&floor::open(&season.world.server_database()));
    let phones: Vec<_> = (0..sizes.crowd)
        .map(|number| {
            let code = new_code(&office, season.world.organisation, &format!("new-{number}"));
            let folder = season.world.memory(&format!("crowd-{number}"));
            (HttpPhone::enrol(&folder, &server.url, &code), folder)
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
