//! The kinds of record: what a kind declares about itself, its erased form, and the one list.
//!
//! Owns [`RecordKind`] and [`KINDS`]. Everything generic about records follows from a kind's constants, on phone and server: the check of
//! changes, permission and scope, the projection's table, wiping, erasure, events. Does not know a database or a screen.
//! Invariant: numbers and names of kinds are in every database and on every wire, and are never used again for something else.

use std::any::Any;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::{Conflict, Contact, Delivery, Error, Farmer, Fields, Load, Note, Shape, Stamp};
use crate::scope::{Scope, ScopeForm};
use crate::units::{Column, DocumentId, FromValue, HybridTime, ToValue, Value, words};

/// All kinds, by number. A new kind adds its line here.
pub const KINDS: [Kind; 5] =
    [Kind::of::<Delivery>(), Kind::of::<Load>(), Kind::of::<Farmer>(), Kind::of::<Contact>(), Kind::of::<Note>()];

/// Whether records of a kind are about a person, and are erased when the person is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privacy {
    /// Names or describes a person: its bytes can be erased.
    Personal,
    /// Kept for good; refers to people by id only.
    Business,
}

/// What may have to be read again after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// The phone's user, what they may do, orders of the office.
    Session,
    /// Centres, commodities, bag types, lorries, names.
    Reference,
    /// Deliveries and drafts.
    Deliveries,
    /// Farmers.
    Farmers,
    /// Loads.
    Loads,
    /// What waits for a person.
    Inbox,
    /// What the server does not have yet, and the progress of a sync.
    Sync,
}

impl Topic {
    /// All topics.
    pub const ALL: [Self; 7] =
        [Self::Session, Self::Reference, Self::Deliveries, Self::Farmers, Self::Loads, Self::Inbox, Self::Sync];
}

/// A kind of record. Everything generic about records follows from these constants and functions.
pub trait RecordKind: Clone + fmt::Debug + PartialEq + Send + Sync + Sized + 'static {
    /// The kind's number on the wire and in databases, from 1.
    const NUMBER: u8;
    /// The kind's name, the same everywhere.
    const NAME: &'static str;
    /// The form of the scopes in which its documents live.
    const HOME: ScopeForm;
    /// Whether it is about a person.
    const PRIVACY: Privacy;
    /// The keys of its documents.
    const SHAPE: Shape;
    /// The table of its projection.
    const TABLE: Table<Self>;
    /// What an app reads again when one changes.
    const TOPICS: &'static [Topic];
    /// The texts by whose words people find it; `None` for a kind that is not searched by words.
    const SEARCHED: Option<for<'a> fn(&'a Self) -> Vec<&'a str>> = None;

    /// Its id; every id of a record is that of its document.
    type Id: Copy + From<DocumentId> + Into<DocumentId>;

    /// Returns the record's id.
    fn id(&self) -> Self::Id;

    /// Reads the record from its document's keys; `None` while its creating change is missing.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a value that cannot be read.
    fn project(id: Self::Id, fields: &Fields) -> Result<Option<Self>, Error>;

    /// Returns the fields that were given different values without knowledge of each other.
    fn conflicts(&self) -> &[Conflict];

    /// Returns who created it, where and when; `None` while that is not known here, or not told by the record.
    fn created(&self) -> Option<Stamp>;

    /// Returns the newest time of any of its values.
    fn newest_time(&self) -> HybridTime {
        self.created().map_or(HybridTime::default(), |stamp| stamp.at)
    }

    /// Returns the scope that its own content names, if it names one.
    fn own_scope(&self) -> Option<Scope> {
        None
    }

    /// Returns the record that people know it by, as kind and document: itself, unless it is a part of another.
    fn subject(&self) -> (Kind, DocumentId) {
        (Kind::of::<Self>(), self.id().into())
    }
}

/// The table that a kind is projected to: of records beside the columns `arrival`, `scope` and `conflicts`, of decisions beside `scope`,
/// `seq` and `decided_at_ms`.
pub struct Table<K: 'static> {
    /// The table.
    pub name: &'static str,
    /// The column of the id. A record's id is no column of its own, a decision's is.
    pub key: &'static str,
    /// The kind's own columns, and how each is filled.
    pub columns: &'static [(Column<'static>, ValueOf<K>)],
}

/// Returns the value of a column.
pub type ValueOf<K> = for<'a> fn(&'a K) -> Value<'a>;

impl<K> Table<K> {
    /// Returns the names and types.
    pub fn info(&self) -> TableInfo {
        TableInfo { name: self.name, key: self.key, columns: self.columns.iter().map(|(column, _)| *column).collect() }
    }

    /// Returns the values of the kind's own columns, in their order.
    pub fn cells<'a>(&self, of: &'a K) -> Vec<Value<'a>> {
        self.columns.iter().map(|(_, value)| value(of)).collect()
    }
}

/// The names and types of a kind's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableInfo {
    /// The table.
    pub name: &'static str,
    /// The column of the id.
    pub key: &'static str,
    /// The kind's own columns.
    pub columns: Vec<Column<'static>>,
}

/// What a kind declares, without its type.
pub struct KindInfo {
    /// [`RecordKind::NUMBER`].
    pub number: u8,
    /// [`RecordKind::NAME`].
    pub name: &'static str,
    /// [`RecordKind::HOME`].
    pub home: ScopeForm,
    /// [`RecordKind::PRIVACY`].
    pub privacy: Privacy,
    /// [`RecordKind::SHAPE`].
    pub shape: Shape,
    /// [`RecordKind::TABLE`], names and types.
    pub table: fn() -> TableInfo,
    /// [`RecordKind::TOPICS`].
    pub topics: &'static [Topic],
    /// Whether there is [`RecordKind::SEARCHED`].
    pub is_searched: bool,
    /// [`RecordKind::project`].
    pub project: fn(DocumentId, &Fields) -> Result<Option<Record>, Error>,
}

/// A kind of record; the same kind has the same number.
#[derive(Clone, Copy)]
pub struct Kind(&'static KindInfo);

impl Kind {
    /// The kind of a type.
    pub const fn of<K: RecordKind>() -> Self {
        Self(
            const {
                &KindInfo {
                    number: K::NUMBER,
                    name: K::NAME,
                    home: K::HOME,
                    privacy: K::PRIVACY,
                    shape: K::SHAPE,
                    table: || K::TABLE.info(),
                    topics: K::TOPICS,
                    is_searched: K::SEARCHED.is_some(),
                    project: |id, fields| Ok(K::project(id.into(), fields)?.map(Record::new)),
                }
            },
        )
    }

    /// The kind of a number; `None` for one that a newer version made.
    pub fn from_number(number: u8) -> Option<Self> {
        KINDS.into_iter().find(|kind| kind.number == number)
    }
}

impl std::ops::Deref for Kind {
    type Target = KindInfo;
    fn deref(&self) -> &KindInfo {
        self.0
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Kind {}

impl PartialOrd for Kind {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Kind {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.number.cmp(&other.number)
    }
}

impl ToValue for Kind {
    fn to_value(&self) -> Value<'_> {
        Value::Int(self.number.into())
    }
}

impl FromValue for Kind {
    fn from_value(value: Value<'_>) -> Option<Self> {
        Self::from_number(u8::from_value(value)?)
    }
}

/// What a record of any kind tells. Implemented for every [`RecordKind`].
pub trait AnyRecord: Any + fmt::Debug + Send + Sync {
    /// Returns its kind.
    fn kind(&self) -> Kind;
    /// Returns its document.
    fn document(&self) -> DocumentId;
    /// Returns the values of the kind's own columns, in the order of [`TableInfo::columns`].
    fn cells(&self) -> Vec<Value<'_>>;
    /// Returns the words by which people find it, folded, each once, in order.
    fn words(&self) -> Vec<String>;
    /// [`RecordKind::conflicts`].
    fn conflicts(&self) -> &[Conflict];
    /// [`RecordKind::created`].
    fn created(&self) -> Option<Stamp>;
    /// [`RecordKind::newest_time`].
    fn newest_time(&self) -> HybridTime;
    /// [`RecordKind::own_scope`].
    fn own_scope(&self) -> Option<Scope>;
    /// [`RecordKind::subject`].
    fn subject(&self) -> (Kind, DocumentId);
}

impl<K: RecordKind> AnyRecord for K {
    fn kind(&self) -> Kind {
        Kind::of::<K>()
    }

    fn document(&self) -> DocumentId {
        self.id().into()
    }

    fn cells(&self) -> Vec<Value<'_>> {
        K::TABLE.cells(self)
    }

    fn words(&self) -> Vec<String> {
        let texts = K::SEARCHED.map_or_else(Vec::new, |searched| searched(self));
        texts.into_iter().flat_map(words).collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn conflicts(&self) -> &[Conflict] {
        K::conflicts(self)
    }

    fn created(&self) -> Option<Stamp> {
        K::created(self)
    }

    fn newest_time(&self) -> HybridTime {
        K::newest_time(self)
    }

    fn own_scope(&self) -> Option<Scope> {
        K::own_scope(self)
    }

    fn subject(&self) -> (Kind, DocumentId) {
        K::subject(self)
    }
}

/// A record of any kind.
#[derive(Clone, Debug)]
pub struct Record(Arc<dyn AnyRecord>);

impl Record {
    /// A record without its type.
    pub fn new<K: RecordKind>(record: K) -> Self {
        Self(Arc::new(record))
    }

    /// The record, if it is of this kind.
    pub fn downcast_ref<K: RecordKind>(&self) -> Option<&K> {
        let any: &dyn Any = &*self.0;
        any.downcast_ref()
    }

    /// The record, if it is of this kind.
    pub fn downcast<K: RecordKind>(self) -> Option<K> {
        let any: Arc<dyn Any + Send + Sync> = self.0;
        any.downcast().ok().map(Arc::unwrap_or_clone)
    }
}

impl std::ops::Deref for Record {
    type Target = dyn AnyRecord;
    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_listed_once_under_its_own_number_and_name() {
        let numbers: BTreeSet<u8> = KINDS.into_iter().map(|kind| kind.number).collect();
        let names: BTreeSet<&str> = KINDS.into_iter().map(|kind| kind.name).collect();
        let tables: BTreeSet<&str> = KINDS.into_iter().map(|kind| (kind.table)().name).collect();
        assert_eq!((numbers.len(), names.len(), tables.len()), (KINDS.len(), KINDS.len(), KINDS.len()));
        assert!(!numbers.contains(&0), "0 is a draft of a wiped phone");
        for kind in KINDS {
            assert_eq!(Kind::from_number(kind.number), Some(kind));
        }
        assert_eq!(Kind::from_number(200), None);
    }

    #[test]
    fn no_key_begins_like_a_family_of_its_kind() {
        for kind in KINDS {
            for (rule, other) in kind.shape.0.iter().flat_map(|a| kind.shape.0.iter().map(move |b| (a, b))) {
                let is_hidden = rule.is_family() && rule.key != other.key && other.key.starts_with(rule.key);
                assert!(!is_hidden, "{kind:?}: {} begins {}", rule.key, other.key);
            }
        }
    }
}
