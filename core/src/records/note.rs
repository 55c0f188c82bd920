//! A note: a person's remark on a record, never changed once made.
//!
//! A note is in a season's scope, and so are the records it refers to: deliveries, loads, and kinds of later versions. Nothing checks that
//! the record exists there. Invariant: no note refers to a farmer or contact, because text on a person must be erasable; that of a note is
//! kept for good, like a [`super::delivery::Reason`], even if it names somebody.

use minicbor::{Decode, Encode};

use super::shape::{SNAPSHOT, leading_stamp};
use super::{Conflict, Contact, Error, Farmer, Fields, KeyRule, Kind, Privacy, RecordKind, Shape, Stamp, Table, Topic};
use crate::limits::MAX_TEXT;
use crate::permission::Capability;
use crate::scope::ScopeForm;
use crate::units::{Column, DocumentId, ToValue, Value};

/// Content of a note's document, under its only key `v1`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct NoteSnapshot {
    #[n(0)]
    stamp: Stamp,
    #[n(1)]
    record_kind: u8,
    #[n(2)]
    record_id: DocumentId,
    #[n(3)]
    text: String,
}

impl NoteSnapshot {
    /// Checks the note with the same result in every version, whichever kinds that version knows.
    fn check(&self) -> Result<(), Error> {
        if [0, Farmer::NUMBER, Contact::NUMBER].contains(&self.record_kind) {
            return Err(Error::malformed(format!("a note on a record of kind {}", self.record_kind)));
        }
        if self.text.chars().count() > MAX_TEXT {
            return Err(Error::malformed(format!("a note has at most {MAX_TEXT} characters")));
        }
        Ok(())
    }
}

/// Note, projected from its document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Id of the note.
    pub note_id: DocumentId,
    /// Author, device and time.
    pub made: Stamp,
    /// Kind number of the record that the note refers to; may be a kind of a newer version.
    pub record_kind: u8,
    /// Document of the record that the note refers to.
    pub record_id: DocumentId,
    /// Text of the remark.
    pub text: String,
    /// Conflict between remarks that two phones made under one id.
    pub conflicts: Vec<Conflict>,
}

impl RecordKind for Note {
    const NUMBER: u8 = 5;
    const NAME: &'static str = "note";
    const HOME: ScopeForm = ScopeForm::Season;
    const PRIVACY: Privacy = Privacy::Business;
    const SHAPE: Shape = Shape(&[KeyRule::snapshot(Capability::Comment, "the remark", leading_stamp)]);
    const TABLE: Table<Self> = Table {
        name: "notes",
        key: "note_id",
        columns: &[
            (Column::int("record_kind"), |it| Value::int(it.record_kind)),
            (Column::blob("record_id"), |it| it.record_id.to_value()),
            (Column::blob("user_id"), |it| it.made.user_id.to_value()),
            (Column::int("made_at_ms"), |it| it.made.at.wall_ms.to_value()),
            (Column::text("text"), |it| it.text.to_value()),
        ],
    };
    const TOPICS: &'static [Topic] = &[Topic::Deliveries, Topic::Loads];

    type Id = DocumentId;

    fn id(&self) -> DocumentId {
        self.note_id
    }

    fn project(note_id: DocumentId, fields: &Fields) -> Result<Option<Self>, Error> {
        let mut conflicts = Vec::new();
        let snapshot =
            fields.effective(SNAPSHOT, |it: &NoteSnapshot| it.stamp, |it| it.text.clone(), &mut conflicts)?;
        let Some(snapshot) = snapshot else { return Ok(None) };
        snapshot.check()?;
        let NoteSnapshot { stamp, record_kind, record_id: record, text } = snapshot;
        Ok(Some(Self { note_id, made: stamp, record_kind, record_id: record, text, conflicts }))
    }

    fn conflicts(&self) -> &[Conflict] {
        &self.conflicts
    }

    fn created(&self) -> Option<Stamp> {
        Some(self.made)
    }

    /// Returns the record that the note refers to, or the note itself if this version does not know that record's kind.
    fn shown_under(&self) -> (Kind, DocumentId) {
        Kind::from_number(self.record_kind)
            .map_or_else(|| (Kind::of::<Self>(), self.note_id), |kind| (kind, self.record_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{Actor, Delivery, Load, create, encode, merge};
    use crate::units::{DeviceCode, HybridTime, UserId};

    #[test]
    fn a_note_is_about_what_lives_in_a_season_and_no_longer_than_a_text() {
        let stamp = Stamp {
            user_id: UserId::from([1; 16]),
            device_code: DeviceCode(32),
            at: HybridTime { wall_ms: 7, counter: 0 },
            clock_suspect: false,
        };
        let record = DocumentId::from([2; 16]);
        for (record_kind, length, refusal) in [
            (Delivery::NUMBER, MAX_TEXT, None),
            (Delivery::NUMBER, MAX_TEXT + 1, Some("at most 200 characters")),
            (Load::NUMBER, 1, None),
            (Farmer::NUMBER, 1, Some("a note on a record of kind")),
            (Contact::NUMBER, 1, Some("a note on a record of kind")),
            (200, 1, None),
            (0, 1, Some("a note on a record of kind")),
        ] {
            let snapshot = NoteSnapshot { stamp, record_kind, record_id: record, text: "ಟ".repeat(length) };
            let change = create(&Actor::new([3; 16]), encode(&snapshot)).expect("a change");
            let merged = merge(Kind::of::<Note>(), DocumentId::from([4; 16]), None, &change);
            let refused = merged.as_ref().err().map(ToString::to_string);
            let is_as_expected = match (&refused, refusal) {
                (Some(error), Some(refusal)) => error.contains(refusal),
                (error, refusal) => error.is_none() && refusal.is_none(),
            };
            assert!(is_as_expected, "{record_kind} {length}: {refused:?}");
            let shown_under = merged.ok().and_then(|merged| merged.record).map(|record| record.shown_under());
            let known = Kind::from_number(record_kind).map(|kind| (kind, record));
            let expected = known.unwrap_or_else(|| (Kind::of::<Note>(), DocumentId::from([4; 16])));
            assert_eq!(shown_under, refusal.is_none().then_some(expected));
        }
    }
}
