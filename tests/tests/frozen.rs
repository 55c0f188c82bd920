//! Opens databases of earlier versions, reads them and works with them.
//!
//! Each folder of `fixtures/databases` holds the files of a phone and its server at the end of a day on which everything happens once
//! ([`Capture`]), and in `shown.txt` what the phone showed. `unreleased` has the current schema: until the first release, migrations may
//! still be edited, and `just accept-databases` rewrites the folder. From release 1.0 on, each release that changes a schema gets its own
//! folder, named by its version (`just accept-databases 1.0`), which is never rewritten.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use farmtally_core::client::Backlog;
use farmtally_core::rules::Check;
use farmtally_tests::{Capture, Market, Person, fingerprint};
use rusqlite::Connection;

const PACKED: &str = "zst";

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/databases")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

/// Copies a folder that is in use: databases as of one moment, compressed; other files of a running process are left out.
fn pack(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for file in files(from) {
        let name = file.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        if file.is_dir() {
            pack(&file, &to.join(name));
        } else if let Some(stem) = name.strip_suffix(".db") {
            let whole = to.join(format!("{stem}.whole"));
            let db = Connection::open(&file).expect("it opens");
            db.execute("VACUUM INTO ?1", [whole.to_str().expect("a path")]).expect("copied");
            let bytes = zstd::bulk::compress(&std::fs::read(&whole).expect("bytes"), 19).expect("it packs");
            assert!(bytes.len() <= 100_000, "{name} has {} bytes", bytes.len());
            std::fs::write(to.join(format!("{name}.{PACKED}")), bytes).expect("written");
            std::fs::remove_file(whole).expect("removed");
        } else if ![".db-wal", ".db-shm", "lock"].iter().any(|end| name.ends_with(end)) {
            std::fs::copy(&file, to.join(name)).expect("copied");
        }
    }
}

fn unpack(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for file in files(from) {
        if file.is_dir() {
            unpack(&file, &to.join(file.file_name().expect("a name")));
        } else if file.extension().is_some_and(|extension| extension == PACKED) {
            let bytes = zstd::stream::decode_all(std::fs::File::open(&file).expect("a file")).expect("it unpacks");
            std::fs::write(to.join(file.file_stem().expect("a name")), bytes).expect("written");
        } else {
            std::fs::copy(&file, to.join(file.file_name().expect("a name"))).expect("copied");
        }
    }
}

/// What a phone shows of its records.
fn shown(person: &Person) -> String {
    let kolar = "KOLAR".parse().expect("a code");
    let mut text = String::new();
    for date in ["2019-05-08", "2019-05-09"] {
        let date = date.parse().expect("a date");
        let sum = person.sum_on(date);
        writeln!(
            text,
            "{date}: {} deliveries, {} voided, {} bags, {}",
            sum.deliveries, sum.voided, sum.bags, sum.gross_g
        )
        .expect("written");
        for load in person.client.today(&kolar, Some(date)).expect("a day").loads {
            writeln!(text, "{date}: load {} {}", load.number, load.lorry).expect("written");
        }
    }
    for farmer in person.farmers("").expect("farmers").items {
        writeln!(text, "farmer {} {}", farmer.code, farmer.contact.name).expect("written");
    }
    for draft in person.client.drafts().expect("drafts") {
        writeln!(text, "a draft of {} bags", draft.bags.len()).expect("written");
    }
    let Backlog { unsent, sent, held, .. } = person.client.sync_status().expect("a status").backlog;
    writeln!(text, "{unsent} unsent, {sent} sent, {held} held").expect("written");
    text
}

/// A file's schema, and the number of its newest migration.
fn schema(path: &Path) -> (Vec<String>, u32) {
    let db = Connection::open(path).expect("it opens");
    let sql = "SELECT concat_ws(' ', type, name, sql) FROM sqlite_schema ORDER BY type, name";
    let mut statement = db.prepare(sql).expect("a query");
    let rows = statement.query_map([], |row| row.get(0)).expect("rows").collect::<Result<_, _>>();
    let version = db.query_row("PRAGMA user_version", [], |row| row.get(0)).expect("a version");
    (rows.expect("rows"), version)
}

#[test]
fn databases_of_every_version_are_read_and_go_on() {
    let releases = files(&fixtures());
    assert!(!releases.is_empty());
    for release in releases {
        let unpacked = tempfile::tempdir().expect("a folder");
        unpack(&release, unpacked.path());
        let mut market = Market::on_files(&unpacked.path().join("server"), 20);
        // The clock of the day had advanced a little too.
        market.clock.pass(24 * 3_600);
        let asha = market.revives("Asha", &unpacked.path().join("phone"));
        let expected = std::fs::read_to_string(release.join("shown.txt")).expect("shown.txt");
        assert_eq!(shown(&asha), expected, "{}", release.display());
        let before = fingerprint(&asha.database());
        asha.client.rebuild().expect("rebuilt");
        assert_eq!(fingerprint(&asha.database()), before);

        let [draft] = asha.client.drafts().expect("drafts").try_into().expect("one draft");
        let draft = asha.adds_bag(&draft, 17_000);
        let delivery = asha.client.record_delivery(draft.basis, &Check::ALL).expect("recorded").delivery_id;
        asha.syncs_wholly();
        market.server.end_recovery(market.organisation).expect("ended");
        let ravi = market.hires("Ravi again", "dispatcher");
        ravi.syncs_wholly();
        let late = ravi.registers("Nagamma", "Vemagal", "").farmer_id;
        ravi.amends(delivery, 18_000).expect("amended");
        ravi.syncs_wholly();
        asha.syncs_wholly();
        assert_eq!(asha.client.farmer(late).expect("a farmer").contact.name, "Nagamma");
        assert_eq!(asha.client.delivery(delivery).expect("a delivery").bags.len(), 3);
        assert_eq!(asha.client.sync_status().expect("a status").backlog, Backlog::default());
        assert_eq!(fingerprint(&asha.database()), fingerprint(&ravi.database()));
        market.verifies_two_copies();

        let mut fresh = Market::open(21);
        assert_eq!(schema(&asha.database()), schema(&fresh.hires("Asha", "clerk").database()));
        assert_eq!(schema(&market.server_database()), schema(&fresh.server_database()));
        let control = |market: &Market| schema(&market.server_folder().join("data/control.db"));
        assert_eq!(control(&market), control(&fresh));
    }
}

#[test]
#[ignore = "writes fixtures/databases: just accept-databases"]
fn writes_the_databases() {
    let release = std::env::var("FARMTALLY_RELEASE").unwrap_or_else(|_unset| "unreleased".into());
    let folder = fixtures().join(&release);
    assert!(release == "unreleased" || !folder.exists(), "the databases of {release} are written already");
    drop(std::fs::remove_dir_all(&folder));
    let Capture { market, asha, .. } = Capture::of_a_day(2019);
    // Unsent work, and a draft.
    let farmer = asha.registers("Gangamma", "Vemagal", "").farmer_id;
    asha.weighs(farmer, None, &[15_000]);
    let draft = asha.starts(Some(farmer), None);
    asha.adds_bag(&draft, 16_000);
    pack(&asha.folder, &folder.join("phone"));
    pack(&market.server_folder(), &folder.join("server"));
    std::fs::write(folder.join("shown.txt"), shown(&asha)).expect("written");
}
