//! Actions: what a person may do with a record now, by its state and their role. Commands and the lists that views show ask the same rule.

mod delivery;
mod farmer;
mod load;
mod simple;

pub use delivery::{DeliveryAtHand, changes_after_departure, may_after_departure};
pub(crate) use delivery::{check_draft, draft_actions};
pub use farmer::FarmerAtHand;
pub use load::LoadAtHand;
pub use simple::{action_of, check_change, check_step, simple_actions};

use crate::permission::Denied;
use crate::records::load::LoadState;
use crate::records::simple::SimpleState;
use crate::records::{AnyRecord, Delivery, Load};
use crate::units::named;

named! {
    /// An action on a record, as an app offers it.
    pub ActionCode, "an action" {
        /// Begin loading a planned load.
        Open = "open",
        /// Join a load by its code.
        Join = "join",
        /// Correct the lorry, driver or destination of a load, or fields of a simple record.
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
        /// Withdraw a simple record.
        Withdraw = "withdraw",
        /// Call a farmer or lorry that waits.
        Call = "call",
        /// Record that a farmer or lorry was served.
        Serve = "serve",
        /// Record that a farmer or lorry left without being served.
        Leave = "leave",
        /// Confirm that cash was received.
        Confirm = "confirm",
        /// Add points to the track of a load.
        Track = "track",
        /// Correct the contact details of a farmer, or their tags.
        EditFarmer = "edit_farmer",
        /// Say that no new records about a farmer are expected.
        Deactivate = "deactivate",
        /// Say that new records about a farmer are expected again.
        Reactivate = "reactivate",
        /// Write how a farmer is paid.
        ProposePayout = "propose_payout",
        /// See in full how a farmer is paid.
        RevealPayout = "reveal_payout",
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
    /// The state of a simple record does not permit it.
    #[error("the record is {0}")]
    State(SimpleState),
    /// Another person must take this step, such as the receiver of cash.
    #[error("another person must do this: who receives cash confirms it")]
    OtherPerson,
    /// The load still has deliveries.
    #[error("the load has deliveries: take them off first")]
    HasDeliveries,
    /// The load has no delivery.
    #[error("the load has no delivery")]
    NoDeliveries,
}

/// Returns whether something was done to a record in a state of it that did not permit it, by the order of the times. Looks at its own
/// document only: not at the load of a delivery, or at what a delivery replaces.
pub fn is_out_of_state(record: &dyn AnyRecord) -> bool {
    if let Some(found) = record.downcast_ref::<Delivery>() {
        delivery::is_out_of_state(found)
    } else if let Some(found) = record.downcast_ref::<Load>() {
        load::is_out_of_state(found)
    } else {
        simple::is_out_of_state(&record.simple_acts())
    }
}
