//! Review of deliveries, and parts of deliveries, on a load that takes no more, which are in no manifest.

use std::collections::BTreeMap;

use farmtally_core::decisions::ReviewCode;
use farmtally_core::records::delivery::LoadPart;
use farmtally_core::records::{Delivery, Load};
use farmtally_core::scope::Scope;
use farmtally_core::store::rows::{self, OnLoad};
use farmtally_core::units::{DeliveryId, LoadId};

use super::{Finding, Touched, of_kind, read_loads};
use crate::Error;
use crate::storage::WriteTransaction;

pub(super) fn find(db: &mut WriteTransaction<'_>, touched: &[Touched]) -> Result<Vec<Finding>, Error> {
    let mut loaded = BTreeMap::<LoadId, (&Scope, BTreeMap<DeliveryId, OnLoad>)>::new();
    for (scope, delivery) in of_kind::<Delivery>(touched).filter(|(_, delivery)| !delivery.is_voided()) {
        let parts = delivery.parts();
        for part in &parts {
            let Some(load) = part.load_id else { continue };
            let (delivery_id, is_part) = (delivery.delivery_id, parts.len() > 1);
            let on = OnLoad { delivery_id, bags: part.bags, gross_g: part.gross_g, is_part };
            loaded.entry(load).or_insert((scope, BTreeMap::new())).1.insert(delivery_id, on);
        }
    }
    let touched_loads: BTreeMap<LoadId, &Scope> =
        of_kind::<Load>(touched).map(|(scope, load)| (load.load_id, scope)).collect();
    let loads: Vec<LoadId> = touched_loads.keys().copied().collect();
    for (load, on) in rows::parts_on_loads(db.reader(), &loads)? {
        if let Some(scope) = touched_loads.get(&load) {
            loaded.entry(load).or_insert((scope, BTreeMap::new())).1.insert(on.delivery_id, on);
        }
    }
    let loads: Vec<LoadId> = loaded.keys().copied().collect();
    let mut findings = Vec::new();
    for load in read_loads(db, &loads)? {
        let Some((scope, deliveries)) = loaded.get(&load.load_id).filter(|_| load.is_shut()) else {
            continue;
        };
        let is_late = |on: &&OnLoad| {
            let part = LoadPart { load_id: Some(load.load_id), bags: on.bags, gross_g: on.gross_g };
            !load.manifest_covers(on.delivery_id, &part, on.is_part)
        };
        findings.extend(deliveries.values().filter(is_late).map(|on| Finding {
            scope: (*scope).clone(),
            code: ReviewCode::LateDelivery,
            documents: vec![on.delivery_id.into(), load.load_id.into()],
        }));
    }
    Ok(findings)
}
