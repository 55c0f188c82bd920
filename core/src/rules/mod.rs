//! Trade rules as pure functions, the same on phone and server. Formulas, units and rounding: `docs/arithmetic.md`.
//!
//! Owns arithmetic, checks and the validation of rule sets. Does not read the store: records and reference data come as arguments.
//!
//! Invariants: integers only, with intermediates of 128 bits; each printed line is rounded once, and totals are sums of printed lines.

mod action;
mod advances;
mod cash;
mod charges;
mod check;
mod containers;
mod deduction;
mod duplicate;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod golden;
mod input;
mod instrument;
mod interest;
mod land;
#[cfg(test)]
mod laws;
mod line;
mod loss;
mod moisture;
mod pattern;
mod payable;
mod publication;
mod quality;
mod queue;
mod recovery;
mod rounding;
mod shares;
mod supply;
pub mod track;
mod value;
mod weight;

pub use action::{
    ActionCode, DeliveryAtHand, FarmerAtHand, LoadAtHand, Refusal, action_of, changes_after_departure, check_change,
    check_step, is_out_of_state, may_after_departure, simple_actions,
};
pub(crate) use action::{check_draft, draft_actions};
pub use advances::{OpenAdvance, farmer_limit, open_advances, outstanding};
pub use cash::{CashBook, CashLine, CashLineKind, CashRecords, cash_book, is_confirmed};
pub use charges::{ChargeRate, available, charge};
pub use check::{Check, TextError, Warning, check_text, is_above_limit};
pub(crate) use check::{check_delivery, check_language, check_phone};
pub use containers::{ContainerBalance, container_balances};
pub use duplicate::Heap;
pub use input::{DecidedAmount, DecidedDeduction, Observation, Reading, Weighed, Weighing, WeightInput};
pub use instrument::{Instruments, LastCheck, is_in_doubt};
pub use interest::{Interest, InterestInput, Repayment, interest};
pub use land::Land;
pub use line::{Calculation, LineKind, WeightLine};
pub use loss::{Loss, LossShare, LossValue, loss, loss_amounts};
pub use pattern::{pattern_warnings, repeated_numbers};
pub use payable::{Payable, payable};
pub use publication::{PublicationCode, PublicationError, check_rule_set};
pub use queue::queue_position;
pub use recovery::{Claim, ClaimKind, RecoveredClaim, Recovery, recover};
pub use rounding::{divide, effective};
pub use shares::largest_remainder;
pub use supply::{SupplyProposal, propose};
pub use value::{AmountTooLarge, ValueLine, total_value, value, value_lines};
pub use weight::{DeliveryWeight, GradeWeight, Totals, weigh};
