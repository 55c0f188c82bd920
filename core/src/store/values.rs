//! Conversions of [`crate::units`] values to and from rusqlite.

use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};

use crate::protocol::{HoldCode, RefusalCode};
use crate::scope::Scope;
use crate::units::{
    BundleHash, ChainHash, ChangeHash, DeliveryId, DeviceId, DocumentId, GrantId, OrganisationId, ParcelId, UserId,
};

/// Ids and hashes, stored as their bytes.
macro_rules! stored_as_bytes {
    ($length:literal: $($name:ident)*) => {$(
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                let bytes: &[u8] = self.as_bytes();
                Ok(bytes.into())
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                <[u8; $length]>::try_from(value.as_blob()?).map(Self::from).map_err(|_length| FromSqlError::InvalidType)
            }
        }
    )*};
}

stored_as_bytes!(16: OrganisationId DeviceId UserId GrantId DocumentId DeliveryId);
stored_as_bytes!(32: ChangeHash BundleHash ChainHash ParcelId);

/// Scopes and codes, stored as text; any spelling but the canonical one is refused when read.
macro_rules! stored_as_text {
    ($($name:ident)*) => {$(
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.to_string().into())
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let text = value.as_str()?;
                let parsed: Self = text.parse().map_err(FromSqlError::other)?;
                let spelling = parsed.to_string();
                if spelling == text { Ok(parsed) } else { Err(FromSqlError::InvalidType) }
            }
        }
    )*};
}

stored_as_text!(Scope HoldCode RefusalCode);
