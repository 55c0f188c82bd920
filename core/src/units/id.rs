//! Identifiers of 128 bits: UUID version 7 (RFC 9562), which sorts by time, or derived from what they identify ([`derived`]).

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};
use sha2::{Digest, Sha256};

use super::UnitError;
use super::fixed_bytes::fixed_bytes;

/// Returns an id derived from its content: the first 16 bytes of SHA-256 over the parts, joined without separators.
pub fn derived<'a, T: From<[u8; 16]>>(parts: impl IntoIterator<Item = &'a [u8]>) -> T {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    let digest: [u8; 32] = hash.finalize().into();
    T::from(digest.first_chunk().copied().unwrap_or_default())
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        #[cbor(transparent)]
        pub struct $name(#[cbor(n(0), with = "minicbor::bytes")] [u8; 16]);

        fixed_bytes!($name, 16);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                uuid::Uuid::from_bytes(self.0).fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = UnitError;
            fn from_str(text: &str) -> Result<Self, UnitError> {
                uuid::Uuid::parse_str(text)
                    .map(|id| Self(id.into_bytes()))
                    .map_err(|error| UnitError::new(format!("not an id: {error}")))
            }
        }
    )*};
}

ids! {
    /// Id of an organisation; no data crosses from one organisation to another.
    OrganisationId
    /// Id of a device: an installation of the app on a phone, new at every enrolment and change of keys.
    DeviceId
    /// Id of a person who records.
    UserId
    /// Id of a grant.
    GrantId
    /// Id of a document of any kind.
    DocumentId
    /// Id of a delivery and of the draft that it was.
    DeliveryId
    /// Id of a lorry load.
    LoadId
    /// Id of a farmer.
    FarmerId
    /// Id of a farmer's contact details, which can be erased.
    ContactId
    /// Id of a farmer's payout details, derived from the farmer's id.
    PayoutId
    /// Id of a review.
    ReviewId
    /// Idempotency key of a decision, by which a repeated request or conclusion is recognised.
    DecisionKey
}

macro_rules! names_a_document {
    ($($name:ident)*) => {$(
        impl From<$name> for DocumentId {
            fn from(id: $name) -> Self {
                Self(id.0)
            }
        }
        impl From<DocumentId> for $name {
            fn from(id: DocumentId) -> Self {
                Self(id.0)
            }
        }
    )*};
}

names_a_document!(DeliveryId LoadId FarmerId ContactId PayoutId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_as_printed_and_refuse_others() {
        let id = DeliveryId::from([7; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in ["", "7", "07070707-0707-0707-0707-07070707070", "zz"] {
            assert!(wrong.parse::<DeliveryId>().is_err(), "{wrong:?}");
        }
    }
}
