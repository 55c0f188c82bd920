//! Deliveries and drafts as screens show them.

use crate::client::signature::signatures_under;
use crate::client::warnings::warnings_of;
use crate::client::{Author, Basis, FieldClient, SimpleView};
use crate::decisions::ReviewCode;
use crate::records::delivery::{DeliveryBag, DeliveryLot, DeliveryReading, LoadPart, Print, Reason};
use crate::records::draft::Draft;
use crate::records::load::LoadState;
use crate::records::simple::SimpleState;
use crate::records::{
    Act, Bag, BagCount, BagSource, Conflict, Delivery, Error, Lot, Measured, PaperEntry, Reading, Signature, Stamp,
};
use crate::rules::{
    ActionCode, DeliveryAtHand, GradeWeight, Totals, Warning, WeightInput, draft_actions, repeated_numbers, weigh,
};
use crate::store::outbox::{self, SyncState};
use crate::store::{decisions, rows, seam};
use crate::units::{
    BagType, BusinessDate, CentreCode, CommodityCode, DeliveryId, FarmerId, GradeCode, Grams, InstrumentCode, LoadId,
    Location, LotWeight, PhotoHash, ReceiptNumber, SeasonCode, Timestamp, UserId,
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
    /// Key of the bag, for [`DeliveryEdit::VoidBag`](super::DeliveryEdit::VoidBag); in a draft, the number as text.
    pub bag_id: String,
    /// Number on the bag's label. Bags that two phones added at the same time may have the same one.
    pub number: u32,
    /// Gross weight, with the bag.
    pub gross_g: Grams,
    /// Bag type, which decides the tare.
    pub bag_type: BagType,
    /// Grade of the produce in it, if any.
    pub grade: Option<GradeCode>,
    /// How the weight was entered.
    pub source: BagSource,
    /// Scale, if known.
    pub scale: Option<InstrumentCode>,
    /// User who weighed it.
    pub user_id: UserId,
    /// When it was weighed, to the second once it is recorded; for a bag added later, when that was.
    pub weighed_at: Timestamp,
    /// Load that it is on; `None` for none.
    pub load_id: Option<LoadId>,
    /// Voids of this bag alone; a void of its delivery is not among them.
    pub voids: Vec<Act>,
}

impl BagView {
    fn new(bag_id: String, bag: Bag, load_id: Option<LoadId>, voids: Vec<Act>) -> Self {
        let Bag { number, gross, bag_type, source, weighed_at, user_id, grade, scale } = bag;
        let gross_g = gross.grams();
        Self { bag_id, number, gross_g, bag_type, grade, source, scale, user_id, weighed_at, load_id, voids }
    }
}

/// A lot or vehicle as a screen shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LotView {
    /// Key of the lot, for [`DeliveryEdit::VoidLot`](super::DeliveryEdit::VoidLot); in a draft, the number as text.
    pub lot_id: String,
    /// Number among the bags and lots of the delivery.
    pub number: u32,
    /// Weight with the bags, and with the vehicle if there is one.
    pub gross_g: Grams,
    /// Weight of the empty vehicle; `None` if the lot was not weighed on one.
    pub vehicle_g: Option<Grams>,
    /// Grade of the produce, if any.
    pub grade: Option<GradeCode>,
    /// How the weight was entered.
    pub source: BagSource,
    /// Scale or weighbridge, if known.
    pub scale: Option<InstrumentCode>,
    /// User who weighed it.
    pub user_id: UserId,
    /// When it was weighed.
    pub weighed_at: Timestamp,
    /// Load that it is on; `None` for none.
    pub load_id: Option<LoadId>,
    /// Voids of this lot alone.
    pub voids: Vec<Act>,
}

impl LotView {
    fn new(lot_id: String, lot: Lot, load_id: Option<LoadId>, voids: Vec<Act>) -> Self {
        let Lot { number, gross, vehicle, grade, source, scale, user_id, weighed_at } = lot;
        let (gross_g, vehicle_g) = (gross.grams(), vehicle.map(LotWeight::grams));
        Self { lot_id, number, gross_g, vehicle_g, grade, source, scale, user_id, weighed_at, load_id, voids }
    }
}

/// A reading as a screen shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadingView {
    /// Key of the reading, for [`DeliveryEdit::VoidReading`](super::DeliveryEdit::VoidReading); in a draft, its place from 1 as text.
    pub reading_id: String,
    /// What was read, with its value.
    pub measured: Measured,
    /// Grade whose produce was read; `None` if it counts for each grade that has no reading of its own.
    pub grade: Option<GradeCode>,
    /// Meter that showed it, if known.
    pub meter: Option<InstrumentCode>,
    /// Photo of it, if there is one.
    pub photo: Option<PhotoHash>,
    /// User who read it.
    pub user_id: UserId,
    /// When it was recorded; `None` in a draft.
    pub recorded_at: Option<Timestamp>,
    /// Voids of this reading.
    pub voids: Vec<Act>,
}

impl ReadingView {
    fn new(reading_id: String, reading: Reading, user_id: UserId, stamp: Option<&Stamp>) -> Result<Self, Error> {
        let measured = reading.measured()?;
        let Reading { grade, meter, photo, .. } = reading;
        let recorded_at = stamp.map(Stamp::written_at);
        Ok(Self { reading_id, measured, grade, meter, photo, user_id, recorded_at, voids: Vec::new() })
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
    /// What the current user may do with it now.
    pub actions: Vec<ActionCode>,
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
    /// Author, device and time of recording; `None` for a draft.
    pub recorded: Option<Stamp>,
    /// Users who weighed it, in the order in which they began; the last one weighs the draft, or recorded the delivery.
    pub users: Vec<UserId>,
    /// Farmer; `None` only in a draft.
    pub farmer_id: Option<FarmerId>,
    /// Load of all that was not put apart; `None` for none.
    pub load_id: Option<LoadId>,
    /// What of its bags and lots that are not voided is on each load, ordered by load, what is on none first: at least one part.
    pub parts: Vec<LoadPart>,
    /// Number of bags that the farmer declared; `None` if none was entered.
    pub declared_bags: Option<u32>,
    /// All bags by number, with those that are voided.
    pub bags: Vec<BagView>,
    /// All lots and vehicles by number, with those that are voided.
    pub lots: Vec<LotView>,
    /// Bags that were counted in the lots and vehicles.
    pub bag_counts: Vec<BagCount>,
    /// Readings of moisture and quality factors, with those that are voided; the rule set says which of several counts.
    pub readings: Vec<ReadingView>,
    /// Location that was set while weighing, if any.
    pub location: Option<Location>,
    /// Whether the farmer brought a second heap, so that it is not another record of the first one.
    pub is_second_heap: bool,
    /// Why it is put on a load above its limit, if it is.
    pub overload_reason: Option<Reason>,
    /// Paper form on which it was written first; `None` if on none.
    pub paper_entry: Option<PaperEntry>,
    /// Whether it has a signature or thumb mark, also as a draft.
    pub is_signed: bool,
    /// Signatures and thumb marks under a recorded delivery, oldest first, if the role may see them.
    pub signatures: Vec<SimpleView<Signature>>,
    /// Prints of the receipt, oldest first. The first one is the receipt, the others are copies.
    pub prints: Vec<Print>,
    /// Delivery that this one replaces: a voided one, or one that the office rejected.
    pub replaces: Option<DeliveryId>,
    /// Deliveries on this phone that replace it and are not voided: one, unless two phones replaced it at the same time.
    pub replaced_by: Vec<DeliveryId>,
    /// Totals of what is not voided, even if the delivery is voided. Without a rule set on this phone, each bag is of unknown type.
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
    /// Warnings about the instruments and weights of a draft; recording it asks about them. Of a recorded delivery, those about bags of one
    /// number.
    pub warnings: Vec<Warning>,
}

/// What a view shows of a recorded delivery besides its own document.
pub(super) struct Surroundings {
    pub(super) sync: SyncState,
    pub(super) reviews: Vec<ReviewCode>,
    pub(super) replaced_by: Vec<DeliveryId>,
    pub(super) load: Option<LoadState>,
    pub(super) signatures: Vec<SimpleView<Signature>>,
}

impl Surroundings {
    pub(super) fn read(db: &rusqlite::Connection, author: &Author, delivery: &Delivery) -> Result<Self, crate::Error> {
        let (id, document) = (delivery.delivery_id, delivery.delivery_id.into());
        let replacements = rows::replacements_of(&mut seam(db), &[id])?;
        Ok(Self {
            sync: outbox::state(db, document)?,
            reviews: decisions::review_codes(&mut seam(db), document)?,
            replaced_by: replacements.into_iter().map(|(_, replacement)| replacement).collect(),
            load: load_state(db, delivery)?,
            signatures: signatures_under(db, author, &delivery.centre, document)?,
        })
    }
}

/// Returns the state of the load that a delivery is on, of several the furthest; `None` without one, or if none is on this phone.
pub(super) fn load_state(
    db: &rusqlite::Connection,
    delivery: &Delivery,
) -> Result<Option<LoadState>, crate::store::Error> {
    let mut furthest = None;
    for load_id in delivery.parts().into_iter().filter_map(|part| part.load_id) {
        let state = rows::load_state_of(&mut seam(db), load_id)?;
        // A cancelled load is the last in the list of states, and is not on its way.
        let progress = |state: Option<LoadState>| state.filter(|it| *it != LoadState::Cancelled).map(|it| it as u8);
        if furthest.is_none() || progress(state) > progress(furthest) {
            furthest = state;
        }
    }
    Ok(furthest)
}

impl FieldClient {
    /// Returns the view of a stored delivery.
    pub(super) fn stored_view(
        &self,
        db: &rusqlite::Connection,
        author: &Author,
        version: [u8; 8],
        delivery: Delivery,
    ) -> Result<DeliveryView, crate::Error> {
        let surroundings = Surroundings::read(db, author, &delivery)?;
        self.delivery_view(author, version, delivery, surroundings)
    }

    pub(super) fn delivery_view(
        &self,
        author: &Author,
        version: [u8; 8],
        delivery: Delivery,
        surroundings: Surroundings,
    ) -> Result<DeliveryView, crate::Error> {
        let id = delivery.delivery_id;
        let Surroundings { sync, reviews, replaced_by, load, signatures } = surroundings;
        let at_hand = DeliveryAtHand {
            delivery: &delivery,
            load,
            is_replaced: !replaced_by.is_empty(),
            target: self.target(author, &delivery.recorded),
            windows: author.reference.windows_of(delivery.rule_set).of_changes(),
        };
        let actions = at_hand.actions(author.grant.role);
        let reference = self.reference();
        let weight = weigh(&WeightInput::from(&delivery), reference.rule_set(delivery.rule_set));
        let users = delivery.earlier_users.iter().copied().chain([delivery.recorded.user_id]);
        let read = |it: DeliveryReading| {
            let user_id = it.user_id();
            let view = ReadingView::new(it.key, it.reading, user_id, Some(&it.stamp))?;
            Ok(ReadingView { voids: it.voids, ..view })
        };
        let parts = delivery.parts();
        let counted = delivery.bags.iter().filter(|it| it.voids.is_empty()).map(|it| &it.bag);
        let warnings = repeated_numbers(counted);
        let bag = |it: DeliveryBag| BagView::new(it.key, it.bag, it.load_id, it.voids);
        let lot = |it: DeliveryLot| LotView::new(it.key, it.lot, it.load_id, it.voids);
        Ok(DeliveryView {
            delivery_id: id,
            basis: Basis { document_id: id.into(), version },
            lifecycle: if delivery.is_voided() { Lifecycle::Voided } else { Lifecycle::Recorded },
            actions,
            sync,
            receipt_number: Some(delivery.receipt_number()),
            totals: weight.totals(),
            grades: weight.grades,
            centre: delivery.centre,
            season: delivery.season,
            commodity: delivery.commodity,
            business_date: delivery.business_date,
            recorded: Some(delivery.recorded),
            users: users.collect(),
            farmer_id: Some(delivery.farmer_id),
            load_id: delivery.load_id,
            parts,
            declared_bags: delivery.declared_bags,
            bags: delivery.bags.into_iter().map(bag).collect(),
            lots: delivery.lots.into_iter().map(lot).collect(),
            bag_counts: delivery.bag_counts,
            readings: delivery.readings.into_iter().map(read).collect::<Result<_, Error>>()?,
            location: delivery.location,
            is_second_heap: delivery.is_second_heap,
            overload_reason: delivery.overload_reason,
            is_signed: signatures.iter().any(|it| it.state == SimpleState::Open),
            signatures,
            paper_entry: delivery.paper_entry,
            prints: delivery.prints,
            replaces: delivery.replaces,
            replaced_by,
            amendments: delivery.amendments,
            voids: delivery.voids,
            conflicts: delivery.conflicts,
            warnings,
            reviews,
        })
    }

    pub(in crate::client) fn draft_view(
        &self,
        db: &rusqlite::Connection,
        author: &Author,
        id: DeliveryId,
        version: u64,
        draft: &Draft,
    ) -> Result<DeliveryView, crate::Error> {
        let reference = self.reference();
        let rules = reference.rules_on(&draft.commodity, draft.business_date);
        let weight = weigh(&WeightInput::from(draft), rules);
        let readings = (1..).zip(&draft.readings).map(|(place, it): (u32, &Reading)| {
            ReadingView::new(place.to_string(), it.clone(), it.user_id.unwrap_or(draft.user_id), None)
        });
        let bag = |it: &Bag| BagView::new(it.number.to_string(), it.clone(), draft.load_of(it.number), Vec::new());
        let lot = |it: &Lot| LotView::new(it.number.to_string(), it.clone(), draft.load_of(it.number), Vec::new());
        Ok(DeliveryView {
            delivery_id: id,
            basis: Basis { document_id: id.into(), version: version.to_be_bytes() },
            lifecycle: Lifecycle::Draft,
            actions: draft_actions(draft.user_id == author.grant.user_id, author.grant.role),
            sync: SyncState::Unsent,
            receipt_number: None,
            totals: weight.totals(),
            grades: weight.grades,
            centre: draft.centre.clone(),
            season: draft.season.clone(),
            commodity: draft.commodity.clone(),
            business_date: draft.business_date,
            recorded: None,
            users: draft.earlier_users.iter().copied().chain([draft.user_id]).collect(),
            farmer_id: draft.farmer_id,
            load_id: draft.load_id,
            parts: draft.parts(),
            declared_bags: draft.declared_bags,
            bags: draft.bags.iter().map(bag).collect(),
            lots: draft.lots.iter().map(lot).collect(),
            bag_counts: draft.bag_counts.clone(),
            readings: readings.collect::<Result<_, Error>>()?,
            location: draft.location,
            is_second_heap: draft.is_second_heap,
            overload_reason: draft.overload_reason.clone(),
            paper_entry: draft.paper_entry.clone(),
            is_signed: draft.mark.is_some(),
            signatures: Vec::new(),
            prints: Vec::new(),
            replaces: draft.replaces,
            replaced_by: Vec::new(),
            amendments: Vec::new(),
            voids: Vec::new(),
            conflicts: Vec::new(),
            reviews: Vec::new(),
            warnings: warnings_of(db, author, draft, rules, self.date(), None)?,
        })
    }
}
