//! Stories 13 to 18, 27 to 29 and 32: what the office would decide about settlements, prices, farmers, advances, photos and scales.

use farmtally_core::ErrorCode;
use farmtally_core::client::{DeliveryView, DraftEdit, ListOrder, ReadingInput, SimpleFilter, SyncState};
use farmtally_core::records::simple::{SimpleState, SimpleStep};
use farmtally_core::records::{AdvanceRequest, BagSource, Dispute, InstrumentCheck};
use farmtally_core::rules::{ActionCode, Check};
use farmtally_core::units::{DeliveryId, Grams, Money, PhotoHash};
use farmtally_sync_server::ReferenceFile;
use farmtally_tests::samples::{Sample, Subjects};
use farmtally_tests::{Person, bag, reason};

use super::{Team, weighed};

fn delivery_of(person: &Person, delivery: DeliveryId) -> DeliveryView {
    person.client.delivery(delivery).expect("a delivery")
}

#[test]
fn scenario_13_an_amendment_leaves_a_manifest_that_was_made_before_as_it_was() {
    let team = Team::open(3_613);
    let load = team.asha.opens("KA07A1111").load_id;
    let delivery = team.asha.weighs(team.farmer, Some(load), &[20_000]).delivery_id;
    let before = team.asha.closes(load).expect("asked").manifest_hash;
    team.syncs();
    team.ravi.amends(delivery, 21_000).expect("amended");
    team.syncs();
    for person in [&team.asha, &team.ravi] {
        let seen = person.client.load(load).expect("a load");
        assert_eq!(seen.close_requests[0].gross_g.0, 20_000, "{}: frozen by value", person.name);
        assert_eq!(seen.sum.gross_g.0, 41_000);
        assert_ne!(seen.manifest_hash, before, "the amendment is seen against it");
    }
    team.sum_to(1, 0, 2, 41_000);
    // There are no settlements yet: the review `amend_after_settlement` and the line of the next run are left out.
}

/// A rule set for the market's crates that takes so many grams off each.
fn rules(number: u32, valid_from: &str, tare_g: u32) -> String {
    format!(
        r#"{{"rule_sets": [{{"number": {number}, "commodity": "TOMATO", "valid_from": "{valid_from}",
            "bag_types": [{{"number": 0, "name": "crate", "tare_g": {tare_g}}}]}}]}}"#
    )
}

#[test]
fn scenario_14_what_was_published_cannot_be_changed_behind_a_record() {
    let team = Team::open(3_614);
    let delivery = team.asha.weighs(team.farmer, None, &[20_000]);
    team.syncs();
    let other = ReferenceFile::parse(&rules(1, "2016-01-01", 2_500)).expect("reference data");
    let refused = team.market.server.update_reference(team.market.organisation, &other);
    assert_eq!(refused.expect_err("number 1 is published").code(), ErrorCode::InvalidInput);
    team.syncs();
    for person in [&team.asha, &team.ravi] {
        assert_eq!(delivery_of(person, delivery.delivery_id).totals, delivery.totals, "{}", person.name);
    }
    // There are no price decisions and settlements yet: a price that changes after an approval is left out.
}

#[test]
fn scenario_15_a_farmer_registered_on_two_phones_is_reviewed_and_keeps_both_histories() {
    let team = Team::open(3_615);
    let hers = team.asha.registers("Muniyappa", "Hudukula", "98450 22222").farmer_id;
    let his = team.ravi.registers("M. Muniyappa", "Kolar", "+91 98450 22222").farmer_id;
    let first = team.asha.weighs(hers, None, &[20_000]).delivery_id;
    let second = team.ravi.weighs(his, None, &[30_000]).delivery_id;
    team.syncs();
    team.reviewed("farmer_look_alike", &[&[hers.into(), his.into()]]);
    for person in [&team.asha, &team.ravi] {
        let farmers = [first, second].map(|it| delivery_of(person, it).farmer_id);
        assert_eq!(farmers, [Some(hers), Some(his)], "{}", person.name);
    }
    team.sum_to(2, 0, 2, 50_000);
    team.holds_nothing();
    // The merge itself, one balance, and a conflict of bank details that blocks the payment are the office's.
}

#[test]
fn scenario_16_a_merge_by_hand_that_is_undone_keeps_the_weights_and_the_history() {
    let team = Team::open(3_616);
    let hers = team.asha.registers("Muniyappa", "Hudukula", "").farmer_id;
    let his = team.ravi.registers("Muniyappa", "Hudukula", "").farmer_id;
    let first = team.asha.weighs(hers, None, &[20_000]).delivery_id;
    team.syncs();
    team.reviewed("farmer_look_alike", &[&[hers.into(), his.into()]]);
    let merged =
        team.ravi.client.correct_farmer(delivery_of(&team.ravi, first).basis, his, &reason("one_person"), &Check::ALL);
    let merged = merged.expect("the delivery is the other's now");
    team.syncs();
    let basis = delivery_of(&team.ravi, merged.delivery_id).basis;
    let undone = team.ravi.client.correct_farmer(basis, hers, &reason("two_people"), &Check::ALL);
    let undone = undone.expect("they are two after all");
    team.syncs();
    for person in [&team.asha, &team.ravi] {
        let chain = [first, merged.delivery_id, undone.delivery_id].map(|it| delivery_of(person, it));
        assert_eq!(chain.each_ref().map(|it| it.farmer_id), [Some(hers), Some(his), Some(hers)], "{}", person.name);
        assert_eq!(chain.each_ref().map(|it| it.totals.gross_g), [Grams(20_000); 3]);
        assert_eq!(chain[2].replaces, Some(chain[1].delivery_id));
    }
    team.sum_to(1, 2, 1, 20_000);
    // An alias by decision, and balances after a settlement, are the office's.
}

#[test]
fn scenario_17_two_managers_ask_for_advances_of_one_farmer_without_network_and_both_stand() {
    let team = Team::open(3_617);
    let subjects = Subjects::made_by(&team.asha);
    team.syncs();
    for person in [&team.asha, &team.ravi] {
        let request = AdvanceRequest::valid(&subjects);
        assert_eq!(request.amount_minor, Money::try_from(500_000).expect("an amount"));
        person.client.record_simple(None, request).expect("asked for");
    }
    team.syncs();
    for person in [&team.asha, &team.ravi] {
        let filter = SimpleFilter::default();
        let page = person.client.simple_records::<AdvanceRequest>(None, &filter, ListOrder::OldestFirst, None, 10);
        let page = page.expect("a page").items;
        let found: Vec<_> = page.iter().map(|it| (it.content.farmer_id, it.state, &it.sync)).collect();
        assert_eq!(found, vec![(subjects.farmer, SimpleState::Open, &SyncState::Logged); 2], "{}", person.name);
    }
    team.holds_nothing();
    // Here they only ask: advances that are paid out, and the review of a limit that two of them exceed, come with the advances.
}

#[test]
fn scenario_18_what_a_farmer_disputes_is_on_every_phone_and_only_the_office_resolves_it() {
    let team = Team::open(3_618);
    let subjects = Subjects::made_by(&team.asha);
    let made = team.asha.client.record_simple(None, Dispute::valid(&subjects)).expect("disputed");
    team.syncs();
    for person in [&team.asha, &team.ravi] {
        let seen = person.client.simple_record::<Dispute>(made.record_id).expect("a dispute");
        assert_eq!((seen.state, seen.actions.as_slice()), (SimpleState::Open, [ActionCode::Withdraw].as_slice()));
        let served = person.client.step_simple::<Dispute>(seen.basis, SimpleStep::Served, None);
        assert_eq!(served.expect_err("the field resolves nothing").code(), ErrorCode::NotAllowed);
    }
    assert_eq!(delivery_of(&team.ravi, subjects.delivery).totals.gross_g.0, 20_000, "the delivery stands");
    // A dispute about an advance, and holding its recovery, come with the advances.
}

#[test]
fn scenario_27_a_record_is_complete_although_its_photo_never_arrives() {
    let team = Team::open(3_627);
    let photo = PhotoHash([7; 32]);
    let draft = weighed(&team.asha, team.farmer, &[20_000]);
    let moisture = "14.5".parse().expect("a share");
    let reading = ReadingInput::Moisture { moisture, grade: None, meter: None, photo: Some(photo) };
    let draft = team.asha.client.edit_draft(draft.basis, &[DraftEdit::AddReading(reading)]).expect("read");
    let recorded = team.asha.client.record_delivery(draft.basis, &[]).expect("nothing is unusual");
    team.syncs();
    for person in [&team.asha, &team.ravi] {
        let seen = delivery_of(person, recorded.delivery_id);
        assert_eq!((seen.readings[0].photo, &seen.sync), (Some(photo), &SyncState::Logged), "{}", person.name);
        assert_eq!(seen.totals, recorded.totals);
    }
    team.holds_nothing();
    // Photos are not transferred yet, so nothing can be missing: the review `evidence_missing` after some days is left out.
}

#[test]
fn scenario_28_a_scale_that_fails_its_check_puts_in_doubt_what_it_weighed_and_refuses_nothing() {
    let team = Team::open(3_628);
    let on = |scale: &str| {
        let draft = team.asha.starts(Some(team.farmer), None);
        let DraftEdit::AddBag { gross, bag_type, source, grade, .. } = bag(20_000) else { panic!("a bag") };
        let scale = Some(scale.parse().expect("a code"));
        let edits = [DraftEdit::AddBag { gross, bag_type, source, grade, scale }, DraftEdit::SetSecondHeap(true)];
        let draft = team.asha.client.edit_draft(draft.basis, &edits).expect("weighed");
        team.asha.client.record_delivery(draft.basis, &[]).expect("recorded").delivery_id
    };
    let (doubted, _) = (on("SCALE7"), on("SCALE8"));
    team.market.clock.pass(3_600);
    let failed = InstrumentCheck::valid(&Subjects::made_by(&team.ravi));
    assert!(!failed.has_passed);
    let check = failed.recorded_by(&team.ravi.client, &"KOLAR".parse().expect("a code")).expect("checked");
    team.syncs();
    for person in [&team.asha, &team.ravi] {
        let in_doubt = person.client.deliveries_in_doubt(check.record_id).expect("a list");
        assert!(in_doubt.contains(&doubted), "{}", person.name);
        let scales = in_doubt.iter().map(|id| delivery_of(person, *id).bags[0].scale.clone());
        assert!(scales.flatten().all(|scale| scale.as_str() == "SCALE7"), "{}", person.name);
    }
    team.holds_nothing();
    // The warning of a certificate that ended, on the screen and the receipt, comes with the rules about instruments.
}

#[test]
fn scenario_29_bags_whose_weight_was_repeated_differ_from_weighed_ones_on_every_phone() {
    let team = Team::open(3_629);
    let draft = team.asha.starts(Some(team.farmer), None);
    let edits = [bag(20_000), DraftEdit::RepeatBag, DraftEdit::RepeatBag];
    let draft = team.asha.client.edit_draft(draft.basis, &edits).expect("weighed");
    let delivery = team.asha.client.record_delivery(draft.basis, &Check::ALL).expect("advisory only").delivery_id;
    team.syncs();
    for person in [&team.asha, &team.ravi] {
        let bags = delivery_of(person, delivery).bags;
        let found: Vec<_> = bags.iter().map(|bag| (bag.gross_g.0, bag.source)).collect();
        let repeated = (20_000, BagSource::Repeat);
        assert_eq!(found, [(20_000, BagSource::Scale), repeated, repeated], "{}", person.name);
    }
    // The advisory checks of patterns, and the list of samples for an audit, come with the rules.
}

#[test]
fn scenario_32_a_rule_set_published_after_the_weighing_does_not_count_for_it() {
    let team = Team::open(3_632);
    let before = team.asha.weighs(team.farmer, None, &[20_000]);
    team.syncs();
    team.publishes(&rules(2, "2019-05-01", 2_500));
    team.syncs();
    team.asha.amends(before.delivery_id, 30_000).expect("a forgotten bag");
    let after = team.asha.weighs(team.farmer, None, &[20_000]);
    team.syncs();
    for person in [&team.asha, &team.ravi] {
        let tares = [before.delivery_id, after.delivery_id].map(|it| delivery_of(person, it).totals.tare_g.0);
        assert_eq!(tares, [2 * 1_500, 2_500], "{}", person.name);
    }
    // The newer rules for the older delivery, if both parties agree on them, are the office's.
}
