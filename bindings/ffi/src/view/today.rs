use farmtally_core::client::{DeliveryView, SyncStatus, Today};
use farmtally_core::store::rows::{LoadRow, Sum};
use farmtally_core::units::{BusinessDate, Grams};

/// A centre's day.
#[uniffi::remote(Record)]
pub struct Today {
    /// The business date
    pub date: BusinessDate,
    /// Totals of the centre's deliveries that count on this day, on any load or none
    pub sum: Sum,
    /// Drafts that the user may see, of all days and centres
    pub drafts: Vec<DeliveryView>,
    /// Drafts that were discarded on this phone since it was first enrolled
    pub discarded_drafts: u32,
    /// Loads that were opened at the centre on this day
    pub loads: Vec<LoadRow>,
    /// Sync status of the phone, for all days and centres
    pub sync: SyncStatus,
}

/// Totals of deliveries.
#[uniffi::remote(Record)]
pub struct Sum {
    /// Deliveries that are not voided
    pub deliveries: u64,
    /// Voided deliveries, which are in none of the other numbers
    pub voided: u64,
    /// Bags that count
    pub bags: u64,
    /// Gross weight of these bags in grams
    pub gross_g: Grams,
}
