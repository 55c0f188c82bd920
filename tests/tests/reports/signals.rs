//! Reports on stock, trips, and what a person should look at.

use farmtally_core::client::{DraftEdit, LoadEdit, ReportCode, ReportQuery};
use farmtally_core::environment::Clock;
use farmtally_core::records::{BagSource, InstrumentCheck, ReceivingNote, WeighbridgeTicket};
use farmtally_core::rules::Check;
use farmtally_core::units::{BagType, DeliveryId, FarmerId, Grams, Timestamp};
use farmtally_sync_server::ReferenceFile;
use farmtally_tests::samples::{Sample, Subjects, weight};
use farmtally_tests::{Market, Person, reason, track_point};
use serde_json::{Value, json};

use super::rows;

fn report(person: &Person, report: ReportCode) -> Vec<Vec<Value>> {
    rows(person, &ReportQuery::new(report))
}

fn receipt(person: &Person, delivery: DeliveryId) -> String {
    let number = person.client.delivery(delivery).expect("a delivery").receipt_number;
    number.expect("a number").to_string()
}

#[test]
fn what_is_on_no_load_or_on_a_cancelled_one_is_in_stock_part_by_part() {
    let mut market = Market::open(820);
    let asha = market.hires("Asha", "dispatcher");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    assert!(report(&asha, ReportCode::Stock).is_empty());
    let ravi = market.hires("Ravi", "dispatcher");
    let (left, cancelled) = (asha.opens("KA07A1111"), asha.opens("KA07A2222"));
    asha.syncs_wholly();
    ravi.syncs_wholly();
    asha.weighs(farmer, None, &[20_000, 21_000]);
    asha.weighs(farmer, Some(left.load_id), &[30_000]);
    let parts = asha.weighs(farmer, Some(left.load_id), &[40_000, 41_000, 42_000]).delivery_id;
    asha.puts_apart(parts, &[2], None).expect("taken off");
    // Ravi puts a delivery on a load while Asha cancels it.
    ravi.weighs(farmer, Some(cancelled.load_id), &[50_000]);
    let voided = asha.weighs(farmer, None, &[60_000]).delivery_id;
    asha.voids(voided).expect("voided");
    let stock = |person: &Person| {
        let rows = report(person, ReportCode::Stock);
        rows.iter().map(|row| json!([row[0], row[1], row[2], row[3], row[4], row[6]])).collect::<Vec<_>>()
    };
    assert_eq!(stock(&asha), [json!(["KOLAR", "TOMATO", 2, 3, 82_000, "2019-05-09"])]);
    ravi.syncs_wholly();
    let view = asha.client.load(cancelled.load_id).expect("a load");
    let cancel = LoadEdit::Cancel { reason: reason("no_lorry") };
    asha.client.change_load(view.basis, &cancel, &[]).expect("cancelled");
    asha.syncs_wholly();
    assert_eq!(stock(&asha), [json!(["KOLAR", "TOMATO", 3, 4, 132_000, "2019-05-09"])]);
    // Of another day: its date is the oldest no more.
    let today = Some(asha.client.date());
    let of_today = ReportQuery { from_date: today, ..ReportQuery::new(ReportCode::Stock) };
    assert_eq!(rows(&asha, &of_today).len(), 1);
    let elsewhere = ReportQuery { centre: Some("KOLAR".parse().expect("a code")), ..of_today };
    assert_eq!(rows(&asha, &elsewhere).len(), 1);
}

#[test]
fn two_deliveries_of_one_heap_are_each_listed_with_the_other_until_one_is_voided() {
    let mut market = Market::open(821);
    let (asha, ravi) = (market.hires("Asha", "dispatcher"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    asha.syncs_wholly();
    ravi.syncs_wholly();
    let weighs = |person: &Person, grams: &[i64]| {
        let mut draft = person.starts(Some(farmer), None);
        for grams in grams {
            draft = person.adds_bag(&draft, *grams);
        }
        person.client.record_delivery(draft.basis, &Check::ALL).expect("recorded").delivery_id
    };
    let (here, there) = (weighs(&asha, &[20_000, 21_000]), weighs(&ravi, &[20_000, 21_000]));
    weighs(&asha, &[40_000]);
    for person in [&asha, &ravi, &asha] {
        person.syncs_wholly();
    }
    let pairs = || {
        let rows = report(&asha, ReportCode::Duplicates);
        let mut pairs: Vec<Value> = rows.iter().map(|row| json!([row[1], row[4], row[7], row[8], row[9]])).collect();
        pairs.sort_by_key(Value::to_string);
        pairs
    };
    let (first, second) = (receipt(&asha, here), receipt(&asha, there));
    let both = [json!([first, "Asha", 41_000, second, "Ravi"]), json!([second, "Ravi", 41_000, first, "Asha"])];
    assert_eq!(pairs(), both);
    asha.voids(there).expect("voided");
    assert!(pairs().is_empty());
}

#[test]
fn what_arrived_is_compared_with_what_was_on_the_load_and_the_trip_with_its_lorry() {
    let mut market = Market::open(822);
    let (asha, kavya) = (market.hires("Asha", "dispatcher"), market.hires("Kavya", "receiver"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let load = asha.opens("KA07A1111");
    asha.weighs(farmer, Some(load.load_id), &[50_000, 50_000]);
    assert!(report(&asha, ReportCode::Variances).is_empty());
    let mut view = asha.closes(load.load_id).expect("closing");
    market.clock.pass(600);
    view = asha.client.change_load(view.basis, &LoadEdit::Depart { odometer_km: None }, &Check::ALL).expect("departed");
    let at = asha.clock.now();
    let later = Timestamp(at.0 + 60_000);
    market.clock.pass(120);
    let points = [track_point(at, 131_367_000, 781_289_000), track_point(later, 131_367_000, 781_389_000)];
    asha.client.add_track(view.load_id, &points).expect("a track");
    view = asha.client.load(view.load_id).expect("a load");
    asha.client.change_load(view.basis, &LoadEdit::Arrive { odometer_km: None }, &Check::ALL).expect("arrived");
    asha.syncs_wholly();
    kavya.syncs_wholly();
    let subjects = Subjects { delivery: [9; 16].into(), load: load.load_id, farmer };
    let ticket = |gross| WeighbridgeTicket {
        record_id: load.load_id.into(),
        gross: weight(gross),
        tare: weight(3_000_000),
        ..WeighbridgeTicket::valid(&subjects)
    };
    kavya.client.record_simple(None, ticket(3_200_000)).expect("a wrong ticket");
    market.clock.pass(60);
    kavya.client.record_simple(None, ticket(3_098_500)).expect("a ticket");
    let note = ReceivingNote { load_id: load.load_id, bags: 2, rejected_bags: 1, ..ReceivingNote::valid(&subjects) };
    kavya.client.record_simple(None, note).expect("a note");
    kavya.syncs_wholly();
    asha.syncs_wholly();
    let [row] = report(&asha, ReportCode::Variances).try_into().expect("one load");
    assert_eq!(
        row[2..],
        [json!("KA07A1111"), json!("arrived"), json!(2), json!(2), json!(1)]
            .into_iter()
            .chain([json!(100_000), json!(98_500), json!(1_500), json!(150), json!(1_500)])
            .collect::<Vec<_>>()
    );
    let [row] = report(&asha, ReportCode::Utilisation).try_into().expect("one load");
    let payload = row[6].as_i64().expect("a payload");
    assert_eq!(
        (&row[4], &row[5], &row[7]),
        (&json!(2), &json!(100_000), &json!((100_000 * 20_000 + payload) / (2 * payload)))
    );
    assert!(row[8..11].iter().all(Value::is_string) && row[11].is_null(), "{row:?}");
    let distance = row[12].as_i64().expect("a distance");
    assert!((1_000..1_200).contains(&distance), "{distance}");
}

/// A bag on the scale that the office knows.
fn on_scale(grams: i64) -> DraftEdit {
    let gross = Grams(grams).try_into().expect("a bag");
    let scale = Some("SCALE7".parse().expect("a code"));
    DraftEdit::AddBag { gross, bag_type: BagType::default(), source: Some(BagSource::Scale), grade: None, scale }
}

#[test]
fn instruments_out_of_order_and_unusual_weights_are_listed_with_their_figures() {
    let mut market = Market::open(823);
    let file = r#"{"instruments": [
        {"code": "SCALE7", "type": "scale", "serial": "A-4711", "accuracy_class": "III", "min_value": 1000,
         "max_value": 60000, "intervals": [{"up_to_value": 60000, "interval_value": 20}],
         "certificate": "LM-88", "valid_until": "2019-05-08"},
        {"code": "SCALE8", "type": "scale", "serial": "A-4712", "accuracy_class": "III", "min_value": 1000,
         "max_value": 60000, "intervals": [], "certificate": "LM-89", "valid_until": "2019-12-31"}
    ]}"#;
    market.server.update_reference(market.organisation, &ReferenceFile::parse(file).expect("data")).expect("published");
    let asha = market.hires("Asha", "dispatcher");
    let expired = json!(["KOLAR", "SCALE7", "scale", "A-4711", "instrument_expired", "2019-05-08", 1]);
    let found = || report(&asha, ReportCode::Instruments).into_iter().map(Value::Array).collect::<Vec<_>>();
    let overdue =
        |scale, serial, until| json!(["KOLAR", scale, "scale", serial, "instrument_check_overdue", until, null]);
    let (seven, eight) = (overdue("SCALE7", "A-4711", "2019-05-08"), overdue("SCALE8", "A-4712", "2019-12-31"));
    assert_eq!(found(), [expired.clone(), seven.clone(), eight]);
    let check = InstrumentCheck {
        instrument: "SCALE8".parse().expect("a code"),
        commodity: "TOMATO".parse().expect("a code"),
        date: asha.client.date(),
        reference_value: 20_000,
        shown_value: 20_400,
        has_passed: false,
    };
    asha.client.record_simple(Some(&"KOLAR".parse().expect("a code")), check).expect("checked");
    let failed = json!(["KOLAR", "SCALE8", "scale", "A-4712", "instrument_check_failed", "2019-12-31", 0]);
    assert_eq!(found(), [expired, seven, failed]);
    let farmer: FarmerId = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let draft = asha.starts(Some(farmer), None);
    let bags = [on_scale(20_010), on_scale(500), on_scale(20_030)];
    let draft = asha.client.edit_draft(draft.basis, &bags).expect("weighed");
    let recorded = asha.client.record_delivery(draft.basis, &Check::ALL).expect("recorded").delivery_id;
    let number = receipt(&asha, recorded);
    let patterns = || report(&asha, ReportCode::WeighingPatterns);
    let mut brief: Vec<Value> =
        patterns().iter().map(|row| json!([row[1], row[3], row[5], row[6], row[7], row[8]])).collect();
    brief.sort_by_key(Value::to_string);
    assert_eq!(
        brief,
        [
            json!([number, "below_minimum", 2, 1, 500, 1_000]),
            json!([number, "instrument_check_overdue", 1, 3, null, 1]),
            json!([number, "instrument_expired", 1, 3, 1, 1]),
            json!([number, "off_interval", 1, 2, 20_010, 20]),
        ]
    );
    asha.voids(recorded).expect("voided");
    assert!(patterns().is_empty());
}
