//! Actions on a load.

use super::{ActionCode, Refusal};
use crate::permission::{Capability, Role, Target};
use crate::records::Load;
use crate::records::load::{LoadState, LoadStep};

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
        let (capability, states) = permitted(action).ok_or(Refusal::OtherKind)?;
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

/// Returns the capability for an action on a load, and the states in which it is offered; `None` for an action on other records.
fn permitted(action: ActionCode) -> Option<(Capability, &'static [LoadState])> {
    use LoadState::{Arrived, Closing, Dispatched, Open, Planned};
    Some(match action {
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
        _ => return None,
    })
}

/// Returns whether something was done to a load in a state that did not permit it, in the order of the times; false while the creating
/// change is missing.
pub(super) fn is_out_of_state(load: &Load) -> bool {
    let Some(opened) = load.opened else { return false };
    let joins = load.loaders.iter().filter(|it| it.since != opened.at).map(|it| (it.since, ActionCode::Join));
    let closes = load.close_requests.iter().map(|it| (it.stamp.at, ActionCode::RequestClose));
    let corrections = load.corrections.iter().map(|stamp| (stamp.at, ActionCode::Correct));
    let steps = load.timeline.iter().map(|event| (event.stamp.at, action_of(&event.step)));
    let mut acts: Vec<_> = joins.chain(closes).chain(steps).chain(corrections).collect();
    acts.sort_by_key(|(at, _)| *at);
    let mut state = if load.is_planned { LoadState::Planned } else { LoadState::Open };
    for (_, action) in acts {
        if !permitted(action).is_some_and(|(_, states)| states.contains(&state)) {
            return true;
        }
        state = following(action).filter(|next| rank(*next) > rank(state)).unwrap_or(state);
    }
    load.close_requests.iter().any(|request| request.manifest.is_empty())
}

/// Returns the action by which a person records a step.
fn action_of(step: &LoadStep) -> ActionCode {
    match step {
        LoadStep::Opened => ActionCode::Open,
        LoadStep::Stopped { .. } => ActionCode::Stop,
        LoadStep::Sealed { .. } => ActionCode::Seal,
        LoadStep::Diverted { .. } => ActionCode::Divert,
        LoadStep::Cancelled { .. } => ActionCode::Cancel,
        LoadStep::Departed { .. } => ActionCode::Depart,
        LoadStep::Arrived { .. } => ActionCode::Arrive,
        LoadStep::Received => ActionCode::Receive,
    }
}

/// Returns the state to which an action leads, if any.
fn following(action: ActionCode) -> Option<LoadState> {
    match action {
        ActionCode::Open | ActionCode::Join => Some(LoadState::Open),
        ActionCode::RequestClose => Some(LoadState::Closing),
        ActionCode::Cancel => Some(LoadState::Cancelled),
        ActionCode::Depart => Some(LoadState::Dispatched),
        ActionCode::Arrive => Some(LoadState::Arrived),
        ActionCode::Receive => Some(LoadState::Received),
        _ => None,
    }
}

/// Returns how far a state is: of several that steps lead to, the furthest is the load's.
fn rank(state: LoadState) -> u8 {
    match state {
        LoadState::Planned => 0,
        LoadState::Open => 1,
        LoadState::Closing => 2,
        LoadState::Cancelled => 3,
        LoadState::Dispatched => 4,
        LoadState::Arrived => 5,
        LoadState::Received => 6,
    }
}
