//! Parts of a delivery: the load that each of its bags and lots is on.
//!
//! Invariants: parts add up to the delivery; a bag that nobody moved is on the load of the delivery, at no cost in the document.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};

use super::super::{Conflict, ConflictValue, Error, Fields, Put, Stamp, encode};
use super::snapshot::DeliverySnapshot;
use super::values::Reason;
use super::{Delivery, DeliveryBag, DeliveryLot};
use crate::limits::MAX_MERGED_MOVED;
use crate::units::{Grams, LoadId};

/// Family of keys for moves.
const MOVED: char = 't';

/// Bags and lots of a draft that travel on another load than the draft's, by their numbers.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct PutApart {
    /// Load that they are on; `None` for none.
    #[n(0)]
    pub load_id: Option<LoadId>,
    /// Numbers of the bags and lots, each once.
    #[n(1)]
    pub numbers: Vec<u32>,
}

/// Bags and lots whose keys begin alike and whose numbers follow each other.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct KeyRun {
    /// Beginning of the keys: `v1`, or the actor.
    #[n(0)]
    prefix: String,
    #[n(1)]
    first: u32,
    #[n(2)]
    count: u32,
}

/// Value of a key of the family [`MOVED`].
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
struct Moved {
    #[n(0)]
    stamp: Stamp,
    #[n(1)]
    load_id: Option<LoadId>,
    #[n(2)]
    runs: Vec<KeyRun>,
    /// Keys, after the family's letter, of the moves that counted for these bags and lots when this was written.
    #[n(3)]
    replaces: Vec<String>,
    #[n(4)]
    overload_reason: Option<Reason>,
}

/// Move of some bags and lots to a load, apart from the rest of their delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// Author, device and time.
    pub stamp: Stamp,
    /// Load that they were put on; `None` if they were taken off their load.
    pub load_id: Option<LoadId>,
    /// Why they were put on a load above its limit, if they were.
    pub overload_reason: Option<Reason>,
    /// Key in the document, after the family's letter.
    key: String,
    runs: Vec<KeyRun>,
    replaces: Vec<String>,
}

/// What of a delivery is on one load, or on none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadPart {
    /// The load; `None` for what is on none.
    pub load_id: Option<LoadId>,
    /// Number of its bags: those that were weighed, and a share of those that were counted in lots, by the weights of the lots.
    pub bags: u32,
    /// Weight of produce and bags.
    pub gross_g: Grams,
}

/// A bag or lot on its load.
pub(crate) struct Loaded {
    pub(crate) load_id: Option<LoadId>,
    pub(crate) gross: Grams,
    pub(crate) is_lot: bool,
}

#[derive(Default)]
struct Tally {
    bags: u64,
    gross: Grams,
    lots: Grams,
}

/// Returns the parts that bags and lots make, ordered by load, what is on none first. Without any, there is one part on the `own` load.
/// `counted` is the number of bags that were counted in the lots, which only all lots together have.
pub(crate) fn parts(own: Option<LoadId>, counted: u32, items: impl Iterator<Item = Loaded>) -> Vec<LoadPart> {
    let mut tallies = BTreeMap::<Option<LoadId>, Tally>::new();
    for item in items {
        let tally = tallies.entry(item.load_id).or_default();
        tally.gross = tally.gross + item.gross;
        if item.is_lot {
            tally.lots = tally.lots + item.gross;
        } else {
            tally.bags += 1;
        }
    }
    let lots: Grams = tallies.values().map(|it| it.lots).sum();
    if tallies.is_empty() || (lots <= Grams::ZERO && counted > 0) {
        tallies.entry(own).or_default().bags += u64::from(counted);
    } else if lots > Grams::ZERO {
        let (mut weighed, mut given) = (Grams::ZERO, 0);
        for tally in tallies.values_mut() {
            weighed = weighed + tally.lots;
            let until_here = i128::from(counted) * i128::from(weighed.0) / i128::from(lots.0);
            let until_here = u64::try_from(until_here).unwrap_or_default();
            tally.bags += until_here.saturating_sub(given);
            given = until_here;
        }
    }
    let part = |(load_id, tally): (Option<LoadId>, Tally)| LoadPart {
        load_id,
        bags: u32::try_from(tally.bags).unwrap_or(u32::MAX),
        gross_g: tally.gross,
    };
    tallies.into_iter().map(part).collect()
}

impl Delivery {
    /// Returns what is on each load of the bags and lots that are not voided, even if the delivery itself is voided: at least one part.
    pub fn parts(&self) -> Vec<LoadPart> {
        let bags = self.bags.iter().filter(|it| it.voids.is_empty());
        let bags = bags.map(|it| Loaded { load_id: it.load_id, gross: it.bag.gross.grams(), is_lot: false });
        let lots = self.lots.iter().filter(|it| it.voids.is_empty());
        let lots = lots.map(|it| Loaded { load_id: it.load_id, gross: it.lot.without_vehicle(), is_lot: true });
        let counted = self.bag_counts.iter().fold(0_u32, |sum, it| sum.saturating_add(it.count));
        parts(self.load_id, counted, bags.chain(lots))
    }

    /// Returns the load that all of it is on; `None` if it is on none, or divided.
    pub(super) fn only_load(&self) -> Option<LoadId> {
        match self.parts().as_slice() {
            [part] => part.load_id,
            _ => None,
        }
    }
}

/// Returns the put that moves bags and lots, which must all be of the delivery.
pub(super) fn move_items(
    delivery: &Delivery,
    stamp: Stamp,
    load_id: Option<LoadId>,
    keys: &[String],
    overload_reason: Option<Reason>,
) -> Put {
    let mut ids: Vec<(&str, u32)> = keys.iter().filter_map(|key| split(key)).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut replaces = BTreeSet::new();
    for (prefix, number) in &ids {
        let about: Vec<&Move> = delivery.moves.iter().filter(|it| it.covers(prefix, *number)).collect();
        replaces.extend(current(&about).into_iter().map(|it| it.key.clone()));
    }
    let mut runs = Vec::<KeyRun>::new();
    for (prefix, number) in ids {
        match runs.last_mut() {
            Some(run) if run.prefix == prefix && run.first.saturating_add(run.count) == number => run.count += 1,
            _ => runs.push(KeyRun { prefix: prefix.to_owned(), first: number, count: 1 }),
        }
    }
    let replaces = replaces.into_iter().collect();
    Put::Add(MOVED, String::new(), encode(&Moved { stamp, load_id, runs, replaces, overload_reason }))
}

impl Move {
    fn covers(&self, prefix: &str, number: u32) -> bool {
        let is_within = |run: &KeyRun| number.checked_sub(run.first).is_some_and(|place| place < run.count);
        self.runs.iter().any(|run| run.prefix == prefix && is_within(run))
    }

    /// Returns the rank among concurrent moves, as [`Stamp::rank`] has it for registers.
    fn rank(&self) -> (bool, crate::units::HybridTime, &str) {
        (!self.stamp.clock_suspect, self.stamp.at, &self.key)
    }
}

/// Divides the key of a bag or lot into its beginning and the number.
fn split(key: &str) -> Option<(&str, u32)> {
    let (prefix, number) = key.rsplit_once('-')?;
    Some((prefix, number.parse().ok()?))
}

/// Returns those of the moves of one bag that no other of them replaces, the effective one first.
fn current<'m>(about: &[&'m Move]) -> Vec<&'m Move> {
    let replaced: BTreeSet<&str> = about.iter().flat_map(|it| &it.replaces).map(String::as_str).collect();
    let mut current: Vec<&Move> = about.iter().copied().filter(|it| !replaced.contains(it.key.as_str())).collect();
    if current.is_empty() {
        // Only a hostile document has moves that replace each other in a circle.
        current.extend(about);
    }
    current.sort_by(|a, b| b.rank().cmp(&a.rank()));
    current
}

/// Returns the moves of a document, oldest first.
pub(super) fn moves(fields: &Fields) -> Result<Vec<Move>, Error> {
    let mut moves = Vec::new();
    for (key, Moved { stamp, load_id, runs, replaces, overload_reason }) in fields.added(MOVED)? {
        moves.push(Move { stamp, load_id, overload_reason, key, runs, replaces });
    }
    moves.sort_by(|a, b| (a.stamp.at, &a.key).cmp(&(b.stamp.at, &b.key)));
    Ok(moves)
}

/// Puts the bags and lots that were moved on their loads, and adds the conflicts between concurrent moves.
pub(super) fn assign(
    snapshot: &DeliverySnapshot,
    moves: &[Move],
    bags: &mut [DeliveryBag],
    lots: &mut [DeliveryLot],
    conflicts: &mut Vec<Conflict>,
) -> Result<(), Error> {
    let mut apart = BTreeMap::<String, Option<LoadId>>::new();
    for PutApart { load_id, numbers } in &snapshot.apart {
        apart.extend(numbers.iter().map(|number| (format!("v1-{number}"), *load_id)));
    }
    if !moves.is_empty() {
        let keys = bags.iter().map(|it| it.key.as_str()).chain(lots.iter().map(|it| it.key.as_str()));
        for (about, keys) in groups(moves, keys)? {
            let current = current(&about.iter().filter_map(|index| moves.get(*index)).collect::<Vec<_>>());
            let Some(effective) = current.first() else { continue };
            if current.iter().any(|it| it.load_id != effective.load_id) {
                conflicts.push(moved_twice(&current, &keys));
            }
            apart.extend(keys.into_iter().map(|(prefix, number)| (format!("{prefix}-{number}"), effective.load_id)));
        }
    }
    if apart.is_empty() {
        return Ok(());
    }
    for bag in bags {
        bag.load_id = apart.get(&bag.key).copied().unwrap_or(bag.load_id);
    }
    for lot in lots {
        lot.load_id = apart.get(&lot.key).copied().unwrap_or(lot.load_id);
    }
    Ok(())
}

/// Keys of bags and lots, divided, by the indexes of all moves that name them.
type Groups = BTreeMap<Vec<usize>, Vec<(String, u32)>>;

fn groups<'k>(moves: &[Move], keys: impl Iterator<Item = &'k str>) -> Result<Groups, Error> {
    let mut about: BTreeMap<(String, u32), Vec<usize>> =
        keys.filter_map(split).map(|(prefix, number)| ((prefix.to_owned(), number), Vec::new())).collect();
    let mut named = 0;
    for (index, moved) in moves.iter().enumerate() {
        for KeyRun { prefix, first, count } in &moved.runs {
            let end = first.saturating_add(*count);
            if *first >= end {
                continue;
            }
            for (_, indexes) in about.range_mut((prefix.clone(), *first)..(prefix.clone(), end)) {
                named += 1;
                if indexes.last() != Some(&index) {
                    indexes.push(index);
                }
            }
            if named > MAX_MERGED_MOVED {
                return Err(Error::Malformed {
                    reason: format!("moves name at most {MAX_MERGED_MOVED} bags and lots"),
                });
            }
        }
    }
    let mut groups = Groups::new();
    for (key, indexes) in about.into_iter().filter(|(_, indexes)| !indexes.is_empty()) {
        groups.entry(indexes).or_default().push(key);
    }
    Ok(groups)
}

/// Returns the conflict of bags and lots that were moved to different loads at the same time. It ends when somebody moves them again.
fn moved_twice(current: &[&Move], keys: &[(String, u32)]) -> Conflict {
    let numbers: Vec<String> = keys.iter().map(|(_, number)| number.to_string()).collect();
    let numbers = numbers.join(", ");
    let value = |(index, moved): (usize, &&Move)| {
        let load = moved.load_id.map_or_else(|| "no load".to_owned(), |load| load.to_string());
        ConflictValue {
            text: format!("{numbers} on {load}"),
            stamp: moved.stamp,
            is_effective: index == 0,
            change: None,
        }
    };
    Conflict { field: "parts".to_owned(), is_hard: true, values: current.iter().enumerate().map(value).collect() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_add_up_whatever_is_on_which_load(
            items in prop::collection::vec((0..4_u8, 1..5_000_000_i64, any::<bool>()), 0..60),
            own in 0..4_u8,
            counted in 0..100_000_u32,
        ) {
            let load = |number: u8| (number > 0).then(|| LoadId::from([number; 16]));
            let loaded = items.iter().map(|(on, gross, is_lot)| Loaded {
                load_id: load(*on),
                gross: Grams(*gross),
                is_lot: *is_lot,
            });
            let parts = parts(load(own), counted, loaded);
            let weighed = items.iter().filter(|(_, _, is_lot)| !is_lot).count() as u64;
            prop_assert_eq!(parts.iter().map(|it| u64::from(it.bags)).sum::<u64>(), weighed + u64::from(counted));
            prop_assert_eq!(parts.iter().map(|it| it.gross_g.0).sum::<i64>(), items.iter().map(|it| it.1).sum::<i64>());
            prop_assert!(!parts.is_empty() && parts.is_sorted_by_key(|it| it.load_id));
            for part in &parts {
                let there = items.iter().filter(|(on, ..)| load(*on) == part.load_id).map(|it| it.1).sum::<i64>();
                prop_assert_eq!(part.gross_g.0, there);
            }
        }
    }
}
