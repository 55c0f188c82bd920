//! Reports as files.

use std::io::Write;

use farmtally_core::ErrorCode;
use farmtally_core::client::{ExportFormat, ReportCode, ReportQuery};
use farmtally_tests::Market;
use serde_json::Value;

use super::cell;

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
        let is_of_none = [
            ReportCode::Unsent,
            ReportCode::Loads,
            ReportCode::Farmers,
            ReportCode::CashBook,
            ReportCode::MissingSerials,
            ReportCode::Variances,
            ReportCode::Utilisation,
            ReportCode::Instruments,
        ];
        let takes_farmer = !is_of_none.contains(&code);
        let query = ReportQuery {
            centre: (code != ReportCode::Unsent).then(|| "KOLAR".parse().expect("a code")),
            from_date: today,
            to_date: today,
            farmer_id: takes_farmer.then_some(farmer.farmer_id),
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
