//! What a phone says about files that it may not write: which, and what to change. In a program of its own, because a new process holds the
//! locks of all others for a moment.

#![cfg(unix)]

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use farmtally_core::client::FieldClient;
use farmtally_core::environment::Environment;
use farmtally_tests::Market;
use farmtally_tests::accounts::{NOBODY, mode, owner, set_mode};

/// Environment variable with the folder that a child opens.
const CHILD: &str = "FARMTALLY_TEST_OPENS";

/// Whether the tests run as root, to whom permissions do not apply.
fn is_root() -> bool {
    owner(Path::new("/proc/self")) == 0
}

/// What another process finds when it opens a folder, as an account to which permissions apply.
fn opened_by_nobody(folder: &Path) -> String {
    let mut child = Command::new(std::env::current_exe().expect("this test"));
    child.args(["--exact", "opens_a_folder", "--ignored", "--nocapture", "--test-threads=1"]).env(CHILD, folder);
    if is_root() {
        child.uid(NOBODY).gid(NOBODY);
    }
    let output = child.output().expect("a child");
    let said = String::from_utf8(output.stdout).expect("text");
    said.lines().find_map(|line| line.split_once("opening: ")).map_or(said.clone(), |(_, result)| result.to_owned())
}

#[test]
#[ignore = "run by another test, in a process of its own"]
fn opens_a_folder() {
    let folder = std::env::var_os(CHILD).expect("a folder");
    match FieldClient::open(Path::new(&folder), Environment::system()) {
        Ok(_client) => println!("opening: done"),
        Err(error) => println!("opening: {}: {error}", error.code()),
    }
}

#[test]
fn a_folder_that_the_app_may_not_write_is_named() {
    let mut market = Market::open(1);
    let asha = market.hires("Asha", "field_manager");
    let folder = asha.folder.clone();
    drop(asha);
    let mut test = Command::new(std::env::current_exe().expect("this test"));
    if is_root() && test.arg("--list").uid(NOBODY).gid(NOBODY).output().is_err() {
        println!("SKIPPED: the account nobody cannot run this test where it was built");
        return;
    }
    let market_folder = market.path_of("");
    for path in [folder.clone(), market_folder, folder.join("field.db"), folder.join("field.lock")] {
        // Fails without root, where the files belong to the tests' own account anyway.
        let _is_root = chown(path, Some(NOBODY), Some(NOBODY));
    }
    assert_eq!(opened_by_nobody(&folder), "done");
    for (path, wrong_mode, named) in [
        (folder.clone(), 0o500, "field.db"),
        (folder.join("field.db"), 0o400, "field.db"),
        (folder.join("field.db"), 0o000, "field.db"),
        (folder.join("field.lock"), 0o400, "field.lock"),
        (folder.clone(), 0o000, "Asha"),
    ] {
        let mode_before = mode(&path);
        set_mode(&path, wrong_mode);
        let said = opened_by_nobody(&folder);
        assert!(said.starts_with("storage_denied: "), "{} {wrong_mode:o}: {said}", path.display());
        assert!(said.contains(named) && said.contains("write access"), "{} {wrong_mode:o}: {said}", path.display());
        set_mode(&path, mode_before);
        assert_eq!(opened_by_nobody(&folder), "done", "nothing was changed");
    }
    set_mode(&folder, 0o500);
    let said = opened_by_nobody(&folder.join("new"));
    assert!(said.starts_with("storage_denied: ") && said.contains("new"), "{said}");
}
