//! A connection: its settings, its prepared statements, and the begin and end of its transactions.

use farmtally_core::store::sql::{Error, FromValue, Source, Value};
use farmtally_core::units::OrganisationId;
use postgres::types::ToSql;
use postgres::{Client, Config, NoTls};

use super::Options;
use super::error::{failure, is_answer};
use super::statement::Statements;

/// How long write ids are kept. None is looked up after [`Options::retry_for`].
const WRITE_IDS_KEPT_MS: i64 = 24 * 3_600_000;

/// Outcome of a COMMIT.
pub(super) enum Committed {
    Done,
    /// It was not committed.
    Refused(Error),
    /// The answer was lost: it may have been committed.
    Unknown(Source),
}

pub(super) struct Session {
    pub(super) client: Client,
    pub(super) statements: Statements,
}

impl Session {
    /// Connects, and sets the limits that PostgreSQL enforces.
    pub(super) fn connect(config: &Config, options: &Options) -> Result<Self, Error> {
        // The one place that chooses the encryption of connections. Each error means that the server cannot be reached now.
        let mut client = config.connect(NoTls).map_err(|error| Error::Unavailable { source: error.into() })?;
        let set = format!(
            "SET statement_timeout = {}; SET lock_timeout = {}; SET idle_in_transaction_session_timeout = {}",
            options.statement_timeout.as_millis(),
            options.lock_timeout.as_millis(),
            options.idle_timeout.as_millis()
        );
        client.batch_execute(&set).map_err(failure)?;
        Ok(Self { client, statements: Statements::default() })
    }

    /// Returns whether the role sees the rows of every organisation.
    pub(super) fn passes_row_security(&mut self) -> Result<bool, Error> {
        let query = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user";
        self.client.query_one(query, &[]).and_then(|row| row.try_get(0)).map_err(failure)
    }

    pub(super) fn number(&mut self, organisation: OrganisationId) -> Result<Option<i64>, Error> {
        let query = "SELECT number FROM organisations WHERE organisation_id = $1";
        let row = self.client.query_opt(query, &[&organisation.as_bytes().as_slice()]).map_err(failure)?;
        row.map(|row| row.try_get(0).map_err(failure)).transpose()
    }

    /// Runs a statement outside of a transaction.
    pub(super) fn execute(&mut self, statement: &str, params: &[&(dyn ToSql + Sync)]) -> Result<(), Error> {
        self.client.execute(statement, params).map(drop).map_err(failure)
    }

    /// Runs a query outside of a transaction, and returns the organisations that it finds.
    pub(super) fn organisations(
        &mut self,
        query: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<OrganisationId>, Error> {
        self.client.query(query, params).map_err(failure)?.iter().map(organisation_of).collect()
    }

    /// Begins a transaction on a snapshot.
    pub(super) fn begin_read(&mut self, organisation: i64) -> Result<(), Error> {
        self.batch(&format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL farmtally.organisation = {organisation}"
        ))
    }

    /// Begins a transaction as the only writer of an organisation, after earlier ones have ended.
    /// READ COMMITTED, because a snapshot of REPEATABLE READ would be older than the lock.
    pub(super) fn begin_write(&mut self, organisation: i64) -> Result<(), Error> {
        self.batch(&format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL farmtally.organisation = {organisation};
             SELECT pg_advisory_xact_lock({organisation})"
        ))
    }

    /// Returns whether the transaction with this write id was committed.
    pub(super) fn has_committed(&mut self, write_id: [u8; 16]) -> Result<bool, Error> {
        let query = "SELECT 1 FROM writes WHERE write_id = $1";
        Ok(self.client.query_opt(query, &[&write_id.as_slice()]).map_err(failure)?.is_some())
    }

    /// Commits under a write id, in one round trip.
    pub(super) fn commit(&mut self, write_id: [u8; 16]) -> Committed {
        let hex = data_encoding::HEXLOWER.encode(&write_id);
        // Deletes old write ids in one of 256 commits.
        let forget = if write_id.first() == Some(&0) {
            format!(
                "DELETE FROM writes WHERE committed_at_ms < (extract(epoch FROM now()) * 1000)::bigint - {WRITE_IDS_KEPT_MS}; "
            )
        } else {
            String::new()
        };
        let commit = format!("{forget}INSERT INTO writes (write_id) VALUES ('\\x{hex}'); COMMIT");
        match self.client.batch_execute(&commit) {
            Ok(()) => Committed::Done,
            Err(error) if is_answer(&error) => Committed::Refused(failure(error)),
            Err(error) => Committed::Unknown(failure(error).into()),
        }
    }

    pub(super) fn rollback(&mut self) -> Result<(), Error> {
        self.batch("ROLLBACK")
    }

    fn batch(&mut self, statements: &str) -> Result<(), Error> {
        self.client.batch_execute(statements).map_err(failure)
    }
}

fn organisation_of(row: &postgres::Row) -> Result<OrganisationId, Error> {
    let id: &[u8] = row.try_get(0).map_err(failure)?;
    OrganisationId::from_value(Value::Blob(id.into()))
        .ok_or(Error::Type { column: 0, expected: "the id of an organisation" })
}
