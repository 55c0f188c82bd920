use farmtally_core::client::{Basis, FarmerView, SyncState};
use farmtally_core::decisions::ReviewCode;
use farmtally_core::records::Conflict;
use farmtally_core::records::farmer::ContactDetails;
use farmtally_core::scope::Scope;
use farmtally_core::store::rows::FarmerRow;
use farmtally_core::units::{CentreCode, FarmerId};

/// All that a screen shows of a farmer.
#[uniffi::remote(Record)]
pub struct FarmerView {
    /// The id
    pub farmer_id: FarmerId,
    /// What the next change of the contact details names as seen
    pub basis: Basis,
    /// The code
    pub code: String,
    /// The home centre
    pub centre: CentreCode,
    /// Name, village, telephone number
    pub contact: ContactDetails,
    /// How far the registration is on its way to the server's log
    pub sync: SyncState,
    /// Fields in conflict
    pub conflicts: Vec<Conflict>,
    /// Codes of the reviews that name the farmer
    pub reviews: Vec<ReviewCode>,
}

/// A farmer in a list.
#[uniffi::remote(Record)]
pub struct FarmerRow {
    /// The id
    pub farmer_id: FarmerId,
    /// Where the farmer belongs
    pub scope: Scope,
    /// The code
    pub code: String,
    /// Name, village, telephone number; empty texts if they are not on this phone
    pub contact: ContactDetails,
}
