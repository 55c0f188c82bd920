//! The identity of this phone, its contact with the server, and its counters.

use ed25519_dalek::SigningKey;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension};

use super::Error;
use crate::codec::{decode, encode};
use crate::protocol::message::{Certificate, Challenge, Enrolment};
use crate::units::{DeviceCode, DeviceId, HybridTime, OrganisationId, Timestamp, UserId};

/// The identity and keys from enrolment, the current user (perhaps not `certificate.user_id`), and the last contact with the server:
/// `server_time` by the server's clock; `synced_at`, the last complete sync, by the phone's time.
#[derive(Clone, Debug)]
pub(crate) struct Installation {
    pub(crate) organisation_id: OrganisationId,
    pub(crate) device_id: DeviceId,
    pub(crate) device_code: DeviceCode,
    pub(crate) user_id: UserId,
    pub(crate) key: SigningKey,
    pub(crate) server_url: String,
    /// Address to which the server says that it moves; `None` once it has answered there.
    pub(crate) next_server_url: Option<String>,
    pub(crate) server_key: [u8; 32],
    pub(crate) challenge: Challenge,
    pub(crate) server_time: Timestamp,
    pub(crate) synced_at: Option<Timestamp>,
    pub(crate) certificate: Certificate,
    /// When the newest safe copy that the phone knows was made, in milliseconds by the server's clock; 0 for none.
    pub(crate) safe_copy: u64,
}

/// Returns the installation; `None` before enrolment and after a wipe.
pub(crate) fn load(db: &Connection) -> Result<Option<Installation>, Error> {
    let mut statement = db.prepare_cached(
        "SELECT user_id, secret_key, server_url, server_key, challenge, server_time_ms, synced_at_ms, certificate, safe_copy,
             next_server_url
         FROM installation",
    )?;
    let installation = statement.query_row([], |row| {
        let certificate: Certificate = decode(&row.get::<_, Vec<u8>>(7)?)
            .map_err(|error| rusqlite::Error::FromSqlConversionFailure(7, Type::Blob, error.into()))?;
        Ok(Installation {
            organisation_id: certificate.organisation_id,
            device_id: certificate.device_id,
            device_code: certificate.device_code,
            user_id: row.get(0)?,
            key: SigningKey::from_bytes(&row.get::<_, [u8; 32]>(1)?),
            server_url: row.get(2)?,
            server_key: row.get(3)?,
            challenge: Challenge(row.get(4)?),
            server_time: Timestamp(row.get(5)?),
            synced_at: row.get::<_, Option<i64>>(6)?.map(Timestamp),
            safe_copy: row.get(8)?,
            next_server_url: row.get(9)?,
            certificate,
        })
    });
    Ok(installation.optional()?)
}

/// Returns the key for an enrolment code, or for the old device id at a rekey: that of an earlier attempt, or `fresh`, which is then saved.
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
    let certificate = &enrolment.certificate;
    db.execute(
        "INSERT INTO installation (id, user_id, secret_key, server_url, server_key, challenge, server_time_ms, certificate)
         VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        (
            certificate.user_id,
            key.as_bytes(),
            server_url,
            enrolment.server_key,
            enrolment.challenge.0,
            enrolment.server_time.0,
            encode(certificate),
        ),
    )?;
    db.execute("DELETE FROM enrolling", [])?;
    Ok(())
}

/// Saves a new device id, code and key; user and server stay. The caller also unseals the outbox, in the same transaction.
pub(crate) fn rekey(db: &Connection, key: &SigningKey, enrolment: &Enrolment) -> Result<(), Error> {
    let update = "UPDATE installation SET secret_key = ?1, challenge = ?2, server_time_ms = ?3, certificate = ?4, server_head = 0";
    let certificate = encode(&enrolment.certificate);
    db.execute(update, (key.as_bytes(), enrolment.challenge.0, enrolment.server_time.0, certificate))?;
    db.execute("DELETE FROM enrolling", [])?;
    Ok(())
}

pub(crate) fn switch_user(db: &Connection, user: UserId) -> Result<(), Error> {
    db.execute("UPDATE installation SET user_id = ?1", [user])?;
    Ok(())
}

/// Deletes all that was recorded or received, keys and unanswered bundles too, without checking that the server has it. Keeps the counters,
/// because a phone that is enrolled again must not give a receipt number twice.
pub(crate) fn wipe(db: &Connection) -> Result<(), Error> {
    let tables =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'counters'";
    let mut statement = db.prepare(tables)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        db.execute(&format!("DELETE FROM {}", row.get::<_, String>(0)?), [])?;
    }
    Ok(())
}

/// Saves what each signed answer says: the challenge and time of the server, the address where it answered, and the one to which it moves.
pub(crate) fn save_contact(
    db: &Connection,
    challenge: Challenge,
    server_time: Timestamp,
    server_url: &str,
    next_server_url: Option<&str>,
) -> Result<(), Error> {
    let update = "UPDATE installation SET challenge = ?1, server_time_ms = ?2, server_url = ?3, next_server_url = ?4";
    db.execute(update, (challenge.0, server_time.0, server_url, next_server_url))?;
    Ok(())
}

pub(crate) fn save_safe_copy(db: &Connection, copy: u64) -> Result<(), Error> {
    db.execute("UPDATE installation SET safe_copy = ?1", [copy])?;
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

pub(crate) fn count_discard(db: &Connection) -> Result<(), Error> {
    db.execute("UPDATE counters SET discards = discards + 1", [])?;
    Ok(())
}

/// Returns the number of drafts that were discarded on this phone.
pub(crate) fn discards(db: &Connection) -> Result<u32, Error> {
    Ok(db.query_row("SELECT discards FROM counters", [], |row| row.get(0))?)
}

/// The phone's counters: the last receipt, load, farmer and action numbers that it used, and time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counters {
    pub(crate) receipts: u32,
    pub(crate) loads: u32,
    pub(crate) farmers: u32,
    pub(crate) actions: u64,
    pub(crate) hybrid: HybridTime,
    /// Milliseconds without contact with the server, up to when this was last saved.
    pub(crate) idle_ms: u64,
    /// The phone's time then, an estimate of the server's; 0 before the first contact.
    pub(crate) phone_time: Timestamp,
    /// The boot clock then, and the boot that it belongs to.
    pub(crate) boot_ms: u64,
    pub(crate) boot_id: [u8; 16],
    /// The wall clock then.
    pub(crate) seen_at: Timestamp,
}

impl Counters {
    pub(crate) fn load(db: &Connection) -> Result<Self, Error> {
        let sql = "SELECT receipts, loads, farmers, actions, hybrid_ms, hybrid_counter, idle_ms, phone_time_ms, boot_ms, boot_id,
                seen_at_ms
             FROM counters";
        Ok(db.query_row(sql, [], |row| {
            Ok(Self {
                receipts: row.get(0)?,
                loads: row.get(1)?,
                farmers: row.get(2)?,
                actions: row.get(3)?,
                hybrid: HybridTime { wall_ms: row.get(4)?, counter: row.get(5)? },
                idle_ms: row.get(6)?,
                phone_time: Timestamp(row.get(7)?),
                boot_ms: row.get(8)?,
                boot_id: row.get(9)?,
                seen_at: Timestamp(row.get(10)?),
            })
        })?)
    }

    pub(crate) fn save(&self, db: &Connection) -> Result<(), Error> {
        let mut statement = db.prepare_cached(
            "UPDATE counters SET receipts = ?1, loads = ?2, farmers = ?3, actions = ?4, hybrid_ms = ?5, hybrid_counter = ?6,
                 idle_ms = ?7, phone_time_ms = ?8, boot_ms = ?9, boot_id = ?10, seen_at_ms = ?11",
        )?;
        let Self { receipts, loads, farmers, actions, hybrid, idle_ms, phone_time, boot_ms, boot_id, seen_at } = self;
        statement.execute(rusqlite::params![
            receipts,
            loads,
            farmers,
            actions,
            hybrid.wall_ms,
            hybrid.counter,
            idle_ms,
            phone_time.0,
            boot_ms,
            boot_id,
            seen_at.0
        ])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{PHONE, Store};

    #[test]
    fn a_wipe_empties_every_table_but_the_counters() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("field.db"), PHONE).expect("it opens");
        let filled = store.write(|db| {
            let names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
            let mut statement = db.prepare(names)?;
            let tables = statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
            for table in tables.iter().filter(|table| *table != "counters") {
                fill(db, table)?;
            }
            let filled = || -> Result<Vec<String>, Error> {
                let mut filled = tables.clone();
                for table in &tables {
                    let count: u64 = db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?;
                    filled.retain(|name| name != table || count > 0);
                }
                Ok(filled)
            };
            assert_eq!(filled()?, tables);
            db.execute("UPDATE counters SET receipts = 7", [])?;
            wipe(db)?;
            assert_eq!(Counters::load(db)?.receipts, 7);
            filled()
        });
        assert_eq!(filled.expect("wiped"), ["counters"]);
    }

    fn fill(db: &Connection, table: &str) -> Result<(), Error> {
        let sql = "SELECT group_concat(CASE type WHEN 'INTEGER' THEN '1' WHEN 'TEXT' THEN '''1''' ELSE 'x''01''' END)
             FROM pragma_table_info(?1)";
        let values: String = db.query_row(sql, [table], |row| row.get(0))?;
        db.execute(&format!("INSERT INTO {table} VALUES ({values})"), [])?;
        Ok(())
    }
}
