//! `farmtally-server`: runs the sync server and does what the office does by command.

use std::fs::File;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use farmtally_core::decisions::Order;
use farmtally_core::environment::Environment;
use farmtally_core::permission::Role;
use farmtally_core::rules::check_text;
use farmtally_core::units::{CentreCode, ChangeHash, DeviceCode, DocumentId, FarmerId, GrantId, OrganisationId};
use farmtally_sync_server::storage::postgres::{CONTROL, Options, TABLES};
use farmtally_sync_server::storage::{HeldEntry, PostgresStorage};
use farmtally_sync_server::{Imported, MOST_LISTENERS, NewCode, ReferenceFile, Server, serve};

/// Reconciles phones, and keeps what the office decides.
#[derive(Parser)]
#[command(name = "farmtally-server", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct Data {
    /// The folder with databases and keys; it is made if there is none
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Keep the databases on PostgreSQL, and only keys and journal in the folder; better set in the environment if there is a password in it
    #[arg(long, value_name = "URL", env = "FARMTALLY_POSTGRES", hide_env_values = true)]
    postgres: Option<String>,
}

impl Data {
    /// Opens the folder, and makes it if there is none.
    fn open(&self) -> anyhow::Result<Server> {
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
    fn open_existing(&self) -> anyhow::Result<Server> {
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

#[derive(Subcommand)]
enum Command {
    /// Say who may do what on which phone
    #[command(subcommand)]
    Grant(GrantCommand),
    /// Suspend a user on every phone, or lift it
    Suspend {
        #[command(flatten)]
        place: Place,
        /// The person's name
        user: String,
        /// Let them work again
        #[arg(long)]
        lift: bool,
    },
    /// Order a phone: `lost` locks it, `wipe` makes it hand everything in and destroy the rest, `rekey` gives it a new key, `work` ends an order
    Order {
        #[command(flatten)]
        place: Place,
        /// The phone's code, as on its receipts
        device: DeviceCode,
        /// lost, wipe, rekey or work
        order: Order,
    },
    /// Copy all data into a new folder, while the server works
    Backup {
        #[command(flatten)]
        data: Data,
        /// The new folder
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
    },
    /// Prove that a copy holds what was acknowledged; what two verified copies hold, phones may let go of
    Verify {
        #[command(flatten)]
        data: Data,
        /// The folder that `backup` made
        copy: PathBuf,
    },
    /// See whether this server has lost data, and end the recovery once all phones have been in touch
    #[command(subcommand)]
    Recovery(RecoveryCommand),
    /// Decide about entries that are held
    #[command(subcommand)]
    Held(HeldCommand),
    /// List the phones: code, user, model, last contact, and what stops them
    Devices {
        #[command(flatten)]
        place: Place,
    },
    /// Find the id of a delivery by its receipt, of a load by its number, of farmers by code, name, village or telephone number
    Find {
        #[command(flatten)]
        place: Place,
        /// What stands on the paper, or words
        #[arg(required = true)]
        text: Vec<String>,
    },
    /// Forget a person: drop a farmer's contact details everywhere, for good
    Erase {
        #[command(flatten)]
        place: Place,
        /// The farmer
        farmer: FarmerId,
    },
    /// Answer phones and show the office's page
    Serve {
        #[command(flatten)]
        data: Data,
        /// The address to listen on; the page has no sign-in yet, so put a proxy in front before opening it to others
        #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
        host: IpAddr,
        /// The port to listen on; 0 chooses a free one
        #[arg(long, default_value_t = 8484)]
        port: u16,
        /// Phones that may listen for news at the same time; each holds a connection
        #[arg(long, value_name = "N", default_value_t = MOST_LISTENERS)]
        listeners: usize,
    },
    /// Print the SQL that makes the tables on PostgreSQL; the role that runs it owns them, and must not be the one that the server connects as
    Tables,
    /// Create and update organisations
    #[command(subcommand)]
    Org(Org),
    /// Make a code with which one phone can be enrolled, once, within seven days
    EnrolCode {
        #[command(flatten)]
        data: Data,
        /// The organisation; may be left out while there is only one
        #[arg(long)]
        org: Option<OrganisationId>,
        /// The person's name
        #[arg(long)]
        user: String,
        /// clerk, `field_manager` or dispatcher
        #[arg(long)]
        role: Role,
        /// A centre they work at; may be given several times
        #[arg(long = "centre", required = true)]
        centres: Vec<CentreCode>,
    },
    /// Take what phones without network handed over as files; a file that was taken before changes nothing
    Import {
        #[command(flatten)]
        data: Data,
        /// Take only what belongs to this organisation
        #[arg(long)]
        org: Option<OrganisationId>,
        /// Files as phones export them
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

/// One organisation of a data folder.
#[derive(Args)]
struct Place {
    #[command(flatten)]
    data: Data,
    /// The organisation; may be left out while there is only one
    #[arg(long)]
    org: Option<OrganisationId>,
}

impl Place {
    fn open(&self) -> anyhow::Result<(Server, OrganisationId)> {
        let server = self.data.open_existing()?;
        let organisation = choose(&server, self.org)?;
        Ok((server, organisation))
    }
}

#[derive(Subcommand)]
enum GrantCommand {
    /// Let a user work on a phone that is enrolled already; prints the grant
    Add {
        #[command(flatten)]
        place: Place,
        /// The phone's code, as on its receipts
        #[arg(long)]
        device: DeviceCode,
        /// The person's name
        #[arg(long)]
        user: String,
        /// clerk, `field_manager` or dispatcher
        #[arg(long)]
        role: Role,
        /// A centre they work at; may be given several times
        #[arg(long = "centre", required = true)]
        centres: Vec<CentreCode>,
    },
    /// List the grants that hold
    List {
        #[command(flatten)]
        place: Place,
    },
    /// End a grant
    Revoke {
        #[command(flatten)]
        place: Place,
        /// Which
        grant: GrantId,
    },
}

#[derive(Subcommand)]
enum RecoveryCommand {
    /// Say whether a recovery lasts, since when and why
    Status {
        #[command(flatten)]
        place: Place,
    },
    /// End it: from here on things are decided again
    End {
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Subcommand)]
enum HeldCommand {
    /// List what is held: document, change, code, device, reason
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Log held changes of a document unchanged, with all that builds on them
    Approve {
        #[command(flatten)]
        place: Place,
        /// The document
        document: DocumentId,
        /// Only this change and what builds on it; otherwise all that is held of the document
        #[arg(long)]
        change: Option<ChangeHash>,
    },
    /// Send held changes of a document back to their authors, with all that builds on them
    Return {
        #[command(flatten)]
        place: Place,
        /// The document
        document: DocumentId,
        /// Only this change and what builds on it; otherwise all that is held of the document
        #[arg(long)]
        change: Option<ChangeHash>,
        /// Words for the authors
        #[arg(long, default_value = "")]
        reason: String,
    },
}

#[derive(Subcommand)]
enum Org {
    /// Create an organisation and print its id
    Create {
        #[command(flatten)]
        data: Data,
        /// Its name
        #[arg(value_parser = |name: &str| check_text(name, true))]
        name: String,
        /// Centres, commodities, seasons, lorries and rule sets as JSON (docs/operating.md)
        #[arg(long, value_name = "FILE")]
        reference: Option<PathBuf>,
        /// Minutes that local time is ahead of UTC
        #[arg(long, default_value_t = 0, allow_negative_numbers = true, value_parser = clap::value_parser!(i16).range(-840..=840))]
        zone_minutes: i16,
    },
    /// Add reference data, or replace records of the same codes
    Update {
        #[command(flatten)]
        data: Data,
        /// The organisation; may be left out while there is only one
        #[arg(long)]
        org: Option<OrganisationId>,
        /// As for `create`
        #[arg(long, value_name = "FILE")]
        reference: PathBuf,
    },
    /// List organisations
    List {
        #[command(flatten)]
        data: Data,
    },
}

fn main() -> ExitCode {
    match carry_out(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// If nobody can read it, the exit code still says so.
fn complain(error: &dyn std::fmt::Display) {
    drop(writeln!(std::io::stderr(), "error: {error}"));
}

fn carry_out(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Grant(command) => grant(command),
        Command::Held(command) => held(command),
        Command::Backup { data, to } => {
            data.open_existing()?.back_up(&to)?;
            say(&format_args!("copied to {}: `farmtally-server verify` proves it", to.display()))
        }
        Command::Verify { data, copy } => {
            for (organisation, copied) in data.open_existing()?.verify(&copy)? {
                let entries: u64 = copied.places.iter().map(|place| place.sequence).sum();
                let (logs, devices) = (copied.places.len(), copied.devices.len());
                say(&format_args!(
                    "{organisation}: {entries} entries of {logs} logs and {devices} devices, all chains hold"
                ))?;
            }
            Ok(())
        }
        Command::Recovery(RecoveryCommand::Status { place }) => {
            let (server, organisation) = place.open()?;
            match server.recovery(organisation)? {
                None => say(&"no data was ever lost"),
                Some(it) => {
                    let until = it.ended_at.map_or_else(|| "lasts".to_owned(), |at| format!("ended {at}"));
                    say(&format_args!("recovery {}: began {}, {until}; {}", it.epoch, it.started_at, it.reason))
                }
            }
        }
        Command::Recovery(RecoveryCommand::End { place }) => {
            let (server, organisation) = place.open()?;
            server.end_recovery(organisation)?;
            say(&"ended")
        }
        Command::Suspend { place, user, lift } => {
            let (server, organisation) = place.open()?;
            let devices = server.suspend(organisation, &user, !lift)?;
            say(&format_args!("{} on {devices} phone(s)", if lift { "lifted" } else { "suspended" }))
        }
        Command::Order { place, device, order } => {
            let (server, organisation) = place.open()?;
            server.order(organisation, device, order)?;
            say(&format_args!("{device}: {}", order.name()))
        }
        Command::Devices { place } => {
            let (server, organisation) = place.open()?;
            for it in server.devices(organisation)? {
                say(&format_args!("{}  {}  {}  {}  {}", it.device.code, it.user, it.device.model, it.seen, it.state))?;
            }
            Ok(())
        }
        Command::Find { place, text } => {
            let (server, organisation) = place.open()?;
            let found = server.find(organisation, &text.join(" "))?;
            for it in &found {
                say(&format_args!("{}  {}  {}  {}", it.kind.name(), it.document, it.scope, it.number))?;
            }
            anyhow::ensure!(!found.is_empty(), "nothing here is called {}", text.join(" "));
            Ok(())
        }
        Command::Erase { place, farmer } => {
            let (server, organisation) = place.open()?;
            say(&format_args!("erased {} document(s)", server.erase_farmer(organisation, farmer)?))
        }
        Command::Serve { data, host, port, listeners } => run(&data, host, port, listeners),
        Command::Tables => say(&format_args!("{CONTROL}\n{}", TABLES.join("\n"))),
        Command::Org(command) => org(command),
        Command::EnrolCode { data, org, user, role, centres } => {
            let server = data.open_existing()?;
            let organisation = choose(&server, org)?;
            say(&server.create_code(organisation, &NewCode { user, role, centres })?)
        }
        Command::Import { data, org, files } => {
            let server = data.open_existing()?;
            let organisation = org.map(|org| choose(&server, Some(org))).transpose()?;
            let mut failed = 0;
            for file in &files {
                if let Err(error) = import(&server, organisation, file) {
                    failed += 1;
                    complain(&format_args!("{}: {error:#}", file.display()));
                }
            }
            anyhow::ensure!(failed == 0, "{failed} of {} files were not taken, or only in part", files.len());
            Ok(())
        }
    }
}

/// Takes all that a file holds and says what became of it; then fails if there was something that could not be taken.
fn import(server: &Server, organisation: Option<OrganisationId>, path: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(!path.is_dir(), "is a folder: name the files in it");
    let file = File::open(path).context("cannot be opened")?;
    let mut taken = Imported::default();
    let mut wrong = Vec::new();
    let parcels = server.import(organisation, std::io::BufReader::new(file));
    for (number, parcel) in (1..).zip(parcels) {
        match parcel {
            Ok(imported) => taken += imported,
            Err(error) => wrong.push(format!("parcel {number}: {error}")),
        }
    }
    if wrong.is_empty() || taken != Imported::default() {
        say(&format_args!("{}: {taken}", path.display()))?;
    }
    anyhow::ensure!(wrong.is_empty(), "{}", wrong.join("; "));
    Ok(())
}

fn org(command: Org) -> anyhow::Result<()> {
    match command {
        Org::Create { data, name, reference, zone_minutes } => {
            let file = reference.as_deref().map(read).transpose()?.unwrap_or_default();
            say(&data.open()?.create_organisation(&name, zone_minutes, &file)?)
        }
        Org::Update { data, org, reference } => {
            let server = data.open_existing()?;
            let file = read(&reference)?;
            Ok(server.update_reference(choose(&server, org)?, &file)?)
        }
        Org::List { data } => {
            let server = data.open_existing()?;
            for organisation in server.organisations()? {
                say(&format_args!("{organisation}  {}", server.day(organisation, None)?.organisation.name))?;
            }
            Ok(())
        }
    }
}

fn grant(command: GrantCommand) -> anyhow::Result<()> {
    match command {
        GrantCommand::Add { place, device, user, role, centres } => {
            let (server, organisation) = place.open()?;
            say(&server.grant(organisation, device, &user, role, &centres)?)
        }
        GrantCommand::List { place } => {
            let (server, organisation) = place.open()?;
            for line in server.grants(organisation)? {
                let centres: Vec<String> = line.grant.centres.iter().map(ToString::to_string).collect();
                let (grant, role) = (line.grant.grant, line.grant.role.name());
                say(&format_args!("{grant}  {}  {}  {role}  {}", line.device, line.user, centres.join(" ")))?;
            }
            Ok(())
        }
        GrantCommand::Revoke { place, grant } => {
            let (server, organisation) = place.open()?;
            server.revoke(organisation, grant)?;
            say(&format_args!("{grant} has ended"))
        }
    }
}

fn held(command: HeldCommand) -> anyhow::Result<()> {
    let count = |done: &str, entries: &[HeldEntry]| say(&format_args!("{done} {} change(s)", entries.len()));
    match command {
        HeldCommand::List { place } => {
            let (server, organisation) = place.open()?;
            for it in server.held(organisation)? {
                let (entry, device) = (&it.entry, it.entry.envelope.device);
                say(&format_args!("{}  {}  {}  {device}  {}", entry.document(), entry.change, it.code, it.reason))?;
            }
            Ok(())
        }
        HeldCommand::Approve { place, document, change } => {
            let (server, organisation) = place.open()?;
            count("approved", &server.approve(organisation, document, change)?)
        }
        HeldCommand::Return { place, document, change, reason } => {
            let (server, organisation) = place.open()?;
            count("returned", &server.give_back(organisation, document, change, &reason)?)
        }
    }
}

/// What a command answers goes to standard output; a reader that has gone is an error, not a panic.
fn say(answer: &dyn std::fmt::Display) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{answer}").context("cannot write the answer")
}

fn read(path: &Path) -> anyhow::Result<ReferenceFile> {
    let json = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    ReferenceFile::parse(&json).with_context(|| format!("in {}", path.display()))
}

fn choose(server: &Server, asked: Option<OrganisationId>) -> anyhow::Result<OrganisationId> {
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

fn run(data: &Data, host: IpAddr, port: u16, listeners: usize) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::builder();
    let filter = filter.with_default_directive(tracing::Level::INFO.into()).from_env_lossy();
    tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(std::io::stderr).init();
    let server = data.open()?;
    let lock = File::create(data.data.join("serve.lock")).context("the data folder")?;
    if lock.try_lock().is_err() {
        anyhow::bail!("another process serves {} already", data.data.display());
    }
    server.limit_listeners(listeners);
    let server = Arc::new(server);
    // Opened and dropped outside of the runtime: the client of PostgreSQL blocks.
    tokio::runtime::Runtime::new()?.block_on(answer(Arc::clone(&server), host, port))
}

async fn answer(server: Arc<Server>, host: IpAddr, port: u16) -> anyhow::Result<()> {
    let mut running = serve(server, host, port).await?;
    let address = running.address();
    tracing::info!(%address, "listening");
    // Whoever started the server with port 0 reads the address here.
    say(&format_args!("http://{address}/"))?;
    tokio::select! {
        ended = running.wait() => Ok(ended?),
        () = asked_to_stop() => {
            tracing::info!("stopping");
            Ok(running.stop().await?)
        }
    }
}

/// Ctrl-C, or the signal with which service managers stop a program.
async fn asked_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => return,
                _ = tokio::signal::ctrl_c() => return,
            }
        }
    }
    // Without a signal handler the program still ends at Ctrl-C, only not in order.
    drop(tokio::signal::ctrl_c().await);
}
