//! Grants and their ends, suspensions, and orders to devices.
//!
//! Each is a decision in the scope of the device that it concerns; the rest of the server only reads the projected rows.

use std::collections::BTreeSet;

use farmtally_core::decisions::{DeviceOrder, Grant, Order, Revocation, Suspension, User};
use farmtally_core::permission::Role;
use farmtally_core::scope::Scope;
use farmtally_core::store::decisions::{self, Reference};
use farmtally_core::units::{CentreCode, DeviceCode, DeviceId, GrantId, OrganisationId};

use crate::ingest::{decide, lineage};
use crate::office::{require_centres, require_phone};
use crate::storage::Device;
use crate::users::{NamedUser, known_by_name, known_user, require_not_suspended, user_or_new};
use crate::{Error, Server};

/// A grant as the office sees it.
#[derive(Clone, Debug)]
pub struct GrantLine {
    /// The grant.
    pub grant: Grant,
    /// Code of the device it is for.
    pub device_code: DeviceCode,
    /// Name of the user.
    pub user: String,
}

impl Server {
    /// Returns all grants that are in force, ordered by id.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn grants(&self, organisation: OrganisationId) -> Result<Vec<GrantLine>, Error> {
        self.read(organisation, |db| {
            let reference = Reference::load(db.reader())?;
            let mut lines = Vec::new();
            for device in db.devices()? {
                for grant in decisions::grants_of(db.reader(), device.device_id)? {
                    let user = reference.user_name(grant.user_id);
                    lines.push(GrantLine { grant, device_code: device.code, user });
                }
            }
            lines.sort_by_key(|line| line.grant.grant_id);
            Ok(lines)
        })
    }

    /// Lets a user, who is added if new, work on an enrolled device. Several people may share a phone, each with their own grants.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a device, [`Error::Invalid`] for a wiped one, the name, a suspended user, a centre, or a grant that is in force
    /// already; [`Error::LikeKnownUser`], [`Error::Io`], [`Error::Storage`].
    pub fn grant<'a>(
        &self,
        organisation: OrganisationId,
        device: DeviceCode,
        user: impl Into<NamedUser<'a>>,
        role: Role,
        centres: &[CentreCode],
    ) -> Result<GrantId, Error> {
        let user = user.into();
        let (grant, fresh, by) = (self.environment.new_id(), self.environment.new_id(), self.decided_by_operator());
        require_phone(role)?;
        self.write(organisation, |db| {
            require_centres(db, centres)?;
            let device = working_device(&db.devices()?, device)?.device_id;
            // A grant usually is for somebody known, so exactly their name names them; an enrolment code usually is for somebody new.
            let user = match known_by_name(&Reference::load(db.reader())?, user) {
                Some(known) => known,
                None => user_or_new(db, user, &by, fresh)?,
            };
            require_not_suspended(db, user)?;
            let in_force = decisions::grants_of(db.reader(), device)?;
            // No list names a centre twice.
            let has_centres =
                |it: &Grant| it.centres.len() == centres.len() && it.centres.iter().all(|c| centres.contains(c));
            let is_same = |it: &&Grant| it.user_id == user && it.role == role && has_centres(it);
            if let Some(known) = in_force.iter().find(is_same) {
                return Err(Error::invalid("user", format!("the grant {} says the same already", known.grant_id)));
            }
            let grant = Grant { grant_id: grant, user_id: user, device_id: device, role, centres: centres.to_vec() };
            decide(db, &Scope::Device(device), &grant, &by)
        })?;
        Ok(grant)
    }

    /// Ends a grant. Changes made before the device knew of it are logged, with a review; changes made after are held.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a grant that does not exist or has ended, [`Error::Io`], [`Error::Storage`].
    pub fn revoke(&self, organisation: OrganisationId, grant: GrantId) -> Result<(), Error> {
        let by = self.decided_by_operator();
        self.write(organisation, |db| {
            let known = decisions::grant(db.reader(), grant)?.ok_or(Error::NotFound { what: "grant" })?;
            if decisions::ended_at(db.reader(), &known)?.is_some() {
                return Err(Error::NotFound { what: "grant in force" });
            }
            decide(db, &Scope::Device(known.device_id), &Revocation { grant_id: grant }, &by)
        })
    }

    /// Suspends a user, or lifts that if `is_suspended` is false: on every device on which they were ever granted anything, and for new grants
    /// and devices, whose codes are refused meanwhile. Logs nothing on a device where that stands. Returns the number of phones, each of which may
    /// have been several devices.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Invalid`] for a name of several users, [`Error::Io`], [`Error::Storage`].
    pub fn suspend<'a>(
        &self,
        organisation: OrganisationId,
        user: impl Into<NamedUser<'a>>,
        is_suspended: bool,
    ) -> Result<usize, Error> {
        let (user, by) = (user.into(), self.decided_by_operator());
        self.write(organisation, |db| {
            let reference = Reference::load(db.reader())?;
            let user = known_user(&reference, user)?;
            if let Some(known) = reference.user(user).filter(|known| known.is_suspended != is_suspended) {
                decide(db, &Scope::Organisation, &User { is_suspended, ..known.clone() }, &by)?;
            }
            // A decision that is the last one now may be followed by one that a phone restores.
            let is_recovering = db.recovery()?.is_some_and(|it| it.ended_at.is_none());
            let (devices, granted) = (db.devices()?, decisions::granted(db.reader())?);
            let mut phones = BTreeSet::new();
            for (_, device) in granted.into_iter().filter(|(granted, _)| *granted == user) {
                phones.extend(lineage(&devices, device).last());
                let suspension = Suspension { user_id: user, device_id: device, is_suspended };
                if is_recovering || !decisions::is_last(db.reader(), &suspension)? {
                    decide(db, &Scope::Device(device), &suspension, &by)?;
                }
            }
            Ok(phones.len())
        })
    }

    /// Orders a device to do something about itself. All but [`Order::Rekey`] also order the devices that it became by taking new keys.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a device, [`Error::Invalid`] for a wiped one or a new key while another order stands, [`Error::Io`],
    /// [`Error::Storage`].
    pub fn order(&self, organisation: OrganisationId, device: DeviceCode, order: Order) -> Result<(), Error> {
        let by = self.decided_by_operator();
        self.write(organisation, |db| {
            let devices = db.devices()?;
            let first = working_device(&devices, device)?.device_id;
            // A new key ends every other order, and would unlock a phone that was stolen.
            let standing = decisions::order(db.reader(), first)?.map_or(order, |it| it.order);
            if order == Order::Rekey && standing != order {
                return Err(Error::invalid("order", "the phone is lost or to be wiped: order it to resume first"));
            }
            let concerned = if order == Order::Rekey { vec![first] } else { with_successors(&devices, first) };
            for device in concerned {
                decide(db, &Scope::Device(device), &DeviceOrder { device_id: device, order }, &by)?;
            }
            Ok(())
        })
    }
}

/// Returns the device with this code, unless it has destroyed its data.
pub(crate) fn working_device(devices: &[Device], code: DeviceCode) -> Result<&Device, Error> {
    let device = devices.iter().find(|device| device.code == code).ok_or(Error::NotFound { what: "device" })?;
    match device.wiped_at {
        None => Ok(device),
        Some(_) => Err(Error::invalid("device", "this phone was wiped, and is enrolled no longer")),
    }
}

/// Returns a device and all that it became by taking new keys. The devices may be listed in any order.
fn with_successors(devices: &[Device], first: DeviceId) -> Vec<DeviceId> {
    let (mut found, mut next) = (vec![first], 0);
    while let Some(ancestor) = found.get(next).copied() {
        found.extend(devices.iter().filter(|it| it.ancestor_id == Some(ancestor)).map(|it| it.device_id));
        next += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use farmtally_core::units::Timestamp;

    use super::*;

    #[test]
    fn successors_are_found_in_any_order_of_the_devices() {
        let device = |number: u8, ancestor: Option<u8>| Device {
            device_id: [number; 16].into(),
            code: DeviceCode(number.into()),
            public_key: [number; 32],
            user_id: [9; 16].into(),
            model: String::new(),
            enrolled_at: Timestamp(0),
            seen_at: Timestamp(0),
            head: None,
            ancestor_id: ancestor.map(|ancestor| [ancestor; 16].into()),
            wiped_at: None,
        };
        let mut devices = vec![device(1, None), device(2, Some(1)), device(3, Some(2)), device(4, None)];
        let expected = [1, 2, 3].map(|number| DeviceId::from([number; 16]));
        assert_eq!(with_successors(&devices, expected[0]), expected);
        devices.reverse();
        assert_eq!(with_successors(&devices, expected[0]), expected);
    }
}
