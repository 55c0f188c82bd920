//! Arguments that commands share: the data of a server, an organisation, a person.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use farmtally_core::environment::Environment;
use farmtally_core::permission::Role;
use farmtally_core::units::{CentreCode, OrganisationId, UserId};
use farmtally_sync_server::storage::PostgresStorage;
use farmtally_sync_server::storage::postgres::Options;
use farmtally_sync_server::{NamedUser, Server, is_server};

use crate::output::print_warning;

pub(crate) const NO_ORGANISATION: &str = "there is no organisation yet: create one with `farmtally-server org create`";

/// Data of a server.
#[derive(Args)]
pub(crate) struct Data {
    /// The folder with databases, journal and keys; only `org create` creates it
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Keep the databases on PostgreSQL, and only journal and keys in the folder; if the URL has a password, set the environment variable
    #[arg(long, value_name = "URL", env = "FARMTALLY_POSTGRES", hide_env_values = true)]
    postgres: Option<String>,
}

impl Data {
    /// Opens the folder, or creates it. Prints warnings to standard error.
    pub(crate) fn open(&self) -> anyhow::Result<Server> {
        self.open_with(|warning| print_warning(&warning))
    }

    /// Opens the folder, or creates it, and passes warnings to `warn`, such as one for each open recovery.
    pub(crate) fn open_with(&self, warn: impl Fn(String)) -> anyhow::Result<Server> {
        let environment = Environment::system();
        let server = match &self.postgres {
            None => Server::open(&self.data, environment),
            Some(url) => {
                let storage = PostgresStorage::open(url, Options::default(), environment.clone());
                let storage = storage.context("cannot open the database on PostgreSQL")?;
                Server::with_storage(Box::new(storage), &self.data, environment)
            }
        };
        let server = server.with_context(|| format!("cannot open {}", self.data.display()))?;
        server.warnings().iter().cloned().for_each(&warn);
        for organisation in server.organisations()? {
            if let Some(recovery) = server.recovery(organisation)?.filter(|it| it.ended_at.is_none()) {
                let reason = recovery.reason;
                warn(format!(
                    "organisation {organisation} is in a recovery ({reason}): see `farmtally-server recovery status`"
                ));
            }
        }
        Ok(server)
    }

    /// Opens an existing folder; a mistyped name must not create a second server. Prints warnings to standard error.
    pub(crate) fn open_existing(&self) -> anyhow::Result<Server> {
        self.open_existing_with(|warning| print_warning(&warning))
    }

    /// Opens an existing folder, and passes warnings to `warn`.
    pub(crate) fn open_existing_with(&self, warn: impl Fn(String)) -> anyhow::Result<Server> {
        let folder = self.data.display();
        if self.data.exists() && !self.data.is_dir() {
            anyhow::bail!("{folder} is not a folder");
        }
        if !is_server(&self.data)? {
            let whole = self.data.canonicalize().unwrap_or_default();
            let is_part = ["data", "keys", "journal"].iter().any(|part| whole.ends_with(part));
            if let Some(above) = whole.parent().filter(|above| is_part && is_server(above).unwrap_or_default()) {
                anyhow::bail!("{folder} is a part of a server's folder: name the folder above, {}", above.display());
            }
            anyhow::bail!(
                "{folder} contains no server data: create an organisation with `farmtally-server org create`"
            );
        }
        self.open_with(warn)
    }
}

/// One organisation of a server.
#[derive(Args)]
pub(crate) struct Target {
    #[command(flatten)]
    data: Data,
    /// The id of the organisation, as `org list` prints it; optional while there is only one
    #[arg(long, value_name = "ID", value_parser = organisation)]
    org: Option<OrganisationId>,
}

impl Target {
    /// Opens an existing folder, and chooses the organisation.
    pub(crate) fn open(&self) -> anyhow::Result<(Server, OrganisationId)> {
        let server = self.data.open_existing()?;
        let organisation = choose(&server, self.org)?;
        Ok((server, organisation))
    }
}

/// A person, their role and their centres.
#[derive(Args)]
pub(crate) struct Person {
    /// The name of a new user, or the id of a known one, as `users` prints it
    #[arg(long, value_parser = parse_user)]
    user: User,
    /// The user is another person than the known ones of this name
    #[arg(long)]
    another: bool,
    /// `clerk`, `field_manager` or `dispatcher`
    #[arg(long)]
    pub(crate) role: Role,
    /// The code of a centre they work at; may be given several times
    #[arg(long = "centre", required = true)]
    pub(crate) centres: Vec<CentreCode>,
}

impl Person {
    pub(crate) fn user(&self) -> NamedUser<'_> {
        self.user.named(self.another)
    }
}

/// A user, as an operator writes them.
#[derive(Clone)]
pub(crate) enum User {
    Id(UserId),
    Name(String),
}

impl User {
    pub(crate) fn named(&self, is_another: bool) -> NamedUser<'_> {
        match self {
            Self::Id(id) => NamedUser::Id(*id),
            Self::Name(name) => NamedUser::Name { name, is_another },
        }
    }
}

/// Parses the id or name of a user. A mistyped id must not become the name of a new user.
pub(crate) fn parse_user(text: &str) -> Result<User, String> {
    let text = text.trim();
    match text.parse() {
        Ok(id) => Ok(User::Id(id)),
        Err(_) if looks_like_id(text) => {
            Err("this is no id of a user: copy one as `users` prints it, or write a name".into())
        }
        Err(_) => Ok(User::Name(text.to_owned())),
    }
}

/// Returns whether a text is like an id, or a part of one, in which at most one character is not of an id.
fn looks_like_id(text: &str) -> bool {
    let is_of_id = |it: &char| it.is_ascii_hexdigit() || *it == '-';
    let others = text.chars().filter(|it| !is_of_id(it)).count();
    text.len() >= 8 && others <= 1 && text.contains(|it: char| it.is_ascii_digit()) && !text.contains(' ')
}

/// Parses the id of an organisation.
pub(crate) fn organisation(text: &str) -> Result<OrganisationId, String> {
    let known = "`farmtally-server org list --data DIR` prints the ids and names";
    text.parse().map_err(|_other| format!("this is not the id of an organisation: {known}"))
}

pub(crate) fn choose(server: &Server, asked: Option<OrganisationId>) -> anyhow::Result<OrganisationId> {
    let all = server.organisations()?;
    match (asked, all.as_slice()) {
        (Some(asked), all) if all.contains(&asked) => Ok(asked),
        (Some(asked), _) => anyhow::bail!("there is no organisation {asked}: see `farmtally-server org list`"),
        (None, &[only]) => Ok(only),
        (None, []) => anyhow::bail!("{NO_ORGANISATION}"),
        (None, _) => {
            anyhow::bail!("there are several organisations: name one with --org, see `farmtally-server org list`")
        }
    }
}
