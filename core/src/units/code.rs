//! Short codes by which an organisation names its reference records; they are the records' identifiers.

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};

use super::UnitError;

fn check(text: &str, longest: usize) -> Result<(), UnitError> {
    let allowed = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    if (1..=longest).contains(&text.len()) && text.bytes().all(allowed) {
        Ok(())
    } else {
        Err(UnitError::new(format!("a code is 1 to {longest} of the characters A to Z and 0 to 9")))
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident, $longest:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode)]
        #[cbor(transparent)]
        pub struct $name(#[n(0)] String);

        impl $name {
            /// The code as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        /// Lower case becomes upper case; spaces and hyphens are left out.
        impl FromStr for $name {
            type Err = UnitError;
            fn from_str(text: &str) -> Result<Self, UnitError> {
                let code: String = text
                    .chars()
                    .filter(|c| *c != ' ' && *c != '-')
                    .map(|c| c.to_ascii_uppercase())
                    .collect();
                check(&code, $longest)?;
                Ok(Self(code))
            }
        }

        impl<'b, C> Decode<'b, C> for $name {
            fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                let text = d.str()?;
                check(text, $longest).map_err(minicbor::decode::Error::custom)?;
                Ok(Self(text.to_owned()))
            }
        }

    )*};
}

codes! {
    /// A collection centre, such as `KOLAR`.
    CentreCode, 8;
    /// A season of one commodity, such as `2019`.
    SeasonCode, 8;
    /// A commodity, such as `TOMATO`.
    CommodityCode, 8;
    /// A lorry's plate, such as `KA07A1234`.
    LorryPlate, 12;
}

/// A type of bag or crate by its number in the rule set, 0 to 15.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode)]
#[cbor(transparent)]
pub struct BagType(#[n(0)] u8);

impl BagType {
    /// The number in the rule set.
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
    }
}
