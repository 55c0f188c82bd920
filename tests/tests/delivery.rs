//! A delivery as it is weighed, read, signed, printed and corrected, on several phones and by several users.

use std::collections::BTreeSet;

use farmtally_core::client::{DeliveryEdit, DeliveryView, DraftEdit, FarmerInput, InboxKind, Lifecycle, ReadingInput};
use farmtally_core::limits::{MAX_BAG_COUNT, MAX_LOTS, MAX_READINGS, SIGNATURE_SIZE};
use farmtally_core::permission::Role;
use farmtally_core::records::delivery::PrintMedium;
use farmtally_core::records::farmer::ContactDetails;
use farmtally_core::records::simple::{SimpleState, SimpleStep};
use farmtally_core::records::{BagCount, BagSource, Mark, Measured, Point, Signature, Stroke};
use farmtally_core::rules::{ActionCode, Check};
use farmtally_core::units::{BagType, Grams, Percent};
use farmtally_core::{Error, ErrorCode};
use farmtally_sync_server::ReferenceFile;
use farmtally_tests::{Market, Person, bag, mark, moisture, reason};

/// Rules with two grades, a quality factor, and a tare, so that bags in lots must be counted.
const GRADED: &str = r#"{"rule_sets": [{
    "number": 900, "commodity": "TOMATO", "valid_from": "2019-01-01", "effective_reading": "worst",
    "grades": [{"code": "A", "name": "first"}, {"code": "B", "name": "second"}],
    "bag_types": [{"number": 0, "name": "crate", "tare_g": 2000}],
    "factors": [{"code": "BROKEN", "name": "broken", "unit": "percent", "limit": 500}],
    "moisture": {"target_hundredths": 1400, "method": "water_shrink"}
}]}"#;

fn publishes(market: &Market, rules: &str) {
    let file = ReferenceFile::parse(rules).unwrap_or_else(|errors| panic!("{errors:?}"));
    market.server.update_reference(market.organisation, &file).expect("published");
}

fn graded(grams: i64, grade: &str) -> DraftEdit {
    let gross = Grams(grams).try_into().expect("a bag");
    let (grade, scale) = (Some(grade.parse().expect("a code")), Some("SCALE7".parse().expect("a code")));
    DraftEdit::AddBag { gross, bag_type: BagType::default(), source: Some(BagSource::Scale), grade, scale }
}

fn lot(gross: i64, vehicle: Option<i64>) -> DraftEdit {
    let weight = |grams| Grams(grams).try_into().expect("a weight");
    DraftEdit::AddLot { gross: weight(gross), vehicle: vehicle.map(weight), source: None, grade: None, scale: None }
}

fn counted(count: u32) -> DraftEdit {
    DraftEdit::SetBagCounts(vec![BagCount { bag_type: BagType::default(), grade: None, count }])
}

fn moisture_of(grade: &str, hundredths: i64) -> ReadingInput {
    let (moisture, grade) = (hundredths.try_into().expect("a share"), Some(grade.parse().expect("a code")));
    ReadingInput::Moisture { moisture, grade, meter: None, photo: None }
}

fn factor(code: &str, value: u32) -> ReadingInput {
    let (factor, meter) = (code.parse().expect("a code"), Some("METER1".parse().expect("a code")));
    ReadingInput::Factor { factor, value, grade: None, meter, photo: None }
}

fn weighed(person: &Person, edits: &[DraftEdit]) -> DeliveryView {
    let farmer = person.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let draft = person.starts(Some(farmer), None);
    person.client.edit_draft(draft.basis, edits).expect("weighed")
}

fn recorded(person: &Person, edits: &[DraftEdit]) -> DeliveryView {
    person.client.record_delivery(weighed(person, edits).basis, &Check::ALL).expect("recorded")
}

fn invalid_field<T: std::fmt::Debug>(result: Result<T, Error>) -> &'static str {
    match result.expect_err("refused") {
        Error::Invalid { field, .. } | Error::TooLarge { field, .. } => field,
        other => panic!("{other:?}"),
    }
}

/// What another phone sees of a delivery.
fn seen_by(other: &Person, delivery: &DeliveryView, from: &Person) -> DeliveryView {
    from.syncs_wholly();
    other.syncs_wholly();
    other.client.delivery(delivery.delivery_id).expect("a delivery")
}

#[test]
fn bags_of_several_grades_are_weighed_read_and_computed_apart_on_every_phone() {
    let mut market = Market::open(800);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    publishes(&market, GRADED);
    asha.syncs_wholly();
    let of_b = moisture_of("B", 1_500);
    let edits = [
        graded(50_000, "A"),
        DraftEdit::RepeatBag,
        graded(40_000, "B"),
        DraftEdit::AddReading(moisture(1_400)),
        DraftEdit::AddReading(of_b),
    ];
    let delivery = recorded(&asha, &edits);
    let bag = &delivery.bags[1];
    assert_eq!(
        (bag.gross_g, bag.source, bag.grade.clone()),
        (Grams(50_000), BagSource::Repeat, Some("A".parse().expect("a code")))
    );
    assert_eq!((bag.scale.clone(), bag.user_id), (Some("SCALE7".parse().expect("a code")), delivery.users[0]));
    let grades: Vec<_> =
        delivery.grades.iter().map(|it| (it.grade.clone().expect("a grade").to_string(), it.totals.net_g.0)).collect();
    // 38,000 g shrink by 1 of 86 points.
    assert_eq!(grades, [("A".to_owned(), 96_000), ("B".to_owned(), 38_000 - 442)]);
    let seen = seen_by(&ravi, &delivery, &asha);
    assert_eq!((&seen.bags, &seen.readings, &seen.grades), (&delivery.bags, &delivery.readings, &delivery.grades));
    assert_eq!(seen.totals.net_g, delivery.grades.iter().map(|it| it.totals.net_g).sum());
}

#[test]
fn lots_and_vehicles_are_weighed_with_the_bags_that_were_counted_in_them() {
    let mut market = Market::open(801);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let draft = weighed(&asha, &[lot(500_000, None), lot(12_000_000, Some(9_000_000))]);
    assert_eq!(invalid_field(asha.client.record_delivery(draft.basis, &Check::ALL)), "bag_counts");
    let draft =
        asha.client.edit_draft(draft.basis, &[counted(70), DraftEdit::SetDeclaredBags(Some(70))]).expect("counted");
    let delivery = asha.client.record_delivery(draft.basis, &[]).expect("nothing is unusual");
    assert_eq!((delivery.totals.bags, delivery.totals.gross_g), (70, Grams(3_500_000)));
    assert_eq!(delivery.totals.tare_g, Grams(70 * 1_500));
    let [first, second] = delivery.lots.as_slice() else { panic!("{:?}", delivery.lots) };
    assert_eq!((first.number, second.number, second.vehicle_g), (1, 2, Some(Grams(9_000_000))));

    let void = DeliveryEdit::VoidLot { lot_id: first.lot_id.clone(), reason: reason("weighed_twice") };
    let amends = |edits: &[DeliveryEdit]| asha.client.amend_delivery(delivery.basis, &reason("weighed_again"), edits);
    assert_eq!(invalid_field(amends(std::slice::from_ref(&void))), "bag_counts", "nobody knows how many were in it");
    let weight = |grams| Grams(grams).try_into().expect("a weight");
    let more = DeliveryEdit::AddLot { gross: weight(400_000), vehicle: None, source: None, grade: None, scale: None };
    let count = DeliveryEdit::SetBagCounts(vec![BagCount { bag_type: BagType::default(), grade: None, count: 68 }]);
    assert_eq!(invalid_field(amends(std::slice::from_ref(&more))), "bag_counts");
    let both = delivery.lots.iter().map(|it| it.lot_id.clone());
    let both = both.map(|lot_id| DeliveryEdit::VoidLot { lot_id, reason: reason("weighed_twice") });
    let without: Vec<_> = both.chain([count.clone()]).collect();
    assert_eq!(invalid_field(amends(&without)), "bag_counts", "no lot is left");
    let amended = amends(&[void.clone(), more, count]).expect("amended");
    assert_eq!((amended.totals.bags, amended.totals.gross_g), (68, Grams(3_400_000)));
    assert_eq!(amended.lots.iter().map(|it| (it.number, it.voids.len())).collect::<Vec<_>>(), [(1, 1), (2, 0), (3, 0)]);
    assert_eq!(invalid_field(asha.client.amend_delivery(amended.basis, &reason("again"), &[void])), "lot_id");
    let seen = seen_by(&ravi, &delivery, &asha);
    assert_eq!((&seen.lots, &seen.bag_counts, seen.totals), (&amended.lots, &amended.bag_counts, amended.totals));
    assert_eq!(ravi.sum().gross_g, Grams(3_400_000));
}

#[test]
fn bags_and_lots_to_which_two_phones_gave_one_number_are_apart_when_the_farmer_is_corrected() {
    let mut market = Market::open(812);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let delivery = recorded(&asha, &[bag(50_000), bag(60_000)]);
    let theirs = seen_by(&ravi, &delivery, &asha);
    let weight = |grams| Grams(grams).try_into().expect("a weight");
    let count = DeliveryEdit::SetBagCounts(vec![BagCount { bag_type: BagType::default(), grade: None, count: 60 }]);
    let more = DeliveryEdit::AddLot { gross: weight(3_000_000), vehicle: None, source: None, grade: None, scale: None };
    ravi.client.amend_delivery(theirs.basis, &reason("bag_forgotten"), &[more, count]).expect("a lot");
    asha.amends(delivery.delivery_id, 40_000).expect("a bag");
    asha.syncs_wholly();
    let merged = seen_by(&asha, &delivery, &ravi);
    assert_eq!((merged.bags[2].number, merged.lots[0].number), (3, 3));

    let meena = asha.registers("Meena", "", "").farmer_id;
    let again =
        asha.client.correct_farmer(merged.basis, meena, &reason("wrong_farmer"), &Check::ALL).expect("corrected");
    assert_eq!(again.totals, merged.totals);
    let keys: BTreeSet<&str> =
        again.bags.iter().map(|it| it.bag_id.as_str()).chain(again.lots.iter().map(|it| it.lot_id.as_str())).collect();
    assert_eq!(keys.len(), 4, "{keys:?}");
    let void = DeliveryEdit::VoidBag { bag_id: again.bags[2].bag_id.clone(), reason: reason("torn") };
    let voided = asha.client.amend_delivery(again.basis, &reason("torn"), &[void]).expect("voided");
    assert_eq!(voided.totals.gross_g, again.totals.gross_g - Grams(40_000));
    let seen = seen_by(&ravi, &voided, &asha);
    assert_eq!((&seen.bags, &seen.lots, seen.totals), (&voided.bags, &voided.lots, voided.totals));
}

#[test]
fn readings_of_two_phones_are_all_kept_and_a_voided_one_counts_for_nothing() {
    let mut market = Market::open(802);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    publishes(&market, GRADED);
    asha.syncs_wholly();
    let delivery = recorded(&asha, &[bag(50_000), DraftEdit::AddReading(moisture(1_450))]);
    let theirs = seen_by(&ravi, &delivery, &asha);
    ravi.client.add_readings(theirs.basis, &[moisture(1_600), factor("BROKEN", 700)]).expect("read");
    asha.client.add_readings(delivery.basis, &[moisture(1_500)]).expect("read");
    ravi.syncs_wholly();
    let merged = seen_by(&ravi, &delivery, &asha);
    assert_eq!(merged.conflicts, []);
    let read: Vec<_> = merged.readings.iter().map(|it| (it.measured.clone(), it.user_id)).collect();
    let (by_asha, by_ravi) = (delivery.users[0], ravi.client.session().expect("a session").user_id);
    let of = |hundredths: i64| Measured::Moisture(hundredths.try_into().expect("a share"));
    assert_eq!(read.first(), Some(&(of(1_450), by_asha)));
    let rest: BTreeSet<String> = read[1..].iter().map(|it| format!("{it:?}")).collect();
    let broken = Measured::Factor { factor: "BROKEN".parse().expect("a code"), value: 700 };
    let expected = [(of(1_600), by_ravi), (broken, by_ravi), (of(1_500), by_asha)];
    assert_eq!(rest, expected.iter().map(|it| format!("{it:?}")).collect());
    assert_eq!(merged.grades[0].moisture.map(Percent::hundredths), Some(1_600), "the worst counts");

    let wrong = merged.readings.iter().find(|it| it.measured == of(1_600)).expect("a reading");
    let edit = DeliveryEdit::VoidReading { reading_id: wrong.reading_id.clone(), reason: reason("wrong_sample") };
    let voided = ravi.client.amend_delivery(merged.basis, &reason("wrong_sample"), &[edit]).expect("voided");
    assert_eq!(voided.grades[0].moisture.map(Percent::hundredths), Some(1_500));
    ravi.syncs_wholly();
    let seen = seen_by(&asha, &delivery, &ravi);
    assert_eq!((&seen.readings, &seen.grades), (&voided.readings, &voided.grades));
}

#[test]
fn a_signature_and_each_print_are_recorded_and_seen_by_others() {
    let mut market = Market::open(803);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let signed = recorded(&asha, &[bag(50_000), DraftEdit::SetMark(Some(mark()))]);
    let marks = |view: &DeliveryView| view.signatures.iter().map(|it| it.content.mark.clone()).collect::<Vec<_>>();
    assert_eq!((marks(&signed), signed.is_signed), (vec![mark()], true));
    let printed = asha.client.record_print(signed.basis, PrintMedium::Paper).expect("printed");
    let thumb = Mark::Thumb { photo: [7; 32].into() };
    let again = asha.client.sign(printed.basis, thumb.clone()).expect("signed");
    assert_eq!(again.content.farmer_id, signed.farmer_id);
    let sent = asha.client.record_print(printed.basis, PrintMedium::Message).expect("sent");
    let seen = seen_by(&ravi, &signed, &asha);
    assert_eq!((marks(&seen), &seen.prints), (vec![mark(), thumb], &sent.prints));
    assert_eq!(seen.prints.iter().map(|it| it.medium).collect::<Vec<_>>(), [PrintMedium::Paper, PrintMedium::Message]);
    let stale = asha.client.sign(signed.basis, mark()).expect_err("another version was shown");
    assert_eq!(stale.code(), ErrorCode::Stale);
    let step = SimpleStep::Withdrawn;
    asha.client.step_simple::<Signature>(again.basis, step, Some(&reason("another_hand"))).expect("withdrawn");
    let left = asha.client.delivery(signed.delivery_id).expect("a delivery");
    assert_eq!(left.signatures[1].state, SimpleState::Withdrawn);
    assert!(left.is_signed, "the first one stands");
    assert_eq!((seen.amendments.len(), seen.totals), (0, signed.totals));
}

#[test]
fn the_farmer_of_a_delivery_is_corrected_in_one_step_with_all_that_was_weighed() {
    let mut market = Market::open(804);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let load = asha.opens("KA07A1111");
    let (wrong, right) = (asha.registers("Lakshmi", "", "").farmer_id, asha.registers("Meena", "", "").farmer_id);
    let draft = asha.starts(Some(wrong), Some(load.load_id));
    let edits = [bag(50_000), bag(51_000), DraftEdit::AddReading(moisture(1_450)), DraftEdit::SetDeclaredBags(Some(2))];
    let draft = asha.client.edit_draft(draft.basis, &edits).expect("weighed");
    let first = asha.client.record_delivery(draft.basis, &[]).expect("recorded");
    let first = asha.amends(first.delivery_id, 52_000).expect("amended");
    let unchanged = asha.client.correct_farmer(first.basis, wrong, &reason("wrong_farmer"), &Check::ALL);
    assert_eq!(invalid_field(unchanged), "farmer_id");
    let unknown = asha.client.correct_farmer(first.basis, [9; 16].into(), &reason("wrong_farmer"), &Check::ALL);
    assert_eq!(invalid_field(unknown), "farmer_id");
    assert_eq!(asha.client.delivery(first.delivery_id).expect("a delivery").basis, first.basis, "nothing was written");

    let second =
        asha.client.correct_farmer(first.basis, right, &reason("wrong_farmer"), &Check::ALL).expect("corrected");
    assert_eq!(
        (second.farmer_id, second.replaces, second.load_id),
        (Some(right), Some(first.delivery_id), Some(load.load_id))
    );
    assert_ne!(second.receipt_number, first.receipt_number);
    let weights = |view: &DeliveryView| {
        view.bags.iter().map(|it| (it.number, it.gross_g, it.weighed_at.0 / 1_000)).collect::<Vec<_>>()
    };
    assert_eq!(weights(&second), weights(&first));
    assert_eq!((second.totals, second.readings.len(), second.declared_bags), (first.totals, 1, Some(2)));
    let first = asha.client.delivery(first.delivery_id).expect("a delivery");
    assert_eq!((first.lifecycle, first.replaced_by), (Lifecycle::Voided, vec![second.delivery_id]));
    assert_eq!(asha.sum().gross_g, second.totals.gross_g);
    let seen = seen_by(&ravi, &second, &asha);
    assert_eq!((seen.farmer_id, &seen.bags), (Some(right), &second.bags));
    assert_eq!(ravi.sum(), asha.sum());
    assert_eq!(asha.inbox(), [], "no review: the one is voided, the other is no duplicate of it");
}

#[test]
fn a_draft_is_weighed_by_who_took_it_over_and_all_are_recorded() {
    let mut market = Market::open(805);
    let asha = market.hires("Asha", "field_manager");
    let session = asha.client.session().expect("a session");
    let centres = ["KOLAR".parse().expect("a code")];
    market.server.grant(market.organisation, session.device_code, "Ravi", Role::Clerk, &centres).expect("granted");
    asha.syncs_wholly();
    let ravi = asha.client.users().into_iter().find(|user| user.role == Role::Clerk).expect("Ravi").user_id;
    let draft = weighed(&asha, &[bag(50_000), DraftEdit::AddReading(moisture(1_450))]);
    let own = asha.client.take_over_draft(draft.basis).expect_err("it is her own");
    assert_eq!(own.code(), ErrorCode::NotAllowed);

    asha.client.switch_user(ravi).expect("switched");
    let seen = asha.client.drafts().expect("drafts").pop().expect("he sees it");
    assert_eq!(seen.actions, [ActionCode::TakeOver]);
    for refused in [
        asha.client.edit_draft(seen.basis, &[bag(1_000)]).map(drop),
        asha.client.record_delivery(seen.basis, &Check::ALL).map(drop),
        asha.client.discard_draft(seen.basis),
    ] {
        assert_eq!(refused.expect_err("another weighs it").code(), ErrorCode::NotAllowed);
    }
    let draft = asha.client.take_over_draft(seen.basis).expect("taken over");
    let draft = asha.client.edit_draft(draft.basis, &[bag(51_000)]).expect("weighed");
    assert_eq!(draft.actions, [ActionCode::Edit, ActionCode::Record, ActionCode::Discard]);
    let recorded = asha.client.record_delivery(draft.basis, &Check::ALL).expect("recorded");
    assert_eq!(recorded.users, [session.user_id, ravi]);
    assert_eq!(recorded.bags.iter().map(|it| it.user_id).collect::<Vec<_>>(), [session.user_id, ravi]);
    assert_eq!(recorded.readings[0].user_id, session.user_id);
    assert_eq!(recorded.recorded.expect("recorded").user_id, ravi);
}

#[test]
fn discarded_drafts_are_counted_once_each() {
    let mut market = Market::open(806);
    let asha = market.hires("Asha", "field_manager");
    let discarded =
        |asha: &Person| asha.client.today(&"KOLAR".parse().expect("a code"), None).expect("today").discarded_drafts;
    for expected in 1..=2 {
        let draft = asha.starts(None, None);
        asha.client.discard_draft(draft.basis).expect("discarded");
        asha.client.discard_draft(draft.basis).expect("it is discarded already");
        assert_eq!(discarded(&asha), expected);
    }
    assert_eq!(discarded(&asha.restarts()), 2);
}

#[test]
fn one_heap_that_two_people_recorded_is_asked_about_and_reviewed_unless_it_is_a_second_one() {
    let mut market = Market::open(807);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    ravi.syncs_wholly();
    let bags = [20_000, 21_000, 22_000, 23_000, 24_000];
    let clock = std::sync::Arc::clone(&market.clock);
    let again = |person: &Person, more: Option<DraftEdit>| {
        let draft = person.starts(Some(farmer), None);
        let edits: Vec<DraftEdit> = bags.iter().map(|grams| bag(*grams)).chain(more).collect();
        let draft = person.client.edit_draft(draft.basis, &edits[..3]).expect("weighed");
        clock.pass(15);
        person.client.edit_draft(draft.basis, &edits[3..]).expect("weighed")
    };
    let first = asha.client.record_delivery(again(&asha, None).basis, &[]).expect("nothing is unusual");
    let draft = again(&asha, None);
    let Err(Error::Confirm { checks }) = asha.client.record_delivery(draft.basis, &[]) else { panic!("asked about") };
    assert_eq!(checks, [Check::PossibleDuplicate]);
    let second = asha.client.edit_draft(draft.basis, &[DraftEdit::SetSecondHeap(true)]).expect("a second heap");
    asha.client.record_delivery(second.basis, &[]).expect("a second heap is nothing unusual");

    // Without network, another phone cannot know; the server finds it.
    let draft = again(&ravi, None);
    let second = ravi.client.record_delivery(draft.basis, &[]).expect("nothing is known of the first");
    asha.syncs_wholly();
    ravi.syncs_wholly();
    asha.syncs_wholly();
    let about: Vec<_> =
        [&first, &second].map(|it| ravi.client.delivery(it.delivery_id).expect("a delivery").reviews).into();
    assert_eq!(
        about.iter().map(|it| it.iter().map(ToString::to_string).collect()).collect::<Vec<Vec<String>>>(),
        [["possible_duplicate"]; 2]
    );
    let reviews = asha.inbox().into_iter().filter(|item| matches!(item.kind, InboxKind::Review { .. })).count();
    assert_eq!(reviews, 1, "the second heap is in none");
}

#[test]
fn bad_input_of_a_delivery_is_refused_with_its_field_and_changes_nothing() {
    let mut market = Market::open(808);
    let asha = market.hires("Asha", "field_manager");
    publishes(&market, GRADED);
    asha.syncs_wholly();
    let point = |x, y| DraftEdit::SetMark(Some(Mark::Drawn { strokes: vec![Stroke { points: vec![Point { x, y }] }] }));
    let many = |edit: DraftEdit, count: usize| vec![edit; count];
    let twice = vec![BagCount { bag_type: BagType::default(), grade: None, count: 1 }; 2];
    let cases: Vec<(&str, Vec<DraftEdit>)> = vec![
        ("grade", vec![graded(50_000, "C")]),
        ("bags", vec![DraftEdit::RepeatBag]),
        ("vehicle", vec![lot(9_000_000, Some(9_000_000))]),
        ("lots", many(lot(1_000, None), MAX_LOTS + 1)),
        ("number", vec![DraftEdit::Remove { number: 1 }]),
        ("bag_counts", vec![counted(MAX_BAG_COUNT + 1)]),
        ("bag_counts", vec![DraftEdit::SetBagCounts(twice)]),
        ("factor", vec![DraftEdit::AddReading(factor("COLOUR", 1))]),
        ("grade", vec![DraftEdit::AddReading(moisture_of("C", 1_400))]),
        ("readings", many(DraftEdit::AddReading(moisture(1_400)), MAX_READINGS + 1)),
        ("place", vec![DraftEdit::RemoveReading { place: 1 }]),
        ("place", vec![DraftEdit::RemoveReading { place: 0 }]),
        ("mark", vec![DraftEdit::SetMark(Some(Mark::Drawn { strokes: Vec::new() }))]),
        ("mark", vec![point(SIGNATURE_SIZE, 0)]),
    ];
    let draft = asha.starts(None, None);
    for (field, edits) in cases {
        assert_eq!(invalid_field(asha.client.edit_draft(draft.basis, &edits)), field, "{edits:.1?}");
        assert_eq!(asha.client.delivery(draft.delivery_id).expect("a draft"), draft);
    }
    let full = [many(lot(1_000, None), MAX_LOTS), many(DraftEdit::AddReading(moisture(1_400)), MAX_READINGS)].concat();
    let full = [full, vec![counted(MAX_BAG_COUNT), point(SIGNATURE_SIZE - 1, 0), graded(1, "A")]].concat();
    let draft = recorded(&asha, &full);
    assert_eq!(invalid_field(asha.client.add_readings(draft.basis, &[moisture(1_400)])), "readings");
    assert_eq!(invalid_field(asha.client.add_readings(draft.basis, &[])), "readings");
    let weight = Grams(1_000).try_into().expect("a weight");
    let more = DeliveryEdit::AddLot { gross: weight, vehicle: None, source: None, grade: None, scale: None };
    assert_eq!(invalid_field(asha.client.amend_delivery(draft.basis, &reason("forgotten"), &[more])), "lots");
}

#[test]
fn a_load_near_its_limit_is_asked_about_and_one_above_it_needs_a_reason() {
    let mut market = Market::open(809);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    // The lorry's payload is 9 t.
    for (grams, checks) in [
        (8_550_000, vec![]),
        (8_550_001, vec![Check::NearCapacity]),
        (9_450_000, vec![Check::NearCapacity]),
        (9_450_001, vec![Check::OverCapacity]),
    ] {
        let load = asha.opens("KA07A1111");
        let draft = asha.starts(Some(farmer), Some(load.load_id));
        let edits = [lot(grams, None), counted(100), DraftEdit::SetSecondHeap(true)];
        let mut draft = asha.client.edit_draft(draft.basis, &edits).expect("weighed");
        if checks.contains(&Check::OverCapacity) {
            let refused = asha.client.record_delivery(draft.basis, &Check::ALL);
            assert_eq!(invalid_field(refused), "overload_reason");
            let why = DraftEdit::SetOverloadReason(Some(reason("last_lorry_of_the_day")));
            draft = asha.client.edit_draft(draft.basis, &[why]).expect("a reason");
        }
        let recorded = match asha.client.record_delivery(draft.basis, &[]) {
            Ok(recorded) => {
                assert_eq!(checks, [], "{grams} g");
                recorded
            }
            Err(Error::Confirm { checks: asked }) => {
                assert_eq!(asked, checks, "{grams} g");
                asha.client.record_delivery(draft.basis, &asked).expect("recorded")
            }
            Err(error) => panic!("{grams} g: {error}"),
        };
        let seen = seen_by(&ravi, &recorded, &asha);
        let expected = checks.contains(&Check::OverCapacity).then(|| reason("last_lorry_of_the_day"));
        assert_eq!(seen.overload_reason, expected);
    }
}

#[test]
fn a_farmer_delivers_at_any_centre_that_is_granted_to_the_clerk() {
    let mut market = Market::open(810);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let code = asha.client.session().expect("a session").device_code;
    let centres = ["KOLAR", "MALUR"].map(|centre| centre.parse().expect("a code"));
    market.server.grant(market.organisation, code, "Asha", Role::FieldManager, &centres).expect("granted");
    asha.syncs_wholly();
    let details = ContactDetails { name: "Meena".into(), ..ContactDetails::default() };
    let input = FarmerInput { centre: centres[1].clone(), details, tags: Vec::new() };
    let farmer = asha.client.register_farmer(&input, &[]).expect("registered").farmer_id;
    let delivery = asha.weighs(farmer, None, &[20_000]);
    assert_eq!((delivery.centre.as_str(), delivery.farmer_id), ("KOLAR", Some(farmer)));
    let seen = seen_by(&ravi, &delivery, &asha);
    assert_eq!(seen.farmer_id, Some(farmer), "though Ravi's phone does not know who it is");
    let draft = ravi.starts(None, None);
    let refused = ravi.client.edit_draft(draft.basis, &[DraftEdit::SetFarmer(farmer)]);
    assert_eq!(invalid_field(refused), "farmer_id");
}
