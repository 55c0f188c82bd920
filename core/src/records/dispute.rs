//! A dispute: a farmer does not agree with a delivery or an advance. The office resolves it.
//!
//! It has the farmer's own words, so the whole record is personal data and is erased with the farmer.

use minicbor::{Decode, Encode};

use super::simple::{Reference, SimpleKind, TextField, recorded, steps};
use super::{Advance, Delivery, Farmer, Privacy, RecordKind, Shape, Topic};
use crate::permission::Capability;
use crate::scope::ScopeForm;
use crate::units::{DocumentId, FarmerId};

/// Content of a dispute.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Dispute {
    /// Delivery or advance that the farmer does not agree with.
    #[n(0)]
    pub record_id: DocumentId,
    /// Farmer of the delivery or advance.
    #[n(1)]
    pub farmer_id: FarmerId,
    /// Code of what is disputed, such as `weight`, `moisture` or `not_received`; not empty.
    #[n(2)]
    pub subject: String,
    /// The farmer's words, not empty.
    #[n(3)]
    pub text: String,
}

impl SimpleKind for Dispute {
    const NUMBER: u8 = 11;
    const NAME: &'static str = "dispute";
    const HOME: ScopeForm = ScopeForm::Centre;
    const PRIVACY: Privacy = Privacy::Personal;
    const TOPICS: &'static [Topic] = &[Topic::Deliveries, Topic::Records];
    const CAPABILITY: Capability = Capability::HearFarmer;
    const SHAPE: Shape = Shape(&[recorded(Self::CAPABILITY, "what is disputed"), steps(Self::CAPABILITY)]);

    fn title(&self) -> String {
        format!("{}: {}", self.subject, self.text)
    }

    fn references(&self) -> Vec<Reference> {
        vec![
            Reference { field: "record_id", kinds: &[Delivery::NUMBER, Advance::NUMBER], document_id: self.record_id },
            Reference { field: "farmer_id", kinds: &[Farmer::NUMBER], document_id: self.farmer_id.into() },
        ]
    }

    fn about(&self) -> Option<DocumentId> {
        Some(self.record_id)
    }

    fn farmer_id(&self) -> Option<FarmerId> {
        Some(self.farmer_id)
    }

    fn texts(&mut self) -> Vec<TextField<'_>> {
        vec![TextField::required("subject", &mut self.subject), TextField::required("text", &mut self.text)]
    }
}
