//! Quantities, times, ids and codes as small exact types.
//!
//! Owns parsing, printing and conversion to CBOR and SQL values. Every number is an integer; `docs/glossary.md` lists the units.
//! Does not own records, storage or the network.
//!
//! Invariant: a value is within its hard bounds, so callers do not check again. Only a [`Location`] needs [`Location::check`].

mod code;
mod enrol_code;
mod fixed_bytes;
mod grams;
mod hash;
mod id;
mod location;
mod money;
mod named;
mod number;
mod open_code;
mod percent;
mod stored;
mod time;
mod value;

pub use code::{
    BagType, CentreCode, CommodityCode, ContainerCode, CountryCode, CurrencyCode, FactorCode, FarmerTag, GradeCode,
    InstrumentCode, LorryPlate, PaperBookCode, SchemeCode, SeasonCode,
};
pub use enrol_code::EnrolCode;
pub use grams::{BagWeight, Grams, LotWeight};
pub use hash::{BundleHash, ChainHash, ChangeHash, EntryHash, ParcelId, PhotoHash};
pub use id::{
    ContactId, DecisionKey, DeliveryId, DeviceId, DocumentId, FarmerId, GrantId, LoadId, OrganisationId, PayoutId,
    ReviewId, UserId, derived,
};
pub use location::{Location, LocationProvider};
pub use money::{BasisPoints, Currency, Money, PricePerTonne};
pub(crate) use named::named;
pub use number::{DeviceCode, ReceiptNumber};
pub(crate) use open_code::open_codes;
pub use percent::Percent;
pub(crate) use stored::{as_printed, text_in_cbor};
pub(crate) use time::TRUSTED_LEAD_MS;
pub use time::{BusinessDate, HybridTime, Timestamp};
pub use value::{Column, ColumnType, FromValue, ToValue, Value};

/// Error for a text or number that is not a value of the unit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct UnitError {
    /// What is wrong and what is expected, as a lowercase fragment.
    pub reason: String,
}

impl UnitError {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

/// Parses decimal text with at most `scale` decimals, zeros at the end not counted, into an integer of that scale: `("62.4", 3)` is 62,400.
fn parse_decimal(text: &str, scale: u32) -> Result<i64, UnitError> {
    let wrong = || UnitError::new("not a number: write digits, with a point before decimals");
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) {
        return Err(wrong());
    }
    let fraction = fraction.trim_end_matches('0');
    let decimals = u32::try_from(fraction.len()).unwrap_or(u32::MAX);
    if decimals > scale {
        return Err(UnitError::new(format!("more than {scale} decimals")));
    }
    let too_large = |_| UnitError::new("too large a number");
    let whole: i64 = whole.parse().map_err(too_large)?;
    let fraction: i64 = if fraction.is_empty() { 0 } else { fraction.parse().map_err(too_large)? };
    let value = whole
        .checked_mul(10_i64.pow(scale))
        .and_then(|value| value.checked_add(fraction * 10_i64.pow(scale - decimals)))
        .ok_or_else(|| UnitError::new("too large a number"))?;
    Ok(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_text_is_read_exactly() {
        let cases = [
            ("62.4", 3, Some(62_400)),
            ("62.400", 3, Some(62_400)),
            ("0.001", 3, Some(1)),
            ("62.4001", 3, None),
            ("-3", 0, Some(-3)),
            ("14.50", 2, Some(1_450)),
            ("", 3, None),
            (".", 3, None),
            (".5", 3, None),
            ("5.", 3, None),
            ("1e3", 3, None),
            ("٣", 3, None),
            ("9223372036854775807", 3, None),
            ("99999999999999999999", 0, None),
        ];
        for (text, scale, expected) in cases {
            assert_eq!(parse_decimal(text, scale).ok(), expected, "{text:?}");
        }
    }
}
