//! Ids and units as they cross: text or integers under the same names, checked on the way in.

use farmtally_core::client::Basis;
use farmtally_core::units::{DeliveryId, FarmerId, Grams, LoadId, Timestamp};

use crate::FieldError;

uniffi::custom_type!(DeliveryId, String, {
    remote,
    try_lift: |text| Ok(text.parse().map_err(|error| FieldError::invalid("delivery_id", error))?),
    lower: |id| id.to_string(),
});

uniffi::custom_type!(FarmerId, String, {
    remote,
    try_lift: |text| Ok(text.parse().map_err(|error| FieldError::invalid("farmer_id", error))?),
    lower: |id| id.to_string(),
});

uniffi::custom_type!(LoadId, String, {
    remote,
    try_lift: |text| Ok(text.parse().map_err(|error| FieldError::invalid("load_id", error))?),
    lower: |id| id.to_string(),
});

uniffi::custom_type!(Basis, String, {
    remote,
    try_lift: |text| Ok(text.parse().map_err(|error| FieldError::invalid("basis", error))?),
    lower: |basis| basis.to_string(),
});

uniffi::custom_type!(Grams, i64, {
    remote,
    try_lift: |grams| Ok(Grams(grams)),
    lower: |weight| weight.0,
});

uniffi::custom_type!(Timestamp, i64, {
    remote,
    try_lift: |at_ms| Ok(Timestamp(at_ms)),
    lower: |at| at.0,
});
