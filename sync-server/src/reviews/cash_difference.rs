//! Review of a count of cash that differs from what its phone expected.

use farmtally_core::decisions::ReviewCode;
use farmtally_core::records::simple::SimpleState;
use farmtally_core::records::{CashCount, Simple};

use super::{Finding, Touched, of_kind};
use crate::Error;
use crate::storage::WriteTransaction;

#[expect(clippy::unnecessary_wraps, reason = "one of the functions that find reviews")]
pub(super) fn find(_: &mut WriteTransaction<'_>, touched: &[Touched]) -> Result<Vec<Finding>, Error> {
    let counts = of_kind::<Simple<CashCount>>(touched).filter(|(_, it)| it.state() != SimpleState::Withdrawn);
    let differing = counts.filter(|(_, it)| it.content.counted_minor != it.content.expected_minor);
    let finding = |(scope, it): (&farmtally_core::scope::Scope, &Simple<CashCount>)| Finding {
        scope: scope.clone(),
        code: ReviewCode::CashDifference,
        documents: vec![it.record_id],
    };
    Ok(differing.map(finding).collect())
}
