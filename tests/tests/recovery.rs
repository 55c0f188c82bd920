//! A server that was set back to an older copy gets everything back from the phones, and no one can falsely convince it that it was set
//! back.

use std::collections::BTreeSet;
use std::sync::Mutex;

use farmtally_core::ErrorCode;
use farmtally_core::client::{Backlog, Choice, InboxKind, Lifecycle, SyncOutcome};
use farmtally_core::codec::{decode, encode};
use farmtally_core::decisions::{Notice, Order};
use farmtally_core::limits::FRAME_BYTES;
use farmtally_core::protocol::log::CursorName;
use farmtally_core::protocol::message::{self, FrameEntry, Problem, SyncResponse, SyncUpdates};
use farmtally_core::protocol::repair::{Evidence, Offer};
use farmtally_core::records::Change;
use farmtally_core::store::decisions::Reference;
use farmtally_core::store::sql::sqlite::SqliteReader;
use farmtally_core::sync::{Transport, TransportError, WireRequest, WireResponse};
use farmtally_core::units::FarmerId;
use farmtally_sync_server::ReferenceFile;
use farmtally_tests::Fault::{Delayed, Duplicated, None as Through, RequestLost, ResponseLost};
use farmtally_tests::{ADDRESS, Forger, Market, Network, Person, Tap, copy_folder, fingerprint};

/// Two people who have worked, a copy of the server's data, and later work that everybody has.
struct Story {
    market: Market,
    asha: Person,
    ravi: Person,
    farmer: FarmerId,
    copy: std::path::PathBuf,
    healthy: String,
}

impl Story {
    fn new(seed: u64) -> Self {
        let mut market = Market::open(seed);
        let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
        let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
        let load = ravi.opens("KA07A1111").load_id;
        asha.weighs(farmer, None, &[20_000]);
        asha.syncs_wholly();
        ravi.syncs_wholly();
        let copy = market.backs_up("backup");
        for grams in [21_000, 22_000, 23_000] {
            let delivery = asha.weighs(farmer, None, &[grams]).delivery_id;
            asha.syncs_wholly();
            ravi.syncs_wholly();
            ravi.moves(delivery, Some(load)).expect("moved");
            ravi.syncs_wholly();
        }
        asha.syncs_wholly();
        let healthy = fingerprint(&asha.database());
        assert_eq!(healthy, fingerprint(&market.server_database()));
        Self { market, asha, ravi, farmer, copy, healthy }
    }

    fn is_open(&self) -> bool {
        let recovery = self.market.server.recovery(self.market.organisation).expect("a state");
        recovery.is_some_and(|recovery| recovery.ended_at.is_none())
    }

    fn epoch(&self) -> u32 {
        self.market.server.recovery(self.market.organisation).expect("a state").map_or(0, |recovery| recovery.epoch)
    }

    fn everybody_is_equal(&self) {
        for _ in 0..2 {
            self.asha.syncs_wholly();
            self.ravi.syncs_wholly();
        }
        let server = fingerprint(&self.market.server_database());
        assert_eq!(fingerprint(&self.asha.database()), server);
        assert_eq!(fingerprint(&self.ravi.database()), server);
    }
}

#[test]
fn what_comes_back_after_the_end_of_a_recovery_counts_and_is_looked_at() {
    for with_journal in [true, false] {
        let mut story = Story::new(11);
        let late = story.ravi.weighs(story.farmer, None, &[29_000]).delivery_id;
        story.ravi.syncs_wholly();
        let copy = story.copy.clone();
        story.market.sets_back(&copy, with_journal);
        story.asha.syncs_wholly();
        assert!(story.is_open());
        story.market.server.end_recovery(story.market.organisation).expect("ended");
        story.asha.weighs(story.farmer, None, &[30_000]);
        story.asha.syncs_wholly();

        story.everybody_is_equal();
        assert!(!story.is_open(), "that data was lost is known, and nothing is closed for it again");
        assert_eq!(story.asha.sum().gross_g.0, 20_000 + 21_000 + 22_000 + 23_000 + 29_000 + 30_000);
        let reviews: Vec<String> = story.asha.reviews();
        assert!(reviews.contains(&"late_evidence".to_owned()), "{reviews:?}");
        story.asha.client.delivery(late).expect("what came late");

        // What is signed from now on and lost begins another recovery, with another number.
        let again = story.market.backs_up("again");
        story.asha.weighs(story.farmer, None, &[31_000]);
        story.asha.syncs_wholly();
        story.market.sets_back(&again, with_journal);
        story.everybody_is_equal();
        assert!(story.is_open());
        assert_eq!(story.epoch(), 2);
    }
}

#[test]
fn what_came_back_at_once_is_handed_out_in_frames_that_fit() {
    let mut story = Story::new(13);
    for _ in 0..700 {
        story.asha.weighs(story.farmer, None, &[20_000]);
    }
    story.asha.syncs_wholly();
    // The phone that recorded them is gone; another one restores them.
    story.ravi.syncs_wholly();
    let copy = story.copy.clone();
    story.market.sets_back(&copy, true);
    story.ravi.syncs_wholly();
    story.market.server.end_recovery(story.market.organisation).expect("ended");
    let (bela, code, heard) =
        (story.market.meets("Bela"), story.market.code("Bela", "dispatcher", "KOLAR"), Mutex::default());
    bela.client.enrol(&Tap { network: &bela.network, heard: &heard }, ADDRESS, &code, "test phone").expect("enrolled");
    let mut largest = 0;
    for (request, response) in heard.into_inner().expect("a lock") {
        if request.path == "/v1/sync" {
            let answer: SyncResponse = message::unpack(&response.body).expect("an answer");
            let updates: SyncUpdates = decode(&answer.updates).expect("updates");
            largest = updates.frames.iter().map(|frame| encode(frame).len()).max().max(Some(largest)).unwrap_or(0);
        }
    }
    // Each restored entry has a commit id of its own, so a frame ends after the entry that fills it.
    assert!((FRAME_BYTES / 2..FRAME_BYTES + 1_024).contains(&largest), "{largest}");
    assert_eq!(fingerprint(&bela.database()), fingerprint(&story.market.server_database()));
}

#[test]
fn a_recovery_can_be_ended_though_not_everything_came_back() {
    let mut story = Story::new(14);
    let lost = story.market.hires("Lost", "clerk");
    lost.syncs_wholly();
    let copy = story.copy.clone();
    story.market.sets_back(&copy, true);
    story.everybody_is_equal();
    story.market.server.end_recovery(story.market.organisation).expect("ended");
    // The server is restarted, as by each of its commands.
    for name in ["again", "and again"] {
        let now = story.market.backs_up(name);
        story.market.sets_back(&now, true);
        assert!(!story.is_open(), "the phone that was lost comes back no more");
    }
    assert_eq!(story.epoch(), 1);
    story.market.hires("Bela", "clerk");
    story.everybody_is_equal();
}

/// The offer that a phone could make for a scope.
fn offer_of(person: &Person, scope: &str) -> Offer {
    let db = rusqlite::Connection::open(person.database()).expect("it opens");
    let evidence: Vec<u8> =
        db.query_row("SELECT evidence FROM evidence WHERE scope = ?1", [scope], |row| row.get(0)).expect("evidence");
    let mut tail = db.prepare("SELECT entry FROM log_tail WHERE scope = ?1 ORDER BY seq").expect("a table");
    let entries = tail.query_map([scope], |row| row.get::<_, Vec<u8>>(0)).expect("rows");
    let entries = entries.map(|entry| decode(&entry.expect("an entry")).expect("it reads")).collect();
    Offer { scope: scope.parse().expect("a scope"), after: 0, entries, evidence: decode(&evidence).expect("it reads") }
}

#[test]
fn entries_come_back_whole_or_not_at_all() {
    let mut story = Story::new(15);
    let gita = story.market.hires("Gita", "clerk");
    gita.syncs_wholly();
    let season = offer_of(&gita, "c/KOLAR/2019");
    let erased = |entry: &FrameEntry| match entry {
        FrameEntry::Change { envelope, change } => {
            FrameEntry::Erased { envelope: envelope.clone(), change: Change::hash_of_stripped(change) }
        }
        other => other.clone(),
    };
    let copy = story.copy.clone();
    story.market.sets_back(&copy, false);
    let mallory = Forger::with_phone_of(&story.asha, &story.market);
    let gives = |offer: Offer| {
        let mut request = Forger::request(&[]);
        request.offers = vec![offer];
        mallory.sends(&mallory.signed(message::pack(&request).expect("it packs"))).status
    };
    let hollow = Offer { entries: season.entries.iter().map(erased).collect(), ..season.clone() };
    assert_eq!((gives(hollow), story.is_open()), (422, false), "without bytes");
    assert_eq!((gives(season), story.is_open()), (200, true));
    let sum = |person: &Person| person.sum().gross_g.0;
    story.market.server.end_recovery(story.market.organisation).expect("ended");
    for person in [&story.asha, &story.ravi, &gita, &story.asha, &story.ravi, &gita] {
        person.syncs_wholly();
        assert_eq!(sum(person), 20_000 + 21_000 + 22_000 + 23_000);
    }
}

#[test]
fn recoveries_are_never_counted_twice_whatever_copy_comes_back() {
    for with_journal in [true, false] {
        let mut story = Story::new(12);
        let (copy, mut codes) = (story.copy.clone(), BTreeSet::new());
        for epoch in 1..=3 {
            // Each time to the copy from before any recovery.
            story.market.sets_back(&copy, with_journal);
            story.everybody_is_equal();
            assert_eq!(story.epoch(), epoch, "{with_journal}");
            story.market.server.end_recovery(story.market.organisation).expect("ended");
            story.everybody_is_equal();
            story.asha.weighs(story.farmer, None, &[30_000]);
            story.everybody_is_equal();
            let bela = story.market.hires(&format!("Bela {epoch}"), "clerk");
            assert!(codes.insert(bela.client.session().expect("a session").device_code), "a code twice");
        }
        assert_eq!(story.asha.sum().gross_g.0, 20_000 + 21_000 + 22_000 + 23_000 + 3 * 30_000);
    }
}

#[test]
fn a_server_without_its_journal_does_not_trust_its_data() {
    let mut story = Story::new(29);
    story.market.loses_its_journal();
    assert!(story.is_open(), "nobody knows what was acknowledged");
    let reason = story.market.server.recovery(story.market.organisation).expect("a state").expect("one").reason;
    assert!(reason.contains("journal is missing"), "{reason}");
    story.everybody_is_equal();
    assert_eq!(fingerprint(&story.market.server_database()), story.healthy);
    story.market.server.end_recovery(story.market.organisation).expect("ended");
    story.market.restarts_server();
    assert!(!story.is_open(), "the journal is there again");
}

#[test]
fn one_phone_gives_the_server_back_what_everybody_had_handed_in() {
    for with_journal in [true, false] {
        let mut story = Story::new(1);
        let copy = story.copy.clone();
        story.market.sets_back(&copy, with_journal);
        assert_eq!(story.is_open(), with_journal, "the journal knows it at once, a phone's evidence a little later");
        assert_ne!(fingerprint(&story.market.server_database()), story.healthy);
        story.asha.syncs_wholly();
        assert!(story.is_open());
        assert_eq!(fingerprint(&story.market.server_database()), story.healthy, "Ravi's part too");
        story.everybody_is_equal();
        assert_eq!(fingerprint(&story.asha.database()), story.healthy);
        // The chains are the same again: a phone that noticed nothing just continues.
        story.ravi.weighs(story.farmer, None, &[24_000]);
        story.everybody_is_equal();
        assert_eq!(story.asha.sum().gross_g.0, 110_000);
    }
}

#[test]
fn a_server_that_went_on_before_it_knew_takes_the_rest_to_the_end() {
    let mut story = Story::new(2);
    // Bela has not synced since before the copy, so the old server looks whole to her.
    let copy = story.copy.clone();
    let bela = {
        let bela = story.market.hires("Bela", "field_manager");
        drop(bela);
        story.market.hires("Chand", "field_manager")
    };
    story.market.sets_back(&copy, false);
    let code = story.market.code("Divya", "field_manager", "KOLAR");
    let divya = story.market.meets("Divya");
    divya.client.enrol(&divya.network, farmtally_tests::ADDRESS, &code, "test phone").expect("enrolled");
    divya.weighs(story.farmer, None, &[30_000]);
    divya.syncs_wholly();

    story.everybody_is_equal();
    for person in [&divya, &bela] {
        person.syncs_wholly();
    }
    story.everybody_is_equal();
    assert_eq!(story.ravi.sum().gross_g.0, 86_000 + 30_000);
    assert_eq!(fingerprint(&divya.database()), fingerprint(&story.market.server_database()));
    assert!(story.is_open());
}

#[test]
fn what_was_never_handed_in_and_what_was_both_arrive() {
    let mut story = Story::new(3);
    story.asha.weighs(story.farmer, None, &[40_000]);
    story.ravi.weighs(story.farmer, None, &[50_000]);
    let copy = story.copy.clone();
    story.market.sets_back(&copy, true);
    story.everybody_is_equal();
    assert_eq!(story.asha.sum().gross_g.0, 176_000);
    assert_eq!(story.asha.client.sync_status().expect("a status").backlog.oldest_at, None);
}

#[test]
fn a_phone_that_was_enrolled_after_the_copy_is_known_again_with_its_grants_and_work() {
    let mut story = Story::new(4);
    let bela = story.market.hires("Bela", "field_manager");
    bela.weighs(story.farmer, None, &[25_000]);
    bela.syncs_wholly();
    let device = bela.client.session().expect("a session").device_code;
    let copy = story.copy.clone();
    story.market.sets_back(&copy, false);
    bela.weighs(story.farmer, None, &[26_000]);
    bela.syncs_wholly();
    assert!(story.is_open());
    story.everybody_is_equal();
    bela.syncs_wholly();
    assert_eq!(bela.sum().gross_g.0, 86_000 + 51_000);
    assert_eq!(story.asha.sum().gross_g.0, 86_000 + 51_000);
    assert!(story.market.server.held(story.market.organisation).expect("a list").is_empty());
    // A code that was given out after the copy is not given out again.
    story.market.server.end_recovery(story.market.organisation).expect("ended");
    let divya = story.market.hires("Divya", "field_manager");
    let fresh = divya.client.session().expect("a session").device_code;
    assert!(fresh.0 > device.0 + 1_000, "{fresh} after {device}");
}

#[test]
fn while_a_recovery_is_open_nothing_is_decided_and_phones_work_as_ever() {
    let mut story = Story::new(5);
    let copy = story.copy.clone();
    story.market.sets_back(&copy, true);
    let (server, organisation) = (&story.market.server, story.market.organisation);
    let delivery = story.asha.weighs(story.farmer, None, &[20_000]).delivery_id;
    story.asha.syncs_wholly();
    assert!(server.approve(organisation, delivery.into(), None).expect_err("closed").to_string().contains("recovery"));
    server.end_recovery(organisation).expect("ended");
    assert_eq!(server.end_recovery(organisation).expect_err("it is over").code(), ErrorCode::NotFound);
    let last = server.recovery(organisation).expect("a state").expect("one");
    assert_eq!((last.epoch, last.ended_at.is_some()), (1, true));
}

#[test]
fn any_answer_may_be_lost_while_the_server_gets_back_what_it_lost() {
    for fault in [RequestLost, ResponseLost, Duplicated, Delayed] {
        for at in 0..7 {
            let mut story = Story::new(6);
            let copy = story.copy.clone();
            story.market.sets_back(&copy, false);
            story.asha.weighs(story.farmer, None, &[24_000]);
            let faults: Vec<_> = (0..at).map(|_| Through).chain([fault]).collect();
            story.asha.network.plan(&faults);
            let outcome = story.asha.syncs().expect("a sync").outcome;
            assert!(outcome == SyncOutcome::Complete || fault != Duplicated, "{fault:?} at {at}");
            story.asha.network.plan(&[]);
            story.everybody_is_equal();
            assert_eq!(story.ravi.sum().gross_g.0, 110_000, "{fault:?} at {at}");
        }
    }
}

#[test]
fn a_phone_alone_cannot_make_the_server_believe_that_it_lost_something() {
    let story = Story::new(7);
    let mallory = Forger::with_phone_of(&story.asha, &story.market);
    let db = rusqlite::Connection::open(story.asha.database()).expect("it opens");
    let evidence: Vec<u8> = db
        .query_row("SELECT evidence FROM evidence WHERE scope = 'c/KOLAR/2019'", [], |row| row.get(0))
        .expect("evidence");
    let honest: Evidence = farmtally_core::codec::decode(&evidence).expect("it reads");
    let mut bent = honest.clone();
    let last = bent.attestation.len() - 3;
    bent.attestation[last] ^= 1;
    let offer = |scope: &str, after, evidence: &Evidence| Offer {
        scope: scope.parse().expect("a scope"),
        after,
        entries: Vec::new(),
        evidence: evidence.clone(),
    };
    let entry = FrameEntry::Decision { decision: vec![0x80] };
    let cases = [
        ("an attestation that was changed", offer("c/KOLAR/2019", 0, &bent), 422),
        ("an attestation about another scope", offer("c/MALUR/2019", 0, &honest), 422),
        ("a stretch that leads nowhere", offer("c/KOLAR/2019", 0, &honest), 200),
        ("a stretch from beyond the end", offer("c/KOLAR/2019", 1_000_000, &honest), 422),
        (
            "a stretch that ends nowhere",
            Offer { entries: vec![entry.clone()], ..offer("c/KOLAR/2019", u64::MAX, &honest) },
            422,
        ),
    ];
    for (what, offer, status) in cases {
        let mut request = Forger::request(&[]);
        request.offers = vec![offer];
        let body = message::pack(&request).expect("it packs");
        let response = mallory.sends(&mallory.signed(body));
        assert_eq!(response.status, status, "{what}: {:?}", message::unpack::<Problem>(&response.body));
        assert!(!story.is_open(), "{what}");
    }
    for sequence in [1_000_000, 1 << 63, u64::MAX] {
        let mut request = Forger::request(&[]);
        request.cursors = vec![CursorName { scope: "c/KOLAR".parse().expect("a scope"), sequence, chain: [0; 8] }];
        let response = mallory.sends(&mallory.signed(message::pack(&request).expect("it packs")));
        assert_eq!(response.status, 200, "a place that no log reaches: {sequence}");
        assert!(!story.is_open(), "{sequence}");
    }
    // A false cursor harms only the phone itself, which cannot upload.
    let sql = "UPDATE log_cursors SET chain = zeroblob(32) WHERE scope = 'c/KOLAR/2019'";
    assert_eq!(db.execute(sql, []).expect("bent"), 1);
    story.asha.weighs(story.farmer, None, &[24_000]);
    story.asha.syncs_wholly();
    assert!(!story.is_open());
    story.everybody_is_equal();
    assert_eq!(story.ravi.sum().gross_g.0, 110_000);
}

#[test]
fn a_server_set_back_to_before_what_phones_have_trimmed_does_not_stop_them() {
    let mut story = Story::new(8);
    story.market.verifies_two_copies();
    story.asha.weighs(story.farmer, None, &[24_000]);
    story.asha.syncs_wholly();
    story.ravi.syncs_wholly();
    let copy = story.copy.clone();
    story.market.sets_back(&copy, false);
    // Recorded while the lost bundles are queued again, one of which stays deferred: it is still uploaded.
    let late = Mutex::new(Vec::new());
    let act = || {
        let mut late = late.lock().expect("a lock");
        if late.len() < 5 {
            late.push(story.ravi.weighs(story.farmer, None, &[1_000]).delivery_id);
        }
    };
    story.ravi.client.sync(&Meanwhile { network: &story.ravi.network, act: &act }, &|_| ()).expect("a sync");
    for grams in [25_000, 26_000] {
        let delivery = story.asha.weighs(story.farmer, None, &[grams]).delivery_id;
        story.asha.syncs_wholly();
        // Dependencies of Ravi's last work are on no phone any more: it is deferred, and his phone says so.
        assert_eq!(story.ravi.syncs().expect("a sync").outcome, SyncOutcome::Partial);
        assert_eq!(story.ravi.client.sync_status().expect("a status").backlog.deferred, 1);
        assert_eq!(story.ravi.client.delivery(delivery).expect("it arrived").totals.gross_g.0, grams);
    }
    story.asha.syncs_wholly();
    for late in late.into_inner().expect("deliveries") {
        story.asha.client.delivery(late).expect("it arrived");
    }
}

#[test]
fn a_phone_whose_tail_is_damaged_follows_the_server_and_others_give_back_what_was_lost() {
    let mut story = Story::new(9);
    let copy = story.copy.clone();
    story.market.sets_back(&copy, false);
    let db = rusqlite::Connection::open(story.asha.database()).expect("it opens");
    let sql = "UPDATE log_tail SET entry = (SELECT entry FROM log_tail WHERE scope = 'org' LIMIT 1)
               WHERE scope = 'c/KOLAR/2019' AND seq = (SELECT max(seq) FROM log_tail WHERE scope = 'c/KOLAR/2019')";
    assert_eq!(db.execute(sql, []).expect("bent"), 1);
    story.everybody_is_equal();
    assert_eq!(fingerprint(&story.market.server_database()), story.healthy);
}

#[test]
fn an_approval_that_outlives_what_it_approved_is_no_acknowledgement() {
    let mut story = Story::new(14);
    let (organisation, ravi) = (story.market.organisation, story.ravi.client.session().expect("a session").device_code);
    story.market.server.order(organisation, ravi, Order::Lost).expect("ordered");
    let delivery = story.ravi.weighs(story.farmer, None, &[24_000]).delivery_id;
    story.ravi.syncs_wholly();
    story.market.server.approve(organisation, delivery.into(), None).expect("approved");
    // He may not read the season's log: only the approval reaches him.
    story.ravi.syncs_wholly();
    let copy = story.copy.clone();
    story.market.sets_back(&copy, true);
    story.ravi.syncs_wholly();
    let held = story.market.server.held(organisation).expect("a list");
    assert!(
        held.iter().any(|it| it.entry.document() == delivery.into()),
        "the phone is lost again, and its work waits again"
    );
    // Asha brings the dependencies of his work.
    story.asha.syncs_wholly();
    let held = story.market.server.held(organisation).expect("a list");
    story.market.server.end_recovery(organisation).expect("ended");
    story.market.server.order(organisation, ravi, Order::Resume).expect("ordered");
    for document in held.iter().map(|it| it.entry.document()).collect::<BTreeSet<_>>() {
        story.market.server.approve(organisation, document, None).expect("approved");
    }
    story.everybody_is_equal();
    assert_eq!(story.asha.sum().gross_g.0, 86_000 + 24_000);
}

#[test]
fn a_new_key_gets_a_code_that_was_never_given_though_the_server_forgot_it() {
    let mut story = Story::new(16);
    let clones = ["one clone", "another clone"].map(|name| {
        let folder = story.market.path_of(name);
        copy_folder(&story.asha.folder, &folder);
        story.market.revives(name, &folder)
    });
    for person in [&story.asha, &clones[0], &clones[1]] {
        person.weighs(story.farmer, None, &[24_000]);
    }
    // From here on a recovery is open, so another loss begins none.
    let copy = story.copy.clone();
    story.market.sets_back(&copy, true);
    story.asha.syncs_wholly();
    let again = story.market.backs_up("while it recovers");
    let code = |person: &Person| person.client.session().expect("a session").device_code;
    let before = code(&story.asha);
    clones[0].syncs_wholly();
    let first = code(&clones[0]);
    story.market.sets_back(&again, true);
    clones[1].syncs_wholly();
    let second = code(&clones[1]);
    assert!(first != before && second != before, "each took a new key");
    assert_ne!(first, second);
    for person in [&clones[0], &clones[1], &story.asha, &story.ravi] {
        person.syncs_wholly();
    }
    assert_eq!(story.ravi.sum().gross_g.0, 86_000 + 3 * 24_000);
}

#[test]
fn who_was_forgotten_before_a_loss_is_forgotten_after_it() {
    for everybody_knew in [false, true] {
        let mut story = Story::new(17);
        let bela = story.market.hires("Bela", "dispatcher");
        let copy = story.market.backs_up("before");
        let farmer = story.asha.registers("Meena Kumari", "Narsapura", "9845099999").farmer_id;
        story.asha.syncs_wholly();
        story.ravi.syncs_wholly();
        story.market.server.erase_farmer(story.market.organisation, farmer).expect("erased");
        if everybody_knew {
            story.everybody_is_equal();
        }
        story.market.sets_back(&copy, true);
        // The log gets another entry, so nothing is restored at its old position.
        bela.registers("Ramesh Gowda", "Narsapura", "9845088888");
        bela.syncs_wholly();
        story.everybody_is_equal();
        for person in [&story.asha, &story.ravi] {
            for file in [person.database(), person.database().with_extension("db-wal")] {
                let bytes = std::fs::read(&file).unwrap_or_default();
                assert!(!bytes.windows(10).any(|window| window == b"9845099999"), "{everybody_knew} {file:?}");
            }
            let bytes = std::fs::read(person.database()).expect("a file");
            assert!(bytes.windows(10).any(|window| window == b"9845088888"), "others are where they belong");
        }
    }
}

#[test]
fn a_decision_that_comes_back_counts_more_than_an_older_one() {
    let mut story = Story::new(18);
    let organisation = story.market.organisation;
    let suspends = |story: &Story, is_suspended| {
        story.market.server.suspend(organisation, "Asha", is_suspended).expect("decided");
        story.asha.syncs_wholly();
    };
    suspends(&story, true);
    suspends(&story, false);
    let copy = story.market.backs_up("lifted");
    suspends(&story, true);
    story.market.sets_back(&copy, true);
    story.market.server.end_recovery(organisation).expect("ended");
    // Her log gets another entry before she restores what it lost.
    let code = story.asha.client.session().expect("a session").device_code;
    let malur = ["MALUR".parse().expect("a code")];
    story.market.server.grant(organisation, code, "Asha", "clerk".parse().expect("a role"), &malur).expect("granted");
    story.asha.syncs_wholly();
    story.asha.syncs_wholly();
    assert_eq!(story.asha.client.session().expect("a session").grant_id, None, "she is suspended");
}

fn posts(market: &Market, code: &str, text: &str) {
    let file = format!(r#"{{"notices": [{{"code": "{code}", "text": "{text}"}}]}}"#);
    let file = ReferenceFile::parse(&file).expect("reference data");
    market.server.update_reference(market.organisation, &file).expect("published");
}

fn notice(path: &std::path::Path, code: &str) -> String {
    let db = rusqlite::Connection::open(path).expect("it opens");
    let reference = Reference::load(&mut SqliteReader::new(&db)).expect("reference data");
    reference.latest::<Notice>(code).expect("a notice").text.clone()
}

#[test]
fn a_decision_that_both_logs_have_does_not_come_again_behind_a_newer_one() {
    let mut market = Market::open(31);
    let (asha, ravi) = (market.hires("Asha", "clerk"), market.hires("Ravi", "dispatcher"));
    posts(&market, "hours", "until five");
    let copy = market.backs_up("backup");
    posts(&market, "hours", "until six");
    asha.syncs_wholly();
    posts(&market, "gate", "the north gate is closed");
    ravi.syncs_wholly();
    market.sets_back(&copy, true);
    posts(&market, "gate", "the south gate is closed");
    for _ in 0..2 {
        asha.syncs_wholly();
        ravi.syncs_wholly();
    }
    for path in [market.server_database(), asha.database(), ravi.database()] {
        assert_eq!(notice(&path, "hours"), "until six", "{}", path.display());
        assert_eq!(notice(&path, "gate"), "the south gate is closed", "{}", path.display());
    }
}

#[test]
fn a_held_change_that_is_approved_before_its_author_has_what_it_builds_on_counts_for_the_author_too() {
    let mut market = Market::open(32);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    ravi.syncs_wholly();
    let copy = market.backs_up("backup");
    let device = asha.client.session().expect("a session").device_code;
    market.server.order(market.organisation, device, Order::Lost).expect("ordered");
    let delivery = asha.weighs(farmer, None, &[20_000, 21_000]).delivery_id;
    ravi.carries(&asha.exports());
    asha.voids(delivery).expect("voided");
    asha.syncs_wholly();
    assert_eq!(asha.client.sync_status().expect("a status").backlog.held, 2);
    // The server loses the order, and logs what Ravi brings.
    market.sets_back(&copy, true);
    ravi.syncs_wholly();
    asha.syncs_wholly();
    ravi.syncs_wholly();
    let server = &market.server;
    server.end_recovery(market.organisation).expect("ended");
    server.order(market.organisation, device, Order::Resume).expect("ordered");
    let held = server.held(market.organisation).expect("a list");
    assert_eq!(held.len(), 1, "the void");
    server.approve(market.organisation, delivery.into(), None).expect("approved");
    for _ in 0..2 {
        asha.syncs_wholly();
        ravi.syncs_wholly();
    }
    for person in [&asha, &ravi] {
        let lifecycle = person.client.delivery(delivery).expect("a delivery").lifecycle;
        assert_eq!(lifecycle, Lifecycle::Voided, "{}", person.name);
        assert_eq!(fingerprint(&person.database()), fingerprint(&market.server_database()), "{}", person.name);
    }
    assert_eq!(asha.client.sync_status().expect("a status").backlog, Backlog::default());
}

#[test]
fn work_that_a_server_logged_and_forgot_comes_back_to_its_author_when_it_is_sent_back() {
    let mut market = Market::open(33);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    let device = asha.client.session().expect("a session").device_code;
    market.server.order(market.organisation, device, Order::Lost).expect("ordered");
    let delivery = asha.weighs(farmer, None, &[20_000, 21_000]).delivery_id;
    for imported in market.server.import(None, asha.exports().as_slice()) {
        assert_eq!(imported.expect("taken").held, 1);
    }
    let copy = market.backs_up("backup");
    market.server.approve(market.organisation, delivery.into(), None).expect("approved");
    asha.syncs_wholly();
    assert_eq!(asha.client.sync_status().expect("a status").backlog, Backlog::default(), "it is logged");
    market.sets_back(&copy, true);
    asha.syncs_wholly();
    let server = &market.server;
    server.end_recovery(market.organisation).expect("ended");
    server.order(market.organisation, device, Order::Resume).expect("ordered");
    let copy = market.backs_up("before it is sent back");
    let server = &market.server;
    server.reject(market.organisation, delivery.into(), None, "weigh again").expect("sent back");
    for _ in 0..2 {
        asha.syncs_wholly();
    }
    // The server loses its rejection, and rejects again: the phone reads a second decision about the same change.
    market.sets_back(&copy, true);
    let server = &market.server;
    server.end_recovery(market.organisation).expect("ended");
    server.reject(market.organisation, delivery.into(), None, "weigh again, please").expect("sent back");
    for _ in 0..2 {
        asha.syncs_wholly();
    }
    let drafts = asha.client.drafts().expect("drafts");
    assert_eq!(drafts.iter().map(|draft| draft.totals.gross_g.0).collect::<Vec<_>>(), [41_000]);
    let item = asha.inbox().remove(0);
    let InboxKind::Rejected { number, .. } = item.kind else { panic!("{item:?}") };
    asha.client.resolve(item.basis, &Choice::Dismiss { number }).expect("put away");
    assert!(asha.inbox().is_empty());
    assert_eq!(fingerprint(&asha.database()), fingerprint(&market.server_database()));
}

#[test]
fn work_of_an_earlier_key_goes_again_though_the_answer_to_the_certificate_was_lost() {
    let mut market = Market::open(34);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "field_manager"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    let session = asha.client.session().expect("a session");
    asha.weighs(farmer, None, &[20_000]);
    market.server.revoke(market.organisation, session.grant_id.expect("a grant")).expect("revoked");
    let copy = market.backs_up("backup");
    market.server.order(market.organisation, session.device_code, Order::Rekey).expect("ordered");
    asha.syncs_wholly();
    assert_ne!(asha.client.session().expect("a session").device_code, session.device_code);
    // She may not read the log any more, so only her bundle contains the delivery.
    market.sets_back(&copy, true);
    asha.network.plan(&[Through, Through, ResponseLost]);
    assert_eq!(asha.syncs().expect("a report").outcome, SyncOutcome::Offline);
    asha.syncs_wholly();
    ravi.syncs_wholly();
    assert_eq!(ravi.sum().gross_g.0, 20_000);
}

/// Does something on the phone after each response, before the phone handles it.
struct Meanwhile<'a> {
    network: &'a Network,
    act: &'a (dyn Fn() + Sync),
}

impl Transport for Meanwhile<'_> {
    fn send(&self, request: &WireRequest, must_stop: &dyn Fn() -> bool) -> Result<WireResponse, TransportError> {
        let response = self.network.send(request, must_stop);
        (self.act)();
        response
    }
}

#[test]
fn held_changes_that_are_sent_again_are_approved_in_the_order_in_which_they_were_made() {
    let mut market = Market::open(36);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    ravi.syncs_wholly();
    let copy = market.backs_up("backup");
    let (organisation, device) = (market.organisation, asha.client.session().expect("a session").device_code);
    market.server.order(organisation, device, Order::Lost).expect("ordered");
    let delivery = asha.weighs(farmer, None, &[20_000, 21_000]).delivery_id;
    asha.amends(delivery, 22_000).expect("amended");
    asha.voids(delivery).expect("voided");
    let status = || asha.client.sync_status().expect("a status").backlog;
    asha.syncs_wholly();
    assert_eq!(status().held, 3);
    market.server.approve(organisation, delivery.into(), None).expect("approved");
    // She may not read the season's log: only the approval tells her.
    asha.syncs_wholly();
    assert_eq!(status(), Backlog::default());
    // The server loses all three; they are queued and held again.
    market.sets_back(&copy, true);
    asha.syncs_wholly();
    assert_eq!(status().held, 3);
    market.server.end_recovery(organisation).expect("ended");
    market.server.approve(organisation, delivery.into(), None).expect("approved");
    asha.syncs_wholly();
    assert_eq!(status(), Backlog::default());
    ravi.syncs_wholly();
    assert_eq!(ravi.client.delivery(delivery).expect("it arrived").lifecycle, Lifecycle::Voided);
}
