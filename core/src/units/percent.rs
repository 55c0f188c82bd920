use std::fmt;
use std::str::FromStr;

use minicbor::Encode;

use super::{UnitError, parse_decimal};

/// A share in hundredths of a percent, 0 to 10,000: 1,450 is 14.50 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode)]
#[cbor(transparent)]
pub struct Percent(#[n(0)] i32);

impl Percent {
    /// Share of nothing.
    pub const ZERO: Self = Self(0);
    /// Share of half of the whole.
    pub const HALF: Self = Self(5_000);
    /// Share of the whole.
    pub const WHOLE: Self = Self(10_000);

    /// Returns the hundredths of a percent.
    pub fn hundredths(self) -> i32 {
        self.0
    }
}

impl TryFrom<i64> for Percent {
    type Error = UnitError;
    fn try_from(hundredths: i64) -> Result<Self, UnitError> {
        match i32::try_from(hundredths) {
            Ok(value) if (0..=10_000).contains(&value) => Ok(Self(value)),
            _ => Err(UnitError::new("a percentage is 0 to 100")),
        }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

impl FromStr for Percent {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        parse_decimal(text.trim().trim_end_matches('%').trim_end(), 2)?.try_into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_read_within_bounds() {
        let cases = [
            ("14.5", Some("14.50")),
            ("14.50 %", Some("14.50")),
            ("0", Some("0.00")),
            ("100", Some("100.00")),
            ("100.01", None),
            ("-1", None),
            ("14.501", None),
        ];
        for (text, expected) in cases {
            let read = text.parse::<Percent>().ok().map(|value| value.to_string());
            assert_eq!(read.as_deref(), expected, "{text:?}");
        }
    }
}
