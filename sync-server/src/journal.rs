//! Journal: facts that must survive a restored database, in the folder `journal/`, which no backup of the data contains.
//!
//! Owns the lists of erased documents and forgotten farmers, which a restored database erases again before it answers; the acknowledged
//! head of each log, by which a restored database is recognised; the number of recoveries; and the newest device code.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use farmtally_core::protocol::log::{Cursor, CursorName};
use farmtally_core::scope::Scope;
use farmtally_core::store;
use farmtally_core::store::file::{create_private_folder, private};
use farmtally_core::units::{DeviceCode, DocumentId, FarmerId, OrganisationId};

use crate::Error;
use crate::files::replace_file;

/// More bytes than a line has.
const MAX_LINE_BYTES: u64 = 1024;
/// Superfluous lines that a file of heads may have before it is rewritten.
const MAX_LINES: usize = 10_000;

#[derive(Debug)]
pub(crate) struct Journal {
    folder: PathBuf,
    /// Organisations whose heads were read or written: their files must stay.
    with_heads: Mutex<BTreeSet<OrganisationId>>,
}

impl Journal {
    pub(crate) fn open(folder: &Path) -> Result<Self, Error> {
        create_private_folder(folder).map_err(Error::io(&folder.display()))?;
        Ok(Self { folder: folder.to_owned(), with_heads: Mutex::default() })
    }

    /// Adds documents to the list of erased ones, as far as they are not in it. Returns once they are on disk.
    pub(crate) fn record_erasures(&self, organisation: OrganisationId, documents: &[DocumentId]) -> Result<(), Error> {
        let known = self.erasures()?;
        let new = documents.iter().filter(|document| !known.contains(&(organisation, **document)));
        let lines: Vec<String> = new.map(|document| format!("{organisation} {document}")).collect();
        if lines.is_empty() { Ok(()) } else { self.append("erased", &lines.join("\n")) }
    }

    /// Returns all documents that were ever erased, of all organisations.
    pub(crate) fn erasures(&self) -> Result<BTreeSet<(OrganisationId, DocumentId)>, Error> {
        let lines = self.lines("erased", |line| {
            let (organisation, document) = line.split_once(' ')?;
            Some((organisation.parse().ok()?, document.parse().ok()?))
        })?;
        Ok(lines.into_iter().collect())
    }

    /// Adds farmers to the list of forgotten ones, as far as they are not in it. Returns once they are on disk.
    pub(crate) fn record_forgotten(&self, organisation: OrganisationId, farmers: &[FarmerId]) -> Result<(), Error> {
        let known = self.forgotten()?;
        let new = farmers.iter().filter(|farmer| !known.contains(&(organisation, **farmer)));
        let lines: Vec<String> = new.map(|farmer| format!("{organisation} {farmer}")).collect();
        if lines.is_empty() { Ok(()) } else { self.append("forgotten", &lines.join("\n")) }
    }

    /// Returns all farmers who were ever forgotten, of all organisations.
    pub(crate) fn forgotten(&self) -> Result<BTreeSet<(OrganisationId, FarmerId)>, Error> {
        let lines = self.lines("forgotten", |line| {
            let (organisation, farmer) = line.split_once(' ')?;
            Some((organisation.parse().ok()?, farmer.parse().ok()?))
        })?;
        Ok(lines.into_iter().collect())
    }

    /// Records the heads of logs beside earlier ones. Returns once they are on disk.
    pub(crate) fn append_heads(&self, organisation: OrganisationId, heads: &[Cursor]) -> Result<(), Error> {
        let lines: Vec<String> = heads.iter().map(|head| line(&head.name())).collect();
        if lines.is_empty() {
            return Ok(());
        }
        self.append(&heads_of(organisation), &lines.join("\n"))?;
        self.with_heads().insert(organisation);
        Ok(())
    }

    fn with_heads(&self) -> MutexGuard<'_, BTreeSet<OrganisationId>> {
        self.with_heads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requires that the journal and the heads in it are still there.
    ///
    /// # Errors
    /// [`store::Error::Removed`].
    pub(crate) fn require_in_place(&self) -> Result<(), Error> {
        let files = self.with_heads().iter().map(|it| self.folder.join(heads_of(*it))).collect::<Vec<_>>();
        let missing = std::iter::once(self.folder.clone()).chain(files).find(|path| !path.exists());
        missing.map_or(Ok(()), |path| Err(store::Error::Removed { what: path.display().to_string() }.into()))
    }

    /// Requires that heads of an organisation can be appended. Asked before a commit, which would otherwise be done although it fails.
    pub(crate) fn require_writable(&self, organisation: OrganisationId) -> Result<(), Error> {
        let path = self.folder.join(heads_of(organisation));
        match OpenOptions::new().append(true).open(&path) {
            Ok(_file) => Ok(()),
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io(&path.display())(error)),
            Err(_gone) if self.with_heads().contains(&organisation) => {
                Err(store::Error::Removed { what: path.display().to_string() }.into())
            }
            Err(_new) if self.folder.is_dir() => Ok(()),
            Err(_gone) => Err(store::Error::Removed { what: self.folder.display().to_string() }.into()),
        }
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
        self.replace_file(&heads_of(organisation), &format!("{}\n", lines.join("\n")))?;
        self.with_heads().insert(organisation);
        Ok(())
    }

    /// Returns the highest acknowledged position of each log, and shortens the file if it has grown. Empty if the file is missing.
    pub(crate) fn heads(&self, organisation: OrganisationId) -> Result<BTreeMap<Scope, CursorName>, Error> {
        let name = heads_of(organisation);
        let _locked = self.locked()?;
        let cursors = self.lines(&name, read_line)?;
        let lines = cursors.len();
        if lines > 0 {
            self.with_heads().insert(organisation);
        }
        let mut heads = BTreeMap::new();
        for cursor in cursors {
            // Two threads may have written their heads in reverse order.
            let is_newer = |known: &CursorName| known.sequence <= cursor.sequence;
            if heads.get(&cursor.scope).is_none_or(is_newer) {
                heads.insert(cursor.scope.clone(), cursor);
            }
        }
        if lines > 2 * heads.len() + MAX_LINES {
            let short: Vec<String> = heads.values().map(line).collect();
            self.replace_file(&name, &format!("{}\n", short.join("\n")))?;
        }
        Ok(heads)
    }

    /// Returns the organisations that the journal has heads of.
    pub(crate) fn organisations(&self) -> Result<Vec<OrganisationId>, Error> {
        let unusable = Error::io(&self.folder.display());
        let files = std::fs::read_dir(&self.folder).map_err(&unusable)?;
        let names = files.map(|file| Ok(file.map_err(&unusable)?.file_name()));
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

    /// Reads a number; 0 if there is no such file. A damaged one is an error, because a number that was given before would be given again.
    fn number(&self, name: &str) -> Result<u32, Error> {
        let Some(text) = self.text(name)? else { return Ok(0) };
        let number = text.strip_suffix('\n').and_then(|number| number.parse().ok());
        number
            .ok_or_else(|| Error::unusable(&self.folder.join(name).display(), "damaged: put back a copy of this file"))
    }

    /// Runs `f` while no other process writes to the journal.
    pub(crate) fn while_locked<T>(&self, f: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let _locked = self.locked()?;
        f()
    }

    /// Returns a lock that only one process has at a time while it creates an organisation; dropping it lets the next one go on.
    pub(crate) fn lock_creation(&self) -> Result<File, Error> {
        self.lock("creation")
    }

    /// Locks the journal until the returned file is dropped: another process may append while this one shortens a file.
    fn locked(&self) -> Result<File, Error> {
        self.lock("lock")
    }

    fn lock(&self, name: &str) -> Result<File, Error> {
        let path = self.folder.join(name);
        let file = private(OpenOptions::new().write(true).create(true).truncate(true)).open(&path);
        file.and_then(|file| file.lock().map(|()| file)).map_err(Error::io(&path.display()))
    }

    fn replace_file(&self, name: &str, text: &str) -> Result<(), Error> {
        let path = self.folder.join(name);
        replace_file(&path, text).map_err(Error::io(&path.display()))
    }

    fn text(&self, name: &str) -> Result<Option<String>, Error> {
        let path = self.folder.join(name);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                Err(Error::unusable(&path.display(), "it is not text: put back a copy of this file"))
            }
            Err(error) => Err(Error::io(&path.display())(error)),
        }
    }

    /// Reads the lines of a file; none if it is missing. A last line without an end may be unreadable: a crash cut it off, so nobody was
    /// answered after it.
    fn lines<T>(&self, name: &str, read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, Error> {
        let Some(text) = self.text(name)? else { return Ok(Vec::new()) };
        if text.is_empty() {
            // A file of the journal never begins empty.
            return Err(Error::unusable(
                &self.folder.join(name).display(),
                "it is empty: put back a copy of this file",
            ));
        }
        let mut lines = Vec::new();
        for (number, line) in (1..).zip(text.split_inclusive('\n')) {
            match read(line.trim_end_matches('\n')) {
                Some(line) => lines.push(line),
                None if line == "\n" || !line.ends_with('\n') => {}
                None => {
                    let reason = format!("line {number} cannot be read: put back a copy of this file");
                    return Err(Error::unusable(&self.folder.join(name).display(), reason));
                }
            }
        }
        Ok(lines)
    }

    /// Appends whole lines, in place of a last line that a crash cut off. Returns once they are on disk.
    fn append(&self, name: &str, lines: &str) -> Result<(), Error> {
        let _locked = self.locked()?;
        let path = self.folder.join(name);
        if !path.try_exists().map_err(Error::io(&path.display()))? {
            return self.replace_file(name, &format!("{lines}\n"));
        }
        let append = || -> std::io::Result<()> {
            let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
            let begin = file.metadata()?.len().saturating_sub(MAX_LINE_BYTES);
            let mut end = Vec::new();
            file.seek(SeekFrom::Start(begin))?;
            file.read_to_end(&mut end)?;
            let whole = end.iter().rposition(|byte| *byte == b'\n').map_or(0, |line_end| line_end + 1);
            file.set_len(begin + whole as u64)?;
            file.seek(SeekFrom::End(0))?;
            file.write_all(format!("{lines}\n").as_bytes())?;
            file.sync_all()
        };
        append().map_err(Error::io(&path.display()))
    }
}

fn heads_of(organisation: OrganisationId) -> String {
    format!("{organisation}.heads")
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
