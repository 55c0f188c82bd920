//! The market of the day as FarmTally's reference data: one centre, tomatoes, a season, lorries.
//!
//! Owns the codes. Its name and day are real; centre code, lorries and the crate's tare are made up.

use std::str::FromStr;

use anyhow::Context;
use chrono::{Datelike, NaiveDate};
use farmtally_core::units::{BusinessDate, CentreCode, CommodityCode, LorryPlate, SeasonCode};
use farmtally_sync_server::ReferenceFile;
use serde_json::json;

use crate::plan::PAYLOAD_G;

/// What an empty crate weighs.
const CRATE_TARE_G: i64 = 1_500;
/// The longest code of a centre.
const CODE_LENGTH: usize = 8;

/// Where and when the day takes place.
#[derive(Clone, Debug)]
pub(crate) struct Market {
    /// Its published name.
    pub(crate) name: String,
    /// Its code.
    pub(crate) centre: CentreCode,
    /// What is sold.
    pub(crate) commodity: CommodityCode,
    /// The year, as a season.
    pub(crate) season: SeasonCode,
    /// The day.
    pub(crate) date: BusinessDate,
    year: i32,
}

impl Market {
    /// A market on a day.
    pub(crate) fn new(name: &str, date: NaiveDate) -> anyhow::Result<Self> {
        let year = date.year();
        Ok(Self {
            centre: code(name).parse().with_context(|| format!("a centre's code for {name:?}"))?,
            commodity: "TOMATO".parse()?,
            season: year.to_string().parse()?,
            name: name.to_owned(),
            date: date.into(),
            year,
        })
    }

    /// What the office publishes to phones.
    pub(crate) fn reference(&self, lorries: usize) -> anyhow::Result<ReferenceFile> {
        let (commodity, first_day) = (self.commodity.as_str(), format!("{}-01-01", self.year));
        let plates = (1..=lorries).map(plate).collect::<Result<Vec<_>, _>>()?;
        let lorry = |plate: &LorryPlate| json!({ "lorry": plate.as_str(), "payload_g": PAYLOAD_G });
        let reference = json!({
            "centres": [{ "centre": self.centre.as_str(), "name": self.name }],
            "commodities": [{ "commodity": commodity, "name": "Tomato" }],
            "seasons": [{
                "season": self.season.as_str(), "commodity": commodity, "from": first_day, "to": format!("{}-12-31", self.year)
            }],
            "lorries": plates.iter().map(lorry).collect::<Vec<_>>(),
            "rule_sets": [{
                "number": 1, "commodity": commodity, "valid_from": first_day,
                "bag_types": [{ "number": 0, "name": "crate", "tare_g": CRATE_TARE_G }]
            }],
        });
        Ok(ReferenceFile::parse(&reference.to_string())?)
    }
}

/// The plate of a lorry, counted from 1.
pub(crate) fn plate(number: usize) -> anyhow::Result<LorryPlate> {
    Ok(LorryPlate::from_str(&format!("KA07A{number:04}"))?)
}

/// The first eight letters and digits of a name, in upper case.
fn code(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|letter| letter.to_ascii_uppercase()).take(CODE_LENGTH).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::arrivals::Arrivals;

    #[test]
    fn codes_are_cut_from_names() {
        for (name, expected) in [("Kolar", "KOLAR"), ("Binny Mill (F&V)", "BINNYMIL"), ("K.R.Nagar", "KRNAGAR")] {
            assert_eq!(code(name), expected);
        }
    }

    #[test]
    fn every_market_of_the_file_has_a_code_and_reference_data() {
        let arrivals = Arrivals::built_in().unwrap();
        for name in arrivals.markets() {
            let market = Market::new(name, "2016-02-29".parse().unwrap()).unwrap();
            market.reference(2).unwrap();
        }
    }

    #[test]
    fn plates_fit_beyond_nine_thousand_lorries() {
        assert_eq!(plate(1).unwrap().as_str(), "KA07A0001");
        assert_eq!(plate(12_345).unwrap().as_str(), "KA07A12345");
    }
}
