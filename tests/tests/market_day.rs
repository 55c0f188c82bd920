//! Stories of a market day.

use farmtally_core::client::InboxKind;
use farmtally_core::rules::Check;
use farmtally_core::units::Grams;
use farmtally_tests::{Market, all_deliveries, fingerprint};

/// A morning with a correction, a void, two loads for one lorry, a late delivery and a farmer who is registered twice.
#[test]
fn two_phones_without_network_agree_after_they_sync() {
    let mut market = Market::open(1);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));

    let lakshmi = asha.registers("Lakshmi Devi", "Vemagal", "+91 98450 11111");
    let twice = ravi.registers("L. Devi", "Vemagal", "+919845011111");
    let load = asha.opens("KA07A1111");
    ravi.joins(&load.join_code);
    asha.opens("KA07A2222");
    ravi.opens("KA07A2222");

    let first = asha.weighs(lakshmi.farmer_id, Some(load.load_id), &[20_000, 21_500]);
    asha.syncs_wholly();
    ravi.syncs_wholly();
    asha.amends(first.delivery_id, 19_000).expect("amended");
    ravi.voids(first.delivery_id).expect("voided");
    let second = asha.weighs(lakshmi.farmer_id, Some(load.load_id), &[22_000]);
    asha.closes(load.load_id).expect("closing");
    let late = ravi.weighs(twice.farmer_id, Some(load.load_id), &[18_200, 18_300]);

    asha.syncs_wholly();
    ravi.syncs_wholly();
    asha.syncs_wholly();

    let date = "2019-05-09".parse().expect("a date");
    let day = market.server.day(market.organisation, Some(date)).expect("a day");
    let server = day.centres[0].sum;
    assert_eq!(server.gross_g, Grams(22_000 + 18_200 + 18_300));
    assert_eq!((server.deliveries, server.voided), (2, 1));
    assert_eq!((asha.sum(), ravi.sum()), (server, server));
    assert_eq!(fingerprint(&asha.database()), fingerprint(&ravi.database()));

    let raised: Vec<(&str, usize)> = day.reviews.iter().map(|(code, count)| (code.as_str(), *count)).collect();
    assert_eq!(raised, [("farmer_look_alike", 1), ("late_delivery", 1), ("load_contention", 1)]);
    let view = ravi.client.delivery(late.delivery_id).expect("a delivery");
    assert_eq!(view.reviews, ["late_delivery"]);
    assert!(asha.client.delivery(second.delivery_id).expect("a delivery").reviews.is_empty());
    let conflicts: Vec<_> = asha
        .inbox()
        .into_iter()
        .filter_map(|item| match item.kind {
            InboxKind::Conflict(conflict) => Some((conflict.field, conflict.is_hard, conflict.values.len())),
            _ => None,
        })
        .collect();
    assert_eq!(conflicts, [("lifecycle".to_owned(), false, 2)]);
}

#[test]
fn a_list_has_the_order_in_which_deliveries_were_recorded_though_drafts_were_begun_in_another() {
    let mut market = Market::open(2);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let mut drafts = [20_000, 21_000, 22_000].map(|grams| asha.adds_bag(&asha.starts(Some(farmer), None), grams));
    drafts.reverse();
    for draft in &drafts {
        market.clock.pass(1);
        asha.client.record_delivery(draft.basis, &Check::ALL).expect("recorded");
    }
    asha.syncs_wholly();
    ravi.syncs_wholly();
    drafts.reverse();
    for person in [&asha, &ravi] {
        let listed: Vec<_> = all_deliveries(&person.client).iter().map(|row| row.delivery_id).collect();
        assert_eq!(listed, drafts.iter().map(|draft| draft.delivery_id).collect::<Vec<_>>(), "{}", person.name);
    }
}
