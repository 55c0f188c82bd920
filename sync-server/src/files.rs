//! Files that must survive a power cut, and that no other account of the machine may read; telling a server's folder from others.

use std::fs::{OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::Path;

use farmtally_core::store::file::{private, restrict, sync_folder_of};
use farmtally_core::units::OrganisationId;

use crate::Error;

/// Replaces a file by renaming a new one: a crash leaves either the old or the new one. Returns once it is on disk.
pub(crate) fn replace_file(path: &Path, text: &str) -> std::io::Result<()> {
    let aside = path.with_extension("new");
    let mut file = private(OpenOptions::new().write(true).create(true).truncate(true)).open(&aside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&aside, path)?;
    sync_folder_of(path)
}

/// Returns whether a folder is a server's: it has the server's key, or the control file of its databases.
///
/// # Errors
/// [`Error::Storage`] or [`Error::Io`] if the folder cannot be used.
pub fn is_server(folder: &Path) -> Result<bool, Error> {
    let has = |part: &str, file: &str| {
        let part = folder.join(part);
        part.join(file).try_exists().map_err(Error::io(&part.display()))
    };
    Ok(has("keys", "server.key")? || has("data", "control.db")?)
}

/// Requires that nothing of another program is in a folder where a new server puts its own files.
///
/// # Errors
/// [`Error::Unusable`] naming the file; [`Error::Storage`] or [`Error::Io`] if the folder cannot be read.
pub(crate) fn require_unused(folder: &Path) -> Result<(), Error> {
    for part in ["data", "keys", "journal"].map(|part| folder.join(part)) {
        let failed = Error::io(&part.display());
        let files = match std::fs::read_dir(&part) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            files => files.map_err(&failed)?,
        };
        for file in files {
            let name = file.map_err(&failed)?.file_name();
            if !name.to_str().is_some_and(is_name_of_servers) {
                let reason = format!("it contains {}, which is not a server's: name a new folder", name.display());
                return Err(Error::unusable(&part.display(), reason));
            }
        }
    }
    Ok(())
}

/// Returns whether a server gives files such a name: another process may be making the same server, or may have been killed.
fn is_name_of_servers(name: &str) -> bool {
    match name.split_once('.').unwrap_or((name, "")) {
        ("control", ending) => ["db", "db-wal", "db-shm", "creating"].contains(&ending),
        ("server" | "successor", ending) => ["key", "pub", "new"].contains(&ending),
        ("lock" | "erased", ending) => ["", "new"].contains(&ending),
        (stem, ending) => !ending.is_empty() && stem.parse::<OrganisationId>().is_ok(),
    }
}

/// Returns whether an attempt to lock the file at `path` succeeded; `false` if another process has it.
///
/// # Errors
/// [`Error::Unusable`] if the file cannot be locked at all, such as on a file system without locks.
pub fn is_locked(path: &Path, attempt: Result<(), TryLockError>) -> Result<bool, Error> {
    match attempt {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => {
            let reason = format!("it cannot be locked ({error}): name a folder on another file system");
            Err(Error::unusable(&path.display(), reason))
        }
    }
}

/// Takes access to a folder and its files from all other accounts. Returns a warning for each that they had access to; none if there is
/// no such folder. Opening a server calls it last: what another step refuses is left as it is, and no warning is lost.
pub(crate) fn keep_private(folder: &Path) -> Vec<String> {
    let mut paths = vec![folder.to_owned()];
    match std::fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>) {
        Ok(files) => paths.extend(files.iter().map(std::fs::DirEntry::path)),
        Err(error) if error.kind() == ErrorKind::NotFound => return Vec::new(),
        Err(error) => return vec![format!("{} cannot be listed: {error}", folder.display())],
    }
    let warn = |path: &Path| match restrict(path) {
        Ok(false) => None,
        Ok(true) => Some(format!(
            "{} could be read by other accounts of this machine: its permissions were changed",
            path.display()
        )),
        Err(error) => Some(format!(
            "{} can be read by other accounts of this machine, and its permissions cannot be changed: {error}",
            path.display()
        )),
    };
    paths.iter().filter_map(|path| warn(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lock_that_another_process_has_counts_as_taken() {
        let path = Path::new("copy/incomplete-copy");
        assert!(is_locked(path, Ok(())).expect("an answer"));
        assert!(!is_locked(path, Err(TryLockError::WouldBlock)).expect("an answer"));
        let cannot = TryLockError::Error(ErrorKind::Unsupported.into());
        let error = is_locked(path, Err(cannot)).expect_err("no locks here");
        assert!(error.to_string().starts_with("copy/incomplete-copy: it cannot be locked"), "{error}");
    }
}
