//! Journal: facts that must survive a restored database, in the folder `journal/`, which no backup of the data contains.
//!
//! Owns the list of erased documents, which a restored database erases again before it answers; the acknowledged head of each log, by
//! which a restored database is recognised; the number of recoveries; and the newest device code.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use farmtally_core::protocol::log::{Cursor, CursorName};
use farmtally_core::scope::Scope;
use farmtally_core::units::{DeviceCode, DocumentId, OrganisationId};

use crate::Error;
use crate::files::{replace_file, sync_folder};

/// Superfluous lines that a file of heads may have before it is rewritten.
const MAX_LINES: usize = 10_000;

#[derive(Debug)]
pub(crate) struct Journal {
    folder: PathBuf,
}

impl Journal {
    pub(crate) fn open(folder: &Path) -> Result<Self, Error> {
        std::fs::create_dir_all(folder).map_err(unusable)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Adds a document to the list of erased ones. Returns once it is on disk.
    pub(crate) fn record_erasure(&self, organisation: OrganisationId, document: DocumentId) -> Result<(), Error> {
        let is_known = self.erasures()?.contains(&(organisation, document));
        if is_known { Ok(()) } else { self.append("erased", &format!("{organisation} {document}")) }
    }

    /// Returns all documents that were ever erased, of all organisations.
    pub(crate) fn erasures(&self) -> Result<Vec<(OrganisationId, DocumentId)>, Error> {
        let read = |line: &str| {
            let (organisation, document) = line.split_once(' ')?;
            Some((organisation.parse().ok()?, document.parse().ok()?))
        };
        // A crash may have cut off the last line, which was not acknowledged then.
        Ok(self.lines("erased")?.iter().filter_map(|line| read(line)).collect())
    }

    /// Records the heads of logs beside earlier ones. Returns once they are on disk.
    pub(crate) fn append_heads(&self, organisation: OrganisationId, heads: &[Cursor]) -> Result<(), Error> {
        let lines: Vec<String> = heads.iter().map(|head| line(&head.name())).collect();
        if lines.is_empty() { Ok(()) } else { self.append(&heads_of(organisation), &lines.join("\n")) }
    }

    /// Replaces all heads after a known loss: positions beyond them no longer count as acknowledged. `heads` reads them from the database
    /// while the journal is locked, so that a head which another process commits meanwhile is either among them or appended afterwards.
    pub(crate) fn replace_heads(
        &self,
        organisation: OrganisationId,
        heads: impl FnOnce() -> Result<Vec<Cursor>, Error>,
    ) -> Result<(), Error> {
        let _locked = self.locked()?;
        let lines: Vec<String> = heads()?.iter().map(|head| line(&head.name())).collect();
        self.replace_file(&heads_of(organisation), &format!("{}\n", lines.join("\n")))
    }

    /// Returns the highest acknowledged position of each log, and shortens the file if it has grown. Empty if the file is missing.
    pub(crate) fn heads(&self, organisation: OrganisationId) -> Result<BTreeMap<Scope, CursorName>, Error> {
        let name = heads_of(organisation);
        let _locked = self.locked()?;
        let lines = self.lines(&name)?;
        let mut heads = BTreeMap::new();
        for cursor in lines.iter().filter_map(|line| read_line(line)) {
            // Two threads may have written their heads in reverse order.
            let is_newer = |known: &CursorName| known.sequence <= cursor.sequence;
            if heads.get(&cursor.scope).is_none_or(is_newer) {
                heads.insert(cursor.scope.clone(), cursor);
            }
        }
        if lines.len() > 2 * heads.len() + MAX_LINES {
            let short: Vec<String> = heads.values().map(line).collect();
            self.replace_file(&name, &format!("{}\n", short.join("\n")))?;
        }
        Ok(heads)
    }

    /// Returns the organisations that the journal has heads of.
    pub(crate) fn organisations(&self) -> Result<Vec<OrganisationId>, Error> {
        let files = std::fs::read_dir(&self.folder).map_err(unusable)?;
        let names = files.map(|file| Ok(file.map_err(unusable)?.file_name()));
        let names = names.collect::<Result<Vec<_>, Error>>()?;
        Ok(names.iter().filter_map(|name| name.to_str()?.strip_suffix(".heads")?.parse().ok()).collect())
    }

    /// Records the newest epoch of an organisation, so that a restored database does not use it again. Ignores a lower one.
    pub(crate) fn record_epoch(&self, organisation: OrganisationId, epoch: u32) -> Result<(), Error> {
        self.raise(&format!("{organisation}.epoch"), epoch)
    }

    /// Returns the newest recorded epoch; 0 for none.
    pub(crate) fn epoch(&self, organisation: OrganisationId) -> Result<u32, Error> {
        self.number(&format!("{organisation}.epoch"))
    }

    /// Records the newest device code before it is given out, so that a restored database does not give it to another device. Ignores a
    /// lower one. Returns once it is on disk.
    pub(crate) fn record_device_code(&self, organisation: OrganisationId, code: DeviceCode) -> Result<(), Error> {
        self.raise(&format!("{organisation}.code"), code.0)
    }

    /// Returns the newest recorded device code; 0 for none.
    pub(crate) fn newest_code(&self, organisation: OrganisationId) -> Result<u32, Error> {
        self.number(&format!("{organisation}.code"))
    }

    /// Records a number that only rises; ignores a lower one.
    fn raise(&self, name: &str, number: u32) -> Result<(), Error> {
        let _locked = self.locked()?;
        if self.number(name)? >= number { Ok(()) } else { self.replace_file(name, &format!("{number}\n")) }
    }

    fn number(&self, name: &str) -> Result<u32, Error> {
        Ok(self.lines(name)?.first().and_then(|line| line.parse().ok()).unwrap_or(0))
    }

    /// Locks the journal until the returned file is dropped: another process may append while this one shortens a file.
    fn locked(&self) -> Result<File, Error> {
        let file = File::create(self.folder.join("lock")).map_err(unusable)?;
        file.lock().map_err(unusable)?;
        Ok(file)
    }

    fn replace_file(&self, name: &str, text: &str) -> Result<(), Error> {
        replace_file(&self.folder.join(name), text, &mut OpenOptions::new()).map_err(unusable)
    }

    fn lines(&self, name: &str) -> Result<Vec<String>, Error> {
        match std::fs::read_to_string(self.folder.join(name)) {
            Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(source) => Err(Error::Io { what: format!("the journal's file `{name}`"), source }),
        }
    }

    fn append(&self, name: &str, line: &str) -> Result<(), Error> {
        let _locked = self.locked()?;
        let path = self.folder.join(name);
        let append = || -> std::io::Result<()> {
            let is_new = !path.exists();
            let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
            // Starts with a line break, so that a line cut off by a crash does not swallow this one.
            file.write_all(format!("\n{line}\n").as_bytes())?;
            file.sync_all()?;
            if is_new { sync_folder(&self.folder) } else { Ok(()) }
        };
        append().map_err(unusable)
    }
}

fn heads_of(organisation: OrganisationId) -> String {
    format!("{organisation}.heads")
}

fn unusable(source: std::io::Error) -> Error {
    Error::Io { what: "the journal".into(), source }
}

fn line(head: &CursorName) -> String {
    format!("{} {} {}", head.scope, head.sequence, data_encoding::HEXLOWER.encode(&head.chain))
}

/// Parses a line that [`line`] wrote; `None` if it was cut off.
fn read_line(line: &str) -> Option<CursorName> {
    let mut parts = line.split(' ');
    let (scope, sequence, chain) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?);
    let chain = data_encoding::HEXLOWER.decode(chain.as_bytes()).ok()?.try_into().ok()?;
    Some(CursorName { scope, sequence, chain })
}

#[cfg(test)]
mod tests {
    use farmtally_core::units::ChainHash;

    use super::*;

    #[test]
    fn the_journal_is_locked_while_heads_are_read_and_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = Journal::open(folder.path()).expect("a journal");
        let organisation = OrganisationId::from([1; 16]);
        let head = |sequence| Cursor { scope: Scope::Organisation, sequence, chain: ChainHash([7; 32]) };
        journal.append_heads(organisation, &[head(12)]).expect("written");
        let read = || {
            let lock = File::open(folder.path().join("lock")).expect("a lock");
            assert!(lock.try_lock().is_err(), "another process could write");
            Ok(vec![head(9)])
        };
        journal.replace_heads(organisation, read).expect("replaced");
        assert_eq!(journal.heads(organisation).expect("heads").into_values().collect::<Vec<_>>(), [head(9).name()]);
    }

    #[test]
    fn a_journal_line_that_was_cut_off_is_not_read() {
        let cursor = Cursor { scope: "c/KOLAR".parse().expect("a scope"), sequence: 12, chain: ChainHash([7; 32]) };
        let whole = line(&cursor.name());
        assert_eq!(read_line(&whole), Some(cursor.name()));
        for length in 0..whole.len() {
            assert_eq!(read_line(whole.get(..length).unwrap_or_default()), None, "{length}");
        }
    }
}
