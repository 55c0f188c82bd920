//! Commands about grants.

use clap::Subcommand;
use farmtally_core::units::{DeviceCode, GrantId};
use farmtally_sync_server::GrantLine;

use crate::data::{Person, Target};
use crate::output::{print, print_table};

#[derive(Subcommand)]
pub(crate) enum Grant {
    /// Let a user work on a phone that is already enrolled, and print the id of the grant
    Add {
        #[command(flatten)]
        target: Target,
        /// The phone's code, as on its receipts
        #[arg(long)]
        device: DeviceCode,
        #[command(flatten)]
        person: Person,
    },
    /// List the grants in force
    List {
        #[command(flatten)]
        target: Target,
    },
    /// End a grant
    Revoke {
        #[command(flatten)]
        target: Target,
        /// The id of the grant, as `grant list` prints it
        grant: GrantId,
    },
}

impl Grant {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Add { target, device, person } => {
                let (server, organisation) = target.open()?;
                print(&server.grant(organisation, device, person.user(), person.role, &person.centres)?)
            }
            Self::List { target } => {
                let (server, organisation) = target.open()?;
                let row = |line: GrantLine| {
                    let centres: Vec<String> = line.grant.centres.iter().map(ToString::to_string).collect();
                    let (grant, role) = (line.grant.grant_id.to_string(), line.grant.role.to_string());
                    [grant, line.device_code.to_string(), line.user, role, centres.join(" ")]
                };
                let rows: Vec<_> = server.grants(organisation)?.into_iter().map(row).collect();
                print_table(["GRANT", "DEVICE", "USER", "ROLE", "CENTRES"], &rows)
            }
            Self::Revoke { target, grant } => {
                let (server, organisation) = target.open()?;
                server.revoke(organisation, grant)?;
                print(&format_args!("{grant} has ended"))
            }
        }
    }
}
