//! Command that prints the PostgreSQL tables.

use farmtally_sync_server::storage::postgres::{CONTROL, TABLES};

use crate::output::print;

pub(crate) fn run() -> anyhow::Result<()> {
    print(&format_args!("{CONTROL}\n{}", TABLES.join("\n")))
}
