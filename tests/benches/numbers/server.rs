//! Changes a second: ingested by the server, and fetched by a phone.

use std::time::{Duration, Instant};

use farmtally_core::codec::decode;
use farmtally_core::protocol::message::{self, SyncResponse, SyncUpdates};
use farmtally_tests::simulation::postgres::Postgres;
use rusqlite::Connection;
use rusqlite::types::Value;

use crate::Sizes;
use crate::floor::{self, Floor, Values};
use crate::table::{Samples, Table, none, ratio};
use crate::world::{Exchanged, Loads, PER_DAY, Phone, Place, World, settle};

/// Adds a row with changes a second, measured and floor; each sample is the time of `changes` changes.
fn rates(table: &mut Table, what: String, changes: usize, measured: &Samples, floor: &Samples, reach: &str) {
    let rate = |samples: &Samples| changes as f64 / samples.median_us() * 1e6;
    let (measured_rate, floor_rate) = (rate(measured), rate(floor));
    let text = |rate: f64| format!("{rate:.0}/s");
    // The ratio is of times, as everywhere: above 1 is slower than the floor.
    let cells = [text(measured_rate), text(floor_rate), ratio(floor_rate, measured_rate), reach.to_owned()];
    table.line(what, cells, measured.len());
}

/// Phones that are enrolled and have synced before there are deliveries to fetch.
pub(crate) fn early_phones(world: &mut World, sizes: &Sizes) -> Vec<Phone> {
    (0..sizes.pulls).map(|number| world.phone(&format!("late-{number}"), Loads::Others, Place::Disk)).collect()
}

/// Measures phones that fetch what others pushed, compared with documents, rows, tail and cursor by plain rusqlite, one transaction a
/// frame.
pub(crate) fn pull(world: &World, phones: &[Phone], table: &mut Table) {
    let (mut measured, mut floors) = (Samples::default(), Samples::default());
    let mut changes = 0;
    for (number, phone) in phones.iter().enumerate() {
        let mut floor = Floor::copy_of(&phone.database(), &world.path(&format!("late-{number}-floor.db")));
        let peek = floor::open(&phone.database());
        let known = floor::row(&peek, "SELECT coalesce(max(arrival), 0) FROM deliveries", []);
        settle();
        let begun = Instant::now();
        let (_, exchanged) = phone.syncs();
        let whole = begun.elapsed();
        settle();
        // Without the server's time, which runs on this thread.
        measured.push(whole.saturating_sub(exchanged.iter().map(|it| it.took).sum()));
        let frames = frames(&exchanged);
        changes = frames.iter().sum();
        floors.push(write_frames(&peek, &known[0], &mut floor, &frames));
    }
    let what = format!("incremental pull of {changes}: changes a second on the phone");
    rates(table, what, changes, &measured, &floors, "≥ 30000/s");
}

fn frames(exchanged: &[Exchanged]) -> Vec<usize> {
    let answers = exchanged.iter().filter(|it| it.response.status == 200);
    let answers = answers.map(|it| message::unpack::<SyncResponse>(&it.response.body).expect("an answer"));
    let updates = answers.map(|answer| decode::<SyncUpdates>(&answer.updates).expect("updates"));
    updates.flat_map(|updates| updates.frames).map(|frame| frame.entries.len()).collect()
}

fn write_frames(peek: &Connection, known: &Value, floor: &mut Floor, frames: &[usize]) -> Duration {
    let ids = floor::rows(peek, "SELECT delivery_id FROM deliveries WHERE arrival > ?1 ORDER BY arrival", [known]);
    let row = |id: &Values| {
        let document = floor::row(peek, floor::SELECT_DOCUMENT, [&id[0]]);
        (document, floor::row(peek, floor::SELECT_DELIVERY, [&id[0]]))
    };
    let rows: Vec<(Values, Values)> = ids.iter().map(row).collect();
    let cursor = floor::row(peek, "SELECT scope, seq, chain, wants_own FROM log_cursors WHERE scope LIKE 'c/%/%'", []);
    let tail = "SELECT scope, seq, chain, entry FROM log_tail WHERE scope = ?1 ORDER BY seq DESC LIMIT ?2";
    let tail = floor::rows(peek, tail, (&cursor[0], rows.len()));
    let (mut rest, mut tail) = (rows.as_slice(), tail.iter().rev());
    let begun = Instant::now();
    for frame in frames {
        let (frame, others) = rest.split_at((*frame).min(rest.len()));
        rest = others;
        floor.write(|db| {
            for (document, delivery) in frame {
                floor::run(db, floor::INSERT_DOCUMENT, document)?;
                floor::run(db, floor::INSERT_DELIVERY, delivery)?;
            }
            for entry in tail.by_ref().take(frame.len()) {
                floor::run(db, "INSERT INTO log_tail (scope, seq, chain, entry) VALUES (?1, ?2, ?3, ?4)", entry)?;
            }
            let cursors = "INSERT OR REPLACE INTO log_cursors (scope, seq, chain, wants_own) VALUES (?1, ?2, ?3, ?4)";
            floor::run(db, cursors, &cursor)
        });
    }
    begun.elapsed()
}

/// Days in one request: a phone puts at most eight bundles into it.
const LATE_DAYS: usize = 8;

/// Rows that the bundles of one request left on the server's disk.
struct Ingested {
    bundles: Vec<Values>,
    log: Vec<Values>,
    changes: Vec<Values>,
    documents: Vec<Values>,
    deliveries: Vec<Values>,
    scope: Values,
    device: Values,
}

impl Ingested {
    /// Reads the device's `count` newest bundles with their rows.
    fn newest(peek: &Connection, device: &Value, count: usize) -> Self {
        let bundles = "SELECT hash, device_id, bundle_seq, bytes FROM bundles WHERE device_id = ?1
             ORDER BY bundle_seq DESC LIMIT ?2";
        let bundles = floor::rows(peek, bundles, (device, count));
        let of_bundles = |query: &str| bundles.iter().rev().flat_map(|it| floor::rows(peek, query, [&it[0]])).collect();
        let log: Vec<Values> = of_bundles(
            "SELECT scope, seq, chain, commit_id, bundle_hash, entry, envelope, change_hash, body FROM log WHERE bundle_hash = ?1",
        );
        let changes: Vec<Values> = of_bundles(
            "SELECT document_id, change_hash, scope, seq FROM logged_changes
             WHERE (scope, seq) IN (SELECT scope, seq FROM log WHERE bundle_hash = ?1)",
        );
        let of = |query: &'static str| changes.iter().map(|change| floor::row(peek, query, [&change[0]])).collect();
        let newest = &bundles[0];
        let seen_at = floor::row(peek, "SELECT seen_at_ms FROM devices WHERE device_id = ?1", [device]);
        Self {
            documents: of(floor::SELECT_DOCUMENT),
            deliveries: of(floor::SELECT_DELIVERY),
            scope: floor::row(peek, "SELECT scope, seq, chain FROM scopes WHERE scope = ?1", [&log[0][0]]),
            device: vec![device.clone(), newest[2].clone(), newest[0].clone(), seen_at[0].clone()],
            bundles,
            log,
            changes,
        }
    }

    fn write(&self, floor: &mut Floor) {
        floor.write(|db| {
            for document in &self.documents {
                floor::run(db, floor::INSERT_DOCUMENT, document)?;
            }
            for delivery in &self.deliveries {
                floor::run(db, floor::INSERT_DELIVERY, delivery)?;
            }
            for entry in &self.log {
                floor::run(
                    db,
                    "INSERT INTO log (scope, seq, chain, commit_id, bundle_hash, entry, envelope, change_hash, body)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                    entry,
                )?;
            }
            for change in &self.changes {
                let insert =
                    "INSERT INTO logged_changes (document_id, change_hash, scope, seq) VALUES (?1, ?2, ?3, ?4)";
                floor::run(db, insert, change)?;
            }
            for bundle in &self.bundles {
                let insert = "INSERT INTO bundles (hash, device_id, bundle_seq, bytes) VALUES (?1, ?2, ?3, ?4)";
                floor::run(db, insert, bundle)?;
            }
            floor::run(db, "UPDATE scopes SET seq = ?2, chain = ?3 WHERE scope = ?1", &self.scope)?;
            let update = "UPDATE devices SET head_seq = ?2, head_hash = ?3, seen_at_ms = ?4 WHERE device_id = ?1";
            floor::run(db, update, &self.device)
        });
    }
}

/// Measures requests with one bundle of a day, and with as many as a phone puts into one, compared with the same rows by plain rusqlite in
/// one transaction; the same with all files in memory, where a durable commit costs nothing; the same on PostgreSQL.
pub(crate) fn ingest(sizes: &Sizes, table: &mut Table) {
    let [disk, disk_late] = on_sqlite(Place::Disk, sizes);
    let [memory, memory_late] = on_sqlite(Place::Memory, sizes);
    let one = |place: &str| format!("server{place}: changes a second, requests of one bundle of {PER_DAY}");
    let many = || format!("  requests of {LATE_DAYS} bundles");
    let many_changes = LATE_DAYS * PER_DAY;
    rates(table, one(""), PER_DAY, &disk.measured, &disk.floor, "–");
    rates(table, many(), many_changes, &disk_late.measured, &disk_late.floor, "–");
    rates(table, one(" with its files in memory"), PER_DAY, &memory.measured, &memory.floor, "≥ 20000/s");
    rates(table, many(), many_changes, &memory_late.measured, &memory_late.floor, "–");
    let waited =
        |disk: &Samples, memory: &Samples| format!("{:.0} %", 100.0 * (1.0 - memory.median_us() / disk.median_us()));
    let cells = [waited(&disk.measured, &memory.measured), waited(&disk.floor, &memory.floor), none(), none()];
    table.line("  so much of the time for one bundle goes to durable commits", cells, disk.measured.len());
    let Some(postgres) = Postgres::start() else { return };
    let database = postgres.create_database();
    let mut world = World::on(database.storage());
    uploads(&mut world, 1, 1, &mut None);
    database.analyze();
    let [day, late] = [(sizes.days, 1), (sizes.late_days, LATE_DAYS)]
        .map(|(requests, bundles)| uploads(&mut world, requests, bundles, &mut None));
    rates(table, one(" on PostgreSQL without fsync, beside SQLite in memory"), PER_DAY, &day, &memory.measured, "–");
    rates(table, many(), many_changes, &late, &memory_late.measured, "–");
}

struct Times {
    measured: Samples,
    floor: Samples,
}

/// Measures requests of one bundle, and of many; returns both in this order.
fn on_sqlite(place: Place, sizes: &Sizes) -> [Times; 2] {
    let mut world = World::open(place);
    [(sizes.days, 1), (sizes.late_days, LATE_DAYS)].map(|(requests, bundles)| {
        let database = world.server_database();
        let copy = world.path(&format!("server-floor-{bundles}.db"));
        let mut replay = Some(Replay {
            floor: Floor::copy_of(&database, &copy),
            peek: floor::open(&database),
            before: None,
            times: Samples::default(),
        });
        let measured = uploads(&mut world, requests, bundles, &mut replay);
        Times { measured, floor: replay.map(|it| it.times).unwrap_or_default() }
    })
}

/// The floor: writes by plain rusqlite what the request before left.
struct Replay {
    floor: Floor,
    peek: Connection,
    before: Option<Ingested>,
    times: Samples,
}

impl Replay {
    fn write(&mut self) {
        if let Some(before) = &self.before {
            let begun = Instant::now();
            before.write(&mut self.floor);
            self.times.push(begun.elapsed());
            self.floor.rest();
        }
    }
}

/// The server's times for `requests` requests of a new phone with `bundles` bundles of a day each, after one that is not counted.
fn uploads(world: &mut World, requests: usize, bundles: usize, replay: &mut Option<Replay>) -> Samples {
    let mut phone = world.phone(&format!("hands over {requests} of {bundles}"), Loads::Others, Place::Memory);
    let device = Value::Blob(phone.client().session().expect("a session").device_id.as_bytes().to_vec());
    let mut measured = Samples::default();
    for number in 0..=requests {
        for day in 1..=bundles {
            phone.weighs(PER_DAY);
            if day < bundles {
                phone.seals();
            }
        }
        settle();
        let floor_first = number.is_multiple_of(2);
        if floor_first {
            replay.iter_mut().for_each(Replay::write);
        }
        let (_, exchanged) = phone.syncs();
        settle();
        if number > 0 {
            measured.push(exchanged.iter().map(|it| it.took).sum());
        }
        if !floor_first {
            replay.iter_mut().for_each(Replay::write);
        }
        if let Some(replay) = replay {
            replay.before = Some(Ingested::newest(&replay.peek, &device, bundles));
        }
    }
    measured
}
