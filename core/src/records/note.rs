//! A note: a person's remark on a record, never changed once made.
//!
//! A note is in a season's scope, and so are the records it refers to. Nothing checks that the record exists there. Invariant: no note
//! refers to a farmer or contact, because text on a person must be erasable; that of a note is kept for good, like a
//! [`super::delivery::Reason`], even if it names somebody.

use minicbor::{Decode, Encode};

use super::simple::{SimpleKind, SimpleStep, TextField, WrongField, recorded};
use super::{Contact, Farmer, RecordKind, Shape, Topic};
use crate::permission::Capability;
use crate::scope::ScopeForm;
use crate::units::DocumentId;

/// Content of a note.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Note {
    /// Kind number of the record that the note refers to; may be a kind of a newer version.
    #[n(0)]
    pub record_kind: u8,
    /// Document of the record that the note refers to.
    #[n(1)]
    pub record_id: DocumentId,
    /// Text of the remark, not empty.
    #[n(2)]
    pub text: String,
}

impl SimpleKind for Note {
    const NUMBER: u8 = 5;
    const NAME: &'static str = "note";
    const HOME: ScopeForm = ScopeForm::Season;
    const TOPICS: &'static [Topic] = &[Topic::Deliveries, Topic::Loads, Topic::Records];
    const CAPABILITY: Capability = Capability::Comment;
    const SHAPE: Shape = Shape(&[recorded(Self::CAPABILITY, "the remark")]);
    const STEPS: &'static [SimpleStep] = &[];

    fn title(&self) -> String {
        self.text.clone()
    }

    fn about(&self) -> Option<DocumentId> {
        Some(self.record_id)
    }

    fn shown_under(&self) -> Option<u8> {
        Some(self.record_kind)
    }

    fn texts(&mut self) -> Vec<TextField<'_>> {
        vec![TextField::required("text", &mut self.text)]
    }

    fn check(&self) -> Result<(), WrongField> {
        if [0, Farmer::NUMBER, Contact::NUMBER, Self::NUMBER].contains(&self.record_kind) {
            return Err(WrongField::new("record_id", format!("a record of kind {} has no notes", self.record_kind)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MAX_TEXT;
    use crate::records::simple::SimpleSnapshot;
    use crate::records::{Actor, Delivery, Kind, Load, Simple, Stamp, create, encode, merge};
    use crate::units::{DeviceCode, HybridTime, UserId};

    #[test]
    fn a_note_is_about_what_lives_in_a_season_and_no_longer_than_a_text() {
        let stamp = Stamp {
            user_id: UserId::from([1; 16]),
            device_code: DeviceCode(32),
            at: HybridTime { wall_ms: 7, counter: 0 },
            clock_suspect: false,
        };
        let record_id = DocumentId::from([2; 16]);
        for (record_kind, length, refusal) in [
            (Delivery::NUMBER, MAX_TEXT, None),
            (Delivery::NUMBER, MAX_TEXT + 1, Some("at most 200 characters")),
            (Delivery::NUMBER, 0, Some("text: must not be empty")),
            (Load::NUMBER, 1, None),
            (Farmer::NUMBER, 1, Some("has no notes")),
            (Contact::NUMBER, 1, Some("has no notes")),
            (Note::NUMBER, 1, Some("has no notes")),
            (200, 1, None),
            (0, 1, Some("has no notes")),
        ] {
            let content = Note { record_kind, record_id, text: "ಟ".repeat(length) };
            let snapshot = SimpleSnapshot { stamp, content, nonce: None };
            let change = create(&Actor::new([3; 16]), encode(&snapshot)).expect("a change");
            let merged = merge(Kind::of::<Simple<Note>>(), DocumentId::from([4; 16]), None, &change);
            let refused = merged.as_ref().err().map(ToString::to_string);
            let is_as_expected = match (&refused, refusal) {
                (Some(error), Some(refusal)) => error.contains(refusal),
                (error, refusal) => error.is_none() && refusal.is_none(),
            };
            assert!(is_as_expected, "{record_kind} {length}: {refused:?}");
            let shown_under = merged.ok().and_then(|merged| merged.record).map(|record| record.shown_under());
            let known = Kind::from_number(record_kind).map(|kind| (kind, record_id));
            let expected = known.unwrap_or_else(|| (Kind::of::<Simple<Note>>(), DocumentId::from([4; 16])));
            assert_eq!(shown_under, refusal.is_none().then_some(expected));
        }
    }
}
