//! Reviews found in the records that one transaction changed, one file for each subject.
//!
//! Does not own reviews that follow from judging an entry (an ended grant, a fork, missing bytes): [`crate::ingest`] raises those.

mod advance_over_limit;
mod cash_difference;
mod farmer_inactive;
mod farmer_look_alike;
mod land;
mod late_delivery;
mod load_contention;
mod out_of_state;
mod over_capacity;
mod paper_serial_repeated;
mod possible_duplicate;
mod replaced_twice;
mod variance;
mod weight;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use farmtally_core::decisions::{ReviewCode, RuleSet};
use farmtally_core::records::{self, AnyRecord, Kind, Load, Record, RecordKind};
use farmtally_core::scope::Scope;
use farmtally_core::store;
use farmtally_core::units::{DocumentId, LoadId, ToValue, Value};

use crate::Error;
use crate::storage::WriteTransaction;

/// A record that a transaction changed, with its new content.
pub(crate) struct Touched {
    pub(crate) scope: Scope,
    pub(crate) record: Record,
    /// Its document before that; `None` for a new one.
    pub(crate) before: Option<Vec<u8>>,
}

/// A review to raise, in the scope of the records that it names; of a fork, of the device.
pub(crate) struct Finding {
    pub(crate) scope: Scope,
    pub(crate) code: ReviewCode,
    pub(crate) documents: Vec<DocumentId>,
}

/// Returns the reviews that these records call for, including those already raised.
pub(crate) fn find(db: &mut WriteTransaction<'_>, touched: &[Touched]) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::new();
    let finds = [
        advance_over_limit::find,
        cash_difference::find,
        farmer_inactive::find,
        farmer_look_alike::find,
        land::find,
        late_delivery::find,
        load_contention::find,
        out_of_state::find,
        over_capacity::find,
        paper_serial_repeated::find,
        possible_duplicate::find,
        replaced_twice::find,
        variance::find,
        weight::find,
    ];
    for find in finds {
        findings.extend(find(db, touched)?);
    }
    Ok(findings)
}

/// Rule sets of records, each read once.
#[derive(Default)]
struct RuleSets(BTreeMap<u32, Option<RuleSet>>);

impl RuleSets {
    /// Returns a rule set; `None` if this server does not have it.
    fn get(&mut self, db: &mut WriteTransaction<'_>, number: u32) -> Result<Option<&RuleSet>, Error> {
        let rules = match self.0.entry(number) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(store::decisions::latest(db.reader(), &number.to_string())?),
        };
        Ok(rules.as_ref())
    }
}

impl Touched {
    /// Returns the record as it was before, if it is a `K` and was stored.
    fn before<K: RecordKind>(&self) -> Result<Option<K>, Error> {
        let Some(saved) = self.before.as_ref().filter(|_| self.record.kind() == Kind::of::<K>()) else {
            return Ok(None);
        };
        let read = records::read(Kind::of::<K>(), self.record.document(), saved);
        Ok(read.map_err(|error| Error::Storage(error.into()))?.record.and_then(<dyn AnyRecord>::downcast::<K>))
    }
}

/// Reads these loads, as far as they are stored.
fn read_loads(db: &mut WriteTransaction<'_>, loads: &[LoadId]) -> Result<Vec<Load>, Error> {
    let keys: Vec<Value<'_>> = loads.iter().map(ToValue::to_value).collect();
    Ok(read_all(db, &keys)?.into_iter().map(|(_, load)| load).collect())
}

/// Reads the records of a kind with these ids, as far as they are stored, each with its scope.
fn read_all<K: RecordKind>(db: &mut WriteTransaction<'_>, keys: &[Value<'_>]) -> Result<Vec<(Scope, K)>, Error> {
    let mut read = Vec::new();
    for (id, stored) in store::records::find_all(db.reader(), keys)? {
        let merged = records::read(stored.kind, id, &stored.saved).map_err(|error| Error::Storage(error.into()))?;
        let record = merged.record.and_then(<dyn AnyRecord>::downcast::<K>);
        read.extend(record.map(|record| (stored.scope, record)));
    }
    Ok(read)
}

fn of_kind<K: RecordKind>(touched: &[Touched]) -> impl Iterator<Item = (&Scope, &K)> {
    touched.iter().filter_map(|it| it.record.downcast_ref::<K>().map(|record| (&it.scope, record)))
}
