//! Commands that copy all data, and verify a copy.

use std::path::PathBuf;

use clap::Args;

use crate::data::Data;
use crate::output::print;

/// Copy all data into a new folder while the server runs (SQLite only)
#[derive(Args)]
pub(crate) struct Backup {
    #[command(flatten)]
    data: Data,
    /// The new folder
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

impl Backup {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        self.data.open_existing()?.back_up(&self.to)?;
        print(&format_args!(
            "copied to {}: it counts as a backup once `farmtally-server verify` has checked it",
            self.to.display()
        ))
    }
}

/// Verify a copy against this server's logs (SQLite only); phones may delete what two verified copies contain
#[derive(Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    data: Data,
    /// The folder that `backup` created
    copy: PathBuf,
}

impl Verify {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        for (organisation, copied) in self.data.open_existing()?.verify(&self.copy)? {
            let entries: u64 = copied.cursors.iter().map(|target| target.sequence).sum();
            let (logs, devices) = (copied.cursors.len(), copied.devices.len());
            print(&format_args!(
                "{organisation}: {entries} entries of {logs} logs and {devices} devices, all chains hold"
            ))?;
        }
        Ok(())
    }
}
