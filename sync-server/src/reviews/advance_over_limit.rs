//! Review of advances beyond a limit: of what was leased to their author on one device, which only a phone that was set back or bypassed
//! exceeds, or of what one farmer may have, which two people without network exceed together. The first advances count as within.

use std::collections::BTreeSet;

use farmtally_core::decisions::{Lease, ReviewCode, RuleSet};
use farmtally_core::records::advance::AdvanceKind;
use farmtally_core::records::{Advance, Kind, Simple};
use farmtally_core::rules::{farmer_limit, open_advances};
use farmtally_core::store::decisions::{self, Reference};
use farmtally_core::store::records as stored;
use farmtally_core::store::simple::{of_farmer, paid_out};
use farmtally_core::units::{BusinessDate, DeviceCode, FarmerId, UserId};

use super::{Finding, Touched, of_kind};
use crate::Error;
use crate::storage::WriteTransaction;

pub(super) fn find(db: &mut WriteTransaction<'_>, touched: &[Touched]) -> Result<Vec<Finding>, Error> {
    let advances: Vec<&Simple<Advance>> = of_kind::<Simple<Advance>>(touched).map(|(_, it)| it).collect();
    if advances.is_empty() {
        return Ok(Vec::new());
    }
    let mut findings = Vec::new();
    let paid = advances.iter().filter(|it| it.content.paid_out().is_some());
    let payers: BTreeSet<(UserId, DeviceCode)> = paid.map(|it| (it.made.user_id, it.made.device_code)).collect();
    for (user, device) in payers {
        beyond_lease(db, user, device, &mut findings)?;
    }
    let given = advances.iter().filter(|it| !matches!(it.content.kind, AdvanceKind::Returned { .. }));
    let farmers: BTreeSet<FarmerId> = given.map(|it| it.content.farmer_id).collect();
    let reference = Reference::load(db.reader())?;
    for farmer in farmers {
        of_one_farmer(db, &reference, farmer, &mut findings)?;
    }
    Ok(findings)
}

/// Finds what a user paid out on a device beyond the lease, cancelled or not: the phone counted it too.
fn beyond_lease(
    db: &mut WriteTransaction<'_>,
    user: UserId,
    code: DeviceCode,
    findings: &mut Vec<Finding>,
) -> Result<(), Error> {
    let mut leased = 0;
    for device in db.devices()?.into_iter().filter(|it| it.code == code) {
        let lease: Option<Lease> = decisions::latest(db.reader(), &Lease::subject_of(device.device_id, user))?;
        leased += lease.map_or(0, |it| i128::from(it.total_minor.minor()));
    }
    let mut sum = 0;
    for it in paid_out(db.reader(), user, code)? {
        sum += i128::from(it.amount.minor());
        if sum > leased {
            let documents = vec![it.record_id];
            findings.push(Finding { scope: it.scope, code: ReviewCode::AdvanceOverLimit, documents });
        }
    }
    Ok(())
}

/// Finds the open advances of a farmer beyond the limit of the rule sets in force on the day of the last one.
fn of_one_farmer(
    db: &mut WriteTransaction<'_>,
    reference: &Reference,
    farmer: FarmerId,
    findings: &mut Vec<Finding>,
) -> Result<(), Error> {
    let mut advances = Vec::new();
    let mut scopes = std::collections::BTreeMap::new();
    for id in of_farmer(db.reader(), Kind::of::<Simple<Advance>>(), farmer)? {
        let Some(found) = stored::get::<Simple<Advance>>(db.reader(), id)? else { continue };
        scopes.insert(id, found.stored.scope);
        advances.push(found.record);
    }
    let mut sum = 0;
    for it in open_advances(&advances, BusinessDate(0)) {
        sum += i128::from(it.outstanding_minor.minor());
        let limit = farmer_limit(reference.all::<RuleSet>(), it.date);
        if limit.is_some_and(|limit| sum > i128::from(limit.minor()))
            && let Some(scope) = scopes.get(&it.record_id)
        {
            let (scope, documents) = (scope.clone(), vec![it.record_id]);
            findings.push(Finding { scope, code: ReviewCode::AdvanceOverLimit, documents });
        }
    }
    Ok(())
}
