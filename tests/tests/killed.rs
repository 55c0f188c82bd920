//! A killed app loses nothing that a call returned as done, and leaves nothing half done.
//!
//! Between checkpoints SQLite writes one file only: the write-ahead log, from its start or its end onwards, piece by piece. So a killed
//! process leaves the old file, overwritten up to some byte with the new one. The tests make all those files at and within page borders,
//! start a phone on each, and check it. One test kills a real process, to confirm that.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use farmtally_core::client::{DeliveryView, FarmerQuery, FieldClient, Lifecycle};
use farmtally_core::rules::Check;
use farmtally_core::sync::{Transport, TransportError, WireRequest, WireResponse};
use farmtally_core::units::{DeliveryId, Timestamp};
use farmtally_tests::{Market, Person, TestClock, all_deliveries, bag, environment, fingerprint, reason};

/// A phone's files at some moment; the third, `-shm`, is lost with the process.
#[derive(Clone, PartialEq, Eq)]
struct Files {
    database: Vec<u8>,
    log: Vec<u8>,
}

impl Files {
    fn of(person: &Person) -> Self {
        let read = |name: &str| std::fs::read(person.folder.join(name)).unwrap_or_default();
        Self { database: read("field.db"), log: read("field.db-wal") }
    }

    fn put_into(&self, folder: &Path) {
        std::fs::create_dir_all(folder).expect("a folder");
        std::fs::write(folder.join("field.db"), &self.database).expect("it writes");
        std::fs::write(folder.join("field.db-wal"), &self.log).expect("it writes");
    }
}

const LOG_HEADER: usize = 32;
const PAGE: usize = 24 + 4096;

/// The files that remain if the process is killed between `before` and `after`: at each page border and at some bytes within.
fn kills(before: &Files, after: &Files) -> Vec<Files> {
    assert!(before.database == after.database, "only the write-ahead log was written");
    let differs = before.log.iter().zip(&after.log).position(|(a, b)| a != b);
    let first = differs.unwrap_or(before.log.len().min(after.log.len()));
    let last = if before.log.len() < after.log.len() {
        after.log.len()
    } else {
        let from_end = before.log.iter().rev().zip(after.log.iter().rev()).position(|(a, b)| a != b);
        after.log.len() - from_end.unwrap_or(0)
    };
    assert!(first < last, "something was written");
    let within = [0, 1, 8, 23, 24, 25, 2_000, 4_119];
    let pages = (0..=after.log.len() / PAGE).map(|page| LOG_HEADER + page * PAGE);
    let mut cuts: BTreeSet<usize> = pages.flat_map(|page| within.map(|offset| page + offset)).collect();
    cuts.extend([first, first + 1, last - 1, last]);
    cuts.retain(|cut| (first..=last).contains(cut));
    cuts.into_iter()
        .map(|cut| {
            let mut log = before.log.clone();
            log.resize(log.len().max(cut), 0);
            log[..cut].copy_from_slice(&after.log[..cut]);
            Files { database: before.database.clone(), log }
        })
        .collect()
}

/// Does something on a phone. Returns its result, and what each kill during it leaves.
fn killed_while<T>(person: &Person, act: impl FnOnce() -> T) -> (T, Vec<Files>) {
    let before = Files::of(person);
    let done = act();
    (done, kills(&before, &Files::of(person)))
}

/// Checkpoints the write-ahead log, so that the next write overwrites it from its start.
fn folds_back(person: &Person) {
    let db = rusqlite::Connection::open(person.database()).expect("it opens");
    let busy: i64 = db.query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| row.get(0)).expect("folded back");
    assert_eq!(busy, 0);
    // The phone has the file open, so closing this connection does not remove the log.
    drop(db);
    assert!(person.folder.join("field.db-wal").exists());
}

/// Starts a phone that was killed.
fn starts_again(market: &mut Market, files: &Files, number: usize) -> Person {
    let folder = market.path_of(&format!("copy {number}"));
    files.put_into(&folder);
    market.revives("a copy", &folder)
}

/// The delivery, recorded or still a draft, with a check that it is not both.
fn found(person: &Person, id: DeliveryId) -> DeliveryView {
    let view = person.client.delivery(id).expect("a draft or a delivery");
    let is_draft = person.client.drafts().expect("drafts").iter().any(|draft| draft.delivery_id == id);
    let rows = all_deliveries(&person.client);
    let is_recorded = rows.iter().any(|row| row.delivery_id == id);
    assert!(is_draft != is_recorded, "never both, never neither");
    assert_eq!(is_draft, view.lifecycle == Lifecycle::Draft);
    view
}

fn receipts(person: &Person) -> Vec<u32> {
    all_deliveries(&person.client).iter().map(|row| row.receipt_sequence).collect()
}

/// By scope: the sequence number up to which the log was read, and the one that the server's evidence covers.
fn read_and_proven(person: &Person) -> Vec<(String, u64, Option<u64>)> {
    let db = rusqlite::Connection::open(person.database()).expect("it opens");
    let sql =
        "SELECT scope, log_cursors.seq, evidence.seq FROM log_cursors LEFT JOIN evidence USING (scope) ORDER BY scope";
    let mut statement = db.prepare(sql).expect("tables");
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).expect("rows");
    rows.collect::<Result<_, _>>().expect("rows")
}

#[test]
fn a_phone_killed_in_a_sync_has_proof_of_all_that_it_has_read() {
    let mut market = Market::open(9);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "field_manager"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.weighs(farmer, None, &[20_000]);
    asha.syncs_wholly();
    let ((), copies) = killed_while(&ravi, || ravi.syncs_wholly());
    let mut seen = BTreeSet::new();
    for (number, files) in copies.iter().enumerate() {
        let copy = starts_again(&mut market, files, number);
        let places = read_and_proven(&copy);
        for (scope, read, proven) in &places {
            assert_eq!(Some(*read), *proven, "{scope} in copy {number}");
        }
        seen.insert(places);
    }
    assert!(seen.len() > 2, "killed before, between and after the frames of two scopes");
}

#[test]
fn a_delivery_is_recorded_or_still_a_draft_whenever_the_app_is_killed() {
    for log_is_fresh in [false, true] {
        let mut market = Market::open(1);
        let asha = market.hires("Asha", "field_manager");
        let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
        let first = asha.weighs(farmer, None, &[20_000]);
        let mut draft = asha.starts(Some(farmer), None);
        for grams in [21_000, 22_000, 23_000] {
            draft = asha.adds_bag(&draft, grams);
        }
        if log_is_fresh {
            folds_back(&asha);
        }
        let (recorded, copies) = killed_while(&asha, || asha.client.record_delivery(draft.basis, &Check::ALL));
        let recorded = recorded.expect("recorded");

        let mut seen = [0, 0];
        for (number, files) in copies.iter().enumerate() {
            let copy = starts_again(&mut market, files, number);
            assert_eq!(copy.client.delivery(first.delivery_id).expect("a delivery"), first);
            let view = found(&copy, draft.delivery_id);
            assert_eq!(view.totals, draft.totals, "all bags, whichever it is");
            seen[usize::from(view.lifecycle == Lifecycle::Recorded)] += 1;
            if view.lifecycle == Lifecycle::Draft {
                assert_eq!(view, draft);
                copy.client.record_delivery(view.basis, &Check::ALL).expect("recorded after all");
            }
            copy.weighs(farmer, None, &[24_000]);
            assert_eq!(receipts(&copy), [3, 2, 1], "each receipt number once, in order");
            assert_eq!(copy.client.sync_status().expect("a status").backlog.unsent, 5);
        }
        assert_eq!(recorded.receipt_number, asha.client.delivery(draft.delivery_id).expect("it").receipt_number);
        assert!(seen[0] > 20 && seen[1] > 0, "kills before and after the commit: {seen:?}, fresh log: {log_is_fresh}");
    }
}

#[test]
fn a_draft_keeps_every_bag_that_was_called_out_whenever_the_app_is_killed() {
    for log_is_fresh in [false, true] {
        let mut market = Market::open(2);
        let asha = market.hires("Asha", "field_manager");
        let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
        let draft = asha.adds_bag(&asha.starts(Some(farmer), None), 20_000);
        if log_is_fresh {
            folds_back(&asha);
        }
        let steps = [bag(21_000), bag(22_000)];
        let (after, copies) = killed_while(&asha, || asha.client.edit_draft(draft.basis, &steps));
        let after = after.expect("weighed on");
        let mut seen = [0, 0];
        for (number, files) in copies.iter().enumerate() {
            let copy = starts_again(&mut market, files, number);
            let view = found(&copy, draft.delivery_id);
            assert!(view == draft || view == after, "both steps or neither: {view:?}");
            seen[usize::from(view == after)] += 1;
            assert!(receipts(&copy).is_empty());
            let weighed = copy.client.edit_draft(view.basis, &[bag(23_000)]).expect("weighed on");
            assert_eq!(weighed.bags.len(), view.bags.len() + 1);
        }
        assert!(seen[0] > 5 && seen[1] > 0, "kills before and after the commit: {seen:?}");
    }
}

#[test]
fn amending_is_done_or_not_whenever_the_app_is_killed() {
    let mut market = Market::open(3);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let before = asha.weighs(farmer, None, &[20_000]);
    let (after, copies) = killed_while(&asha, || asha.amends(before.delivery_id, 21_000));
    let after = after.expect("amended");
    for (number, files) in copies.iter().enumerate() {
        let copy = starts_again(&mut market, files, number);
        let view = copy.client.delivery(before.delivery_id).expect("a delivery");
        assert!(view == before || view == after);
        let unsent = copy.client.sync_status().expect("a status").backlog.unsent;
        assert_eq!(unsent, if view == after { 4 } else { 3 }, "the change and its place in the outbox");
    }
}

#[test]
fn a_farmer_is_corrected_wholly_or_not_at_all_whenever_the_app_is_killed() {
    let mut market = Market::open(12);
    let asha = market.hires("Asha", "field_manager");
    let (wrong, right) = (asha.registers("Lakshmi", "", "").farmer_id, asha.registers("Meena", "", "").farmer_id);
    let first = asha.weighs(wrong, None, &[20_000, 21_000]);
    folds_back(&asha);
    let (second, kills) = killed_while(&asha, || {
        asha.client.correct_farmer(first.basis, right, &reason("wrong_farmer"), &Check::ALL).expect("corrected")
    });
    let mut ends = BTreeSet::new();
    for (number, files) in kills.iter().enumerate() {
        let phone = starts_again(&mut market, files, number);
        let is_voided = phone.client.delivery(first.delivery_id).expect("a delivery").lifecycle == Lifecycle::Voided;
        let is_there = phone.client.delivery(second.delivery_id).is_ok();
        assert_eq!(is_voided, is_there, "kill {number}");
        assert_eq!(phone.sum().gross_g, first.totals.gross_g, "kill {number}: the weight counts once");
        ends.insert(is_there);
    }
    assert_eq!(ends.len(), 2, "some kills came before and some after");
}

#[test]
fn frames_and_cursors_agree_whenever_the_app_is_killed_while_it_receives() {
    let mut market = Market::open(4);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let draft = ravi.adds_bag(&ravi.starts(None, None), 20_000);
    let load = asha.opens("KA07A1111").load_id;
    let deliveries: Vec<_> = (0..8).map(|_| asha.weighs(farmer, Some(load), &[20_000, 21_000])).collect();
    asha.amends(deliveries[0].delivery_id, 22_000).expect("amended");
    asha.voids(deliveries[1].delivery_id).expect("voided");
    asha.closes(load).expect("closing");
    asha.syncs_wholly();

    let ((), copies) = killed_while(&ravi, || ravi.syncs_wholly());
    let healthy = fingerprint(&ravi.database());
    assert_eq!(healthy, fingerprint(&asha.database()));
    let mut states = BTreeSet::new();
    for (number, files) in copies.iter().enumerate() {
        let copy = starts_again(&mut market, files, number);
        let read = cursors(&copy);
        states.insert((read, copy.sum().deliveries));
        assert_eq!(copy.client.drafts().expect("drafts"), std::slice::from_ref(&draft));
        copy.syncs_wholly();
        assert_eq!(fingerprint(&copy.database()), healthy);
        assert_eq!(copy.client.sync_status().expect("a status").set_aside, 0);
    }
    // The season's deliveries and their cursor were committed together.
    let season = |(read, _): &(Vec<(String, u64)>, u64)| read.iter().any(|(scope, _)| scope == "c/KOLAR/2019");
    assert!(states.iter().all(|state| if season(state) { state.1 == 7 } else { state.1 == 0 }), "{states:?}");
    assert!(states.len() >= 3, "kills before, between and after the frames: {states:?}");
}

fn cursors(person: &Person) -> Vec<(String, u64)> {
    let db = rusqlite::Connection::open(person.database()).expect("it opens");
    let mut statement = db.prepare("SELECT scope, seq FROM log_cursors ORDER BY scope").expect("a table");
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
    rows.collect::<Result<_, _>>().expect("cursors")
}

/// Keeps the phone's files before each request and after each answer.
struct Noted<'a> {
    person: &'a Person,
    moments: std::sync::Mutex<Vec<Files>>,
}

impl Transport for Noted<'_> {
    fn send(&self, request: &WireRequest, must_stop: &dyn Fn() -> bool) -> Result<WireResponse, TransportError> {
        self.moments.lock().expect("a lock").push(Files::of(self.person));
        let response = self.person.network.send(request, must_stop);
        self.moments.lock().expect("a lock").push(Files::of(self.person));
        response
    }
}

#[test]
fn nothing_is_lost_or_doubled_whenever_the_app_is_killed_while_it_hands_over() {
    let mut market = Market::open(5);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let deliveries: Vec<_> = (0..3).map(|_| asha.weighs(farmer, None, &[20_000]).delivery_id).collect();
    let noted = Noted { person: &asha, moments: std::sync::Mutex::default() };
    asha.client.sync(&noted, &|_| ()).expect("a sync");

    // Before the first request the server knows nothing; after that it may know more than the phone.
    let moments = noted.moments.into_inner().expect("a lock");
    let copies = kills(moments.first().expect("a request"), &Files::of(&asha));
    ravi.syncs_wholly();
    let healthy = fingerprint(&ravi.database());
    for (number, files) in copies.iter().enumerate() {
        let copy = starts_again(&mut market, files, number);
        let backlog = copy.client.sync_status().expect("a status").backlog;
        assert!([0, 5].contains(&(backlog.unsent + backlog.sent)), "all acknowledged or none: {backlog:?}");
        copy.syncs_wholly();
        assert_eq!(copy.client.sync_status().expect("a status").backlog.oldest_at, None);
        assert_eq!(fingerprint(&copy.database()), healthy);
        for id in &deliveries {
            copy.client.delivery(*id).expect("a delivery");
        }
    }
    assert_eq!(fingerprint(&market.server_database()), healthy, "nothing new came, no fork was seen");
    assert!(copies.len() > 10);
}

const CHILD: &str = "FARMTALLY_TESTS_FOLDER";

/// Weighs until it is killed; run as a child of the test below.
#[test]
#[ignore = "the child of the test below"]
fn weighs_until_it_is_killed() {
    let Ok(folder) = std::env::var(CHILD) else { return };
    let seed = u64::from(std::process::id());
    let clock = TestClock::at(Timestamp(1_557_363_600_000));
    let client = FieldClient::open(Path::new(&folder), environment(&clock, seed)).expect("a phone");
    let query = FarmerQuery::new("KOLAR".parse().expect("a code"), "");
    let farmer = client.farmers(&query).expect("farmers").items[0].farmer_id;
    for _ in 0..100_000 {
        let input = farmtally_core::client::StartDraft {
            centre: "KOLAR".parse().expect("a code"),
            commodity: "TOMATO".parse().expect("a code"),
            farmer_id: Some(farmer),
            load_id: None,
            replaces: None,
        };
        let draft = client.start_draft(input).expect("a draft");
        let draft = client.edit_draft(draft.basis, &[bag(20_000)]).expect("a bag");
        println!("drafted {}", draft.delivery_id);
        client.record_delivery(draft.basis, &Check::ALL).expect("recorded");
        println!("recorded {}", draft.delivery_id);
    }
}

#[test]
fn a_process_that_is_killed_keeps_its_word() {
    let mut market = Market::open(6);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    let folder = asha.folder.clone();
    drop(asha);

    let mut promised = BTreeSet::new();
    for lines in [1, 2, 7, 12, 20, 33] {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "weighs_until_it_is_killed", "--ignored", "--nocapture", "--test-threads=1"])
            .env(CHILD, &folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a child");
        let mut output = BufReader::new(child.stdout.take().expect("its words")).lines();
        let mut read = 0;
        let mut drafted = None;
        let mut hear = |line: &str| {
            // The test harness may write before the first word.
            let said = |word: &str| line.split_once(word).map(|(_, id)| id.parse::<DeliveryId>().expect("an id"));
            if let Some(id) = said("drafted ") {
                drafted = Some(id);
            } else if let Some(id) = said("recorded ") {
                promised.insert(id);
                drafted = None;
            } else {
                return false;
            }
            true
        };
        while read < lines {
            read += usize::from(hear(&output.next().expect("the child continues").expect("text")));
        }
        child.kill().expect("killed");
        child.wait().expect("dead");
        // What it printed before it died counts too; the last line may be cut off.
        for line in output.map_while(Result::ok).filter(|line| line.len() >= "recorded ".len() + 36) {
            hear(&line);
        }
        let after = market.revives("Asha", &folder);
        if let Some(id) = drafted {
            assert_eq!(found(&after, id).bags.len(), 1, "the bag that was called out");
        }
    }
    let asha = market.revives("Asha", &folder);
    for id in &promised {
        assert_eq!(found(&asha, *id).lifecycle, Lifecycle::Recorded);
    }
    asha.weighs(farmer, None, &[20_000]);
    let mut numbers = receipts(&asha);
    let count = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), count, "no receipt number twice");
    assert!(promised.len() >= 30 && count > promised.len());
    asha.syncs_wholly();
    assert_eq!(fingerprint(&asha.database()), fingerprint(&market.server_database()));
}
