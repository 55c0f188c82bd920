//! Deliveries: recording, amending, voiding and viewing.

use std::sync::PoisonError;

use super::draft::find_draft;
use super::load::check_load;
use super::{Author, Basis, FieldClient, not_found, require_current, require_record, require_visible};
use crate::Error;
use crate::decisions::ReviewCode;
use crate::limits::MAX_BAGS;
use crate::permission::Capability;
use crate::records::delivery::{self, Amendment, DeliveryConstants, DeliverySnapshot, Reason};
use crate::records::draft::Draft;
use crate::records::{
    Act, AnyRecord, Bag, BagSource, Conflict, Delivery, Kind, Load, Merged, Put, Stamp, encode, pack_bags,
};
use crate::rules::{Check, GradeWeight, Totals, WeightInput, check_delivery, check_text, weigh};
use crate::scope::Scope;
use crate::store::outbox::{self, SyncState};
use crate::store::records::Found;
use crate::store::seam;
use crate::store::{decisions, drafts};
use crate::units::{
    BagType, BagWeight, BusinessDate, CentreCode, CommodityCode, DeliveryId, FarmerId, Grams, LoadId, Location,
    Percent, ReceiptNumber, SeasonCode, Timestamp,
};

/// State of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifecycle {
    /// It is being weighed, is only on this phone, and does not count.
    Draft,
    /// It is recorded and counts.
    Recorded,
    /// It is voided and does not count.
    Voided,
}

/// A bag as a screen shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BagView {
    /// Key of the bag, for [`DeliveryEdit::VoidBag`]; in a draft, the number as text.
    pub bag_id: String,
    /// Number on the bag's label. Bags that two phones added at the same time may have the same one.
    pub number: u32,
    /// Gross weight, with the bag.
    pub gross_g: Grams,
    /// Bag type, which decides the tare.
    pub bag_type: BagType,
    /// How the weight was entered.
    pub source: BagSource,
    /// When it was weighed, to the second once it is recorded; for a bag added later, when that was.
    pub weighed_at: Timestamp,
    /// Voids of this bag alone; a void of its delivery is not among them.
    pub voids: Vec<Act>,
}

impl BagView {
    fn new(bag_id: String, bag: Bag, voids: Vec<Act>) -> Self {
        let Bag { number, gross, bag_type, source, weighed_at } = bag;
        Self { bag_id, number, gross_g: gross.grams(), bag_type, source, weighed_at, voids }
    }
}

/// A delivery as a screen shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryView {
    /// Id, the same for draft and recorded delivery.
    pub delivery_id: DeliveryId,
    /// The version shown here; pass it to the next change.
    pub basis: Basis,
    /// Whether it is a draft, recorded or voided.
    pub lifecycle: Lifecycle,
    /// How far it is on its way to the server's log; a draft is `unsent`.
    pub sync: SyncState,
    /// Receipt number; `None` for a draft, even if it will get the number of a rejected delivery.
    pub receipt_number: Option<ReceiptNumber>,
    /// Centre where it is weighed.
    pub centre: CentreCode,
    /// Season in which it is bought.
    pub season: SeasonCode,
    /// Commodity that is delivered.
    pub commodity: CommodityCode,
    /// Day for which it counts.
    pub business_date: BusinessDate,
    /// Farmer; `None` only in a draft.
    pub farmer_id: Option<FarmerId>,
    /// Load it is on; `None` if it is on no load.
    pub load_id: Option<LoadId>,
    /// Number of bags that the farmer declared; `None` if none was entered.
    pub declared_bags: Option<u32>,
    /// All bags by number, with those that are voided.
    pub bags: Vec<BagView>,
    /// Moisture readings; the rule set says which one counts.
    pub readings: Vec<Percent>,
    /// Location that was set while weighing, if any.
    pub location: Option<Location>,
    /// Delivery that this one replaces: a voided one, or one that the office rejected.
    pub replaces: Option<DeliveryId>,
    /// Totals of the bags that are not voided, even if the delivery is voided. Without a rule set on this phone, each bag is of unknown type.
    pub totals: Totals,
    /// The same for each grade, with the printed lines; produce without a grade is first.
    pub grades: Vec<GradeWeight>,
    /// Amendments, oldest first. They have author and reason, not the values.
    pub amendments: Vec<Act>,
    /// Voids of the whole delivery, oldest first.
    pub voids: Vec<Act>,
    /// Fields that have concurrent values.
    pub conflicts: Vec<Conflict>,
    /// Codes of the reviews that name it.
    pub reviews: Vec<ReviewCode>,
}

/// A correction of a recorded delivery. Farmer and readings cannot be corrected: void the delivery, and record one that replaces it.
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
    },
    /// Voids a bag, which stays visible.
    VoidBag {
        /// `bag_id` of the bag in the view.
        bag_id: String,
        /// Reason of this void, besides that of the amendment.
        reason: Reason,
    },
    /// Sets the load; `None` takes it off its load.
    SetLoad(Option<LoadId>),
    /// Sets the day for which it counts, within the same season.
    SetBusinessDate(BusinessDate),
    /// Sets the declared number of bags; `None` removes it.
    SetDeclaredBags(Option<u32>),
}

impl FieldClient {
    /// Records a draft: it counts, is sent, and can only be amended or voided. Its author is the current user, even if another weighed.
    /// Another tap, which repeats the call with the same basis, returns the recorded delivery.
    ///
    /// # Errors
    /// [`Error::Confirm`] with the checks that are not in `accept` yet: ask the person, add them, and repeat the call. [`Error::Invalid`]
    /// without farmer, bag or rules, [`Error::Stale`], [`Error::NotFound`], [`Error::Refused`], [`Error::Unauthorized`].
    pub fn record_delivery(&self, basis: Basis, accept: &[Check]) -> Result<DeliveryView, Error> {
        let author = self.author()?;
        author.require(Capability::RecordDelivery)?;
        let id = DeliveryId::from(basis.document_id);
        let today = self.date();
        self.act(&author, |action| {
            let Some((version, draft)) = find_draft(action.db, &author, id)? else {
                let found = require_visible::<Delivery>(action.db, &author, id, "draft")?;
                if *self.last_recorded.lock().unwrap_or_else(PoisonError::into_inner) != Some(basis) {
                    return Err(Error::Stale);
                }
                return self.stored_view(action.db, found.version(), found.record);
            };
            require_current(basis, id, version.to_be_bytes())?;
            author.require_centre(&draft.centre)?;
            let farmer = draft.farmer_id.ok_or_else(|| Error::invalid("farmer_id", "choose the farmer"))?;
            if draft.bags.is_empty() {
                return Err(Error::invalid("bags", "weigh at least one bag"));
            }
            let rules = author.reference.rules_on(&draft.commodity, draft.business_date);
            let rules = rules
                .ok_or_else(|| Error::invalid("commodity", "no rules are valid for it on this day: sync first"))?;
            let mut checks =
                check_delivery(&draft.bags, draft.declared_bags, &draft.readings, rules, draft.business_date, today);
            if action.stamp.clock_suspect {
                checks.push(Check::ClockInDoubt);
            }
            if let Some(load) = draft.load_id {
                let gross = draft.bags.iter().map(|bag| bag.gross.grams()).sum();
                checks.extend(check_load(action.db, &author.reference, load, gross)?);
            }
            Self::confirm(checks, accept)?;

            let receipt_sequence = draft.receipt_sequence.unwrap_or(action.counters.receipts + 1);
            action.counters.receipts = receipt_sequence.max(action.counters.receipts);
            let scope = Scope::Season(draft.centre.clone(), draft.season.clone());
            let snapshot = DeliverySnapshot {
                constants: DeliveryConstants {
                    user_id: action.stamp.user_id,
                    device_code: action.stamp.device_code,
                    clock_suspect: action.stamp.clock_suspect,
                    centre: draft.centre,
                    season: draft.season,
                    commodity: draft.commodity,
                    rule_set: rules.number,
                    load_id: draft.load_id,
                    date: draft.business_date,
                },
                wall_ms: action.stamp.at.wall_ms,
                counter: action.stamp.at.counter,
                receipt_sequence,
                farmer_id: farmer,
                readings: draft.readings,
                location: draft.location,
                bags: pack_bags(&draft.bags, action.stamp.written_at()),
                declared_bags: draft.declared_bags,
                replaces: draft.replaces,
            };
            let merged = action.create(Kind::of::<Delivery>(), id.into(), &scope, encode(&snapshot))?;
            drafts::remove(action.db, id)?;
            // Not after the commit, because another tap may come before that. If the commit fails, the draft is still there.
            *self.last_recorded.lock().unwrap_or_else(PoisonError::into_inner) = Some(basis);
            let version = merged.version();
            // A new record is not sent yet, and nothing can name it.
            Ok(self.delivery_view(version, delivery_of(merged)?, SyncState::Unsent, Vec::new()))
        })
    }

    /// Corrects a recorded delivery, with a reason: all `edits`, or none if one is refused. Raises no checks.
    ///
    /// # Errors
    /// [`Error::Refused`] if it is voided, the role may not change it or not so late, or there was no contact for more than 14 days;
    /// [`Error::Stale`], [`Error::NotFound`], [`Error::Invalid`], [`Error::TooLarge`] for too many bags.
    pub fn amend_delivery(&self, basis: Basis, reason: &Reason, edits: &[DeliveryEdit]) -> Result<DeliveryView, Error> {
        if edits.is_empty() {
            return Err(Error::invalid("edits", "nothing to amend"));
        }
        self.change_delivery(basis, reason, |db, scope, delivery, stamp, reason| {
            let reference = self.reference();
            let mut amendments = Vec::new();
            let mut added = Vec::new();
            for edit in edits {
                match edit {
                    DeliveryEdit::AddBag { gross, bag_type, source } => {
                        let offset = u32::try_from(added.len()).unwrap_or(u32::MAX);
                        added.push(Bag {
                            number: delivery.next_bag_number() + offset,
                            gross: *gross,
                            bag_type: *bag_type,
                            source: source.unwrap_or_default(),
                            weighed_at: stamp.written_at(),
                        });
                    }
                    DeliveryEdit::VoidBag { bag_id, reason } => {
                        let is_counted = delivery.bags.iter().any(|bag| bag.key == *bag_id && bag.voids.is_empty());
                        let is_same = |it: &Amendment| matches!(it, Amendment::VoidBag { key, .. } if key == bag_id);
                        if !is_counted || amendments.iter().any(is_same) {
                            return Err(Error::invalid("bag_id", "no such bag, or it is voided already"));
                        }
                        amendments.push(Amendment::VoidBag { key: bag_id.clone(), reason: checked(reason)? });
                    }
                    DeliveryEdit::SetLoad(load) => {
                        if let Some(load) = load {
                            require_record(db, Kind::of::<Load>(), (*load).into(), "load_id", scope)?;
                        }
                        amendments.push(Amendment::SetLoad(*load));
                    }
                    DeliveryEdit::SetBusinessDate(date) => {
                        let season = reference.season(&delivery.season);
                        if season.is_some_and(|season| !season.covers(*date)) {
                            return Err(Error::invalid("business_date", "is outside of the delivery's season"));
                        }
                        amendments.push(Amendment::SetDate(*date));
                    }
                    DeliveryEdit::SetDeclaredBags(count) => amendments.push(Amendment::SetDeclaredBags(*count)),
                }
            }
            if delivery.bags.len() + added.len() > MAX_BAGS {
                let reason = format!("a delivery has at most {MAX_BAGS} bags");
                return Err(Error::TooLarge { field: "bags", reason });
            }
            if !added.is_empty() {
                amendments.push(Amendment::AddBags(added));
            }
            Ok(delivery::amend(delivery, stamp, reason, amendments))
        })
    }

    /// Voids a recorded delivery permanently, with a reason. It stays visible and counts in no total.
    ///
    /// # Errors
    /// As [`FieldClient::amend_delivery`].
    pub fn void_delivery(&self, basis: Basis, reason: &Reason) -> Result<DeliveryView, Error> {
        self.change_delivery(basis, reason, |_, _, delivery, stamp, reason| Ok(delivery::void(delivery, stamp, reason)))
    }

    fn change_delivery(
        &self,
        basis: Basis,
        reason: &Reason,
        puts: impl FnOnce(&rusqlite::Connection, &Scope, &Delivery, Stamp, Reason) -> Result<Vec<Put>, Error>,
    ) -> Result<DeliveryView, Error> {
        let reason = checked(reason)?;
        let author = self.author()?;
        author.require_contact()?;
        let id = DeliveryId::from(basis.document_id);
        self.act(&author, |action| {
            let found = require_visible::<Delivery>(action.db, &author, id, "delivery")?;
            require_current(basis, id, found.version())?;
            let Found { stored, record: delivery } = found;
            require_changeable(&author, &delivery, action.stamp)?;
            let puts = puts(action.db, &stored.scope, &delivery, action.stamp, reason)?;
            let merged = action.edit(Kind::of::<Delivery>(), id.into(), &stored.scope, Some(&stored), puts)?;
            let version = merged.version();
            self.stored_view(action.db, version, delivery_of(merged)?)
        })
    }

    /// Returns a draft or a recorded delivery, voided or not.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unauthorized`], [`Error::Refused`] if the phone is locked, [`Error::Store`].
    pub fn delivery(&self, id: DeliveryId) -> Result<DeliveryView, Error> {
        let author = self.author()?;
        self.store.read(|db| {
            if let Some((version, draft)) = find_draft(db, &author, id)? {
                return Ok(self.draft_view(id, version, &draft));
            }
            let found = require_visible::<Delivery>(db, &author, id, "delivery")?;
            let version = found.version();
            self.stored_view(db, version, found.record)
        })
    }

    fn stored_view(
        &self,
        db: &rusqlite::Connection,
        version: [u8; 8],
        delivery: Delivery,
    ) -> Result<DeliveryView, Error> {
        let document = delivery.delivery_id.into();
        let (sync, reviews) = (outbox::state(db, document)?, decisions::review_codes(&mut seam(db), document)?);
        Ok(self.delivery_view(version, delivery, sync, reviews))
    }

    fn delivery_view(
        &self,
        version: [u8; 8],
        delivery: Delivery,
        sync: SyncState,
        reviews: Vec<ReviewCode>,
    ) -> DeliveryView {
        let id = delivery.delivery_id;
        let reference = self.reference();
        let input = WeightInput::of_bags(delivery.counted_bags(), &delivery.readings);
        let weight = weigh(&input, reference.rule_set(delivery.rule_set));
        DeliveryView {
            delivery_id: id,
            basis: Basis { document_id: id.into(), version },
            lifecycle: if delivery.is_voided() { Lifecycle::Voided } else { Lifecycle::Recorded },
            sync,
            receipt_number: Some(delivery.receipt_number()),
            totals: weight.totals(),
            grades: weight.grades,
            centre: delivery.centre,
            season: delivery.season,
            commodity: delivery.commodity,
            business_date: delivery.business_date,
            farmer_id: Some(delivery.farmer_id),
            load_id: delivery.load_id,
            declared_bags: delivery.declared_bags,
            bags: delivery.bags.into_iter().map(|it| BagView::new(it.key, it.bag, it.voids)).collect(),
            readings: delivery.readings,
            location: delivery.location,
            replaces: delivery.replaces,
            amendments: delivery.amendments,
            voids: delivery.voids,
            conflicts: delivery.conflicts,
            reviews,
        }
    }

    pub(super) fn draft_view(&self, id: DeliveryId, version: u64, draft: &Draft) -> DeliveryView {
        let reference = self.reference();
        let rules = reference.rules_on(&draft.commodity, draft.business_date);
        let weight = weigh(&WeightInput::of_bags(draft.bags.iter(), &draft.readings), rules);
        DeliveryView {
            delivery_id: id,
            basis: Basis { document_id: id.into(), version: version.to_be_bytes() },
            lifecycle: Lifecycle::Draft,
            sync: SyncState::Unsent,
            receipt_number: None,
            totals: weight.totals(),
            grades: weight.grades,
            centre: draft.centre.clone(),
            season: draft.season.clone(),
            commodity: draft.commodity.clone(),
            business_date: draft.business_date,
            farmer_id: draft.farmer_id,
            load_id: draft.load_id,
            declared_bags: draft.declared_bags,
            bags: draft.bags.iter().map(|bag| BagView::new(bag.number.to_string(), *bag, Vec::new())).collect(),
            readings: draft.readings.clone(),
            location: draft.location,
            replaces: draft.replaces,
            amendments: Vec::new(),
            voids: Vec::new(),
            conflicts: Vec::new(),
            reviews: Vec::new(),
        }
    }

    /// Fails with the checks that are not in `accept`, if any.
    pub(super) fn confirm(mut checks: Vec<Check>, accept: &[Check]) -> Result<(), Error> {
        checks.retain(|check| !accept.contains(check));
        if checks.is_empty() { Ok(()) } else { Err(Error::Confirm { checks }) }
    }
}

/// Requires that the delivery is not voided, and that the role may amend it at the time of `stamp`. The server checks only the role.
pub(super) fn require_changeable(author: &Author, delivery: &Delivery, stamp: Stamp) -> Result<(), Error> {
    if delivery.is_voided() {
        return Err(Error::not_allowed("the delivery is voided: record a new one instead"));
    }
    author.require_about(Capability::AmendDelivery, delivery.recorded.target_of(&stamp))
}

fn delivery_of(merged: Merged) -> Result<Delivery, Error> {
    merged.record.and_then(<dyn AnyRecord>::downcast).ok_or_else(|| not_found("delivery"))
}

/// Returns a reason in its stored form.
pub(super) fn checked(reason: &Reason) -> Result<Reason, Error> {
    let code = check_text(&reason.code, true).map_err(|wrong| Error::invalid("reason", wrong))?;
    let text = check_text(&reason.text, false).map_err(|wrong| Error::invalid("reason", wrong))?;
    Ok(Reason { code, text })
}
