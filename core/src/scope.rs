//! Scopes: the units of permission, log, first sync and purge.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::units::{CentreCode, DeviceId, FromValue, SeasonCode, ToValue, UnitError, Value, as_printed, text_in_cbor};

/// The scope of a record or decision. Each scope has a log of its own. A server sends logs in the order of the variants.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// `d/<device>`: decisions that concern one device, such as grants.
    Device(DeviceId),
    /// `org`: the organisation's reference data.
    Organisation,
    /// `c/<centre>`: the centre's farmers.
    Centre(CentreCode),
    /// `c/<centre>/<season>`: deliveries and loads.
    Season(CentreCode, SeasonCode),
    /// A form of a newer version: kept unchanged, and neither read nor written by this version.
    Unknown(UnknownScope),
}

/// The text of a scope of unknown form: 1 to 64 characters, as parts of ASCII letters, digits, `-` and `_` with slashes between them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnknownScope(Box<str>);

/// Largest length of a scope of unknown form, in characters.
const MAX_SCOPE: usize = 64;

impl UnknownScope {
    fn parse(text: &str) -> Result<Self, UnitError> {
        let is_part =
            |part: &str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_".contains(&c));
        if text.len() > MAX_SCOPE || !text.split('/').all(is_part) {
            return Err(UnitError::new("not a scope"));
        }
        Ok(Self(text.into()))
    }
}

impl Scope {
    /// Returns the centre to which the scope belongs, if any.
    pub fn centre(&self) -> Option<&CentreCode> {
        match self {
            Self::Centre(centre) | Self::Season(centre, _) => Some(centre),
            Self::Device(_) | Self::Organisation | Self::Unknown(_) => None,
        }
    }

    /// Returns whether this version does not know the scope's syntax; a newer version may.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(device) => write!(f, "d/{device}"),
            Self::Organisation => f.write_str("org"),
            Self::Centre(centre) => ["c/", centre.as_str()].iter().try_for_each(|part| f.write_str(part)),
            Self::Season(centre, season) => {
                ["c/", centre.as_str(), "/", season.as_str()].iter().try_for_each(|part| f.write_str(part))
            }
            Self::Unknown(scope) => f.write_str(&scope.0),
        }
    }
}

impl FromStr for Scope {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let mut parts = text.splitn(4, '/');
        let scope = match [(); 4].map(|()| parts.next()) {
            [Some("org"), None, ..] => Self::Organisation,
            [Some("d"), Some(device), None, _] => Self::Device(device.parse()?),
            [Some("c"), Some(centre), None, _] => Self::Centre(centre.parse()?),
            [Some("c"), Some(centre), Some(season), None] => Self::Season(centre.parse()?, season.parse()?),
            [Some("d" | "c"), None, ..] => return Err(UnitError::new("not a scope")),
            _ => return UnknownScope::parse(text).map(Self::Unknown),
        };
        // Each scope has only one spelling, because two texts for one scope would be two logs.
        if scope.to_string() == text { Ok(scope) } else { Err(UnitError::new("not a scope's own spelling")) }
    }
}

impl ToValue for Scope {
    fn to_value(&self) -> Value<'_> {
        Value::Text(Cow::Owned(self.to_string()))
    }
}

impl FromValue for Scope {
    fn from_value(value: Value<'_>) -> Option<Self> {
        as_printed(&value)
    }
}

text_in_cbor!(Scope as |scope| &scope.to_string(), |text| text.parse());

/// Forms of the scopes that contain records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeForm {
    /// [`Scope::Centre`].
    Centre,
    /// [`Scope::Season`].
    Season,
}

impl ScopeForm {
    /// Returns whether a scope has this form.
    pub fn is_of(self, scope: &Scope) -> bool {
        match self {
            Self::Centre => matches!(scope, Scope::Centre(_)),
            Self::Season => matches!(scope, Scope::Season(..)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_has_one_spelling() {
        for text in ["org", "c/KOLAR", "c/KOLAR/2019", "d/07070707-0707-0707-0707-070707070707"] {
            assert_eq!(text.parse::<Scope>().expect("a scope").to_string(), text);
        }
        for wrong in ["", "c", "c/", "d", "c/kolar", "c/KOLAR/", "d/7", "c/KOLAR/2019/", "/x", "x y", "x/\u{2f}y", "é"]
        {
            assert!(wrong.parse::<Scope>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_scope_of_a_newer_form_is_kept_as_it_is() {
        for text in ["x", "c/KOLAR/2019/pay", "f/9a-B_c", &"x".repeat(MAX_SCOPE)] {
            let scope: Scope = text.parse().expect("a scope");
            assert!(scope.is_unknown() && scope.centre().is_none(), "{text}");
            assert_eq!(scope.to_string(), text);
        }
        let long = "x".repeat(MAX_SCOPE + 1).parse::<Scope>().expect_err("too long");
        assert_eq!(long.reason, "not a scope");
    }
}
