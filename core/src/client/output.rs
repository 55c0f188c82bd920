//! Files that the client writes for others: parcels and exports.

use std::fs::File;
use std::io::{BufWriter, Error as IoError, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::FieldClient;
use crate::Error;
use crate::store;

impl FieldClient {
    /// Writes a file next to `path` and renames it once it is complete and on the disk, so that a stick that is pulled out has the old file
    /// or the complete new one.
    ///
    /// # Errors
    /// [`Error::Invalid`] of `path` if the file cannot be written, or is in the phone's own folder; [`Error::Store`] if the disk is full;
    /// those of `write`.
    pub(super) fn write_file<T>(
        &self,
        path: &Path,
        write: impl FnOnce(&mut dyn Write) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let unusable = |reason| Err(Error::invalid("path", reason));
        let mut aside = path.as_os_str().to_owned();
        aside.push(".part");
        let is_taken = |path: &Path| std::fs::symlink_metadata(path).is_ok_and(|it| !it.is_file());
        if is_taken(path) || is_taken(Path::new(&aside)) {
            return unusable("there is something that is no file");
        }
        let folder_of = |path: &Path| folder_of(path).map_err(|error| unwritten(&error));
        if folder_of(path)? == folder_of(self.store.path())? {
            return unusable("the phone's own folder takes no other file");
        }
        let mut file = BufWriter::new(File::create(&aside).map_err(|error| unwritten(&error))?);
        let written = write(&mut file).and_then(|result| {
            let done = file.flush().and_then(|()| file.get_ref().sync_all());
            done.and_then(|()| std::fs::rename(&aside, path)).map_err(|error| unwritten(&error))?;
            Ok(result)
        });
        // An incomplete file is useless. If it cannot be removed either, it is only left over.
        written.inspect_err(|_| drop(std::fs::remove_file(&aside)))
    }
}

/// Returns the whole path of the folder in which a file is; that of a name alone is the program's working folder.
fn folder_of(path: &Path) -> std::io::Result<PathBuf> {
    match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Path::new(".").canonicalize(),
        Some(folder) => folder.canonicalize(),
        None => Err(ErrorKind::InvalidInput.into()),
    }
}

/// Returns the error of a file that could not be written.
pub(super) fn unwritten(error: &IoError) -> Error {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => store::Error::Full.into(),
        kind => Error::invalid("path", format!("the file cannot be written: {kind}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_alone_is_in_the_working_folder() {
        let here = std::env::current_dir().and_then(|it| it.canonicalize()).expect("a folder");
        for path in [Path::new("field.db"), Path::new("./field.db"), &here.join("field.db")] {
            assert_eq!(folder_of(path).expect("a folder"), here, "{}", path.display());
        }
        let kind = |path: &str| folder_of(Path::new(path)).expect_err("no folder").kind();
        assert_eq!(kind("/"), ErrorKind::InvalidInput);
        assert_eq!(kind("/no such folder/field.db"), ErrorKind::NotFound);
    }
}
