//! Items of the inbox, and what a person may decide about them.

use farmtally_core::ErrorCode;
use farmtally_core::client::{Choice, DeliveryEdit, InboxItem, InboxKind};
use farmtally_core::units::ChangeHash;
use farmtally_tests::{Market, Person, fingerprint, reason};

#[test]
fn a_conflict_ends_with_the_choice_of_somebody_who_may_make_it() {
    let mut market = Market::open(31);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let sita = market.hires("Sita", "clerk");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let loads = [asha.opens("KA07A1111").load_id, asha.opens("KA07A2222").load_id];
    let delivery = asha.weighs(farmer, None, &[20_000]).delivery_id;
    for person in [&asha, &ravi] {
        person.syncs_wholly();
    }
    asha.moves(delivery, Some(loads[0])).expect("moved");
    ravi.moves(delivery, Some(loads[1])).expect("moved");
    for person in [&asha, &ravi, &asha, &sita] {
        person.syncs_wholly();
    }
    let conflict = |person: &Person| {
        let is_conflict = |item: &InboxItem| matches!(item.kind, InboxKind::Conflict(_));
        person.inbox().into_iter().find(is_conflict)
    };
    let item = conflict(&asha).expect("a conflict");
    let choices = item.choices;
    assert_eq!(choices.len(), 2);
    let seen = conflict(&sita).expect("a conflict").basis;
    let refused =
        |person: &Person, basis, choice: &Choice| person.client.resolve(basis, choice).expect_err("refused").code();
    assert_eq!(refused(&sita, seen, &choices[1]), ErrorCode::NotAllowed);
    let nobody = Choice::Keep { field: "load".into(), change: ChangeHash([7; 32]) };
    let nothing = Choice::Keep { field: "v1".into(), change: ChangeHash([7; 32]) };
    for choice in [nobody, nothing] {
        assert_eq!(refused(&asha, item.basis, &choice), ErrorCode::Stale);
    }
    asha.client.resolve(item.basis, &choices[1]).expect("resolved");
    assert_eq!(conflict(&asha), None);
    assert_eq!(refused(&asha, item.basis, &choices[0]), ErrorCode::Stale);
    // Ravi chooses another value without knowing of her choice: that is another conflict, and nothing is lost.
    let other = conflict(&ravi).expect("a conflict");
    let otherwise = other.choices.into_iter().find(|choice| *choice == choices[0]).expect("the same choice");
    ravi.client.resolve(other.basis, &otherwise).expect("resolved");
    for person in [&asha, &ravi, &asha] {
        person.syncs_wholly();
    }
    let again = conflict(&asha).expect("a conflict");
    asha.client.resolve(again.basis, &again.choices[0]).expect("resolved");
    for person in [&asha, &ravi, &sita] {
        person.syncs_wholly();
        assert_eq!(conflict(person), None, "{}", person.name);
        assert_eq!(fingerprint(&person.database()), fingerprint(&market.server_database()));
    }
}

#[test]
fn the_empty_value_of_a_conflict_can_be_chosen() {
    let mut market = Market::open(33);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let loads = [asha.opens("KA07A1111").load_id, asha.opens("KA07A2222").load_id];
    let delivery = asha.weighs(farmer, Some(loads[0]), &[20_000]).delivery_id;
    for person in [&asha, &ravi] {
        person.syncs_wholly();
    }
    asha.moves(delivery, Some(loads[1])).expect("moved");
    ravi.moves(delivery, None).expect("taken off");
    for person in [&ravi, &asha] {
        person.syncs_wholly();
    }
    let item = asha.inbox().into_iter().find(|item| matches!(item.kind, InboxKind::Conflict(_))).expect("a conflict");
    let InboxKind::Conflict(conflict) = &item.kind else { panic!("a conflict") };
    let empty = conflict.values.iter().find(|value| !value.text.contains('-')).expect("no load").change;
    let choice = Choice::Keep { field: "load".into(), change: empty.expect("a choice") };
    asha.client.resolve(item.basis, &choice).expect("resolved");
    assert_eq!(asha.client.delivery(delivery).expect("a delivery").load_id, None);
    assert_eq!(asha.inbox(), []);
}

#[test]
fn of_two_edits_of_one_field_in_one_amendment_the_last_counts() {
    let mut market = Market::open(34);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let loads = [asha.opens("KA07A1111").load_id, asha.opens("KA07A2222").load_id];
    let delivery = asha.weighs(farmer, None, &[20_000, 21_000]);
    asha.syncs_wholly();
    let seen = asha.client.delivery(delivery.delivery_id).expect("a delivery");
    let date = |text: &str| DeliveryEdit::SetBusinessDate(text.parse().expect("a date"));
    let edits = [
        DeliveryEdit::SetLoad(Some(loads[0])),
        DeliveryEdit::SetDeclaredBags(Some(1)),
        date("2019-05-07"),
        DeliveryEdit::SetDeclaredBags(Some(2)),
        DeliveryEdit::SetLoad(Some(loads[1])),
        date("2019-05-08"),
    ];
    asha.client.amend_delivery(seen.basis, &reason("mistyped"), &edits).expect("amended");
    asha.amends(delivery.delivery_id, 30_000).expect("amended");
    for person in [&asha, &ravi] {
        person.syncs_wholly();
        let view = person.client.delivery(delivery.delivery_id).expect("a delivery");
        assert_eq!((view.load_id, view.declared_bags), (Some(loads[1]), Some(2)));
        assert_eq!((view.business_date.to_string(), view.totals.gross_g.0), ("2019-05-08".to_owned(), 71_000));
        assert!(person.inbox().is_empty(), "{:?}", person.inbox());
    }
    let seen = asha.client.delivery(delivery.delivery_id).expect("a delivery");
    let void = DeliveryEdit::VoidBag { bag_id: seen.bags[0].bag_id.clone(), reason: reason("mistyped") };
    let error = asha.client.amend_delivery(seen.basis, &reason("mistyped"), &[void.clone(), void]);
    assert_eq!(error.expect_err("one bag twice").code(), ErrorCode::InvalidInput);
}
