//! What only the server writes: ordered, append-only, never merged.
//!
//! Owns the decisions' kinds, one module each, and their envelope. Phone and server apply them with the same code (`store::decisions`).
//! Invariant: a decision that this version cannot read is kept as it came, and tried again at every opening of the store.

mod centre;
mod commodity;
mod envelope;
mod erasure;
mod grant;
mod kind;
mod lorry;
mod notice;
mod order;
mod organisation;
mod review;
mod revocation;
mod rule_set;
mod ruling;
mod season;
mod suspension;
mod user;

pub use centre::Centre;
pub use commodity::Commodity;
pub use envelope::{DecidedBy, DecisionAuthor, DecisionBasis, DecisionEnvelope};
pub use erasure::Erasure;
pub use grant::Grant;
pub use kind::{
    AnyContent, AppliedAt, Audience, Content, Decision, DecisionKind, DecisionKindInfo, Effect, Stored, StoredInfo,
    kind_of,
};
pub use lorry::Lorry;
pub use notice::Notice;
pub use order::{DeviceOrder, Order};
pub use organisation::Organisation;
pub use review::{Review, ReviewCode};
pub use revocation::Revocation;
pub use rule_set::{BagTypeRule, RuleSet};
pub use ruling::Ruling;
pub use season::Season;
pub use suspension::Suspension;
pub use user::User;

/// All kinds, by number. A new kind adds its line here.
pub static DECISIONS: &[&DecisionKindInfo] = &[
    DecisionKindInfo::of::<Organisation>(),
    DecisionKindInfo::of::<Centre>(),
    DecisionKindInfo::of::<Season>(),
    DecisionKindInfo::of::<Commodity>(),
    DecisionKindInfo::of::<Lorry>(),
    DecisionKindInfo::of::<RuleSet>(),
    DecisionKindInfo::of::<User>(),
    DecisionKindInfo::of::<Grant>(),
    DecisionKindInfo::of::<Review>(),
    DecisionKindInfo::of::<Revocation>(),
    DecisionKindInfo::of::<Suspension>(),
    DecisionKindInfo::of::<DeviceOrder>(),
    DecisionKindInfo::of::<Erasure>(),
    DecisionKindInfo::of::<Ruling>(),
    DecisionKindInfo::of::<Notice>(),
];

/// Why a decision was not read. It is kept, and read by a version that can.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its kind was made by a newer version.
    #[error("decision kind {number} is not known to this version")]
    Unknown {
        /// The kind's number.
        number: u8,
    },
    /// It holds what this version cannot read.
    #[error("malformed {kind}: {reason}")]
    Malformed {
        /// The part or kind in question.
        kind: &'static str,
        /// What cannot be read.
        reason: String,
    },
}
