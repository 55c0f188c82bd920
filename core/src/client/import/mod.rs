//! Import of farmers from a CSV file.
//!
//! A line that is wrong is reported, and does not stop the others. Invariant: a farmer with the same name, village and telephone number is
//! not registered again, so a file can be imported again after it was corrected or the import was cut short.

mod cells;
mod decode;

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use cells::{Columns, Line};

use super::{Author, FieldClient};
use crate::Error;
use crate::limits::{MAX_IMPORT_BYTES, MAX_IMPORT_ISSUES, MAX_TEXT};
use crate::permission::Capability;
use crate::records::farmer::ContactDetails;
use crate::scope::Scope;
use crate::store::{look_alikes, rows, seam};
use crate::units::{CentreCode, FarmerId, named};

/// Lines that are registered in one transaction and sent in one bundle.
const BATCH: usize = 20;

named! {
    /// The reason why a line was not imported.
    pub ImportCode, "an import code" {
        /// A cell has bytes that are no text in the file's encoding.
        Unreadable = "unreadable",
        /// The line has more cells than the line of column names: one of them may have a separator that is not in quotes.
        TooManyCells = "too_many_cells",
        /// There is no name.
        NameMissing = "name_missing",
        /// A text has more characters than a record takes.
        TextTooLong = "text_too_long",
        /// A text has a line break or another control character.
        TextInvalid = "text_invalid",
        /// The cell is no telephone number, or has several.
        PhoneInvalid = "phone_invalid",
        /// A spreadsheet rounded the telephone number, such as 9.84501E+09: make its column one of text, and enter it again.
        PhoneLostDigits = "phone_lost_digits",
        /// The cell is no tag of a language, such as kn or sw-KE.
        LanguageInvalid = "language_invalid",
        /// The cell has what is no tag of letters and digits, or too many tags.
        TagInvalid = "tag_invalid",
        /// The line repeats an earlier one of the file.
        DuplicateLine = "duplicate_line",
        /// Another farmer has the same telephone number, or the same name and village.
        LooksAlike = "looks_alike",
    }
}

/// What to import.
#[derive(Clone, Debug)]
pub struct ImportInput {
    /// Home centre of the farmers, one of those granted.
    pub centre: CentreCode,
    /// Whether nothing is written, and the result says what would be.
    pub is_dry_run: bool,
    /// Whether farmers who look like others are registered too, as a person decided.
    pub with_look_alikes: bool,
}

/// A line that was not imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportIssue {
    /// Number of the line in the file, from 1; of a line that continues in quotes, where it begins.
    pub line: u64,
    /// Name of the column; empty if there is none.
    pub column: String,
    /// The reason.
    pub code: ImportCode,
    /// The cell, cut to [`MAX_TEXT`] characters. Of a duplicate or look-alike, the code of the other farmer, or the number of its line.
    pub text: String,
}

/// Result of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// Lines with content after that of the column names.
    pub lines: u64,
    /// Farmers who were registered; in a dry run, who would be.
    pub registered: u64,
    /// Lines whose farmers were registered before, with the same name, village and telephone number.
    pub known: u64,
    /// Lines that were not imported.
    pub failed: u64,
    /// Reasons of the first [`MAX_IMPORT_ISSUES`] of them, in the order of the file.
    pub issues: Vec<ImportIssue>,
    /// Names of the columns that were not read.
    pub ignored_columns: Vec<String>,
}

/// How far an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportProgress {
    /// Bytes of the text that were read.
    pub done_bytes: u64,
    /// Bytes of the text.
    pub total_bytes: u64,
}

/// Ends the progress of an import, also if it fails.
struct Progress<'p>(&'p Mutex<Option<ImportProgress>>);

impl Progress<'_> {
    fn set(&self, progress: Option<ImportProgress>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = progress;
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        self.set(None);
    }
}

/// Lines of this import that were accepted, by what farmers are compared by.
#[derive(Default)]
struct Accepted {
    whole: HashMap<(String, String), u64>,
    names: HashMap<String, u64>,
    phones: HashMap<String, u64>,
}

impl Accepted {
    fn add(&mut self, details: &ContactDetails, line: u64) {
        self.whole.entry((details.name_key(), details.phone.clone())).or_insert(line);
        for name in details.name_keys() {
            self.names.entry(name).or_insert(line);
        }
        for (phone, _) in details.phone_keys().into_iter().filter(|(_, is_placeholder)| !is_placeholder) {
            self.phones.entry(phone).or_insert(line);
        }
    }

    fn same(&self, details: &ContactDetails) -> Option<u64> {
        self.whole.get(&(details.name_key(), details.phone.clone())).copied()
    }

    fn alike(&self, details: &ContactDetails) -> Option<u64> {
        let by_phone = details.phone_keys().into_iter().find_map(|(phone, _)| self.phones.get(&phone));
        by_phone.or_else(|| details.name_keys().into_iter().find_map(|name| self.names.get(&name))).copied()
    }
}

/// What is to be done with a line that could be read.
enum Outcome {
    Register,
    Known,
    Refuse(ImportCode, String),
}

/// An import while it runs.
struct Import<'i> {
    input: &'i ImportInput,
    author: &'i Author,
    scope: Scope,
    /// The text without the line that names the separator.
    text: &'i str,
    /// Number of the lines before it.
    skipped_lines: u64,
    columns: Columns,
    accepted: Accepted,
    report: ImportReport,
}

impl FieldClient {
    /// Imports farmers from a CSV file whose first line has the names of the columns (name, village, phone and others, in several spellings
    /// and languages). Reads UTF-8 and UTF-16 with byte order mark, UTF-8 without, and Windows-1252; cells separated by comma, semicolon or tab,
    /// in quotes if needed; telephone numbers that lost their plus or leading zero.
    ///
    /// # Errors
    /// [`Error::Invalid`] of `path` if the file cannot be read, and of `columns` if one of names is missing or two have one content;
    /// [`Error::TooLarge`] of `path` above [`MAX_IMPORT_BYTES`]; [`Error::Refused`] by role or centre, and while another import runs;
    /// [`Error::Unauthorized`]; [`Error::Store`], after which what was imported before stays.
    pub fn import_farmers(&self, path: &Path, input: &ImportInput) -> Result<ImportReport, Error> {
        let author = self.author()?;
        author.require(Capability::RegisterFarmer)?;
        author.require_centre(&input.centre)?;
        let bytes = read_file(path)?;
        let progress = self.begin_import()?;
        let text = decode::decoded(&bytes);
        let (named, rest) = decode::named_separator(&text);
        // The line that names the separator counts too.
        let skipped_lines = u64::from(named.is_some());
        let separator = named.unwrap_or_else(|| decode::separator(rest));
        let mut reader = csv::ReaderBuilder::new();
        let mut reader = reader.delimiter(separator).has_headers(false).flexible(true).from_reader(rest.as_bytes());
        let mut records = reader.records();
        let header = records.next().transpose().map_err(|error| unreadable(&error))?.unwrap_or_default();
        let columns = Columns::find(header.iter())?;
        let report = ImportReport { ignored_columns: columns.ignored(), ..ImportReport::default() };
        let scope = Scope::Centre(input.centre.clone());
        let accepted = Accepted::default();
        let mut import = Import { input, author: &author, scope, text: rest, skipped_lines, columns, accepted, report };
        let mut batch = Vec::with_capacity(BATCH);
        for record in records {
            let record = record.map_err(|error| unreadable(&error))?;
            if record.iter().all(|cell| cell.trim().is_empty()) {
                continue;
            }
            batch.push(record);
            if batch.len() == BATCH {
                let done = batch.last().and_then(csv::StringRecord::position).map_or(0, csv::Position::byte);
                self.import_batch(&mut import, &batch)?;
                progress.set(Some(ImportProgress { done_bytes: done, total_bytes: rest.len() as u64 }));
                batch.clear();
            }
        }
        self.import_batch(&mut import, &batch)?;
        Ok(import.report)
    }

    /// Returns how far the running import is; `None` if none runs.
    pub fn import_progress(&self) -> Option<ImportProgress> {
        *self.importing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin_import(&self) -> Result<Progress<'_>, Error> {
        let mut importing = self.importing.lock().unwrap_or_else(PoisonError::into_inner);
        if importing.is_some() {
            return Err(Error::not_allowed("another import is running: wait for its end"));
        }
        *importing = Some(ImportProgress { done_bytes: 0, total_bytes: 0 });
        Ok(Progress(&self.importing))
    }

    /// Imports some lines in one transaction.
    fn import_batch(&self, import: &mut Import<'_>, batch: &[csv::StringRecord]) -> Result<(), Error> {
        let country = self.country();
        if import.input.is_dry_run {
            return self.store.read(|db| {
                for record in batch {
                    let details = import.columns.read(record, &country);
                    import.judge(db, record, import.line(record), details)?;
                }
                Ok(())
            });
        }
        if batch.is_empty() {
            return Ok(());
        }
        let author = import.author;
        self.act(author, |action| {
            for record in batch {
                let details = import.columns.read(record, &country);
                if let Some(Line { details, tags }) = import.judge(action.db, record, import.line(record), details)? {
                    self.add_farmer(action, &import.input.centre, &import.scope, details, &tags)?;
                }
            }
            Ok(())
        })
    }
}

impl Import<'_> {
    /// Returns the number of the line on which a record begins. The reader's position is on an earlier line if that one ends with CR LF, or
    /// if lines without content are between them.
    fn line(&self, record: &csv::StringRecord) -> u64 {
        let Some(position) = record.position() else { return 0 };
        let begin = usize::try_from(position.byte()).unwrap_or(usize::MAX);
        let bytes = self.text.as_bytes().get(begin..).unwrap_or_default();
        let ends = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).filter(|byte| **byte == b'\n');
        self.skipped_lines + position.line() + ends.count() as u64
    }

    /// Decides about a line, counts it, and returns the details of a farmer to register.
    fn judge(
        &mut self,
        db: &rusqlite::Connection,
        record: &csv::StringRecord,
        line: u64,
        read: Result<Line, (usize, ImportCode)>,
    ) -> Result<Option<Line>, Error> {
        self.report.lines += 1;
        let read = match read {
            Ok(read) => read,
            Err((place, code)) => {
                let text = record.get(place).unwrap_or_default().trim().chars().take(MAX_TEXT).collect();
                self.refuse(line, place, code, text);
                return Ok(None);
            }
        };
        match self.outcome(db, &read.details)? {
            Outcome::Register => {
                self.report.registered += 1;
                self.accepted.add(&read.details, line);
                return Ok(Some(read));
            }
            Outcome::Known => self.report.known += 1,
            Outcome::Refuse(code, other) => self.refuse(line, self.columns.name(), code, other),
        }
        Ok(None)
    }

    fn outcome(&self, db: &rusqlite::Connection, details: &ContactDetails) -> Result<Outcome, Error> {
        if let Some(line) = self.accepted.same(details) {
            return Ok(Outcome::Refuse(ImportCode::DuplicateLine, line.to_string()));
        }
        if rows::has_contact(&mut seam(db), &self.scope, details)? {
            return Ok(Outcome::Known);
        }
        if self.input.with_look_alikes {
            return Ok(Outcome::Register);
        }
        if let Some(line) = self.accepted.alike(details) {
            return Ok(Outcome::Refuse(ImportCode::LooksAlike, line.to_string()));
        }
        // The farmer has no id yet; no other has this one.
        let nobody = FarmerId::from([0; 16]);
        let alike = look_alikes::find(&mut seam(db), [(&self.scope, nobody, details)])?;
        let Some(other) = alike.into_iter().flat_map(|it| it.farmers).next() else { return Ok(Outcome::Register) };
        let code = rows::farmer_row(&mut seam(db), other)?.map_or_else(String::new, |row| row.code);
        Ok(Outcome::Refuse(ImportCode::LooksAlike, code))
    }

    fn refuse(&mut self, line: u64, place: usize, code: ImportCode, text: String) {
        self.report.failed += 1;
        if self.report.issues.len() < MAX_IMPORT_ISSUES {
            self.report.issues.push(ImportIssue { line, column: self.columns.header(place), code, text });
        }
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, Error> {
    let unusable = |error: std::io::Error| Error::invalid("path", format!("the file cannot be read: {}", error.kind()));
    // Opening a pipe would wait for its writer.
    if !path.metadata().map_err(unusable)?.is_file() {
        return Err(Error::invalid("path", "no file"));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unusable)?;
    file.take(MAX_IMPORT_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(unusable)?;
    if bytes.len() > MAX_IMPORT_BYTES {
        let reason = format!("a file has at most {} MiB: divide it", MAX_IMPORT_BYTES >> 20);
        return Err(Error::TooLarge { field: "path", reason });
    }
    Ok(bytes)
}

fn unreadable(error: &csv::Error) -> Error {
    Error::invalid("path", format!("no CSV: {error}"))
}
