//! Simple records: named fields that are written once, steps that happen afterwards, and registers for fields that people change.
//!
//! A simple kind is a struct of its fields that implements [`SimpleKind`]. Shape, row, projection, conflicts, and the checks of its command
//! follow from that; all simple kinds share one table. Invariant: what [`SimpleKind::check`] refuses is refused in every version, because a
//! projection must not depend on the version.

use std::ops::RangeInclusive;

use minicbor::{Decode, Encode};

use super::delivery::Reason;
use super::shape::{SNAPSHOT, leading_stamp};
use super::{
    Class, Conflict, Error, Fields, KeyRule, Kind, Privacy, Put, RecordKind, Shape, Stamp, Table, Topic, encode,
};
use crate::limits::MAX_TEXT;
use crate::permission::Capability;
use crate::scope::ScopeForm;
use crate::units::{BusinessDate, Column, CommodityCode, DocumentId, FarmerId, Grams, ToValue, Value, named};

/// Declaration of a simple kind, implemented by the struct of its fields.
pub trait SimpleKind:
    Clone + std::fmt::Debug + PartialEq + Send + Sync + Encode<()> + for<'b> Decode<'b, ()> + 'static
{
    /// [`RecordKind::NUMBER`].
    const NUMBER: u8;
    /// [`RecordKind::NAME`].
    const NAME: &'static str;
    /// [`RecordKind::HOME`].
    const HOME: ScopeForm;
    /// [`RecordKind::PRIVACY`]. Personal kinds name the farmer in [`Self::farmer_id`], by whom an erasure finds them.
    const PRIVACY: Privacy = Privacy::Business;
    /// [`RecordKind::TOPICS`].
    const TOPICS: &'static [Topic] = &[Topic::Forms];
    /// Capability for recording one, and for its steps.
    const CAPABILITY: Capability;
    /// [`RecordKind::SHAPE`], of [`recorded`] and [`steps`].
    const SHAPE: Shape;
    /// Fields that people change while the record is open, each a register of the shape.
    const REGISTERS: &'static [RegisterField<Self>] = &[];
    /// Steps that it may take; none without [`steps`] in the shape.
    const STEPS: &'static [SimpleStep] = &[SimpleStep::Withdrawn];

    /// Returns the content in a few words, for a conflict; different for contents that a person must tell apart.
    fn title(&self) -> String;

    /// Returns the records that it names.
    fn references(&self) -> Vec<Reference> {
        Vec::new()
    }

    /// Returns the document of the record under which it is listed, if any.
    fn about(&self) -> Option<DocumentId> {
        None
    }

    /// Returns the kind under which, with [`Self::about`], inbox items show it; `None` to show it under itself.
    fn shown_under(&self) -> Option<u8> {
        None
    }

    /// Returns the farmer that it names, if any.
    fn farmer_id(&self) -> Option<FarmerId> {
        None
    }

    /// Returns the commodity by whose season it belongs to a scope, if any.
    fn commodity(&self) -> Option<&CommodityCode> {
        None
    }

    /// Returns the business date by which it is listed, if any.
    fn date(&self) -> Option<BusinessDate> {
        None
    }

    /// Returns the net weight that follows from the fields, if any.
    fn net(&self) -> Option<Grams> {
        None
    }

    /// Returns its texts, to be stored as typed text is, of at most [`MAX_TEXT`] characters.
    fn texts(&mut self) -> Vec<TextField<'_>>;

    /// Checks what the types of the fields do not, except for texts.
    ///
    /// # Errors
    /// [`WrongField`] for the first wrong field.
    fn check(&self) -> Result<(), WrongField> {
        Ok(())
    }

    /// Checks what only a person's input must fulfil: how registers agree, which may be changed by two people at the same time.
    ///
    /// # Errors
    /// [`WrongField`] for the first wrong field.
    fn check_input(&self) -> Result<(), WrongField> {
        Ok(())
    }
}

/// A field that is kept in a register once it was changed; made by [`register`].
pub struct RegisterField<C> {
    /// Replaces the field by the register's effective value, if it was ever written.
    pub(crate) read: fn(&mut C, &Fields, &mut Vec<Conflict>) -> Result<(), Error>,
    /// Copies the field from the second content to the first.
    pub(crate) copy: fn(&mut C, &C),
    /// Returns the put of the field if it differs between the contents before and after a change.
    pub(crate) write: fn(&C, &C, Stamp) -> Option<Put>,
}

/// Makes a [`RegisterField`] from a register's key and the field's name; people see concurrent values as the field prints.
macro_rules! register {
    ($key:literal, $field:ident) => {
        $crate::records::simple::RegisterField {
            read: |content, fields, conflicts| {
                if let Some(value) = fields.register($key, ToString::to_string, conflicts)? {
                    content.$field = value;
                }
                Ok(())
            },
            copy: |to, from| to.$field = from.$field.clone(),
            write: |before, after, stamp| {
                let value = after.$field.clone();
                let put = || {
                    let register = $crate::records::stamp::Register { stamp, value };
                    $crate::records::Put::Key($key, $crate::records::encode(&register))
                };
                (before.$field != after.$field).then(put)
            },
        }
    };
}

pub(crate) use register;

/// A record that another one names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Name of the field.
    pub field: &'static str,
    /// Kind numbers that it may have.
    pub kinds: &'static [u8],
    /// Document of the record.
    pub document_id: DocumentId,
}

/// A text of a simple record.
#[derive(Debug)]
pub struct TextField<'a> {
    /// Name of the field.
    pub field: &'static str,
    /// The text.
    pub text: &'a mut String,
    /// Whether it must not be empty.
    pub is_required: bool,
}

impl<'a> TextField<'a> {
    /// Returns a text that must not be empty.
    pub(crate) fn required(field: &'static str, text: &'a mut String) -> Self {
        Self { field, text, is_required: true }
    }

    /// Returns a text that may be empty.
    pub(crate) fn optional(field: &'static str, text: &'a mut String) -> Self {
        Self { field, text, is_required: false }
    }
}

/// A field whose value is out of its bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongField {
    /// Name of the field.
    pub field: &'static str,
    /// Reason for people.
    pub reason: String,
}

impl WrongField {
    pub(crate) fn new(field: &'static str, reason: impl Into<String>) -> Self {
        Self { field, reason: reason.into() }
    }
}

/// Requires that a value is within bounds.
pub(crate) fn within<T: PartialOrd + std::fmt::Display>(
    field: &'static str,
    value: &T,
    bounds: &RangeInclusive<T>,
) -> Result<(), WrongField> {
    if bounds.contains(value) {
        return Ok(());
    }
    Err(WrongField::new(field, format!("must be {} to {}", bounds.start(), bounds.end())))
}

/// Family of keys for steps.
const STEP: char = 'e';

/// Returns the rule of the fields that are written once.
pub(crate) const fn recorded(capability: Capability, describes: &'static str) -> KeyRule {
    KeyRule::snapshot(capability, describes, leading_stamp)
}

/// Returns the rule of the steps.
pub(crate) const fn steps(capability: Capability) -> KeyRule {
    KeyRule::of(Class::Add, "e", capability, "a step")
}

/// Value of the key `v1`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct SimpleSnapshot<C> {
    #[n(0)]
    pub(crate) stamp: Stamp,
    #[n(1)]
    pub(crate) content: C,
    /// Random bytes of a personal kind, so that nobody can find its text by trying texts against a hash.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub(crate) nonce: Option<[u8; 16]>,
}

named! {
    /// Something that happens to a simple record after it was made.
    #[derive(Encode, Decode)]
    #[cbor(index_only)]
    pub SimpleStep, "a step" {
        /// It was a mistake, or is not wanted any more.
        #[n(0)]
        Withdrawn = "withdrawn",
        /// The farmer or lorry that waits was called.
        #[n(1)]
        Called = "called",
        /// The farmer or lorry was served.
        #[n(2)]
        Served = "served",
        /// The farmer or lorry left without being served.
        #[n(3)]
        Left = "left",
    }
}

named! {
    /// State of a simple record, as far as the field knows: the furthest of its steps. Tables contain its position in this list, from 0.
    pub SimpleState, "a state" {
        /// It stands as it was recorded.
        Open = "open",
        /// The farmer or lorry was called.
        Called = "called",
        /// The farmer or lorry left without being served.
        Left = "left",
        /// The farmer or lorry was served.
        Served = "served",
        /// It was withdrawn.
        Withdrawn = "withdrawn",
    }
}

impl SimpleStep {
    /// Returns the state that follows from the step.
    pub fn state(self) -> SimpleState {
        match self {
            Self::Withdrawn => SimpleState::Withdrawn,
            Self::Called => SimpleState::Called,
            Self::Served => SimpleState::Served,
            Self::Left => SimpleState::Left,
        }
    }
}

/// A step of a simple record, with author, device and time.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SimpleEvent {
    /// Author, device and time.
    #[n(0)]
    pub stamp: Stamp,
    /// The step itself.
    #[n(1)]
    pub step: SimpleStep,
    /// Reason that the person gave, of a step that needs one.
    #[n(2)]
    pub reason: Option<Reason>,
}

/// Record of a simple kind, projected from its document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simple<C> {
    /// Id of the record.
    pub record_id: DocumentId,
    /// Author, device and time of the recording.
    pub made: Stamp,
    /// Its fields.
    pub content: C,
    /// Steps, oldest first.
    pub steps: Vec<SimpleEvent>,
    /// Conflicts between concurrent changes.
    pub conflicts: Vec<Conflict>,
}

impl<C> Simple<C> {
    /// Returns the state that follows from all steps, in whichever order they became known.
    pub fn state(&self) -> SimpleState {
        self.steps.iter().map(|event| event.step.state()).max().unwrap_or(SimpleState::Open)
    }
}

/// Returns the puts of the registers whose fields differ between two contents; `None` if another field differs.
pub(crate) fn change<C: SimpleKind>(before: &C, after: &C, stamp: Stamp) -> Option<Vec<Put>> {
    let mut changed = before.clone();
    for register in C::REGISTERS {
        (register.copy)(&mut changed, after);
    }
    let puts = || C::REGISTERS.iter().filter_map(|register| (register.write)(before, after, stamp)).collect();
    (changed == *after).then(puts)
}

pub(crate) fn step(event: &SimpleEvent) -> Put {
    Put::Add(STEP, String::new(), encode(event))
}

/// Checks content with the same result in every version.
fn check<C: SimpleKind>(content: &mut C) -> Result<(), WrongField> {
    for TextField { field, text, is_required } in content.texts() {
        if text.chars().count() > MAX_TEXT {
            return Err(WrongField::new(field, format!("has at most {MAX_TEXT} characters")));
        }
        if is_required && text.is_empty() {
            return Err(WrongField::new(field, "must not be empty"));
        }
    }
    content.check()
}

fn bytes<'a>(id: Option<impl Into<DocumentId>>) -> Value<'a> {
    id.map_or(Value::Null, |id| Value::Blob(id.into().as_bytes().to_vec().into()))
}

impl<C: SimpleKind> RecordKind for Simple<C> {
    const NUMBER: u8 = C::NUMBER;
    const NAME: &'static str = C::NAME;
    const HOME: ScopeForm = C::HOME;
    const PRIVACY: Privacy = C::PRIVACY;
    const SHAPE: Shape = C::SHAPE;
    const TABLE: Table<Self> = Table {
        name: "simple_records",
        key: "record_id",
        columns: &[
            (Column::int("kind"), |_| Value::int(C::NUMBER)),
            (Column::blob("about_id"), |it| bytes(it.content.about())),
            (Column::blob("farmer_id"), |it| bytes(it.content.farmer_id())),
            (Column::int("business_day"), |it| it.content.date().map_or(Value::Null, |date| Value::int(date.0))),
            (Column::int("state"), |it| Value::int(it.state() as u8)),
            (Column::blob("user_id"), |it| it.made.user_id.to_value()),
            (Column::int("made_at_ms"), |it| it.made.at.wall_ms.to_value()),
            (Column::int("made_counter"), |it| it.made.at.counter.to_value()),
        ],
    };
    const TOPICS: &'static [Topic] = C::TOPICS;

    type Id = DocumentId;

    fn id(&self) -> DocumentId {
        self.record_id
    }

    fn project(record_id: DocumentId, fields: &Fields) -> Result<Option<Self>, Error> {
        let mut conflicts = Vec::new();
        let title = |it: &SimpleSnapshot<C>| it.content.title();
        let snapshot = fields.effective(SNAPSHOT, |it: &SimpleSnapshot<C>| it.stamp, title, &mut conflicts)?;
        let Some(SimpleSnapshot { stamp, mut content, .. }) = snapshot else { return Ok(None) };
        for register in C::REGISTERS {
            (register.read)(&mut content, fields, &mut conflicts)?;
        }
        for conflict in &mut conflicts {
            conflict.is_hard = conflict.field == SNAPSHOT;
        }
        check(&mut content)
            .map_err(|wrong| Error::malformed(format!("a {}: {}: {}", C::NAME, wrong.field, wrong.reason)))?;
        let mut steps: Vec<SimpleEvent> = fields.added(STEP)?.into_iter().map(|(_, event)| event).collect();
        if let Some(event) = steps.iter().find(|event| !C::STEPS.contains(&event.step)) {
            return Err(Error::malformed(format!("a {} is not {}", C::NAME, event.step)));
        }
        steps.sort_by_key(|event| (event.stamp.at, event.stamp.user_id));
        Ok(Some(Self { record_id, made: stamp, content, steps, conflicts }))
    }

    fn conflicts(&self) -> &[Conflict] {
        &self.conflicts
    }

    fn created(&self) -> Option<Stamp> {
        Some(self.made)
    }

    fn times(&self) -> Vec<crate::units::HybridTime> {
        std::iter::once(self.made).chain(self.steps.iter().map(|event| event.stamp)).map(|stamp| stamp.at).collect()
    }

    /// Returns the record itself if this version does not know the kind of the other one.
    fn shown_under(&self) -> (Kind, DocumentId) {
        let other = self.content.shown_under().and_then(Kind::from_number).zip(self.content.about());
        other.unwrap_or((Kind::of::<Self>(), self.record_id))
    }
}
