//! Review of two farmers who may be the same person.
//!
//! A farmer is compared only with those look-alikes that were registered first: comparing with all would raise a review for each pair of
//! farmers who share a telephone number, and one number may be given for many.

use farmtally_core::decisions::ReviewCode;
use farmtally_core::records::Contact;
use farmtally_core::store::rows;
use farmtally_core::units::DocumentId;

use super::{Finding, Touched, of_kind};
use crate::Error;
use crate::storage::WriteTransaction;

/// Maximum farmers that one is compared with.
const MAX_COMPARED: usize = 3;

pub(super) fn find(db: &mut WriteTransaction<'_>, touched: &[Touched]) -> Result<Vec<Finding>, Error> {
    let contacts: Vec<_> = of_kind::<Contact>(touched).collect();
    let alike = rows::look_alikes(db.reader(), contacts.iter().map(|(scope, contact)| (*scope, &contact.details)))?;
    let mut compared = vec![0; contacts.len()];
    let finding = |(n, farmer): (usize, _)| {
        let ((scope, contact), compared) = (*contacts.get(n)?, compared.get_mut(n)?);
        if farmer == contact.farmer_id || *compared == MAX_COMPARED {
            return None;
        }
        *compared += 1;
        let documents = vec![contact.farmer_id.into(), DocumentId::from(farmer)];
        Some(Finding { scope: scope.clone(), code: ReviewCode::FarmerLookAlike, documents })
    };
    Ok(alike.into_iter().filter_map(finding).collect())
}
