//! Files that must survive a power cut, and that no other account of the machine may read.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use farmtally_core::store::file::{private, restrict, sync_folder_of};

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

/// Takes access to a folder and its files from all other accounts. Returns a warning for each that they had access to; none if there is
/// no such folder.
///
/// # Errors
/// [`Error::Storage`] or [`Error::Io`] if the folder cannot be read.
pub(crate) fn keep_private(folder: &Path) -> Result<Vec<String>, Error> {
    let failed = Error::io(&folder.display());
    let mut paths = vec![folder.to_owned()];
    match std::fs::read_dir(folder) {
        Ok(files) => {
            for file in files {
                paths.push(file.map_err(&failed)?.path());
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
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
    Ok(paths.iter().filter_map(|path| warn(path)).collect())
}
