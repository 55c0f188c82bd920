//! Decision envelopes: author, role, time, basis, key and reason of a decision.

use minicbor::{Decode, Encode};

use crate::scope::Scope;
use crate::units::{DecisionKey, DocumentId, Timestamp, UserId, derived};

/// Author of a decision. The numbers are in logs and messages: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum DecisionAuthor {
    /// The server, which drew a conclusion from the data that it had.
    #[n(0)]
    Server,
    /// The server's operator, by a command.
    #[n(1)]
    Operator,
    /// A user, by id.
    #[n(2)]
    User(#[n(0)] UserId),
}

/// A record and its version as the author of a decision saw them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct DecisionBasis {
    /// Document of the record.
    #[n(0)]
    pub document_id: DocumentId,
    /// Version that was seen: the first eight bytes of the SHA-256 over the document's heads.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub version: [u8; 8],
}

/// The part of a decision that has the same form for all kinds.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct DecisionEnvelope {
    /// Author of the decision.
    #[n(0)]
    pub author: DecisionAuthor,
    /// Name of the author's role at that time; empty for the server and the operator, who alone decide in this version.
    #[n(1)]
    pub role: String,
    /// Time of the decision by the server's clock.
    #[n(2)]
    pub decided_at: Timestamp,
    /// Records that the decision was based on; always empty in this version.
    #[n(3)]
    pub basis: Vec<DecisionBasis>,
    /// Idempotency key: equal only for the same request (a conclusion of the server has none), scope, kind and body. Never compared.
    #[n(4)]
    pub key: DecisionKey,
    /// The author's message to those whom the decision concerns; may be empty.
    #[n(5)]
    pub reason: String,
}

/// Author, time and reason shared by the envelopes of all decisions that follow from one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecidedBy {
    /// Author of the decisions.
    pub author: DecisionAuthor,
    /// Time of the decisions by the server's clock.
    pub decided_at: Timestamp,
    /// Key of the request, from which the key of each decision is derived with its content; `None` for a conclusion of the server.
    pub request: Option<DecisionKey>,
    /// The author's message; may be empty.
    pub reason: String,
}

impl DecidedBy {
    /// Returns the values for a conclusion of the server, without a reason.
    pub fn server(decided_at: Timestamp) -> Self {
        Self { author: DecisionAuthor::Server, decided_at, request: None, reason: String::new() }
    }

    /// Returns the values for a command of the operator; `request` must be a new random key for each command.
    pub fn operator(decided_at: Timestamp, request: DecisionKey) -> Self {
        Self { author: DecisionAuthor::Operator, request: Some(request), ..Self::server(decided_at) }
    }

    /// Replaces the reason, which is empty at first.
    #[must_use]
    pub fn because(self, reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), ..self }
    }

    /// Returns the envelope of a decision with this number of a kind and this encoded body in a scope. Its key is the first 16 bytes of
    /// SHA-256 over the request's key (if there is one), the scope, a NUL, the number and the body.
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
