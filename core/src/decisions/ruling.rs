use minicbor::{Decode, Encode};

use super::{Audience, DecisionKind, Effect, StoredAs};
use crate::units::{ChangeHash, DocumentId};

/// A person's ruling on held changes of a device, logged in the device's scope. The envelope has the message to their author.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Ruling {
    /// Document of the changes.
    #[n(0)]
    pub document_id: DocumentId,
    /// Hashes of held changes, including those that build on the first.
    #[n(1)]
    pub changes: Vec<ChangeHash>,
    /// Whether they were approved and are now in the log; otherwise they were rejected and return to their author.
    #[n(2)]
    pub is_approved: bool,
}

impl DecisionKind for Ruling {
    const NUMBER: u8 = 14;
    const NAME: &'static str = "ruling";
    const AUDIENCE: Audience = Audience::Device;
    const STORED: StoredAs<Self> = StoredAs::LogOnly;

    fn effect(&self) -> Option<Effect<'_>> {
        Some(Effect::ApplyRuling(self))
    }
}
