//! A weighbridge ticket: the full and the empty weight of a vehicle with a load or a delivery.

use minicbor::{Decode, Encode};

use super::simple::{Reference, SimpleKind, TextField, WrongField, recorded, steps};
use super::{Delivery, Load, RecordKind, Shape, Topic};
use crate::permission::Capability;
use crate::scope::ScopeForm;
use crate::units::{DocumentId, Grams, LotWeight, named};

named! {
    /// How a weight of a ticket became known.
    #[derive(Encode, Decode)]
    #[cbor(index_only)]
    pub WeighingSource, "a source of a weight" {
        /// A scale sent it.
        #[n(0)]
        Scale = "scale",
        /// A person read it from the scale and typed it.
        #[n(1)]
        Manual = "manual",
        /// It is on a ticket that somebody brought; nobody of the organisation saw the weighing.
        #[n(2)]
        Claimed = "claimed",
    }
}

/// Content of a weighbridge ticket.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct WeighbridgeTicket {
    /// Document of the load or delivery that was weighed.
    #[n(0)]
    pub record_id: DocumentId,
    /// Weight of the full vehicle.
    #[n(1)]
    pub gross: LotWeight,
    /// How the weight of the full vehicle became known.
    #[n(2)]
    pub gross_source: WeighingSource,
    /// Weight of the empty vehicle, at most [`Self::gross`].
    #[n(3)]
    pub tare: LotWeight,
    /// How the weight of the empty vehicle became known.
    #[n(4)]
    pub tare_source: WeighingSource,
    /// Number on the ticket, not empty.
    #[n(5)]
    pub number: String,
    /// Name of the place of the weighbridge; may be empty.
    #[n(6)]
    pub place: String,
    /// Name of the person who operated it; may be empty.
    #[n(7)]
    pub operator_name: String,
}

impl WeighbridgeTicket {
    /// Returns the weight of what the vehicle carried, with its bags.
    pub fn net_g(&self) -> Grams {
        self.gross.grams() - self.tare.grams()
    }
}

impl SimpleKind for WeighbridgeTicket {
    const NUMBER: u8 = 6;
    const NAME: &'static str = "weighbridge_ticket";
    const HOME: ScopeForm = ScopeForm::Season;
    const TOPICS: &'static [Topic] = &[Topic::Deliveries, Topic::Loads, Topic::Records];
    const CAPABILITY: Capability = Capability::UseInstruments;
    const SHAPE: Shape = Shape(&[recorded(Self::CAPABILITY, "what was weighed"), steps(Self::CAPABILITY)]);

    fn title(&self) -> String {
        format!("{}: {} - {} kg", self.number, self.gross.grams(), self.tare.grams())
    }

    fn references(&self) -> Vec<Reference> {
        let kinds = &[Delivery::NUMBER, Load::NUMBER];
        vec![Reference { field: "record_id", kinds, document_id: self.record_id }]
    }

    fn about(&self) -> Option<DocumentId> {
        Some(self.record_id)
    }

    fn net(&self) -> Option<Grams> {
        Some(self.net_g())
    }

    fn texts(&mut self) -> Vec<TextField<'_>> {
        vec![
            TextField::required("number", &mut self.number),
            TextField::optional("place", &mut self.place),
            TextField::optional("operator_name", &mut self.operator_name),
        ]
    }

    fn check(&self) -> Result<(), WrongField> {
        if self.tare > self.gross {
            return Err(WrongField::new("tare", "the empty vehicle is heavier than the full one"));
        }
        Ok(())
    }
}
