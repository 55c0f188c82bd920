//! Steps of simple records, and the states that follow from them.

use minicbor::{Decode, Encode};

use super::super::Stamp;
use super::super::delivery::Reason;
use crate::units::{HybridTime, named};

named! {
    /// Something that happens to a simple record after it was made.
    #[derive(Encode, Decode)]
    #[cbor(index_only)]
    pub SimpleStep, "a step" {
        /// It was a mistake, or is not wanted any more.
        #[n(0)]
        Withdrawn = "withdrawn",
        /// The farmer or lorry that waits was called.
        #[n(1)]
        Called = "called",
        /// The farmer or lorry was served.
        #[n(2)]
        Served = "served",
        /// The farmer or lorry left without being served.
        #[n(3)]
        Left = "left",
        /// The other side agrees: cash was received.
        #[n(4)]
        Confirmed = "confirmed",
    }
}

named! {
    /// State of a simple record, as far as the field knows: the furthest of its steps. Tables contain its position in this list, from 0.
    pub SimpleState, "a state" {
        /// It stands as it was recorded.
        Open = "open",
        /// The farmer or lorry was called.
        Called = "called",
        /// The farmer or lorry left without being served.
        Left = "left",
        /// The farmer or lorry was served.
        Served = "served",
        /// The other side agreed.
        Confirmed = "confirmed",
        /// It was withdrawn.
        Withdrawn = "withdrawn",
    }
}

impl SimpleStep {
    /// Returns the state that follows from the step.
    pub fn state(self) -> SimpleState {
        match self {
            Self::Withdrawn => SimpleState::Withdrawn,
            Self::Called => SimpleState::Called,
            Self::Served => SimpleState::Served,
            Self::Left => SimpleState::Left,
            Self::Confirmed => SimpleState::Confirmed,
        }
    }
}

impl SimpleStep {
    /// Returns whether an app offers the step for a record in this state.
    pub fn is_offered_in(self, state: SimpleState) -> bool {
        match self {
            Self::Called | Self::Confirmed => state == SimpleState::Open,
            Self::Withdrawn | Self::Served | Self::Left => matches!(state, SimpleState::Open | SimpleState::Called),
        }
    }
}

/// Something that was done to a simple record after it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SimpleAct {
    /// When it was done.
    pub at: HybridTime,
    /// The step; `None` for a change of fields.
    pub step: Option<SimpleStep>,
}

/// A step of a simple record, with author, device and time.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SimpleEvent {
    /// Author, device and time.
    #[n(0)]
    pub stamp: Stamp,
    /// The step itself.
    #[n(1)]
    pub step: SimpleStep,
    /// Reason that the person gave, of a step that needs one.
    #[n(2)]
    pub reason: Option<Reason>,
}
