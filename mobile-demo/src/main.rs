//! `farmtally-demo`: a market day of real data on two phones without network and one server; and a check of such data.
//!
//! Without an argument it needs nothing but this program: server and phones run in this process, over HTTP on a free loopback port.
//! Exit codes: 0 all is well, 1 a problem (named on standard error), 2 wrong usage.

mod arrivals;
mod clock;
mod day;
mod farmers;
mod import;
mod market;
mod office;
mod phone;
mod plan;
mod report;
mod screen;
mod split;

use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use screen::Screen;

/// Replays a market day of real data: two phones without network, one server, equal to the gram in the end
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    day: day::DayArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Check a file of arrivals: names every bad row by file, line and field
    Import(import::ImportArgs),
}

fn main() -> ExitCode {
    let (cli, screen) = (Cli::parse(), Screen::terminal());
    let done = match &cli.command {
        Some(Command::Import(args)) => import::check(args, &screen),
        None => day::play(&cli.day, &screen),
    };
    match done.and_then(|()| screen.finish().context("cannot write")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
