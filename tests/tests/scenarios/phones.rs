//! Stories 19 to 26 and 36: people whose rights change, and phones that are lost, copied, wrong, full, damaged or without network.

use farmtally_core::ErrorCode;
use farmtally_core::client::{Access, FieldClient, StartDraft, SyncState};
use farmtally_core::decisions::Order;
use farmtally_core::environment::{Clock, Environment};
use farmtally_core::permission::Role;
use farmtally_core::protocol::bundle::{Bundle, BundleEntry};
use farmtally_core::records::farmer::ContactDetails;
use farmtally_core::rules::Check;
use farmtally_core::units::{DeviceCode, Timestamp};
use farmtally_tests::disk::{DiskFault, DiskPlan, Machine};
use farmtally_tests::{
    ADDRESS, Forger, Market, Person, TestClock, all_deliveries, copy_folder, fingerprint, verdict_code, verdicts_of,
};

use super::{Team, asked, held_codes, reviews, weighed};

const DAY: i64 = 24 * 3_600;

fn code(person: &Person) -> DeviceCode {
    person.client.session().expect("a session").device_code
}

/// A phone that is enrolled for a user who has one already.
fn gets_another_phone(market: &mut Market, user: &str, folder: &str, role: &str) -> Person {
    let (phone, code) = (market.meets(folder), market.code(user, role, "KOLAR"));
    phone.client.enrol(&phone.network, ADDRESS, &code, "another phone").expect("enrolled");
    phone.syncs_wholly();
    phone
}

#[test]
fn scenario_19_work_of_a_clerk_whose_centre_changed_meanwhile_is_logged_first_and_reviewed() {
    let team = Team::open(3_619);
    let (server, organisation) = (&team.market.server, team.market.organisation);
    let malur = ["MALUR".parse().expect("a code")];
    let grant = team.asha.client.session().expect("a session").grant_id.expect("a grant");
    server.grant(organisation, code(&team.asha), "Asha", Role::FieldManager, &malur).expect("granted");
    server.revoke(organisation, grant).expect("revoked");
    let delivery = team.asha.weighs(team.farmer, None, &[20_000]).delivery_id;
    team.asha.syncs_wholly();
    team.ravi.syncs_wholly();
    // She could not know: it counts, and the office looks at it.
    assert_eq!(reviews(&team.ravi, "grant_ended"), [[delivery.into()].into()].into());
    assert_eq!(team.ravi.sum().gross_g.0, 20_000);
    team.holds_nothing();
    // Her phone has sent everything, forgets the centre, and records at the other one only.
    let session = team.asha.client.session().expect("a session");
    assert_eq!(session.centres, malur);
    assert_eq!(team.asha.client.sync_status().expect("a status").backlog.oldest_at, None);
    assert_eq!(team.asha.client.delivery(delivery).expect_err("forgotten").code(), ErrorCode::NotFound);
    assert!(!fingerprint(&team.asha.database()).contains("c/KOLAR"), "no row of the centre is left");
    let start = |centre: &str| StartDraft {
        centre: centre.parse().expect("a code"),
        commodity: "TOMATO".parse().expect("a code"),
        farmer_id: None,
        load_id: None,
        replaces: None,
    };
    let refused = team.asha.client.start_draft(start("KOLAR")).expect_err("not hers any more");
    assert_eq!(refused.code(), ErrorCode::OutOfScope);
    team.asha.client.start_draft(start("MALUR")).expect("a draft");
}

#[test]
fn scenario_20_work_of_a_user_suspended_meanwhile_is_reviewed_and_held_once_the_phone_knew() {
    let team = Team::open(3_620);
    let mut forger = Forger::with_phone_of(&team.asha, &team.market);
    let device = code(&team.asha);
    team.market.server.suspend(team.market.organisation, "Asha", true).expect("suspended");
    let delivery = team.asha.weighs(team.farmer, None, &[20_000]).delivery_id;
    team.asha.syncs_wholly();
    team.ravi.syncs_wholly();
    assert_eq!(reviews(&team.ravi, "grant_ended"), [[delivery.into()].into()].into());
    assert_eq!(team.ravi.sum().gross_g.0, 20_000, "evidence counts");
    team.holds_nothing();
    // The phone knows now and records nothing; one that is bypassed is held.
    assert_eq!(team.asha.client.access(), Access::Locked);
    assert_eq!(team.asha.tries_to_open("KA07A1111").expect_err("suspended").code(), ErrorCode::Locked);
    forger.sequence = 1_000;
    let details = ContactDetails { name: "Nobody".into(), ..ContactDetails::default() };
    let mut action = forger.action(vec![forger.contact(7, device, &details)]);
    action.device_cursor = 1_000;
    let bundle = Bundle::seal(forger.header(), vec![action], &forger.key);
    let verdicts = verdicts_of(&forger.uploads(&[bundle.to_bytes()])[0]);
    assert_eq!(verdicts.iter().map(verdict_code).collect::<Vec<_>>(), ["not_allowed"]);
    assert_eq!(team.market.server.held(team.market.organisation).expect("a list").len(), 1);
    team.ravi.syncs_wholly();
    assert_eq!(team.ravi.farmers("Nobody").expect("farmers").items.len(), 0, "what is held is on no phone");
}

#[test]
fn scenario_21_a_lost_phone_may_still_send_is_wiped_and_its_successor_gets_what_was_logged() {
    let mut team = Team::open(3_621);
    let logged = team.asha.weighs(team.farmer, None, &[20_000]).delivery_id;
    team.syncs();
    let organisation = team.market.organisation;
    team.market.server.order(organisation, code(&team.asha), Order::Lost).expect("marked");
    let held = team.asha.weighs(team.farmer, None, &[21_000]);
    team.ravi.weighs(team.farmer, None, &[30_000]);
    team.ravi.syncs_wholly();
    team.asha.syncs_wholly();
    assert_eq!(held_codes(&team.asha), ["not_allowed"]);
    assert_eq!(team.asha.client.access(), Access::Locked);
    assert_eq!(team.asha.farmers("").expect_err("it reads nothing more").code(), ErrorCode::Locked);
    let kept = fingerprint(&team.asha.database());
    assert!(!kept.contains("farmers|"), "it forgets what it had read: {kept}");
    // The office looks at what it sent, then has it wiped.
    let approved = team.market.server.approve(organisation, held.delivery_id.into(), None).expect("approved");
    assert_eq!(approved.len(), 1);
    team.market.server.order(organisation, code(&team.asha), Order::Wipe).expect("ordered");
    let old_code = code(&team.asha);
    team.asha.syncs().expect("a sync");
    assert_eq!(team.asha.client.session(), None, "wiped");
    let successor = gets_another_phone(&mut team.market, "Asha", "Asha's new phone", "field_manager");
    assert_ne!(code(&successor), old_code);
    assert_eq!(successor.client.delivery(logged).expect("restored").totals.gross_g.0, 20_000);
    assert_eq!(successor.sum().gross_g.0, 71_000);
    let next = successor.weighs(team.farmer, None, &[22_000]);
    assert_eq!(next.receipt_number.map(|it| it.to_string().contains(&code(&successor).to_string())), Some(true));
    // The receipts of the lost phone are counted without a gap, so nothing is missing.
    let rows = all_deliveries(&successor.client).into_iter().filter(|row| row.device_code == old_code);
    let mut receipts: Vec<_> = rows.map(|row| row.receipt_sequence).collect();
    receipts.sort_unstable();
    assert_eq!(receipts, [1, 2]);
}

#[test]
fn scenario_22_two_copies_of_a_phone_both_count_take_new_codes_and_are_reviewed() {
    let mut team = Team::open(3_622);
    let folder = team.market.path_of("copy of Asha's phone");
    copy_folder(&team.asha.folder, &folder);
    let copy = team.market.revives("copy of Asha's phone", &folder);
    let before = code(&team.asha);
    let one = team.asha.weighs(team.farmer, None, &[20_000]).delivery_id;
    let other = copy.weighs(team.farmer, None, &[30_000]).delivery_id;
    for person in [&team.asha, &copy, &team.asha, &copy, &team.ravi] {
        person.syncs_wholly();
    }
    let codes = [before, code(&team.asha), code(&copy)];
    assert!(codes[0] != codes[1] && codes[1] != codes[2] && codes[0] != codes[2], "{codes:?}");
    for id in [one, other] {
        team.ravi.client.delivery(id).expect("nothing was lost");
    }
    assert_eq!(team.ravi.sum().gross_g.0, 50_000);
    team.holds_nothing();
    // Only the office sees this review: it names a device, not a record of a centre.
    let db = rusqlite::Connection::open(team.market.server_database()).expect("it opens");
    let sql = "SELECT count(*) FROM reviews WHERE code = 'device_fork' AND scope LIKE 'd/%'";
    assert_eq!(db.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a count"), 1);
}

#[test]
fn scenario_23_a_wrong_date_is_asked_about_and_the_business_date_of_the_record_is_right() {
    let mut market = Market::open(3_623);
    let clock = TestClock::at(Timestamp(1_557_363_600_000));
    let (asha, ravi) = (market.hires_with("Asha", "field_manager", &clock), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    clock.jump(300 * DAY);
    let draft = weighed(&asha, farmer, &[20_000]);
    let today = "2019-05-09".parse().expect("a date");
    assert_eq!(draft.business_date, today, "proposed by the last known time");
    assert_eq!(asked(&asha, &draft), [Check::ClockInDoubt]);
    let recorded = asha.client.record_delivery(draft.basis, &[Check::ClockInDoubt]).expect("confirmed");
    asha.syncs_wholly();
    ravi.syncs_wholly();
    let seen = ravi.client.delivery(recorded.delivery_id).expect("a delivery");
    let stamp = seen.recorded.expect("recorded");
    assert_eq!((seen.business_date, stamp.clock_suspect), (today, true));
    assert_eq!(stamp.written_at().date(330), today, "the corrected estimate");
    assert_eq!(ravi.sum().gross_g.0, 20_000);
    assert_eq!(market.server.held(market.organisation).expect("a list"), []);
}

#[test]
fn scenario_24_a_full_phone_refuses_by_name_loses_no_bag_and_continues_with_space() {
    let mut market = Market::open(3_624);
    let folder = market.path_of("Asha");
    let machine = Machine::mount(&folder);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let draft = weighed(&asha, farmer, &[20_000]);
    machine.plan(DiskPlan { after: 0, fault: DiskFault::Full, seed: 1 });
    // A little space is left within the files; then there is none.
    let mut shown = draft.clone();
    let full = (0..10_000).find_map(|_| match asha.client.edit_draft(shown.basis, &[farmtally_tests::bag(21_000)]) {
        Ok(edited) => {
            shown = edited;
            None
        }
        Err(error) => Some(error),
    });
    assert_eq!(full.expect("the disk is full").code(), ErrorCode::StorageFull);
    let kept = asha.client.delivery(draft.delivery_id).expect("the draft");
    assert_eq!(kept.bags, shown.bags, "each bag that was accepted, and no other");
    machine.relieve();
    let recorded = asha.client.record_delivery(kept.basis, &Check::ALL).expect("finished");
    assert_eq!(recorded.totals.gross_g, shown.totals.gross_g);
    asha.syncs_wholly();
    assert_eq!(asha.client.delivery(draft.delivery_id).expect("a delivery").sync, SyncState::Logged);
    drop(asha);
    machine.unmount();
    // Space that is reserved for finishing the current record is still to be made.
}

#[test]
fn scenario_25_a_damaged_database_is_never_deleted_and_the_work_comes_back_from_the_server() {
    let team = Team::open(3_625);
    let logged = team.asha.weighs(team.farmer, None, &[20_000]).delivery_id;
    team.syncs();
    let Team { mut market, asha, ravi, farmer } = team;
    let (folder, database, old_code) = (asha.folder.clone(), asha.database(), code(&asha));
    drop(asha);
    let whole = std::fs::read(&database).expect("bytes");
    let damaged = &whole[..whole.len() / 8_192 * 4_096];
    std::fs::write(&database, damaged).expect("damaged");
    let refused = FieldClient::open(&folder, Environment::system()).err().expect("damaged");
    assert_eq!(refused.code(), ErrorCode::StorageCorrupt, "{refused}");
    assert!(std::fs::read(&database).expect("bytes") == damaged, "the file is as it was");
    let again = gets_another_phone(&mut market, "Asha", "Asha, enrolled again", "field_manager");
    assert_ne!(code(&again), old_code, "no receipt number is given twice");
    assert_eq!(again.client.delivery(logged).expect("from the server").totals.gross_g.0, 20_000);
    again.weighs(farmer, None, &[21_000]);
    again.syncs_wholly();
    ravi.syncs_wholly();
    assert_eq!((again.sum().gross_g.0, ravi.sum().gross_g.0), (41_000, 41_000));
    // Reading what a damaged file still has is left to people; the app does not try it.
}

#[test]
fn scenario_26_one_change_that_cannot_be_read_is_kept_and_delays_nothing() {
    let mut team = Team::open(3_626);
    let mallory = team.market.hires("Mallory", "field_manager");
    mallory.syncs_wholly();
    let honest = mallory.weighs(team.farmer, None, &[20_000]).delivery_id;
    let mut forger = Forger::with_phone_of(&mallory, &team.market);
    let valid = forger.outbox();
    let bad = BundleEntry { document_id: [9; 16].into(), change: vec![0x5a; 40], ..valid[0].clone() };
    forger.sequence = 1_000;
    let verdicts = forger.seals_and_uploads(std::iter::once(bad).chain(valid).collect());
    let codes: Vec<_> = verdicts.iter().map(verdict_code).collect();
    assert_eq!(codes, ["malformed", "logged"]);
    let held = team.market.server.held(team.market.organisation).expect("a list");
    assert_eq!(held.iter().map(|it| it.code.to_string()).collect::<Vec<_>>(), ["malformed"]);
    assert_eq!(held[0].entry.document(), [9; 16].into(), "kept verbatim for a person");
    team.asha.weighs(team.farmer, None, &[30_000]);
    team.syncs();
    team.ravi.client.delivery(honest).expect("what came behind it");
    team.sum_to(2, 0, 2, 50_000);
}

#[test]
fn scenario_36_after_weeks_without_network_a_colleague_carries_the_work_and_nothing_is_lost() {
    let team = Team::open(3_636);
    let access = |days: i64, expected: Access| {
        team.market.clock.pass(days * DAY);
        assert_eq!(team.asha.client.access(), expected);
    };
    let first = team.asha.weighs(team.farmer, None, &[20_000]);
    access(13, Access::Full);
    access(2, Access::RecordOnly);
    let second = team.asha.weighs(team.farmer, None, &[21_000]);
    assert_eq!(team.asha.amends(first.delivery_id, 1_000).expect_err("waits").code(), ErrorCode::Locked);
    access(7, Access::Locked);
    let backlog = team.asha.client.sync_status().expect("a status").backlog;
    let age_ms = team.market.clock.now().0 - backlog.oldest_at.expect("unsent").0;
    assert_eq!((backlog.unsent, age_ms / 1_000 / DAY), (2, 22), "the warning grows with the age");
    // A signed file to a colleague's phone, which is lost once and comes twice.
    let file = team.asha.exports();
    team.ravi.carries(&file);
    team.ravi.carries(&file);
    team.ravi.syncs_wholly();
    for delivery in [&first, &second] {
        let seen = team.ravi.client.delivery(delivery.delivery_id).expect("carried");
        assert_eq!((seen.totals, seen.recorded), (delivery.totals, delivery.recorded), "as she stamped it");
    }
    team.asha.syncs_wholly();
    assert_eq!(team.asha.client.access(), Access::Full);
    team.syncs();
    assert_eq!(team.asha.client.delivery(first.delivery_id).expect("hers").sync, SyncState::Logged);
    team.holds_nothing();
}
