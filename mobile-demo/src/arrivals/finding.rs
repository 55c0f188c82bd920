//! What is reported about a file: findings about rows, errors about the file as a whole.

use std::fmt;
use std::io;

/// What is wrong with a skipped row; the unit in which a caller summarises findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FindingKind {
    /// Wrong number of fields, invalid UTF-8 or an open quote.
    BrokenRow,
    /// Not a calendar date in the form YYYY-MM-DD, or outside the years 1900 to 2100.
    BadDate,
    /// A market that is not in the list of known markets.
    UnknownMarket,
    /// No variety.
    EmptyVariety,
    /// No arrival.
    MissingArrival,
    /// An arrival that is not a plain decimal number.
    NotANumber,
    /// An arrival below zero.
    NegativeArrival,
    /// An arrival of zero.
    ZeroArrival,
    /// An arrival with more than six decimals.
    TooManyDecimals,
    /// An arrival above 100,000 tonnes.
    TooLarge,
    /// The same date, market and variety as an earlier usable row.
    Duplicate,
}

impl fmt::Display for FindingKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::BrokenRow => "broken row",
            Self::BadDate => "bad date",
            Self::UnknownMarket => "unknown market",
            Self::EmptyVariety => "empty variety",
            Self::MissingArrival => "missing arrival",
            Self::NotANumber => "arrival is not a number",
            Self::NegativeArrival => "negative arrival",
            Self::ZeroArrival => "zero arrival",
            Self::TooManyDecimals => "arrival finer than a gram",
            Self::TooLarge => "arrival too large",
            Self::Duplicate => "duplicate row",
        })
    }
}

/// One skipped row: where it is, which field is bad and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Name of the file as the caller gave it.
    pub(crate) file: String,
    /// Line of the file, counted from 1.
    pub(crate) line: u64,
    /// Column name, or `row` when the row as a whole is broken.
    pub(crate) field: String,
    /// What is wrong, for summaries.
    pub(crate) kind: FindingKind,
    /// What is wrong and what to do, in a lowercase fragment.
    pub(crate) reason: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}: {}", self.file, self.line, self.field, self.reason)
    }
}

/// Why a file as a whole cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArrivalsError {
    /// The file cannot be opened or read.
    #[error("cannot read {file}: check the path and the permissions")]
    Read {
        /// Name of the file.
        file: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file starts like a zstd file but cannot be decompressed.
    #[error("cannot decompress {file}: the file is damaged or cut short, fetch it again or give the plain CSV")]
    Decompress {
        /// Name of the file.
        file: String,
        /// What the decoder said.
        source: io::Error,
    },
    /// The header lacks a needed column.
    #[error(
        "{file} has no column {column}: name the columns date, market, variety and arrival_tonnes in the first line"
    )]
    MissingColumn {
        /// Name of the file.
        file: String,
        /// The first needed column that is absent.
        column: &'static str,
    },
    /// The header has a needed column more than once.
    #[error("{file} has the column {column} more than once: keep one")]
    RepeatedColumn {
        /// Name of the file.
        file: String,
        /// The first needed column that is repeated.
        column: &'static str,
    },
    /// Every row has a finding, or there is no row.
    #[error("{file} has no usable row: {}", describe_findings(findings))]
    NoUsableRow {
        /// Name of the file.
        file: String,
        /// Why each row was skipped.
        findings: Vec<Finding>,
    },
}

fn describe_findings(findings: &[Finding]) -> String {
    match findings {
        [] => "there is nothing below the header".to_owned(),
        [first, ..] => format!("{} skipped, the first is {first}", findings.len()),
    }
}
