//! A farmer: an identity that is kept for ever, and contact and payout details in documents of their own that can be erased.
//!
//! Invariants: the identity has no personal data; each change of the others that writes what a person is called or reached by has 16 random
//! bytes, so that nobody can find an erased name by hashing candidates and comparing them with the hash that is kept.

mod contact;
mod payout;

use std::collections::BTreeSet;

use minicbor::{Decode, Encode};

pub use contact::{Contact, ContactDetails};
pub(crate) use contact::{ContactSnapshot, edit_contact};
pub use payout::{Payout, PayoutAccount, PayoutField, PayoutMethod, Reveal, masked, masked_account, payout_of};
pub(crate) use payout::{payout_puts, reveal_put};

use super::shape::SNAPSHOT;
use super::stamp::{Register, Stamped};
use super::{Class, Conflict, Error, Fields, KeyRule, Privacy, Put, RecordKind, Shape, Stamp, Table, Topic, encode};
use crate::permission::Capability;
use crate::scope::{Scope, ScopeForm};
use crate::units::{CentreCode, Column, FarmerId, FarmerTag, HybridTime, Timestamp, Value};

/// Value of key `v1` of a farmer's identity document; the farmer's code is derived from it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct FarmerSnapshot {
    #[n(0)]
    pub(crate) centre: CentreCode,
    #[n(1)]
    pub(crate) stamp: Stamp,
    #[n(2)]
    pub(crate) sequence: u32,
}

/// Key of the register that says whether new records about the farmer are expected.
const ACTIVE: &str = "active";
/// Family of keys for tags, and for what was removed, which names the key that its author saw.
const TAG: char = 't';
const REMOVED: char = 'x';

/// Personal text with the random bytes that hide it from a search by its hash.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Personal<T> {
    #[cbor(n(0), with = "minicbor::bytes")]
    nonce: [u8; 16],
    #[n(1)]
    value: T,
}

/// Identity of a farmer, projected from all changes of its document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Farmer {
    /// Id of the farmer.
    pub farmer_id: FarmerId,
    /// Author, device and time of the registration.
    pub registered: Stamp,
    /// Home centre of the farmer.
    pub centre: CentreCode,
    /// Number of the farmer in the registering device's count.
    pub sequence: u32,
    /// Time from which the farmer is inactive, so that no new records are expected; `None` for an active farmer.
    pub inactive_from: Option<Timestamp>,
    /// Tags, sorted: those that were added and not removed by somebody who saw that.
    pub tags: Vec<FarmerTag>,
    /// Times of the added and removed tags.
    changed: Vec<Stamp>,
    /// Keys under which each tag was added, for its removal.
    tag_keys: Vec<(String, FarmerTag)>,
    /// Conflicts between concurrent changes.
    pub conflicts: Vec<Conflict>,
}

impl Farmer {
    /// Returns the farmer code, `T-CENTRE-DEVICE-COUNT`, of the device that registered the farmer.
    pub fn code(&self) -> String {
        format!("T-{}-{}-{}", self.centre, self.registered.device_code, self.sequence)
    }

    /// Returns the put of the register that says whether the farmer is active.
    pub(crate) fn set_active(stamp: Stamp, is_active: bool) -> Put {
        Put::Key(ACTIVE, encode(&Register { stamp, value: is_active }))
    }

    /// Returns the puts after which the farmer has these tags, as far as nobody changes them at the same time.
    pub(crate) fn set_tags(&self, stamp: Stamp, tags: &BTreeSet<FarmerTag>) -> Vec<Put> {
        let added = tags.iter().filter(|tag| !self.tags.contains(tag));
        let added = added.map(|tag| Put::Add(TAG, String::new(), encode(&Register { stamp, value: tag.clone() })));
        let removed = self.tag_keys.iter().filter(|(_, tag)| !tags.contains(tag));
        added.chain(removed.map(|(key, _)| removal(stamp, key.clone()))).collect()
    }
}

/// Returns the put that removes what was added under `key`.
fn removal(stamp: Stamp, key: String) -> Put {
    Put::Add(REMOVED, key, encode(&Stamped { stamp }))
}

/// Elements of a set that were added and not removed, and the stamps of all additions and removals.
struct Set<T> {
    alive: Vec<(String, T)>,
    stamps: Vec<Stamp>,
}

impl<T> Set<T> {
    /// Reads a set: a removal names the keys that its author saw, so what somebody else adds at the same time stays.
    fn read<V: for<'b> Decode<'b, ()>>(
        fields: &Fields,
        family: char,
        first: Vec<(String, T)>,
        element: impl Fn(V) -> (Stamp, T),
    ) -> Result<Self, Error> {
        let mut stamps = Vec::new();
        let mut removed = BTreeSet::new();
        for (key, Stamped { stamp }) in fields.added::<Stamped>(REMOVED)? {
            stamps.push(stamp);
            removed.insert(key.rsplitn(3, '-').nth(2).unwrap_or_default().to_owned());
        }
        let mut alive = first;
        for (key, value) in fields.added::<V>(family)? {
            let (stamp, element) = element(value);
            stamps.push(stamp);
            alive.push((format!("{family}{key}"), element));
        }
        alive.retain(|(key, _)| !removed.contains(key));
        Ok(Self { alive, stamps })
    }
}

impl RecordKind for Farmer {
    const NUMBER: u8 = 3;
    const NAME: &'static str = "farmer";
    const HOME: ScopeForm = ScopeForm::Centre;
    const PRIVACY: Privacy = Privacy::Business;
    const SHAPE: Shape = Shape(&[
        KeyRule::snapshot(Capability::RegisterFarmer, "the registration", |value| {
            Ok(super::decode::<FarmerSnapshot>(value)?.stamp)
        }),
        KeyRule::of(Class::Register, ACTIVE, Capability::EditFarmer, "whether the farmer is active"),
        KeyRule::of(Class::Add, "t", Capability::EditFarmer, "a tag"),
        KeyRule::of(Class::AddAbout, "x", Capability::EditFarmer, "a removed tag, by its key"),
    ]);
    const TABLE: Table<Self> = Table {
        name: "farmers",
        key: "farmer_id",
        columns: &[
            (Column::text("code"), |it| Value::Text(it.code().into())),
            (Column::int("inactive_from_ms"), |it| it.inactive_from.map_or(Value::Null, |at| Value::Int(at.0))),
        ],
    };
    const TOPICS: &'static [Topic] = &[Topic::Farmers];

    type Id = FarmerId;

    fn id(&self) -> FarmerId {
        self.farmer_id
    }

    fn project(farmer_id: FarmerId, fields: &Fields) -> Result<Option<Self>, Error> {
        let mut conflicts = Vec::new();
        let text = |snapshot: &FarmerSnapshot| format!("count {}", snapshot.sequence);
        let snapshot = fields.effective(SNAPSHOT, |snapshot: &FarmerSnapshot| snapshot.stamp, text, &mut conflicts)?;
        let Some(FarmerSnapshot { centre, stamp, sequence }) = snapshot else { return Ok(None) };
        let active: Option<Register<bool>> = fields.preferred(
            ACTIVE,
            |it: &Register<bool>| it.stamp,
            |it| !it.value,
            |it| if it.value { "active".into() } else { "inactive".into() },
            &mut conflicts,
        )?;
        for conflict in &mut conflicts {
            conflict.is_hard = conflict.field == SNAPSHOT;
        }
        let tags = Set::read(fields, TAG, Vec::new(), |Register { stamp, value }: Register<FarmerTag>| (stamp, value))?;
        let names: BTreeSet<FarmerTag> = tags.alive.iter().map(|(_, tag)| tag.clone()).collect();
        Ok(Some(Farmer {
            farmer_id,
            registered: stamp,
            centre,
            sequence,
            inactive_from: active.filter(|it| !it.value).map(|it| it.stamp.written_at()),
            tags: names.into_iter().collect(),
            changed: tags.stamps,
            tag_keys: tags.alive,
            conflicts,
        }))
    }

    fn conflicts(&self) -> &[Conflict] {
        &self.conflicts
    }

    fn created(&self) -> Option<Stamp> {
        Some(self.registered)
    }

    fn times(&self) -> Vec<HybridTime> {
        self.changed.iter().chain([&self.registered]).map(|stamp| stamp.at).collect()
    }

    fn own_scope(&self) -> Option<Scope> {
        Some(Scope::Centre(self.centre.clone()))
    }
}
