//! A delivery that is still being weighed: stored on one phone, not a document yet.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};

use super::delivery::{Delivery, DeliveryReading, DeliverySnapshot, LoadPart, Loaded, PutApart, Reason, parts};
use super::{Bag, BagCount, Change, Lot, Mark, PaperEntry, Reading};
use crate::units::{
    BusinessDate, CentreCode, CommodityCode, DeliveryId, DocumentId, FarmerId, Grams, LoadId, Location, SeasonCode,
    UserId,
};

/// Delivery that is not recorded yet. It is stored on one phone, survives a crash, and is in no total.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Draft {
    /// User who weighs: who started the draft, or took it over last.
    #[n(0)]
    pub user_id: UserId,
    /// Collection centre of the delivery.
    #[n(1)]
    pub centre: CentreCode,
    /// Season of the delivery.
    #[n(2)]
    pub season: SeasonCode,
    /// Commodity being weighed.
    #[n(3)]
    pub commodity: CommodityCode,
    /// Day that the delivery will count for.
    #[n(4)]
    pub business_date: BusinessDate,
    /// Farmer who delivers; required before recording.
    #[n(5)]
    pub farmer_id: Option<FarmerId>,
    /// Load that the delivery will be on; `None` for none.
    #[n(6)]
    pub load_id: Option<LoadId>,
    /// Number of bags that the farmer declared; `None` if not asked.
    #[n(7)]
    pub declared_bags: Option<u32>,
    /// Bags weighed so far.
    #[n(8)]
    pub bags: Vec<Bag>,
    /// Number for the next bag or lot; those of removed ones are not used again.
    #[n(9)]
    pub next_number: u32,
    /// Readings so far, each with the user who read it.
    #[n(10)]
    pub readings: Vec<Reading>,
    /// Location of the phone; `None` if not known.
    #[n(11)]
    pub location: Option<Location>,
    /// Delivery that this one replaces: a voided one, or one that the office rejected.
    #[n(12)]
    pub replaces: Option<DeliveryId>,
    /// Receipt count of the rejected delivery that this draft was made of, which recording uses again; `None` to count a new receipt.
    #[n(13)]
    pub receipt_sequence: Option<u32>,
    /// Lots and vehicles weighed so far.
    #[n(14)]
    pub lots: Vec<Lot>,
    /// Bags that were counted in the lots and vehicles.
    #[n(15)]
    pub bag_counts: Vec<BagCount>,
    /// Signature or thumb mark, if there is one; recording makes it a record of its own.
    #[n(16)]
    pub mark: Option<Mark>,
    /// Whether the farmer brought a second heap, so that it is not another record of the first one.
    #[n(17)]
    pub is_second_heap: bool,
    /// Users from whom the draft was taken over, in the order in which they began.
    #[n(18)]
    pub earlier_users: Vec<UserId>,
    /// Why it is put on a load above its limit.
    #[n(19)]
    pub overload_reason: Option<Reason>,
    /// Paper form on which it was written first.
    #[n(20)]
    pub paper_entry: Option<PaperEntry>,
    /// Bags and lots that travel on another load than the draft's; each number is in at most one.
    #[n(21)]
    pub apart: Vec<PutApart>,
}

impl Draft {
    /// Returns a draft in which nothing is weighed yet.
    pub(crate) fn new(
        user_id: UserId,
        centre: CentreCode,
        season: SeasonCode,
        commodity: CommodityCode,
        business_date: BusinessDate,
    ) -> Self {
        Self {
            user_id,
            centre,
            season,
            commodity,
            business_date,
            farmer_id: None,
            load_id: None,
            declared_bags: None,
            bags: Vec::new(),
            next_number: 1,
            readings: Vec::new(),
            location: None,
            replaces: None,
            receipt_sequence: None,
            lots: Vec::new(),
            bag_counts: Vec::new(),
            mark: None,
            is_second_heap: false,
            earlier_users: Vec::new(),
            overload_reason: None,
            paper_entry: None,
            apart: Vec::new(),
        }
    }

    /// Returns the weight of produce and bags.
    pub fn gross(&self) -> Grams {
        let bags: Grams = self.bags.iter().map(|bag| bag.gross.grams()).sum();
        bags + self.lots.iter().map(Lot::without_vehicle).sum()
    }

    /// Returns what is on each load: at least one part.
    pub fn parts(&self) -> Vec<LoadPart> {
        let bags = self.bags.iter();
        let bags = bags.map(|it| (it.number, it.gross.grams(), false));
        let all = bags.chain(self.lots.iter().map(|it| (it.number, it.without_vehicle(), true)));
        let items = all.map(|(number, gross, is_lot)| Loaded { load_id: self.load_of(number), gross, is_lot });
        let counted = self.bag_counts.iter().fold(0_u32, |sum, it| sum.saturating_add(it.count));
        parts(self.load_id, counted, items)
    }

    /// Returns the load of a bag or lot.
    pub(crate) fn load_of(&self, number: u32) -> Option<LoadId> {
        let apart = self.apart.iter().find(|it| it.numbers.contains(&number));
        apart.map_or(self.load_id, |it| it.load_id)
    }

    /// Puts bags and lots on a load of their own.
    pub(crate) fn put_apart(&mut self, load_id: Option<LoadId>, numbers: &[u32]) {
        self.forget_apart(numbers);
        let mut added: BTreeSet<u32> = numbers.iter().copied().collect();
        if let Some(same) = self.apart.iter().position(|it| it.load_id == load_id) {
            added.extend(self.apart.remove(same).numbers);
        }
        self.apart.push(PutApart { load_id, numbers: added.into_iter().collect() });
    }

    /// Puts bags and lots back on the load of the draft.
    pub(crate) fn forget_apart(&mut self, numbers: &[u32]) {
        for apart in &mut self.apart {
            apart.numbers.retain(|number| !numbers.contains(number));
        }
        self.apart.retain(|it| !it.numbers.is_empty());
    }

    /// Returns whether the draft, or some of its bags or lots, is for a load.
    pub(crate) fn is_for(&self, load_id: LoadId) -> bool {
        self.load_id == Some(load_id) || self.apart.iter().any(|it| it.load_id == Some(load_id))
    }

    /// Returns a draft with what counts of a delivery, which it replaces, by the users who weighed and read. Of several bags and lots to which
    /// phones gave one number, the later ones get others, because the keys of a snapshot have no more than the number.
    pub(crate) fn again(delivery: &Delivery, user_id: UserId) -> Self {
        let (centre, season) = (delivery.centre.clone(), delivery.season.clone());
        let read = |it: &DeliveryReading| Reading { user_id: Some(it.user_id()), ..it.reading.clone() };
        let earlier = delivery.earlier_users.iter().copied().chain([delivery.recorded.user_id]);
        let counted = delivery.bags.iter().filter(|it| it.voids.is_empty());
        let (mut bags, of_bags): (Vec<Bag>, Vec<_>) = counted.map(|it| (it.bag.clone(), it.load_id)).unzip();
        let counted = delivery.lots.iter().filter(|it| it.voids.is_empty());
        let (mut lots, of_lots): (Vec<Lot>, Vec<_>) = counted.map(|it| (it.lot.clone(), it.load_id)).unzip();
        let (mut numbers, mut next_number) = (BTreeSet::new(), delivery.next_number());
        for number in bags.iter_mut().map(|it| &mut it.number).chain(lots.iter_mut().map(|it| &mut it.number)) {
            if !numbers.insert(*number) {
                *number = next_number;
                next_number = next_number.saturating_add(1);
            }
        }
        let numbers = bags.iter().map(|it| it.number).chain(lots.iter().map(|it| it.number));
        let mut apart = BTreeMap::<_, Vec<u32>>::new();
        for (number, load_id) in numbers.zip(of_bags.into_iter().chain(of_lots)) {
            if load_id != delivery.load_id {
                apart.entry(load_id).or_default().push(number);
            }
        }
        bags.sort_by_key(|it| it.number);
        lots.sort_by_key(|it| it.number);
        Self {
            farmer_id: Some(delivery.farmer_id),
            load_id: delivery.load_id,
            declared_bags: delivery.declared_bags,
            bags,
            next_number,
            readings: delivery.readings.iter().filter(|it| it.voids.is_empty()).map(read).collect(),
            location: delivery.location,
            replaces: Some(delivery.delivery_id),
            lots,
            bag_counts: delivery.bag_counts.clone(),
            is_second_heap: delivery.is_second_heap,
            overload_reason: delivery.overload_reason.clone(),
            paper_entry: delivery.paper_entry.clone(),
            apart: apart.into_iter().map(|(load_id, numbers)| PutApart { load_id, numbers }).collect(),
            earlier_users: earlier.filter(|user| *user != user_id).collect(),
            ..Self::new(user_id, centre, season, delivery.commodity.clone(), delivery.business_date)
        }
    }

    /// Returns a draft with content and receipt of the rejected delivery `document`, which it replaces; `None` unless `change` created it.
    pub(crate) fn of_rejected(document: DocumentId, change: &Change) -> Option<Self> {
        let snapshot = DeliverySnapshot::of_change(change)?;
        let bags = snapshot.bags().ok()?;
        let numbers = bags.iter().map(|bag| bag.number).chain(snapshot.lots.iter().map(|lot| lot.number));
        let next_number = numbers.max().unwrap_or(0).saturating_add(1);
        let user_id = snapshot.constants.user_id;
        let read = |it: Reading| Reading { user_id: it.user_id.or(Some(user_id)), ..it };
        let DeliverySnapshot { constants, .. } = snapshot;
        Some(Self {
            user_id,
            centre: constants.centre,
            season: constants.season,
            commodity: constants.commodity,
            business_date: constants.date,
            farmer_id: Some(snapshot.farmer_id),
            load_id: constants.load_id,
            declared_bags: snapshot.declared_bags,
            bags,
            next_number,
            readings: snapshot.readings.into_iter().map(read).collect(),
            location: snapshot.location,
            replaces: Some(document.into()),
            receipt_sequence: Some(snapshot.receipt_sequence),
            lots: snapshot.lots,
            bag_counts: snapshot.bag_counts,
            mark: None,
            is_second_heap: snapshot.is_second_heap,
            earlier_users: snapshot.earlier_users,
            overload_reason: snapshot.overload_reason,
            paper_entry: snapshot.paper_entry,
            apart: snapshot.apart,
        })
    }
}
