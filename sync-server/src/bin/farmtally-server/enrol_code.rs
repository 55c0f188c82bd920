//! Command that creates enrolment codes.

use clap::Args;
use farmtally_sync_server::NewCode;

use crate::data::{Person, Target};
use crate::output::print;

/// Create a code that enrols one phone, once, within seven days
#[derive(Args)]
pub(crate) struct EnrolCode {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    person: Person,
}

impl EnrolCode {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let (server, organisation) = self.target.open()?;
        let Person { user, role, centres } = self.person;
        print(&server.create_code(organisation, &NewCode { user, role, centres })?)
    }
}
