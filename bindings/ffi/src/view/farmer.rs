use farmtally_core::client::{self, Basis};
use farmtally_core::store::rows;
use farmtally_core::units::FarmerId;

use super::{Conflict, SyncState};
use crate::input::Contact;

/// All that a screen shows of a farmer.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct FarmerView {
    /// The id
    pub farmer_id: FarmerId,
    /// Hand it in with the next change
    pub basis: Basis,
    /// The code
    pub code: String,
    /// The home centre's code
    pub centre: String,
    /// Name, village, telephone number
    pub contact: Contact,
    /// How far the registration is on its way to the server's log
    pub sync: SyncState,
    /// Fields in conflict
    pub conflicts: Vec<Conflict>,
    /// Codes of the reviews that name the farmer
    pub reviews: Vec<String>,
}

impl From<client::FarmerView> for FarmerView {
    fn from(it: client::FarmerView) -> Self {
        Self {
            farmer_id: it.farmer_id,
            basis: it.basis,
            code: it.code,
            centre: it.centre.to_string(),
            contact: it.details.into(),
            sync: it.sync.into(),
            conflicts: it.conflicts.into_iter().map(Conflict::from).collect(),
            reviews: it.reviews,
        }
    }
}

/// A farmer in a list.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct FarmerRow {
    /// The id
    pub farmer_id: FarmerId,
    /// The code
    pub code: String,
    /// Name, village, telephone number
    pub contact: Contact,
}

impl From<rows::FarmerRow> for FarmerRow {
    fn from(it: rows::FarmerRow) -> Self {
        let contact = Contact { name: it.name, village: it.village, phone: it.phone };
        Self { farmer_id: it.farmer_id, code: it.code, contact }
    }
}
