//! Review of two loads of one lorry on one day: two clerks may have opened the same load twice.

use farmtally_core::decisions::ReviewCode;
use farmtally_core::records::Load;
use farmtally_core::store::rows;

use super::{Finding, Touched, of_kind};
use crate::Error;
use crate::storage::WriteTransaction;

/// Maximum other loads that a review names; those opened first.
const MAX_RIVALS: usize = 3;

pub(super) fn find(db: &mut WriteTransaction<'_>, touched: &[Touched]) -> Result<Vec<Finding>, Error> {
    let loads: Vec<_> = of_kind::<Load>(touched).collect();
    let rivals =
        rows::loads_of_lorries(db.reader(), loads.iter().map(|(scope, load)| (*scope, load.header.date, &load.lorry)))?;
    let findings = loads.iter().zip(rivals).filter_map(|((scope, load), mut rivals)| {
        rivals.retain(|rival| *rival != load.load_id);
        rivals.sort_unstable();
        rivals.truncate(MAX_RIVALS);
        let documents = rivals.iter().chain([&load.load_id]).map(|load| (*load).into()).collect();
        (!rivals.is_empty()).then(|| Finding { scope: (*scope).clone(), code: ReviewCode::LoadContention, documents })
    });
    Ok(findings.collect())
}
