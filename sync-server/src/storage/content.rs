//! Recognition of what a database contains, so that a file in the place of another is neither upgraded nor used as that one.

use std::path::Path;
#[cfg(test)]
use std::path::PathBuf;

use farmtally_core::store::decisions::Reference;
use farmtally_core::store::sql::sqlite::SqliteReader;
use farmtally_core::units::OrganisationId;
use rusqlite::{Connection, OpenFlags};

/// Content of a database, by its tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Control,
    Organisation(OrganisationId),
    Phone,
}

impl Content {
    /// Recognises the content of a file. Returns `None` if there is no file, if it is damaged or new, or if its content is something else:
    /// opening it says so.
    pub(super) fn of(path: &Path) -> Option<Self> {
        // Nothing is locked or made beside the file; what its write-ahead log adds is not needed here.
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        let db = Connection::open_with_flags(format!("{}?immutable=1", uri(path)?), flags).ok()?;
        let has = |table: &str| {
            let mut statement = db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1").ok()?;
            statement.exists([table]).ok().filter(|it| *it)
        };
        if has("routes").is_some() {
            return Some(Self::Control);
        }
        if has("installation").is_some() {
            return Some(Self::Phone);
        }
        has("log")?;
        let reference = Reference::load(&mut SqliteReader::new(&db)).ok()?;
        reference.organisation().map(|it| Self::Organisation(it.organisation_id))
    }

    /// Says what is wrong with a file that should contain this; `None` if nothing is known to be wrong.
    pub(super) fn difference(self, path: &Path) -> Option<String> {
        let is = Self::of(path).filter(|is| *is != self)?;
        let what = match is {
            Self::Control => "control.db".to_owned(),
            Self::Organisation(id) => format!("{id}.db"),
            Self::Phone => "a phone's database".to_owned(),
        };
        Some(format!("it has the content of {what}: put each file back in its place"))
    }
}

/// Returns the URI of a file (RFC 8089), in which all bytes but those of plain names are escaped.
fn uri(path: &Path) -> Option<String> {
    let path = std::path::absolute(path).ok()?;
    let escaped = path.as_os_str().as_encoded_bytes().iter().map(|byte| match byte {
        b'/' | b'.' | b'-' | b'_' => char::from(*byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(*byte).to_string(),
        byte => format!("%{byte:02x}"),
    });
    Some(format!("file://{}", escaped.collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_recognised_whatever_its_path_has_in_it() {
        let root = tempfile::tempdir().expect("a folder");
        for name in ["plain", "a?b#c%41 d", "ಕೋಲಾರ"] {
            let path = root.path().join(name);
            let db = Connection::open(&path).expect("a database");
            db.execute_batch("CREATE TABLE routes (key BLOB)").expect("a table");
            drop(db);
            let doubled = PathBuf::from(format!("/{}", path.display()));
            for path in [&path, &doubled] {
                assert!(matches!(Content::of(path), Some(Content::Control)), "{}", path.display());
            }
        }
    }
}
