//! What must outlive the database: a folder beside the data that its backup does not contain.
//!
//! Owns `journal/`: the list of erased documents, so that a restored database forgets again before it answers.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use farmtally_core::units::{DocumentId, OrganisationId};

use crate::Error;

/// The folder.
#[derive(Debug)]
pub(crate) struct Journal {
    folder: PathBuf,
}

impl Journal {
    /// Opens the folder, and makes it if there is none.
    pub(crate) fn open(folder: &Path) -> Result<Self, Error> {
        std::fs::create_dir_all(folder).map_err(unusable)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Adds a document to the list of those that are erased. Returns once it is on the disk.
    pub(crate) fn erased(&self, organisation: OrganisationId, document: DocumentId) -> Result<(), Error> {
        self.append("erased", &format!("{organisation} {document}"))
    }

    /// All documents that were ever erased.
    pub(crate) fn erasures(&self) -> Result<Vec<(OrganisationId, DocumentId)>, Error> {
        let read = |line: &str| {
            let (organisation, document) = line.split_once(' ')?;
            Some((organisation.parse().ok()?, document.parse().ok()?))
        };
        // The last line may have been cut off by a crash; it was not acknowledged then.
        Ok(self.lines("erased")?.iter().filter_map(|line| read(line)).collect())
    }

    fn lines(&self, name: &str) -> Result<Vec<String>, Error> {
        match std::fs::read_to_string(self.folder.join(name)) {
            Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(unusable(error)),
        }
    }

    fn append(&self, name: &str, line: &str) -> Result<(), Error> {
        let open = || -> std::io::Result<File> {
            let mut file = OpenOptions::new().create(true).append(true).open(self.folder.join(name))?;
            // A line break first: what a crash left of a line must not swallow this one.
            file.write_all(format!("\n{line}\n").as_bytes())?;
            Ok(file)
        };
        open().and_then(|file| file.sync_all()).map_err(unusable)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn unusable(error: std::io::Error) -> Error {
    Error::Setup { reason: format!("the journal cannot be used: {error}") }
}
