//! Databases on which the SQL contract is checked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use farmtally_core::store::sql::sqlite::{SqliteReader, SqliteWriter};
use farmtally_core::store::sql::{Database, Error, ReadFn, WriteFn};
use farmtally_core::store::{Migration, Store};
use farmtally_core::units::OrganisationId;

/// A folder of SQLite files, one for each organisation.
pub struct SqliteDatabase {
    folder: PathBuf,
    schema: &'static [Migration],
    open: Mutex<BTreeMap<OrganisationId, Arc<Store>>>,
}

impl SqliteDatabase {
    /// A database in a folder, whose files get this schema.
    pub fn new(folder: &Path, schema: &'static [Migration]) -> Self {
        Self { folder: folder.to_owned(), schema, open: Mutex::default() }
    }

    /// Adds an organisation.
    pub fn add_organisation(&self, organisation: OrganisationId) -> Result<(), Error> {
        let store = Store::open(&self.path(organisation), self.schema)?;
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(organisation, Arc::new(store));
        Ok(())
    }

    /// The path of an organisation's file.
    pub fn path(&self, organisation: OrganisationId) -> PathBuf {
        self.folder.join(format!("{organisation}.db"))
    }

    fn store(&self, organisation: OrganisationId) -> Result<Arc<Store>, Error> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(&organisation).map(Arc::clone).ok_or(Error::UnknownOrganisation)
    }
}

impl Database for SqliteDatabase {
    fn read(&self, organisation: OrganisationId, f: ReadFn<'_>) -> Result<(), Error> {
        self.store(organisation)?.read(|db| f(&mut SqliteReader::new(db)))
    }

    fn write(&self, organisation: OrganisationId, f: WriteFn<'_>) -> Result<(), Error> {
        self.store(organisation)?.write(|transaction| {
            let mut writer = SqliteWriter::new(transaction);
            f(&mut writer)?;
            writer.finish()
        })
    }
}
