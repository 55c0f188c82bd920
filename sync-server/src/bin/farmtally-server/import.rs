//! Command that imports files which phones exported.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use farmtally_core::units::OrganisationId;
use farmtally_sync_server::{Imported, Server};

use crate::data::{Data, choose, organisation};
use crate::output::{print, print_error};

/// Import files that phones without network exported; importing a file again changes nothing
#[derive(Args)]
pub(crate) struct Import {
    #[command(flatten)]
    data: Data,
    /// Import only what belongs to this organisation
    #[arg(long, value_name = "ID", value_parser = organisation)]
    org: Option<OrganisationId>,
    /// Files that phones exported
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
                print_error(&format_args!("{}: {error:#}", file.display()));
            }
        }
        anyhow::ensure!(failed == 0, "{failed} of {} files were not imported, or only in part", self.files.len());
        Ok(())
    }
}

/// Imports all parcels of a file and prints the counts; fails afterwards if a parcel was refused.
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
        print(&format_args!("{}: {taken}", path.display()))?;
    }
    anyhow::ensure!(wrong.is_empty(), "{}", wrong.join("; "));
    Ok(())
}
