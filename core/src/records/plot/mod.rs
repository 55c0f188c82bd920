//! A plot: land that a farmer works, as a point or as the ring of its border.
//!
//! Where somebody's land lies says who it is, so the whole record is personal data and is erased with the farmer.

mod geometry;
mod shape;

use minicbor::{Decode, Encode};

pub use geometry::ring_area_m2;
pub use shape::{GeoPoint, PlotShape};

use super::simple::{Reference, SimpleKind, TextField, WrongField, recorded, steps, within};
use super::{Farmer, Privacy, RecordKind, Shape};
use crate::limits::PLOT_AREA_M2;
use crate::permission::Capability;
use crate::scope::ScopeForm;
use crate::units::{DocumentId, FarmerId};

/// Content of a plot.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Plot {
    /// Farmer who works the land.
    #[n(0)]
    pub farmer_id: FarmerId,
    /// Name by which the farmer knows it, not empty.
    #[n(1)]
    pub name: String,
    /// Where it lies.
    #[n(2)]
    pub shape: PlotShape,
    /// Area that the farmer or a land register says, in square metres; `None` if not asked.
    #[n(3)]
    pub declared_area_m2: Option<u32>,
}

impl Plot {
    /// Returns the area in square metres that follows from the border; `None` for a point.
    pub fn area_m2(&self) -> Option<u32> {
        match &self.shape {
            PlotShape::Point { .. } => None,
            PlotShape::Ring { points } => Some(ring_area_m2(points)),
        }
    }
}

impl SimpleKind for Plot {
    const NUMBER: u8 = 22;
    const NAME: &'static str = "plot";
    const HOME: ScopeForm = ScopeForm::Centre;
    const PRIVACY: Privacy = Privacy::Personal;
    const CAPABILITY: Capability = Capability::RegisterFarmer;
    const SHAPE: Shape = Shape(&[recorded(Self::CAPABILITY, "the land"), steps(Self::CAPABILITY)]);

    fn title(&self) -> String {
        let declared = self.declared_area_m2.map_or_else(String::new, |area| format!(", {area} m²"));
        format!("{}{declared}: {}", self.name, self.shape)
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
        vec![TextField::required("name", &mut self.name)]
    }

    fn check(&self) -> Result<(), WrongField> {
        self.shape.check().map_err(|reason| WrongField::new("shape", reason))?;
        if let Some(area) = self.area_m2().filter(|area| !PLOT_AREA_M2.contains(area)) {
            let (least, most) = (PLOT_AREA_M2.start(), PLOT_AREA_M2.end());
            return Err(WrongField::new("shape", format!("encloses {area} m²: it must be {least} to {most}")));
        }
        self.declared_area_m2.map_or(Ok(()), |area| within("declared_area_m2", &area, &PLOT_AREA_M2))
    }
}
