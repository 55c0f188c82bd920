use farmtally_core::client::{ImportCode, ImportInput, ImportIssue, ImportProgress, ImportReport};
use farmtally_core::units::CentreCode;

/// What to import.
#[uniffi::remote(Record)]
pub struct ImportInput {
    /// Home centre of the farmers, one of those granted
    pub centre: CentreCode,
    /// Whether nothing is written, and the result says what would be
    #[uniffi(default = false)]
    pub is_dry_run: bool,
    /// Whether farmers who look like others are registered too, as a person decided
    #[uniffi(default = false)]
    pub with_look_alikes: bool,
}

/// A line that was not imported.
#[uniffi::remote(Record)]
pub struct ImportIssue {
    /// Number of the line in the file, from 1
    pub line: u64,
    /// Name of the column; empty if there is none
    pub column: String,
    /// Code of the reason
    pub code: ImportCode,
    /// The cell, cut to 200 characters; of a duplicate or look-alike, the code of the other farmer, or the number of its line
    pub text: String,
}

/// Result of an import.
#[uniffi::remote(Record)]
pub struct ImportReport {
    /// Lines with content after that of the column names
    pub lines: u64,
    /// Farmers who were registered; in a dry run, who would be
    pub registered: u64,
    /// Lines whose farmers were registered before
    pub known: u64,
    /// Lines that were not imported
    pub failed: u64,
    /// Reasons of the first 1,000 of them, in the order of the file
    pub issues: Vec<ImportIssue>,
    /// Names of the columns that were not read
    pub ignored_columns: Vec<String>,
}

/// How far an import is.
#[uniffi::remote(Record)]
pub struct ImportProgress {
    /// Bytes of the text that were read
    pub done_bytes: u64,
    /// Bytes of the text; 0 at first
    pub total_bytes: u64,
}
