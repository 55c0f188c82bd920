//! Copies of the data, and the proof that they hold what was acknowledged.
//!
//! A copy counts only once it was verified: every log's chain worked out again from the first entry on. Phones keep what two verified copies
//! do not contain, so that a server that is set back to either of them gets everything back.

use std::path::Path;

use farmtally_core::protocol::log::Cursor;
use farmtally_core::protocol::message::{SafeCopy, SafePosition, SyncRequest};
use farmtally_core::scope::Scope;
use farmtally_core::units::{DeviceId, OrganisationId};

use crate::storage::{Copied, ReadTransaction, check_control, check_copy};
use crate::{Error, Server};

/// Verified copies that must contain something before phones may let go of it.
const COPIES: usize = 2;
/// The file that says which copy this is; it is written last.
const COPY_ID: &str = "copy-id";

impl Server {
    /// Copies all data into a new folder, while the server works. Keys and journal stay out: they are kept elsewhere.
    ///
    /// # Errors
    /// [`Error::Unusable`] if the folder is there already, [`Error::Io`], [`Error::Storage`].
    pub fn back_up(&self, to: &Path) -> Result<(), Error> {
        if to.exists() {
            return Err(Error::unusable(&to.display(), "it is there already: name a new folder"));
        }
        let id: DeviceId = self.environment.new_id();
        let named = |()| std::fs::write(to.join(COPY_ID), format!("{id}\n")).map_err(Error::io(&to.display()));
        self.storage.copy_to(to).and_then(named).inspect_err(|_failed| {
            // Half a copy is none, and would be in the way of the next try.
            drop(std::fs::remove_dir_all(to));
        })
    }

    /// Verifies a copy and notes what it contains, organisation by organisation.
    ///
    /// # Errors
    /// [`Error::Unusable`] if a chain does not come out, or the copy is of another server's data; [`Error::Storage`].
    pub fn verify(&self, copy: &Path) -> Result<Vec<(OrganisationId, Copied)>, Error> {
        let id = std::fs::read_to_string(copy.join(COPY_ID)).ok().and_then(|id| id.trim().parse::<DeviceId>().ok());
        let Some(id) = id else {
            let reason = if copy.is_dir() {
                format!("this is no whole copy that `backup` has made: it lacks `{COPY_ID}`")
            } else {
                "there is no such folder".into()
            };
            return Err(Error::unusable(&copy.display(), reason));
        };
        let mut verified = Vec::new();
        for organisation in self.organisations()? {
            let path = copy.join(format!("{organisation}.db"));
            if !path.is_file() {
                // Created since.
                continue;
            }
            check_control(&copy.join("control.db"), organisation)?;
            let copied = check_copy(&path, organisation)?;
            self.write(organisation, |db| {
                for place in &copied.cursors {
                    let known = db.entry(&place.scope, place.sequence)?.map(|entry| entry.cursor);
                    if place.sequence > 0 && known.as_ref() != Some(place) {
                        let reason = format!("its log of {} is not this server's", place.scope);
                        return Err(Error::unusable(&path.display(), reason));
                    }
                }
                db.save_backup(*id.as_bytes(), &copied)
            })?;
            verified.push((organisation, copied));
        }
        if verified.is_empty() {
            return Err(Error::unusable(&copy.display(), "it holds no copy of this server's data"));
        }
        Ok(verified)
    }
}

/// What both of the newest two verified copies contain, under the time of the older.
pub(crate) fn safe_copy(db: &mut ReadTransaction<'_>) -> Result<Option<Copied>, Error> {
    let copies = db.backups(COPIES)?;
    let [newer, older] = copies.as_slice() else { return Ok(None) };
    // Not simply the older: a copy that was brought back under another time may contain less than an older one.
    let both = |place: &Cursor| {
        let other = newer.cursors.iter().find(|other| other.scope == place.scope)?;
        Some(if other.sequence < place.sequence { other } else { place }.clone())
    };
    let of_device = |(device, sequence): &(DeviceId, u64)| {
        let other = newer.devices.iter().find(|(id, _)| id == device).map_or(0, |(_, other)| *other);
        (*device, other.min(*sequence))
    };
    let cursors = older.cursors.iter().filter_map(both).collect();
    let devices = older.devices.iter().map(of_device).collect();
    Ok(Some(Copied { made_at: older.made_at, cursors, devices }))
}

/// What a device may let go of, in the scopes that it reads, if it does not know of that copy yet.
pub(crate) fn safe_for(
    db: &mut ReadTransaction<'_>,
    device: DeviceId,
    request: &SyncRequest,
) -> Result<Option<SafeCopy>, Error> {
    let made_at = db.backup_times(COPIES)?.pop().map_or(0, |made_at| u64::try_from(made_at.0).unwrap_or(0));
    if made_at == request.safe_copy {
        // What the copies contain is much to read, and most phones know of it.
        return Ok(None);
    }
    let Some(oldest) = safe_copy(db)? else { return Ok(None) };
    let copy = u64::try_from(oldest.made_at.0).unwrap_or(0);
    let bundle = oldest.devices.iter().find(|(id, _)| *id == device).map_or(0, |(_, sequence)| *sequence);
    let is_read = |scope: &Scope| request.cursors.iter().any(|cursor| cursor.scope == *scope);
    let cursors = oldest.cursors.iter().filter(|place| is_read(&place.scope));
    let scopes = cursors.map(|place| SafePosition { scope: place.scope.clone(), sequence: place.sequence }).collect();
    Ok(Some(SafeCopy { copy, scopes, bundle }))
}
