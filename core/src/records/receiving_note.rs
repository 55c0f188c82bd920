//! A receiving note: what a destination counted and found when it took a load over.

use minicbor::{Decode, Encode};

use super::simple::{Reference, SimpleKind, TextField, WrongField, recorded, steps, within};
use super::{Load, RecordKind, Shape, Topic};
use crate::limits::MAX_COUNTED;
use crate::permission::Capability;
use crate::scope::ScopeForm;
use crate::units::{DocumentId, GradeCode, LoadId, Percent};

/// Content of a receiving note.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ReceivingNote {
    /// Load that was received.
    #[n(0)]
    pub load_id: LoadId,
    /// Number of bags that were counted, at most [`MAX_COUNTED`].
    #[n(1)]
    pub bags: u32,
    /// Number of them that were rejected.
    #[n(2)]
    pub rejected_bags: u32,
    /// Moisture, if it was measured.
    #[n(3)]
    pub moisture: Option<Percent>,
    /// Grade, if one was given.
    #[n(4)]
    pub grade: Option<GradeCode>,
    /// Remarks; may be empty.
    #[n(5)]
    pub remarks: String,
}

impl SimpleKind for ReceivingNote {
    const NUMBER: u8 = 7;
    const NAME: &'static str = "receiving_note";
    const HOME: ScopeForm = ScopeForm::Season;
    const TOPICS: &'static [Topic] = &[Topic::Loads, Topic::Records];
    const CAPABILITY: Capability = Capability::ReceiveLoad;
    const SHAPE: Shape = Shape(&[recorded(Self::CAPABILITY, "what was received"), steps(Self::CAPABILITY)]);

    fn title(&self) -> String {
        format!("{} bags, {} rejected", self.bags, self.rejected_bags)
    }

    fn references(&self) -> Vec<Reference> {
        vec![Reference { field: "load_id", kinds: &[Load::NUMBER], document_id: self.load_id.into() }]
    }

    fn about(&self) -> Option<DocumentId> {
        Some(self.load_id.into())
    }

    fn texts(&mut self) -> Vec<TextField<'_>> {
        vec![TextField::optional("remarks", &mut self.remarks)]
    }

    fn check(&self) -> Result<(), WrongField> {
        within("bags", &self.bags, &(0..=MAX_COUNTED))?;
        within("rejected_bags", &self.rejected_bags, &(0..=self.bags))
    }
}
