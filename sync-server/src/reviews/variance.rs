//! Review of a load of which more or less arrived than is on it, beyond the tolerance of its rule set.

use std::collections::BTreeSet;

use farmtally_core::decisions::ReviewCode;
use farmtally_core::records::{Delivery, Load, Simple, WeighbridgeTicket};
use farmtally_core::store::on_load::variance;
use farmtally_core::units::{DocumentId, Grams, ToValue, Value};

use super::{Finding, Touched, of_kind, read_all};
use crate::Error;
use crate::storage::WriteTransaction;

pub(super) fn find(db: &mut WriteTransaction<'_>, touched: &[Touched]) -> Result<Vec<Finding>, Error> {
    let mut loads: BTreeSet<DocumentId> = of_kind::<Load>(touched).map(|(_, load)| load.load_id.into()).collect();
    loads.extend(of_kind::<Simple<WeighbridgeTicket>>(touched).map(|(_, ticket)| ticket.content.record_id));
    for (_, delivery) in of_kind::<Delivery>(touched) {
        loads.extend(delivery.parts().into_iter().filter_map(|part| part.load_id).map(DocumentId::from));
    }
    let keys: Vec<Value<'_>> = loads.iter().map(ToValue::to_value).collect();
    let mut findings = Vec::new();
    for (scope, load) in read_all::<Load>(db, &keys)? {
        let found = variance(db.reader(), &scope, &load)?;
        if found.is_some_and(|found| found.loss.beyond_g != Grams::ZERO) {
            findings.push(Finding { scope, code: ReviewCode::Variance, documents: vec![load.load_id.into()] });
        }
    }
    Ok(findings)
}
