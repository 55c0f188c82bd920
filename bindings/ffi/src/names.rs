//! Ids, codes and units as they cross: text or integers, as types of their own, checked on the way in.
//!
//! Text that cannot be parsed fails with [`FieldError::Invalid`] and the field named next to each type here.

use farmtally_core::client::{Basis, ExportFormat, ImportCode, ReportCode};
use farmtally_core::decisions::ReviewCode;
use farmtally_core::permission::Capability;
use farmtally_core::protocol::{HoldCode, RefusalCode};
use farmtally_core::records::Kind;
use farmtally_core::rules::ActionCode;
use farmtally_core::scope::Scope;
use farmtally_core::units::{
    BagType, BagWeight, BusinessDate, CentreCode, ChangeHash, CommodityCode, ContainerCode, DeliveryId, DeviceCode,
    DeviceId, DocumentId, FactorCode, FarmerId, FarmerTag, GradeCode, Grams, GrantId, HybridTime, InstrumentCode,
    LoadId, LorryPlate, LotWeight, Money, OrganisationId, Percent, PhotoHash, ReceiptNumber, SeasonCode, Timestamp,
    UserId,
};

use crate::FieldError;

type RecordKind = Kind;

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
