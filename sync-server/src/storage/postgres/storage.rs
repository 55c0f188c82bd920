//! [`Storage`] of the server on PostgreSQL.

use std::path::Path;

use farmtally_core::units::OrganisationId;

use super::super::Storage;
use super::PostgresStorage;
use crate::Error;

/// Query of the listed organisations, in the order of their ids.
pub(super) const LISTED: &str = "SELECT organisation_id FROM listed ORDER BY organisation_id";

impl Storage for PostgresStorage {
    fn organisations(&self) -> Result<Vec<OrganisationId>, Error> {
        Ok(self.on_session(|session| session.organisations(LISTED, &[]))?)
    }

    fn prepare(&self, organisation: OrganisationId) -> Result<(), Error> {
        let insert = "INSERT INTO organisations (organisation_id) VALUES ($1) ON CONFLICT (organisation_id) DO NOTHING";
        Ok(self.on_session(|session| session.execute(insert, &[&organisation.as_bytes().as_slice()]))?)
    }

    fn add_organisation(&self, organisation: OrganisationId) -> Result<(), Error> {
        let insert = "INSERT INTO listed (organisation_id) VALUES ($1) ON CONFLICT (organisation_id) DO NOTHING";
        Ok(self.on_session(|session| session.execute(insert, &[&organisation.as_bytes().as_slice()]))?)
    }

    fn add_route(&self, key: &[u8], organisation: OrganisationId) -> Result<(), Error> {
        let insert = "INSERT INTO routes (key, organisation_id) VALUES ($1, $2)
            ON CONFLICT (key) DO UPDATE SET organisation_id = excluded.organisation_id";
        Ok(self.on_session(|session| session.execute(insert, &[&key, &organisation.as_bytes().as_slice()]))?)
    }

    fn route(&self, key: &[u8]) -> Result<Option<OrganisationId>, Error> {
        let query = "SELECT organisation_id FROM routes WHERE key = $1";
        Ok(self.on_session(|session| session.organisations(query, &[&key]))?.pop())
    }

    /// Does nothing: deleted bytes are in dead rows, which only the tables' owner can `VACUUM`, and in the operator's write-ahead log.
    fn scrub(&self, _organisation: OrganisationId) -> Result<(), Error> {
        Ok(())
    }

    /// Returns [`Error::Unsupported`]: copies are made with `pg_dump`.
    fn copy_to(&self, _folder: &Path) -> Result<(), Error> {
        Err(Error::Unsupported { reason: "the data is on PostgreSQL: copy it with its own `pg_dump`" })
    }
}
