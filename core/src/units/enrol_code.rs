//! The code by which an office enrols a phone.

use std::fmt;
use std::str::FromStr;

use super::UnitError;
use crate::text::{BASE32, base32_digit, code_text};

/// Digits of a code, of five bits each.
const DIGITS: usize = 16;

/// Code that enrols one phone, once: 80 random bits, printed as `ABCD-EFGH-JKMN-PQRS` in Crockford's base 32, which people can read aloud.
#[derive(Clone, PartialEq, Eq)]
pub struct EnrolCode([u8; DIGITS]);

impl EnrolCode {
    /// Returns the code of ten random bytes.
    pub fn new(random: [u8; 10]) -> Self {
        let bits = random.iter().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
        let digit = |n: usize| BASE32.get((bits >> (5 * (DIGITS - 1 - n)) & 31) as usize).copied().unwrap_or(b'0');
        Self(std::array::from_fn(digit))
    }
}

impl fmt::Display for EnrolCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups: Vec<&str> = self.0.chunks(4).filter_map(|group| std::str::from_utf8(group).ok()).collect();
        f.write_str(&groups.join("-"))
    }
}

/// Does not print the code, which is a secret.
impl fmt::Debug for EnrolCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnrolCode")
    }
}

/// Reads the code as people type it ([`code_text`]): `O` is 0, `I` and `L` are 1.
impl FromStr for EnrolCode {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let mut digits = Vec::with_capacity(DIGITS);
        for c in code_text(text).chars().filter(|c| *c != '-') {
            let digit = base32_digit(c).and_then(|digit| BASE32.get(usize::from(digit)));
            digits
                .push(*digit.ok_or_else(|| UnitError::new(format!("no code has the character {c:?}: read it again")))?);
        }
        let typed = digits.len();
        let digits = digits.try_into().map_err(|_length| {
            UnitError::new(format!("a code has {DIGITS} letters and digits, and this one {typed}: read it again"))
        })?;
        Ok(Self(digits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_hear_and_type_it() {
        let code = EnrolCode::new([0x00, 0x44, 0x32, 0x14, 0xc7, 0x42, 0x54, 0xb6, 0x35, 0xcf]);
        assert_eq!(code.to_string(), "0123-4567-89AB-CDEF");
        for typed in
            ["0123456789abcdef", "O I23 – 4567 – 89AB – CDEF", "०१२३ ४५६७ 89ab cdef", "0l23-4567-89AB\u{200b}-CDEF"]
        {
            assert_eq!(typed.parse(), Ok(code.clone()), "{typed}");
        }
        let wrong = |text: &str| text.parse::<EnrolCode>().expect_err("no code").to_string();
        assert_eq!(wrong("U123-4567-89AB-CDEF"), "no code has the character 'U': read it again");
        assert_eq!(wrong("0123-4567-89AB-CDE"), "a code has 16 letters and digits, and this one 15: read it again");
        assert_eq!(wrong(""), "a code has 16 letters and digits, and this one 0: read it again");
    }
}
