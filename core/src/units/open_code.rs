//! Enums of stable codes that keep a code of a newer version unchanged.

/// Defines an enum of stable codes, which are text in CBOR, SQL and the foreign interface. `Other` keeps a code unknown to this version.
macro_rules! open_codes {
    ($(#[$doc:meta])* $visible:vis $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        $visible enum $name {
            $($(#[$variant_doc])* $variant,)+
            /// A code of a newer version.
            Other(Box<str>),
        }

        impl $name {
            /// The codes that this version knows.
            $visible const KNOWN: &[Self] = &[$(Self::$variant),+];

            /// Returns the code as text.
            $visible fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Other(text) => text,
                }
            }
        }

        /// Orders by the code's text.
        impl Ord for $name {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                self.as_str().cmp(other.as_str())
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, text: &str) -> bool {
                self.as_str() == text
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, text: &&str) -> bool {
                self.as_str() == *text
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                match text {
                    $($text => Self::$variant,)+
                    text => Self::Other(text.into()),
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::convert::Infallible;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Ok(text.into())
            }
        }

        impl $crate::units::ToValue for $name {
            fn to_value(&self) -> $crate::units::Value<'_> {
                $crate::units::Value::text(self.as_str())
            }
        }

        impl $crate::units::FromValue for $name {
            fn from_value(value: $crate::units::Value<'_>) -> Option<Self> {
                value.as_text().map(Self::from)
            }
        }

        $crate::units::text_in_cbor!($name as |code| code.as_str(), |text| text.parse());
    };
}

pub(crate) use open_codes;

#[cfg(test)]
mod tests {
    use crate::codec::{decode, encode};

    open_codes! {
        /// Ways to weigh.
        Mode {
            /// Bag by bag.
            Bags = "bags",
            /// On a weighbridge.
            Vehicle = "vehicle",
        }
    }

    #[test]
    fn a_code_of_a_newer_version_is_kept_as_it_is() {
        for (text, mode) in [("bags", Mode::Bags), ("vehicle", Mode::Vehicle), ("lots", Mode::Other("lots".into()))] {
            assert_eq!((Mode::from(text), mode.to_string()), (mode.clone(), text.to_owned()));
            assert_eq!(decode::<Mode>(&encode(&mode)).expect("CBOR"), mode);
        }
        assert_eq!(Mode::KNOWN, [Mode::Bags, Mode::Vehicle]);
    }
}
