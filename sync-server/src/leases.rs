//! Leases: allowances of users on phones, for advances that are paid out without network.

use farmtally_core::decisions::Lease;
use farmtally_core::scope::Scope;
use farmtally_core::store::decisions::{self, Reference};
use farmtally_core::units::{BusinessDate, DeviceCode, Money, OrganisationId};

use crate::access::working_device;
use crate::ingest::decide;
use crate::recovery::require_no_recovery;
use crate::users::{NamedUser, known_user, require_not_suspended};
use crate::{Error, Server};

impl Server {
    /// Adds to what a user may pay out on a phone, up to and including a day; an amount of zero only changes the day. Returns the lease.
    /// What was leased once is never taken back: a phone without network may have spent it.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a device; [`Error::Invalid`] for a wiped one, a user without a grant in force there, and an amount that is
    /// negative or too large with those before; [`Error::Recovering`] because a lost lease would be forgotten; [`Error::Io`],
    /// [`Error::Storage`].
    pub fn lease<'a>(
        &self,
        organisation: OrganisationId,
        device: DeviceCode,
        user: impl Into<NamedUser<'a>>,
        amount: Money,
        valid_until: BusinessDate,
    ) -> Result<Lease, Error> {
        let (user, by) = (user.into(), self.decided_by_operator());
        if amount < Money::ZERO {
            return Err(Error::invalid("amount", "must not be negative: a lease is never taken back"));
        }
        self.write(organisation, |db| {
            require_no_recovery(db)?;
            let device_id = working_device(&db.devices()?, device)?.device_id;
            let user_id = known_user(&Reference::load(db.reader())?, user)?;
            require_not_suspended(db, user_id)?;
            let grants = decisions::grants_of(db.reader(), device_id)?;
            if !grants.iter().any(|it| it.user_id == user_id) {
                return Err(Error::invalid("user", "has no grant on this phone: grant it first"));
            }
            let before: Option<Lease> = decisions::latest(db.reader(), &Lease::subject_of(device_id, user_id))?;
            let leased = before.map_or(Money::ZERO, |it| it.total_minor);
            let total_minor = leased.checked_add(amount);
            let total_minor = total_minor.ok_or_else(|| Error::invalid("amount", "is too large with those before"))?;
            let lease = Lease { user_id, device_id, total_minor, valid_until };
            decide(db, &Scope::Device(device_id), &lease, &by)?;
            Ok(lease)
        })
    }
}
