//! Writing of files that must survive a power cut.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

/// Replaces a file by renaming a new one, made with `options`: a crash leaves either the old or the new one. Returns once it is on disk.
pub(crate) fn replace_file(path: &Path, text: &str, options: &mut OpenOptions) -> std::io::Result<()> {
    let aside = path.with_extension("new");
    let mut file = options.write(true).create(true).truncate(true).open(&aside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&aside, path)?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Syncs a folder: a new file name is on disk only after this.
pub(crate) fn sync_folder(folder: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _folders_cannot_be_synced_here = folder;
    Ok(())
}
