//! Language, digits and the forms of numbers, weights, dates and amounts.

use chrono::{DateTime, Datelike, NaiveDate, Timelike};

use super::model::{LEFT_TO_RIGHT_MARK, RIGHT_TO_LEFT_MARK};
use super::words::Word;
use crate::units::{BusinessDate, Currency, Grams, Percent, Timestamp, named};

named! {
    /// A language of papers.
    pub Language, "a language of papers" {
        /// English.
        English = "en",
        /// Kannada.
        Kannada = "kn",
        /// Hindi.
        Hindi = "hi",
        /// Arabic, written from right to left.
        Arabic = "ar",
    }
}

/// Direction in which a language is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From left to right.
    LeftToRight,
    /// From right to left.
    RightToLeft,
}

impl Language {
    /// Returns the direction in which the language is written.
    pub fn direction(self) -> Direction {
        if self == Self::Arabic { Direction::RightToLeft } else { Direction::LeftToRight }
    }

    /// Returns the digit zero of the language's own script; the others follow it.
    fn zero(self) -> char {
        match self {
            Self::English => '0',
            Self::Kannada => '\u{ce6}',
            Self::Hindi => '\u{966}',
            Self::Arabic => '\u{660}',
        }
    }
}

/// Language and digits of a paper. Codes and numbers that people read out, such as a receipt number, always have Latin digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wording {
    /// Language of the words.
    pub language: Language,
    /// Whether weights, counts, amounts and dates have the digits of the language's script instead of Latin ones.
    pub has_native_digits: bool,
}

/// English with Latin digits.
impl Default for Wording {
    fn default() -> Self {
        Language::English.into()
    }
}

/// A language with Latin digits.
impl From<Language> for Wording {
    fn from(language: Language) -> Self {
        Self { language, has_native_digits: false }
    }
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl Wording {
    /// Returns a word.
    pub fn word(self, word: Word) -> &'static str {
        word.in_language(self.language)
    }

    /// Returns a phrase with a value in its place.
    pub fn fill(self, phrase: Word, value: &str) -> String {
        phrase.in_language(self.language).replacen("{}", value, 1)
    }

    /// Returns a number's digits as this wording writes them.
    fn digits(self, latin: String) -> String {
        if !self.has_native_digits {
            return latin;
        }
        let native = |c: char| {
            let digit = c.to_digit(10).and_then(|digit| char::from_u32(u32::from(self.language.zero()) + digit));
            digit.unwrap_or(c)
        };
        latin.chars().map(native).collect()
    }

    /// Returns a number of things.
    pub fn count(self, count: u32) -> String {
        self.digits(count.to_string())
    }

    /// Returns a weight in kilograms without the unit: one decimal, and more if the weight has more, so that it is never rounded.
    pub fn kilograms(self, weight: Grams) -> String {
        let number = self.digits(weight.to_string());
        let is_turned = weight < Grams::ZERO && self.language.direction() == Direction::RightToLeft;
        if is_turned { format!("{LEFT_TO_RIGHT_MARK}{number}") } else { number }
    }

    /// Returns a weight in kilograms with the unit, such as `62.4 kg`.
    pub fn weight(self, weight: Grams) -> String {
        let text = self.fill(Word::Kilograms, &self.kilograms(weight));
        if text.starts_with(LEFT_TO_RIGHT_MARK) { format!("{RIGHT_TO_LEFT_MARK}{text}") } else { text }
    }

    /// Returns a share, such as `14.50 %`.
    pub fn percent(self, share: Percent) -> String {
        format!("{} %", self.digits(share.to_string()))
    }

    /// Returns a day: `21 Nov 2026` in English, else `21/11/2026`. A day outside of the calendar is its number.
    pub fn date(self, date: BusinessDate) -> String {
        let Some(day) = NaiveDate::from_epoch_days(date.0) else { return date.to_string() };
        let month = usize::try_from(day.month0()).ok().and_then(|index| MONTHS.get(index)).copied().unwrap_or_default();
        self.digits(match self.language {
            Language::English => format!("{} {month} {}", day.day(), day.year()),
            Language::Kannada | Language::Hindi | Language::Arabic => {
                format!("{:02}/{:02}/{}", day.day(), day.month(), day.year())
            }
        })
    }

    /// Returns the time of day in a zone that is `zone_minutes` ahead of UTC, such as `16:05`.
    pub fn time_of_day(self, at: Timestamp, zone_minutes: i16) -> String {
        let local_ms = at.0.saturating_add(i64::from(zone_minutes) * 60_000);
        match DateTime::from_timestamp_millis(local_ms) {
            Some(time) => self.digits(format!("{:02}:{:02}", time.hour(), time.minute())),
            None => format!("{} ms", at.0),
        }
    }

    /// Returns an instant with its zone, such as `21 Nov 2026 16:05 (UTC+05:30)`.
    pub fn instant(self, at: Timestamp, zone_minutes: i16) -> String {
        let sign = if zone_minutes < 0 { '-' } else { '+' };
        let zone = zone_minutes.unsigned_abs();
        let zone = self.digits(format!("{sign}{:02}:{:02}", zone / 60, zone % 60));
        format!("{} {} (UTC{zone})", self.date(at.date(zone_minutes)), self.time_of_day(at, zone_minutes))
    }

    /// Returns an amount in minor units with the currency's code, such as `INR 71,40,150.00`.
    pub fn amount(self, amount_minor: i64, currency: &Currency) -> String {
        let scale = u32::from(currency.exponent);
        self.decimal(amount_minor, scale, scale, currency)
    }

    /// Returns a price in minor units for 1,000 kg, printed for `kilograms_per_unit` (a divisor of 1,000) without rounding.
    pub(super) fn price(self, minor_per_tonne: i64, kilograms_per_unit: u32, currency: &Currency) -> String {
        let shift = match kilograms_per_unit {
            1 => 3,
            100 => 1,
            _ => 0,
        };
        self.decimal(minor_per_tonne, u32::from(currency.exponent) + shift, currency.exponent.into(), currency)
    }

    /// Returns `value / 10^scale` with at least `least` decimals and as many as it has, in groups, after the currency's code.
    fn decimal(self, value: i64, scale: u32, least: u32, currency: &Currency) -> String {
        let sign = if value < 0 { "-" } else { "" };
        let unit = 10_u64.checked_pow(scale).unwrap_or(u64::MAX);
        let (whole, rest) = (value.unsigned_abs() / unit, value.unsigned_abs() % unit);
        let mut decimals = format!("{rest:0width$}", width = usize::try_from(scale).unwrap_or_default());
        if scale == 0 {
            decimals.clear();
        }
        let least = usize::try_from(least).unwrap_or_default();
        while decimals.len() > least && decimals.ends_with('0') {
            decimals.pop();
        }
        let point = if decimals.is_empty() { "" } else { "." };
        let number = format!("{sign}{}{point}{decimals}", grouped(whole, currency.code.as_str() == "INR"));
        format!("{} {}", currency.code, self.digits(number))
    }
}

/// Returns a number with commas: after each three digits, or as India counts lakhs and crores, `71,40,150`.
fn grouped(number: u64, counts_lakhs: bool) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        let left = digits.len() - index;
        let is_end_of_group =
            if counts_lakhs { left == 3 || (left > 3 && left % 2 == 1) } else { left.is_multiple_of(3) };
        if index > 0 && is_end_of_group {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns a telephone number of which only the last four digits are read, such as `******1111`; empty if there is none.
pub(super) fn masked_phone(phone: &str) -> String {
    let digits: Vec<char> = phone.chars().filter(|c| c.is_numeric()).collect();
    // A number that short would be shown whole.
    let shown = if digits.len() > 6 { 4 } else { 0 };
    let last: String = digits.iter().skip(digits.len() - shown).collect();
    if digits.is_empty() { String::new() } else { format!("******{last}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(code: &str, exponent: u8) -> Currency {
        Currency { code: code.parse().expect("a code"), exponent }
    }

    fn rupees() -> Currency {
        currency("INR", 2)
    }

    fn wordings() -> [Wording; 4] {
        Language::ALL.map(Wording::from)
    }

    #[test]
    fn weights_are_printed_with_one_decimal_and_never_rounded() {
        let texts = |grams| wordings().map(|wording| wording.weight(Grams(grams)));
        assert_eq!(texts(62_400), ["62.4 kg", "62.4 ಕೆ.ಜಿ.", "62.4 कि.ग्रा.", "62.4 كغ"]);
        assert_eq!(texts(3_318_250)[0], "3318.25 kg");
        assert_eq!(texts(-2_000), ["-2.0 kg", "-2.0 ಕೆ.ಜಿ.", "-2.0 कि.ग्रा.", "\u{200f}\u{200e}-2.0 كغ"]);
        let native = Language::ALL.map(|language| Wording { language, has_native_digits: true }.count(1_290));
        assert_eq!(native, ["1290", "೧೨೯೦", "१२९०", "١٢٩٠"]);
    }

    #[test]
    fn dates_and_times_are_those_of_the_zone() {
        let at = Timestamp(18_025 * 86_400_000 - 1_800_000);
        assert_eq!(Wording::default().instant(at, 330), "9 May 2019 05:00 (UTC+05:30)");
        assert_eq!(Wording::default().instant(at, -210), "8 May 2019 20:00 (UTC-03:30)");
        assert_eq!(wordings().map(|wording| wording.date(at.date(330)))[1..], ["09/05/2019"; 3]);
        assert_eq!(Wording::default().date(BusinessDate(i32::MAX)), "day 2147483647");
    }

    #[test]
    fn amounts_have_the_decimals_and_groups_of_their_currency() {
        let shilling = currency("KES", 2);
        let franc = currency("RWF", 0);
        let dinar = currency("TND", 3);
        for (minor, currency, expected) in [
            (714_015_000, &rupees(), "INR 71,40,150.00"),
            (714_015_000, &shilling, "KES 7,140,150.00"),
            (-5, &rupees(), "INR -0.05"),
            (0, &franc, "RWF 0"),
            (1_234_567, &franc, "RWF 1,234,567"),
            (1_234_567, &dinar, "TND 1,234.567"),
            (i64::MIN, &franc, "RWF -9,223,372,036,854,775,808"),
        ] {
            assert_eq!(Wording::default().amount(minor, currency), expected);
        }
    }

    #[test]
    fn prices_are_exact_in_each_unit() {
        let printed = |kilograms| Wording::default().price(2_150_005, kilograms, &rupees());
        assert_eq!([1, 100, 1_000].map(printed), ["INR 21.50005", "INR 2,150.005", "INR 21,500.05"]);
    }

    #[test]
    fn of_a_telephone_number_four_digits_are_read() {
        for (phone, expected) in
            [("+919845011111", "******1111"), ("123456", "******"), ("1234567", "******4567"), ("", ""), ("none", "")]
        {
            assert_eq!(masked_phone(phone), expected);
        }
    }
}
