//! Stories 1 to 5 and 12: uploads, taps, heaps and bags that come twice or at the same time.

use farmtally_core::Error;
use farmtally_core::client::{DeliveryEdit, DraftEdit, Lifecycle, SyncOutcome, SyncState};
use farmtally_core::rules::Check;
use farmtally_tests::Fault::{Duplicated, ResponseLost};
use farmtally_tests::{Market, bag, fingerprint, reason};

use super::{Team, asked, weighed};

/// Number of entries in the server's logs.
fn logged(market: &Market) -> i64 {
    let db = rusqlite::Connection::open(market.server_database()).expect("it opens");
    db.query_row("SELECT count(*) FROM log", [], |row| row.get(0)).expect("a count")
}

#[test]
fn scenario_01_the_same_upload_repeated_after_a_lost_answer_is_acknowledged_again_and_changes_nothing() {
    let team = Team::open(3_601);
    let delivery = team.asha.weighs(team.farmer, None, &[20_000, 21_000]).delivery_id;
    let state = || team.asha.client.delivery(delivery).expect("a delivery").sync;
    team.asha.network.plan(&[ResponseLost]);
    assert_eq!(team.asha.syncs().expect("offline").outcome, SyncOutcome::Offline);
    assert_eq!(state(), SyncState::Sent, "the phone does not claim what it does not know");
    let before = (logged(&team.market), fingerprint(&team.market.server_database()));
    assert!(before.1.contains("deliveries|"), "the server has it");
    team.asha.network.plan(&[Duplicated; 4]);
    assert_eq!(team.asha.syncs().expect("a sync").outcome, SyncOutcome::Complete);
    assert_eq!(state(), SyncState::Logged);
    assert_eq!((logged(&team.market), fingerprint(&team.market.server_database())), before);
    team.syncs();
    team.sum_to(1, 0, 2, 41_000);
}

#[test]
fn scenario_02_a_double_tap_and_an_app_that_is_killed_leave_one_draft_that_is_opened_again() {
    let Team { market, asha, ravi, farmer } = Team::open(3_602);
    let draft = asha.starts(Some(farmer), None);
    let tapped = asha.adds_bag(&draft, 20_000);
    let again = asha.client.edit_draft(draft.basis, &[bag(20_000)]).expect_err("the second tap of one bag");
    assert!(matches!(again, Error::Stale), "{again:?}");
    let asha = asha.restarts();
    let [reopened] = asha.client.drafts().expect("drafts").try_into().expect("one draft");
    assert_eq!((&reopened.delivery_id, &reopened.bags), (&draft.delivery_id, &tapped.bags));
    assert_eq!(asha.sum().deliveries, 0, "a draft counts in no total");
    let recorded = asha.client.record_delivery(reopened.basis, &[]).expect("recorded");
    assert_eq!(asha.client.record_delivery(reopened.basis, &[]).expect("the second tap"), recorded);
    assert_eq!(asha.client.drafts().expect("drafts"), []);
    let team = Team { market, asha, ravi, farmer };
    team.syncs();
    team.sum_to(1, 0, 1, 20_000);
}

#[test]
fn scenario_03_one_heap_recorded_on_two_phones_is_reviewed_on_both_and_one_is_voided() {
    let team = Team::open(3_603);
    let heap = [20_000, 21_000, 22_000, 23_000, 24_000];
    let record = |draft: &farmtally_core::client::DeliveryView, person: &farmtally_tests::Person| {
        person.client.record_delivery(draft.basis, &[]).expect("without network nothing is unusual")
    };
    let first = record(&weighed(&team.asha, team.farmer, &heap), &team.asha);
    team.market.clock.pass(3_600);
    let second = record(&weighed(&team.ravi, team.farmer, &heap), &team.ravi);
    team.syncs();
    team.reviewed("possible_duplicate", &[&[first.delivery_id.into(), second.delivery_id.into()]]);
    team.sum_to(2, 0, 10, 220_000);
    // A person finds that it was one heap. Closing the review, and holding the settlement until then, are the office's.
    team.ravi.voids(second.delivery_id).expect("voided");
    team.syncs();
    team.sum_to(1, 1, 5, 110_000);
    team.holds_nothing();
}

#[test]
fn scenario_04_an_honest_second_heap_is_two_deliveries_without_a_review() {
    let team = Team::open(3_604);
    let heap = [20_000, 21_000, 22_000, 23_000, 24_000];
    let first = weighed(&team.asha, team.farmer, &heap);
    team.asha.client.record_delivery(first.basis, &[]).expect("recorded");
    // Other bags and another weight: the same test fails.
    let other = weighed(&team.asha, team.farmer, &[30_000, 31_000]);
    team.asha.client.record_delivery(other.basis, &[]).expect("nothing is unusual");
    // The same bags: asked about, and marked by the clerk.
    let same = weighed(&team.asha, team.farmer, &heap);
    assert_eq!(asked(&team.asha, &same), [Check::PossibleDuplicate]);
    let same = team.asha.client.edit_draft(same.basis, &[DraftEdit::SetSecondHeap(true)]).expect("marked");
    team.asha.client.record_delivery(same.basis, &[]).expect("nothing is unusual");
    team.syncs();
    team.reviewed("possible_duplicate", &[]);
    team.sum_to(3, 0, 12, 281_000);
}

#[test]
fn scenario_05_two_clerks_who_weigh_one_farmers_bags_on_two_scales_make_one_delivery_of_all_bags() {
    let team = Team::open(3_605);
    let delivery = team.asha.weighs(team.farmer, None, &[20_000, 21_000]).delivery_id;
    team.syncs();
    team.asha.amends(delivery, 22_000).expect("a bag from her scale");
    team.ravi.amends(delivery, 22_000).expect("a bag from his scale, of the same weight and label");
    team.ravi.amends(delivery, 23_000).expect("and another");
    team.syncs();
    for person in [&team.asha, &team.ravi] {
        let seen = person.client.delivery(delivery).expect("a delivery");
        let labels: Vec<(u32, i64)> = seen.bags.iter().map(|bag| (bag.number, bag.gross_g.0)).collect();
        assert_eq!(labels, [(1, 20_000), (2, 21_000), (3, 22_000), (3, 22_000), (4, 23_000)], "{}", person.name);
        assert_eq!((seen.totals.bags, seen.conflicts.len()), (5, 0), "the union is no conflict");
        let warned: Vec<_> = seen.warnings.iter().map(|it| (it.check, it.number, it.count, it.value)).collect();
        assert_eq!(warned, [(Check::BagNumberRepeated, Some(3), 2, Some(22_000))], "{}", person.name);
    }
    team.sum_to(1, 0, 5, 108_000);
    // A person finds that the sack was on both scales, and takes one of the two off.
    let seen = team.ravi.client.delivery(delivery).expect("a delivery");
    let twice = seen.bags.iter().rfind(|bag| bag.number == 3).expect("a bag");
    let off = DeliveryEdit::VoidBag { bag_id: twice.bag_id.clone(), reason: reason("weighed_twice") };
    team.ravi.client.amend_delivery(seen.basis, &reason("weighed_twice"), &[off]).expect("amended");
    team.syncs();
    for person in [&team.asha, &team.ravi] {
        assert_eq!(person.client.delivery(delivery).expect("a delivery").warnings, [], "{}", person.name);
    }
    team.sum_to(1, 0, 4, 86_000);
    team.holds_nothing();
}

#[test]
fn scenario_12_amended_on_one_phone_while_voided_on_another_is_voided_and_shows_the_amendment() {
    let team = Team::open(3_612);
    let delivery = team.asha.weighs(team.farmer, None, &[20_000]).delivery_id;
    let other = team.asha.weighs(team.farmer, None, &[30_000]).delivery_id;
    team.syncs();
    team.asha.amends(delivery, 21_000).expect("amended");
    team.market.clock.pass(60);
    team.ravi.voids(delivery).expect("voided, without knowing of the amendment");
    // And the other way round: the later amendment does not bring it back.
    team.ravi.voids(other).expect("voided");
    team.market.clock.pass(60);
    team.asha.amends(other, 31_000).expect("amended, without knowing of the void");
    team.syncs();
    for (person, id) in [(&team.asha, delivery), (&team.ravi, delivery), (&team.asha, other), (&team.ravi, other)] {
        let seen = person.client.delivery(id).expect("a delivery");
        assert_eq!(seen.lifecycle, Lifecycle::Voided);
        assert_eq!((seen.amendments.len(), seen.voids.len(), seen.bags.len()), (1, 1, 2), "both are shown");
        let conflicts: Vec<_> = seen.conflicts.iter().map(|it| (it.field.as_str(), it.is_hard)).collect();
        assert_eq!(conflicts, [("lifecycle", false)], "{}", person.name);
    }
    team.sum_to(0, 2, 0, 0);
    team.holds_nothing();
}
