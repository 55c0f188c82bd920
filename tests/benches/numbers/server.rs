//! Changes a second: taken in by the server, and fetched by a phone.

use std::time::{Duration, Instant};

use farmtally_core::codec::decode;
use farmtally_core::protocol::message::{self, News, SyncResponse};
use rusqlite::Connection;
use rusqlite::types::Value;

use crate::Sizes;
use crate::floor::{self, Floor, Values};
use crate::table::{Samples, Table, none, ratio};
use crate::world::{Exchanged, Loads, PER_DAY, Phone, Place, World, settle};

/// Changes a second beside those of the floor.
fn rates(table: &mut Table, what: String, changes: usize, measured: &Samples, floor: &Samples, reach: &str) {
    let rate = |samples: &Samples| changes as f64 / samples.median_us() * 1e6;
    let (measured_rate, floor_rate) = (rate(measured), rate(floor));
    let text = |rate: f64| format!("{rate:.0}/s");
    // As everywhere the ratio is of times: above one is slower than the floor.
    let cells = [text(measured_rate), text(floor_rate), ratio(floor_rate, measured_rate), reach.to_owned()];
    table.line(what, cells, measured.len());
}

/// Phones that are enrolled before there is anything to fetch.
pub(crate) fn early_phones(world: &mut World, sizes: &Sizes) -> Vec<Phone> {
    (0..sizes.pulls).map(|number| world.phone(&format!("late-{number}"), Loads::Others, Place::Disk)).collect()
}

/// Phones that fetch what others pushed since, beside documents, rows, tail and cursor by plain rusqlite, one transaction a frame.
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
        // The server answers on this thread.
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
    let news = answers.map(|answer| decode::<News>(&answer.news).expect("news"));
    news.flat_map(|news| news.frames).map(|frame| frame.entries.len()).collect()
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

/// What one bundle left on the server's disk.
struct Ingested {
    bundle: Values,
    log: Vec<Values>,
    changes: Vec<Values>,
    documents: Vec<Values>,
    deliveries: Vec<Values>,
    scope: Values,
    device: Values,
}

impl Ingested {
    /// The device's newest bundle with all that came of it.
    fn newest(peek: &Connection, device: &Value) -> Self {
        let bundle = floor::row(
            peek,
            "SELECT hash, device_id, bundle_seq, bytes FROM bundles WHERE device_id = ?1
             ORDER BY bundle_seq DESC LIMIT 1",
            [device],
        );
        let hash = &bundle[0];
        let log = "SELECT scope, seq, chain, work, bundle_hash, entry, envelope, change_hash, body FROM log WHERE bundle_hash = ?1";
        let log = floor::rows(peek, log, [hash]);
        let changes = floor::rows(
            peek,
            "SELECT document_id, change_hash, scope, seq FROM logged_changes
             WHERE (scope, seq) IN (SELECT scope, seq FROM log WHERE bundle_hash = ?1)",
            [hash],
        );
        let of = |query: &'static str| changes.iter().map(|change| floor::row(peek, query, [&change[0]])).collect();
        Self {
            documents: of(floor::SELECT_DOCUMENT),
            deliveries: of(floor::SELECT_DELIVERY),
            scope: floor::row(peek, "SELECT scope, seq, chain FROM scopes WHERE scope = ?1", [&log[0][0]]),
            device: vec![device.clone(), bundle[2].clone(), hash.clone(), bundle[4].clone()],
            bundle,
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
                    "INSERT INTO log (scope, seq, chain, work, bundle_hash, entry, envelope, change_hash, body)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                    entry,
                )?;
            }
            for change in &self.changes {
                let insert =
                    "INSERT INTO logged_changes (document_id, change_hash, scope, seq) VALUES (?1, ?2, ?3, ?4)";
                floor::run(db, insert, change)?;
            }
            floor::run(
                db,
                "INSERT INTO bundles (hash, device_id, bundle_seq, bytes) VALUES (?1, ?2, ?3, ?4)",
                &self.bundle,
            )?;
            floor::run(db, "UPDATE scopes SET seq = ?2, chain = ?3 WHERE scope = ?1", &self.scope)?;
            let update = "UPDATE devices SET head_seq = ?2, head_hash = ?3, seen_at_ms = ?4 WHERE device_id = ?1";
            floor::run(db, update, &self.device)
        });
    }
}

/// Whole requests with one bundle of a day, beside the same rows by plain rusqlite in one transaction; then the same with all files in memory,
/// where a durable commit costs nothing.
pub(crate) fn ingest(world: &mut World, sizes: &Sizes, table: &mut Table) {
    let [on_disk, disk_floor] = ingest_days(world, sizes);
    let [in_memory, memory_floor] = ingest_days(&mut World::open(Place::Memory), sizes);
    let what = format!("server: changes a second, requests of one bundle of {PER_DAY}");
    rates(table, what, PER_DAY, &on_disk, &disk_floor, "≥ 20000/s");
    rates(table, "  the same with its files in memory".to_owned(), PER_DAY, &in_memory, &memory_floor, "–");
    let waited =
        |disk: &Samples, memory: &Samples| format!("{:.0} %", 100.0 * (1.0 - memory.median_us() / disk.median_us()));
    let cells = [waited(&on_disk, &in_memory), waited(&disk_floor, &memory_floor), none(), none()];
    table.line("  so much of its time goes to durable commits", cells, on_disk.len());
}

/// Times of requests, and of the floor.
fn ingest_days(world: &mut World, sizes: &Sizes) -> [Samples; 2] {
    let mut phone = world.phone("esha", Loads::Others, Place::Memory);
    let device = Value::Blob(phone.client.session().expect("a session").device_id.as_bytes().to_vec());
    let mut floor = Floor::copy_of(&world.server_database(), &world.path("server-floor.db"));
    let peek = floor::open(&world.server_database());
    let (mut measured, mut floors) = (Samples::default(), Samples::default());
    let mut before: Option<Ingested> = None;
    for day in 0..=sizes.days {
        phone.weighs(PER_DAY);
        settle();
        let floor_first = day.is_multiple_of(2);
        let mut replay = |before: &Option<Ingested>| {
            if let Some(before) = before {
                let begun = Instant::now();
                before.write(&mut floor);
                floors.push(begun.elapsed());
                floor.rest();
            }
        };
        if floor_first {
            replay(&before);
        }
        let (_, exchanged) = phone.syncs();
        settle();
        if before.is_some() {
            measured.push(exchanged.iter().map(|it| it.took).sum());
        }
        if !floor_first {
            replay(&before);
        }
        before = Some(Ingested::newest(&peek, &device));
    }
    [measured, floors]
}
