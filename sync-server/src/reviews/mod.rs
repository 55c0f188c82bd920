//! What people are to look at: found in the records that one transaction changed, a file for each matter.
//!
//! Owns no rule of its own: matters that follow from a judgement (a grant that had ended, a fork, missing bytes) are found where it is made.

mod farmer_look_alike;
mod late_delivery;
mod load_contention;

use farmtally_core::decisions::ReviewCode;
use farmtally_core::records::{Record, RecordKind};
use farmtally_core::scope::Scope;
use farmtally_core::units::DocumentId;

use crate::Error;
use crate::storage::WriteTransaction;

/// A record that a transaction changed, as it is after it.
pub(crate) struct Touched {
    pub(crate) scope: Scope,
    pub(crate) record: Record,
}

/// A matter for a review, in the scope of the records that it names.
pub(crate) struct Finding {
    pub(crate) scope: Scope,
    pub(crate) code: ReviewCode,
    pub(crate) documents: Vec<DocumentId>,
}

/// Returns what is to be looked at in these records, whether or not it was raised before.
pub(crate) fn find(db: &mut WriteTransaction<'_>, touched: &[Touched]) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::new();
    for find in [farmer_look_alike::find, late_delivery::find, load_contention::find] {
        findings.extend(find(db, touched)?);
    }
    Ok(findings)
}

/// The records of one kind, with their scopes.
fn of_kind<K: RecordKind>(touched: &[Touched]) -> impl Iterator<Item = (&Scope, &K)> {
    touched.iter().filter_map(|it| it.record.downcast_ref::<K>().map(|record| (&it.scope, record)))
}
