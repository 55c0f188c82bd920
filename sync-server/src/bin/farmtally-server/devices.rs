//! Command that lists the phones.

use clap::Args;

use crate::data::Target;
use crate::output::print;

/// List the phones: code, user, model, last contact, and orders or suspensions in force
#[derive(Args)]
pub(crate) struct Devices {
    #[command(flatten)]
    target: Target,
}

impl Devices {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let (server, organisation) = self.target.open()?;
        for it in server.devices(organisation)? {
            print(&format_args!("{}  {}  {}  {}  {}", it.device.code, it.user, it.device.model, it.seen, it.state))?;
        }
        Ok(())
    }
}
