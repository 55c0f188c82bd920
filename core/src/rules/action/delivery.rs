//! Actions on a delivery, and on a draft.

use super::{ActionCode, Refusal};
use crate::permission::{Capability, ChangeWindows, Denied, Role, Target};
use crate::records::load::LoadState;
use crate::records::{Delivery, Stamp};
use crate::units::{HybridTime, LoadId};

/// A recorded delivery with what decides about actions besides its own document.
#[derive(Clone, Copy, Debug)]
pub struct DeliveryAtHand<'a> {
    /// The delivery.
    pub delivery: &'a Delivery,
    /// State of the load it is on, if that is known.
    pub load: Option<LoadState>,
    /// Whether a delivery that is not voided replaces it.
    pub is_replaced: bool,
    /// Authorship and age, relative to the person.
    pub target: Target,
    /// How long its author may change it, by the rule set stamped on it.
    pub windows: ChangeWindows,
}

impl DeliveryAtHand<'_> {
    /// Returns the actions that the delivery's state and the role permit, in the order of [`ActionCode`].
    pub fn actions(&self, role: Role) -> Vec<ActionCode> {
        ActionCode::ALL.into_iter().filter(|action| self.check(*action, role).is_ok()).collect()
    }

    /// Checks an action.
    ///
    /// # Errors
    /// [`Refusal`] if the role or the delivery's state does not permit it.
    pub fn check(&self, action: ActionCode, role: Role) -> Result<(), Refusal> {
        match action {
            ActionCode::Print => return Ok(self.check_role(Capability::PrintReceipt, role)?),
            ActionCode::Replace => {
                role.check(Capability::RecordDelivery, Target::New)?;
                return match (self.delivery.is_voided(), self.is_replaced) {
                    (false, _) => Err(Refusal::NotVoided),
                    (true, true) => Err(Refusal::Replaced),
                    (true, false) => Ok(()),
                };
            }
            ActionCode::Amend | ActionCode::Void => self.check_role(Capability::AmendDelivery, role)?,
            ActionCode::CorrectFarmer => {
                self.check_role(Capability::AmendDelivery, role)?;
                role.check(Capability::RecordDelivery, Target::New)?;
            }
            ActionCode::AddReadings => self.check_role(Capability::ObserveQuality, role)?,
            ActionCode::Sign => self.check_role(Capability::TakeSignature, role)?,
            _ => return Err(Refusal::OtherKind),
        }
        if self.delivery.is_voided() {
            return Err(Refusal::Voided);
        }
        match self.load {
            Some(state @ (LoadState::Dispatched | LoadState::Arrived | LoadState::Received))
                if action != ActionCode::Sign && !may_after_departure(role) =>
            {
                Err(Refusal::LoadState(state))
            }
            _ => Ok(()),
        }
    }

    fn check_role(&self, capability: Capability, role: Role) -> Result<(), Denied> {
        role.check_within(capability, self.target, self.windows)
    }
}

/// Returns whether a delivery was amended, voided or read after it had been voided, by the times.
pub(super) fn is_out_of_state(delivery: &Delivery) -> bool {
    let Some(voided_at) = delivery.voids.iter().map(|act| act.stamp.at).min() else { return false };
    delivery.changes().any(|stamp| stamp.at > voided_at)
}

/// Returns author and time of each change of a delivery while it was on a load that had left at `left_at`, as far as its last move says.
/// Only some roles may make such a change ([`may_after_departure`]).
pub fn changes_after_departure(delivery: &Delivery, load: LoadId, left_at: HybridTime) -> impl Iterator<Item = Stamp> {
    let is_on = delivery.parts().iter().any(|part| part.load_id == Some(load));
    let was_on = move |at: HybridTime| match delivery.moved_at {
        Some(moved_at) => (moved_at < at) == is_on,
        None => is_on,
    };
    delivery.changes().filter(move |stamp| stamp.at > left_at && was_on(stamp.at))
}

/// Returns whether the role may change deliveries whose load has left: the head of a centre, who answers for it, and the destination.
pub fn may_after_departure(role: Role) -> bool {
    role.check(Capability::AmendDelivery, Target::Others).is_ok() || role.may(Capability::ReceiveLoad)
}

/// Returns the actions on a draft; `is_own` says whether the person weighs it.
pub(crate) fn draft_actions(is_own: bool, role: Role) -> Vec<ActionCode> {
    let actions = [ActionCode::Edit, ActionCode::Record, ActionCode::Discard, ActionCode::TakeOver];
    actions.into_iter().filter(|action| check_draft(*action, is_own, role).is_ok()).collect()
}

/// Checks an action on a draft; `is_own` says whether the person weighs it.
///
/// # Errors
/// [`Refusal`] if the role does not record deliveries, or the draft is another user's, or for [`ActionCode::TakeOver`] the user's own.
pub(crate) fn check_draft(action: ActionCode, is_own: bool, role: Role) -> Result<(), Refusal> {
    role.check(Capability::RecordDelivery, Target::New)?;
    match (action, is_own) {
        (ActionCode::Edit | ActionCode::Record | ActionCode::Discard, true) | (ActionCode::TakeOver, false) => Ok(()),
        (ActionCode::TakeOver, true) => Err(Refusal::OwnDraft),
        (ActionCode::Edit | ActionCode::Record | ActionCode::Discard, false) => Err(Refusal::OthersDraft),
        _ => Err(Refusal::OtherKind),
    }
}
