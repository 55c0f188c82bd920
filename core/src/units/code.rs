//! Short codes that identify an organisation's reference records.

use std::fmt;
use std::str::FromStr;

use minicbor::Encode;

use super::{UnitError, text_in_cbor};
use crate::text::code_text;

/// Returns the characters of a code, padded with zero bytes. A code allocates nothing, because it is copied with every row and message.
fn pack<const LONGEST: usize>(characters: impl Iterator<Item = char>) -> Result<[u8; LONGEST], UnitError> {
    let wrong = || UnitError::new(format!("a code is 1 to {LONGEST} of the characters A to Z and 0 to 9"));
    let mut code = [0; LONGEST];
    let mut free = code.iter_mut();
    for character in characters {
        if !character.is_ascii_uppercase() && !character.is_ascii_digit() {
            return Err(wrong());
        }
        *free.next().ok_or_else(wrong)? = u8::try_from(character).map_err(|_not_ascii| wrong())?;
    }
    if free.len() == LONGEST { Err(wrong()) } else { Ok(code) }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident, $longest:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $longest]);

        impl $name {
            /// Returns the code as text.
            pub fn as_str(&self) -> &str {
                let length = self.0.iter().take_while(|byte| **byte != 0).count();
                self.0.get(..length).and_then(|code| std::str::from_utf8(code).ok()).unwrap_or_default()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.as_str()).finish()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        /// Reads the code as people type it ([`code_text`]), without its blanks and hyphens.
        impl FromStr for $name {
            type Err = UnitError;
            fn from_str(text: &str) -> Result<Self, UnitError> {
                pack(code_text(text).chars().filter(|c| *c != '-')).map(Self)
            }
        }

        text_in_cbor!($name as |code| code.as_str(), |text| pack(text.chars()).map(Self));
    )*};
}

codes! {
    /// Code of a centre, such as `KOLAR`: 1 to 8 characters.
    CentreCode, 8;
    /// Code of a season, such as `2019`: 1 to 8 characters.
    SeasonCode, 8;
    /// Code of a commodity, such as `TOMATO`: 1 to 8 characters.
    CommodityCode, 8;
    /// Code of a grade of produce, such as `A`: 1 to 8 characters.
    GradeCode, 8;
    /// Code of a quality factor, such as `BROKEN`: 1 to 8 characters.
    FactorCode, 8;
    /// Code of a currency by ISO 4217, such as `INR`: three letters.
    CurrencyCode, 3;
    /// Code of a country by ISO 3166-1, such as `IN`: two letters.
    CountryCode, 2;
    /// Code of a type of empty bag or crate, such as `CRATE`: 1 to 8 characters.
    ContainerCode, 8;
    /// Code of a scale, weighbridge or moisture meter, such as `SCALE7`: 1 to 12 characters.
    InstrumentCode, 12;
    /// Code of a book of numbered paper forms, such as `BOOK17`: 1 to 12 characters.
    PaperBookCode, 12;
    /// Code of a scheme that certifies farmers or land, such as `ORGANIC`: 1 to 12 characters.
    SchemeCode, 12;
    /// Tag that an organisation gives farmers, such as `ORGANIC`: 1 to 12 characters.
    FarmerTag, 12;
    /// Plate of a lorry, such as `KA07A1234`: 1 to 12 characters.
    LorryPlate, 12;
}

/// Number of a type of bag or crate in the rule set, 0 to 15.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode)]
#[cbor(transparent)]
pub struct BagType(#[n(0)] u8);

impl BagType {
    /// Returns the number in the rule set.
    pub fn number(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for BagType {
    type Error = UnitError;
    fn try_from(number: u8) -> Result<Self, UnitError> {
        if number < 16 { Ok(Self(number)) } else { Err(UnitError::new("a bag type is 0 to 15")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plates_are_normalised_and_bounded() {
        let plate = |text: &str| text.parse::<LorryPlate>().ok().map(|plate| plate.to_string());
        assert_eq!(plate("ka 07-a 1234").as_deref(), Some("KA07A1234"));
        assert_eq!(plate(""), None);
        assert_eq!(plate("KA07A1234567").as_deref(), Some("KA07A1234567"));
        assert_eq!(plate("KA07A12345678"), None);
        assert_eq!(plate("KÄ07"), None);
        assert_eq!(plate("ka–०७ a 1234").as_deref(), Some("KA07A1234"));
    }
}
