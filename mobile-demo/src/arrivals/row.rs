//! One row: from the bytes of a line to an [`Arrival`] or a [`Problem`].
//!
//! Owns: the columns, the limits of each field and the texts of its problems. Does not own: what other rows say (duplicates) and which file it is; see
//! `mod.rs`.

use std::collections::BTreeSet;

use chrono::{Datelike, NaiveDate};
use csv::{ByteRecord, StringRecord};

use super::finding::{ArrivalsError, FindingKind};

pub(super) const GRAMS_PER_TONNE: i64 = 1_000_000;
/// A tonne has 10^6 grams, so a seventh decimal cannot be kept.
const MAX_DECIMALS: usize = 6;
/// Ten times the largest arrival ever published in the built-in file (9,070 tonnes), rounded up: above it somebody typed kilograms.
const MAX_ARRIVAL_G: i64 = 100_000 * GRAMS_PER_TONNE;
const FIRST_YEAR: i32 = 1900;
const LAST_YEAR: i32 = 2100;
/// What one market published for one variety on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "arrival is the published term for the weight")]
pub(crate) struct Arrival {
    /// Line of the file, counted from 1; the header is line 1 of a file without leading blank lines.
    pub(crate) line: u64,
    /// Day of the market.
    pub(crate) date: NaiveDate,
    /// Name of the market as in the list of known markets.
    pub(crate) market: String,
    /// Variety as published; never empty.
    pub(crate) variety: String,
    /// Arrived weight in grams, 1 to 10^11 (100,000 tonnes).
    pub(crate) arrival_g: i64,
}

/// A finding before it knows its file and line.
pub(super) struct Problem {
    /// Column name, or `row`.
    pub(super) field: &'static str,
    /// What is wrong, for summaries.
    pub(super) kind: FindingKind,
    /// What is wrong and what to do.
    pub(super) reason: String,
}

impl Problem {
    pub(super) fn new(field: &'static str, kind: FindingKind, reason: impl Into<String>) -> Self {
        Self { field, kind, reason: reason.into() }
    }

    fn broken_row(reason: impl Into<String>) -> Self {
        Self::new("row", FindingKind::BrokenRow, reason)
    }
}

/// Where the needed fields are, from the header.
pub(super) struct Columns {
    date: usize,
    market: usize,
    variety: usize,
    arrival_tonnes: usize,
    width: usize,
}

impl Columns {
    const DATE: &'static str = "date";
    const MARKET: &'static str = "market";
    const VARIETY: &'static str = "variety";
    const ARRIVAL_TONNES: &'static str = "arrival_tonnes";

    /// Finds the needed columns; `file` is the name for the errors.
    pub(super) fn find(file: &str, header: &ByteRecord) -> Result<Self, ArrivalsError> {
        let position = |column: &'static str| {
            let mut found = header.iter().enumerate().filter(|(_, name)| *name == column.as_bytes());
            let Some((position, _)) = found.next() else {
                return Err(ArrivalsError::MissingColumn { file: file.to_owned(), column });
            };
            match found.next() {
                Some(_) => Err(ArrivalsError::RepeatedColumn { file: file.to_owned(), column }),
                None => Ok(position),
            }
        };
        Ok(Self {
            date: position(Self::DATE)?,
            market: position(Self::MARKET)?,
            variety: position(Self::VARIETY)?,
            arrival_tonnes: position(Self::ARRIVAL_TONNES)?,
            width: header.len(),
        })
    }

    /// Reads one line, without looking at any other.
    pub(super) fn arrival(&self, line: u64, text: &[u8], known_markets: &BTreeSet<&str>) -> Result<Arrival, Problem> {
        let record = self.record(text)?;
        let field = |position: usize| record.get(position).unwrap_or_default();
        let date =
            parse_date(field(self.date)).map_err(|reason| Problem::new(Self::DATE, FindingKind::BadDate, reason))?;
        let market = field(self.market);
        if !known_markets.contains(market) {
            let reason = format!("{} is not a known market; spell it as in markets_karnataka.csv", quoted(market));
            return Err(Problem::new(Self::MARKET, FindingKind::UnknownMarket, reason));
        }
        let variety = field(self.variety);
        if variety.is_empty() {
            return Err(Problem::new(Self::VARIETY, FindingKind::EmptyVariety, "is empty; name the variety"));
        }
        let arrival_g = parse_tonnes(field(self.arrival_tonnes))
            .map_err(|(kind, reason)| Problem::new(Self::ARRIVAL_TONNES, kind, reason))?;
        Ok(Arrival { line, date, market: market.to_owned(), variety: variety.to_owned(), arrival_g })
    }

    fn record(&self, text: &[u8]) -> Result<StringRecord, Problem> {
        // The csv crate takes an open quote as closed at the end; an odd number of quotes is an even number of pieces between them.
        if text.split(|byte| *byte == b'"').count().is_multiple_of(2) {
            return Err(Problem::broken_row("a quote is not closed on its line; remove or double it"));
        }
        let record = split_fields(text)
            .map_err(|error| Problem::broken_row(format!("cannot be split into fields ({error}); write it anew")))?;
        if record.len() != self.width {
            let reason =
                format!("has {} fields where the header has {}; add or remove commas", record.len(), self.width);
            return Err(Problem::broken_row(reason));
        }
        StringRecord::from_byte_record(record).map_err(|error| {
            let column = error.utf8_error().field() + 1;
            Problem::broken_row(format!("field {column} is not UTF-8; save the file as UTF-8"))
        })
    }
}

/// The fields of one line, without the spaces around them.
pub(super) fn split_fields(line: &[u8]) -> Result<ByteRecord, csv::Error> {
    // Without quotes CSV is a split at the commas. A parser for each line took a second for the built-in file in a debug build.
    if !line.contains(&b'"') {
        return Ok(line.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).collect());
    }
    let mut record = ByteRecord::new();
    csv::ReaderBuilder::new()
        .has_headers(false)
        .trim(csv::Trim::All)
        .terminator(csv::Terminator::Any(b'\n'))
        .from_reader(line)
        .read_byte_record(&mut record)?;
    Ok(record)
}

fn parse_date(text: &str) -> Result<NaiveDate, String> {
    // chrono also takes signs, spaces and single digits: only what prints back as it was is in the form.
    let date = text.parse::<NaiveDate>().ok().filter(|date| date.to_string() == text);
    match date {
        Some(date) if (FIRST_YEAR..=LAST_YEAR).contains(&date.year()) => Ok(date),
        Some(date) => Err(format!("{date} is outside the years {FIRST_YEAR} to {LAST_YEAR}; correct the year")),
        None => Err(format!("{} is not a calendar date; write it as YYYY-MM-DD", quoted(text))),
    }
}

/// Grams of a decimal number of tonnes: digits, and optionally a point with more digits.
fn parse_tonnes(text: &str) -> Result<i64, (FindingKind, String)> {
    if text.is_empty() {
        return Err((FindingKind::MissingArrival, "is missing; add the tonnes or leave the row out".to_owned()));
    }
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, decimals) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(decimals) {
        return Err((
            FindingKind::NotANumber,
            format!("{} is not a number; write tonnes such as 12 or 12.5", quoted(text)),
        ));
    }
    if unsigned != text {
        return Err((FindingKind::NegativeArrival, format!("{} is negative; an arrival is above zero", quoted(text))));
    }
    if decimals.len() > MAX_DECIMALS {
        return Err((
            FindingKind::TooManyDecimals,
            format!("{} is finer than a gram; keep at most {MAX_DECIMALS} decimals", quoted(text)),
        ));
    }
    // Padded to six decimals, the digits without the point are the grams. Only a number too long for 64 bits fails here.
    let grams = format!("{whole}{decimals:0<MAX_DECIMALS$}").parse().unwrap_or(i64::MAX);
    match grams {
        0 => Err((FindingKind::ZeroArrival, "is zero; leave out a day without arrivals".to_owned())),
        1..=MAX_ARRIVAL_G => Ok(grams),
        _ => Err((FindingKind::TooLarge, format!("{} is above 100000 tonnes; check the unit", quoted(text)))),
    }
}

/// A value in a message: quoted, control characters escaped, cut after 40 characters.
fn quoted(value: &str) -> String {
    const SHOWN: usize = 40;
    let cut: String = value.chars().take(SHOWN).collect();
    let dots = if cut.len() < value.len() { "…" } else { "" };
    format!("{cut:?}{dots}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tonnes_become_exact_grams() {
        let table = [
            ("1", 1_000_000),
            ("007", 7_000_000),
            ("0.000001", 1),
            ("12.5", 12_500_000),
            ("0.1", 100_000),
            ("4.35", 4_350_000),
            ("99999.999999", 99_999_999_999),
            ("100000.000000", MAX_ARRIVAL_G),
        ];
        for (text, grams) in table {
            assert_eq!(parse_tonnes(text), Ok(grams), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_tonnes() {
        let table = [
            ("", FindingKind::MissingArrival),
            ("-", FindingKind::NotANumber),
            ("--5", FindingKind::NotANumber),
            ("+5", FindingKind::NotANumber),
            (".5", FindingKind::NotANumber),
            ("5.", FindingKind::NotANumber),
            ("1.2.3", FindingKind::NotANumber),
            ("1e3", FindingKind::NotANumber),
            ("1_000", FindingKind::NotANumber),
            ("5 t", FindingKind::NotANumber),
            ("\u{0967}", FindingKind::NotANumber),
            ("\u{2212}5", FindingKind::NotANumber),
            ("NaN", FindingKind::NotANumber),
            ("-0.5", FindingKind::NegativeArrival),
            ("0", FindingKind::ZeroArrival),
            ("0.1234567", FindingKind::TooManyDecimals),
            ("100001", FindingKind::TooLarge),
            ("99999999999999999999999999999999", FindingKind::TooLarge),
        ];
        for (text, kind) in table {
            assert_eq!(parse_tonnes(text).map_err(|(kind, _)| kind), Err(kind), "{text}");
        }
    }

    #[test]
    fn a_value_in_a_message_is_short_and_escaped() {
        assert_eq!(quoted("a\u{1b}[31m"), r#""a\u{1b}[31m""#);
        assert_eq!(quoted(&"ಕ".repeat(41)), format!("\"{}\"…", "ಕ".repeat(40)));
    }

    proptest! {
        #[test]
        fn every_weight_survives_its_decimal_text(grams in 1..=MAX_ARRIVAL_G) {
            let text = format!("{}.{:06}", grams / GRAMS_PER_TONNE, grams % GRAMS_PER_TONNE);
            prop_assert_eq!(parse_tonnes(&text), Ok(grams));
            prop_assert_eq!(parse_tonnes(text.trim_end_matches('0').trim_end_matches('.')), Ok(grams));
        }
    }
}
