//! The tables on PostgreSQL.

use farmtally_sync_server::storage::postgres::{CONTROL, TABLES};

use crate::output::say;

/// Prints the SQL that makes the tables.
pub(crate) fn run() -> anyhow::Result<()> {
    say(&format_args!("{CONTROL}\n{}", TABLES.join("\n")))
}
