//! How a phone becomes a device of an organisation.
//!
//! Invariant: a code is redeemed once; the same code with the same key is answered the same way again, so a lost answer costs nothing.

use farmtally_core::decisions::{Decision, Grant};
use farmtally_core::environment::Environment;
use farmtally_core::scope::Scope;
use farmtally_core::sync::message::{EnrolRequest, Enrolment};
use farmtally_core::units::{DeviceCode, DeviceId, OrganisationId};

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
    Ok(Enrolment {
        organisation,
        device: device.device,
        device_code: device.code,
        user: device.user,
        server_key: keys.public(),
        successor_key: keys.successor(),
        challenge: keys.challenge(now),
        server_time: now,
    })
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
