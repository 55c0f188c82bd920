//! Runs seeded schedules and reports failures.
//!
//! `simulate [--seeds N] [--from S]` runs N schedules from seed S on, on all cores; exit code 1 at the first that fails.
//! `simulate --all …` runs all of them and names each that fails; `simulate --postgres …` keeps the server's data on PostgreSQL.
//! `simulate --replay SEED [--without STEP,…]` runs one schedule, without some of its steps, and prints its trace.
//! `simulate --shrink SEED` finds the smallest part of a failing schedule, prints it, and says how to replay it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use farmtally_tests::simulation::postgres::Postgres;
use farmtally_tests::simulation::shrink::shrink;
use farmtally_tests::simulation::{self, Failure, Schedule};

fn main() -> ExitCode {
    let (mut seeds, mut from, mut all, mut postgres) = (1_000, 1, false, None);
    let (mut replay, mut shrunk, mut without) = (None, None, BTreeSet::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--all" {
            all = true;
            continue;
        }
        if argument == "--postgres" {
            postgres = Postgres::start();
            if postgres.is_none() {
                return ExitCode::from(2);
            }
            continue;
        }
        let value = arguments.next().unwrap_or_default();
        if argument == "--without" {
            without = value.split(',').filter_map(|step| step.parse().ok()).collect();
            continue;
        }
        match (argument.as_str(), value.parse().ok()) {
            ("--seeds", Some(number)) => seeds = number,
            ("--from", Some(number)) => from = number,
            ("--replay", Some(number)) => replay = Some(number),
            ("--shrink", Some(number)) => shrunk = Some(number),
            _ => {
                eprintln!(
                    "usage: simulate [--postgres] [--all] [--seeds N] [--from S] | --replay SEED [--without STEP,…] | --shrink SEED"
                );
                return ExitCode::from(2);
            }
        }
    }
    match (replay, shrunk) {
        (Some(seed), _) => replays(&Schedule { seed, without, postgres }),
        (None, Some(seed)) => shrinks(&Schedule { seed, without, postgres }),
        (None, None) => runs(from, seeds, all, postgres.as_ref()),
    }
}

fn shrinks(schedule: &Schedule) -> ExitCode {
    let run = |without: &BTreeSet<usize>| {
        simulation::run_schedule(&Schedule { without: without.clone(), ..schedule.clone() })
    };
    let Some(failure) = shrink(run) else {
        println!("seed {}: everything holds", schedule.seed);
        return ExitCode::SUCCESS;
    };
    println!("{failure}");
    ExitCode::FAILURE
}

fn replays(schedule: &Schedule) -> ExitCode {
    match simulation::run_schedule(schedule) {
        Ok(trace) => {
            trace.lines.iter().for_each(|line| println!("{line}"));
            println!("seed {}: everything holds", schedule.seed);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            println!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn runs(from: u64, seeds: u64, all: bool, postgres: Option<&Arc<Postgres>>) -> ExitCode {
    let begun = Instant::now();
    let next = AtomicU64::new(from);
    let coverage = Mutex::new(BTreeMap::<String, u64>::new());
    let failed = Mutex::new(None::<Box<Failure>>);
    let done = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while all || failed.lock().expect("a lock").is_none() {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + seeds {
                        return;
                    }
                    let schedule = Schedule { seed, postgres: postgres.cloned(), ..Schedule::default() };
                    match simulation::run_schedule(&schedule) {
                        Ok(trace) => {
                            let mut coverage = coverage.lock().expect("a lock");
                            for (what, count) in trace.coverage {
                                *coverage.entry(what).or_default() += count;
                            }
                        }
                        Err(failure) => {
                            let mut failed = failed.lock().expect("a lock");
                            if all {
                                println!("seed {}: {}", failure.seed, failure.reason);
                            }
                            if failed.as_ref().is_none_or(|other| failure.seed < other.seed) {
                                *failed = Some(failure);
                            }
                        }
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    for (what, count) in coverage.into_inner().expect("a lock") {
        println!("{count:9} {what}");
    }
    let (done, seconds) = (done.into_inner(), begun.elapsed().as_secs_f64());
    println!("{done} schedules in {seconds:.1} s, {:.0} a second on {threads} threads", done as f64 / seconds);
    match failed.into_inner().expect("a lock") {
        None => ExitCode::SUCCESS,
        Some(failure) => {
            println!("{failure}");
            println!("caught after {} seeds", failure.seed - from + 1);
            ExitCode::FAILURE
        }
    }
}
