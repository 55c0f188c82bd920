//! Actions on a simple record.

use super::{ActionCode, Refusal};
use crate::permission::{Role, Target};
use crate::records::simple::{SimpleAct, SimpleState, SimpleStep};
use crate::records::{Simple, SimpleKind};
use crate::units::UserId;

/// Returns the action under which a view offers a step of a simple record.
pub fn action_of(step: SimpleStep) -> ActionCode {
    match step {
        SimpleStep::Withdrawn => ActionCode::Withdraw,
        SimpleStep::Called => ActionCode::Call,
        SimpleStep::Served => ActionCode::Serve,
        SimpleStep::Left => ActionCode::Leave,
        SimpleStep::Confirmed => ActionCode::Confirm,
    }
}

/// Checks a step of a simple record by a user, which another person may have recorded.
///
/// # Errors
/// [`Refusal`] if kind, role or state do not permit it.
pub fn check_step<C: SimpleKind>(
    record: &Simple<C>,
    step: SimpleStep,
    user: UserId,
    role: Role,
) -> Result<(), Refusal> {
    if !C::STEPS.contains(&step) {
        return Err(Refusal::OtherKind);
    }
    role.check(C::CAPABILITY, Target::Others)?;
    let state = record.state();
    if !step.is_offered_in(state) {
        return Err(Refusal::State(state));
    }
    if record.content.permits(step, &record.made, user, role) { Ok(()) } else { Err(Refusal::OtherPerson) }
}

/// Checks a change of the fields of a simple record, which another person may have recorded.
///
/// # Errors
/// [`Refusal`] if kind, role or state do not permit it.
pub fn check_change<C: SimpleKind>(record: &Simple<C>, role: Role) -> Result<(), Refusal> {
    if C::REGISTERS.is_empty() {
        return Err(Refusal::OtherKind);
    }
    role.check(C::CAPABILITY, Target::Others)?;
    let state = record.state();
    if state == SimpleState::Open { Ok(()) } else { Err(Refusal::State(state)) }
}

/// Returns the actions that the state of a simple record and the role permit a user.
pub fn simple_actions<C: SimpleKind>(record: &Simple<C>, user: UserId, role: Role) -> Vec<ActionCode> {
    let change = check_change(record, role).ok().map(|()| ActionCode::Correct);
    let is_permitted = |step: &SimpleStep| check_step(record, *step, user, role).is_ok();
    change.into_iter().chain(SimpleStep::ALL.into_iter().filter(is_permitted).map(action_of)).collect()
}

/// Returns whether something was done to a simple record in a state that did not permit it; `acts` are in the order of their times.
pub(super) fn is_out_of_state(acts: &[SimpleAct]) -> bool {
    let mut state = SimpleState::Open;
    for act in acts {
        let is_offered = act.step.map_or(state == SimpleState::Open, |step| step.is_offered_in(state));
        if !is_offered {
            return true;
        }
        state = act.step.map_or(state, SimpleStep::state);
    }
    false
}
