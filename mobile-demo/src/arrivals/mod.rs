//! Published market arrivals: reads the CSV form of the Agmarknet data and picks a market day.
//!
//! Owns: the form (columns `date`, `market`, `variety`, `arrival_tonnes`, in any order, other columns ignored), what makes a row usable, and the rule
//! for the default market day. Does not own: what happens with a total; see `split.rs`.
//!
//! The rule for bad data: a bad row is reported by file, line and field, skipped, and the import goes on. A file that cannot be opened or
//! decompressed, whose header lacks or repeats a needed column, or that has no usable row stops it with an [`ArrivalsError`].
//!
//! Invariants:
//! - Every row below the header is either an [`Arrival`] or one [`Finding`], which names the first bad field in the order row, date, market, variety,
//!   arrival. Blank lines are neither.
//! - A row is one line. No field of this form needs a line break, so a quote left open costs one row and not the rest of the file.
//! - Weights are exact: decimal tonnes become integer grams without a float in between.
//!
//! A byte order mark, CRLF, spaces around a field and zstd compression are accepted. The built-in file is described in `data/README.md`.

mod finding;
mod row;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use chrono::NaiveDate;
use csv::ByteRecord;

pub(crate) use finding::{ArrivalsError, Finding, FindingKind};
pub(crate) use row::Arrival;
use row::{Columns, GRAMS_PER_TONNE, Problem, split_fields};

const BUILT_IN: &[u8] = include_bytes!("../../data/tomato_karnataka.csv.zst");
const BUILT_IN_NAME: &str = "tomato_karnataka.csv";
const MARKETS: &str = include_str!("../../data/markets_karnataka.csv");

/// Markets that publish arrivals but have no position in the list of markets.
const MARKETS_WITHOUT_POSITION: [&str; 6] =
    ["Binny Mill (F&V)", "Hiriyur", "K.R.Nagar", "Kudchi", "Santhesargur", "Tiptur"];

/// What a compressed file may unpack to: fifty times the built-in file.
const MAX_PLAIN_BYTES: u64 = 64 * 1024 * 1024;
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Markets with a median day in this range are preferred as the default: large enough for some hundred deliveries of a few crates, small enough to
/// be watched.
const MODEST_DAY_G: std::ops::RangeInclusive<i64> = 20 * GRAMS_PER_TONNE..=60 * GRAMS_PER_TONNE;

/// Why a market day cannot be chosen.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ChoiceError {
    /// The market has no usable row.
    #[error("no arrivals of market {market:?}: spell it as in the file")]
    UnknownMarket {
        /// The market asked for.
        market: String,
    },
    /// No market has a usable row on that day.
    #[error("no arrivals on {date}: choose another day")]
    EmptyDay {
        /// The day asked for.
        date: NaiveDate,
    },
    /// The market has no usable row on that day.
    #[error("no arrivals of market {market:?} on {date}: its nearest day is {nearest}")]
    EmptyMarketDay {
        /// The market asked for.
        market: String,
        /// The day asked for.
        date: NaiveDate,
        /// The nearest day on which the market has arrivals; the later one of two.
        nearest: NaiveDate,
    },
}

/// One market on one day with all that it published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MarketDay {
    /// Name of the market.
    pub(crate) market: String,
    /// The day.
    pub(crate) date: NaiveDate,
    /// Published weight over all varieties, in grams.
    pub(crate) total_g: i64,
}

/// The arrivals of one market by day; each day has at least one row.
type Days = BTreeMap<NaiveDate, Vec<Arrival>>;

/// The usable rows of one file, never none, and the findings about the others.
#[derive(Debug)]
pub(crate) struct Arrivals {
    by_market: BTreeMap<String, Days>,
    default_day: MarketDay,
    findings: Vec<Finding>,
}

impl Arrivals {
    /// The file that comes with the program: tomato arrivals in Karnataka, January 2016 to May 2021.
    ///
    /// # Errors
    ///
    /// As [`Arrivals::parse`]; only when the embedded file is damaged.
    pub(crate) fn built_in() -> Result<Self, ArrivalsError> {
        Self::parse(BUILT_IN_NAME, BUILT_IN)
    }

    /// Reads a file from disk.
    ///
    /// # Errors
    ///
    /// - [`ArrivalsError::Read`]: the file cannot be opened or read.
    /// - All others as [`Arrivals::parse`].
    pub(crate) fn load(path: &Path) -> Result<Self, ArrivalsError> {
        let file = path.display().to_string();
        match std::fs::read(path) {
            Ok(bytes) => Self::parse(&file, &bytes),
            Err(source) => Err(ArrivalsError::Read { file, source }),
        }
    }

    /// Reads the bytes of a file, plain or zstd; `file` is the name to use in findings and errors.
    ///
    /// # Errors
    ///
    /// - [`ArrivalsError::Decompress`]: zstd that cannot be decompressed.
    /// - [`ArrivalsError::MissingColumn`], [`ArrivalsError::RepeatedColumn`]: a header without exactly one of each needed column.
    /// - [`ArrivalsError::NoUsableRow`]: nothing but findings below the header.
    pub(crate) fn parse(file: &str, bytes: &[u8]) -> Result<Self, ArrivalsError> {
        if bytes.starts_with(&ZSTD_MAGIC) {
            let plain =
                decompress(bytes).map_err(|source| ArrivalsError::Decompress { file: file.to_owned(), source })?;
            Self::parse_plain(file, &plain)
        } else {
            Self::parse_plain(file, bytes)
        }
    }

    fn parse_plain(file: &str, bytes: &[u8]) -> Result<Self, ArrivalsError> {
        let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
        let mut lines = (1..).zip(bytes.split(|byte| *byte == b'\n')).filter(|(_, line)| !line.trim_ascii().is_empty());
        let header = lines.next().map_or_else(ByteRecord::new, |(_, line)| split_fields(line).unwrap_or_default());
        let columns = Columns::find(file, &header)?;
        let known_markets = known_markets();

        let mut by_market: BTreeMap<String, Days> = BTreeMap::new();
        let mut findings = Vec::new();
        for (line, text) in lines {
            let kept = columns.arrival(line, text, &known_markets).and_then(|arrival| keep(&mut by_market, arrival));
            if let Err(Problem { field, kind, reason }) = kept {
                findings.push(Finding { file: file.to_owned(), line, field: field.to_owned(), kind, reason });
            }
        }
        match default_day(&by_market) {
            Some(default_day) => Ok(Self { by_market, default_day, findings }),
            None => Err(ArrivalsError::NoUsableRow { file: file.to_owned(), findings }),
        }
    }

    /// The skipped rows in the order of the file.
    pub(crate) fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// How many rows were skipped for each kind of finding.
    pub(crate) fn findings_by_kind(&self) -> BTreeMap<FindingKind, usize> {
        let mut counts = BTreeMap::new();
        for finding in &self.findings {
            *counts.entry(finding.kind).or_default() += 1;
        }
        counts
    }

    /// All usable rows, by market, then by date, then in the order of the file.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Arrival> {
        self.by_market.values().flat_map(Days::values).flatten()
    }

    /// The markets with at least one usable row, by name.
    pub(crate) fn markets(&self) -> impl Iterator<Item = &str> {
        self.by_market.keys().map(String::as_str)
    }

    /// The rows of one market day in the order of the file, one per variety; empty when there are none.
    pub(crate) fn of(&self, market: &str, date: NaiveDate) -> Vec<&Arrival> {
        self.by_market.get(market).and_then(|days| days.get(&date)).into_iter().flatten().collect()
    }

    /// The market day for what was asked: both, only a market (then its median day, as for [`default_day`]), only a day (then the market
    /// with the largest arrival of that day, of equals the first by name) or neither (then the default day).
    ///
    /// # Errors
    ///
    /// - [`ChoiceError::UnknownMarket`]: the market has no usable row at all.
    /// - [`ChoiceError::EmptyDay`]: no market has a usable row on that day.
    /// - [`ChoiceError::EmptyMarketDay`]: the market has usable rows, but not on that day.
    pub(crate) fn choose(&self, market: Option<&str>, date: Option<NaiveDate>) -> Result<MarketDay, ChoiceError> {
        match (market, date) {
            (None, None) => Ok(self.default_day.clone()),
            (None, Some(date)) => self.largest_of(date).ok_or(ChoiceError::EmptyDay { date }),
            (Some(market), date) => {
                let unknown_market = || ChoiceError::UnknownMarket { market: market.to_owned() };
                let days = self.by_market.get(market).ok_or_else(unknown_market)?;
                let Some(date) = date else {
                    return median_day(market, days).ok_or_else(unknown_market);
                };
                match days.get(&date) {
                    Some(rows) => Ok(MarketDay { market: market.to_owned(), date, total_g: total_g(rows) }),
                    None => Err(match nearest(days, date) {
                        Some(nearest) => ChoiceError::EmptyMarketDay { market: market.to_owned(), date, nearest },
                        None => unknown_market(),
                    }),
                }
            }
        }
    }

    fn largest_of(&self, date: NaiveDate) -> Option<MarketDay> {
        self.by_market
            .iter()
            .filter_map(|(market, days)| {
                Some(MarketDay { market: market.clone(), date, total_g: total_g(days.get(&date)?) })
            })
            // The last of equals wins, so the names are walked backwards.
            .rev()
            .max_by_key(|day| day.total_g)
    }
}

/// The sum cannot overflow: it takes 92 million rows of the largest arrival.
fn total_g(rows: &[Arrival]) -> i64 {
    rows.iter().map(|row| row.arrival_g).sum()
}

fn nearest(days: &Days, date: NaiveDate) -> Option<NaiveDate> {
    days.keys().rev().copied().min_by_key(|day| day.signed_duration_since(date).abs())
}

fn median_day(market: &str, days: &Days) -> Option<MarketDay> {
    let mut by_total: Vec<(i64, NaiveDate)> = days.iter().map(|(date, rows)| (total_g(rows), *date)).collect();
    by_total.sort_unstable();
    let middle = by_total.len().checked_sub(1)? / 2;
    let (median_g, _) = *by_total.get(middle)?;
    let (total_g, date) = *by_total.iter().rfind(|(total_g, _)| *total_g == median_g)?;
    Some(MarketDay { market: market.to_owned(), date, total_g })
}

/// The market day to show when nothing was asked for; absent only when there is no row.
///
/// The market: of those whose median day is 20 to 60 tonnes, the one with most days; when no market is of that size, the one with most days of
/// all; of equals the first by name. The day: the latest one with exactly the market's median total, where the median of an even number of days
/// is the lower one of the middle two. In the built-in file that is Srinivasapur on 2021-02-18 with 37 tonnes.
fn default_day(by_market: &BTreeMap<String, Days>) -> Option<MarketDay> {
    by_market
        .iter()
        .filter_map(|(market, days)| Some((median_day(market, days)?, days.len())))
        // The last of equals wins, so the names are walked backwards.
        .rev()
        .max_by_key(|(day, days)| (MODEST_DAY_G.contains(&day.total_g), *days))
        .map(|(day, _)| day)
}

fn known_markets() -> BTreeSet<&'static str> {
    let listed = MARKETS.lines().skip(1).filter_map(|line| line.split(',').nth(1));
    listed.chain(MARKETS_WITHOUT_POSITION).collect()
}

/// Adds a row unless its date, market and variety are there already.
fn keep(by_market: &mut BTreeMap<String, Days>, arrival: Arrival) -> Result<(), Problem> {
    let day = by_market.entry(arrival.market.clone()).or_default().entry(arrival.date).or_default();
    if let Some(first) = day.iter().find(|row| row.variety == arrival.variety) {
        let reason = format!("same date, market and variety as line {}; remove one of the two", first.line);
        return Err(Problem::new("row", FindingKind::Duplicate, reason));
    }
    day.push(arrival);
    Ok(())
}

fn decompress(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    zstd::stream::Decoder::new(bytes)?.take(MAX_PLAIN_BYTES + 1).read_to_end(&mut plain)?;
    if plain.len() as u64 > MAX_PLAIN_BYTES {
        return Err(std::io::Error::other(format!("it unpacks to more than {MAX_PLAIN_BYTES} bytes")));
    }
    Ok(plain)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADER: &str = "date,market,variety,arrival_tonnes";

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn total_of(arrivals: &Arrivals, market: &str, date: &str) -> i64 {
        arrivals.of(market, day(date)).iter().map(|row| row.arrival_g).sum()
    }

    #[test]
    fn a_bad_row_is_one_finding_with_file_line_and_field() {
        const ROWS: &str = r#"date,market,variety,arrival_tonnes
2016-01-01,Kolar,Tomato,5
2016-01-02,Kolar,Tomato
2016-01-02,Kolar,Tomato,5,
2016-01-02,"Kolar,Tomato,5
2016-01-02,Kolar,Tomato,"5
,Kolar,Tomato,5
2015-02-29,Kolar,Tomato,5
01/02/2016,Kolar,Tomato,5
2016-1-2,Kolar,Tomato,5
2016- 1-02,Kolar,Tomato,5
1899-12-31,Kolar,Tomato,5
2101-01-01,Kolar,Tomato,5
2016-01-02,Atlantis,Tomato,5
2016-01-02,,Tomato,5
2016-01-02,Kolar,  ,5
2016-01-02,Kolar,Tomato,
2016-01-02,Kolar,Tomato,NR
2016-01-02,Kolar,Tomato,"1,5"
2016-01-02,Kolar,Tomato,-5
2016-01-02,Kolar,Tomato,0.00
2016-01-02,Kolar,Tomato,1.0000001
2016-01-02,Kolar,Tomato,100000.000001
2016-01-01,Kolar,Tomato,6
"#;
        const FINDINGS: &str = r#"
test.csv:3: row: has 3 fields where the header has 4; add or remove commas
test.csv:4: row: has 5 fields where the header has 4; add or remove commas
test.csv:5: row: a quote is not closed on its line; remove or double it
test.csv:6: row: a quote is not closed on its line; remove or double it
test.csv:7: date: "" is not a calendar date; write it as YYYY-MM-DD
test.csv:8: date: "2015-02-29" is not a calendar date; write it as YYYY-MM-DD
test.csv:9: date: "01/02/2016" is not a calendar date; write it as YYYY-MM-DD
test.csv:10: date: "2016-1-2" is not a calendar date; write it as YYYY-MM-DD
test.csv:11: date: "2016- 1-02" is not a calendar date; write it as YYYY-MM-DD
test.csv:12: date: 1899-12-31 is outside the years 1900 to 2100; correct the year
test.csv:13: date: 2101-01-01 is outside the years 1900 to 2100; correct the year
test.csv:14: market: "Atlantis" is not a known market; spell it as in markets_karnataka.csv
test.csv:15: market: "" is not a known market; spell it as in markets_karnataka.csv
test.csv:16: variety: is empty; name the variety
test.csv:17: arrival_tonnes: is missing; add the tonnes or leave the row out
test.csv:18: arrival_tonnes: "NR" is not a number; write tonnes such as 12 or 12.5
test.csv:19: arrival_tonnes: "1,5" is not a number; write tonnes such as 12 or 12.5
test.csv:20: arrival_tonnes: "-5" is negative; an arrival is above zero
test.csv:21: arrival_tonnes: is zero; leave out a day without arrivals
test.csv:22: arrival_tonnes: "1.0000001" is finer than a gram; keep at most 6 decimals
test.csv:23: arrival_tonnes: "100000.000001" is above 100000 tonnes; check the unit
test.csv:24: row: same date, market and variety as line 2; remove one of the two
"#;
        let arrivals = Arrivals::parse("test.csv", ROWS.as_bytes()).unwrap();
        let findings: Vec<String> = arrivals.findings().iter().map(Finding::to_string).collect();
        assert_eq!(findings, FINDINGS.trim().lines().collect::<Vec<_>>());
        assert_eq!(arrivals.rows().count(), 1);
        let kinds = [
            (FindingKind::BrokenRow, 4),
            (FindingKind::BadDate, 7),
            (FindingKind::UnknownMarket, 2),
            (FindingKind::EmptyVariety, 1),
            (FindingKind::MissingArrival, 1),
            (FindingKind::NotANumber, 2),
            (FindingKind::NegativeArrival, 1),
            (FindingKind::ZeroArrival, 1),
            (FindingKind::TooManyDecimals, 1),
            (FindingKind::TooLarge, 1),
            (FindingKind::Duplicate, 1),
        ];
        assert_eq!(arrivals.findings_by_kind(), BTreeMap::from(kinds));
    }

    #[test]
    fn stray_bytes_are_findings() {
        let file = b"date,market,variety,arrival_tonnes,note
2016-01-01,Kolar,Tomato,5,
2016-01-02,Kolar,Tomato,5,\xFF
2016-01-02,Kol\xFFar,Tomato,5,
2016-01-02,Kol\rar,Tomato,5,
2016-01-02,\"Kolar\",Tomato,5,\r,";
        let arrivals = Arrivals::parse("test.csv", file).unwrap();
        let findings: Vec<String> = arrivals.findings().iter().map(Finding::to_string).collect();
        assert_eq!(
            findings,
            [
                "test.csv:3: row: field 5 is not UTF-8; save the file as UTF-8",
                "test.csv:4: row: field 2 is not UTF-8; save the file as UTF-8",
                r#"test.csv:5: market: "Kol\rar" is not a known market; spell it as in markets_karnataka.csv"#,
                "test.csv:6: row: has 6 fields where the header has 5; add or remove commas",
            ]
        );
    }

    #[test]
    fn the_import_goes_on_after_a_bad_row_and_keeps_line_numbers() {
        let file = format!(
            "\u{feff}{HEADER}\r\n\r\n2016-01-01,\"Kolar,Tomato,5\r\n2016-01-02,Kolar,Tomato,6\r\n2016-01-03,Kolar\r\n2016-01-04,Kolar,Hybrid,7\r\n"
        );
        let arrivals = Arrivals::parse("test.csv", file.as_bytes()).unwrap();
        assert_eq!(
            arrivals.rows().map(|row| (row.line, row.arrival_g)).collect::<Vec<_>>(),
            [(4, 6_000_000), (6, 7_000_000)]
        );
        assert_eq!(arrivals.findings().iter().map(|finding| finding.line).collect::<Vec<_>>(), [3, 5]);
    }

    #[test]
    fn a_duplicate_of_a_bad_row_is_no_duplicate() {
        let file =
            format!("{HEADER}\n2016-01-01,Kolar,Tomato,\n2016-01-01,Kolar,Tomato,5\n2016-01-01,Kolar,Hybrid,6\n");
        let arrivals = Arrivals::parse("test.csv", file.as_bytes()).unwrap();
        assert_eq!(arrivals.findings_by_kind(), BTreeMap::from([(FindingKind::MissingArrival, 1)]));
        assert_eq!(total_of(&arrivals, "Kolar", "2016-01-01"), 11_000_000);
        assert_eq!(
            arrivals.of("Kolar", day("2016-01-01")).iter().map(|row| row.variety.as_str()).collect::<Vec<_>>(),
            ["Tomato", "Hybrid"]
        );
    }

    #[test]
    fn columns_may_be_in_any_order_quoted_and_beside_others() {
        let file = "\u{feff}note,arrival_tonnes, variety ,\"date\",market\r\n\"a, b\", 1.25 ,\"Tom \"\"x\"\"\",2016-01-01,Kolar";
        let arrivals = Arrivals::parse("test.csv", file.as_bytes()).unwrap();
        let expected = Arrival {
            line: 2,
            date: day("2016-01-01"),
            market: "Kolar".into(),
            variety: "Tom \"x\"".into(),
            arrival_g: 1_250_000,
        };
        assert_eq!(arrivals.rows().collect::<Vec<_>>(), [&expected]);
        assert_eq!(arrivals.findings(), []);
    }

    #[test]
    fn a_header_without_exactly_one_of_each_needed_column_stops_the_import() {
        let table = [
            (
                "",
                "test.csv has no column date: name the columns date, market, variety and arrival_tonnes in the first line",
            ),
            (
                "date,market,variety\n",
                "test.csv has no column arrival_tonnes: name the columns date, market, variety and arrival_tonnes in the first line",
            ),
            (
                "Date,market,variety,arrival_tonnes\n",
                "test.csv has no column date: name the columns date, market, variety and arrival_tonnes in the first line",
            ),
            ("date,market,variety,arrival_tonnes,market\n", "test.csv has the column market more than once: keep one"),
        ];
        for (file, text) in table {
            assert_eq!(Arrivals::parse("test.csv", file.as_bytes()).unwrap_err().to_string(), text);
        }
    }

    #[test]
    fn a_file_without_a_usable_row_stops_the_import() {
        let error = Arrivals::parse("test.csv", format!("{HEADER}\n\n").as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "test.csv has no usable row: there is nothing below the header");
        let error = Arrivals::parse("test.csv", format!("{HEADER}\nx\ny\n").as_bytes()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "test.csv has no usable row: 2 skipped, the first is test.csv:2: row: has 1 fields where the header has 4; add or remove commas"
        );
        assert!(matches!(error, ArrivalsError::NoUsableRow { findings, .. } if findings.len() == 2));
    }

    #[test]
    fn a_file_that_cannot_be_read_or_decompressed_stops_the_import() {
        let folder = tempfile::tempdir().unwrap();
        let absent = folder.path().join("absent.csv");
        assert!(
            matches!(Arrivals::load(&absent), Err(ArrivalsError::Read { file, .. }) if file.ends_with("absent.csv"))
        );
        assert!(matches!(Arrivals::load(folder.path()), Err(ArrivalsError::Read { .. })));

        let cut = &BUILT_IN[..BUILT_IN.len() / 2];
        let path = folder.path().join("cut.csv.zst");
        std::fs::write(&path, cut).unwrap();
        assert!(matches!(Arrivals::load(&path), Err(ArrivalsError::Decompress { .. })));
        assert!(matches!(Arrivals::parse("magic", &ZSTD_MAGIC), Err(ArrivalsError::Decompress { .. })));
    }

    #[test]
    fn a_file_is_read_alike_plain_and_compressed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plain.csv");
        std::fs::write(&path, zstd::stream::decode_all(BUILT_IN).unwrap()).unwrap();
        let plain = Arrivals::load(&path).unwrap();
        let compressed = Arrivals::built_in().unwrap();
        assert!(plain.rows().eq(compressed.rows()));
        assert_eq!(plain.findings().len(), compressed.findings().len());
    }

    #[test]
    fn the_built_in_file_has_30009_rows_of_which_684_lack_the_arrival() {
        let arrivals = Arrivals::built_in().unwrap();
        assert_eq!(arrivals.rows().count(), 30_009 - 684);
        assert_eq!(arrivals.findings_by_kind(), BTreeMap::from([(FindingKind::MissingArrival, 684)]));
        assert_eq!(
            arrivals.findings().first().unwrap().to_string(),
            "tomato_karnataka.csv:215: arrival_tonnes: is missing; add the tonnes or leave the row out"
        );
        assert_eq!(arrivals.markets().count(), 57);
        let kolar = arrivals.by_market.get("Kolar").unwrap();
        assert_eq!(kolar.len(), 1897);
        assert_eq!(kolar.values().map(|rows| total_g(rows)).max(), Some(9_070_000_000));
        assert_eq!(total_of(&arrivals, "Kolar", "2020-09-08"), 9_070_000_000);
        assert_eq!(arrivals.of("Kolar", day("1999-09-09")), Vec::<&Arrival>::new());
        assert_eq!(arrivals.of("Atlantis", day("2020-09-08")), Vec::<&Arrival>::new());
    }

    #[test]
    fn the_known_markets_are_the_94_listed_and_six_without_position() {
        let known = known_markets();
        assert_eq!(known.len(), 100);
        assert!(
            known.contains("Ranebennur")
                && known.contains("Kolar")
                && known.contains("Tiptur")
                && !known.contains("market")
        );
        let listed = csv::Reader::from_reader(MARKETS.as_bytes())
            .records()
            .map(|row| row.unwrap()[1].to_owned())
            .collect::<Vec<_>>();
        assert_eq!(listed.len(), 94);
        assert!(listed.iter().all(|market| known.contains(market.as_str())));
    }

    #[test]
    fn a_market_day_is_chosen_from_what_was_asked() {
        let arrivals = Arrivals::built_in().unwrap();
        let chosen = |market, date: Option<&str>| {
            let chosen = arrivals.choose(market, date.map(day)).map_err(|error| error.to_string())?;
            assert_eq!(total_of(&arrivals, &chosen.market, &chosen.date.to_string()), chosen.total_g);
            Ok(format!("{} {} {}", chosen.market, chosen.date, chosen.total_g))
        };
        let no = |text: &str| Err(text.to_owned());
        let yes = |text: &str| Ok(text.to_owned());
        assert_eq!(chosen(None, None), yes("Srinivasapur 2021-02-18 37000000"));
        assert_eq!(chosen(Some("Kolar"), None), yes("Kolar 2018-05-27 467000000"));
        assert_eq!(chosen(Some("Kolar"), Some("2020-09-08")), yes("Kolar 2020-09-08 9070000000"));
        assert_eq!(chosen(None, Some("2020-09-08")), yes("Kolar 2020-09-08 9070000000"));
        assert_eq!(chosen(Some("Atlantis"), None), no("no arrivals of market \"Atlantis\": spell it as in the file"));
        assert_eq!(
            chosen(Some("Atlantis"), Some("2020-09-08")),
            no("no arrivals of market \"Atlantis\": spell it as in the file")
        );
        assert_eq!(chosen(None, Some("1999-09-09")), no("no arrivals on 1999-09-09: choose another day"));
        assert_eq!(
            chosen(Some("Kudchi"), Some("1999-09-09")),
            no(&format!(
                "no arrivals of market \"Kudchi\" on 1999-09-09: its nearest day is {}",
                arrivals.by_market.get("Kudchi").unwrap().keys().next().unwrap()
            ))
        );
    }

    #[test]
    fn the_nearest_day_is_the_later_of_two() {
        let rows = "2016-01-01,Kolar,Tomato,5\n2016-01-05,Kolar,Tomato,5\n2016-02-01,Kolar,Tomato,5";
        let arrivals = Arrivals::parse("test.csv", format!("{HEADER}\n{rows}").as_bytes()).unwrap();
        for (date, nearest) in [
            ("2015-06-01", "2016-01-01"),
            ("2016-01-02", "2016-01-01"),
            ("2016-01-03", "2016-01-05"),
            ("2016-12-31", "2016-02-01"),
        ] {
            let (date, nearest, market) = (day(date), day(nearest), "Kolar".to_owned());
            assert_eq!(
                arrivals.choose(Some("Kolar"), Some(date)),
                Err(ChoiceError::EmptyMarketDay { market, date, nearest })
            );
        }
    }

    #[test]
    fn equal_choices_go_to_the_first_name_and_the_latest_day() {
        let choose = |rows: &[&str], date: Option<&str>| {
            let chosen = Arrivals::parse("test.csv", [&[HEADER], rows].concat().join("\n").as_bytes())
                .unwrap()
                .choose(None, date.map(day))
                .unwrap();
            format!("{} {} {}", chosen.market, chosen.date, chosen.total_g)
        };
        let tie = [
            "2016-01-01,Malur,Tomato,30",
            "2016-01-01,Kolar,Tomato,30",
            "2016-01-02,Kolar,Tomato,30",
            "2016-01-02,Malur,Tomato,30",
        ];
        assert_eq!(choose(&tie, None), "Kolar 2016-01-02 30000000");
        assert_eq!(choose(&tie, Some("2016-01-01")), "Kolar 2016-01-01 30000000");
        let modest_before_many_days =
            ["2016-01-01,Malur,Tomato,20", "2016-01-01,Kolar,Tomato,61", "2016-01-02,Kolar,Tomato,61"];
        assert_eq!(choose(&modest_before_many_days, None), "Malur 2016-01-01 20000000");
        let none_modest = [
            "2016-01-01,Kolar,Tomato,1",
            "2016-01-01,Malur,Tomato,61",
            "2016-01-02,Malur,Tomato,62",
            "2016-01-02,Malur,Hybrid,1",
        ];
        assert_eq!(choose(&none_modest, None), "Malur 2016-01-01 61000000");
    }

    proptest! {
        #[test]
        fn every_row_of_any_bytes_is_an_arrival_or_a_finding(rows in proptest::collection::vec("[-0-9,\"A-Za-z. \r\u{e9}]{0,30}", 0..20), noise: u8) {
            let mut file = format!("{HEADER}\n2016-01-01,Kolar,Tomato,5\n").into_bytes();
            for row in &rows {
                file.extend_from_slice(row.as_bytes());
                if noise != b'\n' && !row.trim().is_empty() {
                    file.push(noise);
                }
                file.push(b'\n');
            }
            let arrivals = Arrivals::parse("test.csv", &file).unwrap();
            let filled = file.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count();
            prop_assert_eq!(arrivals.rows().count() + arrivals.findings().len(), filled - 1);
        }
    }
}
