//! Decisions: records that only the server writes, ordered, append-only and never merged.
//!
//! Owns the kinds, one module each, and the envelope. Phone and server apply decisions with the same code (`store::decisions`).
//! Invariant: a decision that this version cannot read is kept unchanged and tried again each time the store is opened.

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

/// All kinds, by number. Add a new kind here.
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

/// Error for a decision that this version cannot read. The decision is kept for a version that can.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kind is of a newer version.
    #[error("decision kind {number} is not known to this version")]
    Unknown {
        /// Number of the kind.
        number: u8,
    },
    /// The content is not readable for this version.
    #[error("malformed {kind}: {reason}")]
    Malformed {
        /// Part or kind that cannot be read.
        kind: &'static str,
        /// Reason given by the decoder.
        reason: String,
    },
}
