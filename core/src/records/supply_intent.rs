//! A supply intent: what a farmer means to bring on a day. Open intents propose the estimates of a lorry request.

use minicbor::{Decode, Encode};

use super::simple::{Reference, SimpleKind, TextField, WrongField, recorded, steps, within};
use super::{Farmer, RecordKind, Shape, Topic};
use crate::limits::MAX_COUNTED;
use crate::permission::Capability;
use crate::scope::ScopeForm;
use crate::units::{BusinessDate, CommodityCode, DocumentId, FarmerId, LotWeight};

/// Content of a supply intent.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SupplyIntent {
    /// Farmer who means to deliver.
    #[n(0)]
    pub farmer_id: FarmerId,
    /// Commodity to deliver.
    #[n(1)]
    pub commodity: CommodityCode,
    /// Number of bags, from 1.
    #[n(2)]
    pub bags: u32,
    /// Weight of them together.
    #[n(3)]
    pub weight: LotWeight,
    /// Day of the delivery, in the season of the commodity.
    #[n(4)]
    pub date: BusinessDate,
}

impl SimpleKind for SupplyIntent {
    const NUMBER: u8 = 9;
    const NAME: &'static str = "supply_intent";
    const HOME: ScopeForm = ScopeForm::Season;
    const CAPABILITY: Capability = Capability::RecordDelivery;
    const SHAPE: Shape = Shape(&[recorded(Self::CAPABILITY, "what is meant to come"), steps(Self::CAPABILITY)]);
    const TOPICS: &'static [Topic] = &[Topic::Records];

    fn title(&self) -> String {
        format!("{} {}: {} bags, {} kg", self.commodity, self.date, self.bags, self.weight.grams())
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
        within("bags", &self.bags, &(1..=MAX_COUNTED))
    }
}
