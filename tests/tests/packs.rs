//! A new phone begins a long scope with a pack, which may break off anywhere, and ends up as if it had read the whole log.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

use farmtally_core::Error;
use farmtally_core::client::{SyncOutcome, SyncReport};
use farmtally_core::limits::{MAX_PARTS, PACK_ENTRIES};
use farmtally_core::protocol::message;
use farmtally_core::protocol::pack::{PackEntry, PackRequest, PackResponse, PartHash, unpack_part};
use farmtally_core::units::{DeliveryId, DocumentId, FarmerId};
use farmtally_tests::{ADDRESS, Fault, Forger, Market, Person, Tap, copy_folder, fingerprint};

/// A centre with so many farmers, and a season with so many deliveries, that both come as packs.
struct Season {
    market: Market,
    asha: Person,
    first: DeliveryId,
    farmers: Vec<FarmerId>,
}

impl Season {
    fn new(seed: u64) -> Self {
        let mut market = Market::open(seed);
        let asha = market.hires("Asha", "field_manager");
        let names = (0..PACK_ENTRIES / 2).map(|number| format!("Lakshmi {}", letters(number)));
        let farmers: Vec<FarmerId> = names.map(|name| asha.registers(&name, "Vemagal", "").farmer_id).collect();
        let deliveries = (0..PACK_ENTRIES).map(|number| {
            let grams = 20_000 + i64::try_from(number).expect("few");
            asha.weighs(farmers[0], None, &[grams]).delivery_id
        });
        let deliveries: Vec<DeliveryId> = deliveries.collect();
        asha.amends(deliveries[0], 30_000).expect("amended");
        asha.syncs_wholly();
        // A pack stands for what these contain.
        market.verifies_two_copies();
        Self { market, asha, first: deliveries[0], farmers }
    }

    /// A phone that is enrolled; its first sync broke off before it had read anything but its grant.
    fn hires(&mut self, name: &str) -> Person {
        let person = self.market.meets(name);
        let code = self.market.code(name, "dispatcher", "KOLAR");
        person.network.plan(&[Fault::None, Fault::ResponseLost]);
        person.client.enrol(&person.network, ADDRESS, &code, "test phone").expect("enrolled");
        person
    }

    fn is_on(&self, person: &Person) -> bool {
        fingerprint(&person.database()) == fingerprint(&self.market.server_database())
    }

    fn packs(&self) -> Vec<PathBuf> {
        let organisation = self.market.server_folder().join("packs").join(self.market.organisation.to_string());
        let scopes = std::fs::read_dir(organisation).expect("packs");
        scopes.map(|scope| scope.expect("a scope").path()).collect()
    }

    /// All documents of the server.
    fn documents(&self) -> BTreeMap<DocumentId, Vec<u8>> {
        let db = rusqlite::Connection::open(self.market.server_database()).expect("it opens");
        let mut statement = db.prepare("SELECT document_id, saved FROM documents").expect("a table");
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
        rows.collect::<Result<_, _>>().expect("documents")
    }

    /// All documents in the files of packs.
    fn packed(&self) -> BTreeMap<DocumentId, Vec<u8>> {
        let folders = self.packs().into_iter().flat_map(|scope| [scope.join("parts"), scope.join("persons")]);
        let files = folders.flat_map(|folder| std::fs::read_dir(folder).expect("parts"));
        let parts = files.map(|file| std::fs::read(file.expect("a file").path()).expect("a part"));
        let entries = parts.flat_map(|part| unpack_part(&part).expect("it reads"));
        let documents = entries.filter_map(|entry| match entry {
            PackEntry::Document { document, saved, .. } => Some((document, saved)),
            PackEntry::Decision { .. } => None,
        });
        documents.collect()
    }

    /// All documents about persons in the files of packs.
    fn persons(&self) -> usize {
        let files =
            self.packs().into_iter().filter_map(|scope| std::fs::read_dir(scope.join("persons")).ok()).flatten();
        let parts = files.map(|file| std::fs::read(file.expect("a file").path()).expect("a part"));
        parts.map(|part| unpack_part(&part).expect("it reads").len()).sum()
    }
}

/// A number in letters, so that it can stand in a name.
fn letters(number: u64) -> String {
    let letter = |digit: u8| char::from(b'a' + (digit - b'0'));
    number.to_string().bytes().map(letter).collect()
}

/// Syncs, and tells how it ended and how many bytes came back for logs and for packs.
fn syncs(person: &Person) -> (Result<SyncReport, Error>, usize, usize) {
    let heard = Mutex::default();
    let report = person.client.sync(&Tap { network: &person.network, heard: &heard }, &|_| ());
    let heard = heard.into_inner().expect("a lock");
    let bytes = |path: &str| {
        heard.iter().filter(|(request, _)| request.path == path).map(|(_, response)| response.body.len()).sum()
    };
    (report, bytes("/v1/sync"), bytes("/v1/pack"))
}

#[test]
fn a_new_phone_begins_with_packs_and_reads_on() {
    let mut season = Season::new(1);
    let ravi = season.hires("Ravi");
    let (report, logs, packs) = syncs(&ravi);
    let report = report.expect("a sync");
    assert_eq!(report.outcome, SyncOutcome::Complete);
    assert!(packs > 50_000 && logs < 10_000, "{packs} {logs}");
    assert!(season.is_on(&ravi));
    assert_eq!(report.progress.read, report.progress.to_read);

    // It reads on by the log, and what it does is taken like anybody's.
    season.asha.weighs(season.farmers[1], None, &[40_000]);
    season.asha.syncs_wholly();
    ravi.amends(season.first, 50_000).expect("amended");
    let (_, _, packs) = syncs(&ravi);
    assert_eq!(packs, 0);
    season.asha.syncs_wholly();
    assert!(season.is_on(&ravi) && season.is_on(&season.asha));
    ravi.client.rebuild().expect("rebuilt");
    assert!(season.is_on(&ravi));
}

#[test]
fn without_two_verified_copies_a_log_is_read_entry_by_entry() {
    let mut market = Market::open(12);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    (0..PACK_ENTRIES).for_each(|_| drop(asha.weighs(farmer, None, &[20_000])));
    asha.syncs_wholly();
    let ravi = market.hires("Ravi", "dispatcher");
    assert_eq!(syncs(&ravi).2, 0);
    // A server that loses all of it gets all of it back.
    let tail = "SELECT count(*) FROM log_tail WHERE scope = 'c/KOLAR/2019' AND entry IS NOT NULL";
    let db = rusqlite::Connection::open(ravi.database()).expect("it opens");
    assert_eq!(db.query_row(tail, [], |row| row.get::<_, u64>(0)).expect("a count"), PACK_ENTRIES);
}

#[test]
fn a_pack_that_breaks_off_goes_on_after_the_last_part() {
    let mut season = Season::new(2);
    let (ravi, manju) = (season.hires("Ravi"), season.hires("Manju"));
    let (_, _, whole) = syncs(&manju);

    let (mut bytes, mut runs, mut ravi) = (0, 0, ravi);
    loop {
        // Each run gets its answer and one request for parts through; then the app is killed.
        let fault = [Fault::ResponseLost, Fault::RequestLost, Fault::ResponseCut, Fault::ResponseBent][runs % 4];
        ravi.network.plan(&[Fault::None, Fault::None, fault]);
        let (report, _, packs) = syncs(&ravi);
        let outcome = report.map(|report| report.outcome);
        bytes += packs;
        runs += 1;
        if matches!(outcome, Ok(SyncOutcome::Complete)) {
            break;
        }
        assert!(runs < 20, "it never ends: {outcome:?}");
        ravi = ravi.restarts();
    }
    assert!(runs > 2, "{runs}");
    // What was bent or cut came twice, nothing else.
    assert!(bytes < 2 * whole, "{bytes} instead of {whole}");
    assert!(season.is_on(&ravi));
}

#[test]
fn work_that_nobody_has_yet_is_united_with_a_pack() {
    let mut season = Season::new(3);
    let ravi = season.hires("Ravi");
    ravi.syncs_wholly();
    ravi.amends(season.first, 50_000).expect("amended");
    season.asha.amends(season.first, 60_000).expect("amended");
    season.asha.syncs_wholly();
    let db = rusqlite::Connection::open(ravi.database()).expect("it opens");
    db.execute("DELETE FROM log_cursors WHERE scope LIKE 'c/%'", []).expect("forgotten how far it had read");
    let (report, _, packs) = syncs(&ravi);
    let report = report.expect("a sync");
    assert_eq!((report.outcome, report.progress.logged), (SyncOutcome::Complete, 1));
    assert!(packs > 0);
    season.asha.syncs_wholly();
    assert!(season.is_on(&ravi) && season.is_on(&season.asha));
}

#[test]
fn nothing_of_a_forgotten_person_stays_in_a_pack() {
    let mut season = Season::new(4);
    let (ravi, manju) = (season.hires("Ravi"), season.hires("Manju"));
    ravi.syncs_wholly();
    let all = season.farmers.len();
    assert_eq!(season.persons(), all);
    // Manju's phone is in the middle of it.
    manju.network.plan(&[Fault::None, Fault::None, Fault::RequestLost]);
    assert_eq!(manju.syncs().expect("offline").outcome, SyncOutcome::Offline);

    season.market.server.erase_farmer(season.market.organisation, season.farmers[7]).expect("erased");
    assert_eq!(season.persons(), 0, "not even until the next phone");
    let gita = season.hires("Gita");
    for person in [&gita, &manju, &ravi, &season.asha] {
        person.syncs_wholly();
        assert!(season.is_on(person));
        let listed = person.client.farmers(&"KOLAR".parse().expect("a code"), "", 1_000).expect("farmers");
        let forgotten = listed.iter().find(|row| row.farmer_id == season.farmers[7]).expect("the farmer's code stays");
        assert_eq!(forgotten.name, "");
    }
    assert_eq!(season.persons(), all - 1);
}

#[test]
fn a_damaged_pack_is_made_again() {
    let mut season = Season::new(5);
    season.hires("Ravi").syncs_wholly();
    for scope in season.packs() {
        for part in std::fs::read_dir(scope.join("parts")).expect("parts") {
            std::fs::write(part.expect("a part").path(), b"not a part").expect("damaged");
        }
    }
    let manju = season.hires("Manju");
    manju.syncs_wholly();
    assert!(season.is_on(&manju));
}

#[test]
fn a_pack_that_a_phone_cannot_read_is_read_as_a_log() {
    let mut season = Season::new(6);
    let (ravi, id) = (season.hires("Ravi"), season.first);
    let db = rusqlite::Connection::open(season.market.server_database()).expect("it opens");
    let kind = |kind: u8| db.execute("UPDATE documents SET kind = ?1 WHERE document_id = ?2", (kind, id)).expect("one");
    // As a newer server would say it: the record kind is not known here.
    kind(99);
    let report = ravi.syncs().expect("a sync");
    kind(1);
    assert_eq!(report.outcome, SyncOutcome::Complete);
    assert!(season.is_on(&ravi));
}

#[test]
fn what_came_after_a_pack_comes_back_from_who_began_with_it() {
    let mut season = Season::new(7);
    let copy = season.market.backs_up("backup");
    season.asha.weighs(season.farmers[0], None, &[70_000]);
    season.asha.syncs_wholly();
    let ravi = season.hires("Ravi");
    ravi.syncs_wholly();
    let packs = season.market.server_folder().join("packs");
    season.market.sets_back(&copy, false);
    copy_folder(&packs, &season.market.server_folder().join("packs"));
    let manju = season.hires("Manju");
    manju.syncs_wholly();
    assert!(season.is_on(&manju), "it has what the server has, and no more");
    ravi.syncs_wholly();
    assert!(season.is_on(&ravi), "the server has it back");
    season.asha.syncs_wholly();
    for person in [&manju, &ravi] {
        person.syncs_wholly();
        assert!(season.is_on(person));
    }
    assert!(season.is_on(&season.asha));
}

#[test]
fn parts_are_for_those_who_may_read_the_scope() {
    let mut season = Season::new(8);
    season.hires("Ravi").syncs_wholly();
    let sita = season.market.hires_at("Sita", "clerk", "MALUR");
    let forger = Forger::with_phone_of(&sita, &season.market);
    let parts: Vec<_> = season
        .packs()
        .iter()
        .filter(|scope| scope.ends_with("c-KOLAR"))
        .flat_map(|scope| std::fs::read_dir(scope.join("parts")).expect("parts"))
        .map(|part| PartHash::of(&std::fs::read(part.expect("a part").path()).expect("bytes")))
        .collect();
    let request = |scope: &str, parts: &[_]| PackRequest {
        protocol: 1,
        scope: scope.parse().expect("a scope"),
        parts: parts.to_vec(),
    };
    let asks = |request: &PackRequest| {
        let body = message::pack(request).expect("it packs");
        forger.sends(&forger.signed_for("/v1/pack", body, &forger.key, forger.challenge()))
    };
    let answer = asks(&request("c/KOLAR", &parts[..1]));
    let came: PackResponse = message::unpack(&answer.body).expect("an answer");
    assert_eq!((answer.status, came.parts.len()), (200, 0));
    let asha = Forger::with_phone_of(&season.asha, &season.market);
    let granted = message::pack(&request("c/KOLAR", &parts[..1])).expect("it packs");
    let answer = asha.sends(&asha.signed_for("/v1/pack", granted, &asha.key, asha.challenge()));
    let came: PackResponse = message::unpack(&answer.body).expect("an answer");
    assert_eq!((answer.status, came.parts.len()), (200, 1), "whoever may read it gets it");
    let too_many = vec![parts[0]; MAX_PARTS + 1];
    assert_eq!(asks(&request("c/KOLAR", &too_many)).status, 413);
    assert_eq!(asks(&request("c/KOLAR", &too_many[1..])).status, 200);
}

#[test]
fn a_short_log_has_no_pack() {
    let mut market = Market::open(9);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.weighs(farmer, None, &[20_000]);
    asha.syncs_wholly();
    let ravi = market.hires("Ravi", "dispatcher");
    let (_, _, packs) = syncs(&ravi);
    assert_eq!(packs, 0);
    assert!(std::fs::read_dir(market.server_folder().join("packs")).expect("a folder").next().is_none());
}

#[test]
fn decisions_come_first_and_documents_newest_first() {
    let mut season = Season::new(10);
    season.hires("Ravi").syncs_wholly();
    for scope in season.packs() {
        for part in std::fs::read_dir(scope.join("parts")).expect("parts") {
            let part = std::fs::read(part.expect("a part").path()).expect("bytes");
            let entries = unpack_part(&part).expect("it reads");
            let documents: Vec<_> = entries
                .iter()
                .filter_map(|entry| match entry {
                    PackEntry::Document { document, .. } => Some(*document),
                    PackEntry::Decision { .. } => None,
                })
                .collect();
            assert!(documents.is_sorted_by(|older, newer| older > newer));
            let decisions = entries.len() - documents.len();
            assert!(entries[..decisions].iter().all(|entry| matches!(entry, PackEntry::Decision { .. })));
        }
    }
}
