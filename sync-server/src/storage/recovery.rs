//! Statements about recoveries, offered entries and verified copies.

use farmtally_core::codec::{decode, encode};
use farmtally_core::protocol::message::FrameEntry;
use farmtally_core::protocol::repair::Offer;
use farmtally_core::scope::Scope;
use farmtally_core::store::sql::{Column, Insert, Value, values};
use farmtally_core::units::{DeviceId, Timestamp, ToValue};

use super::sqlite::corrupt;
use super::{Access, CopyContent, Recovery, Transaction, WriteTransaction};
use crate::Error;

impl<C: Access + ?Sized> Transaction<'_, C> {
    /// Returns the newest recovery, whether or not it has ended.
    pub fn recovery(&mut self) -> Result<Option<Recovery>, Error> {
        let statement = "SELECT epoch, reason, started_at_ms, ended_at_ms FROM recoveries ORDER BY epoch DESC LIMIT 1";
        Ok(self.reader().query_one(statement, &[], |row| {
            Ok(Recovery { epoch: row.get(0)?, reason: row.get(1)?, started_at: row.get(2)?, ended_at: row.get(3)? })
        })?)
    }

    /// Returns when the newest verified copies were made, newest first, at most `limit`.
    pub fn backup_times(&mut self, limit: usize) -> Result<Vec<Timestamp>, Error> {
        let statement = "SELECT made_at_ms FROM backups ORDER BY made_at_ms DESC LIMIT ?1";
        Ok(self.reader().query_all(statement, &values![limit], |row| row.get(0))?)
    }

    /// Returns the newest verified copies, newest first, at most `limit`.
    pub fn newest_verified_copies(&mut self, limit: usize) -> Result<Vec<CopyContent>, Error> {
        let statement = "SELECT made_at_ms, content FROM backups ORDER BY made_at_ms DESC LIMIT ?1";
        let rows: Vec<(Timestamp, Vec<u8>)> =
            self.reader().query_all(statement, &values![limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let copied = |(made_at, content): (Timestamp, Vec<u8>)| {
            let (cursors, devices) = decode(&content).map_err(corrupt)?;
            Ok(CopyContent { made_at, cursors, devices })
        };
        rows.into_iter().map(copied).collect()
    }

    /// Returns the staged entries of a scope that a device has offered, and the sequence number before the first (0 without any).
    pub fn staged(&mut self, device: DeviceId, scope: &Scope) -> Result<(u64, Vec<FrameEntry>), Error> {
        let statement = "SELECT seq, entry FROM staged WHERE device_id = ?1 AND scope = ?2 ORDER BY seq";
        let rows: Vec<(u64, Vec<u8>)> =
            self.reader().query_all(statement, &values![device, scope], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let after = rows.first().map_or(0, |(sequence, _)| sequence - 1);
        let entries = rows.iter().map(|(_, entry)| decode(entry).map_err(corrupt)).collect::<Result<_, _>>()?;
        Ok((after, entries))
    }

    /// Returns the size of a device's staged entries in all scopes, in bytes.
    pub fn staged_bytes(&mut self, device: DeviceId) -> Result<u64, Error> {
        let statement = "SELECT CAST(coalesce(sum(length(entry)), 0) AS BIGINT) FROM staged WHERE device_id = ?1";
        Ok(self.reader().query_one(statement, &values![device], |row| row.get(0))?.unwrap_or(0))
    }
}

impl WriteTransaction<'_> {
    /// Adds a recovery; of a known epoch, it records only the end.
    pub fn save_recovery(&mut self, recovery: &Recovery) -> Result<(), Error> {
        self.run(
            "INSERT INTO recoveries (epoch, reason, started_at_ms, ended_at_ms) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (epoch) DO UPDATE SET ended_at_ms = excluded.ended_at_ms",
            &values![recovery.epoch, recovery.reason, recovery.started_at, recovery.ended_at],
        )
    }

    /// Adds a verified copy at `now`, or replaces the one with its id. Phones know a copy by its time, so each gets a time of its own. Copies
    /// that were verified while the clock was ahead count no longer: they would pass for the newest until it gets there.
    pub fn save_backup(&mut self, copy_id: [u8; 16], copied: &CopyContent, now: Timestamp) -> Result<(), Error> {
        self.run("DELETE FROM backups WHERE copy_id = ?1 OR made_at_ms > ?2", &values![copy_id, now])?;
        let mut made_at = copied.made_at;
        while self.reader().exists("SELECT 1 FROM backups WHERE made_at_ms = ?1", &values![made_at])? {
            made_at.0 += 1;
        }
        self.run(
            "INSERT INTO backups (made_at_ms, copy_id, content) VALUES (?1, ?2, ?3)",
            &values![made_at, copy_id, encode(&(copied.cursors.clone(), copied.devices.clone()))],
        )
    }

    /// Stages a piece of what a device offers; a piece that does not follow a staged entry of its scope replaces all of these.
    pub fn stage(&mut self, device: DeviceId, offer: &Offer) -> Result<(), Error> {
        let follows = "SELECT 1 FROM staged WHERE device_id = ?1 AND scope = ?2 AND seq = ?3";
        if !self.reader().exists(follows, &values![device, offer.scope, offer.after])? {
            self.clear_stage(device, &offer.scope)?;
        }
        let rows: Vec<Value<'_>> = (offer.after + 1..)
            .zip(&offer.entries)
            .flat_map(|(sequence, entry)| {
                [device.to_value(), offer.scope.to_value(), Value::int(sequence), Value::Blob(encode(entry).into())]
            })
            .collect();
        let columns = [Column::blob("device_id"), Column::text("scope"), Column::int("seq"), Column::blob("entry")];
        let on_conflict = "ON CONFLICT (device_id, scope, seq) DO UPDATE SET entry = excluded.entry";
        self.put(&Insert { table: "staged", columns: &columns, on_conflict }, &rows)
    }

    /// Deletes a device's staged entries of a scope.
    pub fn clear_stage(&mut self, device: DeviceId, scope: &Scope) -> Result<(), Error> {
        self.run("DELETE FROM staged WHERE device_id = ?1 AND scope = ?2", &values![device, scope])
    }

    /// Deletes the staged entries of all devices and scopes.
    pub fn clear_stages(&mut self) -> Result<(), Error> {
        self.run("DELETE FROM staged", &[])
    }
}
