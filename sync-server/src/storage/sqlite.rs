//! SQLite backend: a folder with a control file and one file for each organisation.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use farmtally_core::store::file::create_private_folder;
use farmtally_core::store::sql::sqlite::{SqliteReader, SqliteWriter};
use farmtally_core::store::sql::{self, Database, ReadFn, WriteFn};
use farmtally_core::store::{self, RECORDS, Store};
use farmtally_core::units::OrganisationId;
use rusqlite::OptionalExtension;

use super::Storage;
use super::content::Content;
use crate::Error;
use crate::files::keep_private;

const CONTROL: &[store::Migration] = &[include_str!("control.sql")];
const ORGANISATION: &[store::Migration] = &[RECORDS, include_str!("schema.sql")];

/// Storage in a folder of SQLite files.
#[derive(Debug)]
pub struct SqliteStorage {
    folder: PathBuf,
    /// Schema of the file of an organisation.
    schema: &'static [store::Migration],
    control: Store,
    open: Mutex<BTreeMap<OrganisationId, Arc<Store>>>,
}

impl SqliteStorage {
    /// Opens a folder and its control file, or creates both; the file of an organisation is opened when it is used.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::DataMissing`] if only `control.db` is missing; [`Error::Storage`].
    pub fn open(folder: &Path) -> Result<Self, Error> {
        Self::open_with(folder, ORGANISATION)
    }

    /// Like [`Self::open`], for a folder whose control file must exist. Makes nothing.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn open_existing(folder: &Path) -> Result<Self, Error> {
        let path = folder.join("control.db");
        require_content(Content::Control, &path)?;
        let control = Store::open_existing(&path, CONTROL).map_err(|error| match path.try_exists() {
            Ok(false) => missing(&path),
            _ => explained(&path, error).into(),
        })?;
        Ok(Self::with_control(folder, ORGANISATION, control))
    }

    /// Like [`Self::open`], with another schema for the files of organisations.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn open_with(folder: &Path, schema: &'static [store::Migration]) -> Result<Self, Error> {
        create_private_folder(folder).map_err(Error::io(&folder.display()))?;
        let path = folder.join("control.db");
        // In this order, because another process may create the control file between these looks.
        if has_databases(folder)? && !path.exists() {
            return Err(missing(&path));
        }
        require_content(Content::Control, &path)?;
        let control = Store::open(&path, CONTROL).map_err(|error| explained(&path, error))?;
        Ok(Self::with_control(folder, schema, control))
    }

    fn with_control(folder: &Path, schema: &'static [store::Migration], control: Store) -> Self {
        Self { folder: folder.to_owned(), schema, control, open: Mutex::default() }
    }

    /// Returns an organisation's store. Never creates it: an empty file in place of a lost one would look like a new organisation.
    fn store(&self, organisation: OrganisationId) -> Result<Arc<Store>, sql::Error> {
        let is_open = self.stores().contains_key(&organisation);
        if !is_open && !self.listed()?.contains(&organisation) {
            return Err(sql::Error::UnknownOrganisation);
        }
        let mut open = self.stores();
        if let Some(store) = open.get(&organisation) {
            return Ok(Arc::clone(store));
        }
        let path = self.path(organisation);
        require_content(Content::Organisation(organisation), &path)?;
        let store = Arc::new(Store::open_existing(&path, self.schema)?);
        open.insert(organisation, Arc::clone(&store));
        Ok(store)
    }

    /// Locks the open stores. Nothing that is called while they are locked may look at the control file.
    fn stores(&self) -> MutexGuard<'_, BTreeMap<OrganisationId, Arc<Store>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the listed organisations, in the order of their ids.
    fn listed(&self) -> Result<Vec<OrganisationId>, store::Error> {
        self.in_control(self.control.read(|db| {
            let mut statement = db.prepare_cached("SELECT organisation_id FROM organisations ORDER BY 1")?;
            Ok::<_, store::Error>(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
        }))
    }

    /// Returns the result of a transaction of the control file; explains its error.
    fn in_control<T>(&self, result: Result<T, store::Error>) -> Result<T, store::Error> {
        result.map_err(|error| explained(&self.folder.join("control.db"), error))
    }

    fn path(&self, organisation: OrganisationId) -> PathBuf {
        self.folder.join(format!("{organisation}.db"))
    }
}

impl Database for SqliteStorage {
    fn read(&self, organisation: OrganisationId, f: ReadFn<'_>) -> Result<(), sql::Error> {
        self.store(organisation)?.read(|db| f(&mut SqliteReader::new(db)))
    }

    fn write(&self, organisation: OrganisationId, f: WriteFn<'_>) -> Result<(), sql::Error> {
        self.store(organisation)?.write(|db| {
            let mut writer = SqliteWriter::new(db);
            f(&mut writer)?;
            writer.finish()
        })
    }
}

impl Storage for SqliteStorage {
    fn organisations(&self) -> Result<Vec<OrganisationId>, Error> {
        Ok(self.listed()?)
    }

    fn require_in_place(&self) -> Result<(), Error> {
        self.control.require_in_place()?;
        Ok(self.stores().values().try_for_each(|store| store.require_in_place())?)
    }

    fn explain(&self, organisation: OrganisationId, error: Error) -> Error {
        match error {
            Error::Storage(error) => explained(&self.path(organisation), error).into(),
            error => error,
        }
    }

    fn prepare(&self, organisation: OrganisationId) -> Result<(), Error> {
        let is_listed = self.organisations()?.contains(&organisation);
        let mut open = self.stores();
        if !open.contains_key(&organisation) && !is_listed {
            open.insert(organisation, Arc::new(Store::open(&self.path(organisation), self.schema)?));
        }
        Ok(())
    }

    fn add_organisation(&self, organisation: OrganisationId) -> Result<(), Error> {
        let insert = "INSERT OR IGNORE INTO organisations (organisation_id) VALUES (?1)";
        let added = self.control.write(|db| Ok(db.execute(insert, [organisation]).map(drop)?));
        Ok(self.in_control(added)?)
    }

    fn add_route(&self, key: &[u8], organisation: OrganisationId) -> Result<(), Error> {
        let insert = "INSERT OR REPLACE INTO routes (key, organisation_id) VALUES (?1, ?2)";
        let added = self.control.write(|db| Ok(db.execute(insert, (key, organisation)).map(drop)?));
        Ok(self.in_control(added)?)
    }

    fn route(&self, key: &[u8]) -> Result<Option<OrganisationId>, Error> {
        let found = self.control.read(|db| {
            let mut statement = db.prepare_cached("SELECT organisation_id FROM routes WHERE key = ?1")?;
            Ok(statement.query_row([key], |row| row.get(0)).optional()?)
        });
        Ok(self.in_control(found)?)
    }

    fn keep_private(&self) -> Vec<String> {
        keep_private(&self.folder)
    }

    fn copy_to(&self, folder: &Path) -> Result<(), Error> {
        create_private_folder(folder).map_err(Error::io(&folder.display()))?;
        // Organisations first: a route to an organisation that is not in the copy would be worse than a missing route.
        for organisation in self.organisations()? {
            self.store(organisation)?.copy_to(&folder.join(format!("{organisation}.db")))?;
        }
        Ok(self.control.copy_to(&folder.join("control.db"))?)
    }

    fn scrub(&self, organisation: OrganisationId) -> Result<(), Error> {
        // Each try waits for readers.
        for _ in 0..SCRUBS {
            if self.store(organisation)?.scrub()? {
                return Ok(());
            }
        }
        let reason = "the database is being read all the time: what was erased stays in its log until it is closed";
        Err(Error::Busy { reason: reason.into() })
    }
}

fn missing(control: &Path) -> Error {
    Error::DataMissing { what: control.display().to_string(), reason: "it is missing".into() }
}

/// An error about damage that names the file and says what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Damage(String);

/// Adds to an error about damage which file is damaged and what to do; returns any other error as it is.
fn explained(path: &Path, error: store::Error) -> store::Error {
    let store::Error::Corrupt { source } = error else { return error };
    if source.is::<Damage>() {
        return store::Error::Corrupt { source };
    }
    let (file, reason) = (path.display().to_string(), source.to_string());
    let named = if reason.contains(&file) { reason } else { format!("{file}: {reason}") };
    let text = format!("{named}; what to do: docs/operating.md, \"After a restore\"");
    store::Error::Corrupt { source: Damage(text).into() }
}

/// Requires that a file does not have the content of another one.
fn require_content(content: Content, path: &Path) -> Result<(), store::Error> {
    match content.difference(path) {
        None => Ok(()),
        Some(difference) => {
            let source = format!("{}: {difference}", path.display()).into();
            Err(explained(path, store::Error::Corrupt { source }))
        }
    }
}

/// Returns whether a folder contains a database.
fn has_databases(folder: &Path) -> Result<bool, Error> {
    let failed = Error::io(&folder.display());
    for file in std::fs::read_dir(folder).map_err(&failed)? {
        if file.map_err(&failed)?.path().extension().is_some_and(|it| it == "db") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Tries of a scrub before it fails.
const SCRUBS: u32 = 6;

pub(super) fn map_sql_error<T>(result: rusqlite::Result<T>) -> Result<T, Error> {
    result.map_err(|error| Error::Storage(error.into()))
}

pub(crate) fn corrupt(error: impl Into<sql::Source>) -> Error {
    Error::Storage(store::Error::Corrupt { source: error.into() })
}
