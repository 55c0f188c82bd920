//! The file of a database: telling a new one from one that was emptied or lost, and keeping other accounts of the machine out of it.
//!
//! SQLite takes an empty file for a new database, creates a missing one, and then deletes a write-ahead log that is beside it. Therefore
//! the file may be empty only while its mark (`*.creating`) exists, which is written before SQLite creates the file and removed after the
//! first commit.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::Error;

/// State of a database's file before SQLite opens it.
#[derive(Debug)]
pub(super) struct DatabaseFile<'a> {
    path: &'a Path,
    /// Whether the file does not exist; also `true` for a file that only a virtual file system of SQLite has.
    is_missing: bool,
    is_being_created: bool,
}

impl<'a> DatabaseFile<'a> {
    /// Looks at a file, and at the mark and the write-ahead log beside it.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the file is empty or no file, or only its log is there; [`Error::Denied`].
    pub(super) fn find(path: &'a Path) -> Result<Self, Error> {
        let (size, is_being_created, has_log) = loop {
            let size = size(path)?;
            let (is_being_created, has_log) = (mark(path).exists(), beside(path, "-wal").exists());
            let is_empty = size.is_none_or(|bytes| bytes == 0);
            // Another process may have begun or ended the creation between these looks.
            if !is_empty || is_being_created || self::size(path)? == size {
                break (size, is_being_created, has_log);
            }
        };
        match size {
            Some(0) if !is_being_created => return Err(emptied(path)),
            None if !is_being_created && has_log => return Err(missing(path)),
            _ => {}
        }
        Ok(Self { path, is_missing: size.is_none(), is_being_created })
    }

    /// Returns whether the file may be empty, because its creation has not ended.
    pub(super) fn may_be_empty(&self) -> bool {
        self.is_being_created
    }

    /// Returns whether the file does not exist, so that it may be [created](Self::begin).
    pub(super) fn is_missing(&self) -> bool {
        self.is_missing
    }

    /// Marks the file as being created. Returns once the mark is on the disk.
    pub(super) fn begin(&mut self) -> Result<(), Error> {
        let mark = mark(self.path);
        let written = private(OpenOptions::new().write(true).create(true)).open(&mark);
        written.and_then(|_file| sync_folder_of(&mark)).map_err(|error| of_io(&mark, &error))?;
        self.is_being_created = true;
        Ok(())
    }

    /// Removes the mark after the first commit; another process may have removed it.
    pub(super) fn end(&self) -> Result<(), Error> {
        if !self.is_being_created {
            return Ok(());
        }
        let mark = mark(self.path);
        match fs::remove_file(&mark) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed.and_then(|()| sync_folder_of(&mark)).map_err(|error| of_io(&mark, &error)),
        }
    }
}

/// Takes access to a database, its log, its index and its key's fingerprint from all other accounts, where the file system knows
/// permissions.
pub(crate) fn keep_private(database: &Path) {
    let parts = ["", "-wal", "-shm"].map(|part| beside(database, part));
    for path in parts.into_iter().chain([database.with_extension("fingerprint")]) {
        // A file that belongs to another account, or is on a file system without permissions, is used as it is.
        drop(restrict(&path));
    }
}

/// Returns a path that SQLite takes for one: it reads a name that begins with `file:` as a URI, which would name another file.
pub fn plain_path(path: &Path) -> PathBuf {
    Path::new(".").join(path)
}

/// Files of an open database, by which it is noticed that one of them was removed or replaced: what is written to such a file is lost.
#[derive(Debug)]
pub(super) struct OpenFiles(Vec<(PathBuf, FileNumber)>);

/// Device and number of a file; no other file on the machine has them while it is open.
type FileNumber = (u64, u64);

impl OpenFiles {
    /// Looks at a database's file and at its write-ahead log. Leaves out what only a virtual file system of SQLite has.
    pub(super) fn of(path: &Path) -> Self {
        let files = [path.to_owned(), beside(path, "-wal")].into_iter();
        Self(files.filter_map(|path| number(&path).ok().flatten().map(|number| (path, number))).collect())
    }

    /// Requires that the files are still where they were opened.
    ///
    /// # Errors
    /// [`Error::Removed`] naming the file; [`Error::Denied`].
    pub(super) fn require_in_place(&self) -> Result<(), Error> {
        for (path, opened) in &self.0 {
            if number(path).map_err(|error| of_io(path, &error))? != Some(*opened) {
                return Err(Error::Removed { what: path.display().to_string() });
            }
        }
        Ok(())
    }
}

/// Returns the number of a file; `None` if it does not exist, or where files have no numbers.
fn number(path: &Path) -> io::Result<Option<FileNumber>> {
    #[cfg(unix)]
    match fs::metadata(path) {
        Ok(file) => {
            use std::os::unix::fs::MetadataExt;
            return Ok(Some((file.dev(), file.ino())));
        }
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
        Err(error) => return Err(error),
    }
    #[cfg(not(unix))]
    let _open_files_cannot_be_removed_here = path;
    Ok(None)
}

/// Makes files that are created with these options readable by this account only.
pub fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Creates a folder that only this account may use, with the folders above it; leaves an existing one as it is.
///
/// # Errors
/// Errors of the operating system.
pub fn create_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

/// Takes access to a file or folder from all other accounts. Returns whether they had any; `false` also if it does not exist.
///
/// # Errors
/// Errors of the operating system, such as for a file of another account.
pub fn restrict(path: &Path) -> io::Result<bool> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mut permissions = match fs::metadata(path) {
            Ok(metadata) => metadata.permissions(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        if permissions.mode() & 0o077 != 0 {
            permissions.set_mode(permissions.mode() & 0o700);
            fs::set_permissions(path, permissions)?;
            if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
                return Err(io::Error::other("the file system keeps no permissions"));
            }
            return Ok(true);
        }
    }
    #[cfg(not(unix))]
    let _has_no_permissions_of_this_kind = path;
    Ok(false)
}

/// Returns the store's error for an error of the operating system about a file.
pub(crate) fn of_io(path: &Path, error: &io::Error) -> Error {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Error::Full,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Error::denied(&path.display()),
        _ => Error::Sql(super::sql::Error::engine(format!("{}: {error}", path.display()))),
    }
}

pub(super) fn emptied(path: &Path) -> Error {
    corrupt(path, "is empty, although it was in use: put back a copy of it, and do not delete what is in this folder")
}

pub(super) fn missing(path: &Path) -> Error {
    corrupt(path, "is missing: put it back, and do not delete what is in this folder")
}

fn corrupt(path: &Path, reason: &str) -> Error {
    Error::Corrupt { source: format!("{} {reason}", path.display()).into() }
}

/// Returns the size of a file; `None` if it does not exist.
fn size(path: &Path) -> Result<Option<u64>, Error> {
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => Err(corrupt(path, "is not a file")),
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(of_io(path, &error)),
    }
}

fn mark(path: &Path) -> PathBuf {
    path.with_extension("creating")
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Syncs the folder of a file, so that the file's name is on the disk.
///
/// # Errors
/// Errors of the operating system.
pub fn sync_folder_of(file: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if let Some(folder) = file.parent() {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        fs::File::open(folder)?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _folders_cannot_be_synced_here = file;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{PHONE, Store};

    #[test]
    fn several_processes_may_create_one_database() {
        for round in 0..50 {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("field.db");
            let opened = std::thread::scope(|threads| {
                let running: Vec<_> = (0..4).map(|_| threads.spawn(|| Store::open(&path, PHONE))).collect();
                running.into_iter().map(|it| it.join().expect("it ends").map(drop)).collect::<Result<Vec<_>, _>>()
            });
            opened.unwrap_or_else(|error| panic!("round {round}: {error}"));
            assert!(!mark(&path).exists());
        }
    }
}
