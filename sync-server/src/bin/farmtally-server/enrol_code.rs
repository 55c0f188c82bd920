//! Codes with which phones are enrolled.

use clap::Args;
use farmtally_core::permission::Role;
use farmtally_core::units::CentreCode;
use farmtally_sync_server::NewCode;

use crate::data::Place;
use crate::output::say;

/// Make a code with which one phone can be enrolled, once, within seven days
#[derive(Args)]
pub(crate) struct EnrolCode {
    #[command(flatten)]
    place: Place,
    /// The person's name
    #[arg(long)]
    user: String,
    /// clerk, `field_manager` or dispatcher
    #[arg(long)]
    role: Role,
    /// A centre they work at; may be given several times
    #[arg(long = "centre", required = true)]
    centres: Vec<CentreCode>,
}

impl EnrolCode {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let (server, organisation) = self.place.open()?;
        say(&server.create_code(organisation, &NewCode { user: self.user, role: self.role, centres: self.centres })?)
    }
}
