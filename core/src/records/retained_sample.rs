//! A retained sample: a part of a delivery that is kept under seal, for a re-test in a dispute.
//!
//! The witness is a member of staff or of a third party, named like the driver of a load; a farmer who witnesses is named by the farmer code.

use minicbor::{Decode, Encode};

use super::simple::{Reference, SimpleKind, TextField, recorded, steps};
use super::{Delivery, RecordKind, Shape, Topic};
use crate::permission::Capability;
use crate::scope::ScopeForm;
use crate::units::{BusinessDate, DeliveryId, DocumentId};

/// Content of a retained sample.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct RetainedSample {
    /// Delivery from which it was taken.
    #[n(0)]
    pub delivery_id: DeliveryId,
    /// Text on its label, not empty.
    #[n(1)]
    pub label: String,
    /// Number of its seal; may be empty.
    #[n(2)]
    pub seal: String,
    /// Name of the witness; may be empty.
    #[n(3)]
    pub witness: String,
    /// Last day on which it is kept.
    #[n(4)]
    pub kept_until: BusinessDate,
}

impl SimpleKind for RetainedSample {
    const NUMBER: u8 = 15;
    const NAME: &'static str = "retained_sample";
    const HOME: ScopeForm = ScopeForm::Season;
    const TOPICS: &'static [Topic] = &[Topic::Deliveries, Topic::Records];
    const CAPABILITY: Capability = Capability::ObserveQuality;
    const SHAPE: Shape = Shape(&[recorded(Self::CAPABILITY, "what is kept"), steps(Self::CAPABILITY)]);

    fn title(&self) -> String {
        format!("{} {} until {}", self.label, self.seal, self.kept_until)
    }

    fn references(&self) -> Vec<Reference> {
        vec![Reference { field: "delivery_id", kinds: &[Delivery::NUMBER], document_id: self.delivery_id.into() }]
    }

    fn about(&self) -> Option<DocumentId> {
        Some(self.delivery_id.into())
    }

    fn date(&self) -> Option<BusinessDate> {
        Some(self.kept_until)
    }

    fn texts(&mut self) -> Vec<TextField<'_>> {
        vec![
            TextField::required("label", &mut self.label),
            TextField::optional("seal", &mut self.seal),
            TextField::optional("witness", &mut self.witness),
        ]
    }
}
