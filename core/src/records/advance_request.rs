//! An advance request: a farmer asks for money before a settlement. The office decides about it; it is no advance.
//!
//! The reason is the farmer's own affair, so the whole record is personal data and is erased with the farmer.

use minicbor::{Decode, Encode};

use super::delivery::Reason;
use super::simple::{Reference, SimpleKind, TextField, WrongField, recorded, steps, within};
use super::{Farmer, Privacy, RecordKind, Shape};
use crate::permission::Capability;
use crate::scope::ScopeForm;
use crate::units::{DocumentId, FarmerId, Money};

/// Content of an advance request.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct AdvanceRequest {
    /// Farmer who asks.
    #[n(0)]
    pub farmer_id: FarmerId,
    /// Amount, above zero.
    #[n(1)]
    pub amount_minor: Money,
    /// Reason that the farmer gave: a code, not empty, and the farmer's words.
    #[n(2)]
    pub reason: Reason,
}

impl SimpleKind for AdvanceRequest {
    const NUMBER: u8 = 10;
    const NAME: &'static str = "advance_request";
    const HOME: ScopeForm = ScopeForm::Centre;
    const PRIVACY: Privacy = Privacy::Personal;
    const CAPABILITY: Capability = Capability::RequestAdvance;
    const SHAPE: Shape = Shape(&[recorded(Self::CAPABILITY, "what was asked for"), steps(Self::CAPABILITY)]);

    fn title(&self) -> String {
        format!("{} {} {}", self.amount_minor.minor(), self.reason.code, self.reason.text)
    }

    fn references(&self) -> Vec<Reference> {
        vec![Reference { field: "farmer_id", kinds: &[Farmer::NUMBER], document_id: self.farmer_id.into() }]
    }

    fn about(&self) -> Option<DocumentId> {
        Some(self.farmer_id.into())
    }

    fn farmer_id(&self) -> Option<FarmerId> {
        Some(self.farmer_id)
    }

    fn texts(&mut self) -> Vec<TextField<'_>> {
        let Reason { code, text } = &mut self.reason;
        vec![TextField::required("reason", code), TextField::optional("reason", text)]
    }

    fn check(&self) -> Result<(), WrongField> {
        within("amount_minor", &self.amount_minor.minor(), &(1..=Money::MAX.minor()))
    }
}
