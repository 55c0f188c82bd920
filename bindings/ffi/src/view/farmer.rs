use farmtally_core::client::{Basis, FarmerPage, FarmerView, SyncState};
use farmtally_core::decisions::ReviewCode;
use farmtally_core::records::Conflict;
use farmtally_core::records::farmer::ContactDetails;
use farmtally_core::scope::Scope;
use farmtally_core::store::rows::FarmerRow;
use farmtally_core::units::{CentreCode, FarmerId};

/// A farmer as a screen shows it.
#[uniffi::remote(Record)]
pub struct FarmerView {
    /// Id of the farmer
    pub farmer_id: FarmerId,
    /// The version of the contact details shown here; pass it to edit_farmer only
    pub basis: Basis,
    /// Farmer code, such as T-KOLAR-10-17
    pub code: String,
    /// Home centre
    pub centre: CentreCode,
    /// Name, village and telephone number
    pub contact: ContactDetails,
    /// How far the registration and its corrections are on their way to the server's log
    pub sync: SyncState,
    /// Fields that have concurrent values
    pub conflicts: Vec<Conflict>,
    /// Codes of the reviews that name the farmer
    pub reviews: Vec<ReviewCode>,
}

/// A farmer in a list.
#[uniffi::remote(Record)]
pub struct FarmerRow {
    /// Id of the farmer
    pub farmer_id: FarmerId,
    /// Scope of the home centre
    pub scope: Scope,
    /// Farmer code, such as T-KOLAR-10-17
    pub code: String,
    /// Name, village and telephone number; empty texts if they are not on this phone
    pub contact: ContactDetails,
}

/// A page of farmers.
#[uniffi::remote(Record)]
pub struct FarmerPage {
    /// The farmers
    pub items: Vec<FarmerRow>,
    /// Pass it as `after` of the query for the next page; null on the last page
    pub next: Option<String>,
}
