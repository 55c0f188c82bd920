//! Output of commands.

use std::fmt::Display;
use std::io::Write;

use anyhow::Context;

/// Writes a command's result to standard output. A closed pipe is an error, not a panic.
pub(crate) fn print(answer: &dyn Display) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{answer}").context("cannot write the answer")
}

/// Writes an error to standard error. If that fails, the exit code still reports the error.
pub(crate) fn print_error(error: &dyn Display) {
    drop(writeln!(std::io::stderr(), "error: {error}"));
}

/// Writes a warning to standard error.
pub(crate) fn print_warning(warning: &dyn Display) {
    drop(writeln!(std::io::stderr(), "warning: {warning}"));
}
