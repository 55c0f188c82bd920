//! Reviews of deliveries whose weight a person must look at: bags of a type that the rule set does not name, so that their tare is not known;
//! deductions that use up all that was weighed.

use farmtally_core::decisions::ReviewCode;
use farmtally_core::records::Delivery;
use farmtally_core::rules::{WeightInput, weigh};

use super::{Finding, RuleSets, Touched, of_kind};
use crate::Error;
use crate::storage::WriteTransaction;

pub(super) fn find(db: &mut WriteTransaction<'_>, touched: &[Touched]) -> Result<Vec<Finding>, Error> {
    let (mut rule_sets, mut findings) = (RuleSets::default(), Vec::new());
    for (scope, delivery) in of_kind::<Delivery>(touched).filter(|(_, delivery)| !delivery.is_voided()) {
        let rules = rule_sets.get(db, delivery.rule_set)?;
        let totals = weigh(&WeightInput::from(delivery), rules).totals();
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
