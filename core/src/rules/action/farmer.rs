//! Actions on a farmer.

use super::ActionCode;
use crate::permission::{Capability, Denied, Role, Target};

/// A farmer, and who looks at them.
#[derive(Clone, Copy, Debug)]
pub struct FarmerAtHand {
    /// Role of the person.
    pub role: Role,
    /// Whether the person registered the farmer, and how long ago.
    pub target: Target,
    /// Whether the farmer is active.
    pub is_active: bool,
    /// Whether payout details are on this phone.
    pub has_payout: bool,
}

impl FarmerAtHand {
    const ACTIONS: [ActionCode; 5] = [
        ActionCode::EditFarmer,
        ActionCode::Deactivate,
        ActionCode::Reactivate,
        ActionCode::ProposePayout,
        ActionCode::RevealPayout,
    ];

    /// Returns what the person may do now.
    pub fn actions(&self) -> Vec<ActionCode> {
        let offered = |action: &ActionCode| match action {
            ActionCode::Deactivate => self.is_active,
            ActionCode::Reactivate => !self.is_active,
            ActionCode::RevealPayout => self.has_payout,
            _ => true,
        };
        Self::ACTIONS.into_iter().filter(|action| offered(action) && self.check(*action).is_ok()).collect()
    }

    /// Checks that the role permits an action on this farmer.
    ///
    /// # Errors
    /// [`Denied`] if it does not.
    pub fn check(&self, action: ActionCode) -> Result<(), Denied> {
        let capability = match action {
            ActionCode::ProposePayout => Capability::ProposePayout,
            ActionCode::RevealPayout => Capability::RevealPayout,
            _ => Capability::EditFarmer,
        };
        self.role.check(capability, self.target)
    }
}
