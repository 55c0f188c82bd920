use std::collections::BTreeSet;

use super::Role;
use crate::scope::Scope;
use crate::units::{CentreCode, DeviceId};

/// Scopes that a device may read: its own always; the organisation's and those of granted centres unless the device is marked as lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visibility {
    /// Device that reads.
    pub device_id: DeviceId,
    /// Whether the office has marked the device as lost.
    pub is_lost: bool,
    /// Centres of the grants that are valid on the device: their seasons are read.
    pub centres: BTreeSet<CentreCode>,
    /// Those of them with a role that may know the farmers.
    pub centres_with_farmers: BTreeSet<CentreCode>,
}

impl Visibility {
    /// Returns the visibility by the grants on a device, each with its role and centres.
    pub fn new<'g>(
        device_id: DeviceId,
        is_lost: bool,
        grants: impl Iterator<Item = (Role, &'g [CentreCode])> + Clone,
    ) -> Self {
        let centres = |(_, centres): (Role, &'g [CentreCode])| centres.iter().cloned();
        let with_farmers = grants.clone().filter(|(role, _)| role.sees_farmers()).flat_map(centres).collect();
        Self { device_id, is_lost, centres: grants.flat_map(centres).collect(), centres_with_farmers: with_farmers }
    }

    /// Returns whether the device may read a scope. One of unknown form counts as the organisation's.
    pub fn can_read(&self, scope: &Scope) -> bool {
        match scope {
            Scope::Device(device) => *device == self.device_id,
            // A phone keeps what its server sends in a scope of a newer form.
            Scope::Organisation | Scope::Unknown(_) => !self.is_lost,
            Scope::Centre(centre) => !self.is_lost && self.centres_with_farmers.contains(centre),
            Scope::Season(centre, _) => !self.is_lost && self.centres.contains(centre),
        }
    }

    /// Returns the names of the scopes that the device may read, as ranges of first and last, both inclusive; none has an unknown form.
    pub fn scopes(&self) -> impl Iterator<Item = (String, String)> {
        let one = |scope: Scope| (scope.to_string(), scope.to_string());
        // No character is greater than U+10FFFF, so the range contains exactly the centre's seasons.
        let seasons = |centre: &CentreCode| (format!("c/{centre}/"), format!("c/{centre}/\u{10ffff}"));
        let farmers = move |centre: &CentreCode| one(Scope::Centre(centre.clone()));
        let shared = (!self.is_lost).then(|| {
            let seasons = self.centres.iter().map(seasons);
            std::iter::once(one(Scope::Organisation))
                .chain(self.centres_with_farmers.iter().map(farmers))
                .chain(seasons)
        });
        std::iter::once(one(Scope::Device(self.device_id))).chain(shared.into_iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_device_reads_only_its_own_scope_and_a_driver_no_farmers() {
        let device = DeviceId::from([1; 16]);
        let centres = ["KOLAR".parse().expect("a code")];
        let own = format!("d/{device}");
        for (scope, of_clerk, of_driver, when_lost) in [
            (own.as_str(), true, true, true),
            ("d/07070707-0707-0707-0707-070707070707", false, false, false),
            ("org", true, true, false),
            ("c/KOLAR", true, false, false),
            ("c/KOLAR/2019", true, true, false),
            ("c/MALUR", false, false, false),
            ("c/MALUR/2019", false, false, false),
        ] {
            for (role, is_lost, expected) in
                [(Role::Clerk, false, of_clerk), (Role::Driver, false, of_driver), (Role::Clerk, true, when_lost)]
            {
                let visible = Visibility::new(device, is_lost, std::iter::once((role, centres.as_slice())));
                assert_eq!(visible.can_read(&scope.parse().expect("a scope")), expected, "{scope} {role}");
                let is_within = |(first, last): (String, String)| (first.as_str()..=last.as_str()).contains(&scope);
                assert_eq!(visible.scopes().any(is_within), expected, "{scope} {role}");
            }
        }
    }
}
