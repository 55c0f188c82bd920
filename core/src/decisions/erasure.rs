use minicbor::{Decode, Encode};

use super::{Audience, DecisionKind, Effect, Stored};
use crate::units::DocumentId;

/// The end of a document's bytes, because a person is forgotten. Hashes stay, so chains and signatures still hold.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Erasure {
    /// The document.
    #[n(0)]
    pub document: DocumentId,
}

impl DecisionKind for Erasure {
    const NUMBER: u8 = 13;
    const NAME: &'static str = "erasure";
    const AUDIENCE: Audience = Audience::Scope;
    const STORED: Stored<Self> = Stored::Event;

    fn documents(&self) -> Vec<DocumentId> {
        vec![self.document]
    }

    fn effect(&self) -> Option<Effect<'_>> {
        Some(Effect::EraseDocument(self.document))
    }
}
