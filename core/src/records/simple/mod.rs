//! Simple records: named fields that are written once, steps that happen afterwards, and registers for fields that people change.
//!
//! A simple kind is a struct of its fields that implements [`SimpleKind`]. Shape, row, projection, conflicts, and the checks of its command
//! follow from that; all simple kinds share one table. Invariant: what [`SimpleKind::check`] refuses is refused in every version, because a
//! projection must not depend on the version.

mod field;
mod step;

use minicbor::{Decode, Encode};

pub use field::{Reference, RegisterField, TextField, WrongField};
pub(crate) use field::{register, within};
pub use step::{SimpleAct, SimpleEvent, SimpleState, SimpleStep};

use super::shape::{SNAPSHOT, leading_stamp};
use super::{
    Class, Conflict, Error, Fields, KeyRule, Kind, PaperEntry, Privacy, Put, RecordKind, Shape, Stamp, Table, Topic,
    encode,
};
use crate::limits::MAX_TEXT;
use crate::permission::{Capability, Role};
use crate::scope::ScopeForm;
use crate::units::{BusinessDate, Column, CommodityCode, DocumentId, FarmerId, Grams, Money, ToValue, UserId, Value};

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
    const TOPICS: &'static [Topic] = &[Topic::Records];
    /// Capability for recording one, and for its steps.
    const CAPABILITY: Capability;
    /// [`RecordKind::SHAPE`], of `recorded` and `steps`.
    const SHAPE: Shape;
    /// Fields that people change while the record is open, each a register of the shape.
    const REGISTERS: &'static [RegisterField<Self>] = &[];
    /// Steps that it may take; none without `steps` in the shape.
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

    /// Returns the amount that its author paid out in money, which counts against the author's allowance on the device, if any.
    fn paid_out(&self) -> Option<Money> {
        None
    }

    /// Returns the paper form on which it was written first, if any.
    fn paper_entry(&self) -> Option<&PaperEntry> {
        None
    }

    /// Returns whether the record itself lets a user of this role take a step; `made` is author and time of the recording.
    fn permits(&self, step: SimpleStep, made: &Stamp, user: UserId, role: Role) -> bool {
        let _ = (step, made, user, role);
        true
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
    /// Authors and times of the values of its registers, in no order.
    pub corrections: Vec<Stamp>,
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
            (Column::int("device_code"), |it| it.made.device_code.to_value()),
            (Column::int("paid_out_minor"), |it| {
                it.content.paid_out().map_or(Value::Null, |it| Value::int(it.minor()))
            }),
            (Column::text("paper_book"), |it| it.content.paper_entry().map_or(Value::Null, |it| it.book.to_value())),
            (Column::int("paper_serial"), |it| {
                it.content.paper_entry().map_or(Value::Null, |it| Value::int(it.serial))
            }),
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
        let mut corrections = Vec::new();
        for rule in C::SHAPE.0.iter().filter(|rule| rule.class == Class::Register) {
            corrections.extend(fields.stamps(rule.key)?);
        }
        Ok(Some(Self { record_id, made: stamp, content, steps, corrections, conflicts }))
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

    fn farmer_id(&self) -> Option<FarmerId> {
        self.content.farmer_id()
    }

    fn simple_acts(&self) -> Vec<SimpleAct> {
        let corrections = self.corrections.iter().map(|stamp| SimpleAct { at: stamp.at, step: None });
        let steps = self.steps.iter().map(|event| SimpleAct { at: event.stamp.at, step: Some(event.step) });
        let mut acts: Vec<SimpleAct> = corrections.chain(steps).collect();
        acts.sort_unstable();
        acts
    }

    /// Returns the record itself if this version does not know the kind of the other one.
    fn shown_under(&self) -> (Kind, DocumentId) {
        let other = self.content.shown_under().and_then(Kind::from_number).zip(self.content.about());
        other.unwrap_or((Kind::of::<Self>(), self.record_id))
    }
}
