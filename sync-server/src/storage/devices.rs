//! Statements about devices and enrolment codes.

use farmtally_core::protocol::message::DeviceHead;
use farmtally_core::store::sql::{self, Row, values};
use farmtally_core::units::{BundleHash, DeviceCode, DeviceId, Timestamp};

use super::{Access, Device, EnrolmentCode, Transaction, WriteTransaction};
use crate::Error;

/// Device codes skipped with each recovery.
const CODES_PER_RECOVERY: u32 = 10_000;

const DEVICE: &str =
    "devices.device_id, device_code, public_key, user_id, model, enrolled_at_ms, seen_at_ms, head_seq, head_hash,
    ancestor_id, wiped_at_ms";

fn device(row: &dyn Row) -> Result<Device, sql::Error> {
    let hash: Option<BundleHash> = row.get(8)?;
    let sequence = row.get(7)?;
    Ok(Device {
        device_id: row.get(0)?,
        code: row.get(1)?,
        public_key: row.get(2)?,
        user_id: row.get(3)?,
        model: row.get(4)?,
        enrolled_at: row.get(5)?,
        seen_at: row.get(6)?,
        head: hash.map(|hash| DeviceHead { sequence, hash }),
        ancestor_id: row.get(9)?,
        wiped_at: row.get(10)?,
    })
}

impl<C: Access + ?Sized> Transaction<'_, C> {
    /// Returns a device by its id.
    pub fn device(&mut self, id: DeviceId) -> Result<Option<Device>, Error> {
        Ok(self.reader().query_one(
            &format!("SELECT {DEVICE} FROM devices WHERE device_id = ?1"),
            &values![id],
            device,
        )?)
    }

    /// Returns all devices that were ever enrolled, ordered by code; also wiped ones and those that took a new key.
    pub fn devices(&mut self) -> Result<Vec<Device>, Error> {
        Ok(self.reader().query_all(&format!("SELECT {DEVICE} FROM devices ORDER BY device_code"), &[], device)?)
    }

    /// Returns a device, then those that it was before it took new keys, newest first; nothing for an unknown id.
    pub fn lineage(&mut self, id: DeviceId) -> Result<Vec<Device>, Error> {
        let statement = format!(
            "WITH RECURSIVE lineage (device_id, generation) AS (
                 SELECT device_id, 0 FROM devices WHERE device_id = ?1
                 UNION ALL
                 SELECT devices.ancestor_id, generation + 1 FROM lineage
                 JOIN devices ON devices.device_id = lineage.device_id WHERE devices.ancestor_id IS NOT NULL)
             SELECT {DEVICE} FROM lineage JOIN devices ON devices.device_id = lineage.device_id ORDER BY generation"
        );
        Ok(self.reader().query_all(&statement, &values![id], device)?)
    }

    /// Returns an enrolment code by its hash, even if it was redeemed or has expired.
    pub fn enrolment_code(&mut self, hash: &[u8; 32]) -> Result<Option<EnrolmentCode>, Error> {
        let statement =
            "SELECT user_id, role, centres, expires_at_ms, device_id FROM enrolment_codes WHERE code_hash = ?1";
        Ok(self.reader().query_one(statement, &values![hash], |row| {
            let (user, role, centres) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(EnrolmentCode {
                hash: *hash,
                user_id: user,
                role,
                centres,
                expires_at: row.get(3)?,
                device_id: row.get(4)?,
            })
        })?)
    }
}

impl WriteTransaction<'_> {
    /// Adds a device under a new code above all here and above `given`, and returns it; ignores `device.code`. Does not write the journal.
    pub fn add_device(&mut self, device: &Device, given: u32) -> Result<DeviceCode, Error> {
        let statement = "SELECT (SELECT coalesce(max(device_code), 0) FROM devices), (SELECT coalesce(max(epoch), 0) FROM recoveries)";
        let numbers = self.reader().query_one(statement, &[], |row| Ok((row.get::<u32>(0)?, row.get::<u32>(1)?)))?;
        let (newest, recoveries) = numbers.unwrap_or_default();
        // At least 32, so that all codes have two characters; and far above those that a lost database may have given out.
        let floor = recoveries.saturating_mul(CODES_PER_RECOVERY).saturating_add(32);
        let code = DeviceCode(newest.max(given).saturating_add(1).max(floor));
        self.readmit_device(&Device { code, ..device.clone() })?;
        Ok(code)
    }

    /// Adds a device under `device.code`, which must be free, without its head and wipe receipt.
    pub fn readmit_device(&mut self, device: &Device) -> Result<(), Error> {
        self.run(
            "INSERT INTO devices (device_id, device_code, public_key, user_id, model, enrolled_at_ms, seen_at_ms, head_seq,
                 ancestor_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8)",
            &values![
                device.device_id,
                device.code,
                device.public_key,
                device.user_id,
                device.model,
                device.enrolled_at,
                device.seen_at,
                device.ancestor_id
            ],
        )
    }

    /// Records the time of a device's last contact.
    pub fn set_seen(&mut self, device: DeviceId, at: Timestamp) -> Result<(), Error> {
        self.run("UPDATE devices SET seen_at_ms = ?2 WHERE device_id = ?1", &values![device, at])
    }

    /// Sets a device's head. The caller ensures that no bundle before it is missing.
    pub fn set_head(&mut self, device: DeviceId, head: DeviceHead) -> Result<(), Error> {
        let update = "UPDATE devices SET head_seq = ?2, head_hash = ?3 WHERE device_id = ?1";
        self.run(update, &values![device, head.sequence, head.hash])
    }

    /// Records the time of the receipt that a device sends before it destroys its data; the first one counts.
    pub fn set_wiped(&mut self, device: DeviceId, at: Timestamp) -> Result<(), Error> {
        let update = "UPDATE devices SET wiped_at_ms = coalesce(wiped_at_ms, ?2) WHERE device_id = ?1";
        self.run(update, &values![device, at])
    }

    /// Adds an enrolment code, or records the device that redeemed it.
    pub fn save_enrolment_code(&mut self, code: &EnrolmentCode) -> Result<(), Error> {
        self.run(
            "INSERT INTO enrolment_codes (code_hash, user_id, role, centres, expires_at_ms, device_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (code_hash) DO UPDATE SET device_id = excluded.device_id",
            &values![code.hash, code.user_id, code.role, code.centres, code.expires_at, code.device_id],
        )
    }
}
