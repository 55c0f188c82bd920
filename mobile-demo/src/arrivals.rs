//! Published arrivals: reads the CSV and chooses a market day.
//!
//! A row that cannot be used is skipped and counted. `data/README.md` describes the built-in file.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail};
use farmtally_core::units::BusinessDate;
use serde::de::{Deserialize, Deserializer, Error};

use crate::spreadsheet::Sheet;

/// Columns that a file must have, in any order, whatever their case.
const COLUMNS: [&str; 4] = ["date", "market", "variety", "arrival_tonnes"];
const BUILT_IN: &[u8] = include_bytes!("../data/tomato_karnataka.csv.zst");
/// 100,000 tonnes, ten times the largest arrival of the built-in file.
const MAX_ARRIVAL_G: i64 = 100_000_000_000;

/// Arrival that one market published for one variety on one day.
#[derive(serde::Deserialize)]
struct Row {
    #[serde(deserialize_with = "date")]
    date: BusinessDate,
    market: String,
    variety: String,
    #[serde(rename = "arrival_tonnes", deserialize_with = "grams")]
    arrival_g: i64,
}

fn date<'de, D: Deserializer<'de>>(field: D) -> Result<BusinessDate, D::Error> {
    String::deserialize(field)?.parse().map_err(D::Error::custom)
}

fn grams<'de, D: Deserializer<'de>>(field: D) -> Result<i64, D::Error> {
    let text = String::deserialize(field)?;
    let wrong = || D::Error::custom(format!("arrival_tonnes {text:?} is not a weight, such as 12 or 12.5"));
    grams_of_tonnes(&text).ok_or_else(wrong)
}

/// The error of a row, with its line number in a file that has `lines_before` the column names.
fn reason(error: &csv::Error, lines_before: u64) -> String {
    match error.kind() {
        csv::ErrorKind::Deserialize { pos: Some(position), err } => {
            format!("line {}: {}", position.line() + lines_before, err.kind())
        }
        csv::ErrorKind::UnequalLengths { pos: Some(position), expected_len, len } => {
            format!("line {}: {len} fields instead of {expected_len}", position.line() + lines_before)
        }
        _ => error.to_string(),
    }
}

/// Converts a decimal number of tonnes to grams, exactly. Requires a value above zero, at most [`MAX_ARRIVAL_G`], with at most six
/// decimals.
fn grams_of_tonnes(text: &str) -> Option<i64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = [whole, decimals].iter().all(|part| !part.is_empty() && part.bytes().all(|it| it.is_ascii_digit()));
    if !is_number || decimals.len() > 6 {
        return None;
    }
    format!("{whole}{decimals:0<6}").parse().ok().filter(|grams| (1..=MAX_ARRIVAL_G).contains(grams))
}

/// Grams by variety; never empty.
pub(crate) type Varieties = BTreeMap<String, i64>;
type Days = BTreeMap<BusinessDate, Varieties>;

/// The usable rows of a file, and the errors of the others.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    pub(crate) markets: BTreeMap<String, Days>,
    rows: usize,
    unusable: Vec<String>,
}

impl Arrivals {
    /// Reads a CSV file, or the built-in arrivals if `path` is `None`.
    pub(crate) fn load(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else { return Self::read(zstd::Decoder::new(BUILT_IN)?) };
        File::open(path)
            .map_err(Into::into)
            .and_then(Self::read)
            .with_context(|| format!("cannot use {}", path.display()))
    }

    fn read(mut input: impl Read) -> anyhow::Result<Self> {
        let mut bytes = Vec::new();
        input.read_to_end(&mut bytes)?;
        let Sheet { text, separator, lines_before } = Sheet::read(&bytes)?;
        let mut builder = csv::ReaderBuilder::new();
        let mut reader = builder.trim(csv::Trim::All).delimiter(separator).from_reader(text.as_bytes());
        let names: csv::StringRecord = reader.headers()?.iter().map(str::to_lowercase).collect();
        if let Some(missing) = COLUMNS.iter().find(|column| !names.iter().any(|name| name == **column)) {
            let found = names.iter().collect::<Vec<_>>().join(", ");
            bail!("line {}: there is no column `{missing}`; the columns are: {found}", lines_before + 1);
        }
        reader.set_headers(names);
        let mut arrivals = Self::default();
        for row in reader.deserialize() {
            match row {
                Ok(row) => arrivals.add(row),
                Err(error) => arrivals.unusable.push(reason(&error, lines_before)),
            }
        }
        if arrivals.rows == 0 {
            bail!("no row with date, market, variety and arrival_tonnes: {}", arrivals.summary());
        }
        Ok(arrivals)
    }

    fn add(&mut self, row: Row) {
        let Row { date, market, variety, arrival_g } = row;
        match self.markets.entry(market.clone()).or_default().entry(date).or_default().entry(variety) {
            Entry::Occupied(twin) => self.unusable.push(format!("{market}, {date}, {}: a second row", twin.key())),
            Entry::Vacant(place) => {
                place.insert(arrival_g);
                self.rows += 1;
            }
        }
    }

    /// Summarises the numbers of usable and skipped rows, and the first error.
    pub(crate) fn summary(&self) -> String {
        let summary = format!("{} usable rows of {} markets", self.rows, self.markets.len());
        match self.unusable.first() {
            Some(first) => format!("{summary}; {} rows skipped, the first: {first}", self.unusable.len()),
            None => summary,
        }
    }

    /// Returns a market's day and its varieties: `day`, or if that is `None` the latest one with the market's median total.
    pub(crate) fn choose(&self, market: &str, day: Option<BusinessDate>) -> anyhow::Result<(BusinessDate, &Varieties)> {
        let Some(days) = self.markets.get(market) else {
            let markets: Vec<_> = self.markets.keys().map(String::as_str).collect();
            bail!("no arrivals of market {market:?}; the data has {}", markets.join(", "));
        };
        let date = day.or_else(|| median_day(days)).context("a market without days")?;
        let varieties = days.get(&date).with_context(|| {
            let nearest = days.keys().min_by_key(|day| day.0.abs_diff(date.0)).unwrap_or(&date);
            format!("no arrivals of market {market:?} on {date}; its nearest day is {nearest}")
        })?;
        Ok((date, varieties))
    }
}

fn median_day(days: &Days) -> Option<BusinessDate> {
    let mut totals: Vec<(i64, BusinessDate)> =
        days.iter().map(|(date, varieties)| (varieties.values().sum(), *date)).collect();
    totals.sort_unstable();
    let (median_g, _) = *totals.get((totals.len().checked_sub(1)?) / 2)?;
    totals.iter().rfind(|(total_g, _)| *total_g == median_g).map(|(_, date)| *date)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADER: &str = "market,arrival_tonnes,note,date,variety";

    fn read(rows: &[&str]) -> anyhow::Result<Arrivals> {
        Arrivals::read([&[HEADER], rows].concat().join("\n").as_bytes())
    }

    #[test]
    fn bad_rows_are_skipped_and_named_by_line() {
        let good = ["Kolar, 1.25 ,,2016-01-01,Tomato", "\"Kolar\",2,\"a, b\",2016-01-01,Hybrid"];
        let bad = [
            ("Kolar,,,2016-01-02,Tomato", "arrival_tonnes \"\" is not"),
            ("Kolar,-5,,2016-01-02,Tomato", "\"-5\" is not a weight"),
            ("Kolar,0.0,,2016-01-02,Tomato", "\"0.0\" is not a weight"),
            ("Kolar,100000.1,,2016-01-02,Tomato", "\"100000.1\" is not a weight"),
            ("Kolar,0.1234567,,2016-01-02,Tomato", "is not a weight"),
            ("Kolar,5,,2015-02-29,Tomato", "not a date"),
            ("Kolar,5", "2 fields instead of 5"),
            ("Kolar,6,,2016-01-01,Tomato", "a second row"),
        ];
        for (row, reason) in bad {
            let arrivals = read(&[good[0], row, good[1]]).unwrap();
            assert_eq!(arrivals.rows, 2, "{row}");
            let [shown] = &arrivals.unusable[..] else { panic!("{row}") };
            assert!(shown.contains(reason) && (shown.contains('3') || reason == "a second row"), "{shown}");
            let (_, varieties) = arrivals.choose("Kolar", None).unwrap();
            assert_eq!(varieties.values().sum::<i64>(), 3_250_000);
        }
    }

    #[test]
    fn a_file_without_a_usable_row_is_an_error_that_says_why() {
        let error = read(&["Kolar,x,,2016-01-02,Tomato"]).unwrap_err().to_string();
        assert!(error.contains("no row with date") && error.contains("\"x\" is not a weight"), "{error}");
        let error = Arrivals::read("date,variety\n2016-01-01,Tomato".as_bytes()).unwrap_err().to_string();
        assert!(error.contains("line 1: there is no column `market`; the columns are: date, variety"), "{error}");
        assert!(read(&[]).unwrap_err().to_string().contains("0 usable rows"));
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path(), &folder.path().join("absent.csv")] {
            let error = Arrivals::load(Some(path)).unwrap_err();
            assert!(format!("{error:#}").contains("os error"), "{error:#}");
        }
    }

    #[test]
    fn a_file_is_read_however_a_spreadsheet_saved_it() {
        let plain = "date,market,variety,arrival_tonnes\n2016-01-01,\"Kolar\",Tomato,1.25\n2016-01-01,Kolar,Hybrid,2\n";
        let utf16 = |mark: [u8; 2], unit: fn(u16) -> [u8; 2]| -> Vec<u8> {
            [mark.to_vec(), plain.encode_utf16().flat_map(unit).collect()].concat()
        };
        for (form, bytes) in [
            ("plain", plain.into()),
            ("a mark", format!("\u{feff}{plain}").into()),
            ("CR and LF", plain.replace('\n', "\r\n").into()),
            ("CR only", plain.replace('\n', "\r").into()),
            ("semicolons", plain.replace(',', ";").into()),
            ("tabs", plain.replace(',', "\t").into()),
            ("sep", format!("sep=;\r\n{}", plain.replace(',', ";").replace('\n', "\r\n")).into()),
            ("sep, CR only", format!("sep=;\r{}", plain.replace(',', ";").replace('\n', "\r")).into()),
            ("a mark and sep", format!("\u{feff}sep=,\n{plain}").into()),
            ("UTF-16, little end first", utf16([0xff, 0xfe], u16::to_le_bytes)),
            ("UTF-16, big end first", utf16([0xfe, 0xff], u16::to_be_bytes)),
            ("names in capitals", plain.replace("date,market", " Date,MARKET ").into()),
        ] {
            let bytes: Vec<u8> = bytes;
            let arrivals = Arrivals::read(bytes.as_slice()).unwrap_or_else(|error| panic!("{form}: {error:#}"));
            assert_eq!((arrivals.rows, arrivals.unusable.len()), (2, 0), "{form}: {:?}", arrivals.unusable);
        }
        let bad =
            "sep=;\ndate;market;variety;arrival_tonnes\n2016-01-01;Kolar;Tomato;1,25\n2016-01-01;Kolar;Tomato;1\n";
        let arrivals = Arrivals::read(bad.as_bytes()).unwrap();
        assert!(arrivals.unusable[0].starts_with("line 3: arrival_tonnes \"1,25\" is not"), "{}", arrivals.unusable[0]);
    }

    #[test]
    fn the_built_in_file_has_30009_rows_of_which_684_have_no_arrival() {
        let arrivals = Arrivals::load(None).unwrap();
        assert_eq!((arrivals.rows, arrivals.unusable.len(), arrivals.markets.len()), (30_009 - 684, 684, 57));
        assert!(arrivals.unusable[0].starts_with("line 215: "), "{}", arrivals.unusable[0]);
    }

    #[test]
    fn a_market_day_is_chosen_or_the_error_says_what_there_is() {
        let arrivals = Arrivals::load(None).unwrap();
        let choose = |market: &str, day: Option<&str>| {
            let chosen = arrivals.choose(market, day.map(|day| day.parse().unwrap()));
            chosen.map(|(date, it)| format!("{date} {}", it.values().sum::<i64>())).map_err(|error| error.to_string())
        };
        assert_eq!(choose("Srinivasapur", None).unwrap(), "2021-02-18 37000000");
        assert_eq!(choose("Kolar", None).unwrap(), "2018-05-27 467000000");
        assert_eq!(choose("Kolar", Some("2020-09-08")).unwrap(), "2020-09-08 9070000000");
        let absent = choose("Kolar", Some("2030-01-01")).unwrap_err();
        assert!(absent.ends_with("its nearest day is 2021-05-08"), "{absent}");
        assert!(choose("Atlantis", None).unwrap_err().contains("the data has Arasikere, Bagepalli, "));
    }

    proptest! {
        #[test]
        fn every_weight_survives_its_decimal_text(grams in 1..=MAX_ARRIVAL_G) {
            let text = format!("{}.{:06}", grams / 1_000_000, grams % 1_000_000);
            prop_assert_eq!(grams_of_tonnes(&text), Some(grams));
            prop_assert_eq!(grams_of_tonnes(text.trim_end_matches('0').trim_end_matches('.')), Some(grams));
        }
    }
}
