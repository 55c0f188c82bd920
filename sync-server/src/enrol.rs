//! Enrolment of a phone as a device of an organisation, and its change of keys.
//!
//! Invariant: a code is redeemed once. The same code with the same key gets the same answer again, so a lost answer does no harm.

use farmtally_core::decisions::{DecidedBy, Grant, Order, Suspension};
use farmtally_core::limits::MAX_TEXT;
use farmtally_core::protocol::message::{Certificate, EnrolRequest, Enrolment, RekeyRequest};
use farmtally_core::scope::Scope;
use farmtally_core::store::decisions;
use farmtally_core::sync::WireRequest;
use farmtally_core::text::{normalize, printable};
use farmtally_core::units::{DeviceCode, DeviceId, EnrolCode, GrantId, OrganisationId, Timestamp};

use crate::ingest::{decide, lineage};
use crate::office::code_hash;
use crate::recovery::require_no_recovery;
use crate::storage::{Device, EnrolmentCode, ReadTransaction, WriteTransaction};
use crate::users::is_suspended;
use crate::wire::{pack, require_protocol, unpack};
use crate::{Error, Server};

impl Server {
    /// Enrols a phone by a code. The same code and key get the same answer again, even once the code has expired.
    pub(crate) fn redeem(&self, body: &[u8]) -> Result<Vec<u8>, Error> {
        let request: EnrolRequest = unpack(body)?;
        require_protocol(request.protocol)?;
        let wrong = |reason: &str| Error::invalid("code", reason);
        let key = request.verified_key().ok_or_else(|| wrong("the signature does not match the key"))?.to_bytes();
        let code: EnrolCode = request.code.parse().map_err(|error| Error::invalid("code", error))?;
        let hash = code_hash(&code);
        let unknown = "the code is not known: ask the office for a new one";
        let organisation = self.storage.route(&hash)?.ok_or_else(|| wrong(unknown))?;
        let (fresh, grant): (DeviceId, GrantId) = (self.environment.new_id(), self.environment.new_id());
        let now = self.environment.clock.now();
        let is_open = |code: EnrolmentCode| code.device_id.is_none() && !code.is_expired(now);
        if self.read(organisation, |db| db.enrolment_code(&hash))?.is_some_and(is_open) {
            // The route is added before the device: a route to no device is harmless, a device without a route could not connect.
            self.storage.add_route(fresh.as_bytes(), organisation)?;
        }
        let device = self.write(organisation, |db| {
            let code = db.enrolment_code(&hash)?.ok_or_else(|| wrong(unknown))?;
            match code.device_id {
                Some(device) => match db.device(device)? {
                    Some(known) if known.public_key == key => Ok(known),
                    _ => Err(wrong("the code was used already: ask the office for a new one")),
                },
                None if code.is_expired(now) => Err(wrong("the code has expired: ask the office for a new one")),
                None if db.devices()?.iter().any(|device| device.public_key == key) => {
                    Err(wrong("this key was enrolled with another code: enter that one again"))
                }
                None => {
                    require_no_recovery(db)?;
                    if is_suspended(db, code.user_id)? {
                        return Err(wrong("the user is suspended: ask the office"));
                    }
                    let mut device = Device {
                        device_id: fresh,
                        code: DeviceCode(0),
                        public_key: key,
                        user_id: code.user_id,
                        model: normalize(&printable(&request.model)).chars().take(MAX_TEXT).collect(),
                        enrolled_at: now,
                        seen_at: now,
                        head: None,
                        ancestor_id: None,
                        wiped_at: None,
                    };
                    device.code = self.add_device(db, organisation, &device)?;
                    db.save_enrolment_code(&EnrolmentCode { device_id: Some(fresh), ..code.clone() })?;
                    let grant = Grant {
                        grant_id: grant,
                        user_id: code.user_id,
                        device_id: fresh,
                        role: code.role,
                        centres: code.centres,
                    };
                    decide(db, &Scope::Device(fresh), &grant, &DecidedBy::server(now))?;
                    Ok(device)
                }
            }
        })?;
        self.enrolment(organisation, &device, now)
    }

    /// Adds a device under a code that is new to database and journal, not `device.code`. Records the code in the journal, and returns it.
    pub(crate) fn add_device(
        &self,
        db: &mut WriteTransaction<'_>,
        organisation: OrganisationId,
        device: &Device,
    ) -> Result<DeviceCode, Error> {
        let code = db.add_device(device, self.journal.newest_code(organisation)?)?;
        self.journal.record_device_code(organisation, code)?;
        Ok(code)
    }

    fn enrolment(&self, organisation: OrganisationId, device: &Device, now: Timestamp) -> Result<Vec<u8>, Error> {
        let certificate = Certificate {
            organisation_id: organisation,
            device_id: device.device_id,
            device_code: device.code,
            public_key: device.public_key,
            user_id: device.user_id,
            ancestor_id: device.ancestor_id,
            enrolled_at: device.enrolled_at,
            successor_key: self.keys.successor,
            signature: [0; 64],
        };
        pack(&Enrolment {
            certificate: certificate.sign(&self.keys.signing),
            server_key: self.keys.public(),
            challenge: self.keys.challenge(now),
            server_time: now,
        })
    }

    /// Enrols a device with an order to rekey again, under a new key and id. The first copy inherits the grants, those of suspended users with
    /// the suspension; any other only uploads.
    pub(crate) fn rekey(&self, request: &WireRequest) -> Result<Vec<u8>, Error> {
        let now = self.environment.clock.now();
        let (organisation, Device { device_id: old, .. }) = self.authenticate(request, now)?;
        let rekey: RekeyRequest = unpack(&request.body)?;
        require_protocol(rekey.protocol)?;
        let wrong = |reason: &str| Error::invalid("public_key", reason);
        let key = rekey.verified_key(old).ok_or_else(|| wrong("the signature does not match the key"))?.to_bytes();
        let fresh: DeviceId = self.environment.new_id();
        let is_due = |db: &mut ReadTransaction<'_>| {
            Ok(decisions::order(db.reader(), old)?.is_some_and(|order| order.order == Order::Rekey)
                && !db.devices()?.iter().any(|device| device.public_key == key))
        };
        if self.read(organisation, is_due)? {
            // The route is added before the device: a route to no device is harmless, a device without a route could not connect.
            self.storage.add_route(fresh.as_bytes(), organisation)?;
        }
        let device = self.write(organisation, |db| {
            let devices = db.devices()?;
            if let Some(known) = devices.iter().find(|device| device.public_key == key) {
                let is_same = known.ancestor_id == Some(old);
                return if is_same { Ok(known.clone()) } else { Err(wrong("this key belongs to another device")) };
            }
            if decisions::order(db.reader(), old)?.is_none_or(|order| order.order != Order::Rekey) {
                return Err(wrong("the office did not order a new key for this device"));
            }
            let before = db.device(old)?.ok_or(Error::NotFound { what: "device" })?;
            let origin = lineage(&devices, old).last();
            let is_first =
                !devices.iter().any(|it| it.ancestor_id.is_some() && lineage(&devices, it.device_id).last() == origin);
            let mut device = Device {
                device_id: fresh,
                public_key: key,
                enrolled_at: now,
                seen_at: now,
                head: None,
                ancestor_id: Some(old),
                wiped_at: None,
                ..before
            };
            device.code = self.add_device(db, organisation, &device)?;
            let grants = if is_first { decisions::unrevoked_grants_of(db.reader(), old)? } else { Vec::new() };
            for user_id in decisions::suspended_on(db.reader(), old)? {
                // Before the grants, so that none of them is in force for a moment.
                if grants.iter().any(|grant| grant.user_id == user_id) {
                    let suspension = Suspension { user_id, device_id: fresh, is_suspended: true };
                    decide(db, &Scope::Device(fresh), &suspension, &DecidedBy::server(now))?;
                }
            }
            for grant in grants {
                let grant = Grant { grant_id: self.environment.new_id(), device_id: fresh, ..grant };
                decide(db, &Scope::Device(fresh), &grant, &DecidedBy::server(now))?;
            }
            Ok(device)
        })?;
        self.enrolment(organisation, &device, now)
    }
}
