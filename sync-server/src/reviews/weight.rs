//! Review of deliveries with bags of a type that their rule set does not name, so that their tare is not known.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use farmtally_core::decisions::{ReviewCode, RuleSet};
use farmtally_core::records::Delivery;
use farmtally_core::rules::totals;
use farmtally_core::store::decisions;

use super::{Finding, Touched, of_kind};
use crate::Error;
use crate::storage::WriteTransaction;

pub(super) fn find(db: &mut WriteTransaction<'_>, touched: &[Touched]) -> Result<Vec<Finding>, Error> {
    let (mut rule_sets, mut findings) = (BTreeMap::<u32, Option<RuleSet>>::new(), Vec::new());
    for (scope, delivery) in of_kind::<Delivery>(touched).filter(|(_, delivery)| !delivery.is_voided()) {
        let rules = match rule_sets.entry(delivery.rule_set) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let number = new.key().to_string();
                new.insert(decisions::latest(db.reader(), &number)?)
            }
        };
        if totals(delivery.counted_bags(), rules.as_ref()).bags_of_unknown_type > 0 {
            let documents = vec![delivery.delivery_id.into()];
            findings.push(Finding { scope: scope.clone(), code: ReviewCode::UnknownBagType, documents });
        }
    }
    Ok(findings)
}
