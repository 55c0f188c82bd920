//! Accounts of the machine, and what the others may do with a file.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// The account `nobody`, to which permissions apply; they do not apply to root.
pub const NOBODY: u32 = 65_534;

/// Returns the account that a file or folder belongs to; 0 for root.
pub fn owner(path: &Path) -> u32 {
    std::fs::metadata(path).expect("a file").uid()
}

/// Returns the permissions of a file or folder, such as `0o600`.
pub fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("a file").permissions().mode() & 0o777
}

/// Changes the permissions of a file or folder.
pub fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("permissions");
}
