//! Warnings about a draft: its instruments and patterns of its weights.

use std::collections::{BTreeMap, BTreeSet};

use super::{Author, is_within};
use crate::Error;
use crate::decisions::{Instrument, RuleSet, WeighingRules};
use crate::limits::MAX_CHECKS_READ;
use crate::records::draft::Draft;
use crate::records::simple::SimpleState;
use crate::records::{Bag, InstrumentCheck, Kind, Simple};
use crate::rules::{Instruments, LastCheck, Warning, pattern_warnings};
use crate::store::rows::ListOrder;
use crate::store::simple::{SimpleFilter, list};
use crate::store::{records as stored, seam};
use crate::units::{BusinessDate, CentreCode, InstrumentCode, Timestamp};

/// Returns the warnings about the instruments of a draft, by their checks up to a time if there is one, and the patterns of its weights.
/// Readings are of the day `read_on`.
pub(super) fn warnings_of(
    db: &rusqlite::Connection,
    author: &Author,
    draft: &Draft,
    rules: Option<&RuleSet>,
    read_on: BusinessDate,
    until: Option<Timestamp>,
) -> Result<Vec<Warning>, Error> {
    let of_bags = draft.bags.iter().filter_map(|it| it.scale.as_ref());
    let named = of_bags.chain(draft.lots.iter().filter_map(|it| it.scale.as_ref()));
    let named = named.chain(draft.readings.iter().filter_map(|it| it.meter.as_ref())).collect();
    let weighing = rules.map_or_else(WeighingRules::default, |rules| rules.weighing);
    let instruments = instruments_used(db, author, &draft.centre, &named, weighing, until)?;
    let mut warnings = instruments.warnings(draft, read_on);
    let interval = |bag: &Bag| instruments.interval(bag.scale.as_ref(), bag.gross.grams().0);
    warnings.extend(pattern_warnings(&draft.bags, &weighing, interval));
    Ok(warnings)
}

/// Returns those of the named instruments that the office knows, with the last check of each at a centre that this phone knows; of checks up
/// to a time, if there is one.
pub(super) fn instruments_used<'a>(
    db: &rusqlite::Connection,
    author: &'a Author,
    centre: &CentreCode,
    named: &BTreeSet<&InstrumentCode>,
    weighing: WeighingRules,
    until: Option<Timestamp>,
) -> Result<Instruments<'a>, Error> {
    let reference = &author.reference;
    let known = named.iter().filter_map(|code| Some(((*code).clone(), reference.latest::<Instrument>(code.as_str())?)));
    let known: BTreeMap<InstrumentCode, &Instrument> = known.collect();
    let checks = if known.is_empty() { BTreeMap::new() } else { last_checks(db, author, centre, &known, until)? };
    Ok(Instruments {
        used: known.into_iter().map(|(code, it)| (code.clone(), (it, checks.get(&code).copied()))).collect(),
        check_days: weighing.check_days,
        zone_minutes: reference.organisation().map_or(0, |organisation| organisation.zone_minutes),
    })
}

/// Returns the last check of each of these instruments among the newest [`MAX_CHECKS_READ`] of the centre.
fn last_checks(
    db: &rusqlite::Connection,
    author: &Author,
    centre: &CentreCode,
    known: &BTreeMap<InstrumentCode, &Instrument>,
    until: Option<Timestamp>,
) -> Result<BTreeMap<InstrumentCode, LastCheck>, Error> {
    let mut scopes = author.season_scopes();
    scopes.retain(|scope| scope.centre() == Some(centre) && is_within(&author.grant, scope));
    let filter = SimpleFilter { state: Some(SimpleState::Open), ..SimpleFilter::default() };
    let kind = Kind::of::<Simple<InstrumentCheck>>();
    let ids = list(&mut seam(db), kind, &scopes, &filter, ListOrder::NewestFirst, None, MAX_CHECKS_READ)?;
    let mut last = BTreeMap::new();
    for id in ids {
        if last.len() == known.len() {
            break;
        }
        let Some(found) = stored::get::<Simple<InstrumentCheck>>(&mut seam(db), id)? else { continue };
        let Simple { made, content, .. } = found.record;
        let is_meant = known.contains_key(&content.instrument) && until.is_none_or(|until| made.written_at() <= until);
        if is_meant && !last.contains_key(&content.instrument) {
            let check = LastCheck { date: content.date, has_passed: content.has_passed };
            last.insert(content.instrument, check);
        }
    }
    Ok(last)
}
