//! A farmer: an identity that stays, and contact details of their own that can be erased.
//!
//! Owns the keys and values of both documents.
//! Invariant: nothing personal stands in the identity, and each change of the contact carries 16 random bytes, so that nobody can find out
//! an erased name by trying names against the hash that stays.

use minicbor::{Decode, Encode};

use super::stamp::Register;
use super::{Class, Conflict, Error, Fields, KeyRule, Put, Shape, Stamp, encode};
use crate::permission::Capability;
use crate::units::{CentreCode, ContactId, FarmerCode, FarmerId};

/// The identity's keys.
pub const IDENTITY_SHAPE: Shape = Shape(&[KeyRule {
    key: "v1",
    class: Class::Snapshot,
    needs: Capability::RegisterFarmer,
    holds: "the registration",
}]);

/// The contact's keys.
pub const CONTACT_SHAPE: Shape = Shape(&[
    KeyRule {
        key: "v1",
        class: Class::Snapshot,
        needs: Capability::RegisterFarmer,
        holds: "the details at registration",
    },
    KeyRule { key: "name", class: Class::Register, needs: Capability::RegisterFarmer, holds: "the name" },
    KeyRule { key: "village", class: Class::Register, needs: Capability::RegisterFarmer, holds: "the village" },
    KeyRule { key: "phone", class: Class::Register, needs: Capability::RegisterFarmer, holds: "the telephone number" },
]);

/// The identity's value under `v1`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct Snapshot {
    #[n(0)]
    pub(crate) centre: CentreCode,
    #[n(1)]
    pub(crate) stamp: Stamp,
    #[n(2)]
    pub(crate) sequence: u32,
}

/// The contact's value under `v1`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct ContactSnapshot {
    #[n(0)]
    pub(crate) stamp: Stamp,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) nonce: [u8; 16],
    #[n(2)]
    pub(crate) farmer: FarmerId,
    #[n(3)]
    pub(crate) details: ContactDetails,
}

/// How people know and reach a farmer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ContactDetails {
    /// The name as people say it.
    #[n(0)]
    pub name: String,
    /// The village, may be empty.
    #[n(1)]
    pub village: String,
    /// The telephone number with country code, may be empty.
    #[n(2)]
    pub phone: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Personal {
    #[cbor(n(0), with = "minicbor::bytes")]
    nonce: [u8; 16],
    #[n(1)]
    text: String,
}

/// A farmer's identity as all its changes tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Farmer {
    /// Its id.
    pub farmer_id: FarmerId,
    /// Who registered, where and when.
    pub registered: Stamp,
    /// The home centre.
    pub centre: CentreCode,
    /// The registering device's count.
    pub sequence: u32,
    /// Values given without knowledge of each other.
    pub conflicts: Vec<Conflict>,
}

impl Farmer {
    /// The code until the office gives a shorter one.
    pub fn code(&self) -> FarmerCode {
        FarmerCode { centre: self.centre.clone(), device: self.registered.device, sequence: self.sequence }
    }
}

/// A farmer's contact as all its changes tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Its id.
    pub contact_id: ContactId,
    /// Whose it is.
    pub farmer_id: FarmerId,
    /// The details that count.
    pub details: ContactDetails,
    /// Values given without knowledge of each other.
    pub conflicts: Vec<Conflict>,
}

/// The keys that change the details from `old` to `new`; `nonce` gives fresh random bytes.
pub(crate) fn edit_contact(
    stamp: Stamp,
    old: &ContactDetails,
    new: &ContactDetails,
    mut nonce: impl FnMut() -> [u8; 16],
) -> Vec<Put> {
    let fields =
        [("name", &old.name, &new.name), ("village", &old.village, &new.village), ("phone", &old.phone, &new.phone)];
    let changed = fields.into_iter().filter(|(_, old, new)| old != new);
    changed
        .map(|(key, _, new)| {
            let value = Personal { nonce: nonce(), text: new.clone() };
            Put::Key(key, encode(&Register { stamp, value }))
        })
        .collect()
}

/// Reads a document's keys as an identity; `None` while its creating change is missing.
pub(crate) fn project(farmer_id: FarmerId, fields: &Fields) -> Result<Option<Farmer>, Error> {
    let mut conflicts = Vec::new();
    let text = |snapshot: &Snapshot| format!("count {}", snapshot.sequence);
    let snapshot = fields.snapshot(|snapshot: &Snapshot| snapshot.stamp, text, &mut conflicts)?;
    Ok(snapshot.map(|Snapshot { centre, stamp, sequence }| Farmer {
        farmer_id,
        registered: stamp,
        centre,
        sequence,
        conflicts,
    }))
}

/// Reads a document's keys as a contact; `None` while its creating change is missing.
pub(crate) fn project_contact(contact_id: ContactId, fields: &Fields) -> Result<Option<Contact>, Error> {
    let mut conflicts = Vec::new();
    let text = |snapshot: &ContactSnapshot| snapshot.details.name.clone();
    let snapshot = fields.snapshot(|snapshot: &ContactSnapshot| snapshot.stamp, text, &mut conflicts)?;
    let Some(ContactSnapshot { farmer, details, .. }) = snapshot else { return Ok(None) };
    let mut latest = |key, first: String| -> Result<String, Error> {
        let value = fields.register(key, |value: &Personal| value.text.clone(), &mut conflicts)?;
        Ok(value.map_or(first, |value| value.text))
    };
    let details = ContactDetails {
        name: latest("name", details.name)?,
        village: latest("village", details.village)?,
        phone: latest("phone", details.phone)?,
    };
    for conflict in &mut conflicts {
        conflict.is_hard = conflict.field == super::shape::SNAPSHOT;
    }
    Ok(Some(Contact { contact_id, farmer_id: farmer, details, conflicts }))
}
