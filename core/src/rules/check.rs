use super::{WeightInput, weigh};
use crate::decisions::RuleSet;
use crate::limits::{COMMON_BAG, COMMON_BAGS, COMMON_DAYS, COMMON_MOISTURE, MAX_TEXT, PHONE_DIGITS};
use crate::records::Bag;
use crate::text::{e164, is_control, is_visible, normalize, phone_digits};
use crate::units::{BusinessDate, Percent, named};

named! {
    /// Something unusual that a person must confirm before it is recorded. The names are stable, because apps have texts for them.
    pub Check, "a check" {
        /// A bag outside of 10 to 100 kg.
        UncommonBagWeight = "uncommon_bag_weight",
        /// More than 1,000 bags.
        UncommonBagCount = "uncommon_bag_count",
        /// Another number of bags than declared.
        DeclaredBagsDiffer = "declared_bags_differ",
        /// Moisture outside of 10 to 30 %.
        UncommonMoisture = "uncommon_moisture",
        /// No moisture reading, although the rule set requires one.
        MoistureMissing = "moisture_missing",
        /// A business date more than 60 days back or more than one day ahead.
        UncommonDate = "uncommon_date",
        /// The phone's wall clock is in doubt, so a person must look at the business date.
        ClockInDoubt = "clock_in_doubt",
        /// A bag of a type that the rule set does not name, so its tare is not known.
        UnknownBagType = "unknown_bag_type",
        /// The deductions use up all that was weighed.
        DeductionsExceedWeight = "deductions_exceed_weight",
        /// A farmer of the centre has the same telephone number, or the same name and village.
        FarmerLooksAlike = "farmer_looks_alike",
        /// Closing the load was already requested, so the delivery will count as late.
        LoadClosing = "load_closing",
        /// The load has left, so the delivery will count as late.
        LoadDeparted = "load_departed",
        /// The load was cancelled.
        LoadCancelled = "load_cancelled",
        /// Nobody asked to close the load, as far as this phone knows.
        LoadNotClosed = "load_not_closed",
        /// The load has no seal, as far as this phone knows.
        LoadNotSealed = "load_not_sealed",
        /// The load did not depart, as far as this phone knows.
        LoadNotDeparted = "load_not_departed",
        /// With this delivery, the load exceeds the lorry's payload, as far as this phone knows.
        OverCapacity = "over_capacity",
    }
}

/// Returns the checks that a delivery's own content needs; its load and farmer are checked elsewhere. `today` is the phone's date.
pub(crate) fn check_delivery(
    bags: &[Bag],
    declared_bags: Option<u32>,
    readings: &[Percent],
    rules: &RuleSet,
    date: BusinessDate,
    today: BusinessDate,
) -> Vec<Check> {
    let totals = weigh(&WeightInput::of_bags(bags.iter(), readings), Some(rules)).totals();
    let findings = [
        (Check::UncommonBagWeight, bags.iter().any(|bag| !COMMON_BAG.contains(&bag.gross.grams()))),
        (Check::UncommonBagCount, bags.len() > COMMON_BAGS),
        (Check::DeclaredBagsDiffer, declared_bags.is_some_and(|declared| declared as usize != bags.len())),
        (Check::UncommonMoisture, readings.iter().any(|it| !COMMON_MOISTURE.contains(&it.hundredths()))),
        (Check::MoistureMissing, rules.moisture.is_required && readings.is_empty()),
        (Check::UnknownBagType, totals.bags_of_unknown_type > 0),
        (Check::DeductionsExceedWeight, totals.deductions_exceed_weight),
        (Check::UncommonDate, !COMMON_DAYS.contains(&date.0.saturating_sub(today.0))),
    ];
    findings.into_iter().filter(|(_, found)| *found).map(|(check, _)| check).collect()
}

/// The reason why a text that a person typed is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// A required text is empty.
    #[error("must not be empty")]
    Empty,
    /// The text is longer than [`MAX_TEXT`] characters.
    #[error("has more than {MAX_TEXT} characters")]
    TooLong,
    /// The text has a control character or a line break.
    #[error("has a control character or line break")]
    ControlCharacter,
    /// The text is neither empty nor a telephone number.
    #[error("is not a telephone number")]
    NoPhoneNumber,
}

/// Returns a person's text in the form in which it is stored ([`normalize`]), if it is one line of at most [`MAX_TEXT`] characters. A text
/// that shows nothing is empty.
///
/// # Errors
/// [`TextError::Empty`] if `required`, [`TextError::TooLong`], [`TextError::ControlCharacter`].
pub fn check_text(text: &str, required: bool) -> Result<String, TextError> {
    let text = text.trim();
    if text.chars().any(is_control) {
        return Err(TextError::ControlCharacter);
    }
    let text = normalize(text);
    if !is_visible(&text) {
        return if required { Err(TextError::Empty) } else { Ok(String::new()) };
    }
    if text.chars().count() > MAX_TEXT { Err(TextError::TooLong) } else { Ok(text) }
}

/// Returns a telephone number as it is stored: in the form of E.164, those without a country code as numbers of `country`; a number that has
/// no such form, such as a short number, as its digits. An empty text stays empty.
///
/// # Errors
/// [`TextError::NoPhoneNumber`] for other characters, or not as many digits as [`PHONE_DIGITS`] allows.
pub(crate) fn check_phone(text: &str, country: &str) -> Result<String, TextError> {
    let digits = phone_digits(text).ok_or(TextError::NoPhoneNumber)?;
    let number = e164(&digits, country).unwrap_or(digits);
    let is_number = PHONE_DIGITS.contains(&number.trim_start_matches('+').len());
    if number.is_empty() || is_number { Ok(number) } else { Err(TextError::NoPhoneNumber) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decisions::{BagTypeRule, MoistureRules};
    use crate::records::BagSource;
    use crate::units::{BagType, Grams, Timestamp};

    fn rules(is_required: bool) -> RuleSet {
        let bag = BagTypeRule { number: 0, name: "bag".into(), tare: Grams(650) };
        let rules = RuleSet::new(1, "MAIZE".parse().expect("a code"), BusinessDate(0), vec![bag]);
        let moisture = MoistureRules { is_required, ..rules.moisture };
        RuleSet { moisture, ..rules }
    }

    fn equal_bags(grams: i64, count: usize) -> Vec<Bag> {
        let gross = Grams(grams).try_into().expect("in bounds");
        let bag =
            Bag { number: 1, gross, bag_type: BagType::default(), source: BagSource::Manual, weighed_at: Timestamp(0) };
        vec![bag; count]
    }

    #[test]
    fn telephone_numbers_have_one_form() {
        let cases = [
            ("+91 98450-11111", Some("+919845011111")),
            ("098450 11111", Some("+919845011111")),
            ("0091 98450 11111", Some("+919845011111")),
            (" ", Some("")),
            ("1234", None),
            ("12345", Some("12345")),
            ("123456789012345", Some("123456789012345")),
            ("1234567890123456", None),
            ("98450x", None),
            ("9+8450", None),
        ];
        for (text, expected) in cases {
            assert_eq!(check_phone(text, "IN").ok().as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn texts_are_trimmed_and_bounded() {
        for (length, wrong) in
            [(0, Some(TextError::Empty)), (1, None), (MAX_TEXT, None), (MAX_TEXT + 1, Some(TextError::TooLong))]
        {
            assert_eq!(check_text(&"x".repeat(length), true).err(), wrong, "{length}");
        }
        assert_eq!(check_text("  ", false).as_deref(), Ok(""));
        assert_eq!(check_text("two\nlines", false), Err(TextError::ControlCharacter));
        assert_eq!(check_text("two\u{2028}lines", false), Err(TextError::ControlCharacter));
        assert_eq!(check_text("\u{3164}\u{200b}", true), Err(TextError::Empty));
        assert_eq!(check_text("\u{301}", false).as_deref(), Ok(""));
    }

    #[test]
    fn unusual_deliveries_are_asked_about_beyond_each_limit() {
        let today = BusinessDate(18_025);
        let moisture = |hundredths: i64| vec![Percent::try_from(hundredths).expect("in bounds")];
        let ask = |bags: &[Bag], declared, readings: &[Percent], required, days| {
            check_delivery(bags, declared, readings, &rules(required), BusinessDate(today.0 + days), today)
        };
        let usual = equal_bags(50_000, 20);
        assert_eq!(ask(&usual, Some(20), &moisture(1_450), true, 0), []);
        assert_eq!(ask(&usual, Some(19), &[], true, 0), [Check::DeclaredBagsDiffer, Check::MoistureMissing]);
        for (grams, found) in [(9_999, true), (10_000, false), (100_000, false), (100_001, true)] {
            assert_eq!(!ask(&equal_bags(grams, 20), None, &[], false, 0).is_empty(), found, "{grams} g");
        }
        for (count, found) in [(1_000, false), (1_001, true)] {
            assert_eq!(!ask(&equal_bags(50_000, count), None, &[], false, 0).is_empty(), found, "{count} bags");
        }
        for (hundredths, found) in [(999, true), (1_000, false), (3_000, false), (3_001, true)] {
            assert_eq!(!ask(&usual, None, &moisture(hundredths), false, 0).is_empty(), found, "{hundredths}");
        }
        let sack = Bag { bag_type: BagType::try_from(1).expect("in bounds"), ..usual[0] };
        assert_eq!(ask(&[usual[0], sack], None, &[], false, 0), [Check::UnknownBagType]);
        let check = Check::DeductionsExceedWeight;
        for (grams, found) in [(650, true), (651, false)] {
            assert_eq!(ask(&equal_bags(grams, 1), None, &[], false, 0).contains(&check), found, "{grams} g");
        }
        for (days, found) in [(-61, true), (-60, false), (1, false), (2, true)] {
            assert_eq!(!ask(&usual, None, &[], false, days).is_empty(), found, "{days} days");
        }
    }
}
