/// Implements access to the bytes of an id or hash, and its conversions from and to bytes and SQL values.
macro_rules! fixed_bytes {
    ($name:ident, $length:literal) => {
        impl $name {
            /// Returns the bytes as they are stored and sent.
            pub fn as_bytes(&self) -> &[u8; $length] {
                &self.0
            }
        }

        impl From<[u8; $length]> for $name {
            fn from(bytes: [u8; $length]) -> Self {
                Self(bytes)
            }
        }

        impl $crate::units::ToValue for $name {
            fn to_value(&self) -> $crate::units::Value<'_> {
                $crate::units::Value::Blob(self.0.as_slice().into())
            }
        }

        impl $crate::units::FromValue for $name {
            fn from_value(value: $crate::units::Value<'_>) -> Option<Self> {
                <[u8; $length]>::from_value(value).map(Self)
            }
        }
    };
}

pub(crate) use fixed_bytes;
