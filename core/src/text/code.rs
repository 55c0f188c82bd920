//! Codes and numbers that people read aloud and type.

use unicode_normalization::UnicodeNormalization;

use super::normal::is_ignorable;
use super::script::ascii_digit;

/// Returns a typed code in the form in which codes are compared: capital letters, digits of all scripts as `0` to `9`, hyphens for all
/// dashes and blanks, and nothing that cannot be seen.
pub fn code_text(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    for c in text.nfkd().filter(|c| !is_ignorable(*c)) {
        match ascii_digit(c) {
            Some(digit) => code.push(digit),
            None if is_dash(c) || c.is_whitespace() => {
                if !code.ends_with('-') {
                    code.push('-');
                }
            }
            None => code.extend(c.to_uppercase()),
        }
    }
    code.trim_matches('-').to_owned()
}

/// Returns the form of a code in which letters and digits that look or sound alike are the same: `O` is 0, `I` and `L` are 1. Two texts with
/// one key may be readings of one code.
pub fn code_key(text: &str) -> String {
    code_text(text).chars().map(as_digit).collect()
}

fn as_digit(capital: char) -> char {
    match capital {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    }
}

/// Returns the value of a digit of Crockford's base 32 as people read it: `O` is 0, `I` and `L` are 1. `None` for `U` and others.
pub fn base32_digit(c: char) -> Option<u8> {
    let digit = as_digit(c.to_ascii_uppercase());
    let value = BASE32.iter().position(|known| char::from(*known) == digit)?;
    u8::try_from(value).ok()
}

/// Digits of Crockford's base 32, which has no letters I, L, O and U.
pub const BASE32: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Returns whether a character is a hyphen, a dash or a minus sign.
pub(super) fn is_dash(c: char) -> bool {
    matches!(c, '-' | '_' | '\u{58a}' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_compared_as_capitals_with_hyphens() {
        for text in [
            "kolar-13-17-w",
            " KOLAR – 13 — 17 − w",
            "KOLAR 13 17 W",
            "ＫＯＬＡＲ-१३-१७-W",
            "KOLAR\u{200b}-13-17\u{a0}W",
            "\u{feff} KOLAR-13-17-W-",
        ] {
            assert_eq!(code_text(text), "KOLAR-13-17-W", "{text:?}");
        }
    }

    #[test]
    fn letters_and_digits_that_look_alike_are_one() {
        assert_eq!(code_key("kOLAR-l3"), code_key("K0IAR-13"));
        assert_ne!(code_key("KOLAR-13"), code_key("KOLAR-I3-1"));
        let digits = ["o", "l", "z", "u"].map(|text| text.chars().next().and_then(base32_digit));
        assert_eq!(digits, [Some(0), Some(1), Some(31), None]);
    }
}
