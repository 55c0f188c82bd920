//! Rules of the field at their edges: unknown bag types, trips of one lorry, replacements, double taps, and codes that are not of loads.

use data_encoding::BASE64URL_NOPAD;
use farmtally_core::client::{DeliveryEdit, DeliveryView, DraftEdit, Lifecycle, StartDraft};
use farmtally_core::rules::Check;
use farmtally_core::units::{BagType, Grams};
use farmtally_core::{Error, ErrorCode};
use farmtally_sync_server::ReferenceFile;
use farmtally_tests::{Market, bag, moisture, reason};

/// A draft edit that adds a bag of a type that the market's rules do not name.
fn sack(grams: i64) -> DraftEdit {
    let bag_type = BagType::try_from(7).expect("in bounds");
    let gross = Grams(grams).try_into().expect("a bag");
    DraftEdit::AddBag { gross, bag_type, source: None, grade: None, scale: None }
}

fn replacement_of(delivery: &DeliveryView) -> StartDraft {
    StartDraft {
        centre: delivery.centre.clone(),
        commodity: delivery.commodity.clone(),
        farmer_id: delivery.farmer_id,
        load_id: None,
        replaces: Some(delivery.delivery_id),
    }
}

#[test]
fn a_bag_of_a_type_that_the_rules_do_not_name_is_asked_about_recorded_and_reviewed() {
    let mut market = Market::open(401);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let draft = asha.starts(Some(farmer), None);
    let draft = asha.client.edit_draft(draft.basis, &[bag(20_000), sack(30_000)]).expect("it was weighed");
    let asked = asha.client.record_delivery(draft.basis, &[]).expect_err("asked about");
    let Error::Confirm { checks } = asked else { panic!("{asked:?}") };
    assert_eq!(checks.iter().map(ToString::to_string).collect::<Vec<_>>(), ["unknown_bag_type"]);
    let delivery = asha.client.record_delivery(draft.basis, &checks).expect("recorded");
    asha.syncs_wholly();
    ravi.syncs_wholly();
    assert_eq!(ravi.reviews(), ["unknown_bag_type"]);
    assert_eq!(ravi.client.delivery(delivery.delivery_id).expect("a delivery").totals, delivery.totals);
}

#[test]
fn a_forgotten_bag_of_an_unknown_type_is_added_and_reviewed() {
    let mut market = Market::open(402);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let delivery = asha.weighs(farmer, None, &[20_000]);
    asha.syncs_wholly();
    assert_eq!(asha.reviews(), [""; 0]);
    let DraftEdit::AddBag { gross, bag_type, source, grade, scale } = sack(30_000) else { panic!("a bag") };
    let edit = DeliveryEdit::AddBag { gross, bag_type, source, grade, scale };
    asha.client.amend_delivery(delivery.basis, &reason("bag_forgotten"), &[edit]).expect("amended");
    asha.syncs_wholly();
    assert_eq!(asha.reviews(), ["unknown_bag_type"]);
}

#[test]
fn a_bag_that_weighs_no_more_than_its_crate_is_asked_about_and_reviewed() {
    let mut market = Market::open(403);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let draft = asha.starts(Some(farmer), None);
    let draft = asha.client.edit_draft(draft.basis, &[bag(1_500)]).expect("it was weighed");
    let asked = asha.client.record_delivery(draft.basis, &[Check::UncommonBagWeight]).expect_err("asked about");
    let Error::Confirm { checks } = asked else { panic!("{asked:?}") };
    assert_eq!(checks, [Check::DeductionsExceedWeight]);
    let delivery = asha.client.record_delivery(draft.basis, &Check::ALL).expect("recorded");
    assert!(delivery.totals.deductions_exceed_weight);
    asha.syncs_wholly();
    assert_eq!(asha.reviews(), ["deductions_exceed_weight"]);
}

#[test]
fn a_colleague_sees_the_lines_that_the_clerk_printed() {
    let mut market = Market::open(404);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let rules = r#"{"rule_sets": [{
        "number": 900, "commodity": "TOMATO", "valid_from": "2019-01-01", "effective_reading": "average",
        "bag_types": [{"number": 0, "name": "crate", "tare_g": 2000}], "allowance_g": 50,
        "moisture": {"target_hundredths": 1400, "method": "water_shrink", "handling_loss_hundredths": 50}
    }]}"#;
    let file = ReferenceFile::parse(rules).expect("reference data");
    market.server.update_reference(market.organisation, &file).expect("published");
    asha.syncs_wholly();
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let draft = asha.starts(Some(farmer), None);
    let reading = |hundredths| DraftEdit::AddReading(moisture(hundredths));
    let edits = [bag(62_000), bag(53_000), reading(1_440), reading(1_460)];
    let draft = asha.client.edit_draft(draft.basis, &edits).expect("it was weighed");
    let recorded = asha.client.record_delivery(draft.basis, &Check::ALL).expect("recorded");
    assert_eq!(recorded.grades, draft.grades);
    // 111,000 g shrink by 0.5 in 86 points, to the gram; the other lines follow from 2 bags or 0.5 %.
    let lines: Vec<_> = recorded.grades[0].lines.iter().map(|line| (line.kind.as_str(), line.amount_g.0)).collect();
    let expected =
        [("gross", 115_000), ("tare", -4_000), ("moisture", -645), ("handling_loss", -555), ("allowance", -100)];
    assert_eq!(lines, expected);
    assert_eq!((recorded.totals.moisture_g, recorded.totals.net_g), (Grams(1_200), Grams(109_700)));
    asha.syncs_wholly();
    ravi.syncs_wholly();
    let seen = ravi.client.delivery(recorded.delivery_id).expect("a delivery");
    assert_eq!((seen.totals, seen.grades), (recorded.totals, recorded.grades));
}

#[test]
fn six_trips_of_one_lorry_on_one_day_are_no_contention() {
    let mut market = Market::open(410);
    let (asha, ravi) = (market.hires("Asha", "dispatcher"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    ravi.syncs_wholly();
    for trip in 0..6 {
        let (person, other) = if trip % 2 == 0 { (&asha, &ravi) } else { (&ravi, &asha) };
        let load = person.opens("KA07A1111").load_id;
        person.weighs(farmer, Some(load), &[20_000]);
        person.closes(load).expect("asked");
        market.clock.pass(3_600);
        person.syncs_wholly();
        other.syncs_wholly();
    }
    assert_eq!(asha.reviews(), [""; 0]);
}

#[test]
fn a_second_load_of_a_lorry_before_the_first_is_asked_to_be_closed_is_a_contention() {
    let mut market = Market::open(411);
    let asha = market.hires("Asha", "dispatcher");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let first = asha.opens("KA07A1111").load_id;
    asha.weighs(farmer, Some(first), &[20_000]);
    market.clock.pass(60);
    asha.opens("KA07A1111");
    market.clock.pass(60);
    asha.closes(first).expect("asked");
    asha.syncs_wholly();
    assert_eq!(asha.reviews(), ["load_contention"]);
}

#[test]
fn a_voided_delivery_is_replaced_once() {
    let mut market = Market::open(420);
    let asha = market.hires("Asha", "dispatcher");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let wrong = asha.weighs(farmer, None, &[20_000]);
    asha.voids(wrong.delivery_id).expect("voided");
    let refused = |input: StartDraft| {
        let error = asha.client.start_draft(input).expect_err("replaced already");
        assert!(matches!(error, Error::Invalid { field: "replaces", .. }), "{error:?}");
        assert!(error.to_string().contains("replaced already"), "{error}");
    };
    let draft = asha.client.start_draft(replacement_of(&wrong)).expect("a draft");
    refused(replacement_of(&wrong));
    let draft = asha.client.edit_draft(draft.basis, &[bag(21_000)]).expect("a bag of the first");
    let right = asha.client.record_delivery(draft.basis, &Check::ALL).expect("recorded");
    refused(replacement_of(&wrong));
    asha.voids(right.delivery_id).expect("voided too");
    asha.client.start_draft(replacement_of(&wrong)).expect("nothing replaces it any more");
}

#[test]
fn one_delivery_replaced_on_two_phones_is_reviewed() {
    let mut market = Market::open(421);
    let (asha, ravi) = (market.hires("Asha", "dispatcher"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let wrong = asha.weighs(farmer, None, &[20_000]);
    asha.voids(wrong.delivery_id).expect("voided");
    asha.syncs_wholly();
    ravi.syncs_wholly();
    for person in [&asha, &ravi] {
        let draft = person.client.start_draft(replacement_of(&wrong)).expect("a draft");
        let draft = person.client.edit_draft(draft.basis, &[bag(21_000)]).expect("a bag");
        person.client.record_delivery(draft.basis, &Check::ALL).expect("recorded");
    }
    for person in [&asha, &ravi, &asha] {
        person.syncs_wholly();
    }
    assert_eq!(asha.reviews(), ["replaced_twice"]);
}

#[test]
fn a_person_without_a_grant_is_not_led_to_an_enrolment() {
    let mut market = Market::open(430);
    let asha = market.hires("Asha", "field_manager");
    let new = market.meets("Bela");
    let grant = asha.client.session().expect("a session").grant_id.expect("a grant");
    market.server.revoke(market.organisation, grant).expect("revoked");
    asha.syncs_wholly();
    let refused = asha.client.drafts().expect_err("no grant");
    assert_eq!(refused.code(), ErrorCode::Locked, "{refused}");
    assert!(refused.to_string().contains("ask the office"), "{refused}");
    assert_eq!(new.client.drafts().expect_err("not enrolled").code(), ErrorCode::Unauthorized);
}

#[test]
fn a_double_tap_on_record_shows_the_recorded_delivery_twice() {
    let mut market = Market::open(440);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let draft = asha.adds_bag(&asha.starts(Some(farmer), None), 20_000);
    let first = asha.client.record_delivery(draft.basis, &[]).expect("recorded");
    let second = asha.client.record_delivery(draft.basis, &[]).expect("recorded already");
    assert_eq!(second, first);
    assert_eq!(second.lifecycle, Lifecycle::Recorded);
    assert_eq!(asha.sum().deliveries, 1);
    let late = asha.client.edit_draft(draft.basis, &[bag(21_000)]).expect_err("no draft any more");
    assert_eq!(late.code(), ErrorCode::Stale, "{late}");
    let late = asha.client.discard_draft(draft.basis).expect_err("no draft any more");
    assert_eq!(late.code(), ErrorCode::Stale, "{late}");
}

#[test]
fn a_double_tap_on_discard_succeeds_twice() {
    let mut market = Market::open(441);
    let asha = market.hires("Asha", "field_manager");
    let draft = asha.starts(None, None);
    for _ in 0..2 {
        asha.client.discard_draft(draft.basis).expect("discarded");
    }
    let late = asha.client.edit_draft(draft.basis, &[bag(21_000)]).expect_err("it was discarded");
    assert_eq!(late.code(), ErrorCode::NotFound);
}

#[test]
fn a_join_code_with_the_id_of_a_draft_leaves_the_draft_alone() {
    let mut market = Market::open(450);
    let asha = market.hires("Asha", "dispatcher");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let load = asha.opens("KA07A1111");
    let draft = asha.adds_bag(&asha.starts(Some(farmer), None), 20_000);
    let mut code = BASE64URL_NOPAD.decode(&load.join_code.as_bytes()[5..]).expect("a code");
    let id = load.load_id.as_bytes().as_slice();
    let at = code.windows(16).position(|window| window == id).expect("the load's id");
    code[at..at + 16].copy_from_slice(draft.delivery_id.as_bytes());
    let refused = asha.client.join_load(&format!("FTL1-{}", BASE64URL_NOPAD.encode(&code))).expect_err("no load");
    assert!(matches!(refused, Error::Invalid { field: "join_code", .. }), "{refused:?}");
    asha.client.record_delivery(draft.basis, &[]).expect("recorded");
}
