//! `farmtally-demo import FILE`: whether a file of arrivals can be used, and what is wrong with it where.
//!
//! Owns what is shown of findings. What a finding is, and the rule, is `arrivals/mod.rs`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use crate::arrivals::{Arrivals, ArrivalsError, Finding, FindingKind};
use crate::screen::{Screen, count};

/// Which file is checked.
#[derive(Args, Clone, Debug)]
pub(crate) struct ImportArgs {
    /// CSV, plain or zstd, with the columns date, market, variety and `arrival_tonnes`
    file: PathBuf,
    /// Shows every finding
    #[arg(long)]
    all: bool,
}

/// Findings of one kind that are shown.
const SHOWN: usize = 50;

/// Checks a file; an error if nothing in it can be used.
pub(crate) fn check(args: &ImportArgs, screen: &Screen) -> anyhow::Result<()> {
    screen.say(
        "The rule: a bad row is named by file, line and field, skipped, and the import goes on.\nIt stops at a file that cannot be read or \
         decompressed, a header that lacks or repeats a column, and a file without a usable row.\n",
    );
    let limit = if args.all { usize::MAX } else { SHOWN };
    match Arrivals::load(&args.file) {
        Ok(arrivals) => {
            list(arrivals.findings(), limit, screen);
            summarise(&arrivals, screen);
            Ok(())
        }
        Err(ArrivalsError::NoUsableRow { file, findings }) => {
            list(&findings, limit, screen);
            if findings.is_empty() {
                bail!("{file} has no usable row: there is nothing below the header")
            }
            bail!("{file} has no usable row: {}", count(findings.len() as u64, "row was skipped", "rows were skipped"))
        }
        Err(error) => Err(error.into()),
    }
}

/// Shows how many rows were accepted, and how many skipped for which reason.
pub(crate) fn summarise(arrivals: &Arrivals, screen: &Screen) {
    let accepted = count(arrivals.rows().count() as u64, "row", "rows");
    screen
        .say(format_args!("accepted  {accepted} of {}", count(arrivals.markets().count() as u64, "market", "markets")));
    for (kind, number) in arrivals.findings_by_kind() {
        screen.say(format_args!("skipped   {}: {kind}", count(number as u64, "row", "rows")));
    }
}

fn list(findings: &[Finding], limit: usize, screen: &Screen) {
    let mut shown: BTreeMap<FindingKind, usize> = BTreeMap::new();
    for finding in findings {
        let number = shown.entry(finding.kind).or_default();
        *number += 1;
        if *number <= limit {
            screen.say(finding);
        }
    }
    for (kind, number) in shown.into_iter().filter(|(_, number)| *number > limit) {
        screen.say(format_args!("… {} more: {kind} (--all shows them)", number - limit));
    }
    if !findings.is_empty() {
        screen.say("");
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn import(rows: &str, all: bool) -> (anyhow::Result<()>, String) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("arrivals.csv");
        std::fs::write(&file, format!("date,market,variety,arrival_tonnes\n{rows}")).unwrap();
        let paper = Paper::default();
        let checked = check(&ImportArgs { file, all }, &Screen::new(Box::new(paper.clone())));
        let text = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
        (checked, text)
    }

    #[test]
    fn one_usable_row_is_enough() {
        let (checked, text) = import("2016-01-01,Kolar,Tomato,-5\n2016-01-02,Kolar,Tomato,5\n", false);
        assert!(checked.is_ok());
        assert!(text.contains("arrivals.csv:2: arrival_tonnes: \"-5\" is negative"), "{text}");
        assert!(text.contains("accepted  1 row of 1 market"), "{text}");
        assert!(text.contains("skipped   1 row: negative arrival"), "{text}");
    }

    #[test]
    fn a_file_without_a_usable_row_is_refused_with_every_reason() {
        let (checked, text) = import("2016-13-01,Kolar,Tomato,5\n", false);
        assert!(checked.unwrap_err().to_string().ends_with("has no usable row: 1 row was skipped"));
        assert!(text.contains("arrivals.csv:2: date: "), "{text}");
    }

    #[test]
    fn fifty_findings_of_a_kind_are_shown_unless_all_are_asked_for() {
        let rows = "2016-01-01,Atlantis,Tomato,5\n".repeat(60) + "2016-01-02,Kolar,Tomato,5\n";
        let lines = |all| import(&rows, all).1.lines().filter(|line| line.contains("Atlantis")).count();
        assert_eq!((lines(false), lines(true)), (50, 60));
        assert!(import(&rows, false).1.contains("… 10 more: unknown market"));
    }
}
