//! Review of several deliveries or advances that were entered from one form of a paper book.

use std::collections::BTreeMap;

use farmtally_core::decisions::ReviewCode;
use farmtally_core::records::simple::SimpleState;
use farmtally_core::records::{Advance, Delivery, PaperEntry, Simple};
use farmtally_core::scope::Scope;
use farmtally_core::store::paper_books;
use farmtally_core::units::DocumentId;

use super::{Finding, Touched, of_kind};
use crate::Error;
use crate::storage::WriteTransaction;

pub(super) fn find(db: &mut WriteTransaction<'_>, touched: &[Touched]) -> Result<Vec<Finding>, Error> {
    let deliveries = of_kind::<Delivery>(touched).filter(|(_, it)| !it.is_voided());
    let advances = of_kind::<Simple<Advance>>(touched).filter(|(_, it)| it.state() != SimpleState::Withdrawn);
    let of_deliveries = deliveries.filter_map(|(scope, it)| Some((it.paper_entry.clone()?, scope)));
    let of_advances = advances.filter_map(|(scope, it)| Some((it.content.paper_entry.clone()?, scope)));
    let entries: BTreeMap<PaperEntry, &Scope> = of_deliveries.chain(of_advances).collect();
    let (entries, scopes): (Vec<PaperEntry>, Vec<&Scope>) = entries.into_iter().unzip();
    let mut entered: Vec<Vec<DocumentId>> = entries.iter().map(|_| Vec::new()).collect();
    for (place, document) in paper_books::entered_from(db.reader(), &entries)? {
        if let Some(of) = entered.get_mut(place) {
            of.push(document);
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
