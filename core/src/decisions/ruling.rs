use minicbor::{Decode, Encode};

use super::{Audience, DecisionKind, Effect, Stored};
use crate::units::{ChangeHash, DocumentId};

/// What a person decided about held changes of a device; logged in the device's scope. The envelope has the words for their author.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Ruling {
    /// The document.
    #[n(0)]
    pub document: DocumentId,
    /// The changes, those that follow from the first among them.
    #[n(1)]
    pub changes: Vec<ChangeHash>,
    /// Whether they are in the log now; otherwise they went back to their author.
    #[n(2)]
    pub is_approved: bool,
}

impl DecisionKind for Ruling {
    const NUMBER: u8 = 14;
    const NAME: &'static str = "ruling";
    const AUDIENCE: Audience = Audience::Device;
    const STORED: Stored<Self> = Stored::Event;

    fn documents(&self) -> Vec<DocumentId> {
        vec![self.document]
    }

    fn effect(&self) -> Option<Effect<'_>> {
        Some(Effect::ApplyRuling(self))
    }
}
