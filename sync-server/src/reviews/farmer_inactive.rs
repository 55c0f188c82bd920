//! Review of deliveries that were recorded after their farmer had become inactive.

use farmtally_core::decisions::ReviewCode;
use farmtally_core::records::{Delivery, Farmer};
use farmtally_core::store::rows;
use farmtally_core::units::{DeliveryId, FarmerId};

use super::{Finding, Touched, of_kind};
use crate::Error;
use crate::storage::WriteTransaction;

pub(super) fn find(db: &mut WriteTransaction<'_>, touched: &[Touched]) -> Result<Vec<Finding>, Error> {
    let deliveries: Vec<DeliveryId> = of_kind::<Delivery>(touched).map(|(_, it)| it.delivery_id).collect();
    let farmers: Vec<FarmerId> =
        of_kind::<Farmer>(touched).filter(|(_, it)| it.inactive_from.is_some()).map(|(_, it)| it.farmer_id).collect();
    let found = rows::deliveries_of_inactive(db.reader(), &deliveries, &farmers)?;
    let finding = |(scope, delivery, farmer): (_, DeliveryId, FarmerId)| Finding {
        scope,
        code: ReviewCode::FarmerInactive,
        documents: vec![delivery.into(), farmer.into()],
    };
    Ok(found.into_iter().map(finding).collect())
}
