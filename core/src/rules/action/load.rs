//! Actions on a load.

use super::{ActionCode, Refusal};
use crate::permission::{Capability, Role, Target};
use crate::records::Load;
use crate::records::load::LoadState;

/// A load with what decides about actions besides its own document.
#[derive(Clone, Copy, Debug)]
pub struct LoadAtHand<'a> {
    /// The load.
    pub load: &'a Load,
    /// Number of deliveries on it that count, as far as this phone knows.
    pub deliveries: u64,
}

impl LoadAtHand<'_> {
    /// Returns the actions that the load's state and the role permit, in the order of [`ActionCode`].
    pub fn actions(&self, role: Role) -> Vec<ActionCode> {
        ActionCode::ALL.into_iter().filter(|action| self.check(*action, role).is_ok()).collect()
    }

    /// Checks an action.
    ///
    /// # Errors
    /// [`Refusal`] if the role or the load's state does not permit it.
    pub fn check(&self, action: ActionCode, role: Role) -> Result<(), Refusal> {
        use LoadState::{Arrived, Closing, Dispatched, Open, Planned};
        let (capability, states): (_, &[LoadState]) = match action {
            ActionCode::Open => (Capability::OpenLoad, &[Planned]),
            ActionCode::Join => (Capability::JoinLoad, &[Planned, Open, Closing]),
            ActionCode::Correct | ActionCode::Seal => (Capability::OpenLoad, &[Planned, Open, Closing, Dispatched]),
            ActionCode::Stop => (Capability::OpenLoad, &[Open, Closing, Dispatched]),
            ActionCode::RequestClose => (Capability::OpenLoad, &[Open, Closing]),
            ActionCode::Cancel => (Capability::OpenLoad, &[Planned, Open, Closing]),
            ActionCode::Depart => (Capability::DriveLoad, &[Open, Closing]),
            ActionCode::Track => (Capability::DriveLoad, &[Dispatched]),
            ActionCode::Divert => (Capability::OpenLoad, &[Dispatched]),
            ActionCode::Arrive => (Capability::DriveLoad, &[Open, Closing, Dispatched]),
            ActionCode::Receive => (Capability::ReceiveLoad, &[Dispatched, Arrived]),
            _ => return Err(Refusal::OtherKind),
        };
        role.check(capability, Target::New)?;
        let state = self.load.state();
        if !states.contains(&state) {
            return Err(Refusal::LoadState(state));
        }
        match action {
            ActionCode::Cancel if self.deliveries > 0 => Err(Refusal::HasDeliveries),
            ActionCode::RequestClose if self.deliveries == 0 => Err(Refusal::NoDeliveries),
            _ => Ok(()),
        }
    }
}
