//! Who this phone is to its server, and what it counts by itself.
//!
//! Owns the tables `installation` and `counters`.

use ed25519_dalek::SigningKey;
use rusqlite::{Connection, OptionalExtension};

use super::Error;
use crate::sync::message::{Challenge, Enrolment};
use crate::units::{DeviceCode, DeviceId, HybridTime, OrganisationId, Timestamp, UserId};

/// What enrolment gave.
#[derive(Clone, Debug)]
pub(crate) struct Installation {
    pub(crate) organisation: OrganisationId,
    pub(crate) device: DeviceId,
    pub(crate) device_code: DeviceCode,
    pub(crate) user: UserId,
    pub(crate) key: SigningKey,
    pub(crate) server_url: String,
    pub(crate) server_key: [u8; 32],
    pub(crate) challenge: Challenge,
    pub(crate) server_time: Timestamp,
    pub(crate) synced_at: Option<Timestamp>,
}

pub(crate) fn load(db: &Connection) -> Result<Option<Installation>, Error> {
    let mut statement = db.prepare_cached(
        "SELECT organisation_id, device_id, device_code, user_id, secret_key, server_url, server_key, challenge, server_time_ms,
             synced_at_ms
         FROM installation",
    )?;
    let installation = statement.query_row([], |row| {
        Ok(Installation {
            organisation: row.get(0)?,
            device: row.get(1)?,
            device_code: DeviceCode(row.get(2)?),
            user: row.get(3)?,
            key: SigningKey::from_bytes(&row.get::<_, [u8; 32]>(4)?),
            server_url: row.get(5)?,
            server_key: row.get(6)?,
            challenge: Challenge(row.get(7)?),
            server_time: Timestamp(row.get(8)?),
            synced_at: row.get::<_, Option<i64>>(9)?.map(Timestamp),
        })
    });
    Ok(installation.optional()?)
}

/// The key to enrol with: the one of an attempt with this code whose answer was lost, or `fresh`, kept before anything is sent.
pub(crate) fn enrolling_key(db: &Connection, code: &str, fresh: SigningKey) -> Result<SigningKey, Error> {
    let kept = db
        .query_row("SELECT secret_key FROM enrolling WHERE code = ?1", [code], |row| row.get::<_, [u8; 32]>(0))
        .optional()?;
    if let Some(kept) = kept {
        return Ok(SigningKey::from_bytes(&kept));
    }
    db.execute("INSERT INTO enrolling (code, secret_key) VALUES (?1, ?2)", (code, fresh.as_bytes()))?;
    Ok(fresh)
}

pub(crate) fn save(db: &Connection, key: &SigningKey, server_url: &str, enrolment: &Enrolment) -> Result<(), Error> {
    db.execute(
        "INSERT INTO installation (id, organisation_id, device_id, device_code, user_id, secret_key, server_url, server_key,
             successor_key, challenge, server_time_ms)
         VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        (
            enrolment.organisation,
            enrolment.device,
            enrolment.device_code.0,
            enrolment.user,
            key.as_bytes(),
            server_url,
            enrolment.server_key,
            enrolment.successor_key,
            enrolment.challenge.0,
            enrolment.server_time.0,
        ),
    )?;
    db.execute("DELETE FROM enrolling", [])?;
    Ok(())
}

pub(crate) fn save_contact(db: &Connection, challenge: Challenge, server_time: Timestamp) -> Result<(), Error> {
    db.execute("UPDATE installation SET challenge = ?1, server_time_ms = ?2", (challenge.0, server_time.0))?;
    Ok(())
}

pub(crate) fn save_synced(db: &Connection, at: Timestamp) -> Result<(), Error> {
    db.execute("UPDATE installation SET synced_at_ms = ?1", [at.0])?;
    Ok(())
}

pub(crate) fn save_exported(db: &Connection, at: Timestamp) -> Result<(), Error> {
    db.execute("UPDATE installation SET exported_at_ms = ?1", [at.0])?;
    Ok(())
}

pub(crate) fn exported_at(db: &Connection) -> Result<Option<Timestamp>, Error> {
    let mut statement = db.prepare_cached("SELECT exported_at_ms FROM installation")?;
    let at: Option<Option<i64>> = statement.query_row([], |row| row.get(0)).optional()?;
    Ok(at.flatten().map(Timestamp))
}

/// What the phone counts by itself: numbers for people, actions, time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counters {
    pub(crate) receipts: u32,
    pub(crate) loads: u32,
    pub(crate) farmers: u32,
    pub(crate) actions: u64,
    pub(crate) hybrid: HybridTime,
}

impl Counters {
    pub(crate) fn load(db: &Connection) -> Result<Self, Error> {
        let sql = "SELECT receipts, loads, farmers, actions, hybrid_ms, hybrid_counter FROM counters";
        Ok(db.query_row(sql, [], |row| {
            Ok(Self {
                receipts: row.get(0)?,
                loads: row.get(1)?,
                farmers: row.get(2)?,
                actions: row.get(3)?,
                hybrid: HybridTime { wall_ms: row.get(4)?, counter: row.get(5)? },
            })
        })?)
    }

    pub(crate) fn save(&self, db: &Connection) -> Result<(), Error> {
        let mut statement = db.prepare_cached(
            "UPDATE counters SET receipts = ?1, loads = ?2, farmers = ?3, actions = ?4, hybrid_ms = ?5, hybrid_counter = ?6",
        )?;
        let Self { receipts, loads, farmers, actions, hybrid } = self;
        statement.execute((receipts, loads, farmers, actions, hybrid.wall_ms, hybrid.counter))?;
        Ok(())
    }
}
