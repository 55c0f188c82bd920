//! Decisions: records that only the server writes, ordered, append-only and never merged.
//!
//! Owns the kinds and the envelope. Phone and server apply decisions with the same code (`store::decisions`).
//! Invariant: a decision that this version cannot read is kept unchanged and tried again each time the store is opened.

mod certificate;
mod envelope;
mod erasure;
mod grant;
mod kind;
mod lease;
mod order;
mod paper_book;
mod quota;
mod reference;
mod review;
mod revocation;
mod rule_set;
mod ruling;
mod suspension;

pub use certificate::{Certificate, LandSubject};
pub use envelope::{DecidedBy, DecisionAuthor, DecisionBasis, DecisionEnvelope};
pub use erasure::Erasure;
pub use grant::Grant;
pub use kind::{
    AnyContent, AppliedAt, Audience, Content, Decision, DecisionKind, DecisionKindInfo, Effect, StoredAs, StoredAsInfo,
    kind_of,
};
pub use lease::Lease;
pub use order::{DeviceOrder, Order};
pub use paper_book::{PaperBook, PaperPurpose};
pub use quota::Quota;
pub use reference::{
    Centre, Commodity, Instrument, InstrumentInterval, InstrumentType, Lorry, Notice, Organisation, Season, User,
};
pub use review::{Review, ReviewCode};
pub use revocation::Revocation;
pub use rule_set::{
    ApprovalThresholds, BagTypeRule, CapacityLimits, CashLimits, DayCount, Deduction, DeductionBase, EffectiveReading,
    FactorUnit, Grade, InterestPolicy, LossBearer, LossPolicy, LossPrice, LossTolerance, MoistureMethod, MoistureRules,
    MoistureStep, PriceBracket, QualityFactor, RecoveryPolicy, Rounding, RuleSet, WeighingRules, Windows,
};
pub use ruling::Ruling;
pub use suspension::Suspension;

/// All kinds in ascending order of their numbers, which are not the indices: there is no 12. Add a new kind here.
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
    DecisionKindInfo::of::<Instrument>(),
    DecisionKindInfo::of::<Lease>(),
    DecisionKindInfo::of::<Certificate>(),
    DecisionKindInfo::of::<Quota>(),
    DecisionKindInfo::of::<PaperBook>(),
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
        /// Name of the kind whose body cannot be read, or `envelope`.
        kind: &'static str,
        /// Reason given by the decoder.
        reason: String,
    },
}
