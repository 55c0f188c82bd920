//! A delivery: the produce that a farmer handed over, as it was weighed and read.
//!
//! Invariants: the recorded snapshot never changes; a void is final; bags, lots, readings and prints are only added or voided.

mod parts;
mod projection;
mod snapshot;
mod values;

pub use parts::{LoadPart, Move, PutApart};
pub(crate) use parts::{Loaded, parts};
pub(crate) use snapshot::DeliverySnapshot;
pub(crate) use values::{Amendment, add_readings, amend, print, void};
pub use values::{Print, PrintMedium, Reason};

use super::{
    Bag, BagCount, Class, Conflict, Details, Error, Fields, KeyRule, Lot, PaperEntry, Privacy, Reading, RecordKind,
    Shape, Stamp, Table, Topic,
};
use crate::permission::Capability;
use crate::scope::{Scope, ScopeForm};
use crate::units::{
    BusinessDate, CentreCode, Column, CommodityCode, DeliveryId, FarmerId, Grams, HybridTime, LoadId, Location,
    ReceiptNumber, SeasonCode, Timestamp, ToValue, UserId, Value,
};

/// Amendment or void of a recorded delivery, or void of one of its bags, lots or readings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// Author, device and time.
    pub stamp: Stamp,
    /// Reason that the person gave.
    pub reason: Reason,
}

/// Bag of a recorded delivery, with its key and its voids; a voided bag stays in the list and counts in no total.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryBag {
    /// Key of the bag in the document: `v1-3`, or `1a2b3c4d-21` if it was added later.
    pub key: String,
    /// The bag as weighed.
    pub bag: Bag,
    /// Load that it is on; `None` for none.
    pub load_id: Option<LoadId>,
    /// Voids of this bag itself. Without any it counts, unless the delivery is voided.
    pub voids: Vec<Act>,
}

/// Lot of a recorded delivery, with its key and its voids, like a [`DeliveryBag`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryLot {
    /// Key of the lot in the document, of the form of a bag's.
    pub key: String,
    /// The lot as weighed.
    pub lot: Lot,
    /// Load that it is on; `None` for none.
    pub load_id: Option<LoadId>,
    /// Voids of this lot itself.
    pub voids: Vec<Act>,
}

/// Reading of a recorded delivery, with its key and its voids; a voided reading counts for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryReading {
    /// Key of the reading in the document: `v1-m1`, or `m1a2b3c4d-21` if it was taken later.
    pub key: String,
    /// The reading as taken.
    pub reading: Reading,
    /// Author, device and time of the value in which it is.
    pub stamp: Stamp,
    /// Voids of this reading.
    pub voids: Vec<Act>,
}

impl DeliveryReading {
    /// Returns the user who read it.
    pub fn user_id(&self) -> UserId {
        self.reading.user_id.unwrap_or(self.stamp.user_id)
    }
}

/// Delivery, projected from all changes of its document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Id of the delivery.
    pub delivery_id: DeliveryId,
    /// Author, device and time of recording.
    pub recorded: Stamp,
    /// Users who weighed before the one who recorded, in the order in which they began.
    pub earlier_users: Vec<UserId>,
    /// Collection centre of the delivery.
    pub centre: CentreCode,
    /// Season of the delivery.
    pub season: SeasonCode,
    /// Commodity that was delivered.
    pub commodity: CommodityCode,
    /// Number of the rule set it was recorded under.
    pub rule_set: u32,
    /// Farmer who delivered; never changes.
    pub farmer_id: FarmerId,
    /// Number of the receipt in the recording device's count.
    pub receipt_sequence: u32,
    /// Day that the delivery counts for.
    pub business_date: BusinessDate,
    /// Load of the bags and lots that were not put apart; `None` for none.
    pub load_id: Option<LoadId>,
    /// When it was last put on a load or taken off one after recording; `None` if never.
    pub moved_at: Option<HybridTime>,
    /// Moves of bags and lots to loads of their own, oldest first.
    pub moves: Vec<Move>,
    /// Number of bags that the farmer declared; `None` if not asked.
    pub declared_bags: Option<u32>,
    /// Readings in their order, including voided ones; the rule set says which of several counts.
    pub readings: Vec<DeliveryReading>,
    /// Location of the recording phone; `None` if not known.
    pub location: Option<Location>,
    /// Delivery that this one replaces: a voided one, or one that the office rejected.
    pub replaces: Option<DeliveryId>,
    /// Whether the farmer brought a second heap, so that it is not another record of the first one.
    pub is_second_heap: bool,
    /// Why it was put on a load above its limit, if it was.
    pub overload_reason: Option<Reason>,
    /// Paper form on which it was written first; `None` if on none.
    pub paper_entry: Option<PaperEntry>,
    /// All bags ever added, including voided ones, sorted by number.
    pub bags: Vec<DeliveryBag>,
    /// All lots and vehicles ever added, including voided ones, sorted by number.
    pub lots: Vec<DeliveryLot>,
    /// Bags that were counted in the lots and vehicles.
    pub bag_counts: Vec<BagCount>,
    /// Those that were counted when it was recorded.
    pub first_bag_counts: Vec<BagCount>,
    /// Prints of the receipt, oldest first. The first one is the receipt, the others are copies.
    pub prints: Vec<Print>,
    /// Amendments, oldest first.
    pub amendments: Vec<Act>,
    /// Voids of the delivery, oldest first; several if people voided it concurrently.
    pub voids: Vec<Act>,
    /// Conflicts between concurrent changes.
    pub conflicts: Vec<Conflict>,
}

impl Delivery {
    /// Returns whether the delivery no longer counts. A void wins over any concurrent amendment.
    pub fn is_voided(&self) -> bool {
        !self.voids.is_empty()
    }

    /// Returns the bags that are not voided, even if the delivery itself is voided.
    pub fn counted_bags(&self) -> impl Iterator<Item = &Bag> {
        self.bags.iter().filter(|bag| bag.voids.is_empty()).map(|bag| &bag.bag)
    }

    /// Returns the lots that are not voided, even if the delivery itself is voided.
    pub fn counted_lots(&self) -> impl Iterator<Item = &Lot> {
        self.lots.iter().filter(|lot| lot.voids.is_empty()).map(|lot| &lot.lot)
    }

    /// Returns the readings that are not voided.
    pub fn counted_readings(&self) -> impl Iterator<Item = &Reading> {
        self.readings.iter().filter(|it| it.voids.is_empty()).map(|it| &it.reading)
    }

    /// Returns the number of bags that are not voided and of those that were counted in lots, even if the delivery itself is voided.
    pub fn bag_count(&self) -> u32 {
        let weighed = u32::try_from(self.counted_bags().count()).unwrap_or(u32::MAX);
        self.bag_counts.iter().fold(weighed, |sum, it| sum.saturating_add(it.count))
    }

    /// Returns the weight of produce and bags that are not voided, even if the delivery itself is voided.
    pub fn gross(&self) -> Grams {
        let bags: Grams = self.counted_bags().map(|bag| bag.gross.grams()).sum();
        bags + self.counted_lots().map(Lot::without_vehicle).sum()
    }

    /// Returns the delivery with only those bags, lots, counts and readings that were recorded first, none of them voided.
    pub(crate) fn as_recorded(&self) -> Self {
        let is_first = |key: &str| key.starts_with("v1-");
        let mut first = self.clone();
        first.bag_counts.clone_from(&self.first_bag_counts);
        first.bags.retain(|it| is_first(&it.key));
        first.lots.retain(|it| is_first(&it.key));
        first.readings.retain(|it| is_first(&it.key));
        let voids = first.bags.iter_mut().map(|it| &mut it.voids).chain(first.lots.iter_mut().map(|it| &mut it.voids));
        voids.chain(first.readings.iter_mut().map(|it| &mut it.voids)).for_each(Vec::clear);
        first
    }

    /// Returns when something of it was last weighed or read.
    pub fn measured_at(&self) -> Timestamp {
        let bags = self.bags.iter().map(|it| it.bag.weighed_at);
        let lots = self.lots.iter().map(|it| it.lot.weighed_at);
        let readings = self.readings.iter().map(|it| it.stamp.written_at());
        bags.chain(lots).chain(readings).max().unwrap_or(self.recorded.written_at())
    }

    /// Returns author and time of each change after recording for which a state of the delivery or its load matters: amendments, voids, and
    /// readings that were added; in no order.
    pub fn changes(&self) -> impl Iterator<Item = Stamp> {
        let acts = self.amendments.iter().chain(&self.voids).map(|act| act.stamp);
        acts.chain(self.readings.iter().map(|it| it.stamp).filter(|stamp| *stamp != self.recorded))
    }

    /// Returns the number on the receipt.
    pub fn receipt_number(&self) -> ReceiptNumber {
        ReceiptNumber {
            centre: self.centre.clone(),
            device_code: self.recorded.device_code,
            sequence: self.receipt_sequence,
        }
    }

    /// Returns the number for the next bag or lot.
    pub(crate) fn next_number(&self) -> u32 {
        let (bags, lots) = (self.bags.iter().map(|it| it.bag.number), self.lots.iter().map(|it| it.lot.number));
        bags.chain(lots).max().unwrap_or(0).saturating_add(1)
    }
}

/// Returns a load as the value of a column.
fn load_value(load_id: Option<LoadId>) -> Value<'static> {
    load_id.map_or(Value::Null, |load| Value::Blob(load.as_bytes().to_vec().into()))
}

impl RecordKind for Delivery {
    const NUMBER: u8 = 1;
    const NAME: &'static str = "delivery";
    const HOME: ScopeForm = ScopeForm::Season;
    const PRIVACY: Privacy = Privacy::Business;
    const SHAPE: Shape = Shape(&[
        KeyRule::snapshot(Capability::RecordDelivery, "what was recorded", DeliverySnapshot::stamp_of),
        KeyRule::of(Class::Add, "p", Capability::AmendDelivery, "more bags and lots"),
        KeyRule::of(Class::AddAbout, "x", Capability::AmendDelivery, "a voided bag, lot or reading, by its key"),
        KeyRule::of(Class::Add, "e", Capability::AmendDelivery, "amended or voided"),
        KeyRule::of(Class::Register, "load", Capability::AmendDelivery, "the load it lies on"),
        KeyRule::of(Class::Add, "t", Capability::AmendDelivery, "bags and lots that were put on a load of their own"),
        KeyRule::of(Class::Register, "date", Capability::AmendDelivery, "the business date"),
        KeyRule::of(Class::Register, "count", Capability::AmendDelivery, "the declared number of bags"),
        KeyRule::of(Class::Register, "bags", Capability::AmendDelivery, "the bags counted in lots and vehicles"),
        KeyRule::of(Class::Add, "m", Capability::ObserveQuality, "a reading of moisture or of a quality factor"),
        KeyRule::of(Class::Add, "w", Capability::PrintReceipt, "a print of the receipt"),
    ]);
    const TABLE: Table<Self> = Table {
        name: "deliveries",
        key: "delivery_id",
        columns: &[
            (Column::blob("farmer_id"), |it| it.farmer_id.to_value()),
            (Column::blob("load_id"), |it| load_value(it.only_load())),
            (Column::int("parts"), |it| Value::int(it.parts().len())),
            (Column::int("business_day"), |it| it.business_date.to_value()),
            (Column::int("recorded_at_ms"), |it| it.recorded.at.wall_ms.to_value()),
            (Column::int("measured_at_ms"), |it| Value::int(it.measured_at().0)),
            (Column::blob("user_id"), |it| it.recorded.user_id.to_value()),
            (Column::int("device_code"), |it| it.recorded.device_code.to_value()),
            (Column::int("receipt_seq"), |it| it.receipt_sequence.to_value()),
            (Column::int("is_voided"), |it| Value::int(it.is_voided())),
            (Column::int("amendments"), |it| Value::int(it.amendments.len())),
            (Column::int("bag_count"), |it| Value::int(it.bag_count())),
            (Column::int("gross_g"), |it| Value::int(it.gross().0)),
            (Column::blob("replaces"), |it| it.replaces.to_value()),
            (Column::text("paper_book"), |it| it.paper_entry.as_ref().map_or(Value::Null, |it| it.book.to_value())),
            (Column::int("paper_serial"), |it| it.paper_entry.as_ref().map_or(Value::Null, |it| Value::int(it.serial))),
        ],
    };
    const DETAILS: Option<Details<Self>> = Some(Details {
        table: "delivery_parts",
        columns: &[Column::blob("load_id"), Column::int("is_voided"), Column::int("bag_count"), Column::int("gross_g")],
        rows: |it| {
            let is_voided = it.is_voided();
            let cells = |part: LoadPart| {
                let (bags, gross) = (Value::int(part.bags), Value::int(part.gross_g.0));
                vec![load_value(part.load_id), Value::int(is_voided), bags, gross]
            };
            let parts = it.parts();
            // What is on one load is in the row of the delivery.
            if parts.len() > 1 { parts.into_iter().map(cells).collect() } else { Vec::new() }
        },
    });
    // The totals of loads depend on deliveries.
    const TOPICS: &'static [Topic] = &[Topic::Deliveries, Topic::Loads];

    type Id = DeliveryId;

    fn id(&self) -> DeliveryId {
        self.delivery_id
    }

    fn project(delivery_id: DeliveryId, fields: &Fields) -> Result<Option<Self>, Error> {
        projection::project(delivery_id, fields)
    }

    fn conflicts(&self) -> &[Conflict] {
        &self.conflicts
    }

    fn created(&self) -> Option<Stamp> {
        Some(self.recorded)
    }

    fn times(&self) -> Vec<HybridTime> {
        let acts = self.amendments.iter().chain(&self.voids).map(|act| act.stamp);
        let readings = self.readings.iter().map(|it| it.stamp);
        let prints = self.prints.iter().map(|it| it.stamp);
        let moves = self.moves.iter().map(|it| it.stamp);
        acts.chain(readings).chain(prints).chain(moves).chain([self.recorded]).map(|stamp| stamp.at).collect()
    }

    fn farmer_id(&self) -> Option<FarmerId> {
        Some(self.farmer_id)
    }

    fn own_scope(&self) -> Option<Scope> {
        Some(Scope::Season(self.centre.clone(), self.season.clone()))
    }

    fn rule_set(&self) -> Option<u32> {
        Some(self.rule_set)
    }
}
