//! Reviews of two farmers who may be the same person, and of a telephone number that too many farmers have.
//!
//! A farmer is compared only with those look-alikes that were registered first: comparing with all would raise a review for each pair of
//! farmers who share a telephone number, and one number may be given for many.

use farmtally_core::decisions::ReviewCode;
use farmtally_core::records::Contact;
use farmtally_core::store::look_alikes::{self, LookAlikes};

use super::{Finding, Touched, of_kind};
use crate::Error;
use crate::storage::WriteTransaction;

/// Maximum farmers that one is compared with.
const MAX_COMPARED: usize = 3;

pub(super) fn find(db: &mut WriteTransaction<'_>, touched: &[Touched]) -> Result<Vec<Finding>, Error> {
    let contacts: Vec<_> = of_kind::<Contact>(touched).collect();
    let compared = contacts.iter().map(|(scope, contact)| (*scope, contact.farmer_id, &contact.details));
    let alike = look_alikes::find(db.reader(), compared)?;
    let mut findings = Vec::new();
    for ((scope, contact), LookAlikes { farmers, shared_phone }) in contacts.into_iter().zip(alike) {
        let finding = |code, documents| Finding { scope: scope.clone(), code, documents };
        findings.extend(
            farmers
                .into_iter()
                .take(MAX_COMPARED)
                .map(|farmer| finding(ReviewCode::FarmerLookAlike, vec![contact.farmer_id.into(), farmer.into()])),
        );
        // One review for all of them: it names the first only.
        findings.extend(shared_phone.map(|first| finding(ReviewCode::SharedPhone, vec![first.into()])));
    }
    Ok(findings)
}
