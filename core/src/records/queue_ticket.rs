//! A queue ticket: a farmer or a lorry that waits at a centre.
//!
//! The server decides the order of the queue; a phone estimates a position from the tickets that it knows ([`crate::rules::queue_position`]).

use minicbor::{Decode, Encode};

use super::simple::{Reference, SimpleKind, SimpleStep, TextField, WrongField, recorded, steps, within};
use super::{Farmer, RecordKind, Shape};
use crate::limits::MAX_COUNTED;
use crate::permission::Capability;
use crate::scope::ScopeForm;
use crate::units::{BusinessDate, CommodityCode, DocumentId, FarmerId, LorryPlate};

/// Content of a queue ticket. It stands for a farmer or a lorry, or both.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct QueueTicket {
    /// Commodity that is brought.
    #[n(0)]
    pub commodity: CommodityCode,
    /// Day of the queue, in the season of the commodity.
    #[n(1)]
    pub date: BusinessDate,
    /// Farmer who waits, if known.
    #[n(2)]
    pub farmer_id: Option<FarmerId>,
    /// Lorry that waits, if there is one; it need not be known to the office.
    #[n(3)]
    pub lorry: Option<LorryPlate>,
    /// Number of bags that are expected.
    #[n(4)]
    pub bags: u32,
}

impl SimpleKind for QueueTicket {
    const NUMBER: u8 = 13;
    const NAME: &'static str = "queue_ticket";
    const HOME: ScopeForm = ScopeForm::Season;
    const CAPABILITY: Capability = Capability::KeepYard;
    const SHAPE: Shape = Shape(&[recorded(Self::CAPABILITY, "who arrived"), steps(Self::CAPABILITY)]);
    const STEPS: &'static [SimpleStep] =
        &[SimpleStep::Withdrawn, SimpleStep::Called, SimpleStep::Served, SimpleStep::Left];

    fn title(&self) -> String {
        let lorry = self.lorry.as_ref().map_or_else(String::new, ToString::to_string);
        let farmer = self.farmer_id.map_or_else(String::new, |id| id.to_string());
        format!("{} {farmer} {lorry} {} bags", self.date, self.bags)
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

    fn commodity(&self) -> Option<&CommodityCode> {
        Some(&self.commodity)
    }

    fn date(&self) -> Option<BusinessDate> {
        Some(self.date)
    }

    fn texts(&mut self) -> Vec<TextField<'_>> {
        Vec::new()
    }

    fn check(&self) -> Result<(), WrongField> {
        if self.farmer_id.is_none() && self.lorry.is_none() {
            return Err(WrongField::new("farmer_id", "a farmer or a lorry waits: name one"));
        }
        within("bags", &self.bags, &(0..=MAX_COUNTED))
    }
}
