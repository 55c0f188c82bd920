//! Identifiers of 128 bits, made on the device and ordered by time (UUID version 7, RFC 9562).

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};
use sha2::{Digest, Sha256};

use super::UnitError;
use super::fixed_bytes::fixed_bytes;

/// An id that follows from what it stands for: the first sixteen bytes of SHA-256 over the parts.
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
    /// An organisation: nothing crosses from one to another.
    OrganisationId
    /// An installation on a phone; a new one at every enrolment.
    DeviceId
    /// A person who records.
    UserId
    /// What the server allowed a user on a device.
    GrantId
    /// Any field document, whatever its kind.
    DocumentId
    /// A delivery, from its draft on.
    DeliveryId
    /// A lorry load.
    LoadId
    /// A farmer's identity.
    FarmerId
    /// A farmer's contact details, which can be erased.
    ContactId
    /// A matter that waits for a person.
    ReviewId
    /// What a decision is known by when it is asked for, or concluded, again.
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

names_a_document!(DeliveryId LoadId FarmerId ContactId);

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
