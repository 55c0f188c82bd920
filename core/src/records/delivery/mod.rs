//! A delivery: the bags that a farmer handed over.
//!
//! Invariants: the recorded snapshot never changes; a void is final; bags are only added or voided.

use minicbor::{Decode, Encode};

use super::bags::{self, Bag};
use super::shape::SNAPSHOT;
use super::stamp::Register;
use super::{
    Change, Class, Conflict, ConflictValue, Error, Fields, KeyRule, Privacy, Put, RecordKind, Shape, Stamp, Table,
    Topic, encode,
};
use crate::limits::MAX_MERGED_BAGS;
use crate::permission::Capability;
use crate::scope::{Scope, ScopeForm};
use crate::units::{
    BusinessDate, CentreCode, Column, CommodityCode, DeliveryId, DeviceCode, FarmerId, Grams, HybridTime, LoadId,
    Location, Percent, ReceiptNumber, SeasonCode, ToValue, UserId, Value,
};

/// Value of the key `v1`. Fields that stay equal over many deliveries come first and together, so that a bundle of many compresses well.
/// New fields go to the end; a reader skips those it does not know.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct DeliverySnapshot {
    #[n(0)]
    pub(crate) constants: DeliveryConstants,
    #[n(1)]
    pub(crate) wall_ms: i64,
    #[n(2)]
    pub(crate) counter: u32,
    #[n(3)]
    pub(crate) receipt_sequence: u32,
    #[n(4)]
    pub(crate) farmer_id: FarmerId,
    #[n(5)]
    pub(crate) readings: Vec<Percent>,
    #[n(6)]
    pub(crate) location: Option<Location>,
    #[cbor(n(7), with = "minicbor::bytes")]
    pub(crate) bags: Vec<u8>,
    #[n(8)]
    pub(crate) declared_bags: Option<u32>,
    #[n(9)]
    pub(crate) replaces: Option<DeliveryId>,
}

/// Part of a snapshot that is equal in many consecutive deliveries.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct DeliveryConstants {
    #[n(0)]
    pub(crate) user_id: UserId,
    #[n(1)]
    pub(crate) device_code: DeviceCode,
    #[n(2)]
    pub(crate) clock_suspect: bool,
    #[n(3)]
    pub(crate) centre: CentreCode,
    #[n(4)]
    pub(crate) season: SeasonCode,
    #[n(5)]
    pub(crate) commodity: CommodityCode,
    #[n(6)]
    pub(crate) rule_set: u32,
    #[n(7)]
    pub(crate) load_id: Option<LoadId>,
    #[n(8)]
    pub(crate) date: BusinessDate,
}

impl DeliverySnapshot {
    /// Returns the snapshot that a delivery's creating change wrote; `None` for any other change.
    pub(crate) fn of_change(change: &Change) -> Option<Self> {
        let (_, value) = change.values().find(|(key, _)| *key == SNAPSHOT)?;
        super::decode(value).ok()
    }

    fn stamp_of(value: &[u8]) -> Result<Stamp, Error> {
        super::decode::<Self>(value).map(|snapshot| snapshot.stamp())
    }

    pub(crate) fn stamp(&self) -> Stamp {
        Stamp {
            user_id: self.constants.user_id,
            device_code: self.constants.device_code,
            at: HybridTime { wall_ms: self.wall_ms, counter: self.counter },
            clock_suspect: self.constants.clock_suspect,
        }
    }
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
struct MoreBags {
    #[n(0)]
    stamp: Stamp,
    #[cbor(n(1), with = "minicbor::bytes")]
    bags: Vec<u8>,
}

/// Reason for an amendment or a void.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Reason {
    /// Code that the app chooses, such as `mistyped`, `wrong_farmer`, `returned`.
    #[n(0)]
    pub code: String,
    /// Free text of the person; may be empty.
    #[n(1)]
    pub text: String,
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
struct VoidedBag {
    #[n(0)]
    stamp: Stamp,
    #[n(1)]
    reason: Reason,
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
struct Event {
    #[n(0)]
    stamp: Stamp,
    #[n(1)]
    step: Step,
    #[n(2)]
    reason: Reason,
    /// Number of amendments the author had seen. A void that saw fewer than exist is concurrent with one of them.
    #[n(3)]
    amendments_seen: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
enum Step {
    #[n(0)]
    Amended,
    #[n(1)]
    Voided,
}

/// Amendment or void of a recorded delivery, or void of one of its bags.
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
    /// Voids of this bag itself. Without any it counts, unless the delivery is voided.
    pub voids: Vec<Act>,
}

/// Delivery, projected from all changes of its document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Id of the delivery.
    pub delivery_id: DeliveryId,
    /// Author, device and time of recording.
    pub recorded: Stamp,
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
    /// Load that the delivery is on; `None` for none.
    pub load_id: Option<LoadId>,
    /// Number of bags that the farmer declared; `None` if not asked.
    pub declared_bags: Option<u32>,
    /// Moisture readings in order; the rule set says which one counts.
    pub readings: Vec<Percent>,
    /// Location of the recording phone; `None` if not known.
    pub location: Option<Location>,
    /// Delivery that this one replaces: a voided one, or one that the office rejected.
    pub replaces: Option<DeliveryId>,
    /// All bags ever added, including voided ones, sorted by number.
    pub bags: Vec<DeliveryBag>,
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

    /// Returns the sum of the gross weights of all bags that are not voided, even if the delivery itself is voided.
    pub fn gross(&self) -> Grams {
        self.counted_bags().map(|bag| bag.gross.grams()).sum()
    }

    /// Returns the number on the receipt.
    pub fn receipt_number(&self) -> ReceiptNumber {
        ReceiptNumber {
            centre: self.centre.clone(),
            device_code: self.recorded.device_code,
            sequence: self.receipt_sequence,
        }
    }

    pub(crate) fn next_bag_number(&self) -> u32 {
        self.bags.iter().map(|bag| bag.bag.number).max().unwrap_or(0) + 1
    }
}

/// One correction within an amendment.
pub(crate) enum Amendment {
    AddBags(Vec<Bag>),
    VoidBag { key: String, reason: Reason },
    SetLoad(Option<LoadId>),
    SetDate(BusinessDate),
    SetDeclaredBags(Option<u32>),
}

pub(crate) fn amend(delivery: &Delivery, stamp: Stamp, reason: Reason, amendments: Vec<Amendment>) -> Vec<Put> {
    let mut puts = vec![event(delivery, stamp, Step::Amended, reason)];
    puts.extend(amendments.into_iter().map(|amendment| match amendment {
        Amendment::AddBags(bags) => {
            let bags = bags::pack(&bags, stamp.written_at());
            Put::Add('p', String::new(), encode(&MoreBags { stamp, bags }))
        }
        Amendment::VoidBag { key, reason } => Put::Add('x', key, encode(&VoidedBag { stamp, reason })),
        Amendment::SetLoad(value) => Put::Key("load", encode(&Register { stamp, value })),
        Amendment::SetDate(value) => Put::Key("date", encode(&Register { stamp, value })),
        Amendment::SetDeclaredBags(value) => Put::Key("count", encode(&Register { stamp, value })),
    }));
    puts
}

pub(crate) fn void(delivery: &Delivery, stamp: Stamp, reason: Reason) -> Vec<Put> {
    vec![event(delivery, stamp, Step::Voided, reason)]
}

fn event(delivery: &Delivery, stamp: Stamp, step: Step, reason: Reason) -> Put {
    let amendments_seen = u32::try_from(delivery.amendments.len()).unwrap_or(u32::MAX);
    Put::Add('e', String::new(), encode(&Event { stamp, step, reason, amendments_seen }))
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

/// Returns the bags of a delivery with their voids, by number and key.
fn bags_of(fields: &Fields, snapshot: &DeliverySnapshot) -> Result<Vec<DeliveryBag>, Error> {
    let mut bags: Vec<DeliveryBag> = bags::unpack(&snapshot.bags, snapshot.stamp().written_at())?
        .into_iter()
        .map(|bag| DeliveryBag { key: format!("v1-{}", bag.number), bag, voids: Vec::new() })
        .collect();
    for (key, more) in fields.added::<MoreBags>('p')? {
        let actor = key.split('-').next().unwrap_or_default();
        let more = bags::unpack(&more.bags, more.stamp.written_at())?.into_iter();
        bags.extend(more.map(|bag| DeliveryBag { key: format!("{actor}-{}", bag.number), bag, voids: Vec::new() }));
    }
    if bags.len() > MAX_MERGED_BAGS {
        return Err(Error::Malformed { reason: format!("a delivery has at most {MAX_MERGED_BAGS} bags") });
    }
    for (key, VoidedBag { stamp, reason }) in fields.added::<VoidedBag>('x')? {
        let bag_key = key.rsplitn(3, '-').nth(2).unwrap_or_default();
        for bag in bags.iter_mut().filter(|bag| bag.key == bag_key) {
            bag.voids.push(Act { stamp, reason: reason.clone() });
        }
    }
    bags.sort_by(|a, b| (a.bag.number, &a.key).cmp(&(b.bag.number, &b.key)));
    Ok(bags)
}

impl RecordKind for Delivery {
    const NUMBER: u8 = 1;
    const NAME: &'static str = "delivery";
    const HOME: ScopeForm = ScopeForm::Season;
    const PRIVACY: Privacy = Privacy::Business;
    const SHAPE: Shape = Shape(&[
        KeyRule::snapshot(Capability::RecordDelivery, "what was recorded", DeliverySnapshot::stamp_of),
        KeyRule::of(Class::Add, "p", Capability::AmendDelivery, "more bags"),
        KeyRule::of(Class::AddAbout, "x", Capability::AmendDelivery, "a voided bag, by the bag's key"),
        KeyRule::of(Class::Add, "e", Capability::AmendDelivery, "amended or voided"),
        KeyRule::of(Class::Register, "load", Capability::AmendDelivery, "the load it lies on"),
        KeyRule::of(Class::Register, "date", Capability::AmendDelivery, "the business date"),
        KeyRule::of(Class::Register, "count", Capability::AmendDelivery, "the declared number of bags"),
    ]);
    const TABLE: Table<Self> = Table {
        name: "deliveries",
        key: "delivery_id",
        columns: &[
            (Column::blob("farmer_id"), |it| it.farmer_id.to_value()),
            (Column::blob("load_id"), |it| it.load_id.to_value()),
            (Column::int("business_day"), |it| it.business_date.to_value()),
            (Column::int("recorded_at_ms"), |it| it.recorded.at.wall_ms.to_value()),
            (Column::blob("user_id"), |it| it.recorded.user_id.to_value()),
            (Column::int("device_code"), |it| it.recorded.device_code.to_value()),
            (Column::int("receipt_seq"), |it| it.receipt_sequence.to_value()),
            (Column::int("is_voided"), |it| Value::int(it.is_voided())),
            (Column::int("amendments"), |it| Value::int(it.amendments.len())),
            (Column::int("bag_count"), |it| Value::int(it.counted_bags().count())),
            (Column::int("gross_g"), |it| Value::int(it.gross().0)),
            (Column::blob("replaces"), |it| it.replaces.to_value()),
        ],
    };
    // The totals of loads depend on deliveries.
    const TOPICS: &'static [Topic] = &[Topic::Deliveries, Topic::Loads];

    type Id = DeliveryId;

    fn id(&self) -> DeliveryId {
        self.delivery_id
    }

    fn project(delivery_id: DeliveryId, fields: &Fields) -> Result<Option<Self>, Error> {
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

        let bags = bags_of(fields, &snapshot)?;
        let DeliverySnapshot { constants, .. } = snapshot;
        let mut events: Vec<Event> = fields.added('e')?.into_iter().map(|(_, event)| event).collect();
        events.sort_by_key(|event| (event.stamp.at, event.stamp.user_id));
        let of = |step| {
            let events = events.iter().filter(move |event| event.step == step);
            events.map(|event| Act { stamp: event.stamp, reason: event.reason.clone() }).collect::<Vec<_>>()
        };
        let (amendments, voids) = (of(Step::Amended), of(Step::Voided));
        let voids_saw =
            events.iter().filter(|event| event.step == Step::Voided).map(|event| event.amendments_seen).max();
        if voids_saw.is_some_and(|seen| (seen as usize) < amendments.len()) {
            conflicts.push(amended_and_voided(&amendments, &voids));
        }

        let load = |load: &Option<LoadId>| load.map_or_else(|| "no load".to_owned(), |load| load.to_string());
        let count = |count: &Option<u32>| count.map_or_else(|| "not declared".to_owned(), |count| count.to_string());
        Ok(Some(Delivery {
            delivery_id,
            recorded,
            centre: constants.centre,
            season: constants.season,
            commodity: constants.commodity,
            rule_set: constants.rule_set,
            farmer_id: snapshot.farmer_id,
            receipt_sequence: snapshot.receipt_sequence,
            business_date: fields.register("date", BusinessDate::to_string, &mut conflicts)?.unwrap_or(constants.date),
            load_id: fields.register("load", load, &mut conflicts)?.unwrap_or(constants.load_id),
            declared_bags: fields.register("count", count, &mut conflicts)?.unwrap_or(snapshot.declared_bags),
            readings: snapshot.readings,
            location: snapshot.location,
            replaces: snapshot.replaces,
            bags,
            amendments,
            voids,
            conflicts,
        }))
    }

    fn conflicts(&self) -> &[Conflict] {
        &self.conflicts
    }

    fn created(&self) -> Option<Stamp> {
        Some(self.recorded)
    }

    fn times(&self) -> Vec<HybridTime> {
        let acts = self.amendments.iter().chain(&self.voids).map(|act| act.stamp.at);
        acts.chain([self.recorded.at]).collect()
    }

    fn own_scope(&self) -> Option<Scope> {
        Some(Scope::Season(self.centre.clone(), self.season.clone()))
    }
}
