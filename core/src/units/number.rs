//! Numbers that people read out. They are unique because each device counts under its own code.

use std::fmt;

use minicbor::{Decode, Encode};

use super::{CentreCode, UnitError};

const BASE32: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

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

impl std::str::FromStr for DeviceCode {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError::new("not a device code: it has digits and capital letters but I, L, O and U");
        let mut code = 0_u32;
        for character in text.bytes() {
            let digit = BASE32.iter().position(|known| *known == character.to_ascii_uppercase()).ok_or_else(wrong)?;
            let digit = u32::try_from(digit).map_err(|_too_large| wrong())?;
            code = code.checked_mul(32).and_then(|code| code.checked_add(digit)).ok_or_else(wrong)?;
        }
        if text.is_empty() { Err(wrong()) } else { Ok(Self(code)) }
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

/// Accepts hyphens only as printed, either case, and only the right check character.
impl std::str::FromStr for ReceiptNumber {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError::new("not a receipt number: it looks like KOLAR-13-17-W");
        let mut parts = text.split('-');
        let mut next = || parts.next().ok_or_else(wrong);
        let (centre, device, sequence) = (next()?.parse()?, next()?.parse()?, next()?.parse().ok());
        let number = Self { centre, device_code: device, sequence: sequence.ok_or_else(wrong)? };
        if number.to_string().eq_ignore_ascii_case(text) { Ok(number) } else { Err(wrong()) }
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
        for wrong in
            ["", "KOLAR", "KOLAR-13-17", "KOLAR-13-x-1", "-13-17-1", &format!("{number}-1"), &format!(" {number}")]
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
                assert_eq!(format!("{wrong}-{check}").parse::<ReceiptNumber>().ok(), None, "{wrong}");
            }
        }
    }
}
