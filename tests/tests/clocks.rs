//! Wrong clocks: of a phone whose battery was empty or whose clock was set, of a phone that slept, and of the server.

use std::sync::Arc;

use farmtally_core::client::{Access, DraftEdit, SyncOptions, SyncOutcome};
use farmtally_core::permission::Role;
use farmtally_core::records::Stamp;
use farmtally_core::rules::Check;
use farmtally_core::units::{BusinessDate, DeviceCode, Timestamp};
use farmtally_core::{Error, ErrorCode};
use farmtally_tests::{ADDRESS, Fault, Market, Person, TestClock, bag};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
/// 06:30 Indian time on 9 May 2019, when the market opens.
const OPENING: Timestamp = Timestamp(1_557_363_600_000);

fn day(text: &str) -> BusinessDate {
    text.parse().expect("a date")
}

fn code(person: &Person) -> DeviceCode {
    person.client.session().expect("a session").device_code
}

/// The stamp of an amendment that the person makes now to a delivery that they record for it.
fn stamp_of(person: &Person) -> Stamp {
    let farmer = person.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let delivery = person.weighs(farmer, None, &[20_000]).delivery_id;
    let amended = person.amends(delivery, 21_000).expect("amended");
    amended.amendments.last().expect("an amendment").stamp
}

/// A market, and a clock for a phone beside that of the server.
fn market(seed: u64) -> (Market, Arc<TestClock>) {
    (Market::open(seed), TestClock::at(OPENING))
}

#[test]
fn after_a_night_of_deep_sleep_a_background_sync_runs() {
    let (mut market, clock) = market(301);
    let asha = market.hires_with("Asha", "clerk", &clock);
    let automatic = || asha.client.sync_with(&asha.network, &SyncOptions::default(), &|_| ()).expect("a sync").outcome;
    for _ in 0..5 {
        asha.network.plan(&[Fault::RequestLost]);
        assert_eq!(automatic(), SyncOutcome::Offline);
        clock.pass(5 * 60);
    }
    asha.network.plan(&[Fault::RequestLost]);
    assert_eq!(automatic(), SyncOutcome::Offline);
    assert_eq!(automatic(), SyncOutcome::NotDue);
    // The boot clock counts while the phone sleeps.
    clock.pass(8 * HOUR);
    assert_eq!(automatic(), SyncOutcome::Complete);
}

#[test]
fn a_phone_whose_battery_was_empty_records_on_the_right_day_and_is_in_doubt() {
    for (seed, (wrong_ms, year)) in (310..).zip([(0, 1970), (1_262_304_000_000, 2010), (4_291_747_200_000, 2106)]) {
        let (mut market, clock) = market(seed);
        let asha = market.hires_with("Asha", "dispatcher", &clock);
        asha.syncs_wholly();
        clock.boots_at(Timestamp(wrong_ms));
        let asha = asha.restarts();

        let draft = asha.starts(None, None);
        assert_eq!(draft.business_date, day("2019-05-09"), "{year}");
        assert_eq!(asha.opens("KA07A1111").business_date, day("2019-05-09"), "{year}");
        let stamp = stamp_of(&asha);
        assert!(stamp.clock_suspect, "{year}");
        assert_eq!(stamp.written_at().date(330), day("2019-05-09"), "{year}");
        asha.syncs_wholly();
        assert_eq!(market.server.held(market.organisation).expect("a list"), []);
    }
}

#[test]
fn a_device_that_shows_a_future_date_at_each_start_counts_three_days_a_start_and_is_locked_by_the_seventh() {
    let (mut market, clock) = market(319);
    let mut asha = market.hires_with("Asha", "dispatcher", &clock);
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    for start in 1..=7 {
        clock.boots_at(Timestamp(4_291_747_200_000));
        asha = asha.restarts();
        let expected = match start {
            1..=4 => Access::Full,
            5..=6 => Access::RecordOnly,
            _ => Access::Locked,
        };
        assert_eq!(asha.client.access(), expected, "start {start}");
        clock.pass(HOUR);
        if start < 7 {
            asha.weighs(farmer, None, &[20_000]);
        }
    }
    // A contact ends it, whatever the clock shows.
    asha.syncs_wholly();
    assert_eq!(asha.client.access(), Access::Full);
}

#[test]
fn a_clock_that_was_ahead_for_one_record_is_forgotten_by_the_next() {
    let (mut market, clock) = market(320);
    let asha = market.hires_with("Asha", "dispatcher", &clock);
    asha.syncs_wholly();
    clock.jump(300 * DAY);
    assert!(stamp_of(&asha).clock_suspect);
    clock.jump(-300 * DAY);
    clock.pass(HOUR);
    let stamp = stamp_of(&asha);
    assert_eq!((stamp.clock_suspect, stamp.written_at().date(330)), (false, day("2019-05-09")));
}

#[test]
fn an_hour_to_amend_ends_after_an_hour_whatever_the_clock_said_when_it_began() {
    for (seed, ahead) in (330..).zip([300 * DAY, 20 * HOUR, -20 * HOUR, -300 * DAY]) {
        let (mut market, clock) = market(seed);
        let asha = market.hires_with("Asha", "clerk", &clock);
        asha.syncs_wholly();
        let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
        clock.jump(ahead);
        let delivery = asha.weighs(farmer, None, &[20_000]).delivery_id;
        clock.jump(-ahead);
        clock.pass(HOUR / 2);
        asha.amends(delivery, 21_000).expect("within the hour");
        clock.pass(HOUR / 2 + 60);
        let late = asha.amends(delivery, 22_000).expect_err("after the hour");
        assert_eq!(late.code(), ErrorCode::NotAllowed, "{late}");
    }
}

#[test]
fn of_two_loads_of_a_delivery_that_of_the_wrong_clock_does_not_count() {
    let (mut market, clock) = market(340);
    let asha = market.hires_with("Asha", "dispatcher", &clock);
    let ravi = market.hires("Ravi", "dispatcher");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let delivery = asha.weighs(farmer, None, &[20_000]).delivery_id;
    let loads = [asha.opens("KA07A1111").load_id, asha.opens("KA07A2222").load_id];
    asha.syncs_wholly();
    ravi.syncs_wholly();
    clock.jump(300 * DAY);
    asha.moves(delivery, Some(loads[0])).expect("moved");
    clock.jump(-300 * DAY);
    ravi.moves(delivery, Some(loads[1])).expect("moved");
    for person in [&asha, &ravi, &asha] {
        person.syncs_wholly();
    }
    for person in [&asha, &ravi] {
        assert_eq!(person.client.delivery(delivery).expect("a delivery").load_id, Some(loads[1]), "{}", person.name);
    }
}

#[test]
fn a_record_of_a_wrong_clock_does_not_hide_the_times_of_others_that_arrive_with_it() {
    let (mut market, clock) = market(390);
    let asha = market.hires_with("Asha", "dispatcher", &clock);
    let (ravi, meena) = (market.hires("Ravi", "dispatcher"), market.hires("Meena", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let delivery = asha.weighs(farmer, None, &[20_000]).delivery_id;
    for person in [&asha, &ravi, &meena] {
        person.syncs_wholly();
    }
    // The server's clock, by which phones set theirs, is hours ahead for Ravi and months ahead for Meena.
    market.clock.jump(20 * HOUR);
    ravi.syncs_wholly();
    let by_ravi = ravi.amends(delivery, 21_000).expect("amended").amendments[0].stamp;
    market.clock.jump(300 * DAY);
    meena.syncs_wholly();
    meena.amends(delivery, 22_000).expect("amended");
    market.clock.jump(-300 * DAY - 20 * HOUR);
    for person in [&ravi, &meena, &asha] {
        person.syncs_wholly();
    }
    let amended = asha.amends(delivery, 23_000).expect("amended");
    let of_asha = asha.client.session().expect("a session").device_code;
    let by_asha = amended.amendments.iter().find(|it| it.stamp.device_code == of_asha).expect("hers").stamp;
    assert!(by_asha.at > by_ravi.at, "{by_asha:?} after {by_ravi:?}, which she saw");
}

#[test]
fn work_that_a_server_lost_waits_since_the_day_it_was_sealed_although_the_battery_was_empty() {
    let (mut market, clock) = market(391);
    let backup = market.backs_up("backup");
    let asha = market.hires_with("Asha", "dispatcher", &clock);
    asha.syncs_wholly();
    clock.boots_at(Timestamp(0));
    let asha = asha.restarts();
    asha.registers("Lakshmi Devi", "Vemagal", "");
    asha.syncs_wholly();
    market.sets_back(&backup, true);
    let waits_since = std::sync::Mutex::new(None);
    let looks = |_: &_| {
        let waiting = asha.client.sync_status().expect("a status").backlog.oldest_at;
        let mut since = waits_since.lock().expect("a lock");
        *since = since.or(waiting);
    };
    assert_eq!(asha.client.sync(&asha.network, &looks).expect("a report").outcome, SyncOutcome::Complete);
    let since: Option<Timestamp> = waits_since.into_inner().expect("a lock");
    assert_eq!(since.map(|at| at.date(330)), Some(day("2019-05-09")));
}

#[test]
fn two_phones_have_one_business_date_that_of_the_organisations_zone_and_one_contention() {
    let (mut market, clock) = market(350);
    let asha = market.hires_with("Asha", "dispatcher", &clock);
    let ravi = market.hires("Ravi", "dispatcher");
    // 20:00 UTC on 9 May is 01:30 on 10 May in India.
    let evening = 20 * HOUR - OPENING.0 / 1_000 % DAY;
    clock.pass(evening);
    market.clock.pass(evening);
    for person in [&asha, &ravi] {
        assert_eq!(person.opens("KA07A1111").business_date, day("2019-05-10"), "{}", person.name);
        person.syncs_wholly();
    }
    ravi.syncs_wholly();
    let reviews = ravi.client.inbox().expect("an inbox").len();
    assert_eq!(reviews, 1);
}

#[test]
fn a_server_whose_clock_is_wrong_does_not_move_the_business_date_of_a_phone_that_is_right() {
    let (mut market, clock) = market(355);
    let asha = market.hires_with("Asha", "dispatcher", &clock);
    market.clock.jump(400 * DAY);
    asha.syncs_wholly();
    assert_eq!(asha.starts(None, None).business_date, day("2019-05-09"), "that of the phone lies within a season");
    assert!(stamp_of(&asha).clock_suspect, "one of both is wrong");
    market.clock.jump(-400 * DAY);
    asha.syncs_wholly();
    let stamp = stamp_of(&asha);
    assert_eq!((stamp.clock_suspect, stamp.written_at().date(330)), (false, day("2019-05-09")));
}

#[test]
fn with_no_usable_clock_a_draft_begins_on_the_nearest_day_of_a_season_and_a_person_sets_another() {
    let (mut market, clock) = market(356);
    let asha = market.hires_with("Asha", "dispatcher", &clock);
    market.clock.jump(400 * DAY);
    asha.syncs_wholly();
    clock.boots_at(Timestamp(0));
    let asha = asha.restarts();
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    assert_eq!(asha.opens("KA07A1111").business_date, day("2019-12-31"));
    let draft = asha.starts(Some(farmer), None);
    assert_eq!(draft.business_date, day("2019-12-31"));
    let edits = [DraftEdit::SetBusinessDate(day("2019-05-09")), bag(20_000)];
    let draft = asha.client.edit_draft(draft.basis, &edits).expect("a date");
    let asked = asha.client.record_delivery(draft.basis, &[]).expect_err("asked about");
    let Error::Confirm { checks } = asked else { panic!("{asked:?}") };
    assert!(checks.contains(&Check::ClockInDoubt), "{checks:?}");
    let delivery = asha.client.record_delivery(draft.basis, &checks).expect("recorded");
    assert_eq!(delivery.business_date, day("2019-05-09"));
}

#[test]
fn the_newest_grant_counts_although_the_servers_clock_was_ahead_when_an_older_one_was_given() {
    let (mut market, clock) = market(360);
    let asha = market.hires_with("Asha", "clerk", &clock);
    let centres = ["KOLAR".parse().expect("a code")];
    let grant = |market: &Market, role| {
        market.server.grant(market.organisation, code(&asha), "Asha", role, &centres).expect("granted")
    };
    market.clock.jump(400 * DAY);
    grant(&market, Role::FieldManager);
    market.clock.jump(-400 * DAY);
    let newest = grant(&market, Role::Dispatcher);
    asha.syncs_wholly();
    let session = asha.client.session().expect("a session");
    assert_eq!((session.grant_id, session.role), (Some(newest), Some(Role::Dispatcher)));
}

#[test]
fn an_enrolment_code_that_was_made_while_the_servers_clock_was_ahead_has_expired() {
    let mut market = Market::open(370);
    market.clock.jump(400 * DAY);
    let early = market.code("Asha", "clerk", "KOLAR");
    market.clock.jump(-400 * DAY);
    let asha = market.meets("Asha");
    let refused = asha.client.enrol(&asha.network, ADDRESS, &early, "test phone").expect_err("nobody knows its age");
    assert_eq!(refused.code(), ErrorCode::InvalidInput, "{refused}");
    assert!(refused.to_string().contains("has expired"), "{refused}");
}

#[test]
fn a_device_is_seen_again_although_the_servers_clock_was_ahead_at_its_last_contact() {
    let (mut market, clock) = market(380);
    let asha = market.hires_with("Asha", "clerk", &clock);
    market.clock.jump(400 * DAY);
    asha.syncs_wholly();
    market.clock.jump(-400 * DAY);
    market.clock.pass(2 * HOUR);
    asha.syncs_wholly();
    let seen = market.server.devices(market.organisation).expect("a list").remove(0).device.seen_at;
    assert_eq!(seen.date(330), day("2019-05-09"));
}
