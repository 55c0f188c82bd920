//! Corrections of a recorded delivery: amending, voiding, recording it again for another farmer.

use std::collections::BTreeMap;

use super::view::{Surroundings, load_state};
use super::{OVERLOADED, delivery_of, require_visible};
use crate::Error;
use crate::client::action::Action;
use crate::client::load::check_load;
use crate::client::{Author, Basis, DeliveryView, FieldClient, require_current, require_farmer, require_record};
use crate::decisions::RuleSet;
use crate::limits::{MAX_BAG_COUNT, MAX_BAGS, MAX_LOTS, MAX_MOVES, MAX_READINGS};
use crate::records::delivery::{self, Amendment, DeliveryLot, Reason};
use crate::records::draft::Draft;
use crate::records::{
    Bag, BagCount, BagSource, Delivery, Kind, Load, Lot, Measured, Put, Reading, Stamp, check_bag_counts,
};
use crate::rules::{ActionCode, Check, DeliveryAtHand, check_text};
use crate::scope::Scope;
use crate::store::decisions::Reference;
use crate::store::records::{Found, Stored};
use crate::units::{
    BagType, BagWeight, BusinessDate, DeliveryId, FactorCode, FarmerId, GradeCode, Grams, InstrumentCode, LoadId,
    LotWeight, Percent, PhotoHash,
};

/// A correction of a recorded delivery. The farmer is corrected with [`FieldClient::correct_farmer`].
#[derive(Clone, Debug)]
pub enum DeliveryEdit {
    /// Adds a forgotten bag.
    AddBag {
        /// Weight with the bag; 1 g to 1,000 kg.
        gross: BagWeight,
        /// Bag type, which decides the tare.
        bag_type: BagType,
        /// How the weight was entered; `None` means typed.
        source: Option<BagSource>,
        /// Grade of the produce in it, if any.
        grade: Option<GradeCode>,
        /// Scale, if known.
        scale: Option<InstrumentCode>,
    },
    /// Adds a forgotten lot or vehicle.
    AddLot {
        /// Weight with the bags, and with the vehicle if there is one; 1 g to 100,000 kg.
        gross: LotWeight,
        /// Weight of the empty vehicle; `None` if the lot was not weighed on one.
        vehicle: Option<LotWeight>,
        /// How the weight was entered; `None` means typed.
        source: Option<BagSource>,
        /// Grade of the produce, if any.
        grade: Option<GradeCode>,
        /// Scale or weighbridge, if known.
        scale: Option<InstrumentCode>,
    },
    /// Voids a bag, which stays visible.
    VoidBag {
        /// `bag_id` of the bag in the view.
        bag_id: String,
        /// Reason of this void, besides that of the amendment.
        reason: Reason,
    },
    /// Voids a lot or vehicle, which stays visible.
    VoidLot {
        /// `lot_id` of the lot in the view.
        lot_id: String,
        /// Reason of this void, besides that of the amendment.
        reason: Reason,
    },
    /// Voids a reading, which stays visible.
    VoidReading {
        /// `reading_id` of the reading in the view.
        reading_id: String,
        /// Reason of this void, besides that of the amendment.
        reason: Reason,
    },
    /// Sets the number of bags in the lots and vehicles, for each type and grade.
    SetBagCounts(Vec<BagCount>),
    /// Sets the load of all that was not put apart; `None` takes it off its load.
    SetLoad(Option<LoadId>),
    /// Puts bags and lots on a load of their own, which must take deliveries; `None` for no load. The rest stays. Of concurrent moves of one
    /// bag the later counts, until somebody moves it again.
    SetLoadOfBags {
        /// A load that is planned or open, as far as this phone knows; `None` for none.
        load_id: Option<LoadId>,
        /// `bag_id` of the bags and `lot_id` of the lots in the view that are not voided.
        ids: Vec<String>,
        /// Why they are put on a load above its limit; `None` unless they are.
        overload_reason: Option<Reason>,
    },
    /// Sets the day for which it counts, within the same season.
    SetBusinessDate(BusinessDate),
    /// Sets the declared number of bags; `None` removes it.
    SetDeclaredBags(Option<u32>),
}

/// Input for a reading. Without a grade it counts for each grade that has no reading of its own.
#[derive(Clone, Debug)]
pub enum ReadingInput {
    /// A reading of moisture.
    Moisture {
        /// The moisture.
        moisture: Percent,
        /// Grade whose produce was read, if not of all.
        grade: Option<GradeCode>,
        /// Meter that showed it, if known.
        meter: Option<InstrumentCode>,
        /// Photo of it, if there is one.
        photo: Option<PhotoHash>,
    },
    /// A reading of a quality factor.
    Factor {
        /// Code of the factor in the rule set.
        factor: FactorCode,
        /// Value in the factor's unit.
        value: u32,
        /// Grade whose produce was read, if not of all.
        grade: Option<GradeCode>,
        /// Meter that showed it, if known.
        meter: Option<InstrumentCode>,
        /// Photo of it, if there is one.
        photo: Option<PhotoHash>,
    },
}

impl From<&ReadingInput> for Reading {
    fn from(input: &ReadingInput) -> Self {
        let (measured, grade, meter, photo) = match input.clone() {
            ReadingInput::Moisture { moisture, grade, meter, photo } => {
                (Measured::Moisture(moisture), grade, meter, photo)
            }
            ReadingInput::Factor { factor, value, grade, meter, photo } => {
                (Measured::Factor { factor, value }, grade, meter, photo)
            }
        };
        Self { grade, meter, photo, ..Self::new(measured) }
    }
}

impl FieldClient {
    /// Corrects a recorded delivery, with a reason: all `edits`, or none if one is refused. Raises no checks.
    ///
    /// # Errors
    /// [`Error::Refused`] if it is voided, the role may not change it, not so late or not after its load left, or there was no contact for
    /// more than 14 days; [`Error::Stale`], [`Error::NotFound`], [`Error::Invalid`], [`Error::TooLarge`] for too many bags or lots.
    pub fn amend_delivery(&self, basis: Basis, reason: &Reason, edits: &[DeliveryEdit]) -> Result<DeliveryView, Error> {
        if edits.is_empty() {
            return Err(Error::invalid("edits", "nothing to amend"));
        }
        let reason = checked(reason)?;
        self.change_delivery(basis, ActionCode::Amend, |action, stored, delivery| {
            let mut amending = Amending {
                db: action.db,
                reference: &action.author.reference,
                scope: &stored.scope,
                delivery,
                stamp: action.stamp,
                bags: Vec::new(),
                lots: Vec::new(),
                amendments: Vec::new(),
                added: BTreeMap::new(),
            };
            for edit in edits {
                amending.apply(edit)?;
            }
            Ok(delivery::amend(delivery, action.stamp, reason, amending.finish()?))
        })
    }

    /// Voids a recorded delivery permanently, with a reason. It stays visible and counts in no total.
    ///
    /// # Errors
    /// As [`FieldClient::amend_delivery`].
    pub fn void_delivery(&self, basis: Basis, reason: &Reason) -> Result<DeliveryView, Error> {
        let reason = checked(reason)?;
        self.change_delivery(basis, ActionCode::Void, |action, _, delivery| {
            Ok(delivery::void(delivery, action.stamp, reason))
        })
    }

    /// Records a delivery again for another farmer, with what counts of the first one, and voids that one: both or neither.
    /// Returns the new delivery, which replaces the other, under a new receipt number.
    ///
    /// # Errors
    /// As [`FieldClient::amend_delivery`] and [`FieldClient::record_delivery`].
    pub fn correct_farmer(
        &self,
        basis: Basis,
        farmer_id: FarmerId,
        reason: &Reason,
        accept: &[Check],
    ) -> Result<DeliveryView, Error> {
        let reason = checked(reason)?;
        let new_id: DeliveryId = self.new_id();
        self.change(basis, ActionCode::CorrectFarmer, |action, stored, delivery| {
            if delivery.farmer_id == farmer_id {
                return Err(Error::invalid("farmer_id", "the delivery is this farmer's already"));
            }
            require_farmer(action.db, action.author, farmer_id)?;
            let puts = delivery::void(delivery, action.stamp, reason);
            action.edit(Kind::of::<Delivery>(), delivery.delivery_id.into(), &stored.scope, Some(stored), puts)?;
            let draft = Draft { farmer_id: Some(farmer_id), ..Draft::again(delivery, action.stamp.user_id) };
            self.record(action, new_id, draft, accept)
        })
    }

    /// Writes `puts` for an action, and returns the delivery's new view.
    pub(super) fn change_delivery(
        &self,
        basis: Basis,
        code: ActionCode,
        puts: impl FnOnce(&Action<'_>, &Stored, &Delivery) -> Result<Vec<Put>, Error>,
    ) -> Result<DeliveryView, Error> {
        self.change(basis, code, |action, stored, delivery| {
            let puts = puts(action, stored, delivery)?;
            let document = delivery.delivery_id.into();
            let merged = action.edit(Kind::of::<Delivery>(), document, &stored.scope, Some(stored), puts)?;
            let version = merged.version();
            self.stored_view(action.db, action.author, version, delivery_of(merged)?)
        })
    }

    /// Runs `f` on a delivery that the current user sees, if it is the one that was shown and they may do this to it.
    fn change<T>(
        &self,
        basis: Basis,
        code: ActionCode,
        f: impl FnOnce(&mut Action<'_>, &Stored, &Delivery) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let author = self.author()?;
        author.require_contact()?;
        let id = DeliveryId::from(basis.document_id);
        self.act(&author, |action| {
            let found = require_visible::<Delivery>(action.db, &author, id, "delivery")?;
            require_current(basis, id, found.version())?;
            let Found { stored, record } = found;
            require_action(action, &record, code)?;
            f(action, &stored, &record)
        })
    }
}

/// Requires that the state of the delivery and the role permit an action. The server holds by role, and reviews by state.
pub(in crate::client) fn require_action(
    action: &Action<'_>,
    delivery: &Delivery,
    code: ActionCode,
) -> Result<(), Error> {
    let Author { grant, .. } = action.author;
    let Surroundings { replaced_by, .. } = Surroundings::read(action.db, action.author, delivery)?;
    let at_hand = DeliveryAtHand {
        delivery,
        load: load_state(action.db, delivery)?,
        is_replaced: !replaced_by.is_empty(),
        target: delivery.recorded.target_of(&action.stamp),
        windows: action.author.reference.windows_of(delivery.rule_set).of_changes(),
    };
    at_hand.check(code, grant.role).map_err(|refused| Error::not_allowed(refused.to_string()))
}

/// An amendment while its edits are checked.
struct Amending<'a> {
    db: &'a rusqlite::Connection,
    reference: &'a Reference,
    scope: &'a Scope,
    delivery: &'a Delivery,
    stamp: Stamp,
    bags: Vec<Bag>,
    lots: Vec<Lot>,
    amendments: Vec<Amendment>,
    /// Weight that the edits put apart add to each load.
    added: BTreeMap<LoadId, Grams>,
}

impl Amending<'_> {
    fn apply(&mut self, edit: &DeliveryEdit) -> Result<(), Error> {
        match edit {
            DeliveryEdit::AddBag { gross, bag_type, source, grade, scale } => {
                let (number, weighed_at) = (self.next_number(), self.stamp.written_at());
                let (grade, scale) = (self.graded(grade.as_ref())?, scale.clone());
                let (gross, bag_type, source) = (*gross, *bag_type, source.unwrap_or_default());
                let user_id = self.stamp.user_id;
                self.bags.push(Bag { number, gross, bag_type, source, weighed_at, user_id, grade, scale });
            }
            DeliveryEdit::AddLot { gross, vehicle, source, grade, scale } => {
                let (number, weighed_at) = (self.next_number(), self.stamp.written_at());
                let (grade, scale) = (self.graded(grade.as_ref())?, scale.clone());
                let (gross, vehicle, source) = (*gross, *vehicle, source.unwrap_or_default());
                let user_id = self.stamp.user_id;
                let lot = Lot { number, gross, vehicle, grade, source, scale, user_id, weighed_at };
                lot.check().map_err(|wrong| Error::invalid("vehicle", wrong))?;
                self.lots.push(lot);
            }
            DeliveryEdit::VoidBag { bag_id, reason } => {
                let mut bags = self.delivery.bags.iter();
                let is_counted = bags.any(|bag| bag.key == *bag_id && bag.voids.is_empty());
                self.void("bag_id", bag_id, is_counted, reason)?;
            }
            DeliveryEdit::VoidLot { lot_id, reason } => {
                let mut lots = self.delivery.lots.iter();
                let is_counted = lots.any(|lot| lot.key == *lot_id && lot.voids.is_empty());
                self.void("lot_id", lot_id, is_counted, reason)?;
            }
            DeliveryEdit::VoidReading { reading_id, reason } => {
                let mut readings = self.delivery.readings.iter();
                let is_counted = readings.any(|it| it.key == *reading_id && it.voids.is_empty());
                self.void("reading_id", reading_id, is_counted, reason)?;
            }
            DeliveryEdit::SetBagCounts(counts) => {
                check_bag_counts(counts).map_err(|wrong| Error::invalid("bag_counts", wrong))?;
                for count in counts {
                    self.graded(count.grade.as_ref())?;
                }
                self.amendments.push(Amendment::SetBagCounts(counts.clone()));
            }
            DeliveryEdit::SetLoad(load) => {
                if let Some(load) = load {
                    require_record(self.db, Kind::of::<Load>(), (*load).into(), "load_id", self.scope)?;
                }
                self.amendments.push(Amendment::SetLoad(*load));
            }
            DeliveryEdit::SetLoadOfBags { load_id, ids, overload_reason } => {
                self.put_apart(*load_id, ids, overload_reason.as_ref())?;
            }
            DeliveryEdit::SetBusinessDate(date) => {
                let season = self.reference.season(&self.delivery.season);
                if season.is_some_and(|season| !season.covers(*date)) {
                    return Err(Error::invalid("business_date", "is outside of the delivery's season"));
                }
                self.amendments.push(Amendment::SetDate(*date));
            }
            DeliveryEdit::SetDeclaredBags(count) => {
                self.amendments.push(Amendment::SetDeclaredBags(checked_declared(*count)?));
            }
        }
        Ok(())
    }

    fn put_apart(
        &mut self,
        load_id: Option<LoadId>,
        ids: &[String],
        overload_reason: Option<&Reason>,
    ) -> Result<(), Error> {
        let (keys, gross) = self.moved(load_id, ids)?;
        let moves = self.amendments.iter().filter(|it| matches!(it, Amendment::PutApart { .. })).count();
        if self.delivery.moves.len() + moves >= MAX_MOVES {
            let reason = format!("parts of a delivery are moved at most {MAX_MOVES} times");
            return Err(Error::TooLarge { field: "moves", reason });
        }
        let overload_reason = overload_reason.map(checked).transpose()?;
        if let Some(load) = load_id {
            require_record(self.db, Kind::of::<Load>(), load.into(), "load_id", self.scope)?;
            let limits =
                self.reference.rule_set(self.delivery.rule_set).map(|rules| rules.capacity).unwrap_or_default();
            let added = self.added.entry(load).or_default();
            *added = *added + gross;
            let checks = check_load(self.db, self.reference, load, *added, limits)?;
            let is_shut =
                |check: &Check| matches!(check, Check::LoadClosing | Check::LoadDeparted | Check::LoadCancelled);
            if checks.iter().any(is_shut) {
                return Err(Error::invalid("load_id", "the load takes no more: choose one that is planned or open"));
            }
            if checks.contains(&Check::OverCapacity) && overload_reason.is_none() {
                return Err(Error::invalid("overload_reason", OVERLOADED));
            }
        }
        self.amendments.push(Amendment::PutApart { load_id, keys, overload_reason });
        Ok(())
    }

    /// Returns the keys of bags and lots that count, and what they add to a load.
    fn moved(&self, load_id: Option<LoadId>, ids: &[String]) -> Result<(Vec<String>, Grams), Error> {
        let of_bags = self.delivery.bags.iter().filter(|it| it.voids.is_empty());
        let of_bags = of_bags.map(|it| (it.key.as_str(), (it.load_id, it.bag.gross.grams())));
        let of_lots = self.delivery.lots.iter().filter(|it| it.voids.is_empty());
        let of_lots = of_lots.map(|it| (it.key.as_str(), (it.load_id, it.lot.without_vehicle())));
        let mut counted: BTreeMap<&str, (Option<LoadId>, Grams)> = of_bags.chain(of_lots).collect();
        for amendment in &self.amendments {
            match amendment {
                Amendment::Void { key, .. } => _ = counted.remove(key.as_str()),
                Amendment::PutApart { keys, .. } => keys.iter().for_each(|key| _ = counted.remove(key.as_str())),
                _ => {}
            }
        }
        let mut gross = Grams::ZERO;
        for id in ids {
            let Some((from, weight)) = counted.remove(id.as_str()) else {
                let reason = "the delivery has none with this id, it is voided, or it is named twice";
                return Err(Error::invalid("ids", reason));
            };
            if from != load_id {
                gross = gross + weight;
            }
        }
        if ids.is_empty() {
            return Err(Error::invalid("ids", "name bags and lots to move"));
        }
        Ok((ids.to_vec(), gross))
    }

    fn next_number(&self) -> u32 {
        let added = u32::try_from(self.bags.len() + self.lots.len()).unwrap_or(u32::MAX);
        self.delivery.next_number().saturating_add(added)
    }

    fn graded(&self, grade: Option<&GradeCode>) -> Result<Option<GradeCode>, Error> {
        require_grade(self.reference.rule_set(self.delivery.rule_set), grade)?;
        Ok(grade.cloned())
    }

    fn void(&mut self, field: &'static str, key: &str, is_counted: bool, reason: &Reason) -> Result<(), Error> {
        let is_same = |it: &Amendment| matches!(it, Amendment::Void { key: other, .. } if other == key);
        if !is_counted || self.amendments.iter().any(is_same) {
            return Err(Error::invalid(field, "the delivery has none with this id, or it is voided already"));
        }
        self.amendments.push(Amendment::Void { key: key.to_owned(), reason: checked(reason)? });
        Ok(())
    }

    /// Requires that bags are counted again if lots come or go, because nobody else knows how many were in each.
    fn require_counts(&self) -> Result<(), Error> {
        let again = self.amendments.iter().rev().find_map(|it| match it {
            Amendment::SetBagCounts(counts) => Some(counts),
            _ => None,
        });
        let is_voided = |key: &str| {
            self.amendments.iter().any(|it| matches!(it, Amendment::Void { key: other, .. } if other == key))
        };
        let stays = |it: &&DeliveryLot| it.voids.is_empty() && !is_voided(&it.key);
        let (before, left) = (self.delivery.counted_lots().count(), self.delivery.lots.iter().filter(stays).count());
        let rules = self.reference.rule_set(self.delivery.rule_set);
        let has_counts = !self.delivery.bag_counts.is_empty() || rules.is_some_and(RuleSet::needs_bag_counts);
        if has_counts && again.is_none() && (left < before || !self.lots.is_empty()) {
            return Err(Error::invalid("bag_counts", "count the bags in the lots again: a lot was added or voided"));
        }
        require_lots_of_counts(left + self.lots.len(), again.unwrap_or(&self.delivery.bag_counts))
    }

    fn finish(mut self) -> Result<Vec<Amendment>, Error> {
        if self.delivery.bags.len() + self.bags.len() > MAX_BAGS {
            return Err(too_many("bags", MAX_BAGS));
        }
        if self.delivery.lots.len() + self.lots.len() > MAX_LOTS {
            return Err(too_many("lots", MAX_LOTS));
        }
        self.require_counts()?;
        if !self.bags.is_empty() || !self.lots.is_empty() {
            self.amendments.push(Amendment::AddWeighed { bags: self.bags, lots: self.lots });
        }
        Ok(self.amendments)
    }
}

/// Returns a declared number of bags, of at most [`MAX_BAG_COUNT`].
pub(in crate::client) fn checked_declared(count: Option<u32>) -> Result<Option<u32>, Error> {
    match count {
        Some(count) if count > MAX_BAG_COUNT => {
            Err(Error::invalid("declared_bags", format!("{count} bags: a delivery has at most {MAX_BAG_COUNT}")))
        }
        count => Ok(count),
    }
}

/// Requires that a delivery without lots has no bags counted in lots.
pub(super) fn require_lots_of_counts(lots: usize, counts: &[BagCount]) -> Result<(), Error> {
    if lots == 0 && counts.iter().any(|it| it.count > 0) {
        return Err(Error::invalid("bag_counts", "there is no lot in which bags were counted"));
    }
    Ok(())
}

/// Requires that a delivery with `readings` has no more than a delivery can have.
pub(in crate::client) fn require_few_readings(readings: usize) -> Result<(), Error> {
    if readings > MAX_READINGS { Err(too_many("readings", MAX_READINGS)) } else { Ok(()) }
}

pub(in crate::client) fn too_many(field: &'static str, most: usize) -> Error {
    Error::TooLarge { field, reason: format!("a delivery has at most {most} {field}") }
}

/// Requires that the rules, if they are on this phone, have the grade.
pub(in crate::client) fn require_grade(rules: Option<&RuleSet>, grade: Option<&GradeCode>) -> Result<(), Error> {
    match (rules, grade) {
        (Some(rules), Some(grade)) if !rules.grades.iter().any(|known| known.code == *grade) => {
            Err(Error::invalid("grade", format!("the rules have no grade {grade}")))
        }
        _ => Ok(()),
    }
}

/// Requires that the rules, if they are on this phone, have the grade and the quality factor of a reading.
pub(in crate::client) fn require_readable(rules: Option<&RuleSet>, reading: &Reading) -> Result<(), Error> {
    require_grade(rules, reading.grade.as_ref())?;
    match (rules, reading.factor()) {
        (Some(rules), Some(factor)) if !rules.factors.iter().any(|known| known.code == *factor) => {
            Err(Error::invalid("factor", format!("the rules have no quality factor {factor}")))
        }
        _ => Ok(()),
    }
}

/// Returns a reason in its stored form.
pub(in crate::client) fn checked(reason: &Reason) -> Result<Reason, Error> {
    let code = check_text(&reason.code, true).map_err(|wrong| Error::invalid("reason", wrong))?;
    let text = check_text(&reason.text, false).map_err(|wrong| Error::invalid("reason", wrong))?;
    Ok(Reason { code, text })
}
