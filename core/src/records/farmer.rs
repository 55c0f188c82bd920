//! A farmer: an identity that is kept for ever, and contact details in a document of their own that can be erased.
//!
//! Invariants: the identity has no personal data; each change of the contact has 16 random bytes, so that nobody can find an erased name by
//! hashing candidates and comparing them with the hash that is kept.

use minicbor::{Decode, Encode};

use super::shape::{SNAPSHOT, leading_stamp};
use super::stamp::Register;
use super::{
    Class, Conflict, Error, Fields, KeyRule, Kind, Privacy, Put, RecordKind, Shape, Stamp, Table, Topic, encode,
};
use crate::limits::PHONE_DIGITS;
use crate::permission::Capability;
use crate::scope::{Scope, ScopeForm};
use crate::text::{folded_text, phone_words, words};
use crate::units::{CentreCode, Column, ContactId, DocumentId, FarmerId, ToValue, Value};

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

/// Value of key `v1` of a contact's document: the details at registration, before any correction.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct ContactSnapshot {
    #[n(0)]
    pub(crate) stamp: Stamp,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) nonce: [u8; 16],
    #[n(2)]
    pub(crate) farmer_id: FarmerId,
    #[n(3)]
    pub(crate) details: ContactDetails,
}

/// Name, village and telephone number of a farmer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ContactDetails {
    /// Name as people say it.
    #[n(0)]
    pub name: String,
    /// Village; may be empty.
    #[n(1)]
    pub village: String,
    /// Telephone number in the form of E.164, such as `+919845011111`; digits as typed if it is none, such as a short number; may be empty.
    #[n(2)]
    pub phone: String,
}

impl ContactDetails {
    /// Returns name and village, folded for comparison. Two farmers of a centre with the same key may be the same person.
    pub fn name_key(&self) -> String {
        format!("{}/{}", folded_text(&self.name), folded_text(&self.village))
    }

    /// Returns the digits of the telephone number, compared like [`Self::name_key`]; `None`, which equals no other, if fewer than seven.
    pub fn phone_key(&self) -> Option<String> {
        let digits: String = self.phone.chars().filter(char::is_ascii_digit).take(*PHONE_DIGITS.end()).collect();
        (digits.len() >= 7).then_some(digits)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Personal {
    #[cbor(n(0), with = "minicbor::bytes")]
    nonce: [u8; 16],
    #[n(1)]
    text: String,
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
    /// Conflicts between concurrent changes.
    pub conflicts: Vec<Conflict>,
}

impl Farmer {
    /// Returns the farmer code, `T-CENTRE-DEVICE-COUNT`, of the device that registered the farmer.
    pub fn code(&self) -> String {
        format!("T-{}-{}-{}", self.centre, self.registered.device_code, self.sequence)
    }
}

/// Contact of a farmer, projected from all changes of its document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Id of the contact.
    pub contact_id: ContactId,
    /// Author, device and time of the registration.
    pub registered: Stamp,
    /// Farmer that the contact belongs to.
    pub farmer_id: FarmerId,
    /// The effective details.
    pub details: ContactDetails,
    /// Conflicts between concurrent changes.
    pub conflicts: Vec<Conflict>,
}

/// Returns the puts of the fields that differ between `old` and `new`, if any; `nonce` returns fresh random bytes.
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

impl RecordKind for Farmer {
    const NUMBER: u8 = 3;
    const NAME: &'static str = "farmer";
    const HOME: ScopeForm = ScopeForm::Centre;
    const PRIVACY: Privacy = Privacy::Business;
    const SHAPE: Shape = Shape(&[KeyRule::snapshot(Capability::RegisterFarmer, "the registration", |value| {
        Ok(super::decode::<FarmerSnapshot>(value)?.stamp)
    })]);
    const TABLE: Table<Self> = Table {
        name: "farmers",
        key: "farmer_id",
        columns: &[(Column::text("code"), |it| Value::Text(it.code().into()))],
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
        Ok(snapshot.map(|FarmerSnapshot { centre, stamp, sequence }| Farmer {
            farmer_id,
            registered: stamp,
            centre,
            sequence,
            conflicts,
        }))
    }

    fn conflicts(&self) -> &[Conflict] {
        &self.conflicts
    }

    fn created(&self) -> Option<Stamp> {
        Some(self.registered)
    }

    fn own_scope(&self) -> Option<Scope> {
        Some(Scope::Centre(self.centre.clone()))
    }
}

impl RecordKind for Contact {
    const NUMBER: u8 = 4;
    const NAME: &'static str = "contact";
    const HOME: ScopeForm = ScopeForm::Centre;
    const PRIVACY: Privacy = Privacy::Personal;
    const SHAPE: Shape = Shape(&[
        KeyRule::snapshot(Capability::RegisterFarmer, "the details at registration", leading_stamp),
        KeyRule::of(Class::Register, "name", Capability::EditFarmer, "the name"),
        KeyRule::of(Class::Register, "village", Capability::EditFarmer, "the village"),
        KeyRule::of(Class::Register, "phone", Capability::EditFarmer, "the telephone number"),
    ]);
    const TABLE: Table<Self> = Table {
        name: "contacts",
        key: "contact_id",
        columns: &[
            (Column::blob("farmer_id"), |it| it.farmer_id.to_value()),
            (Column::text("name"), |it| it.details.name.to_value()),
            (Column::text("village"), |it| it.details.village.to_value()),
            (Column::text("phone"), |it| it.details.phone.to_value()),
            (Column::text("name_key"), |it| Value::Text(it.details.name_key().into())),
            (Column::text("phone_key"), |it| it.details.phone_key().map_or(Value::Null, |it| Value::Text(it.into()))),
        ],
    };
    const TOPICS: &'static [Topic] = &[Topic::Farmers];
    const WORDS: Option<fn(&Self) -> Vec<String>> = Some(|it| {
        let ContactDetails { name, village, phone } = &it.details;
        [words(name), words(village), phone_words(phone)].concat()
    });

    type Id = ContactId;

    fn id(&self) -> ContactId {
        self.contact_id
    }

    fn project(contact_id: ContactId, fields: &Fields) -> Result<Option<Self>, Error> {
        let mut conflicts = Vec::new();
        let text = |snapshot: &ContactSnapshot| snapshot.details.name.clone();
        let snapshot = fields.effective(SNAPSHOT, |snapshot: &ContactSnapshot| snapshot.stamp, text, &mut conflicts)?;
        let Some(ContactSnapshot { stamp, farmer_id, details, .. }) = snapshot else { return Ok(None) };
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
            conflict.is_hard = conflict.field == SNAPSHOT;
        }
        Ok(Some(Contact { contact_id, registered: stamp, farmer_id, details, conflicts }))
    }

    fn conflicts(&self) -> &[Conflict] {
        &self.conflicts
    }

    fn created(&self) -> Option<Stamp> {
        Some(self.registered)
    }

    fn farmer_id(&self) -> Option<FarmerId> {
        Some(self.farmer_id)
    }

    /// Returns the farmer: inbox items about a contact are shown under its farmer.
    fn shown_under(&self) -> (Kind, DocumentId) {
        (Kind::of::<Farmer>(), self.farmer_id.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_alikes_share_a_phone_or_name_and_village() {
        let details = |name: &str, village: &str, phone: &str| ContactDetails {
            name: name.into(),
            village: village.into(),
            phone: phone.into(),
        };
        let are_alike = |a: &ContactDetails, b: &ContactDetails| {
            a.name_key() == b.name_key() || a.phone_key().is_some() && a.phone_key() == b.phone_key()
        };
        let lakshmi = details("Lakshmi Devi", "Vemagal", "+91 98450 11111");
        let cases = [
            (details("lakshmi-devi", "VEMAGAL", ""), true),
            (details("L. Devi", "Kolar", "+919845011111"), true),
            (details("Lakshmi Devi", "Kolar", ""), false),
            (details("Ramesh", "Vemagal", "+91 98450 22222"), false),
        ];
        for (other, expected) in cases {
            assert_eq!(are_alike(&lakshmi, &other), expected, "{other:?}");
        }
        let (a, b) = (details("A", "x", ""), details("B", "x", ""));
        assert!(!are_alike(&a, &b), "two farmers without a phone are not alike");
    }
}
