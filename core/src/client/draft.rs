//! Drafts: deliveries that are being weighed, bag by bag.

use std::collections::BTreeSet;

use super::delivery::{checked, checked_declared, require_few_readings, require_grade, require_readable, too_many};
use super::{
    Author, Basis, DeliveryView, FieldClient, ReadingInput, Topic, require_current, require_farmer, require_record,
    require_visible,
};
use crate::Error;
use crate::decisions::RuleSet;
use crate::limits::{MAX_BAGS, MAX_LOTS};
use crate::permission::Capability;
use crate::records::delivery::Reason;
use crate::records::draft::Draft;
use crate::records::simple::WrongField;
use crate::records::{
    Bag, BagCount, BagSource, Delivery, Kind, Load, Lot, Mark, PaperEntry, Reading, check_bag_counts,
};
use crate::rules::{ActionCode, check_draft};
use crate::scope::Scope;
use crate::store::{drafts, installation, rows, seam};
use crate::units::{
    BagType, BagWeight, BusinessDate, CentreCode, CommodityCode, DeliveryId, FarmerId, GradeCode, InstrumentCode,
    LoadId, Location, LotWeight, Timestamp,
};

/// Input for a new draft.
#[derive(Clone, Debug)]
pub struct StartDraft {
    /// Centre, one of those granted.
    pub centre: CentreCode,
    /// Commodity that is delivered.
    pub commodity: CommodityCode,
    /// Farmer of any granted centre, if known.
    pub farmer_id: Option<FarmerId>,
    /// Load of this centre and season, if any.
    pub load_id: Option<LoadId>,
    /// The voided delivery that this one replaces; it must be on this phone, and not be replaced already.
    pub replaces: Option<DeliveryId>,
}

/// A step of weighing.
#[derive(Clone, Debug)]
pub enum DraftEdit {
    /// Sets the farmer.
    SetFarmer(FarmerId),
    /// Sets the load of all that was not put apart; `None` takes it off its load.
    SetLoad(Option<LoadId>),
    /// Puts bags and lots on a load of their own, or back on that of the draft by naming it; `None` for no load. The rest stays.
    SetLoadOfBags {
        /// The load; `None` for none.
        load_id: Option<LoadId>,
        /// Numbers of the bags and lots.
        numbers: Vec<u32>,
    },
    /// Sets the number of bags that the farmer declares; `None` removes it.
    SetDeclaredBags(Option<u32>),
    /// Sets the day for which it counts, and with it the season; refused if no season of the commodity covers the day.
    SetBusinessDate(BusinessDate),
    /// Adds a bag.
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
    /// Adds a bag with weight, type, grade and scale of the last one.
    RepeatBag,
    /// Adds a lot or vehicle.
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
    /// Removes a bag or lot; its number is not used again.
    Remove {
        /// Number of the bag or lot.
        number: u32,
    },
    /// Sets the number of bags in the lots and vehicles, for each type and grade.
    SetBagCounts(Vec<BagCount>),
    /// Adds a reading; the rule set says which of several counts.
    AddReading(ReadingInput),
    /// Removes a reading; later ones move up.
    RemoveReading {
        /// Place among the readings, from 1.
        place: u32,
    },
    /// Sets the signature or thumb mark; `None` removes it.
    SetMark(Option<Mark>),
    /// Sets whether the farmer brought a second heap, which is not another record of the first one.
    SetSecondHeap(bool),
    /// Sets the reason for which it is put on a load above its limit; `None` removes it.
    SetOverloadReason(Option<Reason>),
    /// Sets the form of a paper book on which the delivery was written first; `None` for none.
    SetPaperEntry(Option<PaperEntry>),
    /// Sets the location, which replaces an earlier one.
    SetLocation(Location),
}

fn may_see(author: &Author, draft: &Draft) -> bool {
    draft.user_id == author.grant.user_id || author.grant.centres.contains(&draft.centre)
}

pub(super) fn find_draft(
    db: &rusqlite::Connection,
    author: &Author,
    id: DeliveryId,
) -> Result<Option<(u64, Draft)>, Error> {
    Ok(drafts::find(db, id)?.filter(|(_, draft)| may_see(author, draft)))
}

/// Returns a draft with its version; [`Error::Stale`] if it is recorded already, [`Error::NotFound`] if there is none that the user sees.
fn require_draft(db: &rusqlite::Connection, author: &Author, id: DeliveryId) -> Result<(u64, Draft), Error> {
    if let Some(found) = find_draft(db, author, id)? {
        return Ok(found);
    }
    require_visible::<Delivery>(db, author, id, "draft")?;
    Err(Error::Stale)
}

fn require_draft_action(author: &Author, draft: &Draft, code: ActionCode) -> Result<(), Error> {
    let is_own = draft.user_id == author.grant.user_id;
    check_draft(code, is_own, author.grant.role).map_err(|refused| Error::not_allowed(refused.to_string()))
}

impl FieldClient {
    /// Starts a delivery of today. The draft is stored on disk, and counts in no total until it is recorded.
    ///
    /// # Errors
    /// [`Error::Unauthorized`], [`Error::Refused`] for a centre that is not granted, [`Error::Invalid`] if no season of the commodity
    /// covers today, if farmer, load or replaced delivery are not on this phone, or if the latter is replaced already.
    pub fn start_draft(&self, input: StartDraft) -> Result<DeliveryView, Error> {
        let author = self.author()?;
        author.require(Capability::RecordDelivery)?;
        author.require_centre(&input.centre)?;
        let (season, business_date) = self.season_today(&author, &input.commodity)?;
        let draft = Draft {
            farmer_id: input.farmer_id,
            load_id: input.load_id,
            replaces: input.replaces,
            ..Draft::new(author.grant.user_id, input.centre, season, input.commodity, business_date)
        };
        let id = self.new_id();
        self.write(&[Topic::Deliveries], |db| {
            draft.require_known(db, &author)?;
            draft.require_first_replacement(db)?;
            Ok::<_, Error>(drafts::save(db, id, 1, &draft)?)
        })?;
        self.delivery(id)
    }

    /// Applies steps of weighing to a draft: all of them, or none if one is refused. Returns after they are on disk.
    ///
    /// # Errors
    /// [`Error::Stale`] if the draft was changed since `basis` or is recorded, [`Error::NotFound`], [`Error::Invalid`] with the field of the
    /// refused step, [`Error::TooLarge`] for too many bags.
    pub fn edit_draft(&self, basis: Basis, edits: &[DraftEdit]) -> Result<DeliveryView, Error> {
        let author = self.author()?;
        let now = self.now();
        self.change_draft(&author, basis, ActionCode::Edit, |db, draft| {
            for edit in edits {
                draft.apply(&author, edit, now)?;
            }
            draft.require_known(db, &author)
        })
    }

    /// Makes the current user the one who weighs a draft that another user of this phone began. Both are recorded with the delivery.
    ///
    /// # Errors
    /// [`Error::Refused`] if the draft is the user's own, or by role; [`Error::Stale`], [`Error::NotFound`], [`Error::Unauthorized`].
    pub fn take_over_draft(&self, basis: Basis) -> Result<DeliveryView, Error> {
        let author = self.author()?;
        let user_id = author.grant.user_id;
        self.change_draft(&author, basis, ActionCode::TakeOver, |_, draft| {
            draft.earlier_users.retain(|user| *user != user_id);
            draft.earlier_users.push(draft.user_id);
            draft.user_id = user_id;
            Ok(())
        })
    }

    fn change_draft(
        &self,
        author: &Author,
        basis: Basis,
        code: ActionCode,
        f: impl FnOnce(&rusqlite::Connection, &mut Draft) -> Result<(), Error>,
    ) -> Result<DeliveryView, Error> {
        let id = DeliveryId::from(basis.document_id);
        let (version, draft) = self.write(&[Topic::Deliveries], |db| {
            let (version, mut draft) = require_draft(db, author, id)?;
            require_current(basis, id, version.to_be_bytes())?;
            require_draft_action(author, &draft, code)?;
            f(db, &mut draft)?;
            drafts::save(db, id, version + 1, &draft)?;
            Ok::<_, Error>((version + 1, draft))
        })?;
        self.store.read(|db| self.draft_view(db, author, id, version, &draft))
    }

    /// Deletes a draft permanently; one that is deleted already stays so. A recorded delivery can only be voided.
    ///
    /// # Errors
    /// [`Error::Stale`] if it changed since `basis` or is recorded, [`Error::NotFound`] for a draft that the user does not see, [`Error::Unauthorized`], [`Error::Refused`] on a locked phone.
    pub fn discard_draft(&self, basis: Basis) -> Result<(), Error> {
        let author = self.author()?;
        let id = DeliveryId::from(basis.document_id);
        self.write(&[Topic::Deliveries], |db| {
            let (version, draft) = match require_draft(db, &author, id) {
                Err(Error::NotFound { .. }) if drafts::find(db, id)?.is_none() => return Ok(()),
                found => found?,
            };
            require_current(basis, id, version.to_be_bytes())?;
            require_draft_action(&author, &draft, ActionCode::Discard)?;
            drafts::remove(db, id)?;
            Ok(installation::count_discard(db)?)
        })
    }

    /// Returns the user's own drafts, at any centre, and those of all users at the granted centres, oldest first. They survive a crash.
    ///
    /// # Errors
    /// [`Error::Unauthorized`], [`Error::Refused`] if the phone is locked, [`Error::Store`].
    pub fn drafts(&self) -> Result<Vec<DeliveryView>, Error> {
        let author = self.author()?;
        self.store.read(|db| self.drafts_in(db, &author))
    }

    pub(super) fn drafts_in(&self, db: &rusqlite::Connection, author: &Author) -> Result<Vec<DeliveryView>, Error> {
        let seen = drafts::all(db)?.into_iter().filter(|(_, _, draft)| may_see(author, draft));
        seen.map(|(id, version, draft)| self.draft_view(db, author, id, version, &draft)).collect()
    }
}

impl Draft {
    /// Requires farmer, load and replaced delivery on this phone: the farmer at a granted centre, the others at this one, the last one voided. One that the office rejected passes.
    fn require_known(&self, db: &rusqlite::Connection, author: &Author) -> Result<(), Error> {
        if let Some(farmer) = self.farmer_id {
            require_farmer(db, author, farmer)?;
        }
        let season = Scope::Season(self.centre.clone(), self.season.clone());
        let loads: BTreeSet<LoadId> = self.apart.iter().map(|it| it.load_id).chain([self.load_id]).flatten().collect();
        for load in loads {
            require_record(db, Kind::of::<Load>(), load.into(), "load_id", &season)?;
        }
        let (Some(replaced), None) = (self.replaces, self.receipt_sequence) else { return Ok(()) };
        let found = crate::store::records::get::<Delivery>(&mut seam(db), replaced)?;
        match found.filter(|found| found.stored.scope.centre() == Some(&self.centre)) {
            Some(found) if found.record.is_voided() => Ok(()),
            _ => Err(Error::invalid("replaces", "no such voided delivery is on this phone")),
        }
    }

    /// Requires that no other draft and no delivery that is not voided replaces the same delivery.
    fn require_first_replacement(&self, db: &rusqlite::Connection) -> Result<(), Error> {
        let Some(replaced) = self.replaces else { return Ok(()) };
        let has_other = !rows::replacements_of(&mut seam(db), &[replaced])?.is_empty()
            || drafts::all(db)?.iter().any(|(_, _, other)| other.replaces == Some(replaced));
        if has_other {
            return Err(Error::invalid("replaces", "that delivery is replaced already, by another one or a draft"));
        }
        Ok(())
    }

    fn apply(&mut self, author: &Author, edit: &DraftEdit, now: Timestamp) -> Result<(), Error> {
        match edit {
            DraftEdit::SetFarmer(farmer) => self.farmer_id = Some(*farmer),
            DraftEdit::SetLoad(load) => self.load_id = *load,
            DraftEdit::SetDeclaredBags(count) => self.declared_bags = checked_declared(*count)?,
            DraftEdit::SetBusinessDate(date) => {
                self.season = FieldClient::season_of(author, &self.commodity, *date)?;
                self.business_date = *date;
            }
            DraftEdit::SetMark(mark) => {
                mark.as_ref().map_or(Ok(()), Mark::check).map_err(|wrong| Error::invalid("mark", wrong))?;
                self.mark.clone_from(mark);
            }
            DraftEdit::SetPaperEntry(entry) => {
                let checked = entry.as_ref().map_or(Ok(()), PaperEntry::check);
                checked.map_err(|WrongField { field, reason }| Error::invalid(field, reason))?;
                self.paper_entry.clone_from(entry);
            }
            DraftEdit::SetOverloadReason(reason) => {
                self.overload_reason = reason.as_ref().map(checked).transpose()?;
            }
            DraftEdit::SetSecondHeap(is_second_heap) => self.is_second_heap = *is_second_heap,
            DraftEdit::SetLocation(location) => {
                location.check().map_err(|error| Error::invalid("location", error))?;
                self.location = Some(*location);
            }
            DraftEdit::AddReading(input) => {
                let reading = Reading { user_id: Some(self.user_id), ..Reading::from(input) };
                require_readable(self.rules(author), &reading)?;
                require_few_readings(self.readings.len() + 1)?;
                self.readings.push(reading);
            }
            DraftEdit::RemoveReading { place } => {
                let index = (*place as usize).checked_sub(1).filter(|index| *index < self.readings.len());
                let index = index.ok_or_else(|| Error::invalid("place", format!("there is no reading {place}")))?;
                self.readings.remove(index);
            }
            DraftEdit::AddBag { .. }
            | DraftEdit::RepeatBag
            | DraftEdit::AddLot { .. }
            | DraftEdit::Remove { .. }
            | DraftEdit::SetLoadOfBags { .. }
            | DraftEdit::SetBagCounts(_) => self.weigh(author, edit, now)?,
        }
        Ok(())
    }

    /// Applies a step that changes what was weighed or counted; does nothing for any other.
    fn weigh(&mut self, author: &Author, edit: &DraftEdit, now: Timestamp) -> Result<(), Error> {
        match edit {
            DraftEdit::AddBag { gross, bag_type, source, grade, scale } => {
                require_grade(self.rules(author), grade.as_ref())?;
                self.add_bag(Bag {
                    number: self.next_number,
                    gross: *gross,
                    bag_type: *bag_type,
                    source: source.unwrap_or_default(),
                    weighed_at: now,
                    user_id: self.user_id,
                    grade: grade.clone(),
                    scale: scale.clone(),
                })?;
            }
            DraftEdit::RepeatBag => {
                let last = self.bags.last().ok_or_else(|| Error::invalid("bags", "there is no bag to repeat"))?;
                let (number, user_id, source) = (self.next_number, self.user_id, BagSource::Repeat);
                self.add_bag(Bag { number, source, weighed_at: now, user_id, ..last.clone() })?;
            }
            DraftEdit::AddLot { gross, vehicle, source, grade, scale } => {
                require_grade(self.rules(author), grade.as_ref())?;
                if self.lots.len() >= MAX_LOTS {
                    return Err(too_many("lots", MAX_LOTS));
                }
                let lot = Lot {
                    number: self.next_number,
                    gross: *gross,
                    vehicle: *vehicle,
                    grade: grade.clone(),
                    source: source.unwrap_or_default(),
                    scale: scale.clone(),
                    user_id: self.user_id,
                    weighed_at: now,
                };
                lot.check().map_err(|wrong| Error::invalid("vehicle", wrong))?;
                self.lots.push(lot);
                self.next_number += 1;
            }
            DraftEdit::Remove { number } => {
                let before = self.bags.len() + self.lots.len();
                self.bags.retain(|bag| bag.number != *number);
                self.lots.retain(|lot| lot.number != *number);
                if self.bags.len() + self.lots.len() == before {
                    return Err(Error::invalid("number", format!("no bag or lot has the number {number}")));
                }
                self.forget_apart(&[*number]);
            }
            DraftEdit::SetLoadOfBags { load_id, numbers } => {
                let known = self.bags.iter().map(|bag| bag.number).chain(self.lots.iter().map(|lot| lot.number));
                let known: BTreeSet<u32> = known.collect();
                if numbers.is_empty() || numbers.iter().any(|number| !known.contains(number)) {
                    return Err(Error::invalid("numbers", "name bags and lots of the draft by their numbers"));
                }
                self.put_apart(*load_id, numbers);
            }
            DraftEdit::SetBagCounts(counts) => {
                check_bag_counts(counts).map_err(|wrong| Error::invalid("bag_counts", wrong))?;
                for count in counts {
                    require_grade(self.rules(author), count.grade.as_ref())?;
                }
                self.bag_counts.clone_from(counts);
            }
            _ => {}
        }
        Ok(())
    }

    /// Returns the rules of the draft's commodity and day, if they are on this phone.
    fn rules<'a>(&self, author: &'a Author) -> Option<&'a RuleSet> {
        author.reference.rules_on(&self.commodity, self.business_date)
    }

    fn add_bag(&mut self, bag: Bag) -> Result<(), Error> {
        if self.bags.len() >= MAX_BAGS {
            let reason = format!("a delivery has at most {MAX_BAGS} bags: record this one and begin another");
            return Err(Error::TooLarge { field: "bags", reason });
        }
        self.bags.push(bag);
        self.next_number += 1;
        Ok(())
    }
}
