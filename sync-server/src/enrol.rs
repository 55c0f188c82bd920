//! How a phone becomes a device of an organisation.
//!
//! Invariant: a code is redeemed once; the same code with the same key is answered the same way again, so a lost answer costs nothing.

use farmtally_core::decisions::{Decision, Grant, Order};
use farmtally_core::environment::Environment;
use farmtally_core::scope::Scope;
use farmtally_core::sync::message::{EnrolRequest, Enrolment, RekeyRequest};
use farmtally_core::units::{DeviceCode, DeviceId, OrganisationId, Timestamp};

use crate::Error;
use crate::ingest::decide;
use crate::keys::Keys;
use crate::office::code_hash;
use crate::storage::{Device, EnrolmentCode, Storage, Transaction};

pub(crate) fn enrol(
    storage: &dyn Storage,
    keys: &Keys,
    environment: &Environment,
    request: &EnrolRequest,
) -> Result<Enrolment, Error> {
    let wrong = |reason: &str| Error::Invalid { field: "code", reason: reason.to_owned() };
    let key = request.verified_key().ok_or_else(|| wrong("the proof does not fit the key"))?.to_bytes();
    let hash = code_hash(&request.code);
    let unknown = "the code is not known: ask the office for a new one";
    let organisation = storage.route(&hash)?.ok_or_else(|| wrong(unknown))?;
    let fresh: DeviceId = environment.new_id();
    let now = environment.clock.now();
    let mut is_open = false;
    storage.read(organisation, &mut |db| {
        is_open = db.enrolment_code(&hash)?.is_some_and(|code| code.device.is_none() && code.expires_at >= now);
        Ok(())
    })?;
    if is_open {
        // Before the device exists: a route to nothing is harmless, a device without one would be locked out.
        storage.add_route(fresh.as_bytes(), organisation)?;
    }
    let mut enrolled = None;
    storage.write(organisation, &mut |db| {
        let code = db.enrolment_code(&hash)?.ok_or_else(|| wrong(unknown))?;
        let device = match code.device {
            Some(device) => match db.device(device)? {
                Some(known) if known.public_key == key => known,
                _ => return Err(wrong("the code was used already: ask the office for a new one")),
            },
            None if code.expires_at < now => return Err(wrong("the code has expired: ask the office for a new one")),
            None if db.devices()?.iter().any(|device| device.public_key == key) => {
                return Err(wrong("this key was enrolled with another code: enter that one again"));
            }
            None => {
                let mut device = Device {
                    device: fresh,
                    code: DeviceCode(0),
                    public_key: key,
                    user: code.user,
                    model: request.model.chars().take(farmtally_core::limits::MAX_TEXT).collect(),
                    enrolled_at: now,
                    seen_at: now,
                    head: None,
                    ancestor: None,
                    wiped_at: None,
                };
                device.code = db.add_device(&device)?;
                grant(db, environment, organisation, &code, fresh)?;
                device
            }
        };
        enrolled = Some(device);
        Ok(())
    })?;
    let device = enrolled.ok_or(Error::NotFound { what: "device" })?;
    Ok(answer(keys, organisation, &device, now))
}

fn answer(keys: &Keys, organisation: OrganisationId, device: &Device, now: Timestamp) -> Enrolment {
    Enrolment {
        organisation,
        device: device.device,
        device_code: device.code,
        user: device.user,
        server_key: keys.public(),
        successor_key: keys.successor(),
        challenge: keys.challenge(now),
        server_time: now,
    }
}

/// Lets a device that was copied go on under a new key and id. The first copy inherits the grants; any further one only hands in, until
/// the office grants it something.
pub(crate) fn rekey(
    storage: &dyn Storage,
    keys: &Keys,
    environment: &Environment,
    organisation: OrganisationId,
    old: DeviceId,
    request: &RekeyRequest,
) -> Result<Enrolment, Error> {
    let wrong = |reason: &str| Error::Invalid { field: "public_key", reason: reason.to_owned() };
    let key = request.verified_key(old).ok_or_else(|| wrong("the proof does not fit the key"))?.to_bytes();
    let fresh: DeviceId = environment.new_id();
    let now = environment.clock.now();
    // Before the device exists: a route to nothing is harmless, a device without one would be locked out.
    storage.add_route(fresh.as_bytes(), organisation)?;
    let mut rekeyed = None;
    storage.write(organisation, &mut |db| {
        let devices = db.devices()?;
        if let Some(known) = devices.iter().find(|device| device.public_key == key) {
            if known.ancestor != Some(old) {
                return Err(wrong("this key belongs to another device"));
            }
            rekeyed = Some(known.clone());
            return Ok(());
        }
        if db.order(old)?.is_none_or(|order| order.order != Order::Rekey) {
            return Err(wrong("nobody asked this device to take a new key"));
        }
        let before = db.device(old)?.ok_or(Error::NotFound { what: "device" })?;
        let is_first =
            devices.iter().all(|device| device.ancestor.is_none() || root(&devices, device) != root(&devices, &before));
        let mut device = Device {
            device: fresh,
            public_key: key,
            enrolled_at: now,
            seen_at: now,
            head: None,
            ancestor: Some(old),
            wiped_at: None,
            ..before
        };
        device.code = db.add_device(&device)?;
        if is_first {
            let grants: Vec<Grant> = db.reference()?.grants.into_iter().filter(|grant| grant.device == old).collect();
            for grant in grants {
                let work = db.next_work()?;
                let grant = Grant { grant: environment.new_id(), device: fresh, ..grant };
                decide(db, organisation, &Scope::Device(fresh), work, &Decision::Grant(grant))?;
            }
        }
        rekeyed = Some(device);
        Ok(())
    })?;
    let device = rekeyed.ok_or(Error::NotFound { what: "device" })?;
    Ok(answer(keys, organisation, &device, now))
}

/// The installation that a device began as.
fn root(devices: &[Device], device: &Device) -> DeviceId {
    let mut at = device;
    while let Some(before) = at.ancestor.and_then(|id| devices.iter().find(|device| device.device == id)) {
        at = before;
    }
    at.device
}

/// Redeems the code: the grant goes into the device's own scope.
fn grant(
    db: &mut dyn Transaction,
    environment: &Environment,
    organisation: OrganisationId,
    code: &EnrolmentCode,
    device: DeviceId,
) -> Result<(), Error> {
    db.save_enrolment_code(&EnrolmentCode { device: Some(device), ..code.clone() })?;
    let grant = Grant {
        grant: environment.new_id(),
        user: code.user,
        device,
        role: code.role,
        centres: code.centres.clone(),
        granted_at: environment.clock.now(),
    };
    let work = db.next_work()?;
    decide(db, organisation, &Scope::Device(device), work, &Decision::Grant(grant))
}
