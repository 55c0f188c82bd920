//! Import of parcels that a phone or a stick carried here: they are opened, and judged as if their owner had sent them.
//!
//! Owns no stored data. Invariants: each bundle is judged by [`ingest`]; the owner gets the verdicts; a refused parcel leaves no trace.

use std::fmt;
use std::io::Read;
use std::ops::AddAssign;

use farmtally_core::protocol::message::Verdict;
use farmtally_core::protocol::parcel::{HandoverError, Parcel};
use farmtally_core::units::{OrganisationId, Timestamp};

use crate::ingest::ingest;
use crate::storage::WriteTransaction;
use crate::{Error, Server};

/// Counts of what was in imported parcels, by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Bundles that were judged.
    pub bundles: u64,
    /// Entries that are settled: logged now or before, rejected, or erased.
    pub logged: u64,
    /// Entries that wait for a person.
    pub held: u64,
    /// Entries that wait for others, or whose bytes are missing.
    pub deferred: u64,
    /// Bundles that were refused as a whole, without a trace.
    pub refused: u64,
}

impl AddAssign for Imported {
    fn add_assign(&mut self, other: Self) {
        self.bundles += other.bundles;
        self.logged += other.logged;
        self.held += other.held;
        self.deferred += other.deferred;
        self.refused += other.refused;
    }
}

impl fmt::Display for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bundles, logged, held, deferred, refused } = self;
        write!(
            f,
            "bundles {bundles}, entries logged {logged}, held {held}, deferred {deferred}, bundles refused {refused}"
        )
    }
}

impl Server {
    /// Imports the parcels of `only`, or of all organisations here, from a file. Returns a result for each, up to the first unreadable one.
    ///
    /// # Errors
    /// [`Error::Parcel`] for a refused parcel, [`Error::Io`], [`Error::Storage`]; what was judged before stays.
    pub fn import(&self, only: Option<OrganisationId>, file: impl Read) -> Vec<Result<Imported, Error>> {
        let now = self.environment.clock.now();
        Parcel::read_all(file).map(|parcel| self.import_one(only, &parcel?, now)).collect()
    }

    fn import_one(&self, only: Option<OrganisationId>, parcel: &Parcel, now: Timestamp) -> Result<Imported, Error> {
        let organisation = parcel.organisation();
        if only.is_some_and(|only| only != organisation) || !self.storage.organisations()?.contains(&organisation) {
            return Err(HandoverError::ForeignOrganisation.into());
        }
        let bundles = self.bundles_in(organisation, parcel)?;
        let imported = self.write(organisation, |db| ingest_parcel(db, &bundles, now))?;
        self.erase_late_arrivals(organisation)?;
        Ok(imported)
    }

    /// Returns the bundles in a parcel that a phone carried for another of this organisation. They are not judged yet.
    pub(crate) fn open_parcel(
        &self,
        organisation: OrganisationId,
        bytes: &[u8],
    ) -> Result<Vec<Vec<u8>>, HandoverError> {
        Parcel::parse(bytes).and_then(|parcel| self.bundles_in(organisation, &parcel))
    }

    fn bundles_in(&self, organisation: OrganisationId, parcel: &Parcel) -> Result<Vec<Vec<u8>>, HandoverError> {
        parcel.check_recipient(organisation, &self.keys.public())?;
        parcel.open(&self.keys.signing)
    }
}

/// Ingests the bundles of one opened parcel, and counts them and their entries; a refused bundle stops no other.
pub(crate) fn ingest_parcel(
    db: &mut WriteTransaction<'_>,
    bundles: &[Vec<u8>],
    now: Timestamp,
) -> Result<Imported, Error> {
    let mut imported = Imported::default();
    for bundle in bundles {
        let judged = ingest(db, 0, bundle, now)?;
        imported.bundles += u64::from(judged.refused.is_none());
        imported.refused += u64::from(judged.refused.is_some());
        for run in &judged.runs {
            let count = match run.verdict {
                Verdict::Logged { .. } | Verdict::Rejected { .. } | Verdict::Erased => &mut imported.logged,
                Verdict::Held { .. } => &mut imported.held,
                Verdict::Deferred { .. } | Verdict::BytesMissing => &mut imported.deferred,
            };
            *count += u64::from(run.count);
        }
    }
    Ok(imported)
}
