//! Review of two deliveries that may be one heap, which two people recorded.
//!
//! A delivery is compared with the first one that it may equal: comparing with all would raise a review for each pair of many equal heaps.

use farmtally_core::decisions::{ReviewCode, Windows};
use farmtally_core::records::Delivery;
use farmtally_core::rules::Heap;
use farmtally_core::store::heaps::{self, Weighed};
use farmtally_core::units::DocumentId;

use super::{Finding, RuleSets, Touched, of_kind};
use crate::Error;
use crate::storage::WriteTransaction;

pub(super) fn find(db: &mut WriteTransaction<'_>, touched: &[Touched]) -> Result<Vec<Finding>, Error> {
    let mut rule_sets = RuleSets::default();
    let (mut scopes, mut weighed) = (Vec::new(), Vec::new());
    for (scope, delivery) in of_kind::<Delivery>(touched).filter(|(_, it)| !it.is_voided() && !it.is_second_heap) {
        let windows = rule_sets.get(db, delivery.rule_set)?.map_or_else(Windows::default, |rules| rules.windows);
        scopes.push(scope);
        weighed.push(Weighed {
            delivery_id: Some(delivery.delivery_id),
            farmer_id: delivery.farmer_id,
            business_date: delivery.business_date,
            recorded_at: delivery.recorded.written_at(),
            minutes: windows.duplicate_minutes,
            replaces: delivery.replaces,
            heap: Heap::from(delivery),
        });
    }
    let mut findings = Vec::new();
    for ((scope, it), alike) in scopes.into_iter().zip(&weighed).zip(heaps::find(db.reader(), &weighed)?) {
        findings.extend(alike.into_iter().map(|other| {
            let documents = it.delivery_id.into_iter().chain([other]).map(DocumentId::from).collect();
            Finding { scope: scope.clone(), code: ReviewCode::PossibleDuplicate, documents }
        }));
    }
    Ok(findings)
}
