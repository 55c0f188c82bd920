//! Two loads of one lorry on one day: two clerks may have opened the same one.

use farmtally_core::decisions::ReviewCode;
use farmtally_core::records::Load;

use super::{Finding, Touched, of_kind};
use crate::Error;
use crate::storage::WriteTransaction;

pub(super) fn find(db: &mut WriteTransaction<'_>, touched: &[Touched]) -> Result<Vec<Finding>, Error> {
    let loads: Vec<_> = of_kind::<Load>(touched).collect();
    let rivals = db.loads_of_lorries(loads.iter().map(|(scope, load)| (*scope, load.header.date, &load.lorry)))?;
    let findings =
        loads.iter().zip(&rivals).filter(|(_, rivals)| rivals.len() > 1).map(|((scope, _), rivals)| Finding {
            scope: (*scope).clone(),
            code: ReviewCode::LoadContention,
            documents: rivals.iter().map(|load| (*load).into()).collect(),
        });
    Ok(findings.collect())
}
