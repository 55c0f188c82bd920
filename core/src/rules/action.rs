//! Actions: what a person may do with a record now, by its state and their role. Commands and the lists that views show ask the same rule.

use crate::permission::{Capability, Denied, Role, Target};
use crate::records::load::LoadState;
use crate::records::{Delivery, Load};
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
        /// Correct a recorded delivery.
        Amend = "amend",
        /// Void a recorded delivery.
        Void = "void",
        /// Record a delivery again for another farmer, and void it.
        CorrectFarmer = "correct_farmer",
        /// Start a delivery that replaces a voided one.
        Replace = "replace",
        /// Add readings to a recorded delivery.
        AddReadings = "add_readings",
        /// Put a signature or thumb mark under a recorded delivery.
        Sign = "sign",
        /// Print the receipt.
        Print = "print",
        /// Go on weighing a draft.
        Edit = "edit",
        /// Record a draft.
        Record = "record",
        /// Delete a draft.
        Discard = "discard",
        /// Take over a draft that another user began.
        TakeOver = "take_over",
    }
}

/// The reason why an action is not offered, and refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The role may not do it.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The load's state does not permit it, to this role at least.
    #[error("the load is {0}")]
    LoadState(LoadState),
    /// It is not an action on such a record, such as departure on a delivery.
    #[error("this is not an action on such a record")]
    OtherKind,
    /// The delivery is voided.
    #[error("the delivery is voided: record a new one instead")]
    Voided,
    /// The delivery is not voided.
    #[error("the delivery is not voided")]
    NotVoided,
    /// Another delivery replaces it already.
    #[error("the delivery is replaced already")]
    Replaced,
    /// Another user weighs the draft.
    #[error("another user weighs this draft: take it over first")]
    OthersDraft,
    /// The draft is the user's own.
    #[error("the draft is the user's own already")]
    OwnDraft,
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
            ActionCode::Print => return Ok(role.check(Capability::PrintReceipt, self.target)?),
            ActionCode::Replace => {
                role.check(Capability::RecordDelivery, Target::New)?;
                return match (self.delivery.is_voided(), self.is_replaced) {
                    (false, _) => Err(Refusal::NotVoided),
                    (true, true) => Err(Refusal::Replaced),
                    (true, false) => Ok(()),
                };
            }
            ActionCode::Amend | ActionCode::Void => role.check(Capability::AmendDelivery, self.target)?,
            ActionCode::CorrectFarmer => {
                role.check(Capability::AmendDelivery, self.target)?;
                role.check(Capability::RecordDelivery, Target::New)?;
            }
            ActionCode::AddReadings => role.check(Capability::ObserveQuality, self.target)?,
            ActionCode::Sign => role.check(Capability::RecordDelivery, self.target)?,
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
}

/// Returns whether the role may change deliveries whose load has left: the head of a centre, who answers for it, and the destination.
fn may_after_departure(role: Role) -> bool {
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
