//! Parcels that were carried here, by a phone or on a stick: opened, and judged as if their owner had pushed.
//!
//! Owns nothing that is kept. Invariants: each bundle is judged by [`ingest`]; verdicts are for the owner, who gets them when it syncs; a
//! parcel that cannot be taken leaves no trace.

use std::fmt;
use std::io::Read;
use std::ops::AddAssign;

use farmtally_core::protocol::message::{ParcelVerdict, Verdict};
use farmtally_core::protocol::parcel::{HandoverError, Parcel};
use farmtally_core::units::{OrganisationId, ParcelId, Timestamp};

use crate::ingest::ingest;
use crate::storage::WriteTransaction;
use crate::{Error, Server};

/// What became of the content of parcels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Bundles that were judged.
    pub bundles: u64,
    /// Entries that are in the log, from now or from before.
    pub logged: u64,
    /// Entries that wait for a person.
    pub held: u64,
    /// Entries that wait for others, which anybody may bring.
    pub deferred: u64,
    /// Bundles that were refused as a whole; they left no trace.
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
    /// Takes a file of parcels, whoever brings it: one result for each parcel, in their order; none stops the others. Of an organisation, if one is
    /// given; otherwise of all.
    ///
    /// # Errors
    /// [`Error::Parcel`] for a parcel that cannot be taken, [`Error::Storage`]; what was judged before stays.
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
        self.write(organisation, |db| ingest_all(db, &bundles, now))
    }

    /// Opens what a phone carries for others.
    pub(crate) fn open_parcel(&self, organisation: OrganisationId, bytes: &[u8]) -> OpenedParcel {
        let opened = Parcel::parse(bytes).and_then(|parcel| self.bundles_in(organisation, &parcel));
        OpenedParcel { parcel: ParcelId::of(bytes), bundles: opened }
    }

    fn bundles_in(&self, organisation: OrganisationId, parcel: &Parcel) -> Result<Vec<Vec<u8>>, HandoverError> {
        parcel.require(organisation, &self.keys.public())?;
        parcel.open(self.keys.signing())
    }
}

/// A parcel that a phone has carried here.
pub(crate) struct OpenedParcel {
    parcel: ParcelId,
    bundles: Result<Vec<Vec<u8>>, HandoverError>,
}

impl OpenedParcel {
    /// Judges the bundles in it.
    pub(crate) fn ingest(&self, db: &mut WriteTransaction<'_>, now: Timestamp) -> Result<ParcelVerdict, Error> {
        let refused = match &self.bundles {
            Ok(bundles) => {
                ingest_all(db, bundles, now)?;
                None
            }
            Err(error) => Some(error.code()),
        };
        Ok(ParcelVerdict { parcel: self.parcel, refused })
    }
}

fn ingest_all(db: &mut WriteTransaction<'_>, bundles: &[Vec<u8>], now: Timestamp) -> Result<Imported, Error> {
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
