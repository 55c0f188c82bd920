//! Commands about organisations and their reference data.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Subcommand;
use farmtally_core::rules::check_text;
use farmtally_core::units::CountryCode;
use farmtally_sync_server::ReferenceFile;

use crate::data::{Data, Target};
use crate::output::print;

#[derive(Subcommand)]
pub(crate) enum Org {
    /// Create an organisation and print its id
    Create {
        #[command(flatten)]
        data: Data,
        /// The name of the organisation
        #[arg(value_parser = |name: &str| check_text(name, true))]
        name: String,
        /// The country of telephone numbers without a country code, by ISO 3166, such as IN
        #[arg(long, value_name = "CODE")]
        country: CountryCode,
        /// A JSON file of centres, commodities, seasons, lorries, rule sets and notices (format: docs/operating.md)
        #[arg(long, value_name = "FILE")]
        reference: Option<PathBuf>,
        /// Minutes that local time is ahead of UTC
        #[arg(long, default_value_t = 0, allow_negative_numbers = true, value_parser = clap::value_parser!(i16).range(-840..=840))]
        zone_minutes: i16,
    },
    /// Add reference data, or replace records of the same codes
    Update {
        #[command(flatten)]
        target: Target,
        /// A JSON file, as for `create`
        #[arg(long, value_name = "FILE")]
        reference: PathBuf,
    },
    /// List the organisations: id and name
    List {
        #[command(flatten)]
        data: Data,
    },
}

impl Org {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Create { data, name, country, reference, zone_minutes } => {
                let file = reference.as_deref().map(read).transpose()?.unwrap_or_default();
                print(&data.open()?.create_organisation(&name, &country, zone_minutes, &file)?)
            }
            Self::Update { target, reference } => {
                let (server, organisation) = target.open()?;
                Ok(server.update_reference(organisation, &read(&reference)?)?)
            }
            Self::List { data } => {
                let server = data.open_existing()?;
                for organisation in server.organisations()? {
                    print(&format_args!("{organisation}  {}", server.day(organisation, None)?.organisation.name))?;
                }
                Ok(())
            }
        }
    }
}

fn read(path: &Path) -> anyhow::Result<ReferenceFile> {
    let json = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    ReferenceFile::parse(&json).with_context(|| format!("in {}", path.display()))
}
