//! Stories 6 to 11, 30 and 31: lorries that two phones load, that carry too much, that leave, and what arrives of their loads.

use farmtally_core::Error;
use farmtally_core::client::{DraftEdit, LoadEdit, LoadView};
use farmtally_core::decisions::LossBearer;
use farmtally_core::records::load::LoadState;
use farmtally_core::records::{ReceivingNote, WeighbridgeTicket};
use farmtally_core::rules::{Check, Loss, LossShare};
use farmtally_core::units::{DeliveryId, Grams, LoadId};
use farmtally_tests::samples::{Sample, Subjects, weight};
use farmtally_tests::{Person, reason};

use super::{Team, asked, lot, reviews};

/// Weighs a lot onto a load; nothing is unusual about it.
fn loads(person: &Person, team: &Team, load: LoadId, grams: i64) -> DeliveryId {
    let draft = person.starts(Some(team.farmer), Some(load));
    let draft = person.client.edit_draft(draft.basis, &lot(grams)).expect("weighed");
    person.client.record_delivery(draft.basis, &[]).expect("nothing is unusual").delivery_id
}

fn load_of(person: &Person, load: LoadId) -> LoadView {
    person.client.load(load).expect("a load")
}

fn changes(person: &Person, load: LoadId, edit: &LoadEdit, accept: &[Check]) -> LoadView {
    person.client.change_load(load_of(person, load).basis, edit, accept).expect("changed")
}

const LEAVES: &[Check] = &[Check::LoadNotClosed, Check::LoadNotSealed];

#[test]
fn scenario_06_one_lorry_opened_on_two_phones_without_network_is_a_contention_that_both_see() {
    let team = Team::open(3_606);
    let (hers, his) = (team.asha.opens("KA07A1111").load_id, team.ravi.opens("KA07A1111").load_id);
    team.asha.weighs(team.farmer, Some(hers), &[20_000]);
    let moved = team.ravi.weighs(team.farmer, Some(his), &[30_000]).delivery_id;
    team.syncs();
    team.reviewed("load_contention", &[&[hers.into(), his.into()]]);
    team.sum_to(2, 0, 2, 50_000);
    // It was one trip: the people move his delivery. Joining the loads by a decision, separating them, or naming a wrong plate is the office's.
    team.ravi.moves(moved, Some(hers)).expect("moved");
    team.syncs();
    for person in [&team.asha, &team.ravi] {
        let sums = [hers, his].map(|load| load_of(person, load).sum.gross_g.0);
        assert_eq!(sums, [50_000, 0], "{}", person.name);
    }
    team.sum_to(2, 0, 2, 50_000);
    team.holds_nothing();
}

#[test]
fn scenario_07_a_lorry_planned_before_somebody_else_took_it_is_loaded_and_reviewed() {
    let team = Team::open(3_607);
    let planned = team.asha.plans("KA07A1111").load_id;
    team.syncs();
    // Her plan is overtaken while she has no network.
    let his = team.ravi.opens("KA07A1111").load_id;
    team.ravi.weighs(team.farmer, Some(his), &[30_000]);
    team.ravi.syncs_wholly();
    assert!(reviews(&team.ravi, "load_contention").is_empty(), "a plan contends with nobody");
    changes(&team.asha, planned, &LoadEdit::Open, &[]);
    team.asha.weighs(team.farmer, Some(planned), &[20_000]);
    team.syncs();
    team.reviewed("load_contention", &[&[planned.into(), his.into()]]);
    team.sum_to(2, 0, 2, 50_000);
    team.holds_nothing();
    // There are no claims with fencing numbers yet, so nothing tells a claim that ended from one that holds.
}

#[test]
fn scenario_08_a_load_above_the_lorrys_payload_is_asked_about_at_once_and_needs_a_reason() {
    let team = Team::open(3_608);
    let load = team.asha.opens("KA07A1111").load_id;
    // Of 9 t, 8.5 t are less than 95 %.
    loads(&team.asha, &team, load, 8_500_000);
    let near = team.asha.starts(Some(team.farmer), Some(load));
    let near = team.asha.client.edit_draft(near.basis, &lot(500_000)).expect("weighed");
    assert_eq!(asked(&team.asha, &near), [Check::NearCapacity]);
    team.asha.client.record_delivery(near.basis, &[Check::NearCapacity]).expect("confirmed");
    let over = team.asha.starts(Some(team.farmer), Some(load));
    let over = team.asha.client.edit_draft(over.basis, &lot(500_000)).expect("weighed");
    let refused = team.asha.client.record_delivery(over.basis, &Check::ALL).expect_err("no reason");
    assert!(matches!(refused, Error::Invalid { field: "overload_reason", .. }), "{refused:?}");
    let why = DraftEdit::SetOverloadReason(Some(reason("last_lorry_of_the_day")));
    let over = team.asha.client.edit_draft(over.basis, &[why]).expect("a reason");
    assert_eq!(asked(&team.asha, &over), [Check::OverCapacity]);
    team.asha.client.record_delivery(over.basis, &[Check::OverCapacity]).expect("recorded");
    team.syncs();
    assert_eq!(load_of(&team.ravi, load).sum.gross_g.0, 9_500_000);
    team.sum_to(3, 0, 300, 9_500_000);
    team.holds_nothing();
}

#[test]
fn scenario_09_a_load_that_is_too_heavy_only_after_the_merge_is_recorded_reviewed_and_split_to_another_load() {
    let team = Team::open(3_609);
    let load = team.asha.opens("KA07A1111");
    team.ravi.joins(&load.join_code);
    let load = load.load_id;
    loads(&team.asha, &team, load, 5_000_000);
    let his = team.ravi.weighs(team.farmer, Some(load), &[500_000; 10]).delivery_id;
    team.syncs();
    team.reviewed("over_capacity", &[&[load.into()]]);
    for person in [&team.asha, &team.ravi] {
        assert_eq!(load_of(person, load).sum.gross_g.0, 10_000_000, "{}", person.name);
        let draft = person.starts(Some(team.farmer), Some(load));
        let why = DraftEdit::SetOverloadReason(Some(reason("last_lorry_of_the_day")));
        let edits: Vec<DraftEdit> = lot(1_000).into_iter().chain([why]).collect();
        let draft = person.client.edit_draft(draft.basis, &edits).expect("weighed");
        assert!(asked(person, &draft).contains(&Check::OverCapacity), "{}", person.name);
        person.client.discard_draft(draft.basis).expect("left at the centre");
    }
    // Half of his bags go on another lorry: a part of one delivery on each.
    let other = team.ravi.opens("KA07A2222").load_id;
    team.ravi.puts_apart(his, &[1, 2, 3, 4, 5], Some(other)).expect("split");
    team.syncs();
    for person in [&team.asha, &team.ravi] {
        let sums = [load, other].map(|it| load_of(person, it).sum);
        assert_eq!(sums.map(|it| it.gross_g.0), [7_500_000, 2_500_000], "{}", person.name);
        assert_eq!(sums.map(|it| it.deliveries), [2, 1], "{}", person.name);
    }
    team.sum_to(2, 0, 110, 10_000_000);
    team.holds_nothing();
    // That the review blocks the recognition of the dispatch, and closing it, are the office's.
}

#[test]
fn scenario_10_deliveries_that_reach_a_closed_load_without_network_are_kept_and_reviewed_as_late() {
    let team = Team::open(3_610);
    let load = team.asha.opens("KA07A1111");
    team.ravi.joins(&load.join_code);
    let load = load.load_id;
    team.asha.weighs(team.farmer, Some(load), &[20_000]);
    team.asha.closes(load).expect("asked to be closed");
    let late = team.ravi.weighs(team.farmer, Some(load), &[30_000]).delivery_id;
    team.syncs();
    let named = [late.into(), load.into()];
    team.reviewed("late_delivery", &[&named]);
    // Not dispatched yet: the closer sees it and asks again, with both deliveries.
    let manifest = |person: &Person| {
        let requests = load_of(person, load).close_requests;
        requests.iter().map(|it| (it.deliveries, it.gross_g.0)).collect::<Vec<_>>()
    };
    team.asha.closes(load).expect("asked again");
    team.syncs();
    for person in [&team.asha, &team.ravi] {
        assert_eq!(manifest(person), [(1, 20_000), (2, 50_000)], "{}", person.name);
    }
    // Dispatched: what is recorded on it without knowing is kept too.
    changes(&team.asha, load, &LoadEdit::Depart { odometer_km: None }, LEAVES);
    let later = team.ravi.weighs(team.farmer, Some(load), &[40_000]).delivery_id;
    team.syncs();
    team.reviewed("late_delivery", &[&named, &[later.into(), load.into()]]);
    for person in [&team.asha, &team.ravi] {
        let seen = load_of(person, load);
        assert_eq!((seen.state, seen.sum.deliveries, seen.sum.gross_g.0), (LoadState::Dispatched, 3, 90_000));
    }
    // Ravi, the dispatcher, finds the last one still at the centre, and takes it off the load.
    team.ravi.moves(later, None).expect("a dispatcher may");
    team.syncs();
    for person in [&team.asha, &team.ravi] {
        let sum = load_of(person, load).sum;
        assert_eq!((sum.deliveries, sum.gross_g.0), (2, 50_000), "{}", person.name);
    }
    team.reviewed("out_of_state", &[]);
    team.sum_to(3, 0, 3, 90_000);
    team.holds_nothing();
    // "Was on the lorry" is a decision of the office; so is the run that settles it.
}

#[test]
fn scenario_11_a_lorry_whose_close_was_never_synced_is_known_to_have_arrived_from_its_driver() {
    let mut team = Team::open(3_611);
    let driver = team.market.hires("Basavaraj", "driver");
    let load = team.asha.opens("KA07A1111");
    team.ravi.joins(&load.join_code);
    let load = load.load_id;
    team.asha.weighs(team.farmer, Some(load), &[20_000]);
    team.syncs();
    team.asha.closes(load).expect("asked, but her phone has no network from here on");
    driver.syncs_wholly();
    changes(&driver, load, &LoadEdit::Depart { odometer_km: Some(120_000) }, LEAVES);
    changes(&driver, load, &LoadEdit::Arrive { odometer_km: Some(120_080) }, &[]);
    driver.syncs_wholly();
    let late = team.ravi.weighs(team.farmer, Some(load), &[30_000]).delivery_id;
    team.ravi.syncs_wholly();
    assert_eq!(load_of(&team.ravi, load).state, LoadState::Arrived);
    let expected = std::collections::BTreeSet::from([[late.into(), load.into()].into()]);
    assert!(reviews(&team.ravi, "late_delivery").is_superset(&expected), "the later delivery is late");
    team.syncs();
    for person in [&team.asha, &team.ravi] {
        let seen = load_of(person, load);
        let requests: Vec<_> = seen.close_requests.iter().map(|it| it.deliveries).collect();
        assert_eq!((seen.state, requests), (LoadState::Arrived, vec![1]), "the close came after all");
    }
    team.sum_to(2, 0, 2, 50_000);
    team.holds_nothing();
}

/// A rule set for the market's crates by which farmers bear what is missing beyond this tolerance.
fn losses(tolerance_hundredths: u32) -> String {
    format!(
        r#"{{"rule_sets": [{{"number": 2, "commodity": "TOMATO", "valid_from": "2016-01-01",
            "bag_types": [{{"number": 0, "name": "crate", "tare_g": 1500}}],
            "loss": {{"tolerance_hundredths": {tolerance_hundredths}, "shortage": "pro_rata"}}}}]}}"#
    )
}

/// A load of 50.5 kg that departed and was taken over by Kavya at its destination, on all phones.
fn received(team: &mut Team) -> (LoadId, DeliveryId, Person) {
    let load = team.asha.opens("KA07A1111").load_id;
    let delivery = team.asha.weighs(team.farmer, Some(load), &[20_000, 30_500]).delivery_id;
    team.asha.closes(load).expect("asked");
    changes(&team.asha, load, &LoadEdit::Depart { odometer_km: None }, LEAVES);
    team.syncs();
    let kavya = team.market.hires("Kavya", "receiver");
    kavya.syncs_wholly();
    changes(&kavya, load, &LoadEdit::Receive, &[]);
    (load, delivery, kavya)
}

#[test]
fn scenario_30_an_arrival_weight_that_is_short_changes_no_weight_of_the_gate() {
    let mut team = Team::open(3_630);
    team.publishes(&losses(0));
    team.syncs();
    let (load, delivery, kavya) = received(&mut team);
    let subjects = Subjects { delivery, load, farmer: team.farmer };
    let valid = WeighbridgeTicket::valid(&subjects);
    let short =
        WeighbridgeTicket { record_id: load.into(), gross: weight(4_040_000), tare: weight(4_000_000), ..valid };
    let ticket = kavya.client.record_simple(None, short).expect("weighed");
    kavya.syncs_wholly();
    team.syncs();
    for person in [&team.asha, &team.ravi] {
        let seen = person.client.simple_record::<WeighbridgeTicket>(ticket.record_id).expect("a ticket");
        assert_eq!(seen.net_g.map(|it| it.0), Some(40_000), "{}", person.name);
        assert_eq!(load_of(person, load).sum.gross_g.0, 50_500, "10.5 kg less arrived than left");
        assert_eq!(person.client.delivery(delivery).expect("a delivery").totals.gross_g.0, 50_500);
    }
    team.reviewed("variance", &[&[load.into()]]);
    for person in [&team.asha, &team.ravi, &kavya] {
        let variance = load_of(person, load).variance.expect("weighed at its destination");
        let Loss { shortage_g, beyond_g, bearer, shares } = variance.loss;
        assert_eq!((variance.received_g.0, shortage_g.0, beyond_g.0), (40_000, 10_500, 10_500), "{}", person.name);
        let share = LossShare { delivery_id: delivery, weight_g: Grams(-10_500) };
        assert_eq!((bearer, shares), (LossBearer::ProRata, vec![share]), "{}", person.name);
    }
    team.sum_to(1, 0, 2, 50_500);
    team.holds_nothing();
    // What the share is worth, and accepting it, are the office's.
}

#[test]
fn scenario_30_a_weight_within_the_tolerance_or_of_before_the_departure_is_no_variance() {
    let mut team = Team::open(4_630);
    team.publishes(&losses(2_500));
    team.syncs();
    let (load, delivery, kavya) = received(&mut team);
    let subjects = Subjects { delivery, load, farmer: team.farmer };
    let weighed = |gross: i64| WeighbridgeTicket {
        record_id: load.into(),
        gross: weight(4_000_000 + gross),
        tare: weight(4_000_000),
        ..WeighbridgeTicket::valid(&subjects)
    };
    // 25 % of 50.5 kg are 12.625 kg.
    kavya.client.record_simple(None, weighed(50_500 - 12_625)).expect("weighed");
    kavya.syncs_wholly();
    team.syncs();
    team.reviewed("variance", &[]);
    let variance = load_of(&team.asha, load).variance.expect("weighed").loss;
    assert_eq!((variance.shortage_g.0, variance.beyond_g.0, variance.shares), (12_625, 0, vec![]));
    team.market.clock.pass(60);
    kavya.client.record_simple(None, weighed(50_500 - 12_626)).expect("weighed again");
    kavya.syncs_wholly();
    team.syncs();
    team.reviewed("variance", &[&[load.into()]]);
    // Another lorry is weighed while it is loaded: that says nothing about what arrived.
    let other = team.asha.opens("KA07A2222").load_id;
    team.asha.weighs(team.farmer, Some(other), &[20_000]);
    let early = WeighbridgeTicket { record_id: other.into(), ..weighed(1_000) };
    team.asha.client.record_simple(None, early).expect("weighed");
    team.market.clock.pass(60);
    changes(&team.asha, other, &LoadEdit::Depart { odometer_km: None }, &Check::ALL);
    team.syncs();
    assert_eq!(load_of(&team.ravi, other).variance, None);
    team.reviewed("variance", &[&[load.into()]]);
    team.holds_nothing();
}

#[test]
fn scenario_31_bags_that_the_warehouse_rejects_are_on_every_phone_and_change_no_delivery() {
    let mut team = Team::open(3_631);
    let (load, delivery, kavya) = received(&mut team);
    let subjects = Subjects { delivery, load, farmer: team.farmer };
    let valid = ReceivingNote::valid(&subjects);
    let note = ReceivingNote { bags: 2, rejected_bags: 1, remarks: "rotten".into(), ..valid.clone() };
    let too_many = ReceivingNote { rejected_bags: 3, ..note.clone() };
    let refused = kavya.client.record_simple(None, too_many).expect_err("more than arrived");
    assert!(matches!(refused, Error::Invalid { field: "rejected_bags", .. }), "{refused:?}");
    let note = kavya.client.record_simple(None, note).expect("noted");
    kavya.syncs_wholly();
    team.syncs();
    for person in [&team.asha, &team.ravi] {
        let seen = person.client.simple_record::<ReceivingNote>(note.record_id).expect("a note").content;
        assert_eq!((seen.bags, seen.rejected_bags, seen.remarks.as_str()), (2, 1, "rotten"), "{}", person.name);
        assert_eq!(load_of(person, load).state, LoadState::Received);
    }
    team.sum_to(1, 0, 2, 50_500);
    // What is deducted from which delivery, and the message to the farmer, are decisions of the office.
}
