//! What only the server writes: ordered, append-only, never merged.
//!
//! Owns the decisions' values. Phone and server apply them with the same code (`store::decisions`).
//! Invariant: a decision that this version cannot read is kept as it came, and tried again at every opening of the store.

use minicbor::{Decode, Encode};

use crate::permission::Role;
use crate::units::{
    BagType, BusinessDate, CentreCode, ChangeHash, CommodityCode, DeviceId, DocumentId, Grams, GrantId, LorryPlate,
    OrganisationId, ReviewId, SeasonCode, Timestamp, UserId,
};

/// One decision. The numbers are on every wire: never reuse one.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Decision {
    /// The organisation's own record, or its newer version.
    #[n(0)]
    Organisation(#[n(0)] Organisation),
    /// A collection centre, or its newer version.
    #[n(1)]
    Centre(#[n(0)] Centre),
    /// A season, or its newer version.
    #[n(2)]
    Season(#[n(0)] Season),
    /// A commodity, or its newer version.
    #[n(3)]
    Commodity(#[n(0)] Commodity),
    /// A lorry, or its newer version.
    #[n(4)]
    Lorry(#[n(0)] Lorry),
    /// A rule set; immutable once published.
    #[n(5)]
    RuleSet(#[n(0)] RuleSet),
    /// A person who records, or a newer version of theirs.
    #[n(6)]
    User(#[n(0)] User),
    /// What a user may do on a device.
    #[n(7)]
    Grant(#[n(0)] Grant),
    /// A matter that waits for a person.
    #[n(8)]
    Review(#[n(0)] Review),
    /// A grant has ended.
    #[n(9)]
    Revocation(#[n(0)] Revocation),
    /// A user is suspended on a device, or no longer.
    #[n(10)]
    Suspension(#[n(0)] Suspension),
    /// What a device must do about itself.
    #[n(11)]
    Order(#[n(0)] DeviceOrder),
    /// A person is forgotten: the bytes of a document are dropped everywhere.
    #[n(13)]
    Erasure(#[n(0)] Erasure),
    /// A person decided about held changes.
    #[n(14)]
    Ruling(#[n(0)] Ruling),
}

/// Whose data this is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Organisation {
    /// Its id.
    #[n(0)]
    pub organisation_id: OrganisationId,
    /// Its name.
    #[n(1)]
    pub name: String,
    /// Minutes that its local time is ahead of UTC.
    #[n(2)]
    pub zone_minutes: i16,
}

/// A place where produce is weighed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Centre {
    /// Its code.
    #[n(0)]
    pub centre: CentreCode,
    /// Its name.
    #[n(1)]
    pub name: String,
}

/// A season of one commodity.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Season {
    /// Its code.
    #[n(0)]
    pub season: SeasonCode,
    /// What is bought.
    #[n(1)]
    pub commodity: CommodityCode,
    /// First day.
    #[n(2)]
    pub from: BusinessDate,
    /// Last day.
    #[n(3)]
    pub to: BusinessDate,
}

/// Something that is bought.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Commodity {
    /// Its code.
    #[n(0)]
    pub commodity: CommodityCode,
    /// Its name.
    #[n(1)]
    pub name: String,
}

/// A lorry.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Lorry {
    /// Its plate.
    #[n(0)]
    pub lorry: LorryPlate,
    /// What it may carry.
    #[n(1)]
    pub payload: Grams,
}

/// A type of bag or crate.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct BagTypeRule {
    /// Its number, 0 to 15.
    #[n(0)]
    pub number: u8,
    /// Its name.
    #[n(1)]
    pub name: String,
    /// What an empty one weighs.
    #[n(2)]
    pub tare: Grams,
}

impl BagTypeRule {
    /// Whether the rule is about this type.
    pub fn is_for(&self, bag_type: BagType) -> bool {
        self.number == bag_type.number()
    }
}

/// The numbered rules of one commodity that are stamped on each delivery.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct RuleSet {
    /// Its number, rising.
    #[n(0)]
    pub number: u32,
    /// For what.
    #[n(1)]
    pub commodity: CommodityCode,
    /// From which day.
    #[n(2)]
    pub valid_from: BusinessDate,
    /// What bags there are and what they weigh empty.
    #[n(3)]
    pub bag_types: Vec<BagTypeRule>,
    /// Whether a delivery needs a moisture reading.
    #[n(4)]
    pub moisture_required: bool,
}

/// A person who records.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct User {
    /// Their id.
    #[n(0)]
    pub user: UserId,
    /// Their name.
    #[n(1)]
    pub name: String,
}

/// What a user may do on a device, checked offline by core and for each entry by the server.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Grant {
    /// Its id.
    #[n(0)]
    pub grant: GrantId,
    /// Who.
    #[n(1)]
    pub user: UserId,
    /// On which device.
    #[n(2)]
    pub device: DeviceId,
    /// As what.
    #[n(3)]
    pub role: Role,
    /// Where.
    #[n(4)]
    pub centres: Vec<CentreCode>,
    /// Since when.
    #[n(5)]
    pub granted_at: Timestamp,
}

/// A matter that waits for a person. It holds what `code` says it blocks, never the record.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Review {
    /// Its id: the same matter has the same id, however often it is found.
    #[n(0)]
    pub review: ReviewId,
    /// What kind of matter.
    #[n(1)]
    pub code: String,
    /// The records it is about.
    #[n(2)]
    pub documents: Vec<DocumentId>,
    /// When the server raised it.
    #[n(3)]
    pub raised_at: Timestamp,
}

/// The end of a grant. What was made without knowing of it is logged and reviewed, what was made knowing it is held.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Revocation {
    /// Which grant.
    #[n(0)]
    pub grant: GrantId,
    /// When the office said so.
    #[n(1)]
    pub revoked_at: Timestamp,
}

/// Whether a user may work on a device; stands in the scope of each device that the user has a grant on.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Suspension {
    /// Who.
    #[n(0)]
    pub user: UserId,
    /// On which device.
    #[n(1)]
    pub device: DeviceId,
    /// Whether it holds from here on; `false` lifts it.
    #[n(2)]
    pub is_suspended: bool,
    /// When the office said so.
    #[n(3)]
    pub suspended_at: Timestamp,
}

/// An order to a device; the newest counts.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct DeviceOrder {
    /// To whom.
    #[n(0)]
    pub device: DeviceId,
    /// What to do.
    #[n(1)]
    pub order: Order,
    /// Since when.
    #[n(2)]
    pub ordered_at: Timestamp,
}

/// What a device may be told about itself. The numbers are on every wire: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Order {
    /// Go on: an earlier order no longer holds.
    #[n(0)]
    Work,
    /// It is lost: record nothing, read nothing more; what it hands in is held.
    #[n(1)]
    Lost,
    /// Hand everything in, then destroy what is here.
    #[n(2)]
    Wipe,
    /// A second copy of it is about: take a new key and a new id.
    #[n(3)]
    Rekey,
}

impl std::str::FromStr for Order {
    type Err = crate::units::UnitError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Self::Work, Self::Lost, Self::Wipe, Self::Rekey];
        let order = all.into_iter().find(|order| order.name() == text);
        order.ok_or_else(|| crate::units::UnitError::new("not an order: use lost, wipe, rekey or work"))
    }
}

impl Order {
    /// The order's stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Lost => "lost",
            Self::Wipe => "wipe",
            Self::Rekey => "rekey",
        }
    }
}

/// The end of a document's bytes. Hashes stay, so chains and signatures still hold.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Erasure {
    /// Which document.
    #[n(0)]
    pub document: DocumentId,
    /// When the office said so.
    #[n(1)]
    pub erased_at: Timestamp,
}

/// What a person decided about held changes of a device; stands in the device's scope.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Ruling {
    /// The document.
    #[n(0)]
    pub document: DocumentId,
    /// The changes, those that follow from the first among them.
    #[n(1)]
    pub changes: Vec<ChangeHash>,
    /// Whether they are in the log now; otherwise they went back to their author.
    #[n(2)]
    pub is_approved: bool,
    /// Words for the author, may be empty.
    #[n(3)]
    pub reason: String,
    /// When.
    #[n(4)]
    pub ruled_at: Timestamp,
}
