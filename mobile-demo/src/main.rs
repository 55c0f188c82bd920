//! `farmtally-demo`: a real market day on two phones without network and one server, whose totals must be equal to the gram at the end.
//!
//! Server and phones run in this process and use HTTP over a free loopback port. Market, day and published total are real; the split into
//! deliveries, the people and the hours are made up.
//! Read next: `story.rs` (who does what), then `phone.rs` (the calls of `FieldClient` behind it) and `office.rs` (the server).

mod arrivals;
mod desk;
mod market;
mod office;
mod phone;
mod plan;
mod report;
mod spreadsheet;
mod story;

use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use farmtally_core::units::BusinessDate;
use indicatif::HumanCount;

use arrivals::Arrivals;
use market::{DayClock, Market};
use office::Office;
use plan::Plan;
use report::Outcome;
use story::Story;

/// Replays a market day of real data: two phones without network, one server, equal to the gram in the end
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Market, spelled as in the data
    #[arg(long, value_name = "NAME", default_value = "Srinivasapur")]
    market: String,
    /// Day; without it, a day with the market's median arrival
    #[arg(long, value_name = "YYYY-MM-DD")]
    day: Option<BusinessDate>,
    /// How many farmers' deliveries the published total is split into
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    deliveries: u32,
    /// CSV file to use instead of the built-in arrivals; columns date, market, variety, `arrival_tonnes`
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Exit after the result instead of serving the office's page
    #[arg(long)]
    exit: bool,
}

fn main() -> ExitCode {
    match play(&Args::parse()) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Plays the day and prints its outcome; fails if the totals differ. Then serves the office's page until Ctrl-C, unless `--exit` was given.
fn play(args: &Args) -> anyhow::Result<Outcome> {
    let arrivals = Arrivals::load(args.data.as_deref())?;
    say(format_args!("Arrivals: {}", arrivals.summary()));
    let (date, varieties) = arrivals.choose(&args.market, args.day)?;
    let published_g: i64 = varieties.values().sum();
    let plan = Plan::new(published_g, args.deliveries.into())?;
    let market = Market::new(&args.market, date)?;

    let by_variety: Vec<_> =
        varieties.iter().map(|(variety, grams)| format!("{variety} {} g", grouped(*grams))).collect();
    say(format_args!("\nA market day, replayed: {} on {date}", args.market));
    say(format_args!("  real      the published arrival, {} g ({}),", grouped(published_g), by_variety.join(", ")));
    say("            the server, its database, and every request over HTTP");
    say(format_args!(
        "  made up   the split into {} deliveries of {} crates, farmers, people,",
        args.deliveries, plan.crates
    ));
    say("            lorries, and the hours: the clock is the market day's and moves as crates are weighed");

    let folder = tempfile::tempdir().context("cannot make a folder for the day's data")?;
    let clock = DayClock::at_dawn(date);
    let mut office = Office::open(folder.path(), &market, plan.loads, &clock)?;
    say(format_args!("The server listens at {}.", office.url()));
    let [asha, ravi] = Story::begin(&office, &plan, &market, &clock)?.play()?;
    let outcome = Outcome::read(published_g, &office, [&asha, &ravi])?;
    outcome.show(&market);
    outcome.require_equal()?;

    if !args.exit {
        say(format_args!("\nThe office's page: {}/   Ctrl-C ends.", office.url()));
        office.serve_until_ctrl_c()?;
    }
    office.close()?;
    Ok(outcome)
}

/// Prints a line. A reader that closed the pipe, such as `head`, does not end the program.
fn say(line: impl Display) {
    drop(writeln!(std::io::stdout(), "{line}"));
}

/// Formats a number with commas between thousands, without its sign.
fn grouped(number: i64) -> String {
    HumanCount(number.unsigned_abs()).to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn play_small_day(deliveries: u32) -> Outcome {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("arrivals.csv");
        let rows = "date,market,variety,arrival_tonnes\n2016-02-29,Kolar,Tomato,3\n2016-02-29,Kolar,Hybrid,0.700001\n";
        std::fs::write(&data, rows).unwrap();
        play(&Args { market: "Kolar".to_owned(), day: None, deliveries, data: Some(data), exit: true }).unwrap()
    }

    #[test]
    fn a_small_day_agrees_to_the_gram_and_shows_what_a_person_must_decide() {
        let outcome = play_small_day(20);
        let totals: Vec<_> =
            outcome.totals.iter().map(|total| (total.sum.gross_g.0, total.sum.deliveries, total.sum.voided)).collect();
        assert_eq!(totals, [(3_700_001, 20, 1); 3]);
        assert_eq!(outcome.published_g, 3_700_001);
        assert_eq!(outcome.held, 0);

        let [conflict] = &outcome.conflicts[..] else { panic!("{:?}", outcome.conflicts) };
        assert!(conflict.starts_with("lifecycle "), "{conflict}");
        let reviews: Vec<_> = outcome.reviews.iter().map(|line| line.split(' ').next().unwrap()).collect();
        assert_eq!(reviews, ["farmer_look_alike", "late_delivery", "load_contention"]);
    }

    #[test]
    fn one_delivery_makes_a_day() {
        assert_eq!(play_small_day(1).totals.len(), 3);
    }

    #[test]
    fn a_total_that_differs_by_a_gram_is_an_error() {
        let mut outcome = play_small_day(2);
        outcome.published_g += 1;
        assert!(outcome.require_equal().unwrap_err().to_string().contains("the totals differ"));
    }

    #[test]
    fn a_wrong_flag_is_named() {
        for (flag, value) in [("--day", "2016-02-30"), ("--deliveries", "0"), ("--deliveries", "5001"), ("--dy", "1")] {
            let message = Args::try_parse_from(["farmtally-demo", flag, value]).err().unwrap().to_string();
            assert!(message.contains(flag), "{message}");
        }
    }
}
