//! Command that erases a person's data.

use clap::Args;
use farmtally_core::units::FarmerId;

use crate::data::Target;
use crate::output::print;

/// Erase a farmer's contact details everywhere, for good
#[derive(Args)]
pub(crate) struct Erase {
    #[command(flatten)]
    target: Target,
    /// The id of the farmer, as `find` prints it
    farmer: FarmerId,
}

impl Erase {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let (server, organisation) = self.target.open()?;
        print(&format_args!("erased {} document(s)", server.erase_farmer(organisation, self.farmer)?))
    }
}
