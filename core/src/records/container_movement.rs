//! A movement of empty bags or crates between a centre and a party, or a count of what a party has.
//!
//! Balances follow from the movements ([`crate::rules::container_balances`]). A farmer is named by id only, so movements stay when a farmer is
//! erased; any other party is named as businesses are, like the operator of a weighbridge.

use minicbor::{Decode, Encode};

use super::simple::{Reference, SimpleKind, TextField, WrongField, recorded, steps, within};
use super::{Farmer, RecordKind, Shape};
use crate::limits::MAX_COUNTED;
use crate::permission::Capability;
use crate::scope::ScopeForm;
use crate::units::{ContainerCode, DocumentId, FarmerId, named};

named! {
    /// What happened to the containers.
    #[derive(Encode, Decode)]
    #[cbor(index_only)]
    pub MovementKind, "a movement" {
        /// The party got them.
        #[n(0)]
        Issued = "issued",
        /// The party brought them back.
        #[n(1)]
        Returned = "returned",
        /// They were damaged or lost at the party, and are not expected back.
        #[n(2)]
        Damaged = "damaged",
        /// The party has so many: they were counted.
        #[n(3)]
        Counted = "counted",
    }
}

/// Somebody who owns or has containers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum Party {
    /// The organisation itself.
    #[n(0)]
    Organisation,
    /// A farmer.
    #[n(1)]
    Farmer {
        /// Id of the farmer.
        #[n(0)]
        farmer_id: FarmerId,
    },
    /// Another business, such as a transporter or a mill.
    #[n(2)]
    Other {
        /// Name, not empty.
        #[n(0)]
        name: String,
    },
}

impl Party {
    fn farmer_id(&self) -> Option<FarmerId> {
        if let Self::Farmer { farmer_id } = self { Some(*farmer_id) } else { None }
    }

    fn text(&mut self, field: &'static str) -> Option<TextField<'_>> {
        if let Self::Other { name } = self { Some(TextField::required(field, name)) } else { None }
    }
}

/// Content of a container movement.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ContainerMovement {
    /// Type of the containers.
    #[n(0)]
    pub container: ContainerCode,
    /// Owner of the containers.
    #[n(1)]
    pub owner: Party,
    /// Party that got, brought back or has them.
    #[n(2)]
    pub party: Party,
    /// Name of the place; may be empty.
    #[n(3)]
    pub place: String,
    /// What happened.
    #[n(4)]
    pub kind: MovementKind,
    /// Number of containers: from 1, of a count from 0.
    #[n(5)]
    pub count: u32,
}

impl SimpleKind for ContainerMovement {
    const NUMBER: u8 = 14;
    const NAME: &'static str = "container_movement";
    const HOME: ScopeForm = ScopeForm::Centre;
    const CAPABILITY: Capability = Capability::KeepYard;
    const SHAPE: Shape = Shape(&[recorded(Self::CAPABILITY, "what was moved or counted"), steps(Self::CAPABILITY)]);

    fn title(&self) -> String {
        format!("{} {} {}", self.count, self.container, self.kind)
    }

    fn references(&self) -> Vec<Reference> {
        let farmer = |(field, party): (&'static str, &Party)| {
            let document_id = party.farmer_id()?.into();
            Some(Reference { field, kinds: &[Farmer::NUMBER], document_id })
        };
        [("owner", &self.owner), ("party", &self.party)].into_iter().filter_map(farmer).collect()
    }

    fn about(&self) -> Option<DocumentId> {
        self.farmer_id().map(DocumentId::from)
    }

    fn farmer_id(&self) -> Option<FarmerId> {
        self.party.farmer_id()
    }

    fn texts(&mut self) -> Vec<TextField<'_>> {
        let parties = self.owner.text("owner").into_iter().chain(self.party.text("party"));
        parties.chain([TextField::optional("place", &mut self.place)]).collect()
    }

    fn check(&self) -> Result<(), WrongField> {
        let least = u32::from(self.kind != MovementKind::Counted);
        within("count", &self.count, &(least..=MAX_COUNTED))
    }
}
