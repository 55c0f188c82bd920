use super::{WeightInput, weigh};
use crate::decisions::RuleSet;
use crate::limits::{
    COMMON_BAG, COMMON_BAGS, COMMON_DAYS, COMMON_MOISTURE, MAX_LANGUAGE, MAX_TEXT, MAX_TYPED_BYTES, PHONE_DIGITS,
};
use crate::records::draft::Draft;
use crate::records::{Measured, Reading};
use crate::text::{e164, is_control, is_visible, normalize, phone_digits};
use crate::units::{BusinessDate, Grams, InstrumentCode, named};

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
        /// The farmer has another delivery of this day that may be the same heap, recorded twice.
        PossibleDuplicate = "possible_duplicate",
        /// A farmer of the centre has the same telephone number, or the same name and village.
        FarmerLooksAlike = "farmer_looks_alike",
        /// The farmer is inactive, so no new deliveries and advances are expected.
        FarmerInactive = "farmer_inactive",
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
        /// With this delivery, the load exceeds the rule set's warning limit, as far as this phone knows: 95 % of the lorry's payload by default.
        NearCapacity = "near_capacity",
        /// With this delivery, the load exceeds the rule set's highest limit, as far as this phone knows: 105 % of the lorry's payload by
        /// default. It is recorded on the load only with a reason.
        OverCapacity = "over_capacity",
        /// With this advance, the farmer has more than the organisation's limit for one farmer, as far as this phone knows.
        AdvancesOverLimit = "advances_over_limit",
        /// A value is not a multiple of the interval that its instrument has there, so it was not read from it.
        OffInterval = "off_interval",
        /// A value is below the smallest for which its instrument may be used.
        BelowMinimum = "below_minimum",
        /// A value is above the largest for which its instrument may be used.
        AboveMaximum = "above_maximum",
        /// The certificate of an instrument had expired on the day.
        InstrumentExpired = "instrument_expired",
        /// The last check of an instrument failed, as far as this phone knows.
        InstrumentCheckFailed = "instrument_check_failed",
        /// An instrument was not checked for as many days as the rule set says, as far as this phone knows.
        InstrumentCheckOverdue = "instrument_check_overdue",
        /// Many bags in a row have one weight.
        WeightsRepeated = "weights_repeated",
        /// Nearly all weights are multiples of half a kilogram, although the scale shows finer steps.
        WeightsTooRegular = "weights_too_regular",
        /// Many bags in a row followed faster than a person can weigh.
        WeighedTooFast = "weighed_too_fast",
        /// Many weights were repeated from the bag before instead of weighed.
        RepeatUsedOften = "repeat_used_often",
        /// Bags of one number have one weight, so one bag may have been weighed twice. A warning of a recorded delivery; never asked about.
        BagNumberRepeated = "bag_number_repeated",
        /// The season requires a certificate, and this phone knows none of the farmer or of the farmer's plots.
        CertificateMissing = "certificate_missing",
        /// Of a scheme that certified the farmer or a plot, no certificate is valid on the business date, as far as this phone knows.
        CertificateExpired = "certificate_expired",
        /// With this delivery, the farmer's gross weight of the season is above the quota, as far as this phone knows.
        QuotaExceeded = "quota_exceeded",
        /// No paper book of the centre for such records has a form with this number, as far as this phone knows.
        PaperSerialUnknown = "paper_serial_unknown",
        /// A record that is not voided was entered from this form already, as far as this phone knows.
        PaperSerialRepeated = "paper_serial_repeated",
    }
}

/// A check with its figures, as a screen shows it beside a draft or delivery. It is derived each time and never stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The check.
    pub check: Check,
    /// Instrument concerned; `None` for a pattern of weights.
    pub instrument: Option<InstrumentCode>,
    /// Number of the first bag or lot concerned, or place of the reading; `None` if all are.
    pub number: Option<u32>,
    /// How many values are concerned.
    pub count: u32,
    /// The figure that was found: the value in grams or hundredths of a percent, days since the certificate expired or the last check,
    /// bags in a row, or a share of the bags in hundredths of a percent; `None` for an instrument without any check.
    pub value: Option<i64>,
    /// The figure it is compared with: an interval or bound of the instrument, or a threshold of the rule set.
    pub limit: Option<i64>,
}

/// Returns whether a weight is above a share of a lorry's payload, in hundredths of a percent; false if the payload is not known.
pub fn is_above_limit(gross: Grams, payload: Grams, hundredths: u32) -> bool {
    payload > Grams::ZERO && i128::from(gross.0) * 10_000 > i128::from(payload.0) * i128::from(hundredths)
}

/// Returns the checks that a delivery's own content needs; its load and farmer are checked elsewhere. `today` is the phone's date.
pub(crate) fn check_delivery(draft: &Draft, rules: &RuleSet, today: BusinessDate) -> Vec<Check> {
    let totals = weigh(&WeightInput::from(draft), Some(rules)).totals();
    let bags = totals.bags as usize;
    let moisture = |reading: &Reading| match reading.measured() {
        Ok(Measured::Moisture(moisture)) => Some(moisture.hundredths()),
        _ => None,
    };
    let moistures: Vec<i32> = draft.readings.iter().filter_map(moisture).collect();
    let findings = [
        (Check::UncommonBagWeight, draft.bags.iter().any(|bag| !COMMON_BAG.contains(&bag.gross.grams()))),
        (Check::UncommonBagCount, bags > COMMON_BAGS),
        (Check::DeclaredBagsDiffer, draft.declared_bags.is_some_and(|declared| declared as usize != bags)),
        (Check::UncommonMoisture, moistures.iter().any(|it| !COMMON_MOISTURE.contains(it))),
        (Check::MoistureMissing, rules.moisture.is_required && moistures.is_empty()),
        (Check::UnknownBagType, totals.bags_of_unknown_type > 0),
        (Check::DeductionsExceedWeight, totals.deductions_exceed_weight),
        (Check::UncommonDate, !COMMON_DAYS.contains(&draft.business_date.0.saturating_sub(today.0))),
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
    if text.len() > MAX_TYPED_BYTES {
        return Err(TextError::TooLong);
    }
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

/// Returns the tag of a language as it is stored: subtags of letters and digits (BCP 47), joined by hyphens, the language in small letters, a
/// script as in `Latn`, a region in capital letters. An empty text stays empty; `None` for what is no tag.
pub(crate) fn check_language(text: &str) -> Option<String> {
    let text = text.trim();
    let mut subtags = Vec::new();
    for (n, subtag) in text.split(['-', '_']).enumerate() {
        let is_subtag = (1..=8).contains(&subtag.len()) && subtag.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let is_language = subtag.len() >= 2 && subtag.bytes().all(|byte| byte.is_ascii_alphabetic());
        if !text.is_empty() && !(if n == 0 { is_language } else { is_subtag }) {
            return None;
        }
        let small = subtag.to_ascii_lowercase();
        subtags.push(match (n, subtag.len()) {
            (1.., 2) => small.to_ascii_uppercase(),
            (1.., 4) => {
                small.chars().enumerate().map(|(i, c)| if i == 0 { c.to_ascii_uppercase() } else { c }).collect()
            }
            _ => small,
        });
    }
    Some(subtags.join("-")).filter(|tag| tag.len() <= MAX_LANGUAGE)
}

/// Returns a telephone number as it is stored: in the form of E.164, those without a country code as numbers of `country`; a number that has
/// no such form, such as a short number, as its digits. An empty text stays empty.
///
/// # Errors
/// [`TextError::NoPhoneNumber`] for other characters, or not as many digits as [`PHONE_DIGITS`] allows.
pub(crate) fn check_phone(text: &str, country: &str) -> Result<String, TextError> {
    // Reading megabytes of digits takes seconds.
    if text.len() > MAX_TYPED_BYTES {
        return Err(TextError::NoPhoneNumber);
    }
    let digits = phone_digits(text).ok_or(TextError::NoPhoneNumber)?;
    let number = e164(&digits, country).unwrap_or(digits);
    let is_number = PHONE_DIGITS.contains(&number.trim_start_matches('+').len());
    if number.is_empty() || is_number { Ok(number) } else { Err(TextError::NoPhoneNumber) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decisions::{BagTypeRule, MoistureRules};
    use crate::records::{Bag, BagCount, BagSource, Lot};
    use crate::units::{BagType, Grams, Timestamp, UserId};

    fn rules(is_required: bool) -> RuleSet {
        let bag = BagTypeRule { number: 0, name: "bag".into(), tare: Grams(650) };
        let rules = RuleSet::new(1, "MAIZE".parse().expect("a code"), BusinessDate(0), vec![bag]);
        let moisture = MoistureRules { is_required, ..rules.moisture };
        RuleSet { moisture, ..rules }
    }

    fn draft(grams: i64, count: usize) -> Draft {
        let bag = Bag {
            number: 1,
            gross: Grams(grams).try_into().expect("in bounds"),
            bag_type: BagType::default(),
            source: BagSource::Manual,
            weighed_at: Timestamp(0),
            user_id: UserId::from([1; 16]),
            grade: None,
            scale: None,
        };
        let mut draft = Draft::new(
            bag.user_id,
            "KOLAR".parse().expect("a code"),
            "2019".parse().expect("a code"),
            "MAIZE".parse().expect("a code"),
            TODAY,
        );
        draft.bags = vec![bag; count];
        draft
    }

    const TODAY: BusinessDate = BusinessDate(18_025);

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
        for (blanks, wrong) in [(MAX_TYPED_BYTES - 1, None), (MAX_TYPED_BYTES, Some(TextError::TooLong))] {
            assert_eq!(check_text(&format!("{}x", " ".repeat(blanks)), true).err(), wrong, "{blanks} blanks");
        }
        assert_eq!(check_text("  ", false).as_deref(), Ok(""));
        assert_eq!(check_text("two\nlines", false), Err(TextError::ControlCharacter));
        assert_eq!(check_text("two\u{2028}lines", false), Err(TextError::ControlCharacter));
        assert_eq!(check_text("\u{3164}\u{200b}", true), Err(TextError::Empty));
        assert_eq!(check_text("\u{301}", false).as_deref(), Ok(""));
    }

    #[test]
    fn unusual_deliveries_are_asked_about_beyond_each_limit() {
        let ask = |draft: &Draft, required| check_delivery(draft, &rules(required), TODAY);
        let read = |hundredths: i64| Reading::new(Measured::Moisture(hundredths.try_into().expect("in bounds")));
        let usual = || draft(50_000, 20);
        let declares = |declared_bags| Draft { declared_bags, ..usual() };
        assert_eq!(ask(&Draft { readings: vec![read(1_450)], ..declares(Some(20)) }, true), []);
        assert_eq!(ask(&declares(Some(19)), true), [Check::DeclaredBagsDiffer, Check::MoistureMissing]);
        let broken = Reading::new(Measured::Factor { factor: "BROKEN".parse().expect("a code"), value: 1 });
        assert_eq!(ask(&Draft { readings: vec![broken], ..usual() }, true), [Check::MoistureMissing]);
        for (grams, found) in [(9_999, true), (10_000, false), (100_000, false), (100_001, true)] {
            assert_eq!(!ask(&draft(grams, 20), false).is_empty(), found, "{grams} g");
        }
        for (count, found) in [(1_000, false), (1_001, true)] {
            assert_eq!(!ask(&draft(50_000, count), false).is_empty(), found, "{count} bags");
        }
        for (hundredths, found) in [(999, true), (1_000, false), (3_000, false), (3_001, true)] {
            let draft = Draft { readings: vec![read(hundredths)], ..usual() };
            assert_eq!(!ask(&draft, false).is_empty(), found, "{hundredths}");
        }
        let mut sacks = usual();
        sacks.bags[0].bag_type = BagType::try_from(1).expect("in bounds");
        assert_eq!(ask(&sacks, false), [Check::UnknownBagType]);
        let check = Check::DeductionsExceedWeight;
        for (grams, found) in [(650, true), (651, false)] {
            assert_eq!(ask(&draft(grams, 1), false).contains(&check), found, "{grams} g");
        }
        for (days, found) in [(-61, true), (-60, false), (1, false), (2, true)] {
            let draft = Draft { business_date: BusinessDate(TODAY.0 + days), ..usual() };
            assert_eq!(!ask(&draft, false).is_empty(), found, "{days} days");
        }
    }

    #[test]
    fn bags_that_were_counted_in_a_lot_are_compared_with_the_declared_number() {
        let lot = Lot {
            number: 1,
            gross: Grams(500_000).try_into().expect("in bounds"),
            vehicle: None,
            grade: None,
            source: BagSource::Scale,
            scale: None,
            user_id: UserId::from([1; 16]),
            weighed_at: Timestamp(0),
        };
        for (count, expected) in [(10, vec![]), (9, vec![Check::DeclaredBagsDiffer])] {
            let bag_counts = vec![BagCount { bag_type: BagType::default(), grade: None, count }];
            let draft = Draft { lots: vec![lot.clone()], bag_counts, declared_bags: Some(10), ..draft(1, 0) };
            assert_eq!(check_delivery(&draft, &rules(false), TODAY), expected);
        }
    }
}
