//! Ids, codes and units as they cross: text or integers, as types of their own, checked on the way in.
//!
//! Text that cannot be parsed fails with [`FieldError::Invalid`] and the field named next to each type here.

use farmtally_core::client::{Basis, ExportFormat, ImportCode, ReportCode};
use farmtally_core::decisions::ReviewCode;
use farmtally_core::permission::Capability;
use farmtally_core::protocol::{HoldCode, RefusalCode};
use farmtally_core::records::Kind;
use farmtally_core::rules::{ActionCode, Check};
use farmtally_core::scope::Scope;
use farmtally_core::units::{
    BagType, BagWeight, BusinessDate, CentreCode, ChangeHash, CommodityCode, ContainerCode, DeliveryId, DeviceCode,
    DeviceId, DocumentId, FactorCode, FarmerId, FarmerTag, GradeCode, Grams, GrantId, HybridTime, InstrumentCode,
    LoadId, LorryPlate, LotWeight, Money, OrganisationId, PaperBookCode, Percent, PhotoHash, ReceiptNumber, SchemeCode,
    SeasonCode, Timestamp, UserId,
};

use crate::FieldError;

type RecordKind = Kind;
type CheckCode = Check;

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident, $field:literal;)*) => {$(
        uniffi::custom_type!($(#[$doc])* $name, String, {
            remote,
            try_lift: |text| Ok(text.parse().map_err(|error| FieldError::invalid($field, error))?),
            lower: |value| value.to_string(),
        });
    )*};
}

texts! {
    /// Code of something that a person may do with a record now; listed in docs/records.md
    ActionCode, "action";
    /// A record and the version of it that a person saw; pass it on unchanged
    Basis, "basis";
    /// A calendar day, such as 2026-11-21
    BusinessDate, "date";
    /// Code of something that a role may do; listed in docs/records.md
    Capability, "capability";
    /// Code of a centre, such as KOLAR
    CentreCode, "centre";
    /// Hash of a change of a record; pass it on unchanged
    ChangeHash, "change";
    /// Code of a check that a person confirms; listed in docs/records.md
    CheckCode, "check";
    /// Code of a commodity, such as TOMATO
    CommodityCode, "commodity";
    /// Code of a type of empty bag or crate, such as CRATE
    ContainerCode, "container";
    /// Id of a delivery, the same for draft and recorded delivery: a UUID
    DeliveryId, "delivery_id";
    /// Code of a device on receipts, such as 10
    DeviceCode, "device_code";
    /// Id of a device: a UUID
    DeviceId, "device_id";
    /// Id of a record of any kind: a UUID
    DocumentId, "record_id";
    /// Code of a quality factor, such as BROKEN
    FactorCode, "factor";
    /// Id of a farmer: a UUID
    FarmerId, "farmer_id";
    /// Tag that an organisation gives farmers, such as ORGANIC
    FarmerTag, "tags";
    /// Code of a grade, such as A
    GradeCode, "grade";
    /// Id of a grant, which says what a user may do on a phone: a UUID
    GrantId, "grant_id";
    /// Code of the reason for holding a change; listed in docs/errors.md
    HoldCode, "code";
    /// Code of a scale, weighbridge or moisture meter, such as SCALE7
    InstrumentCode, "instrument";
    /// Code of a book of numbered paper forms, such as BOOK17
    PaperBookCode, "paper_book";
    /// Code of a scheme that certifies farmers or land, such as ORGANIC
    SchemeCode, "scheme";
    /// Name of a kind of record; listed in docs/records.md
    RecordKind, "kind";
    /// Id of a load: a UUID
    LoadId, "load_id";
    /// Plate of a lorry, such as KA07A1234
    LorryPlate, "lorry";
    /// Id of an organisation: a UUID
    OrganisationId, "organisation_id";
    /// A share in percent with up to two decimals, 0 to 100, such as 14.5
    Percent, "moisture";
    /// SHA-256 of a photo's bytes: 64 hexadecimal digits
    PhotoHash, "photo";
    /// Number of a receipt, such as KOLAR-10-17-C
    ReceiptNumber, "receipt_number";
    /// Code of the reason why a line was not imported; listed in docs/import.md
    ImportCode, "code";
    /// Code of a report; listed in docs/reports.md
    ReportCode, "report";
    /// Form of an exported file: csv, csv_with_bom or ndjson
    ExportFormat, "format";
    /// Scope of a record: c/CENTRE, or c/CENTRE/SEASON
    Scope, "scope";
    /// Code of the reason for refusing a bundle or parcel; listed in docs/errors.md
    RefusalCode, "code";
    /// Code of a review; listed in docs/records.md
    ReviewCode, "code";
    /// Code of a season, such as 2026
    SeasonCode, "season";
    /// Id of a user: a UUID
    UserId, "user_id";
}

uniffi::custom_type!(
    /// Gross weight of one bag: kilograms such as 62.4, or grams such as 62400 g; 1 g to 1,000 kg
    BagWeight, String, {
    remote,
    try_lift: |text| Ok(text.parse().map_err(|error| FieldError::invalid("weight", error))?),
    lower: |weight| weight.grams().to_string(),
});

uniffi::custom_type!(
    /// Weight of a lot, or of a vehicle, full or empty: kilograms such as 1250.5, or grams such as 1250500 g; 1 g to 100,000 kg
    LotWeight, String, {
    remote,
    try_lift: |text| Ok(text.parse().map_err(|error| FieldError::invalid("weight", error))?),
    lower: |weight| weight.grams().to_string(),
});

uniffi::custom_type!(
    /// Number of a bag type in the rule set, 0 to 15
    BagType, u8, {
    remote,
    try_lift: |number| Ok(number.try_into().map_err(|error| FieldError::invalid("bag_type", error))?),
    lower: |bag_type| bag_type.number(),
});

uniffi::custom_type!(
    /// A weight in grams
    Grams, i64, {
    remote,
    try_lift: |grams| Ok(Grams(grams)),
    lower: |weight| weight.0,
});

uniffi::custom_type!(
    /// An amount in minor units of the organisation's currency, at most 10^15 of them, either sign
    Money, i64, {
    remote,
    try_lift: |minor| Ok(minor.try_into().map_err(|error| FieldError::invalid("amount_minor", error))?),
    lower: |amount| amount.minor(),
});

uniffi::custom_type!(
    /// An instant, in milliseconds since 1970-01-01T00:00:00Z
    Timestamp, i64, {
    remote,
    try_lift: |at_ms| Ok(Timestamp(at_ms)),
    lower: |at| at.0,
});

uniffi::custom_type!(
    /// The instant of a write, in milliseconds since 1970-01-01T00:00:00Z; the order of writes within one millisecond is not included
    HybridTime, i64, {
    remote,
    try_lift: |wall_ms| Ok(HybridTime { wall_ms, counter: 0 }),
    lower: |at| at.wall_ms,
});

#[cfg(test)]
mod tests {
    use farmtally_core::ErrorCode;
    use uniffi::{FfiConverter, Lift, RustBuffer};

    use super::*;
    use crate::UniFfiTag;

    /// Texts that are no value of any type here: empty, not finite, in the forms of programs or of other scripts and countries, with
    /// characters that control or show nothing, and endless.
    const BAD: [&str; 22] = [
        "",
        " ",
        "-",
        ".",
        "NaN",
        "inf",
        "-inf",
        "1e309",
        "0x10",
        "12,5",
        "1 250.5",
        "1_000",
        "+1",
        "٣٫٥",
        "６２.４",
        "६२",
        "½",
        "1\0",
        "\u{202e}1",
        "1\u{200b}",
        "1\n2",
        "null",
    ];

    /// Reads a text as the other languages send it. Returns the field of the error.
    fn refused<T: Lift<UniFfiTag, FfiType = RustBuffer>>(text: &str) -> Option<String> {
        let sent = <String as FfiConverter<UniFfiTag>>::lower(text.to_owned());
        let error = T::try_lift(sent).err()?;
        assert!(error.to_string().len() < 1_000, "an error does not repeat its input");
        match error.downcast::<FieldError>().expect("an error of this interface") {
            FieldError::Invalid { field, code, .. } => {
                assert_eq!(code, ErrorCode::InvalidInput.as_str());
                Some(field)
            }
            other => panic!("{other:?}"),
        }
    }

    /// Requires that bad texts, and those in `more`, are refused with this field.
    fn refuses<T: Lift<UniFfiTag, FfiType = RustBuffer>>(field: &str, more: &[&str]) {
        let huge = ["1".repeat(10_000_000), "x".repeat(10_000_000)];
        for text in BAD.iter().chain(more).copied().chain(huge.iter().map(String::as_str)) {
            let what: String = text.chars().take(40).collect();
            assert_eq!(refused::<T>(text).as_deref(), Some(field), "{what:?}");
        }
    }

    #[test]
    fn text_that_is_no_weight_or_share_is_refused_with_its_field() {
        refuses::<BagWeight>(
            "weight",
            &["0", "-1", "0.0001", "1000.001", "1000001 g", "62.4 kg", "62.4 lb", "62400 mg", "62.4 g", "62.4kg", "g"],
        );
        refuses::<LotWeight>(
            "weight",
            &["0", "-0.5", "100000.001", "100000001 g", "12.5 t", "1 q", "9223372036854775808"],
        );
        refuses::<Percent>("moisture", &["-0.01", "100.01", "14.501", "14.5 ‰", "0.145e2", "14.5 % %x"]);
    }

    #[test]
    fn text_that_is_no_date_id_or_hash_is_refused_with_its_field() {
        let dates =
            ["2026-02-30", "2026-13-01", "21-11-2026", "2026/11/21", "20261121", "2026-11-21T00:00:00Z", "0", "1.5"];
        refuses::<BusinessDate>("date", &dates);
        let ids = ["0123", "KOLAR", "g0000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-00000000000"];
        refuses::<DeliveryId>("delivery_id", &ids);
        refuses::<FarmerId>("farmer_id", &ids);
        refuses::<LoadId>("load_id", &ids);
        refuses::<DocumentId>("record_id", &ids);
        refuses::<UserId>("user_id", &ids);
        refuses::<PhotoHash>("photo", &["00", "zz", &"0".repeat(63), &"0".repeat(65)]);
        refuses::<ChangeHash>("change", &["00", &"g".repeat(64)]);
        refuses::<Basis>("basis", &ids);
    }

    #[test]
    fn a_name_in_the_wrong_case_is_refused_with_its_field() {
        refuses::<ActionCode>("action", &["AMEND", "Amend", "amend ", "nothing"]);
        refuses::<ReportCode>("report", &["DAY_BOOK", "day book", "day-book"]);
        refuses::<ExportFormat>("format", &["CSV", "Csv", "xlsx"]);
        refuses::<RecordKind>("kind", &["DELIVERY", "Delivery", "deliveries"]);
    }

    #[test]
    fn what_is_right_is_read() {
        for text in ["62.4", "62400 g", " 62.400 "] {
            assert_eq!(refused::<BagWeight>(text), None, "{text}");
        }
        assert_eq!(refused::<BusinessDate>("2026-11-21"), None);
        // Codes are read as people type them.
        assert_eq!(refused::<CentreCode>("kolar"), None);
        assert_eq!(refused::<CentreCode>("KO\0LAR").as_deref(), Some("centre"));
        assert_eq!(refused::<LorryPlate>(&"K".repeat(10_000_000)).as_deref(), Some("lorry"));
    }

    #[test]
    fn numbers_out_of_bounds_are_refused_with_their_field() {
        let field = |error: uniffi::deps::anyhow::Error| match error.downcast::<FieldError>() {
            Ok(FieldError::Invalid { field, .. }) => field,
            other => panic!("{other:?}"),
        };
        for number in [16, u8::MAX] {
            let lifted = <BagType as Lift<UniFfiTag>>::try_lift(number);
            assert_eq!(field(lifted.expect_err("no bag type")), "bag_type", "{number}");
        }
        for minor in [i64::MIN, i64::MAX, 1_000_000_000_000_001, -1_000_000_000_000_001] {
            let lifted = <Money as Lift<UniFfiTag>>::try_lift(minor);
            assert_eq!(field(lifted.expect_err("no amount")), "amount_minor", "{minor}");
        }
    }
}
