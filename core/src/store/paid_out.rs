//! What users paid out of their leases on this phone, apart from all documents.

use rusqlite::{Connection, OptionalExtension};

use super::Error;
use crate::units::{DeviceId, Money, UserId};

/// Returns what a user ever paid out on this phone while it had this id.
pub(crate) fn of(db: &Connection, device: DeviceId, user: UserId) -> Result<Money, Error> {
    let mut statement = db.prepare_cached("SELECT amount_minor FROM paid_out WHERE device_id = ?1 AND user_id = ?2")?;
    let amount: Option<i64> = statement.query_row((device, user), |row| row.get(0)).optional()?;
    Money::try_from(amount.unwrap_or(0)).map_err(|error| Error::Corrupt { source: error.into() })
}

/// Replaces what a user ever paid out; the caller checks that it rises, in the same transaction.
pub(crate) fn set(db: &Connection, device: DeviceId, user: UserId, amount: Money) -> Result<(), Error> {
    db.execute(
        "INSERT INTO paid_out (device_id, user_id, amount_minor) VALUES (?1, ?2, ?3)
         ON CONFLICT (device_id, user_id) DO UPDATE SET amount_minor = excluded.amount_minor",
        (device, user, amount.minor()),
    )?;
    Ok(())
}
