//! `farmtally-server`: runs the sync server and the office's commands, one file for each command or group of commands.

mod backup;
mod data;
mod devices;
mod enrol_code;
mod erase;
mod find;
mod grant;
mod held;
mod import;
mod order;
mod org;
mod output;
mod recovery;
mod serve;
mod suspend;
mod tables;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use output::print_error;

/// Sync server for phones, and the office's commands
#[derive(Parser)]
#[command(name = "farmtally-server", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// The commands, in the order of the help. The help of each is the doc comment of its arguments.
#[derive(Subcommand)]
enum Command {
    Grant(grant::Grant),
    Suspend(suspend::Suspend),
    Order(order::GiveOrder),
    Backup(backup::Backup),
    Verify(backup::Verify),
    Recovery(recovery::Recovery),
    Held(held::Held),
    Devices(devices::Devices),
    Find(find::Find),
    Erase(erase::Erase),
    Serve(serve::Serve),
    /// Print the SQL that creates the tables on PostgreSQL; the role that runs it owns them, and should not be the server's role
    Tables,
    Org(org::Org),
    EnrolCode(enrol_code::EnrolCode),
    Import(import::Import),
}

impl Command {
    fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Grant(it) => it.run(),
            Self::Suspend(it) => it.run(),
            Self::Order(it) => it.run(),
            Self::Backup(it) => it.run(),
            Self::Verify(it) => it.run(),
            Self::Recovery(it) => it.run(),
            Self::Held(it) => it.run(),
            Self::Devices(it) => it.run(),
            Self::Find(it) => it.run(),
            Self::Erase(it) => it.run(),
            Self::Serve(it) => it.run(),
            Self::Tables => tables::run(),
            Self::Org(it) => it.run(),
            Self::EnrolCode(it) => it.run(),
            Self::Import(it) => it.run(),
        }
    }
}

fn main() -> ExitCode {
    match Cli::parse().command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&causes(&error));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_named_once() {
        let full = anyhow::anyhow!("no room").context("cannot write: no room").context("cannot open DIR");
        assert_eq!(causes(&full), "cannot open DIR: cannot write: no room");
    }
}
