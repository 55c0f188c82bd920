//! What a command writes.

use std::fmt::Display;
use std::io::Write;

use anyhow::Context;

/// Writes a command's answer to standard output; a reader that has gone is an error, not a panic.
pub(crate) fn say(answer: &dyn Display) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{answer}").context("cannot write the answer")
}

/// Writes an error to standard error. If nobody can read it, the exit code still says so.
pub(crate) fn complain(error: &dyn Display) {
    drop(writeln!(std::io::stderr(), "error: {error}"));
}
