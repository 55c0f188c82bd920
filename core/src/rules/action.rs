//! Actions: what a person may do with a record now, by its state and their role. Commands and the lists that views show ask the same rule.

use crate::permission::{Capability, Denied, Role, Target};
use crate::records::Load;
use crate::records::load::LoadState;
use crate::units::named;

named! {
    /// An action on a record, as an app offers it.
    pub ActionCode, "an action" {
        /// Begin loading a planned load.
        Open = "open",
        /// Join a load by its code.
        Join = "join",
        /// Correct the lorry, driver or destination of a load.
        Correct = "correct",
        /// Record a stop of a load.
        Stop = "stop",
        /// Record a seal of a load.
        Seal = "seal",
        /// Ask to close a load.
        RequestClose = "request_close",
        /// Give a load up.
        Cancel = "cancel",
        /// Record that a load left.
        Depart = "depart",
        /// Order another destination on the way.
        Divert = "divert",
        /// Record that a load arrived.
        Arrive = "arrive",
        /// Take a load over at its destination.
        Receive = "receive",
    }
}

/// The reason why an action is not offered, and refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The role may not do it.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The load's state does not permit it.
    #[error("the load is {0}")]
    LoadState(LoadState),
    /// The load still has deliveries.
    #[error("the load has deliveries: take them off first")]
    HasDeliveries,
    /// The load has no delivery.
    #[error("the load has no delivery")]
    NoDeliveries,
}

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
            ActionCode::Divert => (Capability::OpenLoad, &[Dispatched]),
            ActionCode::Arrive => (Capability::DriveLoad, &[Open, Closing, Dispatched]),
            ActionCode::Receive => (Capability::ReceiveLoad, &[Dispatched, Arrived]),
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
