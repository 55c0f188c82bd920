//! The arguments that commands share: a server's data, an organisation in it, a person who works there.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use farmtally_core::environment::Environment;
use farmtally_core::permission::Role;
use farmtally_core::units::{CentreCode, OrganisationId};
use farmtally_sync_server::Server;
use farmtally_sync_server::storage::PostgresStorage;
use farmtally_sync_server::storage::postgres::Options;

/// The data of a server.
#[derive(Args)]
pub(crate) struct Data {
    /// The folder with databases and keys; it is made if there is none
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Keep the databases on PostgreSQL, and only keys and journal in the folder; better set in the environment if there is a password in it
    #[arg(long, value_name = "URL", env = "FARMTALLY_POSTGRES", hide_env_values = true)]
    postgres: Option<String>,
}

impl Data {
    /// Opens the folder, and makes it if there is none.
    pub(crate) fn open(&self) -> anyhow::Result<Server> {
        let environment = Environment::system();
        let server = match &self.postgres {
            None => Server::open(&self.data, environment),
            Some(url) => {
                let storage = PostgresStorage::open(url, Options::default(), environment.clone());
                let storage = storage.context("cannot open the database on PostgreSQL")?;
                Server::with_storage(Box::new(storage), &self.data, environment)
            }
        };
        server.with_context(|| format!("cannot open {}", self.data.display()))
    }

    /// Opens a folder that is there: a mistyped one must not become a second server.
    pub(crate) fn open_existing(&self) -> anyhow::Result<Server> {
        let part = if self.postgres.is_some() { "keys" } else { "data" };
        if !self.data.join(part).is_dir() {
            anyhow::bail!(
                "there is no server's data in {}: `farmtally-server org create` begins one",
                self.data.display()
            );
        }
        self.open()
    }
}

/// One organisation of a data folder.
#[derive(Args)]
pub(crate) struct Target {
    #[command(flatten)]
    data: Data,
    /// The organisation; may be left out while there is only one
    #[arg(long)]
    org: Option<OrganisationId>,
}

impl Target {
    /// Opens a folder that is there, and finds the organisation in it.
    pub(crate) fn open(&self) -> anyhow::Result<(Server, OrganisationId)> {
        let server = self.data.open_existing()?;
        let organisation = choose(&server, self.org)?;
        Ok((server, organisation))
    }
}

/// A person and what they may do.
#[derive(Args)]
pub(crate) struct Person {
    /// The person's name
    #[arg(long)]
    pub(crate) user: String,
    /// clerk, `field_manager` or dispatcher
    #[arg(long)]
    pub(crate) role: Role,
    /// A centre they work at; may be given several times
    #[arg(long = "centre", required = true)]
    pub(crate) centres: Vec<CentreCode>,
}

/// Returns the organisation that was asked for, or the only one there is.
pub(crate) fn choose(server: &Server, asked: Option<OrganisationId>) -> anyhow::Result<OrganisationId> {
    let all = server.organisations()?;
    match (asked, all.as_slice()) {
        (Some(asked), all) if all.contains(&asked) => Ok(asked),
        (Some(asked), _) => anyhow::bail!("there is no organisation {asked}: see `farmtally-server org list`"),
        (None, &[only]) => Ok(only),
        (None, []) => anyhow::bail!("there is no organisation yet: create one with `farmtally-server org create`"),
        (None, _) => {
            anyhow::bail!("there are several organisations: name one with --org, see `farmtally-server org list`")
        }
    }
}
