//! Numbers that people read out. They are unique because each device counts under its own code.

use std::fmt;

use minicbor::{Decode, Encode};

use super::{CentreCode, UnitError};
use crate::text::{BASE32, base32_digit, code_key, code_text};

/// Short code that the server gave a device, printed in Crockford's base 32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct DeviceCode(#[n(0)] pub u32);

impl fmt::Display for DeviceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = Vec::with_capacity(7);
        let mut rest = self.0;
        loop {
            let digit = BASE32.get((rest % 32) as usize).copied().unwrap_or(b'0');
            digits.push(char::from(digit));
            rest /= 32;
            if rest == 0 {
                break;
            }
        }
        f.write_str(&digits.iter().rev().collect::<String>())
    }
}

/// Reads the code as people type it: `O` is 0, `I` and `L` are 1.
impl std::str::FromStr for DeviceCode {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let typed = code_text(text);
        let mut code = 0_u32;
        for c in typed.chars() {
            let digit = base32_digit(c)
                .ok_or_else(|| UnitError::new(format!("not a device code: it has digits and letters, but no {c:?}")))?;
            let longer = code.checked_mul(32).and_then(|code| code.checked_add(digit.into()));
            code = longer.ok_or_else(|| UnitError::new("not a device code: it is too long"))?;
        }
        if typed.is_empty() { Err(UnitError::new("not a device code: it is empty")) } else { Ok(Self(code)) }
    }
}

/// Receipt number, printed as `CENTRE-DEVICE-COUNT-C`, where `C` detects a misread character.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReceiptNumber {
    /// Centre where the delivery was recorded.
    pub centre: CentreCode,
    /// Device that recorded the delivery.
    pub device_code: DeviceCode,
    /// The device's own count, from 1.
    pub sequence: u32,
}

impl fmt::Display for ReceiptNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = format!("{}-{}-{}", self.centre, self.device_code, self.sequence);
        write!(f, "{number}-{}", check_character(&number))
    }
}

/// Reads the number as people type it ([`code_text`]), if the check character is right.
impl std::str::FromStr for ReceiptNumber {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let typed = code_text(text);
        let number = Self::unchecked(&typed)?;
        if number.to_string().rsplit('-').next() == typed.rsplit('-').next() {
            Ok(number)
        } else {
            Err(UnitError::new("not a receipt number: its last character does not fit, so one of them is misread"))
        }
    }
}

impl ReceiptNumber {
    /// Reads the number as people type it, whatever its check character.
    ///
    /// # Errors
    /// [`UnitError`] for a text of another form.
    pub fn unchecked(text: &str) -> Result<Self, UnitError> {
        let wrong = |reason: &str| UnitError::new(format!("not a receipt number: {reason}"));
        let typed = code_text(text);
        let parts: Vec<&str> = typed.split('-').collect();
        let &[centre, device, sequence, check] = parts.as_slice() else {
            return Err(wrong("it has four parts, as KOLAR-13-17-W"));
        };
        if check.chars().count() != 1 {
            return Err(wrong("its last part is one letter or digit"));
        }
        let sequence = code_key(sequence).parse().map_err(|_letters| wrong("its third part is a number"))?;
        Ok(Self { centre: centre.parse()?, device_code: device.parse()?, sequence })
    }
}

/// Returns the check character of ISO/IEC 7064, MOD 37,36, which detects every single wrong character and most swaps of neighbours.
/// Hyphens are ignored.
fn check_character(text: &str) -> char {
    let mut product = 36;
    for value in text.chars().filter_map(|c| c.to_digit(36)) {
        let sum = (product + value) % 36;
        product = (if sum == 0 { 36 } else { sum } * 2) % 37;
    }
    char::from_digit((37 - product) % 36, 36).map_or('0', |c| c.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(device: u32, sequence: u32) -> String {
        ReceiptNumber { centre: "KOLAR".parse().expect("a code"), device_code: DeviceCode(device), sequence }
            .to_string()
    }

    #[test]
    fn the_check_character_is_that_of_iso_7064() {
        assert_eq!(check_character("A12425GABC1234002"), 'M');
    }

    #[test]
    fn receipts_carry_centre_device_count_and_check() {
        let number = receipt(35, 17);
        assert!(number.starts_with("KOLAR-13-17-"), "{number}");
        assert_ne!(receipt(35, 17), receipt(35, 71));
        let read: ReceiptNumber = number.to_lowercase().parse().expect("a receipt number");
        assert_eq!(read.to_string(), number);
        for typed in [number.replace('-', " – "), number.replace("-13-17-", "-l3-I7-"), number.replace('1', "१")] {
            assert_eq!(typed.parse::<ReceiptNumber>().map(|read| read.to_string()), Ok(number.clone()), "{typed}");
        }
        for wrong in
            ["", "KOLAR", "KOLAR-13-17", "KOLAR-13-x-1", "-13-17-1", &format!("{number}-1"), &format!("{number}?")]
        {
            assert!(wrong.parse::<ReceiptNumber>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn one_misread_character_is_noticed() {
        let number = receipt(35, 17);
        let (body, check) = number.rsplit_once('-').expect("a check character");
        for (at, was) in body.char_indices().filter(|(_, c)| *c != '-') {
            for other in ('0'..='9').chain('A'..='Z').filter(|c| *c != was) {
                let mut wrong = body.to_owned();
                wrong.replace_range(at..=at, &other.to_string());
                assert_ne!(check_character(&wrong).to_string(), check, "{wrong}");
                let read = format!("{wrong}-{check}").parse::<ReceiptNumber>().map(|read| read.to_string());
                // The device's code and the count have no letters that look like digits.
                let is_alike = at >= "KOLAR-".len() && [was, other].iter().all(|c| "IL1".contains(*c));
                assert_eq!(read.ok(), is_alike.then(|| number.clone()), "{wrong}");
            }
        }
    }
}
