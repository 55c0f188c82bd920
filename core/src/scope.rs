//! The unit of permission, log, first sync and purge.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};

use crate::units::{CentreCode, DeviceId, FromValue, SeasonCode, ToValue, UnitError, Value, as_printed};

/// Where a record or decision belongs; each scope has a log of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// `d/<device>`: what changes a device's own rights and duties.
    Device(DeviceId),
    /// `org`: reference data.
    Organisation,
    /// `c/<centre>`: its farmers.
    Centre(CentreCode),
    /// `c/<centre>/<season>`: deliveries and loads.
    Season(CentreCode, SeasonCode),
}

impl Scope {
    /// The centre it belongs to, if any.
    pub fn centre(&self) -> Option<&CentreCode> {
        match self {
            Self::Centre(centre) | Self::Season(centre, _) => Some(centre),
            Self::Device(_) | Self::Organisation => None,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(device) => write!(f, "d/{device}"),
            Self::Organisation => f.write_str("org"),
            Self::Centre(centre) => write!(f, "c/{centre}"),
            Self::Season(centre, season) => write!(f, "c/{centre}/{season}"),
        }
    }
}

impl FromStr for Scope {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let scope = match text.split('/').collect::<Vec<_>>().as_slice() {
            ["org"] => Self::Organisation,
            ["d", device] => Self::Device(device.parse()?),
            ["c", centre] => Self::Centre(centre.parse()?),
            ["c", centre, season] => Self::Season(centre.parse()?, season.parse()?),
            _ => return Err(UnitError::new("not a scope")),
        };
        // One spelling only: two texts for one scope would be two logs.
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

/// The forms of scopes in which records live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeForm {
    /// [`Scope::Centre`].
    Centre,
    /// [`Scope::Season`].
    Season,
}

impl ScopeForm {
    /// Whether a scope is of this form.
    pub fn is_of(self, scope: &Scope) -> bool {
        match self {
            Self::Centre => matches!(scope, Scope::Centre(_)),
            Self::Season => matches!(scope, Scope::Season(..)),
        }
    }
}

impl<C> Encode<C> for Scope {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(&self.to_string())?;
        Ok(())
    }
}

impl<'b, C> Decode<'b, C> for Scope {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        d.str()?.parse().map_err(minicbor::decode::Error::custom)
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
        for wrong in ["", "c", "c/", "c/kolar", "c/KOLAR/", "c/KOLAR/2019/pay", "d/7", "x"] {
            assert!(wrong.parse::<Scope>().is_err(), "{wrong:?}");
        }
    }
}
