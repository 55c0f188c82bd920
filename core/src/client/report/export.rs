//! Reports as files: CSV (RFC 4180) for spreadsheets, and one JSON object a line (NDJSON) for programs.
//!
//! Invariant: rows are written as they are computed, so the memory does not grow with the file.

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

use super::{Cell, ReportQuery};
use crate::Error;
use crate::client::FieldClient;
use crate::client::output::unwritten;
use crate::units::named;

named! {
    /// Form of an exported file, in UTF-8.
    pub ExportFormat, "a format" {
        /// Comma-separated values with a line of column names, ended by CR LF.
        Csv = "csv",
        /// The same after a byte order mark, without which some spreadsheets take UTF-8 for another encoding.
        CsvWithBom = "csv_with_bom",
        /// A JSON object for each row, ended by LF.
        Ndjson = "ndjson",
    }
}

/// First characters of a text that a spreadsheet would take for a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];
/// Character that is put before such a text; a spreadsheet shows the rest as text.
pub(in crate::client) const GUARD: char = '\'';

impl FieldClient {
    /// Computes a report and writes it to `out` row by row. Returns the number of rows, which is not limited.
    ///
    /// # Errors
    /// Those of [`Self::report`] except for too many rows; [`Error::Invalid`] of `path` if `out` fails, [`Error::Store`] if its disk is full.
    pub fn export_report(&self, query: &ReportQuery, format: ExportFormat, out: &mut dyn Write) -> Result<u64, Error> {
        let columns = query.report.columns();
        let mut rows = 0;
        match format {
            ExportFormat::Csv | ExportFormat::CsvWithBom => {
                if format == ExportFormat::CsvWithBom {
                    out.write_all("\u{feff}".as_bytes()).map_err(|error| unwritten(&error))?;
                }
                let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
                csv.write_record(&columns).map_err(csv_error)?;
                self.report_to(query, &mut |row| {
                    rows += 1;
                    csv.write_record(row.iter().map(csv_cell)).map_err(csv_error)
                })?;
                csv.flush().map_err(|error| unwritten(&error))?;
            }
            ExportFormat::Ndjson => self.report_to(query, &mut |row| {
                rows += 1;
                out.write_all(json_line(&columns, &row).as_bytes()).map_err(|error| unwritten(&error))
            })?,
        }
        Ok(rows)
    }

    /// Writes [`Self::export_report`] into a file. An existing file is replaced only by a complete one.
    ///
    /// # Errors
    /// Those of [`Self::export_report`]; [`Error::Invalid`] of `path` also for a file in the phone's own folder.
    pub fn export_report_to(&self, query: &ReportQuery, format: ExportFormat, path: &Path) -> Result<u64, Error> {
        self.write_file(path, |out| self.export_report(query, format, out))
    }
}

fn csv_error(error: csv::Error) -> Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => unwritten(&error),
        other => Error::Internal { reason: format!("a row is not as long as its header: {other:?}") },
    }
}

/// Returns a cell as CSV has it before quoting: numbers in digits, nothing for an empty one.
fn csv_cell(cell: &Cell) -> String {
    match cell {
        Cell::Empty => String::new(),
        Cell::Number(number) => number.to_string(),
        Cell::Text(text) if text.starts_with(FORMULA) => format!("{GUARD}{text}"),
        Cell::Text(text) => text.clone(),
    }
}

fn json_line(columns: &[&str], row: &[Cell]) -> String {
    let member = |(column, cell): (&&str, &Cell)| {
        let value = match cell {
            Cell::Empty => "null".to_owned(),
            Cell::Number(number) => number.to_string(),
            Cell::Text(text) => json_text(text),
        };
        format!("{}:{value}", json_text(column))
    };
    let members: Vec<String> = columns.iter().zip(row).map(member).collect();
    format!("{{{}}}\n", members.join(","))
}

/// Returns a JSON string (RFC 8259).
fn json_text(text: &str) -> String {
    let mut json = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            c if c < ' ' => drop(write!(json, "\\u{:04x}", u32::from(c))),
            c => json.push(c),
        }
    }
    json.push('"');
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_begins_like_a_formula_is_guarded_and_a_negative_number_is_not() {
        for (text, expected) in [
            ("=1+1", "'=1+1"),
            ("+919845011111", "'+919845011111"),
            ("-x", "'-x"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\tx", "'\tx"),
            ("\rx", "'\rx"),
            ("a=b", "a=b"),
            ("", ""),
        ] {
            assert_eq!(csv_cell(&Cell::text(text)), expected, "{text:?}");
        }
        assert_eq!(csv_cell(&Cell::Number(-5)), "-5");
        assert_eq!(csv_cell(&Cell::Empty), "");
    }

    #[test]
    fn a_row_is_one_line_of_json_whatever_its_texts() {
        let row = [Cell::text("a \"b\" \\ \n\u{1}ಕ"), Cell::Number(i64::MIN), Cell::Empty];
        let line = json_line(&["name", "net_g", "lorry"], &row);
        assert_eq!(
            line,
            "{\"name\":\"a \\\"b\\\" \\\\ \\u000a\\u0001ಕ\",\"net_g\":-9223372036854775808,\"lorry\":null}\n"
        );
    }
}
