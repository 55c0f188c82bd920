//! The program `farmtally-server`, as an operator runs it.

#![allow(dead_code, reason = "each of the tests uses a part")]
#![allow(clippy::panic, reason = "tests may panic: that is how they fail")]

use std::path::Path;
use std::process::{Command, Output};

#[cfg(unix)]
#[path = "../../../tests/src/accounts.rs"]
#[allow(unreachable_pub, reason = "the crate of the other tests makes it public")]
pub(crate) mod accounts;

/// Returns a command on the data folder `data`, which is run in `folder`.
pub(crate) fn command(folder: &Path, data: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_farmtally-server"));
    command.args(arguments).args(["--data", data]).current_dir(folder);
    command
}

/// Runs a command on the folder `server`.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, "server", arguments).output().expect("it runs")
}

/// Runs a command on the folder `server`. Returns its standard output, or its complaint if it refuses, without blanks at the end.
pub(crate) fn server(folder: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = run(folder, arguments);
    match output.status.code() {
        Some(0) => Ok(text(&output.stdout).trim_end().to_owned()),
        Some(1) => Err(text(&output.stderr).trim_end().to_owned()),
        code => panic!("{arguments:?}: {code:?}: {}", text(&output.stderr)),
    }
}

/// Runs a command on the folder `server` that cannot be understood. Returns its complaint.
pub(crate) fn misused(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stderr)
}

/// Returns what a command has written.
pub(crate) fn text(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).expect("text").to_owned()
}
