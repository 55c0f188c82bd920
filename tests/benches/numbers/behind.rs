//! Empty syncs: of a phone that has a thousand farmers, and of one that has very many records, on servers with equally many devices.

use std::time::{Duration, Instant};

use farmtally_core::protocol::bundle::ChangeEnvelope;
use farmtally_core::records::{Change, Delivery, Kind, merge};
use farmtally_core::scope::Scope;
use farmtally_core::units::{BundleHash, DocumentId};
use farmtally_sync_server::Error;
use farmtally_sync_server::storage::{self, LogContent, SqliteStorage, Storage, WriteTransaction};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rusqlite::Connection;

use crate::Sizes;
use crate::floor;
use crate::table::{Samples, Table, micros, none, ratio};
use crate::world::{Exchanged, Loads, Phone, Place, World, season_scope};

/// Entries that are written in one transaction.
pub(crate) const AT_ONCE: usize = 10_000;
/// Time of the first id of a copied document: 1 January 2030, in milliseconds.
const COPIES_FROM_MS: u64 = 1_893_456_000_000;

/// A delivery of the season, to be copied.
struct Original {
    envelope: ChangeEnvelope,
    change: Change,
    origin: (BundleHash, u32),
}

/// Copies deliveries of the season under new ids, until its log has at least `records` entries: merged, saved and logged by the storage,
/// without bundles and without checks. Returns how long that took.
fn grow(world: &World, scope: &Scope, records: u64) -> Duration {
    let begun = Instant::now();
    let storage = SqliteStorage::open(&world.server_folder().join("data")).expect("storage");
    let logged = storage::read(&storage, world.organisation, |db| db.entries_after(scope, 0, 10_000)).expect("a log");
    let mut originals = Vec::new();
    for entry in logged {
        if let LogContent::Change { envelope, change: Some(change), origin, .. } = entry.content
            && envelope.kind == Kind::of::<Delivery>().number
        {
            let change = Change::parse_stripped(&change).expect("a change");
            originals.push(Original { envelope, change, origin });
        }
    }
    let (mut done, mut rng) = (0, StdRng::seed_from_u64(7));
    let mut is_enough = false;
    while !is_enough {
        let copies: Vec<(DocumentId, &Original)> = (done..done + AT_ONCE)
            .map(|number| (id(number as u64 + 1, &mut rng), &originals[number % originals.len()]))
            .collect();
        done += AT_ONCE;
        let (end, _) = storage::write(&storage, world.organisation, |db| copy(db, scope, &copies)).expect("written");
        is_enough = end >= records;
        if done.is_multiple_of(20 * AT_ONCE) {
            storage.scrub(world.organisation).expect("folded back");
        }
    }
    storage.scrub(world.organisation).expect("folded back");
    begun.elapsed()
}

/// Copies deliveries in one transaction. Returns the new length of the log.
fn copy(db: &mut WriteTransaction<'_>, scope: &Scope, copies: &[(DocumentId, &Original)]) -> Result<u64, Error> {
    let kind = Kind::of::<Delivery>();
    let merged = |document, original: &Original| merge(kind, document, None, &original.change).expect("it merges");
    let documents: Vec<_> = copies.iter().map(|(id, it)| (*id, merged(*id, it))).collect();
    let saved: Vec<_> = documents.iter().map(|(id, merged)| (scope, kind, *id, merged)).collect();
    db.save_documents(&saved)?;
    let envelope =
        |(document, it): &(DocumentId, &Original)| ChangeEnvelope { document_id: *document, ..it.envelope.clone() };
    let content = |copy: &(DocumentId, &Original)| {
        let (envelope, it) = (envelope(copy), copy.1);
        let (hash, change) = (it.change.hash(), Some(it.change.stripped().to_vec()));
        LogContent::Change { envelope, hash, change, origin: it.origin }
    };
    let contents: Vec<LogContent> = copies.iter().map(content).collect();
    let entries: Vec<_> = contents.iter().map(|content| (scope, content)).collect();
    let commit_id = db.next_commit_id()?;
    let cursors = db.append_all(commit_id, &entries)?;
    Ok(cursors.last().map_or(0, |cursor| cursor.sequence))
}

/// A version 7 UUID whose time is `number` seconds after the first.
pub(crate) fn id(number: u64, rng: &mut StdRng) -> DocumentId {
    let mut bytes: [u8; 16] = rng.random();
    bytes[..6].copy_from_slice(&(COPIES_FROM_MS + number * 1_000).to_be_bytes()[2..]);
    bytes[6] = 0x70 | bytes[6] & 0x0f;
    bytes[8] = 0x80 | bytes[8] & 0x3f;
    DocumentId::from(bytes)
}

/// Measurements of one phone's empty syncs: the most bytes up and down, and the server's times.
#[derive(Default)]
struct Idle {
    up: usize,
    down: usize,
    server: Samples,
}

impl Idle {
    fn sync(&mut self, phone: &Phone) {
        let (_, exchanged) = phone.syncs();
        let down: usize = exchanged.iter().map(|it| it.response.body.len()).sum();
        let both: usize = exchanged.iter().map(Exchanged::bytes).sum();
        self.up = self.up.max(both - down);
        self.down = self.down.max(down);
        self.server.push(exchanged.iter().map(|it| it.took).sum());
    }
}

/// Measures empty syncs of two phones in turn: one has the whole season, whose log is grown for it, the other only the farmers.
pub(crate) fn nothing_to_say(season: &mut World, sizes: &Sizes, table: &mut Table) {
    let mut small = World::open(Place::Disk);
    let few = small.phone("kavya", Loads::Others, Place::Memory);
    let mut alone = Idle::default();
    for _ in 0..sizes.idle_syncs {
        alone.sync(&few);
    }
    let many = season.phone("lalita", Loads::Others, Place::Memory);
    let scope = season_scope();
    let took = grow(season, &scope, sizes.behind);
    // Its cursor is moved to the end of the log, as if it had read all of that.
    let server = floor::open(&season.server_database());
    let head = floor::row(&server, "SELECT scope, seq, chain FROM scopes WHERE scope = ?1", [&scope]);
    let phone = floor::open(&many.database());
    floor::run(&phone, "UPDATE log_cursors SET seq = ?2, chain = ?3 WHERE scope = ?1", &head).expect("moved");
    // Each device costs the server something too, so both servers get the same number.
    let count = |db: &Connection, what: &str| -> u64 { db.query_row(what, [], |row| row.get(0)).expect("a number") };
    let devices = |db: &Connection| count(db, "SELECT count(*) FROM devices");
    let small_server = floor::open(&small.server_database());
    while devices(&small_server) < devices(&server) {
        let name = format!("idle-{}", devices(&small_server));
        drop(small.new_phone(&name, Loads::Others, Place::Memory));
    }
    // The phone fetches the decisions about the new devices.
    few.syncs();
    let behind = [&server, &small_server].map(|db| count(db, "SELECT sum(seq) FROM scopes"));
    println!("grown to {} log entries in {took:.0?}; the other server has {}", behind[0], behind[1]);

    for (what, apart_ms) in [("in the same minute", 0), ("minutes apart", 60_000)] {
        let mut idle = [Idle::default(), Idle::default()];
        for number in 0..2 * sizes.idle_syncs {
            let of = number % 2;
            let phone = [&many, &few][of];
            phone.rests(apart_ms);
            idle[of].sync(phone);
        }
        let [many, few] = &idle;
        let bytes = |idle: &Idle| format!("{} + {} B", idle.up, idle.down);
        let all = (many.up + many.down) as f64;
        let cells = [bytes(many), bytes(few), ratio(all, (few.up + few.down) as f64), "≤ 600 B".to_owned()];
        table.line(
            format!("nothing to say, {} records behind it, {what}: up and down", sizes.behind),
            cells,
            many.server.len(),
        );
        for (what, us) in [("median", Samples::median_us as fn(&Samples) -> f64), ("p99", Samples::p99_us)] {
            let (many_us, few_us) = (us(&many.server), us(&few.server));
            let cells = [micros(many_us), micros(few_us), ratio(many_us, few_us), "≤ 5000 µs".to_owned()];
            table.line(format!("  the server's time, {what}"), cells, many.server.len());
        }
    }
    let what = format!("  the same with 2 devices instead of {}, the server's time, median", devices(&server));
    table.line(what, [none(), micros(alone.server.median_us()), none(), none()], alone.server.len());
}
