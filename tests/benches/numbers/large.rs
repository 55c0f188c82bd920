//! A phone with very many records: its opening, the search of farmers with each keystroke, and a long statement, compared with reading rows
//! of the same file by plain rusqlite.
//!
//! Farmers are imported. Deliveries are copies of real ones under new ids, saved through the store, so that documents and rows are as from a
//! sync.

use std::fmt::Write;
use std::time::Instant;

use farmtally_core::client::{FarmerQuery, ImportInput};
use farmtally_core::paper::Wording;
use farmtally_core::records::{Change, Delivery, Kind, merge};
use farmtally_core::store::records;
use farmtally_core::store::sql::sqlite::SqliteWriter;
use farmtally_core::units::{BusinessDate, FarmerId};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rusqlite::Connection;
use rusqlite::types::Value;

use crate::Sizes;
use crate::behind::{AT_ONCE, id};
use crate::floor;
use crate::record::{add, in_turn};
use crate::table::{Samples, Table};
use crate::world::{Loads, Phone, Place, World, season_scope};

/// Farmers on a page.
const PAGE: u32 = 50;

const GIVEN: [&str; 20] = [
    "Lakshmi",
    "Muniyappa",
    "Venkatesh",
    "Chowdamma",
    "Ramesh",
    "Puttamma",
    "Manjunath",
    "Savitha",
    "Narayana",
    "Gowramma",
    "Krishna",
    "Shivanna",
    "Nagaraj",
    "Bhagya",
    "Anjali",
    "Basavaraj",
    "Kempanna",
    "Yashoda",
    "Prakash",
    "Rathnamma",
];
const SYLLABLES: [&str; 16] =
    ["ka", "mu", "ra", "vel", "gow", "da", "shi", "pur", "han", "ti", "bel", "no", "che", "lu", "sa", "wadi"];

/// A word of three syllables, one of 4,096.
fn word(rng: &mut StdRng) -> String {
    (0..3).map(|_| SYLLABLES[rng.random_range(0..SYLLABLES.len())]).collect()
}

/// Names of farmers, as they are searched.
fn names(count: usize, rng: &mut StdRng) -> Vec<String> {
    (0..count).map(|_| format!("{} {}", GIVEN[rng.random_range(0..GIVEN.len())], word(rng))).collect()
}

/// Imports farmers of these names.
fn import(phone: &Phone, world: &World, names: &[String], rng: &mut StdRng) {
    let mut file = "name,village,phone\n".to_owned();
    for (number, name) in names.iter().enumerate() {
        writeln!(file, "{name},{},98{number:08}", word(rng)).expect("memory takes all text");
    }
    let path = world.path("farmers.csv");
    std::fs::write(&path, file).expect("written");
    let centre = "KOLAR".parse().expect("a code");
    let input = ImportInput { centre, is_dry_run: false, with_look_alikes: true };
    let report = phone.client().import_farmers(&path, &input).expect("imported");
    assert_eq!(report.lines, names.len() as u64);
}

/// Copies the deliveries of the outbox until the phone has `count`, and empties the outbox. The phone must be closed.
fn copy(db: &mut Connection, count: usize, rng: &mut StdRng) {
    let (kind, scope) = (Kind::of::<Delivery>(), season_scope());
    let changes = floor::rows(db, "SELECT change FROM outbox WHERE kind = ?1 ORDER BY outbox", [kind.number]);
    let changes: Vec<Change> = changes
        .into_iter()
        .map(|row| match row.as_slice() {
            [Value::Blob(bytes)] => Change::parse_stripped(bytes).expect("a change"),
            other => panic!("{other:?}"),
        })
        .collect();
    for from in (changes.len()..count).step_by(AT_ONCE) {
        let write = db.transaction().expect("a transaction");
        let copies: Vec<_> = (from..count.min(from + AT_ONCE))
            .map(|number| {
                let id = id(number as u64 + 1, rng);
                (id, merge(kind, id, None, &changes[number % changes.len()]).expect("it merges"))
            })
            .collect();
        let saved: Vec<_> = copies.iter().map(|(id, merged)| (&scope, kind, *id, merged)).collect();
        records::save_all(&mut SqliteWriter::new(&write), &saved).expect("saved");
        write.commit().expect("committed");
    }
    db.execute("DELETE FROM outbox", []).expect("emptied");
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("a checkpoint");
}

/// Measures a phone with very many farmers and deliveries.
pub(crate) fn large(sizes: &Sizes, table: &mut Table) {
    let mut world = World::open(Place::Disk);
    let mut rng = StdRng::seed_from_u64(11);
    let mut phone = world.phone("radha", Loads::Others, Place::Disk);
    let names = names(sizes.many, &mut rng);
    import(&phone, &world, &names, &mut rng);
    phone.weighs(sizes.many.div_ceil(sizes.statement_rows));
    phone.closes();
    copy(&mut floor::open(&phone.database()), sizes.many, &mut rng);
    opening(&mut phone, sizes, table);
    let peek = floor::open(&phone.database());
    keystrokes(&phone, &peek, &names, sizes, table);
    statement(&phone, &peek, sizes, table);
}

/// Opens the phone until it shows the centre's day; the floor opens the file and adds up the same day.
fn opening(phone: &mut Phone, sizes: &Sizes, table: &mut Table) {
    let (centre, scope) = ("KOLAR".parse().expect("a code"), season_scope());
    let day = "SELECT count(*), sum(bag_count), sum(gross_g) FROM deliveries WHERE scope = ?1 AND business_day = ?2";
    let mut times = [Samples::default(), Samples::default()];
    for _ in 0..sizes.openings {
        phone.closes();
        let begun = Instant::now();
        phone.opens();
        let today = phone.client().today(&centre, None).expect("a day");
        times[0].push(begun.elapsed());
        phone.closes();
        let begun = Instant::now();
        let db = floor::open(&phone.database());
        let row = floor::row(&db, day, rusqlite::params![scope, today.date.0]);
        times[1].push(begun.elapsed());
        assert!(!row.is_empty());
    }
    phone.opens();
    table.times(
        &format!("open with {} deliveries and farmers, until today is read", sizes.many),
        &times[0],
        &times[1],
        ["–", "–"],
    );
}

/// Types names of farmers, letter by letter; the floor reads the ids of a page by the longest word.
fn keystrokes(phone: &Phone, peek: &Connection, names: &[String], sizes: &Sizes, table: &mut Table) {
    let exact = "SELECT document_id FROM words WHERE scope = ?1 AND token = ?2 ORDER BY document_id DESC LIMIT ?4";
    let range = "SELECT DISTINCT document_id FROM words WHERE scope = ?1 AND token >= ?2 AND token < ?3
                 ORDER BY document_id DESC LIMIT ?4";
    let mut times = [Samples::default(), Samples::default()];
    let mut turn = 0;
    for name in names.iter().step_by(names.len().div_ceil(sizes.searches)) {
        for (end, letter) in name.char_indices().filter(|(_, letter)| *letter != ' ') {
            let typed = &name[..end + letter.len_utf8()];
            let query = FarmerQuery { limit: PAGE, ..FarmerQuery::new("KOLAR".parse().expect("a code"), typed) };
            let longest = typed.split(' ').max_by_key(|word| word.len()).unwrap_or_default().to_lowercase();
            let (sql, beyond) = (if longest.len() <= 3 { exact } else { range }, format!("{longest}\u{10ffff}"));
            turn += 1;
            let took = in_turn(
                turn,
                || assert!(!phone.client().farmers(&query).expect("a page").items.is_empty(), "{typed}"),
                Some(|| drop(floor::rows(peek, sql, rusqlite::params!["c/KOLAR", longest, beyond, PAGE + 1]))),
            );
            add(&mut times, took);
        }
    }
    table.times(&format!("a keystroke among {} farmers", sizes.many), &times[0], &times[1], ["–", "–"]);
}

/// Writes the statement of a farmer with many deliveries; the floor reads their rows and documents.
fn statement(phone: &Phone, peek: &Connection, sizes: &Sizes, table: &mut Table) {
    let most = "SELECT farmer_id FROM deliveries GROUP BY farmer_id ORDER BY abs(count(*) - ?1) LIMIT 1";
    let bytes: [u8; 16] = peek.query_row(most, [sizes.statement_rows], |row| row.get(0)).expect("a farmer");
    let farmer = FarmerId::from(bytes);
    let read = "SELECT d.*, saved FROM deliveries d JOIN documents ON document_id = delivery_id
                WHERE d.farmer_id = ?1 AND d.scope = ?2 ORDER BY business_day, delivery_id";
    let rows = floor::rows(peek, read, rusqlite::params![bytes, season_scope()]).len();
    let mut times = [Samples::default(), Samples::default()];
    for turn in 0..sizes.statements {
        let days = (BusinessDate(0), BusinessDate(40_000));
        let took = in_turn(
            turn,
            || drop(phone.client().statement(farmer, days.0, days.1, Wording::default()).expect("a statement")),
            Some(|| drop(floor::rows(peek, read, rusqlite::params![bytes, season_scope()]))),
        );
        add(&mut times, took);
    }
    table.times(&format!("statement of {rows} deliveries"), &times[0], &times[1], ["–", "–"]);
}
