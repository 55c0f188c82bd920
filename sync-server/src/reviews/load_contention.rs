//! Review of two loads of one lorry on one day that may have been open at one time: two clerks may have opened the same load twice.
//!
//! A lorry may make several trips on one day, each a load that was asked to be closed before the next was opened.

use std::collections::BTreeMap;

use farmtally_core::decisions::ReviewCode;
use farmtally_core::records::Load;
use farmtally_core::store::rows;
use farmtally_core::units::LoadId;

use super::{Finding, Touched, of_kind, read_loads};
use crate::Error;
use crate::storage::WriteTransaction;

/// Maximum other loads that a review names; those opened first.
const MAX_RIVALS: usize = 3;

pub(super) fn find(db: &mut WriteTransaction<'_>, touched: &[Touched]) -> Result<Vec<Finding>, Error> {
    let loads: Vec<_> = of_kind::<Load>(touched).collect();
    let rivals =
        rows::loads_of_lorries(db.reader(), loads.iter().map(|(scope, load)| (*scope, load.header.date, &load.lorry)))?;
    let others =
        loads.iter().zip(&rivals).flat_map(|((_, load), rivals)| rivals.iter().filter(|it| **it != load.load_id));
    let others: Vec<LoadId> = others.copied().collect();
    let others: BTreeMap<LoadId, Load> =
        read_loads(db, &others)?.into_iter().map(|load| (load.load_id, load)).collect();
    let findings = loads.iter().zip(rivals).filter_map(|((scope, load), mut rivals)| {
        rivals.retain(|it| *it != load.load_id && others.get(it).is_some_and(|other| load.may_overlap(other)));
        rivals.sort_unstable();
        rivals.truncate(MAX_RIVALS);
        let documents = rivals.iter().chain([&load.load_id]).map(|load| (*load).into()).collect();
        (!rivals.is_empty()).then(|| Finding { scope: (*scope).clone(), code: ReviewCode::LoadContention, documents })
    });
    Ok(findings.collect())
}
