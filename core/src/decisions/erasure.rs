use minicbor::{Decode, Encode};

use super::{Audience, DecisionKind, Effect, StoredAs};
use crate::units::DocumentId;

/// Erasure of the bytes of one document of a person who is to be forgotten. Hashes are kept, so chains and signatures still verify.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Erasure {
    /// Document to erase.
    #[n(0)]
    pub document_id: DocumentId,
}

impl DecisionKind for Erasure {
    const NUMBER: u8 = 13;
    const NAME: &'static str = "erasure";
    const AUDIENCE: Audience = Audience::Scope;
    const STORED: StoredAs<Self> = StoredAs::LogOnly;

    fn effect(&self) -> Option<Effect<'_>> {
        Some(Effect::EraseDocument(self.document_id))
    }
}
