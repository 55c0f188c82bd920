//! Review of several deliveries that were entered from one form of a paper book.

use std::collections::BTreeMap;

use farmtally_core::decisions::ReviewCode;
use farmtally_core::records::{Delivery, PaperEntry};
use farmtally_core::scope::Scope;
use farmtally_core::store::paper_books;
use farmtally_core::units::DocumentId;

use super::{Finding, Touched, of_kind};
use crate::Error;
use crate::storage::WriteTransaction;

pub(super) fn find(db: &mut WriteTransaction<'_>, touched: &[Touched]) -> Result<Vec<Finding>, Error> {
    let touched = of_kind::<Delivery>(touched).filter(|(_, delivery)| !delivery.is_voided());
    let entries: BTreeMap<PaperEntry, &Scope> =
        touched.filter_map(|(scope, delivery)| Some((delivery.paper_entry.clone()?, scope))).collect();
    let (entries, scopes): (Vec<PaperEntry>, Vec<&Scope>) = entries.into_iter().unzip();
    let mut entered: Vec<Vec<DocumentId>> = entries.iter().map(|_| Vec::new()).collect();
    for (place, delivery) in paper_books::entered_from(db.reader(), &entries)? {
        if let Some(of) = entered.get_mut(place) {
            of.push(delivery.into());
        }
    }
    let repeated = scopes.into_iter().zip(entered).filter(|(_, documents)| documents.len() > 1);
    let finding = |(scope, documents): (&Scope, Vec<DocumentId>)| Finding {
        scope: scope.clone(),
        code: ReviewCode::PaperSerialRepeated,
        documents,
    };
    Ok(repeated.map(finding).collect())
}
