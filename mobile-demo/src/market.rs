//! Made-up data around the real market: codes, lorries, farmers, and the day's clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::Context;
use farmtally_core::environment::{Clock, Environment};
use farmtally_core::units::{BusinessDate, CentreCode, CommodityCode, LorryPlate, Timestamp};
use farmtally_sync_server::ReferenceFile;
use serde_json::json;

use crate::plan::PAYLOAD_G;

/// Minutes that India is ahead of UTC.
pub(crate) const INDIA_MINUTES: i16 = 330;
/// The scale of the market.
pub(crate) const SCALE: &str = "SCALE1";
const CRATE_TARE_G: i64 = 1_500;
/// Moisture of a tomato up to which nothing is deducted; made up.
const TARGET_HUNDREDTHS: i64 = 9_400;

#[derive(Clone, Debug)]
pub(crate) struct Market {
    pub(crate) name: String,
    pub(crate) date: BusinessDate,
    pub(crate) centre: CentreCode,
    pub(crate) commodity: CommodityCode,
}

impl Market {
    /// Returns a market whose centre code is the first eight letters and digits of its name.
    pub(crate) fn new(name: &str, date: BusinessDate) -> anyhow::Result<Self> {
        let code: String = name.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
        let centre = code.to_ascii_uppercase().parse().with_context(|| format!("cannot make a code of {name:?}"))?;
        Ok(Self { name: name.to_owned(), date, centre, commodity: "TOMATO".parse()? })
    }

    /// Reference data of the market, as an operator writes it for `farmtally-server org create`.
    pub(crate) fn reference(&self, lorries: usize) -> anyhow::Result<ReferenceFile> {
        let date = self.date.to_string();
        let (year, _) = date.split_once('-').context("a date without a year")?;
        let (first_day, last_day) = (format!("{year}-01-01"), format!("{year}-12-31"));
        let commodity = self.commodity.as_str();
        let plates = (0..lorries).map(plate).collect::<anyhow::Result<Vec<_>>>()?;
        let lorry = |plate: &LorryPlate| json!({ "plate": plate.as_str(), "payload_g": PAYLOAD_G });
        let reference = json!({
            "centres": [{ "code": self.centre.as_str(), "name": self.name }],
            "commodities": [{ "code": commodity, "name": "Tomato" }],
            "seasons": [{ "code": year, "commodity": commodity, "from": first_day, "to": last_day }],
            "lorries": plates.iter().map(lorry).collect::<Vec<_>>(),
            "instruments": [{
                "code": SCALE, "type": "scale", "serial": "A-1", "accuracy_class": "III", "min_value": 1_000,
                "max_value": 60_000, "intervals": [{ "up_to_value": 60_000, "interval_value": 20 }],
                "certificate": "C-1", "valid_until": last_day
            }],
            "rule_sets": [{
                "number": 1, "commodity": commodity, "valid_from": first_day,
                "bag_types": [{ "number": 0, "name": "crate", "tare_g": CRATE_TARE_G }],
                "moisture": { "target_hundredths": TARGET_HUNDREDTHS, "method": "water_shrink" }
            }],
        });
        Ok(ReferenceFile::parse(&reference.to_string())?)
    }
}

/// Returns the plate of lorry `number`, counted from 0.
pub(crate) fn plate(number: usize) -> anyhow::Result<LorryPlate> {
    Ok(format!("KA07A{:04}", number + 1).parse()?)
}

const GIVEN_NAMES: &str = "Anand Basavaraj Bhagyamma Byregowda Channamma Devaraj Eshwarappa Gangamma Girish Gowramma Jayamma \
    Kempanna Krishnappa Lakshmamma Lokesh Mahadeva Manjula Muniyappa Nagaraj Nanjamma Prakash Puttamma Rathnamma Shivanna \
    Siddaraju Sunanda Yashoda";
const FATHERS_NAMES: &str = "Anjanappa Basappa Bettegowda Chikkanna Doddaiah Erappa Gopalappa Hanumappa Javaregowda Kalegowda \
    Lingappa Mallappa Marigowda Narayanappa Papanna Rangaiah Ramappa Siddappa Subbanna Thimmaiah Veerappa Yellappa Venkatappa";
const INITIALS: &str = "A B C D G H J K L M N P R S T V";
const VILLAGES: &str = "Aralihalli Bevinagere Chinnapura Halasinakunte Hongepalya Kallukoppa Keregudda Mavinatota Nelluhalli \
    Sampigegere Tenginapura Ullikunte";

/// A made-up farmer. The telephone number may belong to somebody by chance: never call it.
#[derive(Debug)]
pub(crate) struct Farmer {
    pub(crate) name: String,
    /// The same name, as another person might write it.
    pub(crate) other_name: String,
    pub(crate) village: String,
    pub(crate) phone: String,
}

impl Farmer {
    /// Farmer of a number; names repeat after 9,936 farmers, because the lists have 27, 23 and 16 entries.
    pub(crate) fn numbered(number: usize) -> Self {
        let pick = |list: &'static str| list.split_whitespace().cycle().nth(number % list.split_whitespace().count());
        let [given, father, initial, village] =
            [GIVEN_NAMES, FATHERS_NAMES, INITIALS, VILLAGES].map(|list| pick(list).unwrap_or_default());
        Self {
            name: format!("{initial}. {given} {father}"),
            other_name: format!("{given} {}.", father.get(..1).unwrap_or_default()),
            village: village.to_owned(),
            phone: format!("+91{}", 6_380_100_000 + number),
        }
    }
}

/// A clock that moves only when [`DayClock::advance`] is called.
#[derive(Debug)]
pub(crate) struct DayClock(AtomicI64);

impl DayClock {
    /// Returns a clock at 05:30 in India, which is midnight in UTC.
    pub(crate) fn at_dawn(date: BusinessDate) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(i64::from(date.0) * 86_400_000)))
    }

    pub(crate) fn advance(&self, time: Duration) {
        self.0.fetch_add(i64::try_from(time.as_millis()).unwrap_or(0), Ordering::Relaxed);
    }

    /// The time of day in India, such as `09:05`.
    pub(crate) fn time_of_day(&self) -> String {
        let minutes = (self.now().0 / 60_000 + i64::from(INDIA_MINUTES)).rem_euclid(24 * 60);
        format!("{:02}:{:02}", minutes / 60, minutes % 60)
    }

    /// This clock, with the system's randomness.
    pub(crate) fn environment(self: &Arc<Self>) -> Environment {
        Environment { clock: Arc::<Self>::clone(self), ..Environment::system() }
    }
}

impl Clock for DayClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }

    fn boot_ms(&self) -> u64 {
        u64::try_from(self.now().0).unwrap_or(0)
    }

    fn boot_id(&self) -> [u8; 16] {
        [1; 16]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::arrivals::Arrivals;

    #[test]
    fn every_market_of_the_data_has_a_code_and_reference_data() {
        let arrivals = Arrivals::load(None).unwrap();
        for name in arrivals.markets.keys() {
            Market::new(name, "2016-02-29".parse().unwrap()).unwrap().reference(2).unwrap();
        }
        assert_eq!(Market::new("Binny Mill (F&V)", BusinessDate(0)).unwrap().centre.as_str(), "BINNYMIL");
    }

    #[test]
    fn farmers_differ_by_name_and_phone() {
        let farmers: Vec<Farmer> = (0..4_000).map(Farmer::numbered).collect();
        assert_eq!(farmers.iter().map(|it| &it.name).collect::<BTreeSet<_>>().len(), 4_000);
        assert_eq!(farmers.iter().map(|it| &it.phone).collect::<BTreeSet<_>>().len(), 4_000);
        let first = Farmer::numbered(0);
        assert_eq!((first.name.as_str(), first.other_name.as_str()), ("A. Anand Anjanappa", "Anand A."));
    }

    #[test]
    fn the_day_begins_at_half_past_five_in_india() {
        let date = "2021-02-18".parse().unwrap();
        let clock = DayClock::at_dawn(date);
        assert_eq!((clock.time_of_day(), clock.now().date(INDIA_MINUTES)), ("05:30".to_owned(), date));
        clock.advance(Duration::from_secs(18 * 3600 + 29 * 60));
        assert_eq!((clock.time_of_day(), clock.now().date(INDIA_MINUTES)), ("23:59".to_owned(), date));
    }
}
