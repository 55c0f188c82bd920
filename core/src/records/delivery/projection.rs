//! Projection of a delivery from the keys of its document.

use std::collections::BTreeMap;

use super::super::shape::SNAPSHOT;
use super::super::stamp::Register;
use super::super::weighing::check_bag_counts;
use super::super::{BagCount, Conflict, ConflictValue, Error, Fields, Stamp};
use super::parts;
use super::snapshot::DeliverySnapshot;
use super::values::{
    AddedReading, EVENTS, Event, MoreWeighed, PRINTS, Print, READINGS, Step, VOIDS, VoidedValue, WEIGHED,
};
use super::{Act, Delivery, DeliveryBag, DeliveryLot, DeliveryReading};
use crate::limits::MAX_MERGED_BAGS;
use crate::units::{BusinessDate, DeliveryId, LoadId};

pub(super) fn project(delivery_id: DeliveryId, fields: &Fields) -> Result<Option<Delivery>, Error> {
    let mut conflicts = Vec::new();
    let snapshot = fields.effective(
        SNAPSHOT,
        DeliverySnapshot::stamp,
        |it| format!("receipt {}-{}", it.constants.device_code, it.receipt_sequence),
        &mut conflicts,
    )?;
    let Some(snapshot) = snapshot else { return Ok(None) };
    let recorded = snapshot.stamp();
    if let Some(location) = snapshot.location {
        location.check().map_err(Error::malformed)?;
    }

    let mut voids_of = Voids::of(fields)?;
    let readings = readings(fields, &snapshot, &mut voids_of)?;
    let mut prints: Vec<Print> = fields.added(PRINTS)?.into_iter().map(|(_, print)| print).collect();
    prints.sort_by_key(|print| order(&print.stamp));
    let (amendments, voids) = acts(fields, &mut conflicts)?;

    let load = |load: &Option<LoadId>| load.map_or_else(|| "no load".to_owned(), |load| load.to_string());
    let count = |count: &Option<u32>| count.map_or_else(|| "not declared".to_owned(), |count| count.to_string());
    let DeliverySnapshot { constants, .. } = &snapshot;
    let business_date = fields.register("date", BusinessDate::to_string, &mut conflicts)?.unwrap_or(constants.date);
    let moved =
        fields.effective("load", |it: &Register<Option<LoadId>>| it.stamp, |it| load(&it.value), &mut conflicts)?;
    let load_moved_at = moved.as_ref().map(|it| it.stamp.at);
    let load_id = moved.map_or(constants.load_id, |it| it.value);
    let (mut bags, mut lots) = weighed(fields, &snapshot, load_id, &mut voids_of)?;
    let part_moves = parts::moves(fields)?;
    parts::assign(&snapshot, &part_moves, &mut bags, &mut lots, &mut conflicts)?;
    let moved_at = part_moves.iter().map(|it| it.stamp.at).chain(load_moved_at).max();
    let declared_bags = fields.register("count", count, &mut conflicts)?.unwrap_or(snapshot.declared_bags);
    let bag_counts = fields
        .register("bags", |it: &Vec<BagCount>| counted(it), &mut conflicts)?
        .unwrap_or_else(|| snapshot.bag_counts.clone());
    check_bag_counts(&bag_counts)?;
    let DeliverySnapshot { constants, .. } = snapshot;
    Ok(Some(Delivery {
        delivery_id,
        recorded,
        earlier_users: snapshot.earlier_users,
        centre: constants.centre,
        season: constants.season,
        commodity: constants.commodity,
        rule_set: constants.rule_set,
        farmer_id: snapshot.farmer_id,
        receipt_sequence: snapshot.receipt_sequence,
        business_date,
        load_id,
        moved_at,
        moves: part_moves,
        declared_bags,
        readings,
        location: snapshot.location,
        replaces: snapshot.replaces,
        is_second_heap: snapshot.is_second_heap,
        overload_reason: snapshot.overload_reason,
        paper_entry: snapshot.paper_entry,
        bags,
        lots,
        bag_counts,
        first_bag_counts: snapshot.bag_counts,
        prints,
        amendments,
        voids,
        conflicts,
    }))
}

/// Returns the order in which values of several authors are shown.
fn order(stamp: &Stamp) -> (crate::units::HybridTime, crate::units::UserId) {
    (stamp.at, stamp.user_id)
}

fn counted(counts: &[BagCount]) -> String {
    let text = |it: &BagCount| {
        let grade = it.grade.as_ref().map_or_else(String::new, |grade| format!(" {grade}"));
        format!("{} of type {}{grade}", it.count, it.bag_type.number())
    };
    if counts.is_empty() { "no bags".to_owned() } else { counts.iter().map(text).collect::<Vec<_>>().join(", ") }
}

/// Voids of bags, lots and readings, by the key of what they void.
struct Voids(BTreeMap<String, Vec<Act>>);

impl Voids {
    fn of(fields: &Fields) -> Result<Self, Error> {
        let mut voids = BTreeMap::<String, Vec<Act>>::new();
        for (key, VoidedValue { stamp, reason }) in fields.added::<VoidedValue>(VOIDS)? {
            let about = key.rsplitn(3, '-').nth(2).unwrap_or_default();
            voids.entry(about.to_owned()).or_default().push(Act { stamp, reason });
        }
        Ok(Self(voids))
    }

    /// Returns the voids of `key`, once: a hostile document may have a key often.
    fn take(&mut self, key: &str) -> Vec<Act> {
        self.0.remove(key).unwrap_or_default()
    }
}

/// Returns the bags and lots of a delivery with their voids, by number and key, all on the load of the delivery.
fn weighed(
    fields: &Fields,
    snapshot: &DeliverySnapshot,
    load_id: Option<LoadId>,
    voids: &mut Voids,
) -> Result<(Vec<DeliveryBag>, Vec<DeliveryLot>), Error> {
    let mut parts = vec![("v1".to_owned(), snapshot.bags()?, snapshot.lots.clone())];
    for (key, more) in fields.added::<MoreWeighed>(WEIGHED)? {
        let actor = key.split('-').next().unwrap_or_default();
        parts.push((actor.to_owned(), more.bags()?, more.lots));
    }
    let (mut bags, mut lots) = (Vec::new(), Vec::new());
    for (prefix, more_bags, more_lots) in parts {
        let key = |number: u32| format!("{prefix}-{number}");
        bags.extend(more_bags.into_iter().map(|bag| {
            let key = key(bag.number);
            DeliveryBag { voids: voids.take(&key), key, bag, load_id }
        }));
        for lot in more_lots {
            lot.check()?;
            let key = key(lot.number);
            lots.push(DeliveryLot { voids: voids.take(&key), key, lot, load_id });
        }
    }
    if bags.len() + lots.len() > MAX_MERGED_BAGS {
        return Err(Error::Malformed { reason: format!("a delivery has at most {MAX_MERGED_BAGS} bags and lots") });
    }
    bags.sort_by(|a, b| (a.bag.number, &a.key).cmp(&(b.bag.number, &b.key)));
    lots.sort_by(|a, b| (a.lot.number, &a.key).cmp(&(b.lot.number, &b.key)));
    Ok((bags, lots))
}

/// Returns the readings: those that were recorded with the delivery in their order, then later ones by time.
fn readings(fields: &Fields, snapshot: &DeliverySnapshot, voids: &mut Voids) -> Result<Vec<DeliveryReading>, Error> {
    let recorded = snapshot.stamp();
    let mut readings = Vec::new();
    for (number, reading) in (1..).zip(&snapshot.readings) {
        reading.measured()?;
        let key = format!("v1-m{number}");
        readings.push(DeliveryReading { voids: voids.take(&key), key, reading: reading.clone(), stamp: recorded });
    }
    let mut later = Vec::new();
    for (key, AddedReading { stamp, reading }) in fields.added(READINGS)? {
        reading.measured()?;
        let key = format!("{READINGS}{key}");
        later.push(DeliveryReading { voids: voids.take(&key), key, reading, stamp });
    }
    later.sort_by(|a, b| (order(&a.stamp), &a.key).cmp(&(order(&b.stamp), &b.key)));
    readings.extend(later);
    Ok(readings)
}

/// Returns the amendments and voids of the delivery, oldest first; adds the conflict between them, if there is one.
fn acts(fields: &Fields, conflicts: &mut Vec<Conflict>) -> Result<(Vec<Act>, Vec<Act>), Error> {
    let mut events: Vec<Event> = fields.added(EVENTS)?.into_iter().map(|(_, event)| event).collect();
    events.sort_by_key(|event| order(&event.stamp));
    let of = |step| {
        let events = events.iter().filter(move |event| event.step == step);
        events.map(|event| Act { stamp: event.stamp, reason: event.reason.clone() }).collect::<Vec<_>>()
    };
    let (amendments, voids) = (of(Step::Amended), of(Step::Voided));
    let voids_saw = events.iter().filter(|event| event.step == Step::Voided).map(|event| event.amendments_seen).max();
    if voids_saw.is_some_and(|seen| (seen as usize) < amendments.len()) {
        conflicts.push(amended_and_voided(&amendments, &voids));
    }
    Ok((amendments, voids))
}

/// Returns the soft conflict between a void and concurrent amendments: the void wins, and the authors of the amendments see it.
fn amended_and_voided(amendments: &[Act], voids: &[Act]) -> Conflict {
    let value = |act: &Act, what: &str, is_effective| ConflictValue {
        text: format!("{what}: {}", act.reason.code),
        stamp: act.stamp,
        is_effective,
        change: None,
    };
    let voids = voids.iter().map(|act| value(act, "voided", true));
    let amendments = amendments.iter().map(|act| value(act, "amended", false));
    Conflict { field: "lifecycle".to_owned(), is_hard: false, values: voids.chain(amendments).collect() }
}
