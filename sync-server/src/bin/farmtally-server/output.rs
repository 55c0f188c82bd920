//! Output of commands.

use std::fmt::Display;
use std::io::Write;

use anyhow::Context;
use farmtally_core::text::printable;

/// Writes a command's result to standard output. A closed pipe is an error, not a panic.
pub(crate) fn print(answer: &dyn Display) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{}", visible(answer)).context("cannot write the answer")
}

/// Writes column heads, and rows in columns below them; without rows, the heads alone.
pub(crate) fn print_table<const N: usize>(heads: [&str; N], rows: &[[String; N]]) -> anyhow::Result<()> {
    let all: Vec<[String; N]> = [heads.map(str::to_owned)].into_iter().chain(rows.iter().cloned()).collect();
    let mut widths = [0; N];
    for row in &all {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in &all {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        print(&cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

/// Writes an error to standard error. If that fails, the exit code still reports the error.
pub(crate) fn print_error(error: &dyn Display) {
    drop(writeln!(std::io::stderr(), "error: {}", visible(error)));
}

/// Returns lines that change nothing around them on a terminal, whatever a phone or file had in a name.
fn visible(text: &dyn Display) -> String {
    text.to_string().lines().map(printable).collect::<Vec<_>>().join("\n")
}

/// Writes a warning to standard error.
pub(crate) fn print_warning(warning: &dyn Display) {
    drop(writeln!(std::io::stderr(), "warning: {}", visible(warning)));
}
