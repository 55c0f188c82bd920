//! Command that suspends a user.

use clap::Args;

use crate::data::Target;
use crate::output::print;

/// Suspend a user on every phone, or lift the suspension
#[derive(Args)]
pub(crate) struct Suspend {
    #[command(flatten)]
    target: Target,
    /// The user's name
    user: String,
    /// Lift the suspension
    #[arg(long)]
    lift: bool,
}

impl Suspend {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let (server, organisation) = self.target.open()?;
        let devices = server.suspend(organisation, &self.user, !self.lift)?;
        print(&format_args!("{} on {devices} phone(s)", if self.lift { "lifted" } else { "suspended" }))
    }
}
