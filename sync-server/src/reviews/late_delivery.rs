//! Review of deliveries on a load that takes no more, which are in no manifest.

use std::collections::{BTreeMap, BTreeSet};

use farmtally_core::decisions::ReviewCode;
use farmtally_core::records::{Delivery, Load};
use farmtally_core::scope::Scope;
use farmtally_core::store::rows;
use farmtally_core::units::{DeliveryId, LoadId};

use super::{Finding, Touched, of_kind, read_loads};
use crate::Error;
use crate::storage::WriteTransaction;

pub(super) fn find(db: &mut WriteTransaction<'_>, touched: &[Touched]) -> Result<Vec<Finding>, Error> {
    let mut loaded = BTreeMap::<LoadId, (&Scope, BTreeSet<DeliveryId>)>::new();
    for (scope, delivery) in of_kind::<Delivery>(touched).filter(|(_, delivery)| !delivery.is_voided()) {
        if let Some(load) = delivery.load_id {
            loaded.entry(load).or_insert((scope, BTreeSet::new())).1.insert(delivery.delivery_id);
        }
    }
    let touched_loads: BTreeMap<LoadId, &Scope> =
        of_kind::<Load>(touched).map(|(scope, load)| (load.load_id, scope)).collect();
    let loads: Vec<LoadId> = touched_loads.keys().copied().collect();
    for (load, delivery) in rows::unvoided_deliveries_on(db.reader(), &loads)? {
        if let Some(scope) = touched_loads.get(&load) {
            loaded.entry(load).or_insert((scope, BTreeSet::new())).1.insert(delivery);
        }
    }
    let loads: Vec<LoadId> = loaded.keys().copied().collect();
    let mut findings = Vec::new();
    for load in read_loads(db, &loads)? {
        let Some((scope, deliveries)) = loaded.get(&load.load_id).filter(|_| load.is_shut()) else {
            continue;
        };
        findings.extend(deliveries.iter().filter(|delivery| !load.manifest_contains(**delivery)).map(|delivery| {
            Finding {
                scope: (*scope).clone(),
                code: ReviewCode::LateDelivery,
                documents: vec![(*delivery).into(), load.load_id.into()],
            }
        }));
    }
    Ok(findings)
}
