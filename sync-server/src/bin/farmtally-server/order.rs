//! Command that gives an order to a phone.

use clap::Args;
use farmtally_core::decisions::Order;
use farmtally_core::units::DeviceCode;

use crate::data::Target;
use crate::output::print;

/// Order a phone: `lost` locks it, `wipe` makes it upload and destroy its data, `rekey` gives it a new key, `resume` ends an order
#[derive(Args)]
pub(crate) struct GiveOrder {
    #[command(flatten)]
    target: Target,
    /// The phone's code, as on its receipts
    device: DeviceCode,
    /// `lost`, `wipe`, `rekey` or `resume`
    order: Order,
}

impl GiveOrder {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let (server, organisation) = self.target.open()?;
        server.order(organisation, self.device, self.order)?;
        print(&format_args!("{}: {}", self.device, self.order))
    }
}
