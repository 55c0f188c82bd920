//! Deliveries of a farmer that may be one heap, recorded twice.

use std::collections::{BTreeMap, BTreeSet};

use super::sql::{Column, Reader, Value};
use super::{Error, records};
use crate::records::{AnyRecord, Delivery};
use crate::rules::Heap;
use crate::units::{BusinessDate, DeliveryId, FarmerId, Grams, Timestamp, ToValue};

/// A delivery that is compared with the others of its farmer and day.
#[derive(Clone, Debug)]
pub struct Weighed {
    /// The delivery; `None` if it is not recorded yet.
    pub delivery_id: Option<DeliveryId>,
    /// The farmer who delivered.
    pub farmer_id: FarmerId,
    /// Day for which it counts.
    pub business_date: BusinessDate,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Time between two records within which they may be of one heap, in minutes.
    pub minutes: u32,
    /// Delivery that it replaces, if any.
    pub replaces: Option<DeliveryId>,
    /// What was weighed.
    pub heap: Heap,
}

struct Candidate {
    delivery_id: DeliveryId,
    recorded_at: Timestamp,
    bags: u32,
    gross: Grams,
}

/// Returns for each of `weighed`, in their order, the first other delivery that may be the same heap: neither voided nor said to be a second
/// heap, of the same farmer and day, recorded within the time, not replacing the same delivery, and [alike](Heap::may_equal).
///
/// # Errors
/// [`Error::Sql`] and other errors of the database; [`Error::Record`] if a document cannot be read.
pub fn find(db: &mut dyn Reader, weighed: &[Weighed]) -> Result<Vec<Option<DeliveryId>>, Error> {
    let mut candidates = candidates(db, weighed)?;
    for (it, candidates) in weighed.iter().zip(&mut candidates) {
        let within_ms = (i64::from(it.minutes) * 60_000).unsigned_abs();
        candidates.retain(|other| {
            Some(other.delivery_id) != it.delivery_id
                && other.recorded_at.0.abs_diff(it.recorded_at.0) <= within_ms
                && it.heap.may_be(other.bags, other.gross)
        });
    }
    let near: BTreeSet<DeliveryId> = candidates.iter().flatten().map(|it| it.delivery_id).collect();
    let keys: Vec<Value<'_>> = near.iter().map(ToValue::to_value).collect();
    let mut deliveries = BTreeMap::new();
    for (document, stored) in records::find_all(db, &keys)? {
        let record = crate::records::read(stored.kind, document, &stored.saved)?.record;
        deliveries.extend(record.and_then(<dyn AnyRecord>::downcast::<Delivery>).map(|it| (it.delivery_id, it)));
    }
    let alike = |it: &Weighed, other: &Candidate| {
        let other = deliveries.get(&other.delivery_id).filter(|other| !other.is_second_heap);
        other.is_some_and(|other| {
            (it.replaces.is_none() || it.replaces != other.replaces) && it.heap.may_equal(&Heap::from(other))
        })
    };
    let found = weighed.iter().zip(&candidates);
    Ok(found.map(|(it, others)| others.iter().find(|other| alike(it, other)).map(|it| it.delivery_id)).collect())
}

fn candidates(db: &mut dyn Reader, weighed: &[Weighed]) -> Result<Vec<Vec<Candidate>>, Error> {
    let mut found: Vec<Vec<Candidate>> = weighed.iter().map(|_| Vec::new()).collect();
    let keys: Vec<Value<'_>> =
        weighed.iter().flat_map(|it| [it.farmer_id.to_value(), it.business_date.to_value()]).collect();
    let statement = "SELECT keys.n, delivery_id, recorded_at_ms, bag_count, gross_g FROM keys
         JOIN deliveries ON deliveries.farmer_id = keys.farmer AND business_day = keys.date
         WHERE is_voided = 0 ORDER BY keys.n, delivery_id";
    let columns = [Column::blob("farmer"), Column::int("date")];
    db.query_keys(&columns, &keys, statement, &mut |row| {
        if let Some(of) = found.get_mut(row.get::<u32>(0)? as usize) {
            let (delivery_id, recorded_at) = (row.get(1)?, row.get(2)?);
            of.push(Candidate { delivery_id, recorded_at, bags: row.get(3)?, gross: row.get(4)? });
        }
        Ok(())
    })?;
    Ok(found)
}
