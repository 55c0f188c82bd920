use farmtally_core::client::{Basis, CloseView, LoadView, SyncState};
use farmtally_core::decisions::ReviewCode;
use farmtally_core::records::load::{LoadState, Loader};
use farmtally_core::records::{Conflict, Stamp};
use farmtally_core::scope::Scope;
use farmtally_core::store::rows::{LoadRow, Sum};
use farmtally_core::units::{
    BusinessDate, CentreCode, DeviceCode, Grams, HybridTime, LoadId, LorryPlate, SeasonCode, UserId,
};

/// State of a load, as far as this phone knows.
#[uniffi::remote(Enum)]
pub enum LoadState {
    /// Deliveries are being added
    Open,
    /// A request to close it was made; no state follows
    Closing,
}

/// A load as a screen shows it.
#[uniffi::remote(Record)]
pub struct LoadView {
    /// Id of the load
    pub load_id: LoadId,
    /// The version shown here; pass it to the next change
    pub basis: Basis,
    /// Load number, such as KOLAR-1121-10-3
    pub number: String,
    /// Centre where it was opened
    pub centre: CentreCode,
    /// Season in which it was opened
    pub season: SeasonCode,
    /// Day on which it was opened
    pub business_date: BusinessDate,
    /// The lorry's plate, as last corrected
    pub lorry: LorryPlate,
    /// The driver's name; null if not known
    pub driver: Option<String>,
    /// Whether a request to close was made
    pub state: LoadState,
    /// Clerks who opened or joined it, in the order of their times
    pub loaders: Vec<Loader>,
    /// Requests to close, oldest first
    pub close_requests: Vec<CloseView>,
    /// Totals of its deliveries, as far as they are on this phone
    pub sum: Sum,
    /// Hash of the deliveries on it that count and are on this phone, in their versions; pass it to request_close
    pub manifest_hash: String,
    /// Code that other clerks read, as text or QR code, to join without network
    pub join_code: String,
    /// How far it is on its way to the server's log
    pub sync: SyncState,
    /// Fields that have concurrent values
    pub conflicts: Vec<Conflict>,
    /// Codes of the reviews that name it
    pub reviews: Vec<ReviewCode>,
}

/// A clerk who opened or joined a load.
#[uniffi::remote(Record)]
pub struct Loader {
    /// User
    pub user_id: UserId,
    /// Code of the device
    pub device_code: DeviceCode,
    /// When they opened or joined it
    pub since: HybridTime,
}

/// A clerk's request to the office to close a load, as shown. To make one, call request_close.
#[uniffi::remote(Record)]
pub struct CloseView {
    /// Author, device and time
    pub stamp: Stamp,
    /// Number of deliveries in its manifest
    pub deliveries: u32,
    /// Gross weight of these deliveries in grams
    pub gross_g: Grams,
}

/// A load in a list.
#[uniffi::remote(Record)]
pub struct LoadRow {
    /// Id of the load
    pub load_id: LoadId,
    /// Its centre and season
    pub scope: Scope,
    /// Load number, such as KOLAR-1121-10-3
    pub number: String,
    /// The lorry's plate
    pub lorry: LorryPlate,
    /// Day on which it was opened
    pub business_date: BusinessDate,
    /// Whether a request to close was made
    pub state: LoadState,
    /// Number of clerks who opened or joined it
    pub loaders: u32,
    /// Number of fields that have concurrent values
    pub conflicts: u32,
}
