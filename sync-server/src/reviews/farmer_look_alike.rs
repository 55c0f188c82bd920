//! Two farmers who may be one.

use farmtally_core::decisions::ReviewCode;
use farmtally_core::records::Contact;
use farmtally_core::units::DocumentId;

use super::{Finding, Touched, of_kind};
use crate::Error;
use crate::storage::WriteTransaction;

pub(super) fn find(db: &mut WriteTransaction<'_>, touched: &[Touched]) -> Result<Vec<Finding>, Error> {
    let contacts: Vec<_> = of_kind::<Contact>(touched).collect();
    let alike = db.look_alikes(contacts.iter().map(|(scope, contact)| (*scope, &contact.details)))?;
    let finding = |(n, farmer): (usize, _)| {
        let (scope, contact) = *contacts.get(n)?;
        let documents = vec![contact.farmer_id.into(), DocumentId::from(farmer)];
        (farmer != contact.farmer_id).then(|| Finding {
            scope: scope.clone(),
            code: ReviewCode::FarmerLookAlike,
            documents,
        })
    };
    Ok(alike.into_iter().filter_map(finding).collect())
}
