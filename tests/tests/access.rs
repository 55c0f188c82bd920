//! Permissions, and the fate of work when they end: nothing recorded is lost, nothing is refused silently.

use farmtally_core::client::{Access, DeliveryQuery, InboxKind, Lifecycle, RecordRef, SyncOutcome};
use farmtally_core::decisions::Order;
use farmtally_core::permission::Role;
use farmtally_core::protocol::HoldCode;
use farmtally_core::rules::Check;
use farmtally_core::units::{DeviceCode, DocumentId};
use farmtally_core::{Error, ErrorCode};
use farmtally_sync_server::storage::HeldEntry;
use farmtally_tests::Fault::{None as Through, RequestLost, ResponseLost};
use farmtally_tests::{ADDRESS, Market, Person, REFERENCE, all_deliveries, fingerprint};

const DAY: i64 = 24 * 3_600;

fn code(person: &Person) -> DeviceCode {
    person.client.session().expect("a session").device_code
}

fn revoke(market: &Market, person: &Person) {
    let grant = person.client.session().expect("a session").grant_id.expect("a grant");
    market.server.revoke(market.organisation, grant).expect("revoked");
}

fn held(market: &Market) -> Vec<HeldEntry> {
    market.server.held(market.organisation).expect("a list")
}

fn held_codes(person: &Person) -> Vec<String> {
    let code = |kind| match kind {
        InboxKind::Held { code, .. } => Some(code.to_string()),
        _ => None,
    };
    person.inbox().into_iter().filter_map(|item| code(item.kind)).collect()
}

#[test]
fn what_was_recorded_without_knowing_of_a_revocation_counts_and_is_reviewed() {
    let mut market = Market::open(1);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    revoke(&market, &asha);
    let delivery = asha.weighs(farmer, None, &[20_000]).delivery_id;

    asha.syncs_wholly();
    assert_eq!(held(&market), []);
    ravi.syncs_wholly();
    assert_eq!(ravi.client.delivery(delivery).expect("a delivery").totals.gross_g.0, 20_000);
    assert_eq!(ravi.reviews(), ["grant_ended"]);
    assert_eq!(asha.client.session().expect("a session").grant_id, None, "from here on she knows");
    let refused = asha.farmers("").expect_err("no grant");
    assert_eq!(refused.code(), ErrorCode::Locked);
}

#[test]
fn what_nobody_on_a_phone_may_read_is_forgotten_there_and_comes_back_with_a_new_grant() {
    let mut market = Market::open(2);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let own = asha.weighs(farmer, None, &[20_000]).delivery_id;
    asha.syncs_wholly();
    ravi.syncs_wholly();
    let healthy = fingerprint(&ravi.database());
    revoke(&market, &asha);
    asha.syncs_wholly();
    let count = |table: &str| -> i64 {
        let db = rusqlite::Connection::open(asha.database()).expect("it opens");
        db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).expect("a count")
    };
    assert_eq!((count("documents"), count("deliveries"), count("contacts")), (0, 0, 0));

    let centres = ["KOLAR".parse().expect("a code")];
    market.server.grant(market.organisation, code(&asha), "Asha", Role::FieldManager, &centres).expect("granted again");
    asha.syncs_wholly();
    assert_eq!(asha.client.delivery(own).expect("her own delivery").totals.gross_g.0, 20_000);
    assert_eq!(fingerprint(&asha.database()), healthy);
}

#[test]
fn a_suspended_user_uploads_and_works_again_once_it_is_lifted() {
    let mut market = Market::open(3);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    assert_eq!(market.server.suspend(market.organisation, "Asha", true).expect("suspended"), 1);
    asha.weighs(farmer, None, &[20_000]);
    asha.syncs_wholly();
    assert_eq!(asha.client.session().expect("a session").grant_id, None);
    market.server.suspend(market.organisation, "Asha", false).expect("lifted");
    asha.syncs_wholly();
    asha.weighs(farmer, None, &[21_000]);
    asha.syncs_wholly();
    assert_eq!(asha.sum().gross_g.0, 41_000);
    assert_eq!(held(&market), []);
    let nobody = market.server.suspend(market.organisation, "Nobody", true);
    assert_eq!(nobody.expect_err("no such user").code(), ErrorCode::NotFound);
}

#[test]
fn a_user_who_has_only_a_code_can_be_suspended() {
    let mut market = Market::open(44);
    let code = market.code("Kiran", "clerk", "KOLAR");
    let suspend = |market: &Market| market.server.suspend(market.organisation, "Kiran", true);
    assert_eq!(suspend(&market).expect("suspended"), 0);
    let kiran = market.meets("Kiran");
    let refused = kiran.client.enrol(&kiran.network, ADDRESS, &code, "test phone").expect_err("a code from before");
    assert_eq!(refused.code(), ErrorCode::InvalidInput, "{refused}");
    assert_eq!(suspend(&market).expect("still suspended"), 0);
    let users = market.server.users(market.organisation).expect("a list");
    assert!(users[0].is_suspended);
    let (id, centres) = (users[0].user_id, ["KOLAR".parse().expect("a code")]);
    let refused = market.server.create_code(market.organisation, id, Role::Clerk, &centres);
    assert!(refused.expect_err("suspended").to_string().contains("lift the suspension first"));
    market.server.suspend(market.organisation, "Kiran", false).expect("lifted");
    kiran.client.enrol(&kiran.network, ADDRESS, &code, "test phone").expect("the code is good again");
}

#[test]
fn a_suspended_user_gets_no_further_phone() {
    let mut market = Market::open(43);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "field_manager"));
    let early = market.code("Asha", "field_manager", "KOLAR");
    market.server.suspend(market.organisation, "Asha", true).expect("suspended");
    let again = market.meets("Asha on another phone");
    let enrols = || again.client.enrol(&again.network, ADDRESS, &early, "test phone");
    let refused = enrols().expect_err("a code from before the suspension");
    assert!(matches!(refused, Error::Invalid { field: "code", .. }), "{refused:?}");
    assert!(refused.to_string().contains("the user is suspended"), "{refused}");
    let centres = ["KOLAR".parse().expect("a code")];
    let ashas_id = asha.client.session().expect("a session").user_id;
    let refused = market.server.create_code(market.organisation, ashas_id, Role::Clerk, &centres);
    let refused = refused.expect_err("suspended");
    assert!(refused.to_string().contains("lift the suspension first"), "{refused}");
    let ravis = ravi.client.session().expect("a session").device_code;
    let refused = market.server.grant(market.organisation, ravis, "Asha", Role::Clerk, &centres);
    assert_eq!(refused.expect_err("suspended").code(), ErrorCode::InvalidInput);
    market.server.suspend(market.organisation, "Asha", false).expect("lifted");
    enrols().expect("her code is still good");
    asha.syncs_wholly();
}

#[test]
fn what_a_lost_phone_uploads_is_held_and_the_phone_reads_nothing_more() {
    let mut market = Market::open(4);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    market.server.order(market.organisation, code(&asha), Order::Lost).expect("marked");
    let delivery = asha.weighs(farmer, None, &[20_000]);
    ravi.weighs(farmer_known_to(&ravi), None, &[30_000]);
    ravi.syncs_wholly();

    asha.syncs_wholly();
    assert_eq!(held_codes(&asha), ["not_allowed"]);
    assert_eq!(asha.client.access(), Access::Locked);
    assert_eq!(asha.farmers("").expect_err("locked").code(), ErrorCode::Locked);
    let db = rusqlite::Connection::open(asha.database()).expect("it opens");
    let documents: i64 = db.query_row("SELECT count(*) FROM documents", [], |row| row.get(0)).expect("a count");
    assert_eq!(documents, 0, "all that was read is gone");

    // The phone is found, and the office approves what it uploaded.
    market.server.order(market.organisation, code(&asha), Order::Resume).expect("found");
    let document = DocumentId::from(delivery.delivery_id);
    assert_eq!(market.server.approve(market.organisation, document, None).expect("approved").len(), 1);
    asha.syncs_wholly();
    ravi.syncs_wholly();
    assert_eq!(held_codes(&asha), [""; 0]);
    assert_eq!(asha.sum().gross_g.0, 50_000);
    assert_eq!(fingerprint(&asha.database()), fingerprint(&ravi.database()));
}

fn farmer_known_to(person: &Person) -> farmtally_core::units::FarmerId {
    person.syncs_wholly();
    person.farmers("").expect("farmers").items[0].farmer_id
}

#[test]
fn a_wiped_phone_hands_everything_in_first_drafts_too() {
    let mut market = Market::open(5);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    market.server.order(market.organisation, code(&asha), Order::Wipe).expect("ordered");
    let delivery = asha.weighs(farmer, None, &[20_000]).delivery_id;
    let draft = asha.adds_bag(&asha.starts(Some(farmer), None), 21_000).delivery_id;

    let report = asha.syncs().expect("a sync");
    assert_eq!(report.outcome, SyncOutcome::Complete);
    assert_eq!(asha.client.session(), None, "nothing is left, not even the key");
    let db = rusqlite::Connection::open(asha.database()).expect("it opens");
    for table in ["documents", "deliveries", "drafts", "outbox", "bundles", "reference", "installation"] {
        let rows: i64 = db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).expect("a count");
        assert_eq!(rows, 0, "{table}");
    }
    ravi.syncs_wholly();
    assert_eq!(ravi.client.delivery(delivery).expect("a delivery").totals.gross_g.0, 20_000);
    let left: Vec<_> = held(&market).iter().map(|it| (it.entry.document(), it.code.clone())).collect();
    assert_eq!(left, [(draft.into(), HoldCode::Draft)]);
    let db = rusqlite::Connection::open(market.server_database()).expect("it opens");
    let receipts: i64 = db
        .query_row("SELECT count(*) FROM devices WHERE wiped_at_ms IS NOT NULL", [], |row| row.get(0))
        .expect("a count");
    assert_eq!(receipts, 1);
}

#[test]
fn nothing_is_destroyed_before_the_server_has_it() {
    let mut market = Market::open(6);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    market.server.order(market.organisation, code(&asha), Order::Wipe).expect("ordered");
    asha.weighs(farmer, None, &[20_000]);
    for faults in [vec![RequestLost], vec![ResponseLost], vec![Through, RequestLost], vec![Through, ResponseLost]] {
        asha.network.plan(&faults);
        drop(asha.syncs());
        assert!(asha.client.session().is_some(), "{faults:?}: still there");
        if asha.client.sync_status().expect("a status").backlog.oldest_at.is_some() {
            let db = rusqlite::Connection::open(asha.database()).expect("it opens");
            let bundles: i64 = db.query_row("SELECT count(*) FROM bundles", [], |row| row.get(0)).expect("a count");
            assert!(bundles > 0);
        }
    }
    asha.network.plan(&[]);
    asha.syncs().expect("a sync");
    assert_eq!(asha.client.session(), None);
    let ravi = market.hires("Ravi", "dispatcher");
    assert_eq!(ravi.sum().gross_g.0, 20_000);
}

#[test]
fn several_people_share_a_phone_and_one_sync_sends_everybodys_work() {
    let mut market = Market::open(7);
    let asha = market.hires("Asha", "field_manager");
    let centres = ["KOLAR".parse().expect("a code")];
    let (server, organisation) = (&market.server, market.organisation);
    server.grant(organisation, code(&asha), "Bela", Role::Clerk, &centres).expect("granted");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    let users = asha.client.users();
    assert_eq!(users.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["Asha", "Bela"]);
    let (of_asha, of_bela) = (users[0].user_id, users[1].user_id);

    let first = asha.weighs(farmer, None, &[20_000]).delivery_id;
    assert_eq!(asha.client.switch_user(of_bela).expect("handed over").user_id, of_bela);
    let second = asha.weighs(farmer, None, &[21_000]).delivery_id;
    assert_eq!(asha.tries_to_open("KA07A1111").expect_err("a clerk opens no load").code(), ErrorCode::NotAllowed);
    asha.syncs_wholly();
    let ravi = market.hires("Ravi", "dispatcher");
    let author = |id| -> Vec<u8> {
        let db = rusqlite::Connection::open(ravi.database()).expect("it opens");
        let id = DocumentId::from(id);
        db.query_row("SELECT user_id FROM deliveries WHERE delivery_id = ?1", [id], |row| row.get(0)).expect("a row")
    };
    assert_eq!((author(first), author(second)), (of_asha.as_bytes().to_vec(), of_bela.as_bytes().to_vec()));
    let stranger = ravi.client.session().expect("a session").user_id;
    assert_eq!(asha.client.switch_user(stranger).expect_err("no grant here").code(), ErrorCode::NotAllowed);
}

#[test]
fn a_phone_that_was_lost_and_found_lists_nobody_without_a_name() {
    let mut market = Market::open(7);
    let asha = market.hires("Asha", "field_manager");
    let (server, organisation) = (&market.server, market.organisation);
    let centres = ["KOLAR".parse().expect("a code")];
    server.order(organisation, code(&asha), Order::Lost).expect("ordered");
    asha.syncs_wholly();
    // The phone has deleted all names; a grant still arrives.
    server.grant(organisation, code(&asha), "Bela", Role::Clerk, &centres).expect("granted");
    asha.syncs_wholly();
    assert_eq!(asha.client.users(), [], "nobody may use a phone that is marked as lost");
    let rekey = server.order(organisation, code(&asha), Order::Rekey).expect_err("it would unlock the phone");
    assert_eq!(rekey.code(), ErrorCode::InvalidInput, "{rekey}");
    server.order(organisation, code(&asha), Order::Resume).expect("found");
    asha.syncs_wholly();
    let names: Vec<String> = asha.client.users().into_iter().map(|user| user.name).collect();
    assert_eq!(names, ["Asha", "Bela"]);
}

#[test]
fn a_phone_without_contact_first_only_records_then_only_uploads() {
    let file = REFERENCE.replace("2019-12-31", "2099-12-31");
    let mut market = Market::open(8);
    let asha = market.hires("Asha", "field_manager");
    let reference = farmtally_sync_server::ReferenceFile::parse(&file).expect("reference data");
    market.server.update_reference(market.organisation, &reference).expect("a longer season");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    let may_record = || asha.starts(Some(farmer), None);
    market.clock.pass(14 * DAY);
    assert_eq!(asha.client.access(), Access::Full);
    market.clock.pass(1);
    assert_eq!(asha.client.access(), Access::RecordOnly);
    let delivery = asha.adds_bag(&may_record(), 20_000);
    let delivery = asha.client.record_delivery(delivery.basis, &Check::ALL).expect("recorded");
    assert_eq!(asha.amends(delivery.delivery_id, 1_000).expect_err("waits for a sync").code(), ErrorCode::Locked);
    assert_eq!(asha.tries_to_open("KA07A1111").expect_err("waits for a sync").code(), ErrorCode::Locked);

    market.clock.pass(7 * DAY);
    assert_eq!(asha.client.access(), Access::Locked);
    assert_eq!(asha.client.delivery(delivery.delivery_id).expect_err("locked").code(), ErrorCode::Locked);
    asha.syncs_wholly();
    assert_eq!(asha.client.access(), Access::Full);
    assert_eq!(asha.client.delivery(delivery.delivery_id).expect("a delivery").lifecycle, Lifecycle::Recorded);
}

#[test]
fn time_without_contact_counts_although_records_fail() {
    let mut market = Market::open(9);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    let draft = asha.adds_bag(&asha.starts(Some(farmer), None), 20_000);
    let other = rusqlite::Connection::open(asha.database()).expect("it opens");
    let trigger = "CREATE TRIGGER full BEFORE UPDATE ON counters BEGIN SELECT RAISE(ABORT, 'full'); END";
    other.execute_batch(trigger).expect("a trigger");
    for _ in 0..5 {
        market.clock.pass(3 * DAY);
        let failed = asha.client.record_delivery(draft.basis, &Check::ALL).expect_err("the counters cannot be saved");
        assert_eq!(failed.code(), ErrorCode::Internal, "{failed}");
    }
    assert_eq!(asha.client.access(), Access::RecordOnly);
    other.execute_batch("DROP TRIGGER full").expect("dropped");
    asha.client.record_delivery(draft.basis, &Check::ALL).expect("recorded");
    assert_eq!(asha.client.access(), Access::RecordOnly);
}

#[test]
fn reads_do_not_wait_for_a_write() {
    let mut market = Market::open(10);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let draft = asha.adds_bag(&asha.starts(Some(farmer), None), 20_000);
    let other = rusqlite::Connection::open(asha.database()).expect("it opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("the only writer");
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| asha.client.record_delivery(draft.basis, &Check::ALL));
        // Many reads, because nothing tells when the write has begun.
        for _ in 0..100 {
            assert_eq!(asha.client.delivery(draft.delivery_id).expect("a draft").lifecycle, Lifecycle::Draft);
            assert!(!writing.is_finished(), "a read waited");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        other.execute_batch("ROLLBACK").expect("ended");
        writing.join().expect("no panic").expect("recorded");
    });
}

#[test]
fn a_locked_phone_lists_and_discards_nothing_but_shows_what_is_held() {
    let mut market = Market::open(41);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    market.server.order(market.organisation, code(&asha), Order::Lost).expect("marked");
    asha.weighs(farmer, None, &[20_000]);
    let draft = asha.starts(Some(farmer), None);
    asha.syncs_wholly();
    let listed = asha.client.deliveries(&DeliveryQuery::default()).map(|_| ());
    let calls = [listed, asha.client.drafts().map(|_| ()), asha.client.discard_draft(draft.basis)];
    for call in calls {
        assert_eq!(call.expect_err("locked").code(), ErrorCode::Locked);
    }
    assert_eq!(held_codes(&asha), ["not_allowed"]);
}

#[test]
fn a_second_user_sees_what_was_granted_to_them_and_no_more() {
    let mut market = Market::open(42);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let loads = [asha.opens("KA07A1111").load_id, asha.opens("KA07A2222").load_id];
    let delivery = asha.weighs(farmer, None, &[20_000]).delivery_id;
    ravi.registers("Lakshmi Devi", "Vemagal", "");
    for person in [&asha, &ravi] {
        person.syncs_wholly();
    }
    asha.moves(delivery, Some(loads[0])).expect("moved");
    ravi.moves(delivery, Some(loads[1])).expect("moved");
    let draft = asha.starts(Some(farmer), None);
    let centres = ["MALUR".parse().expect("a code")];
    market.server.grant(market.organisation, code(&asha), "Bela", Role::Clerk, &centres).expect("granted");
    for person in [&ravi, &asha] {
        person.syncs_wholly();
    }
    let seen = || {
        let rows = all_deliveries(&asha.client);
        (rows.len(), asha.client.drafts().expect("drafts").len(), asha.inbox().len())
    };
    assert_eq!(seen(), (1, 1, 2), "a conflict of loads, and a farmer registered twice");
    let about: Vec<_> = asha.inbox().into_iter().flat_map(|item| item.records).collect();
    for record in [RecordRef::Delivery { delivery_id: delivery }, RecordRef::Farmer { farmer_id: farmer }] {
        assert!(about.contains(&record), "{record:?} in {about:?}");
    }

    let bela = asha.client.users().into_iter().find(|user| user.name == "Bela").expect("a user").user_id;
    asha.client.switch_user(bela).expect("handed over");
    assert_eq!(seen(), (0, 0, 0));
    for id in [delivery, draft.delivery_id] {
        assert_eq!(asha.client.delivery(id).expect_err("not hers").code(), ErrorCode::NotFound);
    }
}

#[test]
fn listeners_are_notified_of_midnight_and_of_a_lapse() {
    let mut market = Market::open(43);
    let asha = market.hires("Asha", "field_manager");
    let told = || {
        asha.client.refresh_day_and_access();
        let event = futures_util::FutureExt::now_or_never(asha.client.events().next(0)).flatten();
        event.expect("something is there always").sequence
    };
    let first = told();
    assert_eq!(told(), first, "nothing has changed");
    market.clock.pass(DAY);
    let second = told();
    assert!(second > first, "another day");
    assert_eq!(told(), second);
    // A lapse at an hour when the day stays the same.
    market.clock.pass(13 * DAY - 60);
    let third = told();
    market.clock.pass(120);
    assert_eq!(asha.client.access(), Access::RecordOnly);
    assert!(told() > third, "the phone may do less");
}

#[test]
fn time_without_contact_counts_across_restarts_but_a_clock_that_leaps_counts_little() {
    let mut market = Market::open(9);
    let asha = market.hires("Asha", "field_manager");
    // Thirteen days by the wall clock while the phone was off, then one by the boot clock.
    market.clock.is_off(13 * DAY);
    let asha = asha.restarts();
    market.clock.pass(DAY);
    assert_eq!(asha.client.access(), Access::Full);
    market.clock.pass(1);
    assert_eq!(asha.client.access(), Access::RecordOnly);
    // The clock is fifty years ahead after another time off, and back after the next: how long that took is unknown, so it counts as three
    // days, then as none.
    market.clock.is_off(50 * 365 * DAY);
    let asha = asha.restarts();
    assert_eq!(asha.client.access(), Access::RecordOnly);
    market.clock.is_off(-50 * 365 * DAY);
    let asha = asha.restarts();
    assert_eq!(asha.client.access(), Access::RecordOnly);
    asha.syncs_wholly();
    assert_eq!(asha.client.access(), Access::Full);
}

#[test]
fn a_wall_clock_that_is_set_neither_ends_nor_extends_the_time_without_contact() {
    let mut market = Market::open(10);
    let mut asha = market.hires("Asha", "field_manager");
    for by in [13 * DAY, -13 * DAY, 13 * DAY, -300 * DAY, 300 * DAY] {
        market.clock.jump(by);
        assert_eq!(asha.client.access(), Access::Full);
        asha = asha.restarts();
        assert_eq!(asha.client.access(), Access::Full, "a restart of the app, with the clock set by {by} s");
    }
    for _ in 0..14 {
        market.clock.jump(-DAY);
        market.clock.pass(DAY + 1);
        asha = asha.restarts();
    }
    assert_eq!(asha.client.access(), Access::RecordOnly, "the clock was set back every day");
}

#[test]
fn a_grant_that_is_in_force_already_is_not_given_twice() {
    let mut market = Market::open(47);
    let asha = market.hires("Asha", "clerk");
    let (server, organisation, device) = (&market.server, market.organisation, code(&asha));
    let centres = ["KOLAR".parse().expect("a code")];
    let grants = || server.grants(organisation).expect("a list");
    let first = grants()[0].grant.grant_id;
    let error = server.grant(organisation, device, "Asha", Role::Clerk, &centres).expect_err("the same grant");
    assert!(error.to_string().contains(&first.to_string()), "{error}");
    server.grant(organisation, device, "Asha", Role::FieldManager, &centres).expect("another role");
    assert_eq!(grants().len(), 2);
}

#[test]
fn a_phone_that_was_wiped_gets_no_order_and_no_grant() {
    let mut market = Market::open(48);
    let asha = market.hires("Asha", "clerk");
    let device = code(&asha);
    let (server, organisation) = (&market.server, market.organisation);
    server.order(organisation, device, Order::Wipe).expect("ordered");
    asha.syncs_wholly();
    for order in [Order::Lost, Order::Wipe, Order::Rekey, Order::Resume] {
        let error = server.order(organisation, device, order).expect_err("a wiped phone");
        assert!(error.to_string().contains("this phone was wiped"), "{order}: {error}");
    }
    let centres = ["KOLAR".parse().expect("a code")];
    let error = server.grant(organisation, device, "Asha", Role::FieldManager, &centres).expect_err("a wiped phone");
    assert!(error.to_string().contains("this phone was wiped"), "{error}");
}

#[test]
fn a_suspension_that_is_lifted_after_the_phone_took_a_new_key_gives_the_user_the_phone_back() {
    let mut market = Market::open(49);
    let asha = market.hires("Asha", "field_manager");
    let (server, organisation) = (&market.server, market.organisation);
    let centres = ["KOLAR".parse().expect("a code")];
    server.grant(organisation, code(&asha), "Bela", Role::Clerk, &centres).expect("granted");
    let ended = server.grant(organisation, code(&asha), "Chand", Role::Clerk, &centres).expect("granted");
    server.revoke(organisation, ended).expect("revoked");
    assert_eq!(server.suspend(organisation, "Asha", true).expect("suspended"), 1);
    let before = code(&asha);
    server.order(organisation, before, Order::Rekey).expect("ordered");
    asha.syncs_wholly();
    assert_ne!(code(&asha), before, "it took a new key");
    let names = || -> Vec<String> { asha.client.users().into_iter().map(|user| user.name).collect() };
    assert_eq!(names(), ["Bela"], "Asha is suspended there too");
    let users = server.users(organisation).expect("a list");
    let phones: Vec<(&str, usize)> = users.iter().map(|user| (user.name.as_str(), user.phones)).collect();
    assert_eq!(phones, [("Asha", 1), ("Bela", 1), ("Chand", 1)], "one phone, whatever keys it had");
    assert_eq!(server.suspend(organisation, "Asha", false).expect("lifted"), 1, "one phone");
    asha.syncs_wholly();
    assert_eq!(names(), ["Asha", "Bela"]);
}

#[test]
fn a_grant_or_suspension_that_stands_already_is_not_decided_again() {
    let mut market = Market::open(50);
    let asha = market.hires("Asha", "clerk");
    let (server, organisation, device) = (&market.server, market.organisation, code(&asha));
    let (kolar, malur) = ("KOLAR".parse().expect("a code"), "MALUR".parse().expect("a code"));
    let first = server.grant(organisation, device, "Asha", Role::Clerk, &[kolar, malur]).expect("another centre");
    let (kolar, malur) = ("KOLAR".parse().expect("a code"), "MALUR".parse().expect("a code"));
    let error = server.grant(organisation, device, "Asha", Role::Clerk, &[malur, kolar]).expect_err("the same centres");
    assert!(error.to_string().contains(&first.to_string()), "{error}");
    let decisions = || -> i64 {
        let db = rusqlite::Connection::open(market.server_database()).expect("it opens");
        db.query_row("SELECT count(*) FROM log WHERE body IS NOT NULL", [], |row| row.get(0)).expect("a count")
    };
    for (is_suspended, new) in [(true, 2), (true, 0), (false, 2), (false, 0)] {
        let before = decisions();
        assert_eq!(server.suspend(organisation, "Asha", is_suspended).expect("decided"), 1);
        assert_eq!(decisions() - before, new, "{is_suspended}: the user and the phone, or nothing");
    }
}

#[test]
fn a_user_without_a_grant_is_reported_as_locked_until_one_is_on_the_phone() {
    let mut market = Market::open(45);
    let code = market.code("Kiran", "clerk", "KOLAR");
    let kiran = market.meets("Kiran");
    assert_eq!(kiran.client.access(), Access::Full, "a phone that is not enrolled has no limit but that");
    kiran.network.plan(&[Through, RequestLost]);
    kiran.client.enrol(&kiran.network, ADDRESS, &code, "test phone").expect("enrolled, but for the first sync");
    assert_eq!(kiran.client.session().expect("a session").grant_id, None);
    assert_eq!(kiran.client.access(), Access::Locked, "a sync brings the grant");
    kiran.syncs_wholly();
    assert_eq!(kiran.client.access(), Access::Full);

    revoke(&market, &kiran);
    kiran.syncs_wholly();
    let refused = kiran.farmers("").expect_err("no grant");
    assert_eq!(refused.code(), ErrorCode::Locked);
    assert!(refused.to_string().contains("ask the office for a grant"), "{refused}");
    assert_eq!(kiran.client.access(), Access::Locked);
    assert_eq!(kiran.restarts().client.access(), Access::Locked);
}
