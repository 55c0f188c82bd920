//! Ids, codes and units as they cross: text or integers under their own names, checked on the way in.
//!
//! Text that cannot be read is refused as [`FieldError::Invalid`], with the field that stands beside each type here.

use farmtally_core::client::Basis;
use farmtally_core::decisions::ReviewCode;
use farmtally_core::protocol::{HoldCode, RefusalCode};
use farmtally_core::scope::Scope;
use farmtally_core::units::{
    BagType, BagWeight, BusinessDate, CentreCode, ChangeHash, CommodityCode, DeliveryId, DeviceCode, DeviceId,
    DocumentId, FarmerId, Grams, GrantId, HybridTime, LoadId, LorryPlate, OrganisationId, Percent, ReceiptNumber,
    SeasonCode, Timestamp, UserId,
};

use crate::FieldError;

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
    /// What a person saw when they decided: a record and its version
    Basis, "basis";
    /// A calendar day, year-month-day
    BusinessDate, "date";
    /// The code of a centre, such as KOLAR
    CentreCode, "centre";
    /// Names a change of a record
    ChangeHash, "change";
    /// The code of a commodity, such as TOMATO
    CommodityCode, "commodity";
    /// The id of a delivery, the same from draft to settlement
    DeliveryId, "delivery_id";
    /// The code of an installation, as receipts carry it
    DeviceCode, "device_code";
    /// The id of an installation
    DeviceId, "device_id";
    /// The id of a record of any kind
    DocumentId, "record_id";
    /// The id of a farmer
    FarmerId, "farmer_id";
    /// The id of a grant: what a person may do on a phone
    GrantId, "grant_id";
    /// The code of why the server keeps an entry for a person
    HoldCode, "code";
    /// The id of a load
    LoadId, "load_id";
    /// The plate of a lorry, such as KA07A1234
    LorryPlate, "lorry";
    /// The id of an organisation
    OrganisationId, "organisation_id";
    /// A share in percent with up to two decimals, such as 14.5
    Percent, "moisture";
    /// The number of a receipt, such as KOLAR-13-17-W
    ReceiptNumber, "receipt_number";
    /// Where a record belongs: c/CENTRE, or c/CENTRE/SEASON
    Scope, "scope";
    /// The code of why the server refused a bundle or a parcel
    RefusalCode, "code";
    /// The code of a matter that waits for a person
    ReviewCode, "code";
    /// The code of a season
    SeasonCode, "season";
    /// The id of a person
    UserId, "user_id";
}

uniffi::custom_type!(
    /// The weight of a bag: kilograms such as 62.4, or grams such as 62400 g
    BagWeight, String, {
    remote,
    try_lift: |text| Ok(text.parse().map_err(|error| FieldError::invalid("weight", error))?),
    lower: |weight| weight.grams().to_string(),
});

uniffi::custom_type!(
    /// The number of a bag type in the rule set, 0 to 15
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
    /// An instant in milliseconds since 1970
    Timestamp, i64, {
    remote,
    try_lift: |at_ms| Ok(Timestamp(at_ms)),
    lower: |at| at.0,
});

uniffi::custom_type!(
    /// The instant at which something was written, in milliseconds since 1970. What orders two writes of one instant does not cross
    HybridTime, i64, {
    remote,
    try_lift: |wall_ms| Ok(HybridTime { wall_ms, counter: 0 }),
    lower: |at| at.wall_ms,
});
