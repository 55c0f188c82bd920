//! Reviews of deliveries whose weight a person must look at: bags of a type that the rule set does not name, so that their tare is not known;
//! deductions that use up all that was weighed.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use farmtally_core::decisions::{ReviewCode, RuleSet};
use farmtally_core::records::Delivery;
use farmtally_core::rules::{WeightInput, weigh};
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
        let input = WeightInput::of_bags(delivery.counted_bags(), &delivery.readings);
        let totals = weigh(&input, rules.as_ref()).totals();
        for (code, found) in [
            (ReviewCode::UnknownBagType, totals.bags_of_unknown_type > 0),
            (ReviewCode::DeductionsExceedWeight, totals.deductions_exceed_weight),
        ] {
            if found {
                let documents = vec![delivery.delivery_id.into()];
                findings.push(Finding { scope: scope.clone(), code, documents });
            }
        }
    }
    Ok(findings)
}
