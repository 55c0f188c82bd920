//! Drafts: deliveries that are being weighed, bag by bag.

use super::{Author, Basis, DeliveryView, FieldClient, Topic, require_current, require_record, require_visible};
use crate::Error;
use crate::limits::MAX_BAGS;
use crate::permission::Capability;
use crate::records::Bag;
use crate::records::draft::Draft;
use crate::records::{BagSource, Delivery, Farmer, Kind, Load};
use crate::scope::Scope;
use crate::store::{drafts, rows, seam};
use crate::units::{
    BagType, BagWeight, BusinessDate, CentreCode, CommodityCode, DeliveryId, FarmerId, LoadId, Location, Percent,
    Timestamp,
};

/// Input for a new draft.
#[derive(Clone, Debug)]
pub struct StartDraft {
    /// Centre, one of those granted.
    pub centre: CentreCode,
    /// Commodity that is delivered.
    pub commodity: CommodityCode,
    /// Farmer, if known.
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
    /// Sets the load; `None` takes the draft off its load.
    SetLoad(Option<LoadId>),
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
    },
    /// Removes a bag; its number is not used again.
    RemoveBag {
        /// The number on the bag's label.
        number: u32,
    },
    /// Adds a moisture reading; the rule set says which one counts.
    AddReading(Percent),
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
            user_id: author.grant.user_id,
            season,
            centre: input.centre,
            commodity: input.commodity,
            business_date,
            farmer_id: input.farmer_id,
            load_id: input.load_id,
            declared_bags: None,
            bags: Vec::new(),
            next_number: 1,
            readings: Vec::new(),
            location: None,
            replaces: input.replaces,
            receipt_sequence: None,
        };
        let id = self.new_id();
        self.write(&[Topic::Deliveries], |db| {
            draft.require_known(db)?;
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
        let id = DeliveryId::from(basis.document_id);
        let now = self.now();
        let (version, draft) = self.write(&[Topic::Deliveries], |db| {
            let (version, mut draft) = require_draft(db, &author, id)?;
            require_current(basis, id, version.to_be_bytes())?;
            for edit in edits {
                draft.apply(&author, edit, now)?;
            }
            draft.require_known(db)?;
            drafts::save(db, id, version + 1, &draft)?;
            Ok::<_, Error>((version + 1, draft))
        })?;
        Ok(self.draft_view(id, version, &draft))
    }

    /// Deletes a draft permanently; one that is deleted already stays so. A recorded delivery can only be voided.
    ///
    /// # Errors
    /// [`Error::Stale`] if it changed since `basis` or is recorded, [`Error::NotFound`] for a draft that the user does not see, [`Error::Unauthorized`], [`Error::Refused`] on a locked phone.
    pub fn discard_draft(&self, basis: Basis) -> Result<(), Error> {
        let author = self.author()?;
        let id = DeliveryId::from(basis.document_id);
        self.write(&[Topic::Deliveries], |db| {
            let (version, _) = match require_draft(db, &author, id) {
                Err(Error::NotFound { .. }) if drafts::find(db, id)?.is_none() => return Ok(()),
                found => found?,
            };
            require_current(basis, id, version.to_be_bytes())?;
            Ok(drafts::remove(db, id)?)
        })
    }

    /// Returns the user's own drafts, at any centre, and those of all users at the granted centres, oldest first. They survive a crash.
    ///
    /// # Errors
    /// [`Error::Unauthorized`], [`Error::Refused`] if the phone is locked, [`Error::Store`].
    pub fn drafts(&self) -> Result<Vec<DeliveryView>, Error> {
        let author = self.author()?;
        Ok(self.store.read(|db| self.drafts_in(db, &author))?)
    }

    pub(super) fn drafts_in(
        &self,
        db: &rusqlite::Connection,
        author: &Author,
    ) -> Result<Vec<DeliveryView>, crate::store::Error> {
        let seen = drafts::all(db)?.into_iter().filter(|(_, _, draft)| may_see(author, draft));
        Ok(seen.map(|(id, version, draft)| self.draft_view(id, version, &draft)).collect())
    }
}

impl Draft {
    /// Requires farmer, load and replaced delivery on this phone, at this centre, the last one voided. One that the office rejected passes.
    fn require_known(&self, db: &rusqlite::Connection) -> Result<(), Error> {
        if let Some(farmer) = self.farmer_id {
            require_record(db, Kind::of::<Farmer>(), farmer.into(), "farmer_id", &Scope::Centre(self.centre.clone()))?;
        }
        let season = Scope::Season(self.centre.clone(), self.season.clone());
        if let Some(load) = self.load_id {
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
            DraftEdit::SetDeclaredBags(count) => self.declared_bags = *count,
            DraftEdit::SetBusinessDate(date) => {
                self.season = FieldClient::season_of(author, &self.commodity, *date)?;
                self.business_date = *date;
            }
            DraftEdit::AddBag { .. } if self.bags.len() >= MAX_BAGS => {
                let reason = format!("a delivery has at most {MAX_BAGS} bags: record this one and begin another");
                return Err(Error::TooLarge { field: "bags", reason });
            }
            DraftEdit::AddBag { gross, bag_type, source } => {
                let (gross, bag_type, source) = (*gross, *bag_type, source.unwrap_or_default());
                self.bags.push(Bag { number: self.next_number, gross, bag_type, source, weighed_at: now });
                self.next_number += 1;
            }
            DraftEdit::RemoveBag { number } => {
                let before = self.bags.len();
                self.bags.retain(|bag| bag.number != *number);
                if self.bags.len() == before {
                    return Err(Error::invalid("number", format!("no bag has the number {number}")));
                }
            }
            DraftEdit::AddReading(reading) => self.readings.push(*reading),
            DraftEdit::SetLocation(location) => {
                location.check().map_err(|error| Error::invalid("location", error))?;
                self.location = Some(*location);
            }
        }
        Ok(())
    }
}
