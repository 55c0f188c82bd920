//! Command that finds records by the numbers on paper, or by words.

use clap::Args;

use crate::data::Target;
use crate::output::print;

/// Find the id of a delivery by its receipt number, of a load by its number, of farmers by code, name, village or telephone number
#[derive(Args)]
pub(crate) struct Find {
    #[command(flatten)]
    target: Target,
    /// The number on the paper, or words
    #[arg(required = true)]
    text: Vec<String>,
}

impl Find {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let (server, organisation) = self.target.open()?;
        let text = self.text.join(" ");
        let found = server.find(organisation, &text)?;
        for it in &found {
            print(&format_args!("{}  {}  {}  {}", it.kind.name, it.document, it.scope, it.number))?;
        }
        anyhow::ensure!(!found.is_empty(), "no record matches {text}");
        Ok(())
    }
}
