//! Calls for tests and benches, behind the feature `probes`; no released library has it.

use farmtally_core::records::farmer::ContactDetails;
use farmtally_core::scope::Scope;
use farmtally_core::store::rows::FarmerRow;

use crate::client::FieldClient;
use crate::error::FieldError;

/// Returns its argument: the cheapest call.
#[uniffi::export]
pub fn probe_bare(number: u32) -> u32 {
    number
}

/// Takes one record.
#[uniffi::export]
#[expect(clippy::needless_pass_by_value, reason = "records cross by value")]
pub fn probe_record_in(row: FarmerRow) -> u32 {
    u32::try_from(row.contact.name.len()).unwrap_or(u32::MAX)
}

/// Returns `count` records.
#[uniffi::export]
pub fn probe_records_out(count: u32) -> Vec<FarmerRow> {
    let contact = ContactDetails {
        name: "Lakshmi Devi".into(),
        village: "Vemagal".into(),
        phone: "+919845012345".into(),
        ..ContactDetails::default()
    };
    let id = [7; 16];
    (0..count)
        .map(|number| FarmerRow {
            farmer_id: id.into(),
            scope: Scope::Organisation,
            code: format!("KOLAR-{number}"),
            contact: contact.clone(),
            is_active: true,
        })
        .collect()
}

/// Does nothing, asynchronously.
#[uniffi::export]
#[expect(clippy::unused_async, reason = "it is awaited over there")]
pub async fn probe_async() {}

#[uniffi::export]
#[expect(clippy::missing_panics_doc, clippy::panic, reason = "that is what it is for, and it never gets out")]
impl FieldClient {
    /// Panics on the worker thread.
    pub async fn probe_panic(&self) -> Result<(), FieldError> {
        self.call(|_| panic!("told to")).await
    }
}
