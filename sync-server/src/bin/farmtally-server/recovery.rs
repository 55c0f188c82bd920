//! Commands about the recovery of lost data.

use clap::Subcommand;

use crate::data::Target;
use crate::output::print;

#[derive(Subcommand)]
pub(crate) enum Recovery {
    /// Show the last recovery: when it began, whether it is open, and why it began
    Status {
        #[command(flatten)]
        target: Target,
    },
    /// End the recovery, so that held changes can be decided and phones enrolled again
    End {
        #[command(flatten)]
        target: Target,
    },
}

impl Recovery {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Status { target } => {
                let (server, organisation) = target.open()?;
                match server.recovery(organisation)? {
                    None => print(&"no loss has been detected"),
                    Some(it) => {
                        let local = |at| server.local_time(organisation, at);
                        let until = it.ended_at.map(local).transpose()?;
                        let until = until.map_or_else(|| "still open".to_owned(), |at| format!("ended {at}"));
                        let began = local(it.started_at)?;
                        print(&format_args!("recovery {}: began {began}, {until}; {}", it.epoch, it.reason))
                    }
                }
            }
            Self::End { target } => {
                let (server, organisation) = target.open()?;
                server.end_recovery(organisation)?;
                print(&"ended")
            }
        }
    }
}
