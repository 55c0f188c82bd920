//! The server's data on PostgreSQL.

use std::path::Path;

use farmtally_core::units::OrganisationId;

use super::super::Storage;
use super::PostgresStorage;
use super::session::Session;
use crate::Error;

impl Storage for PostgresStorage {
    fn organisations(&self) -> Result<Vec<OrganisationId>, Error> {
        Ok(self.on_session(Session::organisations)?)
    }

    fn prepare(&self, organisation: OrganisationId) -> Result<(), Error> {
        Ok(self.on_session(|session| session.add_organisation(organisation))?)
    }

    fn add_organisation(&self, organisation: OrganisationId) -> Result<(), Error> {
        self.prepare(organisation)?;
        Ok(self.on_session(|session| session.list(organisation))?)
    }

    fn add_route(&self, key: &[u8], organisation: OrganisationId) -> Result<(), Error> {
        Ok(self.on_session(|session| session.add_route(key, organisation))?)
    }

    fn route(&self, key: &[u8]) -> Result<Option<OrganisationId>, Error> {
        Ok(self.on_session(|session| session.route(key))?)
    }

    /// Does nothing: what was deleted is in rows that only the owner of the tables can have removed, by `VACUUM`, and in a log that is the
    /// operator's.
    fn scrub(&self, _organisation: OrganisationId) -> Result<(), Error> {
        Ok(())
    }

    /// Refuses: a copy is `pg_dump`'s matter.
    fn copy_to(&self, _folder: &Path) -> Result<(), Error> {
        Err(Error::Unsupported { reason: "the data are on PostgreSQL: copy them with its own `pg_dump`" })
    }
}
