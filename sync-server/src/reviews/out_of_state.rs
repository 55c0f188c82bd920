//! Review of what was done in a state that did not permit it, or by somebody who could not do it: a phone was bypassed, or somebody else
//! changed the state at the same time.
//!
//! The order of the times decides, not that of arrival, so the same is found whichever change arrives last.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use farmtally_core::decisions::ReviewCode;
use farmtally_core::records::delivery::LoadPart;
use farmtally_core::records::load::LoadState;
use farmtally_core::records::{CashMovement, Delivery, Load, Simple, SimpleKind};
use farmtally_core::rules::{changes_after_departure, is_out_of_state, may_after_departure};
use farmtally_core::scope::Scope;
use farmtally_core::store::decisions;
use farmtally_core::store::rows;
use farmtally_core::units::{DeliveryId, DocumentId, LoadId, ToValue, UserId, Value};

use super::{Finding, Touched, of_kind, read_all, read_loads};
use crate::Error;
use crate::storage::WriteTransaction;

pub(super) fn find(db: &mut WriteTransaction<'_>, touched: &[Touched]) -> Result<Vec<Finding>, Error> {
    let own = touched.iter().filter(|it| is_out_of_state(it.record.as_ref()));
    let mut findings: Vec<Finding> = own.map(|it| finding(&it.scope, vec![it.record.document()])).collect();
    findings.extend(cancelled_with_deliveries(db, touched)?);
    findings.extend(after_departure(db, touched)?);
    findings.extend(replaced_before_void(db, touched)?);
    findings.extend(cash_of_others(db, touched)?);
    Ok(findings)
}

fn finding(scope: &Scope, documents: Vec<DocumentId>) -> Finding {
    Finding { scope: scope.clone(), code: ReviewCode::OutOfState, documents }
}

/// Finds cancelled loads with a delivery that a manifest names: others on them are late.
fn cancelled_with_deliveries(db: &mut WriteTransaction<'_>, touched: &[Touched]) -> Result<Vec<Finding>, Error> {
    let cancelled: BTreeMap<LoadId, (&Scope, &Load)> = of_kind::<Load>(touched)
        .filter(|(_, load)| load.state() == LoadState::Cancelled)
        .map(|(scope, load)| (load.load_id, (scope, load)))
        .collect();
    let ids: Vec<LoadId> = cancelled.keys().copied().collect();
    let mut findings = Vec::new();
    for (id, part) in rows::parts_on_loads(db.reader(), &ids)? {
        let on_load = LoadPart { load_id: Some(id), bags: part.bags, gross_g: part.gross_g };
        let covers = |load: &Load| load.manifest_covers(part.delivery_id, &on_load, part.is_part);
        let found = cancelled.get(&id).filter(|(_, load)| covers(load));
        findings.extend(found.map(|(scope, _)| finding(scope, vec![id.into()])));
    }
    Ok(findings)
}

/// Finds changes of deliveries on a load that had left, by people whose role does not permit it.
fn after_departure(db: &mut WriteTransaction<'_>, touched: &[Touched]) -> Result<Vec<Finding>, Error> {
    let mut pairs = changed_on_loads(touched)?;
    pairs.extend(on_departing_loads(db, touched)?);
    let loads: Vec<LoadId> = pairs.iter().map(|(load, _)| *load).collect::<BTreeSet<_>>().into_iter().collect();
    let left: BTreeMap<LoadId, _> =
        read_loads(db, &loads)?.into_iter().filter_map(|load| Some((load.load_id, load.left_at()?))).collect();
    pairs.retain(|(load, _)| left.contains_key(load));
    let ids: BTreeSet<DeliveryId> = pairs.iter().map(|(_, delivery)| *delivery).collect();
    let keys: Vec<Value<'_>> = ids.iter().map(ToValue::to_value).collect();
    let deliveries: BTreeMap<DeliveryId, (Scope, Delivery)> =
        read_all::<Delivery>(db, &keys)?.into_iter().map(|(scope, it)| (it.delivery_id, (scope, it))).collect();
    let (mut findings, mut permitted) = (Vec::new(), BTreeMap::new());
    for (load, delivery) in pairs {
        let (Some((scope, it)), Some(left_at)) = (deliveries.get(&delivery), left.get(&load)) else { continue };
        for stamp in changes_after_departure(it, load, *left_at) {
            if !may_change(db, &mut permitted, stamp.user_id)? {
                findings.push(finding(scope, vec![delivery.into(), load.into()]));
                break;
            }
        }
    }
    Ok(findings)
}

/// Returns the touched deliveries that were changed after recording, each with the loads that it or a part of it is on, and was on before.
fn changed_on_loads(touched: &[Touched]) -> Result<BTreeSet<(LoadId, DeliveryId)>, Error> {
    let mut pairs = BTreeSet::new();
    for it in touched {
        let Some(delivery) = it.record.downcast_ref::<Delivery>() else { continue };
        if delivery.changes().next().is_none() {
            continue;
        }
        let before = it.before::<Delivery>()?;
        let parts = delivery.parts().into_iter().chain(before.iter().flat_map(Delivery::parts));
        pairs.extend(parts.filter_map(|part| part.load_id).map(|load| (load, delivery.delivery_id)));
    }
    Ok(pairs)
}

/// Returns the deliveries on touched loads of which it is new when they left, and those in their manifests.
fn on_departing_loads(
    db: &mut WriteTransaction<'_>,
    touched: &[Touched],
) -> Result<BTreeSet<(LoadId, DeliveryId)>, Error> {
    let mut pairs = BTreeSet::new();
    for it in touched {
        let Some(load) = it.record.downcast_ref::<Load>() else { continue };
        if load.left_at().is_none() || it.before::<Load>()?.and_then(|before| before.left_at()) == load.left_at() {
            continue;
        }
        let lines = load.close_requests.iter().flat_map(|request| &request.manifest);
        pairs.extend(lines.map(|line| (load.load_id, line.delivery_id)));
        let on_it = rows::delivery_ids_on(db.reader(), &[load.load_id])?;
        pairs.extend(on_it.into_iter().map(|delivery| (load.load_id, delivery)));
    }
    Ok(pairs)
}

/// Returns whether a user ever had a role that may change deliveries of a load that has left. Asks the database once for each user.
fn may_change(db: &mut WriteTransaction<'_>, known: &mut BTreeMap<UserId, bool>, user: UserId) -> Result<bool, Error> {
    Ok(match known.entry(user) {
        Entry::Occupied(known) => *known.get(),
        Entry::Vacant(new) => *new.insert(decisions::roles_of(db.reader(), user)?.into_iter().any(may_after_departure)),
    })
}

/// Finds deliveries that replace one which was not voided before. What this server does not have, such as a rejected one, is left out.
fn replaced_before_void(db: &mut WriteTransaction<'_>, touched: &[Touched]) -> Result<Vec<Finding>, Error> {
    let mut pairs = BTreeSet::new();
    let mut unvoided = Vec::new();
    for (_, delivery) in of_kind::<Delivery>(touched).filter(|(_, delivery)| !delivery.is_voided()) {
        pairs.extend(delivery.replaces.map(|replaced| (replaced, delivery.delivery_id)));
        unvoided.push(delivery.delivery_id);
    }
    pairs.extend(rows::replacements_of(db.reader(), &unvoided)?);
    if pairs.is_empty() {
        return Ok(Vec::new());
    }
    let ids: BTreeSet<DeliveryId> = pairs.iter().flat_map(|(replaced, delivery)| [*replaced, *delivery]).collect();
    let keys: Vec<Value<'_>> = ids.iter().map(ToValue::to_value).collect();
    let deliveries: BTreeMap<DeliveryId, (Scope, Delivery)> =
        read_all::<Delivery>(db, &keys)?.into_iter().map(|(scope, it)| (it.delivery_id, (scope, it))).collect();
    let mut findings = Vec::new();
    for (replaced, delivery) in pairs {
        let (Some((_, old)), Some((scope, new))) = (deliveries.get(&replaced), deliveries.get(&delivery)) else {
            continue;
        };
        if !old.voids.iter().any(|act| act.stamp.at <= new.recorded.at) {
            findings.push(finding(scope, vec![delivery.into(), replaced.into()]));
        }
    }
    Ok(findings)
}

/// Finds movements of cash recorded by somebody who never acted for their giver, or confirmed by somebody who never acted for their receiver.
fn cash_of_others(db: &mut WriteTransaction<'_>, touched: &[Touched]) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::new();
    for (scope, movement) in of_kind::<Simple<CashMovement>>(touched) {
        let (content, made) = (&movement.content, &movement.made);
        let mut giver = decisions::roles_of(db.reader(), made.user_id)?.into_iter();
        let mut is_permitted = giver.any(|role| content.from.is_represented_by(made.user_id, role));
        for event in &movement.steps {
            let user = event.stamp.user_id;
            let mut roles = decisions::roles_of(db.reader(), user)?.into_iter();
            is_permitted &= roles.any(|role| content.permits(event.step, made, user, role));
        }
        if !is_permitted {
            findings.push(finding(scope, vec![movement.record_id]));
        }
    }
    Ok(findings)
}
