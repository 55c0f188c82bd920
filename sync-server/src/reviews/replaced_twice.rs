//! Review of several deliveries that replace the same one: two phones may have recorded the correction of one mistake.

use std::collections::BTreeMap;

use farmtally_core::decisions::ReviewCode;
use farmtally_core::records::Delivery;
use farmtally_core::scope::Scope;
use farmtally_core::store::rows;
use farmtally_core::units::{DeliveryId, DocumentId};

use super::{Finding, Touched, of_kind};
use crate::Error;
use crate::storage::WriteTransaction;

pub(super) fn find(db: &mut WriteTransaction<'_>, touched: &[Touched]) -> Result<Vec<Finding>, Error> {
    let touched = of_kind::<Delivery>(touched).filter(|(_, delivery)| !delivery.is_voided());
    let replaced: BTreeMap<DeliveryId, &Scope> =
        touched.filter_map(|(scope, delivery)| Some((delivery.replaces?, scope))).collect();
    let keys: Vec<DeliveryId> = replaced.keys().copied().collect();
    let mut replacing = BTreeMap::<DeliveryId, Vec<DocumentId>>::new();
    for (replaced, delivery) in rows::replacements_of(db.reader(), &keys)? {
        replacing.entry(replaced).or_default().push(delivery.into());
    }
    let findings = replaced.into_iter().filter_map(|(replaced, scope)| {
        let mut documents = replacing.remove(&replaced).filter(|replacing| replacing.len() > 1)?;
        documents.push(replaced.into());
        Some(Finding { scope: scope.clone(), code: ReviewCode::ReplacedTwice, documents })
    });
    Ok(findings.collect())
}
