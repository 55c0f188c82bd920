//! Reports: against an independent script, as files, and of whom.

mod files;
mod money;
mod script;
mod signals;

use farmtally_core::client::{Cell, ExportFormat, ReportCode, ReportQuery};
use farmtally_core::limits::{MAX_REPORT_ROWS, MAX_TOP};
use farmtally_core::permission::Role;
use farmtally_core::{Error, ErrorCode};
use farmtally_tests::{Market, Person};
use serde_json::{Value, json};

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
    let farmer_id = Some(asha.registers("Lakshmi Devi", "", "").farmer_id);
    let of_farmer = |report| ReportQuery { farmer_id, ..ReportQuery::new(report) };
    let path = market.path_of("report.csv");
    for (query, wrong) in [
        (book.clone(), "centre"),
        (ReportQuery { centre: kolar(), ..book.clone() }, "from_date"),
        (ReportQuery { centre: kolar(), from_date: first, ..book.clone() }, "from_date"),
        (ReportQuery { centre: kolar(), from_date: first, to_date: second, ..book.clone() }, "from_date"),
        (ReportQuery { from_date: second, to_date: first, ..ReportQuery::new(ReportCode::ByDay) }, "from_date"),
        (ReportQuery::new(ReportCode::FarmerStatement), "farmer_id"),
        (ReportQuery { centre: kolar(), ..ReportQuery::new(ReportCode::Unsent) }, "centre"),
        (of_farmer(ReportCode::Unsent), "farmer_id"),
        (of_farmer(ReportCode::Loads), "farmer_id"),
        (of_farmer(ReportCode::Farmers), "farmer_id"),
        (of_farmer(ReportCode::CashBook), "farmer_id"),
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

#[test]
fn a_report_on_the_screen_has_at_most_10_000_rows_and_a_file_has_all() {
    let mut market = Market::open(8);
    let asha = market.hires("Asha", "dispatcher");
    let query = ReportQuery::new(ReportCode::Farmers);
    let db = rusqlite::Connection::open(asha.database()).expect("it opens");
    for (count, fits) in [(MAX_REPORT_ROWS - 1, true), (MAX_REPORT_ROWS, true), (MAX_REPORT_ROWS + 1, false)] {
        let insert = "INSERT INTO farmers (farmer_id, scope, code, conflicts)
             WITH RECURSIVE numbers (n) AS (SELECT (SELECT count(*) FROM farmers) UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < ?1)
             SELECT CAST(printf('%016d', n) AS BLOB), 'c/KOLAR', 'T-KOLAR-10-' || n, 0 FROM numbers";
        db.execute(insert, [count]).expect("rows without documents");
        match asha.client.report(&query) {
            Ok(report) => assert!(fits && report.rows.len() == count, "{count}"),
            Err(error) => assert!(!fits && matches!(error, Error::TooLarge { field: "rows", .. }), "{count}: {error}"),
        }
        let rows = asha.client.export_report(&query, ExportFormat::Csv, &mut std::io::sink()).expect("written");
        assert_eq!(rows, count as u64);
    }
}

#[test]
fn docs_list_each_report_and_each_column() {
    let docs = include_str!("../../../docs/reports.md");
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
