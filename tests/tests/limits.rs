//! Each limit at its edge: a value below or at it is accepted, one above it is refused with a code, and nothing is lost.

use farmtally_core::client::{DeliveryEdit, DeliveryView, DraftEdit, FarmerInput, OpenLoad, SyncOutcome};
use farmtally_core::limits::{
    BUNDLE_BYTES, MAX_BAGS, MAX_MANIFEST, MAX_PAYLOAD, MAX_RULE_SET, MAX_TEXT, MAX_WIRE_BYTES, PHONE_DIGITS,
};
use farmtally_core::records::BagSource;
use farmtally_core::records::delivery::Reason;
use farmtally_core::records::farmer::ContactDetails;
use farmtally_core::rules::Check;
use farmtally_core::units::{BagType, BagWeight, FarmerId, Grams};
use farmtally_core::{Error, ErrorCode};
use farmtally_sync_server::ReferenceFile;
use farmtally_tests::{Fault, Forger, Market, Person, all_deliveries, bag, fingerprint, reason};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

fn code<T>(result: Result<T, Error>) -> Option<ErrorCode> {
    result.err().map(|error| error.code())
}

fn bags(count: usize) -> Vec<DraftEdit> {
    vec![bag(20_000); count]
}

fn forgotten(count: usize) -> Vec<DeliveryEdit> {
    let gross: BagWeight = Grams(20_000).try_into().expect("a bag");
    vec![
        DeliveryEdit::AddBag {
            gross,
            bag_type: BagType::default(),
            source: Some(BagSource::Manual),
            grade: None,
            scale: None
        };
        count
    ]
}

#[test]
fn a_delivery_has_at_most_2000_bags() {
    let mut market = Market::open(1);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let amends = |view: &DeliveryView, count: usize| {
        asha.client.amend_delivery(view.basis, &reason("bag_forgotten"), &forgotten(count))
    };

    let draft = asha.starts(Some(farmer), None);
    assert_eq!(code(asha.client.edit_draft(draft.basis, &bags(MAX_BAGS + 1))), Some(ErrorCode::TooLarge));
    assert!(asha.client.delivery(draft.delivery_id).expect("a draft").bags.is_empty(), "none of them was taken");
    let draft = asha.client.edit_draft(draft.basis, &bags(MAX_BAGS - 1)).expect("one below");
    let draft = asha.client.edit_draft(draft.basis, &bags(1)).expect("at the limit");
    assert_eq!(code(asha.client.edit_draft(draft.basis, &bags(1))), Some(ErrorCode::TooLarge));
    let full = asha.client.record_delivery(draft.basis, &Check::ALL).expect("recorded");
    assert_eq!(full.bags.len(), MAX_BAGS);
    assert_eq!(code(amends(&full, 1)), Some(ErrorCode::TooLarge));

    let almost = asha.weighs(farmer, None, &[20_000]);
    assert_eq!(code(amends(&almost, MAX_BAGS)), Some(ErrorCode::TooLarge));
    let almost = amends(&almost, MAX_BAGS - 2).expect("one below");
    let almost = amends(&almost, 1).expect("at the limit");
    assert_eq!(almost.bags.len(), MAX_BAGS);
    assert_eq!(code(amends(&almost, 1)), Some(ErrorCode::TooLarge));

    asha.syncs_wholly();
    assert_eq!(asha.sum().bags, 2 * MAX_BAGS as u64);
    assert_eq!(fingerprint(&asha.database()), fingerprint(&market.server_database()));
}

/// Two clerks without contact may together exceed the limit: every bag weighed counts.
#[test]
fn bags_that_two_clerks_add_at_the_same_time_all_count_even_beyond_the_limit() {
    let mut market = Market::open(2);
    let (asha, ravi) = (market.hires("Asha", "dispatcher"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let draft = asha.starts(Some(farmer), None);
    let draft = asha.client.edit_draft(draft.basis, &bags(MAX_BAGS - 1)).expect("one below");
    let id = asha.client.record_delivery(draft.basis, &Check::ALL).expect("recorded").delivery_id;
    asha.syncs_wholly();
    ravi.syncs_wholly();
    asha.amends(id, 21_000).expect("amended");
    ravi.amends(id, 22_000).expect("amended");
    for person in [&asha, &ravi, &asha] {
        person.syncs_wholly();
    }
    assert_eq!((asha.sum().bags, ravi.sum().bags), (MAX_BAGS as u64 + 1, MAX_BAGS as u64 + 1));
    assert_eq!(fingerprint(&asha.database()), fingerprint(&market.server_database()));
    assert_eq!(code(asha.amends(id, 23_000)), Some(ErrorCode::TooLarge));
    asha.voids(id).expect("it can still be voided");
}

#[test]
fn a_manifest_names_at_most_1000_deliveries() {
    let mut market = Market::open(3);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let load = asha.opens("KA07A1111").load_id;
    for _ in 0..=MAX_MANIFEST {
        asha.weighs(farmer, Some(load), &[9_000]);
    }
    let error = asha.closes(load).expect_err("one too many");
    assert_eq!(error.code(), ErrorCode::TooLarge);
    let rows = all_deliveries(&asha.client);
    asha.moves(rows[0].delivery_id, None).expect("moved off");
    let closing = asha.closes(load).expect("at the limit");
    assert_eq!(closing.close_requests[0].deliveries as usize, MAX_MANIFEST);
    asha.syncs_wholly();
    let ravi = market.hires("Ravi", "dispatcher");
    assert_eq!(ravi.client.load(load).expect("a load").close_requests, closing.close_requests);
    assert_eq!(fingerprint(&ravi.database()), fingerprint(&market.server_database()));
}

#[test]
fn texts_have_at_most_200_characters() {
    let mut market = Market::open(4);
    let asha = market.hires("Asha", "field_manager");
    // Characters, not bytes: a letter of Kannada takes three.
    for letter in ["x", "ಕ"] {
        for (length, fits) in [(MAX_TEXT - 1, true), (MAX_TEXT, true), (MAX_TEXT + 1, false)] {
            let text = letter.repeat(length);
            let expected = (!fits).then_some(ErrorCode::InvalidInput);
            let registers = |name: &str, village: &str| {
                let details = ContactDetails {
                    name: name.into(),
                    village: village.into(),
                    phone: String::new(),
                    ..ContactDetails::default()
                };
                let input = FarmerInput { centre: "KOLAR".parse().expect("a code"), details, tags: Vec::new() };
                asha.client.register_farmer(&input, &Check::ALL)
            };
            assert_eq!(code(registers(&text, "")), expected, "a name of {length}");
            assert_eq!(code(registers("Lakshmi", &text)), expected, "a village of {length}");
            let found = asha.farmers(&text);
            assert_eq!(code(found), expected, "a search of {length}");
            let opens = OpenLoad {
                centre: "KOLAR".parse().expect("a code"),
                commodity: "TOMATO".parse().expect("a code"),
                lorry: "KA07A1111".parse().expect("a plate"),
                driver: Some(text.clone()),
                destination: None,
                is_planned: false,
            };
            assert_eq!(code(asha.client.open_load(&opens)), expected, "a driver of {length}");

            let farmer = asha.registers("Meena", "Vemagal", "").farmer_id;
            let delivery = asha.weighs(farmer, None, &[20_000]);
            let words = Reason { code: "rejected".into(), text: text.clone() };
            assert_eq!(code(asha.client.void_delivery(delivery.basis, &words)), expected, "words of {length}");
            let delivery = asha.weighs(farmer, None, &[20_000]);
            let named = Reason { code: text.clone(), text: String::new() };
            assert_eq!(code(asha.client.void_delivery(delivery.basis, &named)), expected, "a code of {length}");
        }
    }
    asha.syncs_wholly();
    assert_eq!(fingerprint(&asha.database()), fingerprint(&market.server_database()));
}

/// The place for which reference data is refused.
fn refused_path(json: &str) -> Option<String> {
    match ReferenceFile::parse(json) {
        Ok(_) => None,
        Err(farmtally_sync_server::Error::Reference { errors }) => errors.into_iter().map(|error| error.path).next(),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn payloads_and_numbers_of_rule_sets_are_bounded() {
    const CRATE: &str = r#"{"number": 0, "name": "crate", "tare_g": 1500}"#;
    let lorry = |payload: i64| format!(r#"{{"lorries": [{{"plate": "KA07A1111", "payload_g": {payload}}}]}}"#);
    for (payload, fits) in [(0, false), (1, true), (MAX_PAYLOAD.0, true), (MAX_PAYLOAD.0 + 1, false)] {
        let expected = (!fits).then_some("/lorries/0/payload_g");
        assert_eq!(refused_path(&lorry(payload)).as_deref(), expected, "{payload}");
    }
    let rules = |number: u32| {
        format!(
            r#"{{"rule_sets": [{{"number": {number}, "commodity": "T", "valid_from": "2019-01-01", "bag_types": [{CRATE}]}}]}}"#
        )
    };
    for (number, fits) in [(0, false), (1, true), (MAX_RULE_SET, true), (MAX_RULE_SET + 1, false)] {
        let expected = (!fits).then_some("/rule_sets/0/number");
        assert_eq!(refused_path(&rules(number)).as_deref(), expected, "{number}");
    }
}

#[test]
fn telephone_numbers_have_5_to_15_digits() {
    let mut market = Market::open(5);
    let asha = market.hires("Asha", "field_manager");
    let (least, most) = (*PHONE_DIGITS.start(), *PHONE_DIGITS.end());
    for (digits, fits) in [(0, true), (1, false), (least - 1, false), (least, true), (most, true), (most + 1, false)] {
        let details = ContactDetails {
            name: "Meena".into(),
            village: String::new(),
            phone: "7".repeat(digits),
            ..ContactDetails::default()
        };
        let input = FarmerInput { centre: "KOLAR".parse().expect("a code"), details, tags: Vec::new() };
        let result = asha.client.register_farmer(&input, &Check::ALL);
        assert_eq!(code(result), (!fits).then_some(ErrorCode::InvalidInput), "{digits} digits");
    }
}

/// Records a delivery with the largest number of bags, whose weights compress badly.
fn weighs_heavily(person: &Person, farmer: FarmerId, random: &mut StdRng) {
    let draft = person.starts(Some(farmer), None);
    let edits: Vec<DraftEdit> = (0..MAX_BAGS).map(|_| bag(random.random_range(1..1_000_000))).collect();
    let draft = person.client.edit_draft(draft.basis, &edits).expect("weighed");
    person.client.record_delivery(draft.basis, &Check::ALL).expect("recorded");
}

#[test]
fn an_outbox_larger_than_a_bundle_goes_as_several() {
    let mut market = Market::open(6);
    let asha = market.hires("Asha", "field_manager");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let mut random = StdRng::seed_from_u64(6);
    let mut bytes = 0;
    while bytes <= BUNDLE_BYTES {
        weighs_heavily(&asha, farmer, &mut random);
        bytes = Forger::with_phone_of(&asha, &market).outbox().iter().map(|entry| entry.change.len()).sum();
    }
    weighs_heavily(&asha, farmer, &mut random);
    let report = asha.syncs().expect("a sync");
    assert_eq!(report.outcome, SyncOutcome::Complete);
    // One of these deliveries fills a bundle.
    assert_eq!(Forger::with_phone_of(&asha, &market).bundles().len(), 2);
    assert_eq!(fingerprint(&asha.database()), fingerprint(&market.server_database()));
}

#[test]
fn an_outbox_larger_than_a_request_goes_in_several_and_comes_down_in_several() {
    let mut market = Market::open(7);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let mut random = StdRng::seed_from_u64(7);
    for _ in 0..140 {
        weighs_heavily(&asha, farmer, &mut random);
    }
    // The first request arrives and its answer is lost: nothing is sent twice in vain, nothing is forgotten.
    asha.network.plan(&[Fault::None, Fault::ResponseLost]);
    assert_eq!(asha.syncs().expect("offline").outcome, SyncOutcome::Offline);
    asha.network.plan(&[]);
    let report = asha.syncs().expect("a sync");
    assert_eq!(report.outcome, SyncOutcome::Complete);
    assert!(report.progress.bytes_up > MAX_WIRE_BYTES as u64, "{:?}", report.progress);
    assert!(report.progress.requests > 1);
    let backlog = asha.client.sync_status().expect("a status").backlog;
    assert_eq!((backlog.unsent, backlog.sent, backlog.held), (0, 0, 0));

    let report = ravi.syncs().expect("a sync");
    assert_eq!(report.outcome, SyncOutcome::Complete);
    assert!(report.progress.bytes_down > MAX_WIRE_BYTES as u64, "{:?}", report.progress);
    assert_eq!(ravi.sum().bags, 140 * MAX_BAGS as u64);
    assert_eq!(fingerprint(&asha.database()), fingerprint(&market.server_database()));
    assert_eq!(fingerprint(&ravi.database()), fingerprint(&market.server_database()));
}

#[test]
fn messages_are_packed_up_to_the_limit_and_not_beyond() {
    use farmtally_core::protocol::message::{WireError, pack, unpack};
    use minicbor::bytes::ByteVec;
    let mut random = StdRng::seed_from_u64(8);
    let mut noise = vec![0; MAX_WIRE_BYTES + 1_000];
    random.fill(noise.as_mut_slice());
    let largest = (0..=MAX_WIRE_BYTES).rev().find(|length| pack(&ByteVec::from(noise[..*length].to_vec())).is_ok());
    let largest = largest.expect("some length fits");
    assert!(largest > MAX_WIRE_BYTES - 100, "noise does not compress: {largest}");
    let packed = pack(&ByteVec::from(noise[..largest].to_vec())).expect("at the limit");
    assert!(packed.len() <= MAX_WIRE_BYTES);
    let back: ByteVec = unpack(&packed).expect("it unpacks");
    assert_eq!(back.as_slice(), &noise[..largest]);
    let above = pack(&ByteVec::from(noise[..=largest].to_vec()));
    assert!(matches!(above, Err(WireError::TooLarge { limit: MAX_WIRE_BYTES })));
}
