use std::collections::BTreeSet;

use crate::scope::Scope;
use crate::units::{CentreCode, DeviceId};

/// Scopes that a device may read: its own always; the organisation's and those of granted centres unless the device is marked as lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visibility {
    /// Device that reads.
    pub device_id: DeviceId,
    /// Whether the office has marked the device as lost.
    pub is_lost: bool,
    /// Centres of the grants that are valid on the device.
    pub centres: BTreeSet<CentreCode>,
}

impl Visibility {
    /// Returns whether the device may read a scope. One of unknown form counts as the organisation's.
    pub fn can_read(&self, scope: &Scope) -> bool {
        match scope {
            Scope::Device(device) => *device == self.device_id,
            // A phone keeps what its server sends in a scope of a newer form.
            Scope::Organisation | Scope::Unknown(_) => !self.is_lost,
            Scope::Centre(centre) | Scope::Season(centre, _) => !self.is_lost && self.centres.contains(centre),
        }
    }

    /// Returns the names of the scopes that the device may read, as ranges of first and last, both inclusive; none has an unknown form.
    pub fn scopes(&self) -> impl Iterator<Item = (String, String)> {
        let one = |scope: Scope| (scope.to_string(), scope.to_string());
        // No character is greater than U+10FFFF, so the range contains exactly the centre's seasons.
        let centre = move |centre: &CentreCode| {
            let seasons = (format!("c/{centre}/"), format!("c/{centre}/\u{10ffff}"));
            [one(Scope::Centre(centre.clone())), seasons]
        };
        let shared = (!self.is_lost)
            .then(|| std::iter::once(one(Scope::Organisation)).chain(self.centres.iter().flat_map(centre)));
        std::iter::once(one(Scope::Device(self.device_id))).chain(shared.into_iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_device_reads_only_its_own_scope() {
        let device = DeviceId::from([1; 16]);
        let centres = BTreeSet::from(["KOLAR".parse().expect("a code")]);
        let own = format!("d/{device}");
        for (scope, when_working, when_lost) in [
            (own.as_str(), true, true),
            ("d/07070707-0707-0707-0707-070707070707", false, false),
            ("org", true, false),
            ("c/KOLAR", true, false),
            ("c/KOLAR/2019", true, false),
            ("c/MALUR", false, false),
            ("c/MALUR/2019", false, false),
        ] {
            let can_read = |is_lost| {
                Visibility { device_id: device, is_lost, centres: centres.clone() }
                    .can_read(&scope.parse().expect("a scope"))
            };
            assert_eq!((can_read(false), can_read(true)), (when_working, when_lost), "{scope}");
            let is_within = |is_lost| {
                let visible = Visibility { device_id: device, is_lost, centres: centres.clone() };
                visible.scopes().any(|(first, last)| (first.as_str()..=last.as_str()).contains(&scope))
            };
            assert_eq!((is_within(false), is_within(true)), (when_working, when_lost), "{scope}");
        }
    }
}
