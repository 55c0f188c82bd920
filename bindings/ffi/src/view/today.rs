use farmtally_core::client;
use farmtally_core::store::rows;
use farmtally_core::units::Grams;

use super::{DeliveryView, LoadRow, SyncStatus};

/// What the day's screen shows.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Today {
    /// Year-month-day
    pub date: String,
    /// What the recorded deliveries add up to
    pub totals: Sum,
    /// Deliveries that are still being weighed
    pub drafts: Vec<DeliveryView>,
    /// The day's loads
    pub loads: Vec<LoadRow>,
    /// What the server does not have yet
    pub sync: SyncStatus,
}

impl From<client::Today> for Today {
    fn from(it: client::Today) -> Self {
        Self {
            date: it.date.to_string(),
            totals: it.sum.into(),
            drafts: it.drafts.into_iter().map(DeliveryView::from).collect(),
            loads: it.loads.into_iter().map(LoadRow::from).collect(),
            sync: it.sync.into(),
        }
    }
}

/// What deliveries add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Record)]
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

impl From<rows::Sum> for Sum {
    fn from(sum: rows::Sum) -> Self {
        Self { deliveries: sum.deliveries, voided: sum.voided, bags: sum.bags, gross_g: sum.gross }
    }
}
