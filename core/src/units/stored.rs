//! Conversion of units to and from columns, text in CBOR, and bounds checks when units are decoded from CBOR.
//!
//! Codes are stored as text, lists of codes separated by spaces, quantities as integers, lists of hashes as concatenated bytes.

use std::fmt::Display;
use std::str::FromStr;

use minicbor::{Decode, Decoder, decode};

use super::{
    BagType, BagWeight, BasisPoints, BusinessDate, CentreCode, ChangeHash, CommodityCode, ContainerCode, DeviceCode,
    FactorCode, FromValue, GradeCode, Grams, InstrumentCode, LorryPlate, LotWeight, Money, PaperBookCode, Percent,
    PricePerTonne, SchemeCode, SeasonCode, Timestamp, ToValue, Value,
};

/// Implements [`ToValue`] and [`FromValue`] for units.
macro_rules! stored {
    ([$($unit:ty)*] as |$of:ident| $value:expr, |$read:ident| $unit_of:expr) => {$(
        impl ToValue for $unit {
            fn to_value(&self) -> Value<'_> {
                let $of = self;
                $value
            }
        }

        impl FromValue for $unit {
            fn from_value($read: Value<'_>) -> Option<Self> {
                $unit_of
            }
        }
    )*};
}

stored!([CentreCode CommodityCode ContainerCode FactorCode GradeCode InstrumentCode LorryPlate PaperBookCode SchemeCode SeasonCode]
    as |code| Value::text(code.as_str()), |value| as_printed(&value));
stored!([Grams Timestamp]
    as |unit| Value::Int(unit.0), |value| value.as_int().map(Self));
stored!([BusinessDate DeviceCode]
    as |unit| Value::Int(unit.0.into()), |value| FromValue::from_value(value).map(Self));
stored!([BagType] as |bag| Value::Int(bag.number().into()), |value| u8::from_value(value)?.try_into().ok());
stored!([BagWeight] as |bag| Value::Int(bag.grams().0), |value| Grams::from_value(value)?.try_into().ok());
stored!([Money PricePerTonne] as |amount| Value::Int(amount.minor()), |value| value.as_int()?.try_into().ok());
stored!([BasisPoints] as |rate| Value::Int(rate.per_year().into()), |value| value.as_int()?.try_into().ok());
stored!([Percent] as |share| Value::Int(share.hundredths().into()), |value| value.as_int()?.try_into().ok());

stored!([Vec<ChangeHash>] as |hashes| Value::Blob(hashes.iter().flat_map(|hash| hash.0).collect()), |value| {
    let blob = value.as_blob()?;
    let (hashes, rest) = blob.as_chunks::<32>();
    rest.is_empty().then(|| hashes.iter().copied().map(ChangeHash).collect())
});
stored!([Vec<CentreCode>]
    as |codes| Value::Text(codes.iter().map(CentreCode::as_str).collect::<Vec<_>>().join(" ").into()),
    |value| value.as_text()?.split_whitespace().map(|code| code.parse().ok()).collect());

/// Implements [`Decode`] with a bounds check.
macro_rules! decoded_within_bounds {
    ($($unit:ident: $number:ty),*) => {$(
        impl<'b, C> Decode<'b, C> for $unit {
            fn decode(d: &mut Decoder<'b>, context: &mut C) -> Result<Self, decode::Error> {
                Self::try_from(<$number>::decode(d, context)?).map_err(decode::Error::custom)
            }
        }
    )*};
}

decoded_within_bounds!(BagType: u8, BagWeight: Grams, BasisPoints: i64, LotWeight: Grams, Money: i64, Percent: i64, PricePerTonne: i64);

/// Implements [`minicbor::Encode`] and [`Decode`] for a type that is text in CBOR.
macro_rules! text_in_cbor {
    ($name:ident as |$of:ident| $text:expr, |$read:ident| $parsed:expr) => {
        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                let $of = self;
                e.str($text)?;
                Ok(())
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $name {
            fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                let $read = d.str()?;
                $parsed.map_err(minicbor::decode::Error::custom)
            }
        }
    };
}

pub(crate) use text_in_cbor;

/// Parses a text that must equal the printed form of its value: parsing alone would also accept `kolar` for `KOLAR`.
pub(crate) fn as_printed<T: FromStr + Display>(value: &Value<'_>) -> Option<T> {
    let text = value.as_text()?;
    text.parse::<T>().ok().filter(|read| read.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{decode, encode};
    use crate::units::DeliveryId;

    fn reads_back<T: ToValue + FromValue + PartialEq + std::fmt::Debug>(unit: &T) {
        assert_eq!(T::from_value(unit.to_value()).as_ref(), Some(unit));
    }

    #[test]
    fn units_read_back_as_stored() {
        reads_back(&DeliveryId::from([7; 16]));
        reads_back(&ChangeHash([7; 32]));
        reads_back(&"KOLAR".parse::<CentreCode>().expect("a code"));
        reads_back(&vec![ChangeHash([7; 32]), ChangeHash([8; 32])]);
        reads_back(&["KOLAR", "MALUR"].map(|code| code.parse::<CentreCode>().expect("a code")).to_vec());
        reads_back(&Grams(-1));
        reads_back(&Timestamp(i64::MAX));
        reads_back(&BusinessDate(-1));
        reads_back(&DeviceCode(u32::MAX));
        reads_back(&BagType::try_from(15).expect("a bag type"));
        reads_back(&BagWeight::try_from(Grams(1)).expect("a weight"));
        reads_back(&Percent::try_from(1_450).expect("a share"));
        reads_back(&Money::MIN);
        reads_back(&PricePerTonne::try_from(2_150_000).expect("a price"));
        reads_back(&BasisPoints::try_from(1_800).expect("a rate"));
        reads_back(&"A".parse::<GradeCode>().expect("a code"));
        reads_back(&"BROKEN".parse::<FactorCode>().expect("a code"));
    }

    #[test]
    fn money_is_decoded_within_its_bounds() {
        let amount = Money::try_from(-7_140_150).expect("an amount");
        assert_eq!(decode::<Money>(&encode(&amount)).ok(), Some(amount));
        assert_eq!(decode::<Money>(&encode(&(Money::MAX.minor() + 1))).ok(), None);
        assert_eq!(decode::<PricePerTonne>(&encode(&0_i64)).ok(), None);
        assert_eq!(decode::<BasisPoints>(&encode(&10_001_i64)).ok(), None);
    }

    #[test]
    fn what_is_no_unit_is_refused() {
        assert_eq!(CentreCode::from_value(Value::text("kolar")), None);
        assert_eq!(DeliveryId::from_value(Value::Blob([7; 15].to_vec().into())), None);
        assert_eq!(Vec::<ChangeHash>::from_value(Value::Blob([7; 33].to_vec().into())), None);
        assert_eq!(BagType::from_value(Value::Int(16)), None);
        assert_eq!(BagWeight::from_value(Value::Int(0)), None);
        assert_eq!(BusinessDate::from_value(Value::Int(i64::MAX)), None);
        assert_eq!(Percent::from_value(Value::Int(10_001)), None);
        assert_eq!(Money::from_value(Value::Int(Money::MAX.minor() + 1)), None);
        assert_eq!(PricePerTonne::from_value(Value::Int(0)), None);
        assert_eq!(BasisPoints::from_value(Value::Int(-1)), None);
    }
}
