//! Hashes of 32 bytes (SHA-256, FIPS 180-4), one type for each thing that is known by one.

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};

use super::UnitError;

macro_rules! hashes {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 32]);

        impl $name {
            /// The bytes as they are stored and sent.
            pub fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl From<[u8; 32]> for $name {
            fn from(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }
        }

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

        impl<C> Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.bytes(&self.0)?;
                Ok(())
            }
        }

        impl<'b, C> Decode<'b, C> for $name {
            fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                d.bytes()?
                    .try_into()
                    .map(Self)
                    .map_err(|_length| minicbor::decode::Error::message("a hash has thirty-two bytes"))
            }
        }
    )*};
}

hashes! {
    /// The hash of a change; covers its content and, through their hashes, all changes that it depends on.
    ChangeHash
    /// The hash of a bundle's signed part.
    BundleHash
    /// The hash of an entry of a log: envelope and change, or decision.
    EntryHash
    /// The hash of a log up to an entry; covers all entries before.
    ChainHash
    /// The hash of a parcel's bytes.
    ParcelId
}
