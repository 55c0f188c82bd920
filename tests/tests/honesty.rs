//! A phone's statements about its records: of each it reports what it knows about the server, and never more.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use farmtally_core::ErrorCode;
use farmtally_core::client::{Backlog, InboxKind, RecordRef, SyncBudget, SyncOptions, SyncOutcome, SyncState};
use farmtally_core::records::{Note, Simple};
use farmtally_core::rules::Check;
use farmtally_core::scope::Scope;
use farmtally_core::store::records;
use farmtally_core::store::sql::sqlite::SqliteWriter;
use farmtally_core::sync::{Transport, TransportError, WireRequest, WireResponse};
use farmtally_core::units::{DeliveryId, Timestamp};
use farmtally_tests::{ADDRESS, Fault, Forger, Market, Person, fingerprint, remarks, verdict_code, verdicts_of};

const MORNING: Timestamp = Timestamp(1_557_363_600_000);

fn backlog(person: &Person) -> Backlog {
    person.client.sync_status().expect("a status").backlog
}

fn state(person: &Person, delivery: DeliveryId) -> SyncState {
    person.client.delivery(delivery).expect("a delivery").sync
}

fn counts(person: &Person) -> (u64, u64, u64) {
    let backlog = backlog(person);
    (backlog.unsent, backlog.sent, backlog.held)
}

#[test]
fn a_record_is_unsent_then_sent_then_logged() {
    let mut market = Market::open(1);
    let asha = market.hires("Asha", "field_manager");
    assert_eq!(backlog(&asha), Backlog::default());

    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    market.clock.pass(60);
    let first = asha.weighs(farmer, None, &[20_000]);
    assert_eq!(counts(&asha), (3, 0, 0), "identity, contact, delivery");
    assert_eq!(backlog(&asha).oldest_at, Some(MORNING));
    assert_eq!(state(&asha, first.delivery_id), SyncState::Unsent);

    // The phone cannot know whether the request or its response was lost, only that it sent the request.
    for fault in [Fault::RequestLost, Fault::ResponseLost] {
        asha.network.plan(&[fault]);
        let report = asha.syncs().expect("offline is no error");
        assert_eq!((report.outcome, report.progress.logged), (SyncOutcome::Offline, 0), "{fault:?}");
        assert_eq!(counts(&asha), (0, 3, 0), "{fault:?}");
        assert_eq!(backlog(&asha).oldest_at, Some(MORNING), "{fault:?}");
        assert_eq!(state(&asha, first.delivery_id), SyncState::Sent, "{fault:?}");
    }

    market.clock.pass(600);
    let second = asha.weighs(farmer, None, &[21_000]);
    assert_eq!(counts(&asha), (1, 3, 0));
    assert_eq!(
        (state(&asha, first.delivery_id), state(&asha, second.delivery_id)),
        (SyncState::Sent, SyncState::Unsent)
    );

    asha.network.plan(&[]);
    let report = asha.syncs().expect("a sync");
    assert_eq!((report.outcome, report.progress.logged), (SyncOutcome::Complete, 4));
    assert_eq!(backlog(&asha), Backlog::default());
    assert_eq!(state(&asha, first.delivery_id), SyncState::Logged);
    assert_eq!(asha.client.session().expect("a session").synced_at, Some(Timestamp(MORNING.0 + 690_000)));
    assert_eq!(fingerprint(&asha.database()), fingerprint(&market.server_database()));
}

#[test]
fn a_note_is_unsent_then_logged_and_everybody_reads_it() {
    let mut market = Market::open(11);
    let (asha, ravi) = (market.hires("Asha", "clerk"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let delivery = asha.weighs(farmer, None, &[20_000]).delivery_id;
    asha.syncs_wholly();
    let (season, centre): (Scope, Scope) =
        ("c/KOLAR/2019".parse().expect("a scope"), "c/KOLAR".parse().expect("a scope"));
    let note = asha.client.add_note(delivery.into(), "the crates were wet").expect("a note").record_id;
    assert_eq!(counts(&asha), (1, 0, 0));
    asha.syncs_wholly();
    ravi.syncs_wholly();
    assert_eq!(counts(&asha), (0, 0, 0));
    for database in [asha.database(), ravi.database(), market.server_database()] {
        let db = rusqlite::Connection::open(&database).expect("it opens");
        let found = records::get::<Simple<Note>>(&mut SqliteWriter::new(&db), note).expect("read").expect("a note");
        assert_eq!((found.stored.scope, found.record.content.record_id), (season.clone(), delivery.into()));
        assert_eq!(found.record.content.text, "the crates were wet");
        assert_eq!(fingerprint(&database), fingerprint(&ravi.database()));
    }

    // Outside of a season a note is held, and the inbox shows it with its delivery.
    remarks(&asha, &centre, delivery, "one crate was broken");
    asha.syncs_wholly();
    let [held] = asha.inbox().try_into().expect("one item");
    assert!(matches!(&held.kind, InboxKind::Held { code, .. } if code == "out_of_scope"), "{held:?}");
    assert_eq!(held.records, [RecordRef::Delivery { delivery_id: delivery }]);
    assert_eq!(fingerprint(&asha.database()), fingerprint(&market.server_database()));
}

#[test]
fn without_network_the_last_sync_stays_the_last_sync() {
    let mut market = Market::open(2);
    let asha = market.hires("Asha", "field_manager");
    let synced_at = asha.client.sync_status().expect("a status").synced_at;
    assert_eq!(synced_at, Some(MORNING));
    for fault in [Fault::RequestLost, Fault::ResponseLost, Fault::Delayed] {
        market.clock.pass(3_600);
        asha.network.plan(&[fault; 9]);
        assert_eq!(asha.syncs().expect("offline is no error").outcome, SyncOutcome::Offline);
        assert_eq!(asha.client.sync_status().expect("a status").synced_at, synced_at, "{fault:?}");
        assert!(asha.client.session().is_some(), "still signed in");
    }
}

#[test]
fn an_answer_that_cannot_be_believed_acknowledges_nothing() {
    let mut market = Market::open(3);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let delivery = asha.weighs(farmer, None, &[20_000]);
    asha.network.plan(&[Fault::ResponseCut]);
    assert_eq!(asha.syncs().expect("half an answer is none").outcome, SyncOutcome::Offline);
    assert_eq!(counts(&asha), (0, 3, 0));
    assert_eq!(state(&asha, delivery.delivery_id), SyncState::Sent);
    asha.syncs_wholly();
    assert_eq!(state(&asha, delivery.delivery_id), SyncState::Logged);
}

/// A proxy, a captive portal or a broken server that answers instead of the server.
struct Portal(u16, &'static [u8]);

impl Transport for Portal {
    fn send(&self, _: &WireRequest, _: &dyn Fn() -> bool) -> Result<WireResponse, TransportError> {
        Ok(WireResponse::new(self.0, self.1.to_vec()))
    }
}

#[test]
fn whatever_answers_in_the_servers_place_acknowledges_nothing() {
    let mut market = Market::open(4);
    let asha = market.hires("Asha", "field_manager");
    asha.registers("Lakshmi Devi", "Vemagal", "");
    for status in [200, 204, 301, 302, 400, 401, 403, 404, 409, 413, 422, 426, 429, 500, 502, 503, 511] {
        for body in [b"".as_slice(), b"<html>Please log in to the hotel</html>"] {
            let answer = asha.client.sync(&Portal(status, body), &|_| ());
            let is_complete = answer.as_ref().is_ok_and(|report| report.outcome != SyncOutcome::Offline);
            assert!(!is_complete, "{status}: {answer:?}");
            assert_eq!(counts(&asha), (0, 2, 0), "{status}");
        }
    }
    asha.syncs_wholly();
    assert_eq!(counts(&asha), (0, 0, 0));
}

/// Counts requests that upload something.
struct Counted<'a> {
    person: &'a Person,
    requests: AtomicUsize,
}

impl Transport for Counted<'_> {
    fn send(&self, request: &WireRequest, must_stop: &dyn Fn() -> bool) -> Result<WireResponse, TransportError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.person.network.send(request, must_stop)
    }
}

#[test]
fn syncs_at_the_same_time_double_nothing() {
    let mut market = Market::open(5);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = ravi.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    ravi.syncs_wholly();
    asha.syncs_wholly();
    ravi.opens("KA07A1111");
    ravi.opens("KA07A2222");
    ravi.syncs_wholly();
    for _ in 0..5 {
        asha.weighs(farmer, None, &[20_000]);
    }
    let counted = Counted { person: &asha, requests: AtomicUsize::new(0) };
    let reports: Vec<_> = std::thread::scope(|scope| {
        let syncs: Vec<_> = (0..4).map(|_| scope.spawn(|| asha.client.sync(&counted, &|_| ()))).collect();
        syncs.into_iter().map(|sync| sync.join().expect("no panic").expect("a sync")).collect()
    });
    let total = |of: fn(&farmtally_core::client::SyncReport) -> u64| reports.iter().map(of).sum::<u64>();
    assert_eq!(total(|report| report.progress.logged), 5);
    assert_eq!(total(|report| report.progress.received), 2, "Ravi's loads, once");
    assert_eq!(counted.requests.load(Ordering::Relaxed) as u64, total(|report| report.progress.requests));
    assert!(reports.iter().all(|report| report.outcome == SyncOutcome::Complete));
    assert_eq!(asha.sum().deliveries, 5);
    assert_eq!(fingerprint(&asha.database()), fingerprint(&market.server_database()));
    assert_eq!(Forger::with_phone_of(&asha, &market).bundles().len(), 1);
}

#[test]
fn a_sync_that_waits_for_its_turn_spends_its_time_and_can_be_cancelled() {
    let mut market = Market::open(50);
    let asha = market.hires("Asha", "clerk");
    // One bundle each, more than fit into one request.
    for number in 0..40 {
        asha.registers(&format!("Farmer {number}"), "Vemagal", "");
        asha.exports();
    }
    let runs = |asked| {
        let budget = SyncBudget { time_ms: 20_000, ..SyncBudget::default() };
        let options = SyncOptions { is_manual: true, budget, ticket: Some(asked) };
        asha.client.sync_with(&asha.network, &options, &|_| ()).expect("a report").outcome
    };
    let asked = asha.client.ticket();
    asha.client.cancel_sync();
    assert_eq!(runs(asked), SyncOutcome::Cancelled);
    let asked = asha.client.ticket();
    market.clock.pass(20);
    assert_eq!(runs(asked), SyncOutcome::Partial);
    assert_eq!(runs(asha.client.ticket()), SyncOutcome::Complete);
}

#[test]
fn an_enrolment_or_a_move_that_waits_for_its_turn_can_be_cancelled() {
    let mut market = Market::open(51);
    let (asha, ravi) = (market.hires("Asha", "clerk"), market.meets("Ravi"));
    asha.registers("Lakshmi Devi", "Vemagal", "");
    let code = market.code("Ravi", "clerk", "KOLAR");
    let (of_asha, of_ravi) = (asha.client.ticket(), ravi.client.ticket());
    asha.client.cancel_sync();
    ravi.client.cancel_sync();
    let refused = ravi.client.enrol_with(&ravi.network, ADDRESS, &code, "phone", of_ravi).expect_err("cancelled");
    assert_eq!(refused.code(), ErrorCode::Interrupted);
    assert_eq!(ravi.client.session(), None);
    let refused = asha.client.set_server_url_with(&asha.network, ADDRESS, of_asha).expect_err("cancelled");
    assert_eq!(refused.code(), ErrorCode::Interrupted);
    assert_eq!(counts(&asha), (2, 0, 0), "nothing was sent");
}

#[test]
fn what_is_recorded_while_a_sync_runs_waits_or_goes_along() {
    let mut market = Market::open(6);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let report = asha.client.sync(&asha.network, &|progress| {
        if progress.requests == 1 {
            asha.weighs(farmer, None, &[20_000]);
        }
    });
    let logged = report.expect("a sync").progress.logged;
    let (unsent, sent, held) = counts(&asha);
    assert_eq!((logged + unsent, sent, held), (3, 0, 0), "nothing is said to be sent that was not");
    asha.syncs_wholly();
    assert_eq!(fingerprint(&asha.database()), fingerprint(&market.server_database()));
}

#[test]
fn a_deferred_change_stays_in_the_outbox_until_anybody_brings_what_is_missing() {
    let mut market = Market::open(7);
    let (asha, mallory) = (market.hires("Asha", "field_manager"), market.hires("Mallory", "field_manager"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    let delivery = asha.weighs(farmer, None, &[20_000]).delivery_id;
    asha.amends(delivery, 21_000).expect("amended");

    // The recording takes another way: its row is taken out of the outbox, as a hand-over file would carry it.
    let mut by_hand = Forger::with_phone_of(&asha, &market);
    let [recording, _]: [_; 2] = by_hand.outbox().try_into().expect("two changes");
    by_hand.sequence = 100;
    let file = by_hand.seals(vec![recording]).to_bytes();
    let db = rusqlite::Connection::open(asha.database()).expect("it opens");
    db.execute("DELETE FROM outbox WHERE outbox = (SELECT min(outbox) FROM outbox)", []).expect("taken out");

    for _ in 0..3 {
        let report = asha.syncs().expect("a sync");
        assert_eq!((report.outcome, report.progress.logged), (SyncOutcome::Partial, 0));
        assert_eq!((counts(&asha), backlog(&asha).deferred, backlog(&asha).missing), ((0, 0, 0), 1, 1));
        assert_eq!(state(&asha, delivery), SyncState::Sent);
    }
    let verdicts = Forger::with_phone_of(&mallory, &market).uploads(&[file]);
    assert_eq!(verdict_code(&verdicts_of(&verdicts[0])[0]), "logged");

    asha.syncs_wholly();
    assert_eq!((counts(&asha), state(&asha, delivery)), ((0, 0, 0), SyncState::Logged));
    mallory.syncs_wholly();
    assert_eq!(fingerprint(&asha.database()), fingerprint(&market.server_database()));
    assert_eq!(fingerprint(&mallory.database()), fingerprint(&market.server_database()));
}

#[test]
fn a_phone_restored_from_a_backup_gets_back_what_it_had_handed_over() {
    let mut market = Market::open(8);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    let backup = market.path_of("backup");
    std::fs::create_dir(&backup).expect("a folder");
    let db = rusqlite::Connection::open(asha.database()).expect("it opens");
    db.execute("VACUUM INTO ?1", [backup.join("field.db").to_str().expect("a path")]).expect("backed up");
    asha.weighs(farmer, None, &[20_000]);
    asha.syncs_wholly();
    drop(asha);

    let asha = market.revives("Asha", &backup);
    assert_eq!(asha.sum().deliveries, 0);
    asha.syncs_wholly();
    assert_eq!(asha.sum().deliveries, 1);
    assert_eq!(fingerprint(&asha.database()), fingerprint(&market.server_database()));
}

#[test]
fn a_delivery_that_is_recorded_meanwhile_is_a_draft_or_in_the_sum() {
    const DRAFTS: u64 = 60;
    let mut market = Market::open(12);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let drafts: Vec<_> = (0..DRAFTS).map(|_| asha.adds_bag(&asha.starts(Some(farmer), None), 20_000)).collect();
    let is_recording = AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for draft in &drafts {
                asha.client.record_delivery(draft.basis, &Check::ALL).expect("recorded");
            }
            is_recording.store(false, Ordering::Release);
        });
        while is_recording.load(Ordering::Acquire) {
            let today = asha.client.today(&"KOLAR".parse().expect("a code"), None).expect("a day");
            let drafts = u64::try_from(today.drafts.len()).expect("a count");
            assert_eq!(today.sum.deliveries + drafts, DRAFTS);
            assert_eq!(today.sync.backlog.unsent, today.sum.deliveries + 2, "with the farmer and the contact");
        }
    });
}
