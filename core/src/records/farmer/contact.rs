//! Contact details of a farmer: what identifies and reaches a person, and what they agreed to.

use std::collections::BTreeSet;

use minicbor::{Decode, Encode};

use super::{Farmer, Personal, Set, removal};
use crate::limits::PHONE_DIGITS;
use crate::permission::Capability;
use crate::records::shape::{SNAPSHOT, leading_stamp};
use crate::records::stamp::Register;
use crate::records::{
    Class, Conflict, Error, Fields, KeyRule, Kind, Privacy, Put, RecordKind, Shape, Stamp, Table, Topic, encode,
};
use crate::scope::ScopeForm;
use crate::text::{compared_word, folded_text, is_placeholder, phone_words, words};
use crate::units::{Column, ContactId, DocumentId, FarmerId, HybridTime, ToValue, Value};

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

/// Contact details of a farmer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ContactDetails {
    /// Name as people say it.
    #[n(0)]
    pub name: String,
    /// Village; may be empty.
    #[n(1)]
    pub village: String,
    /// First telephone number in the form of E.164, such as `+919845011111`; digits as typed if it is none, such as a short number; may be
    /// empty.
    #[n(2)]
    pub phone: String,
    /// Name in the local script; may be empty.
    #[n(3)]
    pub local_name: String,
    /// Address besides the village; may be empty.
    #[n(4)]
    pub address: String,
    /// Language that the farmer reads, as a BCP 47 tag such as `kn` or `sw-KE`; may be empty.
    #[n(5)]
    pub language: String,
    /// Further telephone numbers in the same form, sorted, without the first and without duplicates.
    #[n(6)]
    pub other_phones: Vec<String>,
    /// Whether the farmer may be sent messages; `None` if nobody has asked.
    #[n(7)]
    pub messages_consent: Option<bool>,
    /// Whether photos of the farmer may be kept; `None` if nobody has asked.
    #[n(8)]
    pub photo_consent: Option<bool>,
}

impl ContactDetails {
    /// Returns name and village, folded for comparison.
    pub fn name_key(&self) -> String {
        name_key(&self.name, &self.village)
    }

    /// Returns what farmers are compared by, as name and as local name: each with the village, folded. Two farmers of a centre who share one
    /// may be the same person.
    pub fn name_keys(&self) -> Vec<String> {
        let names = [&self.name, &self.local_name].into_iter().filter(|name| !name.is_empty());
        let keys: BTreeSet<String> = names.map(|name| name_key(name, &self.village)).collect();
        keys.into_iter().collect()
    }

    /// Returns all telephone numbers, the first one first.
    pub fn phones(&self) -> impl Iterator<Item = &String> {
        [&self.phone].into_iter().chain(&self.other_phones).filter(|phone| !phone.is_empty())
    }

    /// Returns the digits of all telephone numbers that have seven or more, compared like [`Self::name_keys`], each with whether the number
    /// is a placeholder.
    pub fn phone_keys(&self) -> Vec<(String, bool)> {
        let digits =
            |phone: &str| -> String { phone.chars().filter(char::is_ascii_digit).take(*PHONE_DIGITS.end()).collect() };
        let keys: BTreeSet<(String, bool)> = self
            .phones()
            .map(|phone| (digits(phone), is_placeholder(phone)))
            .filter(|(digits, _)| digits.len() >= 7)
            .collect();
        keys.into_iter().collect()
    }
}

fn name_key(name: &str, village: &str) -> String {
    format!("{}/{}", folded_text(name), folded_text(village))
}

/// Keys of the registers with text, besides that of the first telephone number.
const TEXTS: [&str; 5] = ["name", "village", "local_name", "address", "language"];
/// Key of the register with the first telephone number.
const PRIMARY: &str = "phone";
/// Keys of the consents.
const CONSENTS: [&str; 2] = ["messages_consent", "photo_consent"];
/// Family of keys for telephone numbers.
const PHONE: char = 't';

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
    /// Times of the added and removed telephone numbers.
    changed: Vec<Stamp>,
    /// Keys under which each telephone number was added, for its removal.
    phone_keys: Vec<(String, String)>,
    /// Conflicts between concurrent changes.
    pub conflicts: Vec<Conflict>,
}

fn texts(details: &ContactDetails) -> [&String; 5] {
    [&details.name, &details.village, &details.local_name, &details.address, &details.language]
}

fn texts_mut(details: &mut ContactDetails) -> [&mut String; 5] {
    let ContactDetails { name, village, local_name, address, language, .. } = details;
    [name, village, local_name, address, language]
}

/// Returns the puts of the fields that differ between the contact and `new`, if any; `nonce` returns fresh random bytes.
pub(crate) fn edit_contact(
    stamp: Stamp,
    contact: &Contact,
    new: &ContactDetails,
    mut nonce: impl FnMut() -> [u8; 16],
) -> Vec<Put> {
    let old = &contact.details;
    let mut personal =
        |value: &String| encode(&Register { stamp, value: Personal { nonce: nonce(), value: value.clone() } });
    let mut puts = Vec::new();
    for (key, (before, after)) in TEXTS.into_iter().zip(texts(old).into_iter().zip(texts(new))) {
        if before != after {
            puts.push(Put::Key(key, personal(after)));
        }
    }
    if old.phone != new.phone {
        puts.push(Put::Key(PRIMARY, personal(&new.phone)));
    }
    let (before, after): (BTreeSet<_>, BTreeSet<_>) = (old.phones().collect(), new.phones().collect());
    puts.extend(after.difference(&before).map(|phone| Put::Add(PHONE, String::new(), personal(phone))));
    let removed = contact.phone_keys.iter().filter(|(_, phone)| !after.contains(phone));
    puts.extend(removed.map(|(key, _)| removal(stamp, key.clone())));
    let consents = |it: &ContactDetails| [it.messages_consent, it.photo_consent];
    for (key, (before, after)) in CONSENTS.into_iter().zip(consents(old).into_iter().zip(consents(new))) {
        if before != after {
            puts.push(Put::Key(key, encode(&Register { stamp, value: after })));
        }
    }
    puts
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
        KeyRule::of(Class::Register, "local_name", Capability::EditFarmer, "the name in the local script"),
        KeyRule::of(Class::Register, "address", Capability::EditFarmer, "the address"),
        KeyRule::of(Class::Register, "language", Capability::EditFarmer, "the language"),
        KeyRule::of(Class::Register, "phone", Capability::EditFarmer, "the first telephone number"),
        KeyRule::of(Class::Add, "t", Capability::EditFarmer, "a telephone number"),
        KeyRule::of(Class::AddAbout, "x", Capability::EditFarmer, "a removed telephone number, by its key"),
        KeyRule::of(Class::Register, "messages_consent", Capability::EditFarmer, "whether messages may be sent"),
        KeyRule::of(Class::Register, "photo_consent", Capability::EditFarmer, "whether photos may be kept"),
    ]);
    const TABLE: Table<Self> = Table {
        name: "contacts",
        key: "contact_id",
        columns: &[
            (Column::blob("farmer_id"), |it| it.farmer_id.to_value()),
            (Column::text("name"), |it| it.details.name.to_value()),
            (Column::text("local_name"), |it| it.details.local_name.to_value()),
            (Column::text("village"), |it| it.details.village.to_value()),
            (Column::text("phone"), |it| it.details.phone.to_value()),
            (Column::text("name_key"), |it| Value::Text(it.details.name_key().into())),
        ],
    };
    const TOPICS: &'static [Topic] = &[Topic::Farmers];
    const WORDS: Option<fn(&Self) -> Vec<String>> = Some(|it| {
        let details = &it.details;
        let mut all = [words(&details.name), words(&details.local_name), words(&details.village)].concat();
        all.extend(details.phones().flat_map(|phone| phone_words(phone)));
        all.extend(details.name_keys().iter().map(|key| compared_word(key)));
        all.extend(details.phone_keys().iter().map(|(key, _)| compared_word(key)));
        all
    });

    type Id = ContactId;

    fn id(&self) -> ContactId {
        self.contact_id
    }

    fn project(contact_id: ContactId, fields: &Fields) -> Result<Option<Self>, Error> {
        let mut conflicts = Vec::new();
        let text = |snapshot: &ContactSnapshot| snapshot.details.name.clone();
        let snapshot = fields.effective(SNAPSHOT, |snapshot: &ContactSnapshot| snapshot.stamp, text, &mut conflicts)?;
        let Some(ContactSnapshot { stamp, farmer_id, mut details, .. }) = snapshot else { return Ok(None) };
        let mut latest = |key| -> Result<Option<String>, Error> {
            let value = fields.register(key, |it: &Personal<String>| it.value.clone(), &mut conflicts)?;
            Ok(value.map(|it| it.value))
        };
        for (key, text) in TEXTS.into_iter().zip(texts_mut(&mut details)) {
            if let Some(value) = latest(key)? {
                *text = value;
            }
        }
        let primary = latest(PRIMARY)?.unwrap_or_else(|| details.phone.clone());
        let ContactDetails { messages_consent, photo_consent, .. } = &mut details;
        for (key, consent) in CONSENTS.into_iter().zip([messages_consent, photo_consent]) {
            if let Some(register) = effective_consent(fields, key, &mut conflicts)? {
                *consent = register.value;
            }
        }
        for conflict in &mut conflicts {
            conflict.is_hard = conflict.field == SNAPSHOT || CONSENTS.contains(&conflict.field.as_str());
        }
        let first = (0..).zip(details.phones().cloned()).map(|(n, phone): (u32, _)| (format!("{SNAPSHOT}-{n}"), phone));
        let phones =
            Set::read(fields, PHONE, first.collect(), |it: Register<Personal<String>>| (it.stamp, it.value.value))?;
        let mut numbers: BTreeSet<String> = phones.alive.iter().map(|(_, phone)| phone.clone()).collect();
        // The first number may have been removed by somebody who had not seen that it became the first.
        let is_kept = primary.is_empty() || numbers.contains(&primary);
        details.phone = if is_kept { primary } else { numbers.first().cloned().unwrap_or_default() };
        numbers.remove(&details.phone);
        details.other_phones = numbers.into_iter().collect();
        let (changed, phone_keys) = (phones.stamps, phones.alive);
        Ok(Some(Contact { contact_id, registered: stamp, farmer_id, details, changed, phone_keys, conflicts }))
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

    fn farmer_id(&self) -> Option<FarmerId> {
        Some(self.farmer_id)
    }

    /// Returns the farmer: inbox items about a contact are shown under its farmer.
    fn shown_under(&self) -> (Kind, DocumentId) {
        (Kind::of::<Farmer>(), self.farmer_id.into())
    }
}

/// Returns a consent, of concurrent answers the most restrictive; `None` if it was never changed.
fn effective_consent(
    fields: &Fields,
    key: &'static str,
    conflicts: &mut Vec<Conflict>,
) -> Result<Option<Register<Option<bool>>>, Error> {
    let text = |value: Option<bool>| match value {
        None => "not asked",
        Some(true) => "given",
        Some(false) => "refused",
    };
    let rank = |value: Option<bool>| match value {
        Some(true) => 0,
        None => 1,
        Some(false) => 2,
    };
    fields.preferred(
        key,
        |it: &Register<Option<bool>>| it.stamp,
        |it| rank(it.value),
        |it| text(it.value).to_owned(),
        conflicts,
    )
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
            ..ContactDetails::default()
        };
        let are_alike = |a: &ContactDetails, b: &ContactDetails| {
            a.name_keys().iter().any(|key| b.name_keys().contains(key))
                || a.phone_keys().iter().any(|key| b.phone_keys().contains(key))
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
