//! Enums whose variants have stable names. A name that this version does not know is an error; see `open_code` for enums that keep it.

/// Defines an enum that is printed and parsed by the names of its variants. The literal before the braces is used in the parse error.
macro_rules! named {
    ($(#[$meta:meta])* $visible:vis $name:ident, $what:literal {
        $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)+
    }) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $(#[$meta])*
        $visible enum $name {
            $($(#[$variant_meta])* $variant,)+
        }

        impl $name {
            /// All variants, in the order of declaration.
            $visible const ALL: [Self; [$($text),+].len()] = [$(Self::$variant),+];

            /// Returns the variant's stable name.
            $visible fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::units::UnitError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let wrong = || format!("not {}: use one of {}", $what, [$($text),+].join(", "));
                Self::ALL.into_iter().find(|it| it.as_str() == text).ok_or_else(|| $crate::units::UnitError::new(wrong()))
            }
        }
    };
}

pub(crate) use named;

#[cfg(test)]
mod tests {
    named! {
        /// Ways to weigh.
        Mode, "a mode" {
            /// Bag by bag.
            Bags = "bags",
            /// On a weighbridge.
            Vehicle = "vehicle",
        }
    }

    #[test]
    fn a_variant_is_read_by_its_name_only() {
        assert_eq!(Mode::ALL.map(|mode| mode.to_string().parse()), [Ok(Mode::Bags), Ok(Mode::Vehicle)]);
        let error = "lots".parse::<Mode>().expect_err("no mode of that name");
        assert_eq!(error.to_string(), "not a mode: use one of bags, vehicle");
    }
}
