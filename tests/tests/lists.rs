//! Lists of deliveries, farmers and loads: every filter, both orders, and pages that are stable while records arrive.

use std::collections::BTreeSet;

use farmtally_core::client::{
    DeliveryItem, DeliveryPage, DeliveryQuery, FarmerInput, FarmerQuery, LoadEdit, LoadItem, LoadQuery,
};
use farmtally_core::limits::MAX_PAGE;
use farmtally_core::permission::Role;
use farmtally_core::records::farmer::ContactDetails;
use farmtally_core::records::load::LoadState;
use farmtally_core::rules::Check;
use farmtally_core::units::{BusinessDate, CentreCode, DeliveryId};
use farmtally_core::{Error, ErrorCode};
use farmtally_tests::{Market, Person, all_deliveries};

fn code(text: &str) -> CentreCode {
    text.parse().expect("a code")
}

/// All pages of a list of deliveries, each of two rows.
fn in_pages(person: &Person, query: &DeliveryQuery, mut between: impl FnMut()) -> Vec<DeliveryId> {
    let (mut all, mut query) = (Vec::new(), DeliveryQuery { limit: 2, ..query.clone() });
    loop {
        let DeliveryPage { items, next } = person.client.deliveries(&query).expect("a page");
        assert!(items.len() == 2 || next.is_none(), "only the last page is shorter");
        all.extend(items.into_iter().map(|item: DeliveryItem| item.row.delivery_id));
        query.after = Some(match next {
            Some(next) => next,
            None => return all,
        });
        between();
    }
}

fn on(date: &str) -> BusinessDate {
    date.parse().expect("a date")
}

#[test]
fn pages_of_both_orders_have_each_delivery_once_while_others_arrive_and_change() {
    let mut market = Market::open(1);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    ravi.syncs_wholly();
    let recorded: Vec<_> = (0..9).map(|n| asha.weighs(farmer, None, &[20_000 + n]).delivery_id).collect();
    asha.syncs_wholly();
    for oldest_first in [true, false] {
        let query = DeliveryQuery { oldest_first, ..DeliveryQuery::default() };
        let mut arrivals = 0;
        let read = in_pages(&asha, &query, || {
            arrivals += 1;
            if arrivals > 4 {
                return;
            }
            // One from elsewhere, one here, and a change of one.
            ravi.weighs(farmer, None, &[30_000]);
            ravi.syncs_wholly();
            asha.syncs_wholly();
            asha.weighs(farmer, None, &[31_000]);
            asha.amends(recorded[4], 500).expect("amended");
        });
        let mut of_before: Vec<_> = read.iter().copied().filter(|id| recorded.contains(id)).collect();
        if !oldest_first {
            of_before.reverse();
        }
        assert_eq!(of_before, recorded, "oldest first: {oldest_first}");
        assert_eq!(read.iter().collect::<BTreeSet<_>>().len(), read.len(), "none twice");
    }
}

#[test]
fn a_page_follows_the_one_before_even_if_rows_were_projected_anew() {
    let mut market = Market::open(2);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let recorded: Vec<_> = (0..5).map(|n| asha.weighs(farmer, None, &[20_000 + n]).delivery_id).collect();
    let query = DeliveryQuery { oldest_first: true, ..DeliveryQuery::default() };
    let read = in_pages(&asha, &query, || assert!(asha.client.rebuild().expect("rebuilt") > 0));
    assert_eq!(read, recorded);
}

#[test]
fn deliveries_are_found_by_each_filter_and_by_several_at_once() {
    let mut market = Market::open(3);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let (lakshmi, ramesh) =
        (asha.registers("Lakshmi", "Vemagal", "").farmer_id, asha.registers("Ramesh", "Bethamangala", "").farmer_id);
    let load = asha.opens("KA07A1111").load_id;
    asha.syncs_wholly();
    ravi.syncs_wholly();
    let on_load = asha.weighs(lakshmi, Some(load), &[20_000]);
    let of_ramesh = asha.weighs(ramesh, None, &[21_000]).delivery_id;
    let of_ravi = ravi.weighs(lakshmi, None, &[22_000]).delivery_id;
    asha.voids(of_ramesh).expect("voided");
    market.clock.pass(86_400);
    let next_day = asha.weighs(lakshmi, None, &[23_000]).delivery_id;
    ravi.syncs_wholly();
    asha.syncs_wholly();
    let (first, second) = (on("2019-05-09"), on("2019-05-10"));
    let user = |person: &Person| person.client.session().expect("a session").user_id;
    let receipt = on_load.receipt_number.expect("a number").to_string();
    let without_check = receipt.rsplit_once('-').expect("a check").0.to_lowercase().replace('-', " – ");
    let any = DeliveryQuery::default;
    let on_load = on_load.delivery_id;
    let cases = [
        (any(), vec![on_load, of_ramesh, of_ravi, next_day]),
        (DeliveryQuery { receipt_number: Some(receipt.clone()), ..any() }, vec![on_load]),
        (DeliveryQuery { receipt_number: Some(without_check), ..any() }, vec![on_load]),
        (DeliveryQuery { receipt_number: Some(receipt.replace("KOLAR", "MALUR")[..10].into()), ..any() }, vec![]),
        (DeliveryQuery { centre: Some(code("KOLAR")), ..any() }, vec![on_load, of_ramesh, of_ravi, next_day]),
        (DeliveryQuery { load_id: Some(load), ..any() }, vec![on_load]),
        (DeliveryQuery { farmer_id: Some(lakshmi), ..any() }, vec![on_load, of_ravi, next_day]),
        (DeliveryQuery { user_id: Some(user(&ravi)), ..any() }, vec![of_ravi]),
        (DeliveryQuery { from_date: Some(second), ..any() }, vec![next_day]),
        (DeliveryQuery { to_date: Some(first), ..any() }, vec![on_load, of_ramesh, of_ravi]),
        (
            DeliveryQuery { from_date: Some(first), to_date: Some(second), ..any() },
            vec![on_load, of_ramesh, of_ravi, next_day],
        ),
        (DeliveryQuery { is_voided: Some(true), ..any() }, vec![of_ramesh]),
        (DeliveryQuery { is_voided: Some(false), ..any() }, vec![on_load, of_ravi, next_day]),
        (
            DeliveryQuery { farmer_id: Some(lakshmi), user_id: Some(user(&asha)), to_date: Some(first), ..any() },
            vec![on_load],
        ),
        (DeliveryQuery { load_id: Some(load), farmer_id: Some(ramesh), ..any() }, vec![]),
    ];
    for (query, expected) in cases {
        let read = in_pages(&asha, &DeliveryQuery { oldest_first: true, ..query.clone() }, || ());
        assert_eq!(read, expected, "{query:?}");
        let mut newest = in_pages(&asha, &query, || ());
        newest.reverse();
        assert_eq!(newest, expected, "{query:?}");
    }
}

#[test]
fn a_list_has_nothing_of_centres_that_are_not_granted() {
    let mut market = Market::open(4);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi", "Vemagal", "").farmer_id;
    let delivery = asha.weighs(farmer, None, &[20_000]);
    let (load, receipt) = (asha.opens("KA07A1111"), delivery.receipt_number.expect("a number").to_string());
    asha.syncs_wholly();
    let device = asha.client.session().expect("a session").device_code;
    market.server.grant(market.organisation, device, "Bela", Role::Clerk, &[code("MALUR")]).expect("granted");
    asha.syncs_wholly();
    let bela = asha.client.users().into_iter().find(|user| user.name == "Bela").expect("a user").user_id;
    asha.client.switch_user(bela).expect("switched");
    for query in [
        DeliveryQuery::default(),
        DeliveryQuery { farmer_id: Some(farmer), ..DeliveryQuery::default() },
        DeliveryQuery { receipt_number: Some(receipt), ..DeliveryQuery::default() },
    ] {
        assert_eq!(asha.client.deliveries(&query).expect("a page").items, [], "{query:?}");
    }
    let lorry = Some(load.lorry);
    assert_eq!(asha.client.loads(&LoadQuery { lorry, ..LoadQuery::default() }).expect("a page").items, []);
    let kolar = Some(code("KOLAR"));
    let refused = asha.client.deliveries(&DeliveryQuery { centre: kolar.clone(), ..DeliveryQuery::default() });
    assert_eq!(refused.expect_err("not granted").code(), ErrorCode::OutOfScope);
    let refused = asha.client.loads(&LoadQuery { centre: kolar, ..LoadQuery::default() });
    assert_eq!(refused.expect_err("not granted").code(), ErrorCode::OutOfScope);
    assert_eq!(asha.farmers("").expect_err("not granted").code(), ErrorCode::OutOfScope);
}

#[test]
fn farmers_are_found_by_word_code_village_and_either_end_of_a_number_page_by_page() {
    let mut market = Market::open(5);
    let asha = market.hires("Asha", "field_manager");
    let of = |name: &str, village: &str, phone: &str| asha.registers(name, village, phone);
    let lakshmi = of("Lakshmi Devi", "Vemagal", "098450 11223");
    let ramesh = of("ರಮೇಶ್", "Bethamangala", "98450 44223");
    let ruth = of("Ruth Wanjiru", "Vemagal", "12345");
    let names = |text: &str| {
        let page = asha.farmers(text).expect("a page");
        assert_eq!(page.next, None);
        page.items.into_iter().map(|row| row.contact.name).collect::<Vec<_>>()
    };
    let (l, k, r) = ("Lakshmi Devi", "ರಮೇಶ್", "Ruth Wanjiru");
    for (text, expected) in [
        ("", vec![r, k, l]),
        ("lak", vec![l]),
        ("ರಮೇ", vec![k]),
        ("vema", vec![r, l]),
        ("lak vema", vec![l]),
        ("223", vec![k, l]),
        ("11223", vec![l]),
        ("9845011223", vec![l]),
        ("345", vec![r]),
        ("45", vec![]),
        ("984 50", vec![k, l]),
        ("0 11223", vec![l]),
        (lakshmi.code.as_str(), vec![l]),
        (&ramesh.code.to_lowercase().replace('-', " - "), vec![k]),
        (&format!("{}9", ruth.code), vec![]),
    ] {
        assert_eq!(names(text), expected, "{text:?}");
    }
    for (text, oldest_first, expected) in
        [("", false, vec![r, k, l]), ("", true, vec![l, k, r]), ("vema", false, vec![r, l]), ("vema", true, vec![l, r])]
    {
        let mut query = FarmerQuery { oldest_first, limit: 1, ..FarmerQuery::new(code("KOLAR"), text) };
        let mut read = Vec::new();
        loop {
            let page = asha.client.farmers(&query).expect("a page");
            read.extend(page.items.into_iter().map(|row| row.contact.name));
            query.after = Some(match page.next {
                Some(next) => next,
                None => break,
            });
        }
        assert_eq!(read, expected, "{text:?} {oldest_first}");
    }
    // A number that is corrected is found by its new end only.
    let details = ContactDetails { phone: "98450 99999".into(), ..lakshmi.contact };
    asha.client.edit_farmer(lakshmi.farmer_id, lakshmi.basis, &details).expect("edited");
    assert_eq!((names("11223"), names("99999")), (vec![], vec![l.to_owned()]));
}

#[test]
fn loads_are_listed_by_state_lorry_and_day_with_their_totals() {
    let mut market = Market::open(6);
    let asha = market.hires("Asha", "dispatcher");
    let farmer = asha.registers("Lakshmi", "Vemagal", "").farmer_id;
    let full = asha.opens("KA07A1111");
    asha.weighs(farmer, Some(full.load_id), &[20_000, 30_000]);
    asha.closes(full.load_id).expect("closing");
    let planned = asha.plans("KA07A2222").load_id;
    market.clock.pass(86_400);
    let second_trip = asha.opens("KA07A1111").load_id;
    let full = full.load_id;
    let any = LoadQuery::default;
    for (query, expected) in [
        (any(), vec![second_trip, planned, full]),
        (LoadQuery { states: vec![LoadState::Closing], ..any() }, vec![full]),
        (LoadQuery { states: vec![LoadState::Planned, LoadState::Open], ..any() }, vec![second_trip, planned]),
        (LoadQuery { lorry: Some("KA07A1111".parse().expect("a plate")), ..any() }, vec![second_trip, full]),
        (LoadQuery { to_date: Some(on("2019-05-09")), ..any() }, vec![planned, full]),
        (LoadQuery { centre: Some(code("KOLAR")), from_date: Some(on("2019-05-10")), ..any() }, vec![second_trip]),
        (LoadQuery { states: vec![LoadState::Received], ..any() }, vec![]),
    ] {
        for oldest_first in [false, true] {
            let (mut read, mut query) = (Vec::new(), LoadQuery { oldest_first, limit: 1, ..query.clone() });
            loop {
                let page = asha.client.loads(&query).expect("a page");
                read.extend(page.items.into_iter().map(|item: LoadItem| item.row.load_id));
                query.after = Some(match page.next {
                    Some(next) => next,
                    None => break,
                });
            }
            if oldest_first {
                read.reverse();
            }
            assert_eq!(read, expected, "{query:?}");
        }
    }
    let item =
        asha.client.loads(&LoadQuery { states: vec![LoadState::Closing], ..any() }).expect("a page").items.remove(0);
    assert_eq!((item.sum.deliveries, item.sum.bags, item.sum.gross_g.0), (1, 2, 50_000));
    assert_eq!(asha.client.load(full).expect("a load").sync, item.sync);
    let basis = asha.client.load(planned).expect("a load").basis;
    asha.client.change_load(basis, &LoadEdit::Open, &[]).expect("opened");
    assert_eq!(asha.client.loads(&LoadQuery { states: vec![LoadState::Planned], ..any() }).expect("a page").items, []);
}

#[test]
fn a_page_has_one_to_200_rows() {
    let mut market = Market::open(7);
    let asha = market.hires("Asha", "field_manager");
    for number in 0..=MAX_PAGE {
        let details = ContactDetails { name: format!("Farmer {number}"), ..ContactDetails::default() };
        asha.client
            .register_farmer(&FarmerInput { centre: code("KOLAR"), details, tags: Vec::new() }, &Check::ALL)
            .expect("registered");
    }
    let farmers = |limit| asha.client.farmers(&FarmerQuery { limit, ..FarmerQuery::new(code("KOLAR"), "") });
    for (limit, rows) in [(1, 1), (MAX_PAGE - 1, MAX_PAGE - 1), (MAX_PAGE, MAX_PAGE)] {
        let page = farmers(limit).expect("a page");
        assert_eq!((page.items.len(), page.next.is_some()), (rows as usize, true));
    }
    for limit in [0, MAX_PAGE + 1, u32::MAX] {
        let deliveries = asha.client.deliveries(&DeliveryQuery { limit, ..DeliveryQuery::default() }).map(drop);
        let loads = asha.client.loads(&LoadQuery { limit, ..LoadQuery::default() }).map(drop);
        for refused in [farmers(limit).map(drop), deliveries, loads] {
            assert!(matches!(refused, Err(Error::Invalid { field: "limit", .. })), "{limit}: {refused:?}");
        }
    }
}

#[test]
fn a_wrong_query_names_its_field() {
    let mut market = Market::open(8);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi", "Vemagal", "").farmer_id;
    let receipt = asha.weighs(farmer, None, &[20_000]).receipt_number.expect("a number").to_string();
    let (body, check) = receipt.split_at(receipt.len() - 1);
    let misread = format!("{body}{}", if check == "A" { "B" } else { "A" });
    for text in ["", "17", "KOLAR", "KOLAR-10-x", misread.as_str(), &"9".repeat(10_000), "KOLAR-10-99999999999"] {
        let refused =
            asha.client.deliveries(&DeliveryQuery { receipt_number: Some(text.into()), ..DeliveryQuery::default() });
        let error = refused.expect_err(text);
        assert!(matches!(error, Error::Invalid { field: "receipt_number", .. }), "{text}: {error:?}");
    }
    let (first, second) = (Some(on("2019-05-09")), Some(on("2019-05-10")));
    let days = asha.client.deliveries(&DeliveryQuery { from_date: second, to_date: first, ..DeliveryQuery::default() });
    assert!(matches!(days, Err(Error::Invalid { field: "from_date", .. })), "{days:?}");
    let days = asha.client.loads(&LoadQuery { from_date: second, to_date: first, ..LoadQuery::default() });
    assert!(matches!(days, Err(Error::Invalid { field: "from_date", .. })), "{days:?}");
    let load = asha.opens("KA07A1111").load_id;
    asha.opens("KA07A2222");
    let of_loads = asha.client.loads(&LoadQuery { limit: 1, ..LoadQuery::default() }).expect("a page").next;
    for after in [Some(String::new()), Some("x".into()), Some("\u{202e}".into()), Some("A".repeat(10_000)), of_loads] {
        let refused = asha.client.deliveries(&DeliveryQuery { after: after.clone(), ..DeliveryQuery::default() });
        assert!(matches!(refused, Err(Error::Invalid { field: "after", .. })), "{after:?}: {refused:?}");
    }
    assert!(all_deliveries(&asha.client).len() == 1 && asha.client.load(load).is_ok());
}
