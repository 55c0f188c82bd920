//! SQLite backend: a folder with a control file and one file for each organisation.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use farmtally_core::store::file::create_private_folder;
use farmtally_core::store::sql::sqlite::{SqliteReader, SqliteWriter};
use farmtally_core::store::sql::{self, Database, ReadFn, WriteFn};
use farmtally_core::store::{self, RECORDS, Store};
use farmtally_core::units::OrganisationId;
use rusqlite::OptionalExtension;

use super::Storage;
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
        let control = Store::open_existing(&path, CONTROL).map_err(|error| match path.try_exists() {
            Ok(false) => missing(&path),
            _ => error.into(),
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
        Ok(Self::with_control(folder, schema, Store::open(&path, CONTROL)?))
    }

    fn with_control(folder: &Path, schema: &'static [store::Migration], control: Store) -> Self {
        Self { folder: folder.to_owned(), schema, control, open: Mutex::default() }
    }

    /// Returns an organisation's store. Never creates it: an empty file in place of a lost one would look like a new organisation.
    fn store(&self, organisation: OrganisationId) -> Result<Arc<Store>, sql::Error> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = open.get(&organisation) {
            return Ok(Arc::clone(store));
        }
        if !self.listed()?.contains(&organisation) {
            return Err(sql::Error::UnknownOrganisation);
        }
        let store = Arc::new(Store::open_existing(&self.path(organisation), self.schema)?);
        open.insert(organisation, Arc::clone(&store));
        Ok(store)
    }

    /// Returns the listed organisations, in the order of their ids.
    fn listed(&self) -> Result<Vec<OrganisationId>, store::Error> {
        self.control.read(|db| {
            let mut statement = db.prepare_cached("SELECT organisation_id FROM organisations ORDER BY 1")?;
            Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
        })
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

    fn prepare(&self, organisation: OrganisationId) -> Result<(), Error> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if !open.contains_key(&organisation) && !self.organisations()?.contains(&organisation) {
            open.insert(organisation, Arc::new(Store::open(&self.path(organisation), self.schema)?));
        }
        Ok(())
    }

    fn add_organisation(&self, organisation: OrganisationId) -> Result<(), Error> {
        let insert = "INSERT OR IGNORE INTO organisations (organisation_id) VALUES (?1)";
        self.control.write(|db| map_sql_error(db.execute(insert, [organisation])).map(drop))
    }

    fn add_route(&self, key: &[u8], organisation: OrganisationId) -> Result<(), Error> {
        let insert = "INSERT OR REPLACE INTO routes (key, organisation_id) VALUES (?1, ?2)";
        self.control.write(|db| map_sql_error(db.execute(insert, (key, organisation))).map(drop))
    }

    fn route(&self, key: &[u8]) -> Result<Option<OrganisationId>, Error> {
        self.control.read(|db| {
            let mut statement = map_sql_error(db.prepare_cached("SELECT organisation_id FROM routes WHERE key = ?1"))?;
            map_sql_error(statement.query_row([key], |row| row.get(0)).optional())
        })
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
