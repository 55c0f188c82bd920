//! Telephone numbers in the form of ITU-T E.164, by the numbering plans of libphonenumber.

use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL, PhoneNumberFormat, Region};

use super::code::is_dash;
use super::script::ascii_digit;

/// Longest number of E.164, in digits; a forged record may have more, which are left out.
const MAX_DIGITS: usize = 15;
/// First character of a word that has the digits of a number in reverse, so that the number is found from its last digits.
pub const PHONE_END: char = '<';
/// Fewest last digits from which a number is found.
const MIN_END_DIGITS: usize = 3;
/// Digits at the end of a number that make it a placeholder if they are alike or count up or down.
const PLACEHOLDER_DIGITS: usize = 7;

/// Returns whether telephone numbers of a country, by its code of ISO 3166 such as `IN`, are known.
pub fn has_phone_numbers(country: &str) -> bool {
    country.parse::<Region>().is_ok_and(|region| PHONE_NUMBER_UTIL.get_country_code_for_region(region).is_some())
}

/// Returns the digits of a telephone number as `0` to `9`, after `+` if the text begins with it; `None` if the text has a character that is
/// neither a digit nor one that people write between digits.
pub fn phone_digits(text: &str) -> Option<String> {
    let mut digits = String::new();
    for c in text.trim().chars().filter(|c| !is_separator(*c)) {
        match c {
            '+' | '\u{ff0b}' if digits.is_empty() => digits.push('+'),
            c => digits.push(ascii_digit(c)?),
        }
    }
    Some(digits)
}

/// Returns a number in the form of E.164, such as `+919845011111`; `None` if it has too few or too many digits to be dialled from everywhere.
/// A number without a country code is one of `country`, if that has such a number: local ones, without the code of their town, must not
/// become numbers of somebody else.
pub fn e164(digits: &str, country: &str) -> Option<String> {
    let number = PHONE_NUMBER_UTIL.parse(digits, country.parse::<Region>().ok()).ok()?;
    let is_possible = PHONE_NUMBER_UTIL.is_possible_number_with_reason(&number) == Ok(NumberLengthType::IsPossible);
    // In some countries calls abroad do not begin with 00.
    let abroad = digits.strip_prefix("00").and_then(|rest| PHONE_NUMBER_UTIL.parse(format!("+{rest}"), None).ok());
    let has_country_code = digits.starts_with('+') || abroad.as_ref() == Some(&number);
    (is_possible && (has_country_code || PHONE_NUMBER_UTIL.is_valid_number(&number)))
        .then(|| number.format_as(PhoneNumberFormat::E164).into_owned())
}

/// Returns the number, in the form of E.164, whose digits these are without the plus or the leading zero, which spreadsheets drop; `None` if
/// there is no such number.
pub fn restored_phone(digits: &str, country: &str) -> Option<String> {
    let abroad = PHONE_NUMBER_UTIL.parse(format!("+{digits}"), None).ok();
    let abroad = abroad.filter(|number| PHONE_NUMBER_UTIL.is_valid_number(number));
    let abroad = abroad.map(|number| number.format_as(PhoneNumberFormat::E164).into_owned());
    abroad.or_else(|| e164(&format!("0{digits}"), country))
}

/// Returns the words by which a stored telephone number is found: its digits, those without the country code, and these after the digits
/// that are dialled before them within the country, such as `8` in Russia; and [`PHONE_END`] with all digits in reverse.
pub fn phone_words(number: &str) -> Vec<String> {
    let digits: String = number.chars().filter(char::is_ascii_digit).take(MAX_DIGITS).collect();
    let parsed = number.starts_with('+').then(|| PHONE_NUMBER_UTIL.parse(format!("+{digits}"), None).ok()).flatten();
    let within = parsed.into_iter().flat_map(|number| {
        let dialled = number.format_as(PhoneNumberFormat::National);
        let dialled = dialled.chars().filter(char::is_ascii_digit).collect();
        [rlibphonenumber::get_national_significant_number_owned(&number), dialled]
    });
    let end = format!("{PHONE_END}{}", digits.chars().rev().collect::<String>());
    let mut words: Vec<String> = [digits].into_iter().chain(within).filter(|word| !word.is_empty()).collect();
    words.dedup();
    if !words.is_empty() {
        words.push(end);
    }
    words
}

/// Returns the beginnings of words by which a number is found if `text` is its beginning as people dial it: all digits, and those after
/// the `00` of a call from abroad; and from three digits on, [`PHONE_END`] with the digits in reverse. None if the text is no such beginning.
pub(super) fn phone_beginnings(text: &str) -> Vec<String> {
    let Some(digits) = phone_digits(text) else { return Vec::new() };
    let dialled = digits.trim_start_matches('+');
    let beginnings = [dialled].into_iter().chain(dialled.strip_prefix("00"));
    let end = (digits.len() >= MIN_END_DIGITS && dialled == digits)
        .then(|| format!("{PHONE_END}{}", digits.chars().rev().collect::<String>()));
    beginnings.filter(|digits| !digits.is_empty()).map(str::to_owned).chain(end).collect()
}

/// Returns whether a number is one that people type for want of another: its last seven digits are the same, or count up or down.
pub fn is_placeholder(number: &str) -> bool {
    let digits: Vec<u8> = number.bytes().rev().filter(u8::is_ascii_digit).take(PLACEHOLDER_DIGITS).collect();
    let steps = [0, 1, 9];
    let counts = |step: u8| digits.iter().zip(digits.iter().skip(1)).all(|(a, b)| (a - b'0' + step) % 10 == b - b'0');
    digits.len() == PLACEHOLDER_DIGITS && steps.into_iter().any(counts)
}

fn is_separator(c: char) -> bool {
    c.is_whitespace() || is_dash(c) || matches!(c, '(' | ')' | '.' | '/') || super::normal::is_ignorable(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_has_one_form_however_it_is_dialled() {
        for text in [
            "+91 98450 11111",
            "098450 11111",
            "98450-11111",
            "0091 98450 11111",
            "(+91) 98450.11111",
            "९८४५० १११११",
            "98450–11111",
        ] {
            let digits = phone_digits(text).expect("digits");
            assert_eq!(e164(&digits, "IN").as_deref(), Some("+919845011111"), "{text}");
        }
        assert_eq!(e164("0712345678", "KE").as_deref(), Some("+254712345678"));
        assert_eq!(e164("00447911123456", "IN").as_deref(), Some("+447911123456"));
        assert_eq!(e164("00447911123456", "KE"), None, "calls from Kenya abroad begin with 000");
        assert_eq!(e164("0391234567", "IT").as_deref(), Some("+390391234567"), "Italian numbers keep their zero");
        assert_eq!(e164("12345", "IN"), None);
        assert_eq!(e164("22224567", "IN"), None, "a number of a town, without its code");
        assert_eq!(phone_digits("98450x"), None);
        assert_eq!(phone_digits("9+8450"), None);
        assert!(has_phone_numbers("IN") && !has_phone_numbers("XX"));
    }

    #[test]
    fn numbers_are_found_as_dialled_from_far_and_near() {
        assert_eq!(phone_words("+919845011111"), ["919845011111", "9845011111", "09845011111", "<111110548919"]);
        assert_eq!(phone_words("+79123456789"), ["79123456789", "9123456789", "89123456789", "<98765432197"]);
        assert_eq!(
            phone_words("+3612345678"),
            ["3612345678", "12345678", "0612345678", "<8765432163"],
            "Hungary dials 06"
        );
        assert_eq!(
            phone_words("+390391234567"),
            ["390391234567", "0391234567", "<765432193093"],
            "Italy dials nothing before it"
        );
        assert_eq!(phone_words("12345"), ["12345", "<54321"]);
        assert_eq!(phone_words(""), [""; 0]);
        assert_eq!(phone_beginnings("0091 98"), ["009198", "9198", "<891900"]);
        assert_eq!(phone_beginnings("98"), ["98"], "two digits end too many numbers");
        assert_eq!(phone_beginnings("111"), ["111", "<111"]);
        assert_eq!(phone_beginnings("+91 98"), ["9198"], "a plus is in front of a number");
        assert_eq!(phone_beginnings("Asha"), [""; 0]);
    }

    #[test]
    fn placeholders_are_alike_or_count() {
        for (number, expected) in [
            ("+919999999999", true),
            ("+910000000000", true),
            ("+911234567890", true),
            ("+919876543210", true),
            ("+919845011111", false),
            ("+918999999998", false),
            ("999999", false),
        ] {
            assert_eq!(is_placeholder(number), expected, "{number}");
        }
    }
}
