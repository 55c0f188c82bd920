//! Grants: who may do what on which phone.

use clap::{Args, Subcommand};
use farmtally_core::units::{DeviceCode, GrantId};

use crate::data::{Person, Place};
use crate::output::say;

/// Say who may do what on which phone
#[derive(Args)]
pub(crate) struct Grant {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Let a user work on a phone that is enrolled already; prints the grant
    Add {
        #[command(flatten)]
        place: Place,
        /// The phone's code, as on its receipts
        #[arg(long)]
        device: DeviceCode,
        #[command(flatten)]
        person: Person,
    },
    /// List the grants that hold
    List {
        #[command(flatten)]
        place: Place,
    },
    /// End a grant
    Revoke {
        #[command(flatten)]
        place: Place,
        /// Which
        grant: GrantId,
    },
}

impl Grant {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Add { place, device, person: Person { user, role, centres } } => {
                let (server, organisation) = place.open()?;
                say(&server.grant(organisation, device, &user, role, &centres)?)
            }
            Command::List { place } => {
                let (server, organisation) = place.open()?;
                for line in server.grants(organisation)? {
                    let centres: Vec<String> = line.grant.centres.iter().map(ToString::to_string).collect();
                    let (grant, role) = (line.grant.grant, line.grant.role);
                    say(&format_args!("{grant}  {}  {}  {role}  {}", line.device, line.user, centres.join(" ")))?;
                }
                Ok(())
            }
            Command::Revoke { place, grant } => {
                let (server, organisation) = place.open()?;
                server.revoke(organisation, grant)?;
                say(&format_args!("{grant} has ended"))
            }
        }
    }
}
