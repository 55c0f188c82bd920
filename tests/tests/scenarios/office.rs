//! Stories 13 to 18, 27 to 29 and 32: what the office would decide about settlements, prices, farmers, advances, photos and scales.

use farmtally_core::client::{
    DeliveryView, DraftEdit, ListOrder, PayoutInput, PayoutState, ReadingInput, SimpleFilter, SimpleView, SyncState,
};
use farmtally_core::paper::{PaperWidth, Wording, text};
use farmtally_core::records::advance::{AdvanceKind, PaymentMethod};
use farmtally_core::records::delivery::Reason;
use farmtally_core::records::farmer::{PayoutAccount, PayoutField, PayoutMethod};
use farmtally_core::records::simple::{SimpleState, SimpleStep};
use farmtally_core::records::{Advance, BagSource, Dispute, InstrumentCheck};
use farmtally_core::rules::{ActionCode, Check};
use farmtally_core::units::{DeliveryId, FarmerId, Grams, PhotoHash};
use farmtally_core::{Error, ErrorCode, SpendingLimit};
use farmtally_sync_server::ReferenceFile;
use farmtally_tests::samples::{Sample, Subjects, minor};
use farmtally_tests::{Person, bag, reason};

use super::{Team, asked, weighed};

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
    // Accounts that both write down for one of the two: none counts until a person picks it.
    for (person, account) in [(&team.asha, "9845022222"), (&team.ravi, "9845033333")] {
        let method = PayoutMethod::MobileMoney;
        let account =
            PayoutAccount { method, account: account.into(), bank_code: "MPESA".into(), holder_name: String::new() };
        let input = PayoutInput { national_id: None, account: Some(account) };
        let basis = person.client.farmer(hers).expect("a farmer").payout.basis;
        person.client.propose_payout(hers, basis, &input).expect("written");
    }
    team.syncs();
    for person in [&team.asha, &team.ravi] {
        let payout = person.client.farmer(hers).expect("a farmer").payout;
        assert_eq!((payout.state, payout.account), (PayoutState::Conflict, None), "{}", person.name);
    }
    let both = team.ravi.client.reveal_payout(hers, PayoutField::Account, &reason("two_accounts")).expect("revealed");
    assert_eq!(both.accounts.len(), 2, "neither is lost");
    team.syncs();
    team.holds_nothing();
    // The merge itself, one balance, and the payment that the conflict blocks are the office's.
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

/// The office leases 10,000 minor units to each of the two, who hear of it.
fn both_may_pay(team: &Team) {
    for person in [&team.asha, &team.ravi] {
        let session = person.client.session().expect("a session");
        let until = "2019-05-31".parse().expect("a date");
        let server = &team.market.server;
        let leased = server.lease(team.market.organisation, session.device_code, session.user_id, minor(10_000), until);
        leased.expect("leased");
    }
    team.syncs();
}

/// An advance in cash, recorded by a person.
fn advances(person: &Person, farmer_id: FarmerId, amount: i64, accept: &[Check]) -> Result<SimpleView<Advance>, Error> {
    let content = Advance {
        farmer_id,
        amount_minor: minor(amount),
        method: PaymentMethod::Cash,
        date: person.client.date(),
        reason_code: "sowing".into(),
        reference: String::new(),
        kind: AdvanceKind::Cash,
        paper_entry: None,
    };
    person.client.record_advance(None, content, accept)
}

#[test]
fn scenario_17_advances_of_two_managers_without_network_both_stand_and_the_one_above_the_limit_is_reviewed() {
    let team = Team::open(3_617);
    let limit = r#"{"rule_sets": [{"number": 2, "commodity": "TOMATO", "valid_from": "2016-01-01",
        "bag_types": [{"number": 0, "name": "crate", "tare_g": 1500}], "approval": {"farmer_advances_minor": 8000}}]}"#;
    team.publishes(limit);
    both_may_pay(&team);
    // Each phone alone is within the lease and the farmer's limit.
    advances(&team.asha, team.farmer, 5_000, &[]).expect("paid");
    team.market.clock.pass(60);
    let second = advances(&team.ravi, team.farmer, 4_000, &[]).expect("paid").record_id;
    team.syncs();
    team.reviewed("advance_over_limit", &[&[second]]);
    for person in [&team.asha, &team.ravi] {
        let balance = person.client.farmer_balance(team.farmer).expect("a balance");
        assert_eq!(
            (balance.advances.len(), balance.outstanding_minor),
            (2, minor(9_000)),
            "{}: cash is gone",
            person.name
        );
        let more = advances(person, team.farmer, 1, &[]).expect_err("now both phones know");
        assert!(matches!(&more, Error::Confirm { checks } if *checks == [Check::AdvancesOverLimit]), "{more:?}");
        let above = advances(person, team.farmer, 6_001, &Check::ALL).expect_err("above every lease");
        assert!(matches!(above, Error::AllowanceExceeded { limit: SpendingLimit::Lease, .. }), "{above:?}");
    }
    team.holds_nothing();
    // How the two are recovered is a plan of the office.
}

#[test]
fn scenario_18_an_advance_that_the_farmer_denies_is_disputed_on_every_phone_and_stays_in_the_balance() {
    let team = Team::open(3_618);
    both_may_pay(&team);
    let paid = advances(&team.asha, team.farmer, 3_000, &[]).expect("paid").record_id;
    team.syncs();
    let (subject, text) = ("not_received".into(), "nobody brought it".into());
    let dispute = Dispute { record_id: paid, farmer_id: team.farmer, subject, text };
    let made = team.ravi.client.record_simple(None, dispute).expect("disputed");
    team.syncs();
    for person in [&team.asha, &team.ravi] {
        let about = SimpleFilter { about: Some(paid), ..SimpleFilter::default() };
        let page = person.client.simple_records::<Dispute>(None, &about, ListOrder::OldestFirst, None, 10);
        let [seen] = page.expect("a page").items.try_into().expect("one dispute");
        assert_eq!((seen.record_id, seen.state), (made.record_id, SimpleState::Open), "{}", person.name);
        assert_eq!(seen.actions, [ActionCode::Withdraw]);
        let served = person.client.step_simple::<Dispute>(seen.basis, SimpleStep::Served, None);
        assert_eq!(served.expect_err("the field resolves nothing").code(), ErrorCode::NotAllowed);
        let balance = person.client.farmer_balance(team.farmer).expect("a balance");
        assert_eq!(balance.outstanding_minor, minor(3_000), "{}", person.name);
    }
    // Asha finds that she gave it to somebody else: she cancels it with evidence, and gets no money back for it.
    let basis = team.asha.client.simple_record::<Advance>(paid).expect("an advance").basis;
    let bare = team.asha.client.cancel_advance(basis, &reason("not_handed_over")).expect_err("no evidence");
    assert!(matches!(bare, Error::Invalid { field: "evidence", .. }), "{bare:?}");
    let evidence = Reason { code: "not_handed_over".into(), text: "the voucher has another name".into() };
    team.asha.client.cancel_advance(basis, &evidence).expect("cancelled");
    team.syncs();
    for person in [&team.asha, &team.ravi] {
        assert_eq!(person.client.farmer_balance(team.farmer).expect("a balance").advances, [], "{}", person.name);
    }
    assert_eq!(team.asha.client.allowance().expect("an allowance").left_minor, minor(7_000));
    team.holds_nothing();
    // Holding the recovery while the dispute is open, and resolving it, are the office's.
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
}

#[test]
fn scenario_28_a_scale_whose_certificate_ended_is_warned_about_on_the_screen_and_on_the_receipt() {
    let team = Team::open(4_628);
    team.publishes(
        r#"{"instruments": [{"code": "SCALE7", "type": "scale", "serial": "A-4711", "accuracy_class": "III",
            "min_value": 1000, "max_value": 60000, "intervals": [{"up_to_value": 60000, "interval_value": 20}],
            "certificate": "LM-88", "valid_until": "2019-05-08"}]}"#,
    );
    team.syncs();
    let checked = InstrumentCheck { has_passed: true, ..InstrumentCheck::valid(&Subjects::made_by(&team.ravi)) };
    checked.recorded_by(&team.ravi.client, &"KOLAR".parse().expect("a code")).expect("checked today");
    team.syncs();
    let draft = team.asha.starts(Some(team.farmer), None);
    let DraftEdit::AddBag { gross, bag_type, source, grade, .. } = bag(20_000) else { panic!("a bag") };
    let scale = Some("SCALE7".parse().expect("a code"));
    let draft =
        team.asha.client.edit_draft(draft.basis, &[DraftEdit::AddBag { gross, bag_type, source, grade, scale }]);
    let draft = draft.expect("weighed");
    let shown: Vec<_> = draft.warnings.iter().map(|it| (it.check, it.number)).collect();
    assert_eq!(shown, [(Check::InstrumentExpired, Some(1))], "yesterday was its last day");
    assert_eq!(asked(&team.asha, &draft), [Check::InstrumentExpired]);
    let recorded = team.asha.client.record_delivery(draft.basis, &[Check::InstrumentExpired]).expect("accepted");
    team.syncs();
    for person in [&team.asha, &team.ravi] {
        let page = person.client.receipt(recorded.delivery_id, Wording::default()).expect("a receipt");
        let printed = text::render(&page, PaperWidth::Mm80);
        assert!(printed.contains("Calibration of the scale is overdue"), "{}: {printed}", person.name);
    }
    team.holds_nothing();
}

#[test]
fn scenario_29_bags_of_a_suspicious_pattern_are_asked_about_and_differ_from_weighed_ones_on_every_phone() {
    let team = Team::open(3_629);
    let mut draft = team.asha.starts(Some(team.farmer), None);
    for _ in 0..6 {
        draft = team.asha.adds_bag(&draft, 20_000);
    }
    for _ in 0..4 {
        team.market.clock.pass(15);
        draft = team.asha.client.edit_draft(draft.basis, &[DraftEdit::RepeatBag]).expect("repeated");
    }
    let warned: Vec<Check> = draft.warnings.iter().map(|it| it.check).collect();
    assert_eq!(warned, [Check::WeightsRepeated, Check::RepeatUsedOften]);
    assert_eq!(asked(&team.asha, &draft), warned, "advisory: a person may say yes");
    let delivery = team.asha.client.record_delivery(draft.basis, &warned).expect("accepted").delivery_id;
    team.syncs();
    for person in [&team.asha, &team.ravi] {
        let seen = delivery_of(person, delivery);
        let repeated = seen.bags.iter().filter(|bag| bag.source == BagSource::Repeat).count();
        assert_eq!((seen.bags.len(), repeated, seen.warnings.len()), (10, 4, 0), "{}", person.name);
    }
    team.sum_to(1, 0, 10, 200_000);
    team.holds_nothing();
    // The list of samples for an audit is the office's.
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
