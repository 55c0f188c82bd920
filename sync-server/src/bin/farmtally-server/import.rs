//! Takes in what was carried here as files.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use farmtally_core::units::OrganisationId;
use farmtally_sync_server::{Imported, Server};

use crate::data::{Data, choose};
use crate::output::{complain, say};

/// Take what phones without network handed over as files; a file that was taken before changes nothing
#[derive(Args)]
pub(crate) struct Import {
    #[command(flatten)]
    data: Data,
    /// Take only what belongs to this organisation
    #[arg(long)]
    org: Option<OrganisationId>,
    /// Files as phones export them
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Import {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let server = self.data.open_existing()?;
        let organisation = self.org.map(|org| choose(&server, Some(org))).transpose()?;
        let mut failed = 0;
        for file in &self.files {
            if let Err(error) = import(&server, organisation, file) {
                failed += 1;
                complain(&format_args!("{}: {error:#}", file.display()));
            }
        }
        anyhow::ensure!(failed == 0, "{failed} of {} files were not taken, or only in part", self.files.len());
        Ok(())
    }
}

/// Takes all that a file holds and says what was taken; then fails if there was something that could not be taken.
fn import(server: &Server, organisation: Option<OrganisationId>, path: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(!path.is_dir(), "is a folder: name the files in it");
    let file = File::open(path).context("cannot be opened")?;
    let mut taken = Imported::default();
    let mut wrong = Vec::new();
    let parcels = server.import(organisation, BufReader::new(file));
    for (number, parcel) in (1..).zip(parcels) {
        match parcel {
            Ok(imported) => taken += imported,
            Err(error) => wrong.push(format!("parcel {number}: {error}")),
        }
    }
    if wrong.is_empty() || taken != Imported::default() {
        say(&format_args!("{}: {taken}", path.display()))?;
    }
    anyhow::ensure!(wrong.is_empty(), "{}", wrong.join("; "));
    Ok(())
}
