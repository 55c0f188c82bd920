//! Amounts and prices in minor units of the organisation's currency, and yearly rates. Text for people is made elsewhere, because it needs the
//! currency's exponent and the reader's language.

use std::ops::{Neg, RangeInclusive};

use minicbor::{Decode, Encode};

use super::{CurrencyCode, UnitError};

/// Currency of an organisation.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Currency {
    /// Code by ISO 4217, such as `INR`.
    #[n(0)]
    pub code: CurrencyCode,
    /// Number of decimals of its minor unit, 0 to 3.
    #[n(1)]
    pub exponent: u8,
}

/// An amount in minor units of the organisation's currency, such as paise; at most 10¹⁵ of them, either sign. Sums are checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode)]
#[cbor(transparent)]
pub struct Money(#[n(0)] i64);

impl Money {
    /// Amount of zero minor units.
    pub const ZERO: Self = Self(0);
    /// Largest amount, in either direction.
    pub const MAX: Self = Self(1_000_000_000_000_000);
    /// Largest amount that is owed: as much as [`Self::MAX`], negative.
    pub const MIN: Self = Self(-1_000_000_000_000_000);

    /// Returns the amount in minor units.
    pub fn minor(self) -> i64 {
        self.0
    }

    /// Returns the sum; `None` if it is no amount.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        Self::from_wide(i128::from(self.0) + i128::from(other.0))
    }

    /// Returns the difference; `None` if it is no amount.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.checked_add(-other)
    }

    /// Returns the sum of any number of amounts; `None` if it is no amount. Amounts in between may be larger.
    pub fn checked_sum(amounts: impl IntoIterator<Item = Self>) -> Option<Self> {
        // 2⁶³ amounts of 10¹⁵ would be less than 2¹²⁷.
        Self::from_wide(amounts.into_iter().map(|it| i128::from(it.0)).sum())
    }

    /// Returns the amount of this many minor units, as arithmetic computed them; `None` if it is no amount.
    pub(crate) fn from_wide(minor: i128) -> Option<Self> {
        i64::try_from(minor).ok()?.try_into().ok()
    }
}

impl Neg for Money {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl TryFrom<i64> for Money {
    type Error = UnitError;
    fn try_from(minor: i64) -> Result<Self, UnitError> {
        within(minor, Self::MIN.0..=Self::MAX.0, "an amount is at most 1,000,000,000,000,000 minor units").map(Self)
    }
}

/// A price in minor units per tonne, above zero: 21.50 per kg is 2,150,000. Prices per quintal and per kg are exact in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode)]
#[cbor(transparent)]
pub struct PricePerTonne(#[n(0)] i64);

impl PricePerTonne {
    /// Highest price of a tonne.
    pub const MAX: Self = Self(Money::MAX.0);

    /// Returns the price in minor units per tonne.
    pub fn minor(self) -> i64 {
        self.0
    }
}

impl TryFrom<i64> for PricePerTonne {
    type Error = UnitError;
    fn try_from(minor: i64) -> Result<Self, UnitError> {
        within(minor, 1..=Self::MAX.0, "a price is 1 to 1,000,000,000,000,000 minor units per tonne").map(Self)
    }
}

/// A rate of interest in basis points per year, 0 to 10,000: 1,800 is 18 % a year.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode)]
#[cbor(transparent)]
pub struct BasisPoints(#[n(0)] i32);

impl BasisPoints {
    /// Returns the basis points per year.
    pub fn per_year(self) -> i32 {
        self.0
    }
}

impl TryFrom<i64> for BasisPoints {
    type Error = UnitError;
    fn try_from(per_year: i64) -> Result<Self, UnitError> {
        let reason = "a rate is 0 to 10,000 basis points per year";
        let per_year = within(per_year, 0..=10_000, reason)?;
        i32::try_from(per_year).map(Self).map_err(|_larger| UnitError::new(reason))
    }
}

fn within(value: i64, bounds: RangeInclusive<i64>, reason: &str) -> Result<i64, UnitError> {
    if bounds.contains(&value) { Ok(value) } else { Err(UnitError::new(reason)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_prices_and_rates_are_bounded() {
        let largest = Money::MAX.minor();
        for (minor, fits) in [(largest, true), (largest + 1, false), (-largest, true), (-largest - 1, false), (0, true)]
        {
            assert_eq!(Money::try_from(minor).is_ok(), fits, "{minor}");
        }
        for (minor, fits) in [(0, false), (1, true), (largest, true), (largest + 1, false), (-1, false)] {
            assert_eq!(PricePerTonne::try_from(minor).is_ok(), fits, "{minor}");
        }
        for (per_year, fits) in [(-1, false), (0, true), (10_000, true), (10_001, false), (i64::MAX, false)] {
            assert_eq!(BasisPoints::try_from(per_year).is_ok(), fits, "{per_year}");
        }
    }

    #[test]
    fn sums_that_are_no_amount_are_none() {
        let one = Money::try_from(1).expect("an amount");
        assert_eq!(Money::MAX.checked_add(one), None);
        assert_eq!(Money::MIN.checked_sub(one), None);
        assert_eq!(Money::MAX.checked_sub(one).map(Money::minor), Some(Money::MAX.minor() - 1));
        assert_eq!(Money::checked_sum([Money::MAX, Money::MAX, Money::MIN]), Some(Money::MAX));
        assert_eq!(Money::checked_sum([Money::MAX; 2]), None);
        assert_eq!(-Money::MIN, Money::MAX);
    }
}
