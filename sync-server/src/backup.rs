//! Copies of the data, and their verification.
//!
//! A copy counts only once it is verified: the chain of every log is recomputed from its first entry. Phones keep what two verified copies
//! do not contain, so that a server restored from either of them gets everything back.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Component, Path, PathBuf};

use farmtally_core::protocol::log::Cursor;
use farmtally_core::protocol::message::{SafeCopy, SafePosition, SyncRequest};
use farmtally_core::scope::Scope;
use farmtally_core::store::file::{create_private_folder, private, restrict, sync_folder_of};
use farmtally_core::units::{DeviceId, OrganisationId, Timestamp};

use crate::copy_id::{COPY_ID, CopyId};
use crate::files::is_locked;
use crate::storage::{CopyContent, ReadTransaction, check_control, check_copy, copied_organisations};
use crate::{Error, Server};

/// Verified copies that must contain an entry before phones may delete it.
const COPIES: usize = 2;
/// File that marks a copy that is not complete yet, locked by the process that makes it; renamed to [`COPY_ID`] at the end.
const INCOMPLETE: &str = "incomplete-copy";

impl Server {
    /// Copies all data into a new or empty folder, or over an interrupted copy, while the server runs. Keys and journal
    /// are not copied. The copy counts once it is verified.
    ///
    /// # Errors
    /// [`Error::Unusable`] if the folder contains anything else, or is inside the server's; [`Error::Unsupported`] on PostgreSQL; [`Error::Io`], [`Error::Storage`].
    pub fn back_up(&self, to: &Path) -> Result<(), Error> {
        let (id, begun_at): (DeviceId, _) = (self.environment.new_id(), self.environment.clock.now());
        if is_inside(to, &self.folder) {
            return Err(Error::unusable(&to.display(), "the copy must not be inside the server's folder"));
        }
        let mut mark = begin_copy(to)?;
        let end = |()| {
            let text = CopyId::text(id, begun_at, &databases(to)?, &self.keys.signing)?;
            end_copy(to, &mut mark, &text).map_err(Error::io(&to.display()))
        };
        self.storage.copy_to(to).and_then(end).inspect_err(|_failed| {
            // A complete copy is kept even if its name is perhaps not on the disk; one that is not complete is of no use.
            if has_copy_id(to).is_ok_and(|is_complete| !is_complete) {
                drop(discard(to));
            }
        })
    }

    /// Verifies a copy, compares it with this server's logs, and records its content, for each organisation in it. Phones delete what two
    /// verified copies contain.
    ///
    /// # Errors
    /// [`Error::Unusable`] if a chain does not match or the copy is of another server's data; [`Error::Io`], [`Error::Storage`].
    pub fn verify(&self, copy: &Path) -> Result<Vec<(OrganisationId, CopyContent)>, Error> {
        let copy_id = read_copy_id(copy)?;
        let (made_at, now) = (copy_id.begun_at, self.environment.clock.now());
        if made_at > now {
            let reason = "its time is in the future: correct the clock, or make another copy";
            return Err(Error::unusable(&copy.join(COPY_ID).display(), reason));
        }
        copy_id.require_signed(copy, &self.keys.signing.verifying_key())?;
        if is_inside(copy, &self.folder) {
            return Err(Error::unusable(&copy.display(), "it is the server's own data, not a copy"));
        }
        let verified = self.check_databases(copy, made_at)?;
        copy_id.require_tables(copy)?;
        for (organisation, copied) in &verified {
            let path = copy.join(format!("{organisation}.db"));
            self.write(*organisation, |db| {
                for place in &copied.cursors {
                    let known = db.entry(&place.scope, place.sequence)?.map(|entry| entry.cursor);
                    if place.sequence > 0 && known.as_ref() != Some(place) {
                        let reason = format!("the copy's log of {} differs from this server's", place.scope);
                        return Err(Error::unusable(&path.display(), reason));
                    }
                }
                db.save_backup(*copy_id.id.as_bytes(), copied, now)
            })?;
        }
        Ok(verified)
    }

    /// Checks the databases of a copy, each for itself, and returns the content of those of this server's organisations.
    fn check_databases(&self, copy: &Path, made_at: Timestamp) -> Result<Vec<(OrganisationId, CopyContent)>, Error> {
        let mut verified = Vec::new();
        let listed = copied_organisations(&copy.join("control.db"))?;
        for organisation in self.organisations()? {
            let path = copy.join(format!("{organisation}.db"));
            if !listed.contains(&organisation) && !path.exists() {
                // The organisation was created after the copy.
                continue;
            }
            let copied = check_copy(&path, organisation, made_at)?;
            let devices: Vec<DeviceId> = copied.devices.iter().map(|(device, _)| *device).collect();
            check_control(&copy.join("control.db"), organisation, &devices)?;
            verified.push((organisation, copied));
        }
        if verified.is_empty() {
            return Err(Error::unusable(&copy.display(), "it is not a copy of this server's data"));
        }
        Ok(verified)
    }
}

/// Creates the folder of a copy, or clears it of an interrupted copy, and marks it. Returns the locked mark.
fn begin_copy(to: &Path) -> Result<File, Error> {
    let failed = Error::io(&to.display());
    let is_used = || Error::unusable(&to.display(), "the folder exists and is not empty: name a new one");
    let mark = to.join(INCOMPLETE);
    if to.try_exists().map_err(&failed)? {
        let is_empty = std::fs::read_dir(to).map_err(&failed)?.next().is_none();
        if !is_empty && (has_copy_id(to)? || !mark.try_exists().map_err(&failed)?) {
            return Err(is_used());
        }
    }
    create_private_folder(to).map_err(&failed)?;
    // A folder of another account, or on a file system without permissions, is used as it is.
    drop(restrict(to));
    let file = private(File::options().write(true).create(true).truncate(false)).open(&mark);
    let file = file.map_err(Error::io(&mark.display()))?;
    if !is_locked(&mark, file.try_lock())? || !is_same_file(&file, &mark) {
        return Err(Error::unusable(&to.display(), "another backup writes to it: wait until it has ended"));
    }
    // Asked again under the lock: until then another backup may have ended.
    if has_copy_id(to)? {
        drop(std::fs::remove_file(&mark));
        return Err(is_used());
    }
    clear(to)?;
    Ok(file)
}

/// Returns whether a folder, which may not exist yet, is another one or inside of it.
fn is_inside(path: &Path, folder: &Path) -> bool {
    let mut absolute = PathBuf::new();
    for component in std::path::absolute(path).unwrap_or_else(|_no_working_folder| path.to_owned()).components() {
        match component {
            // Above a folder that exists, `..` may lead elsewhere than its name says.
            Component::ParentDir if !absolute.exists() => _ = absolute.pop(),
            component => absolute.push(component),
        }
    }
    let existing = absolute.ancestors().find_map(|it| it.canonicalize().ok());
    folder.canonicalize().is_ok_and(|folder| existing.is_some_and(|existing| existing.starts_with(folder)))
}

fn has_copy_id(copy: &Path) -> Result<bool, Error> {
    copy.join(COPY_ID).try_exists().map_err(Error::io(&copy.display()))
}

/// Returns whether an open file is still the one at `path`: another backup may have ended, and have removed it, before it was locked.
fn is_same_file(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let id = |it: std::fs::Metadata| (it.dev(), it.ino());
        file.metadata().is_ok_and(|open| std::fs::metadata(path).is_ok_and(|found| id(open) == id(found)))
    }
    #[cfg(not(unix))]
    {
        let _open_files_cannot_be_removed_here = file;
        path.exists()
    }
}

/// Writes the id into the mark of a copy, and renames it. Returns once that is on disk.
fn end_copy(copy: &Path, mark: &mut File, id: &str) -> std::io::Result<()> {
    mark.set_len(0)?;
    mark.write_all(id.as_bytes())?;
    mark.sync_all()?;
    std::fs::rename(copy.join(INCOMPLETE), copy.join(COPY_ID))?;
    sync_folder_of(&copy.join(COPY_ID))
}

/// Returns the files of a folder, except for the mark.
///
/// # Errors
/// [`Error::Unusable`] if one of them is not of a copy: a backup deletes only its own files. [`Error::Io`].
fn parts(copy: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = Error::io(&copy.display());
    let mut parts = Vec::new();
    for part in std::fs::read_dir(copy).map_err(&failed)? {
        let part = part.map_err(&failed)?.path();
        let name = part.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let is_database = |stem: &str| stem == "control" || stem.parse::<OrganisationId>().is_ok();
        match name.split_once('.') {
            Some((stem, "db" | "db-journal")) if is_database(stem) => parts.push(part),
            _ if name == INCOMPLETE => {}
            _ => {
                let reason = format!("it contains {name:?}, which is not of a copy: name a new folder");
                return Err(Error::unusable(&copy.display(), reason));
            }
        }
    }
    Ok(parts)
}

/// Returns the databases of a copy, ordered by name.
fn databases(copy: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut databases = parts(copy)?;
    databases.retain(|path| path.extension() == Some(OsStr::new("db")));
    databases.sort();
    Ok(databases)
}

/// Deletes all files of a copy that is not complete, except for the mark.
fn clear(copy: &Path) -> Result<(), Error> {
    parts(copy)?.iter().try_for_each(|part| std::fs::remove_file(part).map_err(Error::io(&part.display())))
}

/// Deletes a copy that is not complete. Its mark comes last: without it, another backup may begin in the folder.
fn discard(copy: &Path) -> Result<(), Error> {
    clear(copy)?;
    let removed = std::fs::remove_file(copy.join(INCOMPLETE)).and_then(|()| std::fs::remove_dir(copy));
    removed.map_err(Error::io(&copy.display()))
}

/// Reads the `copy-id` of a copy; who signed it is not checked.
fn read_copy_id(copy: &Path) -> Result<CopyId, Error> {
    let path = copy.join(COPY_ID);
    if copy.join(INCOMPLETE).exists() {
        let reason = format!("not a complete copy of `backup`: it contains `{INCOMPLETE}`");
        return Err(Error::unusable(&copy.display(), reason));
    }
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(Error::io(&path.display())(error)),
        Err(_missing) if copy.is_dir() => {
            let reason = format!("not a complete copy of `backup`: it lacks `{COPY_ID}`");
            return Err(Error::unusable(&copy.display(), reason));
        }
        Err(_missing) => return Err(Error::unusable(&copy.display(), "there is no such folder")),
    };
    CopyId::parse(&text).ok_or_else(|| Error::unusable(&path.display(), "damaged: make another copy"))
}

/// Returns what both of the newest two verified copies contain, with the time of the older; `None` if there are not two.
pub(crate) fn safe_copy(db: &mut ReadTransaction<'_>) -> Result<Option<CopyContent>, Error> {
    let copies = db.newest_verified_copies(COPIES)?;
    let [newer, older] = copies.as_slice() else { return Ok(None) };
    // Not simply the older one: a copy that was restored under another time may contain less than an older copy.
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
    Ok(Some(CopyContent { made_at: older.made_at, cursors, devices }))
}

/// Returns what a device may delete in the scopes of its cursors; `None` if it already knows of that copy, or there are not two.
pub(crate) fn safe_for(
    db: &mut ReadTransaction<'_>,
    device: DeviceId,
    request: &SyncRequest,
) -> Result<Option<SafeCopy>, Error> {
    let made_at = db.backup_times(COPIES)?.pop().map_or(0, |made_at| u64::try_from(made_at.0).unwrap_or(0));
    if made_at == request.safe_copy {
        // Most phones know of it, and the content of the copies is long to read.
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
