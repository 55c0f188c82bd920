//! Review of a load that weighs more than the highest limit of its lorry's payload, after merging what several phones put on it.

use std::collections::BTreeMap;

use farmtally_core::decisions::{CapacityLimits, Lorry, ReviewCode};
use farmtally_core::records::load::LoadState;
use farmtally_core::records::{Delivery, Load};
use farmtally_core::rules::is_above_limit;
use farmtally_core::scope::Scope;
use farmtally_core::store;
use farmtally_core::store::{on_load, rows};
use farmtally_core::units::LoadId;

use super::{Finding, RuleSets, Touched, of_kind};
use crate::Error;
use crate::storage::WriteTransaction;

pub(super) fn find(db: &mut WriteTransaction<'_>, touched: &[Touched]) -> Result<Vec<Finding>, Error> {
    let mut rule_sets = RuleSets::default();
    // A load whose lorry was corrected has no touched delivery: then the limits are those of one that is on it.
    let mut loads: BTreeMap<LoadId, (&Scope, Option<u32>)> =
        of_kind::<Load>(touched).map(|(scope, load)| (load.load_id, (scope, None))).collect();
    for (scope, delivery) in of_kind::<Delivery>(touched).filter(|(_, delivery)| !delivery.is_voided()) {
        for load in delivery.parts().into_iter().filter_map(|part| part.load_id) {
            loads.insert(load, (scope, Some(delivery.rule_set)));
        }
    }
    let mut findings = Vec::new();
    for (load_id, (scope, rule_set)) in loads {
        let Some((state, plate, gross)) = rows::load_capacity(db.reader(), load_id)? else { continue };
        let lorry: Option<Lorry> = store::decisions::latest(db.reader(), plate.as_str())?;
        let Some(lorry) = lorry.filter(|_| state != LoadState::Cancelled) else { continue };
        let limits = match rule_set {
            None => on_load::rule_set_of(db.reader(), load_id)?.map(|rules| rules.capacity),
            Some(number) => rule_sets.get(db, number)?.map(|rules| rules.capacity),
        };
        let limits = limits.unwrap_or_else(CapacityLimits::default);
        if is_above_limit(gross, lorry.payload, limits.stop_hundredths) {
            let documents = vec![load_id.into()];
            findings.push(Finding { scope: scope.clone(), code: ReviewCode::OverCapacity, documents });
        }
    }
    Ok(findings)
}
