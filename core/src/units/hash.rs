//! SHA-256 hashes (32 bytes, FIPS 180-4), with a type for each kind of thing that is hashed.

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};

use super::UnitError;
use super::fixed_bytes::fixed_bytes;

macro_rules! hashes {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        #[cbor(transparent)]
        pub struct $name(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

        fixed_bytes!($name, 32);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
            }
        }

        impl FromStr for $name {
            type Err = UnitError;
            fn from_str(text: &str) -> Result<Self, UnitError> {
                let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok();
                let hash = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
                hash.map(Self).ok_or_else(|| UnitError::new("not a hash: write 64 hexadecimal digits"))
            }
        }
    )*};
}

hashes! {
    /// Hash of a change; covers its content and, through their hashes, all changes that it depends on.
    ChangeHash
    /// Hash of a bundle's signed part.
    BundleHash
    /// Hash of a log entry: of its envelope and change, or of its decision.
    EntryHash
    /// Hash of a log up to an entry; covers all entries before it.
    ChainHash
    /// Hash of a parcel's bytes.
    ParcelId
    /// Hash of a photo's bytes, by which records refer to it.
    PhotoHash
}
