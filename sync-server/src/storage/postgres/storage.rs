//! [`Storage`] of the server on PostgreSQL.

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
        Ok(self.on_session(|session| session.add_to_listed(organisation))?)
    }

    fn add_route(&self, key: &[u8], organisation: OrganisationId) -> Result<(), Error> {
        Ok(self.on_session(|session| session.add_route(key, organisation))?)
    }

    fn route(&self, key: &[u8]) -> Result<Option<OrganisationId>, Error> {
        Ok(self.on_session(|session| session.route(key))?)
    }

    /// Does nothing: deleted bytes are in dead rows, which only the tables' owner can `VACUUM`, and in the operator's write-ahead log.
    fn scrub(&self, _organisation: OrganisationId) -> Result<(), Error> {
        Ok(())
    }

    /// Returns [`Error::Unsupported`]: copies are made with `pg_dump`.
    fn copy_to(&self, _folder: &Path) -> Result<(), Error> {
        Err(Error::Unsupported { reason: "the data are on PostgreSQL: copy them with its own `pg_dump`" })
    }
}
