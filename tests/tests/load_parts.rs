//! Bags of one delivery on several loads: totals, manifests, late parts, and moves of two people at one time.

use std::collections::BTreeMap;

use farmtally_core::client::{
    Cell, DeliveryEdit, DeliveryQuery, DeliveryView, DraftEdit, InboxItem, InboxKind, LoadEdit, LoadView, Report,
    ReportCode, ReportQuery,
};
use farmtally_core::decisions::ReviewCode;
use farmtally_core::limits::MAX_MOVES;
use farmtally_core::paper::{PaperWidth, Wording, text};
use farmtally_core::records::BagCount;
use farmtally_core::rules::Check;
use farmtally_core::units::{BagType, DeliveryId, Grams, LoadId};
use farmtally_core::{Error, ErrorCode};
use farmtally_tests::{Forger, Market, Person, all_deliveries, bag, fingerprint, reason};

/// Two people of one centre and two open loads, which both know.
fn two_lorries(seed: u64) -> (Market, Person, Person, [LoadId; 2]) {
    let mut market = Market::open(seed);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let loads = [asha.opens("KA07A1111").load_id, asha.opens("KA07A2222").load_id];
    both_sync(&asha, &ravi);
    (market, asha, ravi, loads)
}

fn both_sync(asha: &Person, ravi: &Person) {
    for person in [asha, ravi, asha] {
        person.syncs_wholly();
    }
}

fn farmer(person: &Person) -> farmtally_core::units::FarmerId {
    person.registers("Lakshmi Devi", "Vemagal", "").farmer_id
}

/// Bags and grams of each load of a delivery.
fn parts(view: &DeliveryView) -> Vec<(Option<LoadId>, u32, i64)> {
    view.parts.iter().map(|it| (it.load_id, it.bags, it.gross_g.0)).collect()
}

fn sum(person: &Person, load: LoadId) -> (u64, u64, i64) {
    let sum = person.client.load(load).expect("a load").sum;
    (sum.deliveries, sum.bags, sum.gross_g.0)
}

/// Requires that the totals of each load are the sums of the bags that deliveries show on it, and that both phones and the server agree.
fn books_balance(market: &Market, people: &[&Person], loads: [LoadId; 2]) {
    for person in people {
        let mut expected = BTreeMap::<LoadId, (u64, i64)>::new();
        for row in all_deliveries(&person.client).into_iter().filter(|row| !row.is_voided) {
            let view = person.client.delivery(row.delivery_id).expect("a delivery");
            for bag in view.bags.iter().filter(|bag| bag.voids.is_empty()) {
                let Some(load) = bag.load_id else { continue };
                let (bags, gross) = expected.entry(load).or_default();
                *bags += 1;
                *gross += bag.gross_g.0;
            }
        }
        for load in loads {
            let (_, bags, gross) = sum(person, load);
            assert_eq!((bags, gross), expected.get(&load).copied().unwrap_or_default(), "{}", person.name);
        }
        assert_eq!(fingerprint(&person.database()), fingerprint(&market.server_database()), "{}", person.name);
    }
}

fn conflict(person: &Person) -> Option<farmtally_core::records::Conflict> {
    person.inbox().into_iter().find_map(|item: InboxItem| match item.kind {
        InboxKind::Conflict(conflict) => Some(conflict),
        _ => None,
    })
}

fn departs(person: &Person, load: LoadId) -> LoadView {
    let closed = person.closes(load).expect("closing");
    let depart = LoadEdit::Depart { odometer_km: None };
    person.client.change_load(closed.basis, &depart, &[Check::LoadNotSealed]).expect("departed")
}

fn reviews(person: &Person, delivery: DeliveryId) -> Vec<ReviewCode> {
    person.client.delivery(delivery).expect("a delivery").reviews
}

#[test]
fn bags_of_one_draft_are_recorded_on_two_loads_and_none() {
    let (market, asha, ravi, loads) = two_lorries(910);
    let draft = asha.starts(Some(farmer(&asha)), Some(loads[0]));
    let apart = |load_id, numbers: &[u32]| DraftEdit::SetLoadOfBags { load_id, numbers: numbers.to_vec() };
    let weighed = [bag(20_000), bag(21_000), bag(22_000), bag(23_000), bag(24_000)];
    let draft = asha.client.edit_draft(draft.basis, &weighed).expect("weighed");
    let edits = [apart(Some(loads[1]), &[2, 3, 5]), apart(None, &[3]), DraftEdit::Remove { number: 5 }];
    let draft = asha.client.edit_draft(draft.basis, &edits).expect("put apart");
    let expected = [(None, 1, 22_000), (Some(loads[0]), 2, 43_000), (Some(loads[1]), 1, 21_000)];
    let sorted = |view: &DeliveryView| {
        let mut parts = parts(view);
        parts.sort_by_key(|(load, ..)| loads.iter().position(|it| Some(*it) == *load));
        parts
    };
    assert_eq!(sorted(&draft), expected);
    for wrong in [apart(Some(loads[1]), &[5]), apart(Some(loads[1]), &[])] {
        let error = asha.client.edit_draft(draft.basis, &[wrong]).expect_err("no such bag");
        assert!(matches!(error, Error::Invalid { field: "numbers", .. }), "{error:?}");
    }
    let unknown = apart(Some(LoadId::from([7; 16])), &[1]);
    let error = asha.client.edit_draft(draft.basis, &[unknown]).expect_err("no such load");
    assert!(matches!(error, Error::Invalid { field: "load_id", .. }), "{error:?}");
    // The second lorry is not asked to be closed while the draft is for it.
    let error = asha.closes(loads[1]).expect_err("an open draft");
    assert_eq!(error.code(), ErrorCode::NotAllowed, "{error}");

    let recorded = asha.client.record_delivery(draft.basis, &Check::ALL).expect("recorded");
    assert_eq!(
        (sorted(&recorded), recorded.totals.bags, recorded.totals.gross_g),
        (expected.to_vec(), 4, Grams(86_000))
    );
    both_sync(&asha, &ravi);
    assert_eq!((sum(&ravi, loads[0]), sum(&ravi, loads[1])), ((1, 2, 43_000), (1, 1, 21_000)));
    books_balance(&market, &[&asha, &ravi], loads);
    // Either load lists it.
    for load in loads {
        let query = DeliveryQuery { load_id: Some(load), ..DeliveryQuery::default() };
        let found = ravi.client.deliveries(&query).expect("a page").items;
        assert_eq!(found.iter().map(|it| it.row.delivery_id).collect::<Vec<_>>(), [recorded.delivery_id]);
    }
}

#[test]
fn parts_follow_amendments_voids_and_a_move_of_the_rest() {
    let (market, asha, ravi, loads) = two_lorries(911);
    let delivery = asha.weighs(farmer(&asha), Some(loads[0]), &[20_000, 21_000, 22_000]).delivery_id;
    let whole = asha.client.delivery(delivery).expect("a delivery").totals;
    let view = asha.puts_apart(delivery, &[2, 3], Some(loads[1])).expect("put apart");
    assert_eq!(view.totals, whole, "parts change no weight");
    assert_eq!((sum(&asha, loads[0]), sum(&asha, loads[1])), ((1, 1, 20_000), (1, 2, 43_000)));
    // A forgotten bag goes with the rest; a voided one leaves its load.
    asha.amends(delivery, 30_000).expect("amended");
    let view = asha.client.delivery(delivery).expect("a delivery");
    let void = DeliveryEdit::VoidBag { bag_id: view.bags[1].bag_id.clone(), reason: reason("mistyped") };
    asha.client.amend_delivery(view.basis, &reason("mistyped"), &[void]).expect("voided");
    assert_eq!((sum(&asha, loads[0]), sum(&asha, loads[1])), ((1, 2, 50_000), (1, 1, 22_000)));
    both_sync(&asha, &ravi);
    // The rest moves, and what was put apart stays; the last bag comes off.
    ravi.moves(delivery, None).expect("taken off");
    assert_eq!((sum(&ravi, loads[0]), sum(&ravi, loads[1])), ((0, 0, 0), (1, 1, 22_000)));
    let view = ravi.puts_apart(delivery, &[3], None).expect("taken off");
    assert_eq!(parts(&view), [(None, 3, 72_000)]);
    ravi.puts_apart(delivery, &[1, 3], Some(loads[1])).expect("put apart");
    both_sync(&asha, &ravi);
    books_balance(&market, &[&asha, &ravi], loads);
    // A voided delivery is on no load, and counted there as voided.
    asha.voids(delivery).expect("voided");
    both_sync(&asha, &ravi);
    assert_eq!(sum(&ravi, loads[1]), (0, 0, 0));
    assert_eq!(ravi.client.load(loads[1]).expect("a load").sum.voided, 1);
    books_balance(&market, &[&asha, &ravi], loads);
}

#[test]
fn two_who_move_one_bag_at_once_see_a_conflict_that_ends_when_it_is_moved_again() {
    let (market, asha, ravi, loads) = two_lorries(912);
    let delivery = asha.weighs(farmer(&asha), None, &[20_000, 21_000, 22_000]).delivery_id;
    both_sync(&asha, &ravi);
    asha.puts_apart(delivery, &[1, 2], Some(loads[0])).expect("put apart");
    market.clock.pass(1);
    ravi.puts_apart(delivery, &[2, 3], Some(loads[1])).expect("put apart");
    both_sync(&asha, &ravi);
    for person in [&asha, &ravi] {
        let view = person.client.delivery(delivery).expect("a delivery");
        let on: Vec<_> = view.bags.iter().map(|bag| bag.load_id).collect();
        assert_eq!(on, [Some(loads[0]), Some(loads[1]), Some(loads[1])], "the later move of the bag counts");
        let conflict = conflict(person).expect("a conflict");
        assert_eq!((conflict.field.as_str(), conflict.is_hard), ("parts", true));
        let values: Vec<_> = conflict.values.iter().map(|it| (it.text.clone(), it.is_effective)).collect();
        assert_eq!(values, [(format!("2 on {}", loads[1]), true), (format!("2 on {}", loads[0]), false)]);
    }
    books_balance(&market, &[&asha, &ravi], loads);
    asha.puts_apart(delivery, &[2], Some(loads[0])).expect("moved again");
    both_sync(&asha, &ravi);
    for person in [&asha, &ravi] {
        assert_eq!(conflict(person), None, "{}", person.name);
        let view = person.client.delivery(delivery).expect("a delivery");
        assert_eq!(view.bags[1].load_id, Some(loads[0]));
    }
    // Moves to the same load are no conflict.
    asha.puts_apart(delivery, &[3], Some(loads[0])).expect("put apart");
    ravi.puts_apart(delivery, &[3], Some(loads[0])).expect("put apart");
    both_sync(&asha, &ravi);
    assert_eq!(conflict(&asha), None);
    books_balance(&market, &[&asha, &ravi], loads);
}

#[test]
fn what_is_put_on_a_load_after_its_manifest_is_late_and_the_rest_is_not() {
    let (market, asha, ravi, loads) = two_lorries(913);
    let farmer = farmer(&asha);
    let [named, other] = [[20_000, 21_000, 22_000], [30_000, 31_000, 32_000]].map(|it| {
        let delivery = asha.weighs(farmer, Some(loads[1]), &it).delivery_id;
        asha.puts_apart(delivery, &[1], Some(loads[0])).expect("put apart");
        delivery
    });
    both_sync(&asha, &ravi);
    departs(&asha, loads[0]);
    // Ravi knows nothing of the departure.
    ravi.puts_apart(named, &[2], Some(loads[0])).expect("put apart");
    ravi.puts_apart(other, &[1], Some(loads[1])).expect("taken off the load that left");
    both_sync(&asha, &ravi);
    assert_eq!(reviews(&asha, named), [ReviewCode::LateDelivery], "more of it is on the load than the manifest says");
    assert_eq!(reviews(&asha, other), Vec::<ReviewCode>::new(), "what the manifest names and is not there is not late");
    books_balance(&market, &[&asha, &ravi], loads);
    // A delivery of which no part was named.
    let third = ravi.weighs(farmer, Some(loads[1]), &[40_000, 41_000]).delivery_id;
    both_sync(&asha, &ravi);
    departs(&asha, loads[1]);
    ravi.puts_apart(third, &[2], None).expect("taken off");
    both_sync(&asha, &ravi);
    assert_eq!(reviews(&ravi, third), Vec::<ReviewCode>::new(), "less than the manifest says");
    // Now both phones know that the lorries left.
    let error = ravi.puts_apart(third, &[2], Some(loads[0])).expect_err("it left");
    assert!(matches!(error, Error::Invalid { field: "load_id", .. }), "{error:?}");
}

#[test]
fn a_manifest_names_parts_and_its_hash_covers_them() {
    let (_market, asha, ravi, loads) = two_lorries(914);
    let delivery = asha.weighs(farmer(&asha), Some(loads[0]), &[20_000, 21_000, 22_000]);
    let before = asha.client.load(loads[0]).expect("a load");
    asha.puts_apart(delivery.delivery_id, &[2, 3], Some(loads[1])).expect("put apart");
    let after = asha.client.load(loads[0]).expect("a load");
    assert_ne!(after.manifest_hash, before.manifest_hash);
    let stale = LoadEdit::RequestClose { manifest_hash: before.manifest_hash };
    assert_eq!(asha.client.change_load(after.basis, &stale, &[]).expect_err("it changed").code(), ErrorCode::Stale);
    let closed = asha.closes(loads[1]).expect("closing");
    assert_eq!((closed.close_requests[0].deliveries, closed.close_requests[0].gross_g), (1, Grams(43_000)));
    asha.syncs_wholly();
    ravi.syncs_wholly();
    let paper = |person: &Person| {
        let page = person.client.manifest(loads[1], Wording::default()).expect("a manifest");
        text::render(&page, PaperWidth::Mm80)
    };
    let text = paper(&asha);
    assert!(text.contains("Part") && text.contains("43.0"), "{text}");
    assert_eq!(paper(&ravi), text);
    // The part of the other lorry has the hash of its own lines.
    assert_ne!(closed.manifest_hash, after.manifest_hash);
}

#[test]
fn a_wrong_move_of_bags_is_refused_and_writes_nothing() {
    let (_market, asha, _ravi, loads) = two_lorries(915);
    let view = asha.weighs(farmer(&asha), Some(loads[0]), &[20_000, 21_000]);
    let ids: Vec<String> = view.bags.iter().map(|bag| bag.bag_id.clone()).collect();
    let edit = |load_id, ids: &[&str]| DeliveryEdit::SetLoadOfBags {
        load_id,
        ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        overload_reason: None,
    };
    let void = DeliveryEdit::VoidBag { bag_id: ids[0].clone(), reason: reason("mistyped") };
    let cancelled = asha.opens("KA07A3333");
    let cancel = LoadEdit::Cancel { reason: reason("rain") };
    asha.client.change_load(cancelled.basis, &cancel, &[]).expect("cancelled");
    let unknown = LoadId::from([7; 16]);
    for (edits, field) in [
        (vec![edit(None, &[])], "ids"),
        (vec![edit(None, &["v1-9"])], "ids"),
        (vec![edit(None, &[&ids[0], &ids[0]])], "ids"),
        (vec![void, edit(None, &[&ids[0]])], "ids"),
        (vec![edit(None, &[&ids[0]]), edit(Some(loads[1]), &[&ids[0]])], "ids"),
        (vec![edit(Some(unknown), &[&ids[0]])], "load_id"),
        (vec![edit(Some(cancelled.load_id), &[&ids[0]])], "load_id"),
    ] {
        let result = asha.client.amend_delivery(view.basis, &reason("no_room"), &edits);
        let error = result.expect_err("refused");
        assert!(matches!(error, Error::Invalid { field: it, .. } if it == field), "{field}: {error:?}");
        assert_eq!(asha.client.delivery(view.delivery_id).expect("a delivery").basis, view.basis);
    }
}

#[test]
fn bags_above_the_capacity_of_a_lorry_need_a_reason() {
    let (market, asha, ravi, loads) = two_lorries(916);
    let farmer = farmer(&asha);
    // 9 t may be loaded, and 9.45 t with a reason.
    for _ in 0..9 {
        asha.weighs(farmer, Some(loads[1]), &[1_000_000]);
    }
    let view = asha.weighs(farmer, Some(loads[0]), &[450_000, 1_000]);
    let ids: Vec<String> = view.bags.iter().map(|bag| bag.bag_id.clone()).collect();
    let edit = |ids: &[String], overload_reason| DeliveryEdit::SetLoadOfBags {
        load_id: Some(loads[1]),
        ids: ids.to_vec(),
        overload_reason,
    };
    let amends = |basis, edit| asha.client.amend_delivery(basis, &reason("no_room"), &[edit]);
    let error = amends(view.basis, edit(&ids, None)).expect_err("no reason");
    assert!(matches!(error, Error::Invalid { field: "overload_reason", .. }), "{error:?}");
    let moved = amends(view.basis, edit(&ids[..1], None)).expect("as much as may be");
    let error = amends(moved.basis, edit(&ids[1..], None)).expect_err("no reason");
    assert!(matches!(error, Error::Invalid { field: "overload_reason", .. }), "{error:?}");
    // What is on it already adds nothing.
    let moved = amends(moved.basis, edit(&ids[..1], None)).expect("it is there already");
    amends(moved.basis, edit(&ids[1..], Some(reason("last_lorry")))).expect("with a reason");
    both_sync(&asha, &ravi);
    assert_eq!(sum(&ravi, loads[1]), (10, 11, 9_451_000));
    books_balance(&market, &[&asha, &ravi], loads);
}

#[test]
fn a_delivery_of_which_nothing_is_put_apart_costs_no_byte_more() {
    let (market, asha, _ravi, loads) = two_lorries(917);
    let farmer = farmer(&asha);
    asha.syncs_wholly();
    let records = |edits: &[DraftEdit]| {
        let draft = asha.starts(Some(farmer), Some(loads[0]));
        let draft = asha.client.edit_draft(draft.basis, &[bag(20_000), bag(21_000)]).expect("weighed");
        let draft = asha.client.edit_draft(draft.basis, edits).expect("edited");
        asha.client.record_delivery(draft.basis, &Check::ALL).expect("recorded");
        Forger::with_phone_of(&asha, &market).outbox().pop().expect("a change").change.len()
    };
    let plain = records(&[DraftEdit::SetSecondHeap(true)]);
    let same = DraftEdit::SetLoadOfBags { load_id: Some(loads[0]), numbers: vec![1, 2] };
    assert_eq!(records(&[DraftEdit::SetSecondHeap(true), same]), plain);
    let other = DraftEdit::SetLoadOfBags { load_id: Some(loads[1]), numbers: vec![1] };
    assert!(records(&[DraftEdit::SetSecondHeap(true), other]) > plain);
}

#[test]
fn the_bags_counted_in_lots_are_shared_out_by_weight_and_add_up() {
    let (market, asha, ravi, loads) = two_lorries(918);
    let lot = |grams: i64| DraftEdit::AddLot {
        gross: Grams(grams).try_into().expect("a weight"),
        vehicle: None,
        source: None,
        grade: None,
        scale: None,
    };
    let counts = vec![BagCount { bag_type: BagType::default(), grade: None, count: 10 }];
    let draft = asha.starts(Some(farmer(&asha)), Some(loads[0]));
    let edits = [
        lot(100_000),
        lot(200_000),
        DraftEdit::SetBagCounts(counts),
        DraftEdit::SetLoadOfBags { load_id: Some(loads[1]), numbers: vec![2] },
    ];
    let draft = asha.client.edit_draft(draft.basis, &edits).expect("weighed");
    let recorded = asha.client.record_delivery(draft.basis, &Check::ALL).expect("recorded");
    both_sync(&asha, &ravi);
    let on: BTreeMap<_, _> = recorded.parts.iter().map(|it| (it.load_id, (it.bags, it.gross_g.0))).collect();
    let (first, second) = (on[&Some(loads[0])], on[&Some(loads[1])]);
    assert_eq!((first.1, second.1, first.0 + second.0), (100_000, 200_000, 10));
    assert!((3..=4).contains(&first.0), "{first:?}");
    assert_eq!(sum(&ravi, loads[1]), (1, u64::from(second.0), 200_000));
    assert_eq!(fingerprint(&ravi.database()), fingerprint(&market.server_database()));
}

#[test]
fn a_delivery_recorded_again_for_another_farmer_stays_in_its_parts() {
    let (market, asha, ravi, loads) = two_lorries(919);
    let (first, second) = (farmer(&asha), asha.registers("Muniyappa", "Vemagal", "").farmer_id);
    let delivery = asha.weighs(first, Some(loads[0]), &[20_000, 21_000, 22_000]).delivery_id;
    let view = asha.puts_apart(delivery, &[2], Some(loads[1])).expect("put apart");
    let again =
        asha.client.correct_farmer(view.basis, second, &reason("wrong_farmer"), &Check::ALL).expect("corrected");
    assert_eq!(parts(&again), parts(&view));
    assert_eq!((sum(&asha, loads[0]), sum(&asha, loads[1])), ((1, 2, 42_000), (1, 1, 21_000)));
    both_sync(&asha, &ravi);
    books_balance(&market, &[&asha, &ravi], loads);
}

#[test]
fn parts_of_a_delivery_are_moved_up_to_a_limit() {
    let (_market, asha, _ravi, loads) = two_lorries(920);
    let mut view = asha.weighs(farmer(&asha), None, &[20_000]);
    let edit = |view: &DeliveryView, load| DeliveryEdit::SetLoadOfBags {
        load_id: load,
        ids: vec![view.bags[0].bag_id.clone()],
        overload_reason: None,
    };
    for number in 0..MAX_MOVES {
        let load = loads[number % 2];
        let edits = [edit(&view, Some(load))];
        view = asha.client.amend_delivery(view.basis, &reason("no_room"), &edits).expect("moved");
    }
    let error = asha.client.amend_delivery(view.basis, &reason("no_room"), &[edit(&view, None)]).expect_err("too many");
    assert!(matches!(error, Error::TooLarge { field: "moves", .. }), "{error:?}");
    assert_eq!(conflict(&asha), None, "moves one after the other are no conflict");
}

#[test]
fn parts_of_two_phones_that_overload_a_lorry_together_are_reviewed() {
    let (market, asha, ravi, loads) = two_lorries(921);
    let farmer = farmer(&asha);
    // 9.45 t are the most; each phone knows less.
    let heaps = [asha.weighs(farmer, Some(loads[0]), &[1_000_000, 1_000, 450_000]).delivery_id, {
        ravi.syncs_wholly();
        both_sync(&asha, &ravi);
        ravi.weighs(farmer, Some(loads[0]), &[1_000_000]).delivery_id
    }];
    for _ in 0..7 {
        asha.weighs(farmer, Some(loads[1]), &[1_000_000]);
    }
    let reviews = |person: &Person| person.client.load(loads[1]).expect("a load").reviews;
    asha.puts_apart(heaps[0], &[1, 3], Some(loads[1])).expect("put apart");
    ravi.puts_apart(heaps[1], &[1], Some(loads[1])).expect("put apart");
    both_sync(&asha, &ravi);
    assert_eq!((sum(&asha, loads[1]).2, reviews(&asha)), (9_450_000, Vec::new()), "as much as may be");
    let view = asha.client.delivery(heaps[0]).expect("a delivery");
    let edit = DeliveryEdit::SetLoadOfBags {
        load_id: Some(loads[1]),
        ids: vec![view.bags[1].bag_id.clone()],
        overload_reason: Some(reason("last_lorry")),
    };
    asha.client.amend_delivery(view.basis, &reason("no_room"), &[edit]).expect("put apart");
    both_sync(&asha, &ravi);
    assert_eq!(reviews(&ravi), [ReviewCode::OverCapacity]);
    books_balance(&market, &[&asha, &ravi], loads);
}

#[test]
fn a_clerk_changes_a_delivery_no_more_once_a_part_of_it_has_left() {
    let (mut market, asha, ravi, loads) = two_lorries(922);
    let sita = market.hires("Sita", "clerk");
    let farmer = farmer(&asha);
    for person in [&asha, &sita] {
        person.syncs_wholly();
    }
    let delivery = sita.weighs(farmer, Some(loads[0]), &[20_000, 21_000]).delivery_id;
    sita.puts_apart(delivery, &[2], Some(loads[1])).expect("put apart");
    for person in [&sita, &asha] {
        person.syncs_wholly();
    }
    departs(&asha, loads[1]);
    for person in [&asha, &sita] {
        person.syncs_wholly();
    }
    let error = sita.amends(delivery, 30_000).expect_err("it left");
    assert_eq!(error.code(), ErrorCode::NotAllowed, "{error}");
    ravi.syncs_wholly();
    ravi.amends(delivery, 30_000).expect("who answers for the centre may");
}

#[test]
fn reports_divide_a_delivery_among_its_loads() {
    let (_market, asha, _ravi, loads) = two_lorries(923);
    let farmer = farmer(&asha);
    let delivery = asha.weighs(farmer, Some(loads[0]), &[20_000, 21_000, 22_000]);
    asha.weighs(farmer, None, &[30_000]);
    asha.puts_apart(delivery.delivery_id, &[2, 3], Some(loads[1])).expect("put apart");
    let report = |report| asha.client.report(&ReportQuery::new(report)).expect("a report");
    let column = |of: &Report, name: &str| of.columns.iter().position(|it| it == name).expect("a column");
    let numbers = |of: &Report, name: &str| -> Vec<i64> {
        let column = column(of, name);
        let number = |row: &Vec<Cell>| if let Cell::Number(number) = row[column] { number } else { panic!("{row:?}") };
        of.rows.iter().map(number).collect()
    };
    let by_load = report(ReportCode::ByLoad);
    assert_eq!(numbers(&by_load, "gross_g"), [30_000, 20_000, 43_000]);
    assert_eq!((numbers(&by_load, "bags"), numbers(&by_load, "deliveries")), (vec![1, 1, 2], vec![1, 1, 1]));
    let day = report(ReportCode::ByDay);
    for sum in ["gross_g", "tare_g", "moisture_g", "allowance_g", "quality_g", "net_g", "bags"] {
        assert_eq!(numbers(&by_load, sum).iter().sum::<i64>(), numbers(&day, sum).iter().sum::<i64>(), "{sum}");
    }
    let deliveries = report(ReportCode::Deliveries);
    let [first, second] = loads.map(|load| asha.client.load(load).expect("a load").number);
    let shown = column(&deliveries, "load_number");
    let shown: Vec<&Cell> = deliveries.rows.iter().map(|row| &row[shown]).collect();
    assert_eq!(shown, [&Cell::Text(format!("{first} + {second}")), &Cell::Empty]);
    // Late is what was put on the load after its manifest, with the weight of that part.
    asha.closes(loads[1]).expect("closing");
    let other = asha.weighs(farmer, Some(loads[1]), &[40_000, 41_000]);
    asha.puts_apart(other.delivery_id, &[1], Some(loads[0])).expect("put apart");
    assert_eq!(numbers(&report(ReportCode::LateDeliveries), "gross_g"), [41_000]);
}
