use farmtally_core::client::{Basis, CloseView, LoadView, SyncState};
use farmtally_core::decisions::ReviewCode;
use farmtally_core::records::load::{LoadState, Loader};
use farmtally_core::records::{Conflict, Stamp};
use farmtally_core::scope::Scope;
use farmtally_core::store::rows::{LoadRow, Sum};
use farmtally_core::units::{
    BusinessDate, CentreCode, DeviceCode, Grams, HybridTime, LoadId, LorryPlate, SeasonCode, UserId,
};

type CloseRequest = CloseView;

/// How far a load has come, as far as the field knows.
#[uniffi::remote(Enum)]
pub enum LoadState {
    /// Deliveries are being put on
    Open,
    /// Somebody asked to close it
    Closing,
}

/// All that a screen shows of a load.
#[uniffi::remote(Record)]
pub struct LoadView {
    /// Its id
    pub load_id: LoadId,
    /// What the next change names as seen
    pub basis: Basis,
    /// The number that people read out
    pub number: String,
    /// The centre that it was opened at
    pub centre: CentreCode,
    /// The season that it was opened in
    pub season: SeasonCode,
    /// The day that it was opened on
    pub business_date: BusinessDate,
    /// The lorry that counts
    pub lorry: LorryPlate,
    /// The driver's name
    pub driver: Option<String>,
    /// How far it has come
    pub state: LoadState,
    /// Everybody who loads, the opener first
    pub loaders: Vec<Loader>,
    /// Requests to close, oldest first
    pub close_requests: Vec<CloseRequest>,
    /// What the deliveries on it add up to, as far as they are on this phone
    pub sum: Sum,
    /// Names what is on it; the request to close hands it in
    pub manifest_hash: String,
    /// Shown as text or QR code, so that others can join without network
    pub join_code: String,
    /// How far it is on its way to the server's log
    pub sync: SyncState,
    /// Fields in conflict
    pub conflicts: Vec<Conflict>,
    /// Codes of the reviews that name it
    pub reviews: Vec<ReviewCode>,
}

/// Somebody who loads.
#[uniffi::remote(Record)]
pub struct Loader {
    /// The person
    #[uniffi(name = "user_id")]
    pub user: UserId,
    /// The installation
    #[uniffi(name = "device_code")]
    pub device: DeviceCode,
    /// Since when
    pub since: HybridTime,
}

/// A request to close a load.
#[uniffi::remote(Record)]
pub struct CloseRequest {
    /// Who asked, where and when
    pub stamp: Stamp,
    /// Deliveries that they knew to be on the lorry
    pub deliveries: u32,
    /// Their weight
    pub gross_g: Grams,
}

/// A load in a list.
#[uniffi::remote(Record)]
pub struct LoadRow {
    /// Its id
    pub load_id: LoadId,
    /// Where it belongs
    pub scope: Scope,
    /// The number that people read out
    pub number: String,
    /// The lorry
    pub lorry: LorryPlate,
    /// The day that it was opened on
    pub business_date: BusinessDate,
    /// How far it has come
    pub state: LoadState,
    /// How many load
    pub loaders: u32,
    /// Fields in conflict
    pub conflicts: u32,
}
