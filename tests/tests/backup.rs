//! Copies of the server's data: which of them count, and what phones trim once there are two.

use std::path::{Path, PathBuf};

use farmtally_core::environment::Environment;
use farmtally_core::limits::MAX_KEPT_BYTES;
use farmtally_core::units::OrganisationId;
use farmtally_sync_server::Server;
use farmtally_tests::{Market, Person, bytes_of, copy_folder, fingerprint};

fn count(person: &Person, table: &str) -> i64 {
    let db = rusqlite::Connection::open(person.database()).expect("it opens");
    db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).expect("a count")
}

fn copy(market: &Market, name: &str) -> PathBuf {
    let folder = market.path_of(name);
    market.server.back_up(&folder).expect("copied");
    folder
}

fn change(market: &Market, copy: &Path, sql: &str) -> String {
    let db = rusqlite::Connection::open(copy.join(format!("{}.db", market.organisation))).expect("it opens");
    assert!(db.execute(sql, []).expect("changed") > 0, "{sql}");
    drop(db);
    market.server.verify(copy).expect_err("not what was logged").to_string()
}

#[test]
fn phones_keep_everything_until_two_verified_copies_have_it() {
    let mut market = Market::open(1);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    for grams in [20_000, 21_000, 22_000] {
        asha.weighs(farmer, None, &[grams]);
        asha.syncs_wholly();
    }
    ravi.syncs_wholly();
    let kept = (count(&asha, "bundles"), count(&ravi, "log_tail"));
    let first = copy(&market, "first");
    asha.syncs_wholly();
    assert_eq!(asha.client.sync_status().expect("a status").copied_at, None, "a copy that nobody verified is none");
    market.server.verify(&first).expect("verified");
    ravi.syncs_wholly();
    assert_eq!((count(&asha, "bundles"), count(&ravi, "log_tail")), kept, "one is not enough");

    asha.weighs(farmer, None, &[23_000]);
    asha.syncs_wholly();
    ravi.syncs_wholly();
    let second = copy(&market, "second");
    let verified = market.server.verify(&second).expect("verified");
    assert_eq!(verified.len(), 1);
    asha.syncs_wholly();
    ravi.syncs_wholly();
    assert!(asha.client.sync_status().expect("a status").copied_at.is_some());
    assert_eq!(count(&asha, "bundles"), 1, "what came after the older copy");
    assert!(count(&ravi, "log_tail") < kept.1);

    let healthy = fingerprint(&ravi.database());
    market.sets_back(&first, false);
    for _ in 0..2 {
        asha.syncs_wholly();
        ravi.syncs_wholly();
    }
    assert_eq!(fingerprint(&market.server_database()), healthy);
    assert_eq!(fingerprint(&asha.database()), healthy);
    asha.weighs(farmer, None, &[24_000]);
    asha.syncs_wholly();
    ravi.syncs_wholly();
    assert_eq!(ravi.sum().gross_g.0, 110_000);
}

#[test]
fn a_copy_that_is_not_what_was_logged_is_refused() {
    let mut market = Market::open(2);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.weighs(farmer, None, &[20_000]);
    asha.syncs_wholly();
    let sql = "UPDATE log SET body = x'0102' WHERE scope = 'c/KOLAR/2019' AND seq = 1";
    assert!(change(&market, &copy(&market, "a byte"), sql).contains("not what was logged"));
    let sql = "UPDATE log SET chain = zeroblob(32) WHERE scope = 'c/KOLAR/2019'";
    assert!(change(&market, &copy(&market, "a chain"), sql).contains("breaks"));
    let sql = "DELETE FROM log WHERE scope = 'c/KOLAR/2019'";
    assert!(change(&market, &copy(&market, "an end"), sql).contains("before its head"));
    let whole = copy(&market, "whole");
    let error = market.server.back_up(&whole).expect_err("never over another copy").to_string();
    assert!(error.contains("folder exists"), "{error}");
    let error = market.server.verify(&market.path_of("nothing")).expect_err("nothing there").to_string();
    assert!(error.contains("there is no such folder"), "{error}");
    let damaged = copy(&market, "damaged");
    let file = damaged.join(format!("{}.db", market.organisation));
    let mut bytes = std::fs::read(&file).expect("bytes");
    bytes[4096..8192].fill(0xff);
    std::fs::write(&file, bytes).expect("written");
    let error = market.server.verify(&damaged).expect_err("damaged").to_string();
    assert!(error.contains("page 2"), "{error}");
    market.server.verify(&whole).expect("verified");
}

#[test]
fn a_copy_from_before_a_change_of_the_folding_is_whole_but_for_its_words() {
    let mut market = Market::open(13);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "98450 12345").farmer_id;
    asha.weighs(farmer, None, &[20_000]);
    asha.syncs_wholly();
    let words = change(&market, &copy(&market, "words"), "DELETE FROM words");
    assert!(words.contains("words"), "{words}");
    let older = "UPDATE folding SET version = 0; DELETE FROM words; UPDATE contacts SET name_key = ''";
    let live = rusqlite::Connection::open(market.server_database()).expect("it opens");
    live.execute_batch(older).expect("as before");
    let of_older_version = |name: &str| copy(&market, name);
    market.server.verify(&of_older_version("older")).expect("verified");
    for (name, sql, table) in [
        ("a contact", "DELETE FROM contacts", "contacts"),
        ("a delivery", "UPDATE deliveries SET conflicts = 7", "deliveries"),
        ("a document", "UPDATE documents SET saved = x'00' WHERE kind = 4", "documents"),
    ] {
        let error = change(&market, &of_older_version(name), sql);
        assert!(error.contains(table), "{name}: {error}");
    }
}

#[test]
fn without_copies_a_phone_keeps_what_fits_and_trims_the_oldest() {
    let mut market = Market::open(9);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    let db = rusqlite::Connection::open(asha.database()).expect("it opens");
    let bytes = || -> u64 {
        let sum = "SELECT sum(length(bytes)) FROM bundles WHERE is_answered = 1";
        db.query_row(sum, [], |row| row.get(0)).expect("a sum")
    };
    // Answered bundles up to the limit and a little beyond, as after years of work.
    let device = asha.client.session().expect("a session").device_id;
    let keep = |sequence: u64, length: u64| {
        let insert = "INSERT INTO bundles (bundle_seq, hash, device_id, bytes, is_answered, was_sent) VALUES (?1, randomblob(32), ?2, zeroblob(?3), 1, 1)";
        db.execute(insert, (sequence, device, length)).expect("kept");
    };
    db.execute("UPDATE bundles SET bundle_seq = bundle_seq + 1000", []).expect("the newest");
    for (sequence, spare) in [(501, 1_000_000), (502, 100)] {
        keep(sequence, MAX_KEPT_BYTES - bytes() - spare);
        let kept = count(&asha, "bundles");
        asha.syncs_wholly();
        assert_eq!(count(&asha, "bundles"), kept, "nothing was handed in");
        asha.weighs(farmer, None, &[20_000]);
        asha.syncs_wholly();
        assert!(bytes() <= MAX_KEPT_BYTES);
        // The small bundle still fits below the limit; the next one does not, and the oldest is trimmed.
        assert_eq!(count(&asha, "bundles"), if sequence == 501 { kept + 1 } else { kept });
    }
    let oldest: u64 = db.query_row("SELECT min(bundle_seq) FROM bundles", [], |row| row.get(0)).expect("one");
    assert_eq!(oldest, 502);
    assert!(count(&asha, "log_tail") > 0);
}

#[test]
fn a_copy_counts_once_however_often_it_is_copied_and_only_if_it_is_whole() {
    let mut market = Market::open(5);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.weighs(farmer, None, &[20_000]);
    asha.syncs_wholly();
    let first = copy(&market, "first");
    let same = market.path_of("the same");
    copy_folder(&first, &same);
    for folder in [&first, &same] {
        market.server.verify(folder).expect("verified");
    }
    let are_two = |asha: &Person| {
        asha.syncs_wholly();
        asha.client.sync_status().expect("a status").copied_at.is_some()
    };
    assert!(!are_two(&asha), "one copy, twice");

    let verify = |folder: &Path| market.server.verify(folder).map(drop).map_err(|error| error.to_string());
    let live = market.server_folder().join("data");
    assert!(verify(&live).expect_err("no copy").contains("copy-id"));
    std::fs::copy(first.join("copy-id"), live.join("copy-id")).expect("as after a restore");
    assert!(verify(&live).expect_err("no copy").contains("the server's own data"));
    for (name, damage) in [("control.db", b"".as_slice()), ("control.db", b"no database, but as long as one")] {
        let damaged = market.path_of(&format!("damaged {}", damage.len()));
        copy_folder(&first, &damaged);
        std::fs::write(damaged.join(name), damage).expect("damaged");
        assert!(verify(&damaged).expect_err("damaged").contains("control.db"));
    }
    assert!(change(&market, &copy(&market, "emptied"), "DELETE FROM documents").contains("missing"));
    let without = copy(&market, "without the organisation");
    let control = rusqlite::Connection::open(without.join("control.db")).expect("it opens");
    control.execute("DELETE FROM organisations", []).expect("deleted");
    drop(control);
    assert!(verify(&without).expect_err("not listed").contains("is missing"));

    let second = copy(&market, "second");
    market.server.verify(&second).expect("verified");
    assert!(are_two(&asha));
}

#[test]
fn a_copy_of_another_log_does_not_count() {
    let mut market = Market::open(7);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    let before = copy(&market, "before");
    asha.weighs(farmer, None, &[20_000]);
    asha.syncs_wholly();
    let lost = copy(&market, "lost");
    market.server.verify(&lost).expect("a copy of this log");
    // Set back with the journal of then, the server does not know that it lost anything, and its log takes another course.
    market.sets_back(&before, false);
    let ravi = market.hires("Ravi", "field_manager");
    ravi.weighs(farmer, None, &[30_000]);
    ravi.syncs_wholly();
    let error = market.server.verify(&lost).expect_err("another log").to_string();
    assert!(error.contains("differs from this server's"), "{error}");
}

#[test]
fn a_database_that_is_missing_is_not_made_anew() {
    let mut market = Market::open(6);
    market.hires("Asha", "field_manager");
    let reopens = |without: &str| {
        let folder = market.path_of(&format!("without {without}"));
        copy_folder(&market.server_folder(), &folder);
        std::fs::remove_file(folder.join("data").join(without)).expect("removed");
        let error = Server::open(&folder, Environment::system()).err().expect("refused").to_string();
        assert!(!folder.join("data").join(without).exists(), "{without}");
        error
    };
    assert!(reopens("control.db").contains("control.db: it is missing"));
    let file = format!("{}.db", market.organisation);
    assert!(reopens(&file).contains(&file));
    let unknown = OrganisationId::from([7; 16]);
    let refused = market.server.recovery(unknown).expect_err("nobody's").to_string();
    assert!(!market.server_folder().join("data").join(format!("{unknown}.db")).exists(), "{refused}");
}

#[test]
fn data_without_their_own_keys_or_journal_are_refused_before_anything_is_written() {
    let mut market = Market::open(7);
    let asha = market.hires("Asha", "field_manager");
    asha.syncs_wholly();
    let other = Market::open(8);
    let opens = |folder: &Path| Server::open(folder, Environment::system()).map(drop);
    let mixed = market.path_of("mixed");
    copy_folder(&market.server_folder(), &mixed);
    opens(&mixed).expect("all of one server");
    copy_folder(&other.server_folder().join("keys"), &mixed.join("keys"));
    let before = bytes_of(&mixed.join("journal"));
    let refused = opens(&mixed).expect_err("the keys of another server").to_string();
    assert!(refused.contains("other keys"), "{refused}");
    assert_eq!(bytes_of(&mixed.join("journal")), before, "no recovery begins");

    let empty = market.path_of("empty");
    copy_folder(&market.server_folder(), &empty);
    std::fs::remove_dir_all(empty.join("data")).expect("removed");
    let refused = opens(&empty).expect_err("no data").to_string();
    assert!(refused.contains("control.db: it is missing: restore it from a copy"), "{refused}");
    assert!(!empty.join("data").exists(), "nothing is made");
}

#[test]
fn a_copy_whose_other_tables_are_damaged_is_refused_with_the_file_and_the_table() {
    let mut market = Market::open(12);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "98450 11111").farmer_id;
    let delivery = asha.weighs(farmer, None, &[20_000]).delivery_id;
    asha.syncs_wholly();
    asha.amends(delivery, 1_000).expect("amended");
    let db = rusqlite::Connection::open(asha.database()).expect("it opens");
    let sql = "UPDATE outbox SET grant_id = zeroblob(16) WHERE outbox = (SELECT max(outbox) FROM outbox)";
    assert_eq!(db.execute(sql, []).expect("held"), 1);
    drop(db);
    asha.syncs_wholly();
    ravi.syncs_wholly();
    let copies = market.path_of("copies");
    std::fs::create_dir(&copies).expect("a folder");
    for (number, (sql, table)) in [
        ("UPDATE documents SET saved = x'0102' WHERE kind = 1", "documents"),
        ("UPDATE documents SET heads = zeroblob(32) WHERE kind = 1", "documents"),
        ("UPDATE deliveries SET gross_g = gross_g + 1", "deliveries"),
        ("DELETE FROM deliveries", "deliveries"),
        ("UPDATE contacts SET name = 'Somebody'", "contacts"),
        ("UPDATE farmers SET code = 'X'", "farmers"),
        ("DELETE FROM words", "words"),
        ("UPDATE words SET token = 'x' || token", "words"),
        ("UPDATE reference SET body = x'01'", "reference"),
        ("DELETE FROM reference WHERE kind = (SELECT min(kind) FROM reference)", "reference"),
        ("DELETE FROM grants", "grants"),
        ("UPDATE grants SET role = 'king'", "grants"),
        (
            "UPDATE devices SET public_key = zeroblob(31) WHERE device_code = (SELECT min(device_code) FROM devices)",
            "devices",
        ),
        ("UPDATE enrolment_codes SET centres = '-'", "enrolment_codes"),
        ("UPDATE held SET envelope = x'01'", "held"),
        ("UPDATE held SET change = x'01'", "held"),
        ("UPDATE bundles SET bytes = x'01'", "bundles"),
        ("DELETE FROM bundles", "bundles"),
        ("DELETE FROM logged_changes", "logged_changes"),
        ("UPDATE log SET envelope = x'01' WHERE envelope IS NOT NULL", "log"),
        ("UPDATE scopes SET chain = x'01'", "scopes"),
    ]
    .into_iter()
    .enumerate()
    {
        let damaged = copies.join(number.to_string());
        market.server.back_up(&damaged).expect("copied");
        let error = change(&market, &damaged, sql);
        assert!(error.contains(&format!("{}.db", market.organisation)), "{sql}: {error}");
        assert!(error.contains(table), "{sql}: {error}");
    }
    let damaged = copies.join("control");
    market.server.back_up(&damaged).expect("copied");
    let db = rusqlite::Connection::open(damaged.join("control.db")).expect("it opens");
    db.execute("DELETE FROM routes", []).expect("changed");
    drop(db);
    let error = market.server.verify(&damaged).expect_err("without routes").to_string();
    assert!(error.contains("control.db") && error.contains("routes"), "{error}");
    let whole = copies.join("whole");
    market.server.back_up(&whole).expect("copied");
    market.server.verify(&whole).expect("verified");
}

#[test]
fn copies_that_were_verified_while_the_clock_was_ahead_count_no_longer_once_it_is_right() {
    const DAY: i64 = 86_400;
    let mut market = Market::open(390);
    let asha = market.hires("Asha", "clerk");
    market.clock.jump(400 * DAY);
    market.verifies_two_copies();
    market.clock.jump(-400 * DAY);
    asha.weighs(asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id, None, &[20_000]);
    market.verifies_two_copies();
    asha.syncs_wholly();
    let status = asha.client.sync_status().expect("a status");
    assert!(status.copied_at.expect("two copies") <= status.synced_at.expect("synced"), "{status:?}");
}
