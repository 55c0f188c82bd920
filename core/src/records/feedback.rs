//! Feedback: a rating of 1 to 5 with reasons, by a farmer or by staff.
//!
//! It has a person's own words, so the whole record is personal data. That of a farmer is erased with the farmer; that of staff names nobody.

use minicbor::{Decode, Encode};

use super::simple::{Reference, SimpleKind, TextField, WrongField, recorded, steps, within};
use super::{Farmer, Privacy, RecordKind, Shape};
use crate::limits::MAX_REASONS;
use crate::permission::Capability;
use crate::scope::ScopeForm;
use crate::units::{DocumentId, FarmerId};

/// Content of feedback.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Feedback {
    /// Farmer who rates; `None` for staff.
    #[n(0)]
    pub farmer_id: Option<FarmerId>,
    /// Rating, 1 (worst) to 5.
    #[n(1)]
    pub rating: u8,
    /// Codes of the reasons, such as `waiting`; each not empty, at most [`MAX_REASONS`].
    #[n(2)]
    pub reason_codes: Vec<String>,
    /// The person's words; may be empty.
    #[n(3)]
    pub text: String,
}

impl SimpleKind for Feedback {
    const NUMBER: u8 = 12;
    const NAME: &'static str = "feedback";
    const HOME: ScopeForm = ScopeForm::Centre;
    const PRIVACY: Privacy = Privacy::Personal;
    const CAPABILITY: Capability = Capability::HearFarmer;
    const SHAPE: Shape = Shape(&[recorded(Self::CAPABILITY, "the rating"), steps(Self::CAPABILITY)]);

    fn title(&self) -> String {
        format!("{} {}: {}", self.rating, self.reason_codes.join(" "), self.text)
    }

    fn references(&self) -> Vec<Reference> {
        let kinds = &[Farmer::NUMBER];
        let farmer = |id: FarmerId| Reference { field: "farmer_id", kinds, document_id: id.into() };
        self.farmer_id.into_iter().map(farmer).collect()
    }

    fn about(&self) -> Option<DocumentId> {
        self.farmer_id.map(DocumentId::from)
    }

    fn farmer_id(&self) -> Option<FarmerId> {
        self.farmer_id
    }

    fn texts(&mut self) -> Vec<TextField<'_>> {
        let codes = self.reason_codes.iter_mut().map(|code| TextField::required("reason_codes", code));
        codes.chain([TextField::optional("text", &mut self.text)]).collect()
    }

    fn check(&self) -> Result<(), WrongField> {
        within("rating", &self.rating, &(1..=5))?;
        if self.reason_codes.len() > MAX_REASONS {
            return Err(WrongField::new("reason_codes", format!("at most {MAX_REASONS}")));
        }
        Ok(())
    }
}
