//! Every table of a phone is compared between replicas or excused, and contains nothing of erased people. That a wipe empties it, a test of
//! core's `store::installation` checks.

use std::collections::BTreeSet;
use std::path::Path;

use farmtally_core::records::farmer::ContactDetails;
use farmtally_core::store::RECORDS;
use farmtally_core::units::{DocumentId, FarmerId};
use farmtally_sync_server::ReferenceFile;
use farmtally_tests::{Capture, Forger, Market, Person, bytes_of, copy_folder, fingerprint};
use rusqlite::Connection;

fn strings(db: &Connection, sql: &str) -> Vec<String> {
    let mut statement = db.prepare(sql).expect("a query");
    statement.query_map([], |row| row.get(0)).expect("rows").collect::<Result<_, _>>().expect("strings")
}

fn tables(db: &Connection) -> Vec<String> {
    strings(db, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
}

/// Columns that [`fingerprint`] leaves out, with reasons. `*` stands for every column of a table.
const NOT_COMPARED: &[(&str, &str)] = &[
    ("grants.*", "a phone knows those of its own device, and loses them with a new key"),
    ("reference.*", "it grows with every user who is hired, before the phones of others hear of it; compared below"),
    ("folding.*", "the version of the code that wrote the words, not content"),
    ("documents.saved", "the bytes depend on the order in which changes came; the heads name them all"),
];

/// Alters each column of the tables that phone and server share, and requires that the fingerprint changes. Tables that only a phone has
/// cannot be compared with another replica.
#[test]
fn every_column_that_replicas_share_is_compared_or_excused() {
    let Capture { market, asha, .. } = Capture::of_a_day(31);
    let is_excused = |table: &str| NOT_COMPARED.iter().any(|(known, _)| *known == format!("{table}.*"));
    let shared = Connection::open_in_memory().expect("it opens");
    shared.execute_batch(RECORDS).expect("tables");
    let original = market.path_of("original");
    copy_folder(&asha.folder, &original);
    let altered = market.path_of("altered");
    let before = fingerprint(&original.join("field.db"));
    let mut unnoticed = BTreeSet::new();
    for table in tables(&shared) {
        let columns = format!("SELECT concat_ws(' ', name, type) FROM pragma_table_info('{table}')");
        for column in strings(&shared, &columns) {
            let (column, column_type) = column.split_once(' ').expect("a name and a type");
            // Each replica has its own order of arrival.
            if column == "arrival" {
                continue;
            }
            let value = match column_type {
                "INTEGER" => format!("coalesce({column}, 0) + 1000000"),
                "TEXT" => format!("coalesce({column}, '') || 'x'"),
                _ => format!("CAST(coalesce({column}, x'') || x'01' AS BLOB)"),
            };
            copy_folder(&original, &altered);
            let db = Connection::open(altered.join("field.db")).expect("it opens");
            let rows = db.execute(&format!("UPDATE {table} SET {column} = {value}"), []).expect("altered");
            assert!(rows > 0, "the day leaves no row in {table}");
            drop(db);
            if fingerprint(&altered.join("field.db")) == before {
                unnoticed.insert(format!("{table}.{}", if is_excused(&table) { "*" } else { column }));
            }
            std::fs::remove_dir_all(&altered).expect("removed");
        }
    }
    assert_eq!(unnoticed, NOT_COMPARED.iter().map(|(column, _)| (*column).to_owned()).collect());
}

#[test]
fn reference_data_is_the_same_on_every_phone_and_on_the_server() {
    let mut market = Market::open(32);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let lorry = r#"{"lorries": [{"plate": "KA07A1111", "payload_g": 8000000}]}"#;
    let file = ReferenceFile::parse(lorry).expect("reference data");
    market.server.update_reference(market.organisation, &file).expect("updated");
    let of_all = |path: &Path| {
        let db = Connection::open(path).expect("it opens");
        let sql = "SELECT concat_ws('|', kind, subject, seq, hex(body)) FROM reference WHERE scope = 'org' ORDER BY kind, subject";
        strings(&db, sql)
    };
    let expected = of_all(&market.server_database());
    assert!(expected.len() > 10);
    for person in [&asha, &ravi] {
        person.syncs_wholly();
        assert_eq!(of_all(&person.database()), expected, "{}", person.name);
    }
}

/// The tables with a row that contains a name.
fn tables_with(path: &Path, name: &str) -> Vec<String> {
    let db = Connection::open(path).expect("it opens");
    let mut found = tables(&db);
    found.retain(|table| {
        // As bytes, because a blob is not text; in both forms in which the name and its words are written.
        let columns = format!("SELECT name FROM pragma_table_info('{table}')");
        let conditions = strings(&db, &columns).into_iter().flat_map(|column| {
            [name.to_owned(), name.to_lowercase()].map(|name| format!("instr(hex({column}), hex('{name}')) > 0"))
        });
        let conditions: Vec<String> = conditions.collect();
        let sql = format!("SELECT count(*) FROM {table} WHERE {}", conditions.join(" OR "));
        db.query_row(&sql, [], |row| row.get::<_, u64>(0)).expect("a count") > 0
    });
    found
}

/// Tables in which a phone may keep the name of a farmer. Add a new one once the story below puts a name into it.
const WITH_NAMES: [&str; 8] =
    ["bundles", "contacts", "documents", "log_tail", "outbox", "rejected", "set_aside", "words"];

/// Ravi's phone has the name wherever it can: registered and edited here, read from others, rejected, set aside.
#[test]
fn a_person_who_is_forgotten_is_in_no_table_of_a_phone() {
    let mut market = Market::open(33);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = ravi.registers("Zipporah Quill", "Vemagal", "").farmer_id;
    ravi.syncs_wholly();
    asha.syncs_wholly();
    renames(&asha, farmer, "Zipporah Quillon");
    asha.syncs_wholly();
    ravi.syncs_wholly();
    // What is held is rejected.
    renames(&ravi, farmer, "Zipporah Queller");
    let db = Connection::open(ravi.database()).expect("it opens");
    assert_eq!(db.execute("UPDATE outbox SET grant_id = zeroblob(16)", []).expect("changed"), 1);
    ravi.syncs_wholly();
    let held = market.server.held(market.organisation).expect("held").remove(0).entry;
    market.server.reject(market.organisation, held.document(), Some(held.change), "no grant").expect("rejected");
    ravi.syncs_wholly();
    // An entry that an older version could not apply, and an unsent change.
    renames(&ravi, farmer, "Zipporah Quest");
    let contact: DocumentId = held.document();
    let entry = Forger::with_phone_of(&ravi, &market).outbox().remove(0);
    let sql =
        "INSERT INTO set_aside (scope, seq, document_id, entry, reason) VALUES ('c/KOLAR', 99, ?1, ?2, 'not known')";
    db.execute(sql, (contact, entry.change)).expect("set aside");
    drop(db);
    assert_eq!(tables_with(&ravi.database(), "Zipporah"), WITH_NAMES);

    market.server.erase_farmer(market.organisation, farmer).expect("erased");
    ravi.syncs_wholly();
    assert_eq!(tables_with(&ravi.database(), "Zipporah"), Vec::<String>::new());
    let ravi = ravi.restarts();
    let bytes = bytes_of(&ravi.folder).to_ascii_lowercase();
    assert!(!bytes.windows(8).any(|it| it == b"Zipporah"));
}

fn renames(person: &Person, farmer: FarmerId, name: &str) {
    let view = person.client.farmer(farmer).expect("a farmer");
    let details = ContactDetails { name: name.into(), ..view.contact };
    person.client.edit_farmer(farmer, view.basis, &details).expect("edited");
}
