//! What every decision says about itself: who decided it, when, having seen what, and why.

use minicbor::{Decode, Encode};

use crate::scope::Scope;
use crate::units::{DecisionKey, DocumentId, Timestamp, UserId, derived};

/// Who decided. The numbers are on every wire: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum DecisionAuthor {
    /// The server, which concluded it from what it had.
    #[n(0)]
    Server,
    /// The operator of the server, by a command.
    #[n(1)]
    Operator,
    /// A user.
    #[n(2)]
    User(#[n(0)] UserId),
}

/// A record as the author of a decision saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct DecisionBasis {
    /// The record's document.
    #[n(0)]
    pub document: DocumentId,
    /// The version that was seen: the first eight bytes of the SHA-256 over the document's heads.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub version: [u8; 8],
}

/// The part of a decision that is the same for all kinds.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct DecisionEnvelope {
    /// Who decided.
    #[n(0)]
    pub author: DecisionAuthor,
    /// The name of the role that the author had then; empty for the server and the operator.
    #[n(1)]
    pub role: String,
    /// When, by the server's clock.
    #[n(2)]
    pub decided_at: Timestamp,
    /// The records that it was based on; may be empty.
    #[n(3)]
    pub basis: Vec<DecisionBasis>,
    /// The same for the same request of an author, or for the same conclusion of the server.
    #[n(4)]
    pub key: DecisionKey,
    /// The author's words to those whom it concerns; may be empty.
    #[n(5)]
    pub reason: String,
}

/// Who decides now, and why: what the envelopes of all decisions that follow from one request have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecidedBy {
    /// Who decides.
    pub author: DecisionAuthor,
    /// When, by the server's clock.
    pub decided_at: Timestamp,
    /// The request's own key; `None` for a conclusion of the server, whose key follows from what it concludes.
    pub request: Option<DecisionKey>,
    /// The author's words; may be empty.
    pub reason: String,
}

impl DecidedBy {
    /// A conclusion of the server.
    pub fn server(decided_at: Timestamp) -> Self {
        Self { author: DecisionAuthor::Server, decided_at, request: None, reason: String::new() }
    }

    /// A command of the operator; `request` is drawn anew for each command.
    pub fn operator(decided_at: Timestamp, request: DecisionKey) -> Self {
        Self { author: DecisionAuthor::Operator, request: Some(request), ..Self::server(decided_at) }
    }

    /// The same with the author's words.
    #[must_use]
    pub fn because(self, reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), ..self }
    }

    /// Returns the envelope for a decision of this number and body in a scope.
    ///
    /// Its key is the first 16 bytes of SHA-256 over the request's key, if there is one, the scope, a NUL, the number and the body.
    pub(super) fn envelope(&self, scope: &Scope, number: u8, body: &[u8]) -> DecisionEnvelope {
        let request = self.request.as_ref().map_or(&[][..], |request| request.as_bytes());
        DecisionEnvelope {
            author: self.author,
            role: String::new(),
            decided_at: self.decided_at,
            basis: Vec::new(),
            key: derived([request, scope.to_string().as_bytes(), b"\0", &[number], body]),
            reason: self.reason.clone(),
        }
    }
}
