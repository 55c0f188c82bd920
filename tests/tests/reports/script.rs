//! Reports against the sums of an independent script, over two time zones.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use farmtally_core::client::{DeliveryEdit, DraftEdit, ReadingInput, ReportCode, ReportQuery};
use farmtally_core::decisions::Lorry;
use farmtally_core::limits::MAX_PAGE;
use farmtally_core::records::delivery::{DeliveryBag, DeliveryLot};
use farmtally_core::records::load::LoadState;
use farmtally_core::records::{self, BagCount, BagSource, Delivery, Load, PaperEntry, Reading};
use farmtally_core::rules::Check;
use farmtally_core::store::records as stored;
use farmtally_core::store::sql::sqlite::SqliteWriter;
use farmtally_core::units::{BagType, BagWeight, BusinessDate, DeliveryId, FarmerId, GradeCode, Grams, LoadId};
use farmtally_sync_server::ReferenceFile;
use farmtally_tests::samples::minor;
use farmtally_tests::{Market, Person, all_deliveries, reason};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::{money, rows};

const SCRIPT: &str = include_str!("sums.py");
const TARE_G: i64 = 1_500;
const TARGET: i64 = 1_400;
const TOP: u32 = 3;
/// Code, first and last form of each paper book.
const BOOKS: [(&str, u32, u32); 2] = [("BOOK1", 100, 249), ("BOOK2", 101, 250)];

/// Days and deliveries of each, so that there are more deliveries than fit on a page.
const DAYS: u32 = 4;
const A_DAY: u32 = 60;

/// A market in a zone, with a deduction for moisture by water shrink.
fn market(zone_minutes: i16, seed: u64) -> Market {
    let market = Market::open_in_zone(zone_minutes, seed);
    let rules = json!({"rule_sets": [{
        "number": 2, "commodity": "TOMATO", "valid_from": "2016-01-01",
        "bag_types": [{"number": 0, "name": "crate", "tare_g": TARE_G}],
        "grades": [{"code": "A", "name": "first"}, {"code": "B", "name": "second"}],
        "moisture": {"target_hundredths": TARGET, "method": "water_shrink"},
    }], "paper_books": BOOKS.map(|(code, first, last)| json!({
        "code": code, "centre": "KOLAR", "purpose": "deliveries", "first_serial": first, "last_serial": last
    }))});
    let file = ReferenceFile::parse(&rules.to_string()).expect("reference data");
    market.server.update_reference(market.organisation, &file).expect("published");
    market
}

/// A bag of any weight, source and grade.
fn any_bag(rng: &mut StdRng) -> Bag {
    let sources = [BagSource::Manual, BagSource::Scale, BagSource::Repeat, BagSource::Voice];
    let source = sources[rng.random_range(0..sources.len())];
    let gross = Grams(rng.random_range(10_000..90_000)).try_into().expect("a bag");
    Bag { gross, source: Some(source), grade: any_grade(rng) }
}

/// What was entered of a bag.
struct Bag {
    gross: BagWeight,
    source: Option<BagSource>,
    grade: Option<GradeCode>,
}

fn any_grade(rng: &mut StdRng) -> Option<GradeCode> {
    let grade = [None, Some("A"), Some("B")][rng.random_range(0..3)];
    grade.map(|grade| grade.parse().expect("a code"))
}

/// A lot that was weighed alone or on a vehicle, with its bags counted.
fn any_lot(rng: &mut StdRng) -> [DraftEdit; 2] {
    let weight = |grams: i64| Grams(grams).try_into().expect("a weight");
    let vehicle = rng.random_bool(0.5).then(|| weight(rng.random_range(900_000..1_200_000)));
    let gross = weight(rng.random_range(1_300_000..1_900_000));
    let (grade, count) = (any_grade(rng), rng.random_range(0..12));
    let counts = vec![BagCount { bag_type: BagType::default(), grade: grade.clone(), count }];
    [DraftEdit::AddLot { gross, vehicle, source: None, grade, scale: None }, DraftEdit::SetBagCounts(counts)]
}

fn weighs(person: &Person, rng: &mut StdRng, farmer: FarmerId, load: Option<LoadId>) -> DeliveryId {
    let draft = person.starts(Some(farmer), load);
    let bags = (0..rng.random_range(1..6)).map(|_| {
        let Bag { gross, source, grade } = any_bag(rng);
        DraftEdit::AddBag { gross, bag_type: BagType::default(), source, grade, scale: None }
    });
    let mut edits: Vec<DraftEdit> = bags.collect();
    if rng.random_bool(0.2) {
        edits.extend(any_lot(rng));
    }
    for _ in 0..rng.random_range(0..3) {
        let moisture = rng.random_range(1_000..2_600).try_into().expect("a share");
        let reading = ReadingInput::Moisture { moisture, grade: any_grade(rng), meter: None, photo: None };
        edits.push(DraftEdit::AddReading(reading));
    }
    if rng.random_bool(0.3) {
        let book = ["BOOK1", "BOOK2"][rng.random_range(0..2)].parse().expect("a code");
        edits.push(DraftEdit::SetPaperEntry(Some(PaperEntry { book, serial: rng.random_range(90..=260) })));
    }
    edits.extend(load.map(|_| DraftEdit::SetOverloadReason(Some(reason("last_lorry_of_the_day")))));
    let draft = person.client.edit_draft(draft.basis, &edits).expect("weighed");
    person.client.record_delivery(draft.basis, &Check::ALL).expect("recorded").delivery_id
}

/// Changes a delivery in one of the ways in which a person can, or leaves it alone.
fn changes(person: &Person, rng: &mut StdRng, delivery: DeliveryId, load: Option<LoadId>) {
    let view = person.client.delivery(delivery).expect("a delivery");
    let edit = match rng.random_range(0..14) {
        0 => {
            let Bag { gross, source, grade } = any_bag(rng);
            DeliveryEdit::AddBag { gross, bag_type: BagType::default(), source, grade, scale: None }
        }
        1 => DeliveryEdit::VoidBag { bag_id: view.bags[0].bag_id.clone(), reason: reason("torn") },
        2 => DeliveryEdit::SetBusinessDate(BusinessDate(view.business_date.0 - 1)),
        3 => DeliveryEdit::SetLoad(load),
        4 => {
            person.voids(delivery).expect("voided");
            return;
        }
        _ => return,
    };
    let why = reason(if matches!(edit, DeliveryEdit::SetBusinessDate(_)) { "wrong_day" } else { "mistyped" });
    person.client.amend_delivery(view.basis, &why, &[edit]).expect("amended");
}

/// Days of two clerks with amendments, voids and deliveries that come after the close request. Asha, a dispatcher, has all on her phone.
fn season(market: &mut Market, seed: u64) -> Person {
    let mut rng = StdRng::seed_from_u64(seed);
    let (asha, ravi) = (market.hires("Asha", "dispatcher"), market.hires("Ravi", "dispatcher"));
    let farmers: Vec<FarmerId> =
        (0..8).map(|n| asha.registers(&format!("Farmer {n}"), "Vemagal", "").farmer_id).collect();
    asha.syncs_wholly();
    ravi.syncs_wholly();
    for person in [&asha, &ravi] {
        let session = person.client.session().expect("a session");
        let until = "2019-12-31".parse().expect("a date");
        let amount = minor(1_000_000_000);
        let lease = market.server.lease(market.organisation, session.device_code, session.user_id, amount, until);
        lease.expect("leased");
        person.syncs_wholly();
    }
    for day in 0..DAYS {
        let load = asha.opens(["KA07A1111", "KA07A2222"][day as usize % 2]).load_id;
        asha.syncs_wholly();
        ravi.syncs_wholly();
        for number in 0..A_DAY {
            let person = if rng.random_bool(0.5) { &asha } else { &ravi };
            let on_load = rng.random_bool(0.6).then_some(load);
            let farmer = farmers[rng.random_range(0..farmers.len())];
            let delivery = weighs(person, &mut rng, farmer, on_load);
            changes(person, &mut rng, delivery, Some(load));
            // Ravi hears of it with the next sync, and continues to load.
            if number == A_DAY * 3 / 4 {
                asha.closes(load).expect("closing");
            }
            market.clock.pass(rng.random_range(60..1_400));
        }
        for person in [&asha, &ravi] {
            money::pays(person, &mut rng, &farmers);
        }
        for (giver, receiver) in [(&asha, &ravi), (&ravi, &asha)] {
            money::gives(giver, receiver, &mut rng);
        }
        for person in [&asha, &ravi, &asha] {
            person.syncs_wholly();
        }
    }
    asha
}

/// The raw records of a phone as JSON, one a line.
fn raw_records(person: &Person, zone_minutes: i16) -> String {
    let db = rusqlite::Connection::open(person.database()).expect("it opens");
    let reference = person.client.reference();
    let farmers: BTreeMap<_, _> =
        person.farmers("").expect("farmers").items.into_iter().map(|row| (row.farmer_id, row)).collect();
    let text = |grade: &Option<GradeCode>| grade.as_ref().map(ToString::to_string);
    let mut lines = vec![json!({
        "kind": "rules", "tare_g": TARE_G, "target": TARGET, "zone_minutes": zone_minutes, "top": TOP,
        "today": person.client.date().0, "books": BOOKS
    })];
    let mut ids: Vec<DeliveryId> = all_deliveries(&person.client).iter().map(|row| row.delivery_id).collect();
    ids.reverse();
    for (order, id) in ids.into_iter().enumerate() {
        let record = stored::get::<Delivery>(&mut SqliteWriter::new(&db), id).expect("read").expect("there").record;
        let bag = |it: &DeliveryBag| {
            let records::Bag { gross, source, grade, .. } = &it.bag;
            json!({"g": gross.grams().0, "is_voided": !it.voids.is_empty(), "source": *source as u8, "grade": text(grade)})
        };
        let lot = |it: &DeliveryLot| {
            let empty = it.lot.vehicle.map_or(0, |vehicle| vehicle.grams().0);
            json!({"g": it.lot.gross.grams().0, "vehicle_g": empty, "grade": text(&it.lot.grade)})
        };
        let count = |it: &BagCount| json!({"count": it.count, "grade": text(&it.grade)});
        let reading = |it: &Reading| json!({"value": it.value(), "grade": text(&it.grade)});
        let voided_bags: usize = record.bags.iter().map(|bag| bag.voids.len()).sum();
        let farmer = &farmers[&record.farmer_id];
        lines.push(json!({
            "kind": "delivery", "order": order, "id": id.to_string(), "receipt": record.receipt_number().to_string(),
            "day": record.business_date.0, "date": record.business_date.to_string(),
            "recorded_ms": record.recorded.at.wall_ms, "farmer_code": farmer.code, "farmer_name": farmer.contact.name,
            "clerk": reference.user_name(record.recorded.user_id), "load": record.load_id.map(|id| id.to_string()),
            "bags": record.bags.iter().map(bag).collect::<Vec<_>>(),
            "readings": record.counted_readings().map(reading).collect::<Vec<_>>(),
            "lots": record.lots.iter().map(lot).collect::<Vec<_>>(),
            "counts": record.bag_counts.iter().map(count).collect::<Vec<_>>(),
            "is_voided": !record.voids.is_empty(),
            "form": record.paper_entry.as_ref().map(|it| json!([it.book.as_str(), it.serial])),
            "is_date_amended": record.amendments.iter().any(|act| act.reason.code == "wrong_day"),
            "acts": record.amendments.len() + record.voids.len() + voided_bags,
        }));
    }
    let mut statement = db.prepare("SELECT load_id FROM loads").expect("a query");
    let loads: Vec<[u8; 16]> =
        statement.query_map([], |row| row.get(0)).expect("rows").collect::<Result<_, _>>().expect("ids");
    for id in loads.into_iter().map(LoadId::from) {
        let load = stored::get::<Load>(&mut SqliteWriter::new(&db), id).expect("read").expect("there").record;
        let manifest = load.close_requests.iter().flat_map(|it| &it.manifest).map(|it| it.delivery_id.to_string());
        lines.push(json!({
            "kind": "load", "id": id.to_string(), "number": load.header.number(), "lorry": load.lorry.as_str(),
            "payload_g": reference.latest::<Lorry>(load.lorry.as_str()).expect("a lorry").payload.0,
            "is_shut": !matches!(load.state(), LoadState::Planned | LoadState::Open),
            "manifest": manifest.collect::<Vec<_>>(),
        }));
    }
    lines.extend(money::raw_records(person, &db, &farmers));
    lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n")
}

/// What the script says about raw records; `None` if there is no Python.
fn by_the_script(raw: &str) -> Option<Value> {
    let python = Command::new("python3").args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut python) = python else {
        println!("SKIPPED: reports against a script: no python3");
        return None;
    };
    python.stdin.take().expect("a pipe").write_all(raw.as_bytes()).expect("written");
    let output = python.wait_with_output().expect("an end");
    assert!(output.status.success(), "the script failed");
    Some(serde_json::from_slice(&output.stdout).expect("JSON"))
}

fn sorted(mut rows: Vec<Value>) -> Vec<Value> {
    rows.sort_by_key(Value::to_string);
    rows
}

#[test]
fn every_report_has_the_sums_of_an_independent_script_in_two_time_zones() {
    for (zone_minutes, seed) in [(330, 1), (-300, 2)] {
        let mut market = market(zone_minutes, seed);
        let asha = season(&mut market, seed);
        assert!(all_deliveries(&asha.client).len() > MAX_PAGE as usize, "more than a page");
        let Some(expected) = by_the_script(&raw_records(&asha, zone_minutes)) else { return };
        for report in [
            ReportCode::ByFarmer,
            ReportCode::ByGrade,
            ReportCode::ByLoad,
            ReportCode::ByClerk,
            ReportCode::ByDay,
            ReportCode::Moisture,
            ReportCode::Bags,
            ReportCode::Advances,
            ReportCode::CashBook,
        ] {
            let found = rows(&asha, &ReportQuery::new(report)).into_iter().map(Value::Array).collect();
            let expected = expected[report.as_str()].as_array().expect("rows").clone();
            assert!(!expected.is_empty());
            assert_eq!(sorted(found), sorted(expected), "{report} in zone {zone_minutes}");
        }
        let stock: Vec<Value> =
            rows(&asha, &ReportQuery::new(ReportCode::Stock)).into_iter().map(Value::Array).collect();
        assert_eq!(json!(stock), expected["stock"]);
        let used = rows(&asha, &ReportQuery::new(ReportCode::Utilisation)).into_iter();
        let used = used.map(|row| json!([row[1], row[2], row[4], row[5], row[6], row[7]])).collect();
        assert_eq!(sorted(used), sorted(expected["utilisation"].as_array().expect("rows").clone()));
        let top = ReportQuery { top: TOP, ..ReportQuery::new(ReportCode::TopFarmers) };
        let top: Vec<Value> = rows(&asha, &top).into_iter().map(Value::Array).collect();
        assert_eq!(json!(top), expected["top_farmers"]);
        let missing = rows(&asha, &ReportQuery::new(ReportCode::MissingSerials));
        assert!(missing.len() > 5, "{}", missing.len());
        assert_eq!(json!(missing), expected["missing_serials"]);
        let mut late: Vec<Value> =
            rows(&asha, &ReportQuery::new(ReportCode::LateDeliveries)).into_iter().map(|row| row[1].clone()).collect();
        late.sort_by_key(Value::to_string);
        assert!(late.len() > 5, "{}", late.len());
        assert_eq!(json!(late), expected["late_deliveries"]);
        let acts = rows(&asha, &ReportQuery::new(ReportCode::Amendments));
        assert_eq!(json!(acts.len()), expected["amendments"]);
        is_divided_by_days_and_farmers(&asha, &expected);
    }
}

/// The lines of day books and statements add up to what the script says about their day or farmer.
fn is_divided_by_days_and_farmers(person: &Person, expected: &Value) {
    let of = |query: &ReportQuery| {
        let (mut counted, mut net) = (0, 0);
        for row in rows(person, query) {
            if row[17] == json!(0) {
                counted += 1;
                net += row[16].as_i64().expect("a weight");
            }
        }
        (json!(counted), json!(net))
    };
    for day in expected["by_day"].as_array().expect("rows") {
        let date = Some(day[0].as_str().expect("a date").parse().expect("a date"));
        let centre = Some("KOLAR".parse().expect("a code"));
        let book = ReportQuery { centre, from_date: date, to_date: date, ..ReportQuery::new(ReportCode::DayBook) };
        assert_eq!(of(&book), (day[1].clone(), day[9].clone()), "{day}");
    }
    for farmer in expected["by_farmer"].as_array().expect("rows") {
        let code = farmer[0].as_str().expect("a code");
        let farmer_id = Some(person.farmers(code).expect("a search").items[0].farmer_id);
        let statement = ReportQuery { farmer_id, ..ReportQuery::new(ReportCode::FarmerStatement) };
        assert_eq!(of(&statement), (farmer[2].clone(), farmer[10].clone()), "{farmer}");
    }
}
