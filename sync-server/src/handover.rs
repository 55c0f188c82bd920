//! Parcels that were carried here, by a phone or on a stick: opened, and judged as if their owner had pushed.
//!
//! Owns nothing that is kept. Invariants: each bundle is judged by [`ingest`], in a transaction of its own; verdicts are for the owner, who
//! gets them when it syncs; a parcel that cannot be taken leaves no trace.

use std::fmt;
use std::io::Read;
use std::ops::AddAssign;

use farmtally_core::protocol::message::{ParcelVerdict, Verdict};
use farmtally_core::protocol::parcel::{HandoverError, Parcel};
use farmtally_core::units::{OrganisationId, ParcelId, Timestamp};
use minicbor::bytes::ByteVec;

use crate::ingest::ingest;
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
        self.take_parcel(organisation, parcel, now)
    }

    /// Takes what a phone carries for others.
    pub(crate) fn take_parcels(
        &self,
        organisation: OrganisationId,
        parcels: &[ByteVec],
        now: Timestamp,
    ) -> Result<Vec<ParcelVerdict>, Error> {
        let verdict = |bytes: &[u8]| {
            let taken = Parcel::parse(bytes).map_err(Error::from);
            let refused = match taken.and_then(|parcel| self.take_parcel(organisation, &parcel, now)) {
                Ok(_for_the_owner) => None,
                Err(Error::Parcel(error)) => Some(error.code().to_owned()),
                Err(error) => return Err(error),
            };
            Ok(ParcelVerdict { parcel: ParcelId::of(bytes), refused })
        };
        parcels.iter().map(|bytes| verdict(bytes)).collect()
    }

    fn take_parcel(&self, organisation: OrganisationId, parcel: &Parcel, now: Timestamp) -> Result<Imported, Error> {
        parcel.require(organisation, &self.keys.public())?;
        let mut imported = Imported::default();
        for bundle in parcel.open(self.keys.signing())? {
            let judged = self.write(organisation, |db| ingest(db, organisation, 0, &bundle, now))?;
            imported.bundles += u64::from(judged.refused.is_none());
            imported.refused += u64::from(judged.refused.is_some());
            for run in &judged.runs {
                let count = match run.verdict {
                    Verdict::Logged { .. } | Verdict::Returned { .. } | Verdict::Erased => &mut imported.logged,
                    Verdict::Held { .. } => &mut imported.held,
                    Verdict::Deferred { .. } | Verdict::BytesMissing => &mut imported.deferred,
                };
                *count += u64::from(run.count);
            }
        }
        Ok(imported)
    }
}
