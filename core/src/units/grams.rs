use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Sub};
use std::str::FromStr;

use minicbor::{Decode, Encode};

use super::{UnitError, parse_decimal};

/// A weight in grams, of any size and sign; the gross weight of one bag is a [`BagWeight`]. Sums and differences saturate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Grams(#[n(0)] pub i64);

impl Grams {
    /// Weight of 0 g.
    pub const ZERO: Self = Self(0);
}

impl Add for Grams {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Grams {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Sum for Grams {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Add::add)
    }
}

/// Prints kilograms with as many decimals as needed, at least one: `62.4`, `3431.0`, `0.001`.
impl fmt::Display for Grams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let grams = self.0.unsigned_abs();
        let decimals = format!("{:03}", grams % 1000);
        let decimals = match decimals.trim_end_matches('0') {
            "" => "0",
            some => some,
        };
        write!(f, "{sign}{}.{decimals}", grams / 1000)
    }
}

/// Parses kilograms as decimal text (`62.4`), or grams with their unit (`62400 g`).
impl FromStr for Grams {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        match text.trim().strip_suffix('g') {
            Some(grams) => parse_decimal(grams.trim_end(), 0),
            None => parse_decimal(text.trim(), 3),
        }
        .map(Self)
    }
}

macro_rules! weights {
    ($($(#[$doc:meta])* $name:ident, $most:literal, $wrong:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode)]
        #[cbor(transparent)]
        pub struct $name(#[n(0)] i64);

        impl $name {
            /// Least weight that can be recorded.
            pub const MIN: Grams = Grams(1);
            /// Greatest weight that can be recorded.
            pub const MAX: Grams = Grams($most);

            /// Returns the weight in grams.
            pub fn grams(self) -> Grams {
                Grams(self.0)
            }
        }

        impl TryFrom<Grams> for $name {
            type Error = UnitError;
            fn try_from(weight: Grams) -> Result<Self, UnitError> {
                if (Self::MIN..=Self::MAX).contains(&weight) { Ok(Self(weight.0)) } else { Err(UnitError::new($wrong)) }
            }
        }

        impl FromStr for $name {
            type Err = UnitError;
            fn from_str(text: &str) -> Result<Self, UnitError> {
                text.parse::<Grams>()?.try_into()
            }
        }
    )*};
}

weights! {
    /// Gross weight of one bag, 1 g to 1,000 kg.
    BagWeight, 1_000_000, "a bag weighs 1 g to 1,000 kg";
    /// Weight of a lot, or of a vehicle, full or empty: 1 g to 100,000 kg.
    LotWeight, 100_000_000, "a lot or vehicle weighs 1 g to 100,000 kg";
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn weights_read_and_print() {
        let cases = [
            ("62.4", Some(62_400)),
            (" 62.4 ", Some(62_400)),
            ("62400 g", Some(62_400)),
            ("62400g", Some(62_400)),
            ("62.4 g", None),
            ("1.2345", None),
            ("heavy", None),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse().ok(), expected.map(Grams), "{text:?}");
        }
        assert_eq!(Grams(3_431_000).to_string(), "3431.0");
        assert_eq!(Grams(-1).to_string(), "-0.001");
    }

    #[test]
    fn a_bag_weighs_one_gram_to_a_tonne_and_a_lot_a_hundred_times_as_much() {
        for (grams, fits) in [(0, false), (1, true), (1_000_000, true), (1_000_001, false), (-1, false)] {
            assert_eq!(BagWeight::try_from(Grams(grams)).is_ok(), fits, "{grams}");
        }
        for (grams, fits) in [(0, false), (1, true), (100_000_000, true), (100_000_001, false), (-1, false)] {
            assert_eq!(LotWeight::try_from(Grams(grams)).is_ok(), fits, "{grams}");
        }
    }

    proptest! {
        #[test]
        fn printed_weights_read_back(grams in -1_000_000_000_000_i64..1_000_000_000_000) {
            prop_assert_eq!(Grams(grams).to_string().parse(), Ok(Grams(grams)));
        }
    }
}
