//! `farmtally-server`: runs the sync server and the office's commands. A command with more logic than a call of the library is a file.

mod backup;
mod data;
mod grant;
mod held;
mod import;
mod org;
mod output;
mod recovery;
mod serve;

use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use farmtally_core::decisions::Order;
use farmtally_core::store::rows::FoundRecord;
use farmtally_core::units::{BusinessDate, DeviceCode, FarmerId, Money};
use farmtally_sync_server::storage::postgres::{CONTROL, TABLES};
use farmtally_sync_server::{DeviceLine, Error};

use data::{Data, Person, Target};
use output::{print, print_error, print_table};

/// Sync server for phones, and the office's commands
#[derive(Parser)]
#[command(name = "farmtally-server", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// The commands, in the order of the help. A variant without a doc comment takes its help from that of its arguments.
#[derive(Subcommand)]
enum Command {
    Serve(serve::Serve),
    /// Create, update and list organisations
    #[command(subcommand)]
    Org(org::Org),
    Import(import::Import),
    /// Create a code that enrols one phone, once, within seven days
    EnrolCode {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        person: Person,
    },
    /// List the users: id, name, number of phones, and whether suspended
    Users {
        #[command(flatten)]
        target: Target,
    },
    /// List the phones: code, user, model, last contact, and orders or suspensions in force
    Devices {
        #[command(flatten)]
        target: Target,
    },
    /// Manage who may do what on which phone
    #[command(subcommand)]
    Grant(grant::Grant),
    /// Suspend a user on every phone, or lift the suspension
    Suspend {
        #[command(flatten)]
        target: Target,
        /// The user's id, as `users` prints it, or a name that only one user has
        #[arg(value_parser = data::parse_user)]
        user: data::User,
        /// Lift the suspension
        #[arg(long)]
        lift: bool,
    },
    /// Order a phone: `lost` locks it, `wipe` makes it upload and destroy its data, `rekey` gives it a new key, `resume` ends an order
    Order {
        #[command(flatten)]
        target: Target,
        /// The phone's code, as on its receipts
        device: DeviceCode,
        /// `lost`, `wipe`, `rekey` or `resume`
        order: Order,
    },
    /// Add to what a user may pay out to farmers on a phone without network; what was leased once is never taken back
    Lease {
        #[command(flatten)]
        target: Target,
        /// The user's id, as `users` prints it, or a name that only one user has
        #[arg(long, value_parser = data::parse_user)]
        user: data::User,
        /// The phone's code, as on its receipts
        #[arg(long)]
        phone: DeviceCode,
        /// The amount to add, in minor units of the currency; 0 only changes the last day
        #[arg(long, value_parser = parse_amount)]
        amount: Money,
        /// The last day on which the user may pay out, such as 2026-11-30
        #[arg(long)]
        until: BusinessDate,
    },
    /// List, approve or reject held changes
    #[command(subcommand)]
    Held(held::Held),
    /// Find the id of a delivery by its receipt number, of a load by its number, of farmers by code, name, village or telephone number
    Find {
        #[command(flatten)]
        target: Target,
        /// The number on the paper, or words
        #[arg(required = true)]
        text: Vec<String>,
    },
    /// Erase a farmer's contact details everywhere, for good
    Erase {
        #[command(flatten)]
        target: Target,
        /// The id of the farmer, as `find` prints it
        farmer: FarmerId,
        /// Erase; without it, the command only says what it would erase
        #[arg(long)]
        yes: bool,
    },
    Backup(backup::Backup),
    Verify(backup::Verify),
    /// Show whether this server has lost data, and end the recovery once all phones that matter have synced
    #[command(subcommand)]
    Recovery(recovery::Recovery),
    /// Tell phones with each answer that this server moves to another address; they use it as soon as the server answers there
    MoveTo {
        #[command(flatten)]
        data: Data,
        /// The new address, which begins with `https://`, or with `http://` on this machine; without one, the server stays
        address: Option<String>,
    },
    /// Print the SQL that creates the tables on PostgreSQL; the role that runs it owns them, and should not be the server's role
    Tables,
}

impl Command {
    fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Serve(it) => it.run(),
            Self::Org(it) => it.run(),
            Self::Import(it) => it.run(),
            Self::EnrolCode { target, person } => {
                let (server, organisation) = target.open()?;
                let code = server.create_code(organisation, person.user(), person.role, &person.centres)?;
                print(&code).context("the code is lost: create another, for the user's id as `users` prints it")
            }
            Self::Users { target } => {
                let (server, organisation) = target.open()?;
                let rows = server.users(organisation)?.into_iter().map(|it| {
                    let state = if it.is_suspended { "suspended" } else { "" };
                    [it.user_id.to_string(), it.name, it.phones.to_string(), state.to_owned()]
                });
                print_table(["ID", "NAME", "PHONES", "STATE"], &rows.collect::<Vec<_>>())
            }
            Self::Devices { target } => {
                let (server, organisation) = target.open()?;
                let last_contact = format!("LAST CONTACT ({})", server.zone(organisation)?);
                let row = |it: DeviceLine| [it.device.code.to_string(), it.user, it.device.model, it.seen, it.state];
                let rows: Vec<_> = server.devices(organisation)?.into_iter().map(row).collect();
                print_table(["CODE", "USER", "MODEL", &last_contact, "STATE"], &rows)
            }
            Self::Grant(it) => it.run(),
            Self::Suspend { target, user, lift } => {
                let (server, organisation) = target.open()?;
                let phones = server.suspend(organisation, user.named(false), !lift)?;
                print(&format_args!("{} on {phones} phone(s)", if lift { "lifted" } else { "suspended" }))
            }
            Self::Order { target, device, order } => {
                let (server, organisation) = target.open()?;
                server.order(organisation, device, order)?;
                print(&format_args!("{device}: {order}"))
            }
            Self::Lease { target, user, phone, amount, until } => {
                let (server, organisation) = target.open()?;
                let lease = server.lease(organisation, phone, user.named(false), amount, until)?;
                let total = lease.total_minor.minor();
                print(&format_args!("{phone}: {total} minor units leased in all, until {until}"))
            }
            Self::Held(it) => it.run(),
            Self::Find { target, text } => {
                let (server, organisation) = target.open()?;
                let text = text.join(" ");
                let found = server.find(organisation, &text)?;
                anyhow::ensure!(!found.is_empty(), "no record matches {text}");
                let row = |it: FoundRecord| {
                    [it.kind.name.to_owned(), it.document_id.to_string(), it.scope.to_string(), it.number]
                };
                print_table(["KIND", "ID", "SCOPE", "NUMBER"], &found.into_iter().map(row).collect::<Vec<_>>())
            }
            Self::Erase { target, farmer, yes } => {
                let (server, organisation) = target.open()?;
                if !yes {
                    let what = server.describe_erasure(organisation, farmer)?;
                    anyhow::bail!("this would erase {what}, everywhere and for good: repeat the command with --yes");
                }
                print(&format_args!("erased {} document(s)", server.erase_farmer(organisation, farmer)?))
            }
            Self::Backup(it) => it.run(),
            Self::Verify(it) => it.run(),
            Self::Recovery(it) => it.run(),
            Self::MoveTo { data, address } => match data.open_existing()?.move_to(address.as_deref())? {
                Some(address) => {
                    print(&format_args!("phones learn with their next sync that this server moves to {address}"))
                }
                None => print(&"this server stays at its address"),
            },
            Self::Tables => print(&format_args!("{CONTROL}\n{}", TABLES.join("\n"))),
        }
    }
}

fn parse_amount(text: &str) -> Result<Money, String> {
    let minor: i64 = text.parse().map_err(|_no_number| "write a whole number of minor units".to_owned())?;
    Money::try_from(minor).map_err(|error| error.to_string())
}

fn main() -> ExitCode {
    match Cli::parse().command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&format_args!("{}{}", causes(&error), advice(&error)));
            ExitCode::FAILURE
        }
    }
}

/// Formats an error and its causes in one line, each text once: many errors already contain the text of their source.
fn causes(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !line.contains(&cause) {
            line = if line.is_empty() { cause } else { format!("{line}: {cause}") };
        }
    }
    line
}

/// Returns what an operator can do with this program about an error of the server, to be printed after it.
fn advice(error: &anyhow::Error) -> &'static str {
    match error.chain().find_map(|cause| cause.downcast_ref::<Error>()) {
        Some(Error::LikeKnownUser { .. }) => {
            ". Name them by id, or repeat the command with --another if this is another person"
        }
        Some(Error::DataMissing { .. }) => ", or say where the data are (--postgres)",
        Some(Error::NoAddress { .. }) => ", and say again with `farmtally-server move-to` where the server moves to",
        Some(Error::Recovering) => ": see `farmtally-server recovery`",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_named_once() {
        let full = anyhow::anyhow!("no room").context("cannot write: no room").context("cannot open DIR");
        assert_eq!(causes(&full), "cannot open DIR: cannot write: no room");
    }
}
