//! Actions: what a person may do with a record now, by its state and their role. Commands and the lists that views show ask the same rule.

use crate::permission::{Capability, Denied, Role, Target};
use crate::records::load::LoadState;
use crate::records::simple::{SimpleState, SimpleStep};
use crate::records::{Load, Simple, SimpleKind};
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
        /// Withdraw a simple record.
        Withdraw = "withdraw",
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
    /// The state of a simple record does not permit it.
    #[error("the record is {0}")]
    State(SimpleState),
    /// The kind of record does not have it.
    #[error("there is no such action on this record")]
    NotOfKind,
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
            ActionCode::Withdraw => return Err(Refusal::NotOfKind),
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

/// Returns the action under which a view offers a step of a simple record.
pub fn action_of(step: SimpleStep) -> ActionCode {
    match step {
        SimpleStep::Withdrawn => ActionCode::Withdraw,
    }
}

/// Checks a step of a simple record, which another person may have recorded.
///
/// # Errors
/// [`Refusal`] if kind, role or state do not permit it.
pub fn check_step<C: SimpleKind>(record: &Simple<C>, step: SimpleStep, role: Role) -> Result<(), Refusal> {
    if !C::STEPS.contains(&step) {
        return Err(Refusal::NotOfKind);
    }
    role.check(C::CAPABILITY, Target::Others)?;
    let states: &[SimpleState] = match step {
        SimpleStep::Withdrawn => &[SimpleState::Open],
    };
    let state = record.state();
    if states.contains(&state) { Ok(()) } else { Err(Refusal::State(state)) }
}

/// Returns the actions that the state of a simple record and the role permit.
pub fn simple_actions<C: SimpleKind>(record: &Simple<C>, role: Role) -> Vec<ActionCode> {
    let is_permitted = |step: &SimpleStep| check_step(record, *step, role).is_ok();
    SimpleStep::ALL.into_iter().filter(is_permitted).map(action_of).collect()
}
