//! Reports against the sums of an independent script, over two time zones; files; bad queries.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use farmtally_core::client::{Cell, DeliveryEdit, DraftEdit, ExportFormat, ReportCode, ReportQuery};
use farmtally_core::limits::{MAX_PAGE, MAX_TOP};
use farmtally_core::permission::Role;
use farmtally_core::records::load::LoadState;
use farmtally_core::records::{BagSource, Delivery, Load, Reading};
use farmtally_core::rules::Check;
use farmtally_core::store::records;
use farmtally_core::store::sql::sqlite::SqliteWriter;
use farmtally_core::units::{BagType, BusinessDate, DeliveryId, FarmerId, Grams, LoadId};
use farmtally_core::{Error, ErrorCode};
use farmtally_sync_server::ReferenceFile;
use farmtally_tests::{Market, Person, all_deliveries, moisture, reason};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

const SCRIPT: &str = include_str!("reports.py");
const TARE_G: i64 = 1_500;
const TARGET: i64 = 1_400;
const TOP: u32 = 3;

/// Days and deliveries of each, so that there are more deliveries than fit on a page.
const DAYS: u32 = 4;
const A_DAY: u32 = 60;

/// A market in a zone, with a deduction for moisture by water shrink.
fn market(zone_minutes: i16, seed: u64) -> Market {
    let market = Market::open_in_zone(zone_minutes, seed);
    let rules = json!({"rule_sets": [{
        "number": 2, "commodity": "TOMATO", "valid_from": "2016-01-01",
        "bag_types": [{"number": 0, "name": "crate", "tare_g": TARE_G}],
        "moisture": {"target_hundredths": TARGET, "method": "water_shrink"},
    }]});
    let file = ReferenceFile::parse(&rules.to_string()).expect("reference data");
    market.server.update_reference(market.organisation, &file).expect("published");
    market
}

fn any_bag(rng: &mut StdRng) -> (Grams, BagSource) {
    let sources = [BagSource::Manual, BagSource::Scale, BagSource::Repeat, BagSource::Voice];
    (Grams(rng.random_range(10_000..90_000)), sources[rng.random_range(0..sources.len())])
}

fn weighs(person: &Person, rng: &mut StdRng, farmer: FarmerId, load: Option<LoadId>) -> DeliveryId {
    let draft = person.starts(Some(farmer), load);
    let bags = (0..rng.random_range(1..6)).map(|_| {
        let (gross, source) = any_bag(rng);
        let gross = gross.try_into().expect("a bag");
        DraftEdit::AddBag { gross, bag_type: BagType::default(), source: Some(source), grade: None, scale: None }
    });
    let mut edits: Vec<DraftEdit> = bags.collect();
    for _ in 0..rng.random_range(0..3) {
        edits.push(DraftEdit::AddReading(moisture(rng.random_range(1_000..2_600))));
    }
    let draft = person.client.edit_draft(draft.basis, &edits).expect("weighed");
    person.client.record_delivery(draft.basis, &Check::ALL).expect("recorded").delivery_id
}

/// Changes a delivery in one of the ways in which a person can, or leaves it alone.
fn changes(person: &Person, rng: &mut StdRng, delivery: DeliveryId, load: Option<LoadId>) {
    let view = person.client.delivery(delivery).expect("a delivery");
    let edit = match rng.random_range(0..14) {
        0 => {
            let (gross, source) = any_bag(rng);
            let gross = gross.try_into().expect("a bag");
            DeliveryEdit::AddBag { gross, bag_type: BagType::default(), source: Some(source), grade: None, scale: None }
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
    let mut lines = vec![json!({
        "kind": "rules", "tare_g": TARE_G, "target": TARGET, "zone_minutes": zone_minutes, "top": TOP
    })];
    let mut ids: Vec<DeliveryId> = all_deliveries(&person.client).iter().map(|row| row.delivery_id).collect();
    ids.reverse();
    for (order, id) in ids.into_iter().enumerate() {
        let record = records::get::<Delivery>(&mut SqliteWriter::new(&db), id).expect("read").expect("there").record;
        let bag = |bag: &farmtally_core::records::delivery::DeliveryBag| json!({"g": bag.bag.gross.grams().0, "is_voided": !bag.voids.is_empty(), "source": bag.bag.source as u8});
        let voided_bags: usize = record.bags.iter().map(|bag| bag.voids.len()).sum();
        let farmer = &farmers[&record.farmer_id];
        lines.push(json!({
            "kind": "delivery", "order": order, "id": id.to_string(), "receipt": record.receipt_number().to_string(),
            "day": record.business_date.0, "date": record.business_date.to_string(),
            "recorded_ms": record.recorded.at.wall_ms, "farmer_code": farmer.code, "farmer_name": farmer.contact.name,
            "clerk": reference.user_name(record.recorded.user_id), "load": record.load_id.map(|id| id.to_string()),
            "bags": record.bags.iter().map(bag).collect::<Vec<_>>(),
            "readings": record.counted_readings().map(Reading::value).collect::<Vec<_>>(),
            "is_voided": !record.voids.is_empty(),
            "is_date_amended": record.amendments.iter().any(|act| act.reason.code == "wrong_day"),
            "acts": record.amendments.len() + record.voids.len() + voided_bags,
        }));
    }
    let mut statement = db.prepare("SELECT load_id FROM loads").expect("a query");
    let loads: Vec<[u8; 16]> =
        statement.query_map([], |row| row.get(0)).expect("rows").collect::<Result<_, _>>().expect("ids");
    for id in loads.into_iter().map(LoadId::from) {
        let load = records::get::<Load>(&mut SqliteWriter::new(&db), id).expect("read").expect("there").record;
        let manifest = load.close_requests.iter().flat_map(|it| &it.manifest).map(|it| it.delivery_id.to_string());
        lines.push(json!({
            "kind": "load", "id": id.to_string(), "number": load.header.number(), "lorry": load.lorry.as_str(),
            "is_shut": !matches!(load.state(), LoadState::Planned | LoadState::Open),
            "manifest": manifest.collect::<Vec<_>>(),
        }));
    }
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

fn cell(cell: &Cell) -> Value {
    match cell {
        Cell::Empty => Value::Null,
        Cell::Text(text) => json!(text),
        Cell::Number(number) => json!(number),
    }
}

fn rows(person: &Person, query: &ReportQuery) -> Vec<Vec<Value>> {
    let report = person.client.report(query).expect("a report");
    let columns = report.columns.len();
    assert!(report.rows.iter().all(|row| row.len() == columns), "{:?} {:?}", query.report, report.columns);
    report.rows.iter().map(|row| row.iter().map(cell).collect()).collect()
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
        ] {
            let found = rows(&asha, &ReportQuery::new(report)).into_iter().map(Value::Array).collect();
            let expected = expected[report.as_str()].as_array().expect("rows").clone();
            assert!(!expected.is_empty());
            assert_eq!(sorted(found), sorted(expected), "{report} in zone {zone_minutes}");
        }
        let top = ReportQuery { top: TOP, ..ReportQuery::new(ReportCode::TopFarmers) };
        let top: Vec<Value> = rows(&asha, &top).into_iter().map(Value::Array).collect();
        assert_eq!(json!(top), expected["top_farmers"]);
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

#[test]
fn unsent_work_is_listed_by_record_with_its_age_until_it_is_logged() {
    let mut market = Market::open(3);
    let asha = market.hires("Asha", "dispatcher");
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "");
    market.clock.pass(7_200);
    let delivery = asha.weighs(farmer.farmer_id, None, &[20_000]);
    asha.amends(delivery.delivery_id, 21_000).expect("amended");
    market.clock.pass(180);
    let unsent = rows(&asha, &ReportQuery::new(ReportCode::Unsent));
    let brief = |row: &[Value]| json!([row[0], row[1], row[3], row[4], row[5], row[7]]);
    let receipt = delivery.receipt_number.expect("a number").to_string();
    let found: Vec<Value> = unsent.iter().map(|row| brief(row)).collect();
    let expected = [
        json!(["farmer", farmer.code, "Asha", "unsent", 1, 123]),
        json!(["contact", null, "Asha", "unsent", 1, 123]),
        json!(["delivery", receipt, "Asha", "unsent", 2, 3]),
    ];
    assert_eq!(found, expected);
    asha.syncs_wholly();
    assert!(rows(&asha, &ReportQuery::new(ReportCode::Unsent)).is_empty());
}

#[test]
fn a_clerk_reports_on_own_work_and_may_not_list_farmers() {
    let mut market = Market::open(4);
    let (asha, ravi) = (market.hires("Asha", "clerk"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Lakshmi Devi", "Vemagal", "").farmer_id;
    let own = asha.weighs(farmer, None, &[20_000]);
    asha.syncs_wholly();
    ravi.syncs_wholly();
    ravi.weighs(farmer, None, &[30_000]);
    ravi.syncs_wholly();
    asha.syncs_wholly();
    let receipts = |person: &Person| {
        let rows = rows(person, &ReportQuery::new(ReportCode::Deliveries));
        rows.into_iter().map(|row| row[1].clone()).collect::<Vec<_>>()
    };
    assert_eq!(receipts(&asha), [json!(own.receipt_number.expect("a number").to_string())]);
    assert_eq!(receipts(&ravi).len(), 2);
    let by_day = |person: &Person| rows(person, &ReportQuery::new(ReportCode::ByDay))[0][4].clone();
    assert_eq!((by_day(&asha), by_day(&ravi)), (json!(20_000), json!(50_000)));
    let refused = asha.client.report(&ReportQuery::new(ReportCode::Farmers)).expect_err("a clerk");
    assert_eq!(refused.code(), ErrorCode::NotAllowed);
    assert_eq!(rows(&ravi, &ReportQuery::new(ReportCode::Farmers)).len(), 1);
    for role in [Role::Clerk, Role::Receiver, Role::Driver, Role::Farmer, Role::PlatformAdmin] {
        assert!(!role.reports_on_others(), "{role}");
    }
}

#[test]
fn a_wrong_query_names_its_field_and_writes_no_file() {
    let mut market = Market::open(5);
    let asha = market.hires("Asha", "dispatcher");
    let day = |text: &str| Some(text.parse().expect("a date"));
    let kolar = || Some("KOLAR".parse().expect("a code"));
    let (book, top) = (ReportQuery::new(ReportCode::DayBook), ReportQuery::new(ReportCode::TopFarmers));
    let (first, second) = (day("2019-05-09"), day("2019-05-10"));
    let path = market.path_of("report.csv");
    for (query, wrong) in [
        (book.clone(), "centre"),
        (ReportQuery { centre: kolar(), ..book.clone() }, "from_date"),
        (ReportQuery { centre: kolar(), from_date: first, ..book.clone() }, "from_date"),
        (ReportQuery { centre: kolar(), from_date: first, to_date: second, ..book.clone() }, "from_date"),
        (ReportQuery { from_date: second, to_date: first, ..ReportQuery::new(ReportCode::ByDay) }, "from_date"),
        (ReportQuery::new(ReportCode::FarmerStatement), "farmer_id"),
        (ReportQuery { top: 0, ..top.clone() }, "top"),
        (ReportQuery { top: MAX_TOP + 1, ..top.clone() }, "top"),
    ] {
        for refused in [
            asha.client.report(&query).map(drop),
            asha.client.export_report_to(&query, ExportFormat::Csv, &path).map(drop),
        ] {
            assert!(matches!(refused, Err(Error::Invalid { field, .. }) if field == wrong), "{query:?}: {refused:?}");
        }
    }
    assert!(!path.exists() && !market.path_of("report.csv.part").exists());
    for top in [1, MAX_TOP] {
        asha.client.report(&ReportQuery { top, ..ReportQuery::new(ReportCode::TopFarmers) }).expect("a report");
    }
    let elsewhere =
        ReportQuery { centre: Some("MALUR".parse().expect("a code")), ..ReportQuery::new(ReportCode::ByDay) };
    assert_eq!(asha.client.report(&elsewhere).expect_err("not granted").code(), ErrorCode::OutOfScope);
    for path in [asha.folder.join("report.csv"), market.path_of("no folder").join("report.csv"), asha.folder.clone()] {
        let refused = asha.client.export_report_to(&ReportQuery::new(ReportCode::ByDay), ExportFormat::Csv, &path);
        assert!(matches!(refused, Err(Error::Invalid { field: "path", .. })), "{path:?}: {refused:?}");
    }
}

/// A writer that fails once it has taken some bytes.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0 < bytes.len() {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        self.0 -= bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn files_have_the_rows_of_the_report_and_no_formula() {
    let mut market = Market::open(6);
    let asha = market.hires("Asha", "dispatcher");
    let name = "=HYPERLINK(\"http://x\"), \"ಲಕ್ಷ್ಮಿ\"";
    let farmer = asha.registers(name, "@Vemagal", "098450 11111");
    asha.weighs(farmer.farmer_id, None, &[20_000]);
    let export = |code, format| {
        let mut file = Vec::new();
        let count = asha.client.export_report(&ReportQuery::new(code), format, &mut file).expect("written");
        (count, String::from_utf8(file).expect("UTF-8"))
    };
    let csv = "farmer_code,centre,name,village,phone\r\n\
               T-KOLAR-10-1,KOLAR,\"'=HYPERLINK(\"\"http://x\"\"), \"\"ಲಕ್ಷ್ಮಿ\"\"\",'@Vemagal,'+919845011111\r\n";
    assert_eq!(export(ReportCode::Farmers, ExportFormat::Csv), (1, csv.to_owned()));
    assert_eq!(export(ReportCode::Farmers, ExportFormat::CsvWithBom), (1, format!("\u{feff}{csv}")));
    for code in ReportCode::ALL {
        let today = Some("2019-05-09".parse().expect("a date"));
        let query = ReportQuery {
            centre: Some("KOLAR".parse().expect("a code")),
            from_date: today,
            to_date: today,
            farmer_id: Some(farmer.farmer_id),
            ..ReportQuery::new(code)
        };
        let report = asha.client.report(&query).expect("a report");
        let mut file = Vec::new();
        let count = asha.client.export_report(&query, ExportFormat::Ndjson, &mut file).expect("written");
        let lines: Vec<Value> =
            serde_json::Deserializer::from_slice(&file).into_iter().collect::<Result<_, _>>().expect("JSON");
        assert_eq!(
            (usize::try_from(count).expect("few"), lines.len()),
            (report.rows.len(), report.rows.len()),
            "{code}"
        );
        for (line, row) in lines.iter().zip(&report.rows) {
            let object = line.as_object().expect("an object");
            assert_eq!(object.len(), row.len(), "{code}");
            for (column, it) in report.columns.iter().zip(row) {
                assert_eq!(object[column], cell(it), "{code} {column}");
            }
        }
    }
    let query = ReportQuery::new(ReportCode::Farmers);
    for room in [0, 20] {
        let full = asha.client.export_report(&query, ExportFormat::Csv, &mut Full(room)).expect_err("no room");
        assert_eq!(full.code(), ErrorCode::StorageFull);
    }
    let path = market.path_of("farmers.csv");
    std::fs::write(&path, "an older file").expect("written");
    assert_eq!(asha.client.export_report_to(&query, ExportFormat::Csv, &path).expect("written"), 1);
    assert_eq!(std::fs::read_to_string(&path).expect("a file"), csv);
}

#[test]
fn docs_list_each_report_and_each_column() {
    let docs = include_str!("../../docs/reports.md");
    for code in ReportCode::ALL {
        assert!(docs.contains(&format!("`{code}`")), "{code}");
        for column in code.columns() {
            assert!(docs.contains(&format!("`{column}`")), "{column} of {code}");
        }
    }
    for format in ExportFormat::ALL {
        assert!(docs.contains(&format!("`{format}`")), "{format}");
    }
}
