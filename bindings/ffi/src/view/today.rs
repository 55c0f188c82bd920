use farmtally_core::client::{DeliveryView, SyncStatus, Today};
use farmtally_core::store::rows::{LoadRow, Sum};
use farmtally_core::units::{BusinessDate, Grams};

/// What the day's screen shows.
#[uniffi::remote(Record)]
pub struct Today {
    /// The day
    pub date: BusinessDate,
    /// What the recorded deliveries add up to
    pub sum: Sum,
    /// Deliveries that are still being weighed, of all days
    pub drafts: Vec<DeliveryView>,
    /// The day's loads
    pub loads: Vec<LoadRow>,
    /// What the server does not have yet, of all days
    pub sync: SyncStatus,
}

/// What deliveries add up to.
#[uniffi::remote(Record)]
pub struct Sum {
    /// Deliveries that count
    pub deliveries: u64,
    /// Voided ones, in none of the other numbers
    pub voided: u64,
    /// Bags that count
    pub bags: u64,
    /// Their weight
    pub gross_g: Grams,
}
