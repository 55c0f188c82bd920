//! Commands about organisations and their reference data.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Subcommand;
use farmtally_core::rules::check_text;
use farmtally_core::text::folded_text;
use farmtally_core::units::{CountryCode, CurrencyCode};
use farmtally_sync_server::{ReferenceFile, Server};

use crate::data::{Data, Target};
use crate::output::{print, print_table};

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
        /// The currency of all amounts, by ISO 4217, such as INR [default: that of the country]
        #[arg(long, value_name = "CODE")]
        currency: Option<CurrencyCode>,
        /// Create it even if there is an organisation of this name
        #[arg(long)]
        same_name: bool,
    },
    /// Add reference data, or replace records of the same codes
    Update {
        #[command(flatten)]
        target: Target,
        /// A JSON file, as for `create`
        #[arg(long, value_name = "FILE")]
        reference: PathBuf,
    },
    /// List the organisations: id, name, country, currency and zone
    List {
        #[command(flatten)]
        data: Data,
    },
}

impl Org {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Create { data, name, country, reference, zone_minutes, currency, same_name } => {
                let file = reference.as_deref().map(read).transpose()?.unwrap_or_default();
                let server = data.open()?;
                let created = server.while_creating(|| {
                    if !same_name {
                        require_new_name(&server, &name)?;
                    }
                    Ok::<_, anyhow::Error>(server.create_organisation(
                        &name,
                        &country,
                        zone_minutes,
                        currency.as_ref(),
                        &file,
                    )?)
                })?;
                print(&created)
            }
            Self::Update { target, reference } => {
                let (server, organisation) = target.open()?;
                let file = read(&reference)?;
                let logged = server.update_reference(organisation, &file).with_context(|| in_file(&reference))?;
                print(&format_args!("{logged} records are new or changed"))
            }
            Self::List { data } => {
                let server = data.open_existing()?;
                let mut rows = Vec::new();
                for organisation in server.organisations()? {
                    let it = server.day(organisation, None)?.organisation;
                    let (country, currency) = (it.country.to_string(), it.currency.code.to_string());
                    rows.push([organisation.to_string(), it.name, country, currency, it.zone_minutes.to_string()]);
                }
                print_table(["ID", "NAME", "COUNTRY", "CURRENCY", "ZONE MINUTES"], &rows)
            }
        }
    }
}

/// Requires that no organisation has a name with the same [folded form](folded_text).
fn require_new_name(server: &Server, name: &str) -> anyhow::Result<()> {
    for organisation in server.organisations()? {
        if folded_text(&server.day(organisation, None)?.organisation.name) == folded_text(name) {
            anyhow::bail!(
                "organisation {organisation} has this name: to change its reference data use `org update`, to create another one repeat the command with --same-name"
            );
        }
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<ReferenceFile> {
    let json = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let json = String::from_utf8(json).with_context(|| format!("{} is not text: save it as UTF-8", path.display()))?;
    ReferenceFile::parse(&json).with_context(|| in_file(path))
}

fn in_file(path: &Path) -> String {
    format!("in {}", path.display())
}
