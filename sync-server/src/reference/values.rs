//! Values of fields.

use std::fmt::Display;
use std::str::FromStr;

use farmtally_core::decisions::{
    DayCount, DeductionBase, EffectiveReading, FactorUnit, InstrumentType, LossBearer, LossTolerance, PaperPurpose,
    Rounding,
};
use farmtally_core::rules::PublicationCode;
use farmtally_core::units::{
    BasisPoints, BusinessDate, CentreCode, CommodityCode, DocumentId, FactorCode, GradeCode, Grams, InstrumentCode,
    LorryPlate, Money, PaperBookCode, Percent, PricePerTonne, SchemeCode, SeasonCode,
};

use super::json::Json;

/// A code of an error, and what is wrong.
pub(super) type Wrong = (PublicationCode, String);

/// Implemented by the types of values.
pub(super) trait FromJson: Sized {
    /// Returns the value, or why it is none.
    fn from_json(json: &Json) -> Result<Self, Wrong>;
}

fn expected(what: &str, found: &Json) -> Wrong {
    (PublicationCode::WrongType, format!("{what} is expected, not {}", found.type_name()))
}

impl<T: FromJson> FromJson for Option<T> {
    fn from_json(json: &Json) -> Result<Self, Wrong> {
        T::from_json(json).map(Some)
    }
}

impl FromJson for bool {
    fn from_json(json: &Json) -> Result<Self, Wrong> {
        if let Json::Bool(value) = json { Ok(*value) } else { Err(expected("true or false", json)) }
    }
}

impl FromJson for String {
    fn from_json(json: &Json) -> Result<Self, Wrong> {
        if let Json::Text(text) = json { Ok(text.clone()) } else { Err(expected("text", json)) }
    }
}

impl FromJson for i64 {
    fn from_json(json: &Json) -> Result<Self, Wrong> {
        if let Json::Int(value) = json { Ok(*value) } else { Err(expected("an integer", json)) }
    }
}

impl FromJson for Grams {
    fn from_json(json: &Json) -> Result<Self, Wrong> {
        i64::from_json(json).map(Self)
    }
}

/// Implements [`FromJson`] for integers with bounds.
macro_rules! bounded {
    ($($name:ty: $reason:expr;)*) => {$(
        impl FromJson for $name {
            fn from_json(json: &Json) -> Result<Self, Wrong> {
                let value = i64::from_json(json)?;
                value.try_into().map_err(|error| (PublicationCode::OutOfRange, $reason(error, value)))
            }
        }
    )*};
}

fn no_count(_: std::num::TryFromIntError, value: i64) -> String {
    format!("{value} is not a number from 0 on, or too large")
}

fn unit_error(error: impl Display, value: i64) -> String {
    format!("{value}: {error}")
}

bounded! {
    u8: no_count;
    u32: no_count;
    BasisPoints: unit_error;
    Money: unit_error;
    Percent: unit_error;
    PricePerTonne: unit_error;
}

fn parsed<T: FromStr<Err: Display>>(json: &Json) -> Result<T, Wrong> {
    let Json::Text(text) = json else { return Err(expected("text", json)) };
    text.parse().map_err(|error| (PublicationCode::Malformed, format!("{text:?}: {error}")))
}

/// Implements [`FromJson`] for types that are text.
macro_rules! texts {
    ($($name:ty)*) => {$(
        impl FromJson for $name {
            fn from_json(json: &Json) -> Result<Self, Wrong> {
                parsed(json)
            }
        }
    )*};
}

texts! {
    DocumentId SchemeCode BusinessDate CentreCode CommodityCode DayCount DeductionBase EffectiveReading FactorCode FactorUnit GradeCode InstrumentCode InstrumentType LorryPlate LossBearer
    LossTolerance PaperBookCode PaperPurpose Rounding SeasonCode
}
