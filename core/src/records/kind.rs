//! The kinds of record: what a kind declares about itself, its erased form, and the one list.
//!
//! Owns [`RecordKind`] and [`KINDS`]. Everything generic about records follows from a kind's constants, on phone and server: the check of
//! changes, permission and scope, the projection's table, wiping, erasure, events. Does not know a database or a screen.
//! Invariant: numbers and names of kinds are in every database and on every wire, and are never used again for something else.

use std::any::Any;
use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;

use super::{Conflict, Contact, Delivery, Error, Farmer, Fields, Load, Note, Shape, Stamp};
use crate::scope::{Scope, ScopeForm};
use crate::units::{ColumnType, DocumentId, FromValue, HybridTime, ToValue, Value, words};

/// All kinds. A new kind adds its line here.
pub static KINDS: &[&dyn AnyKind] =
    &[&Of::<Delivery>::NEW, &Of::<Load>::NEW, &Of::<Farmer>::NEW, &Of::<Contact>::NEW, &Of::<Note>::NEW];

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
    /// The kind's own columns.
    pub columns: &'static [TableColumn<K>],
}

impl<K> Table<K> {
    /// Returns the names and types.
    pub fn info(&self) -> TableInfo {
        let columns = self.columns.iter().map(|column| (column.name, column.column_type)).collect();
        TableInfo { name: self.name, key: self.key, columns }
    }
}

/// A column of a kind's table, and how it is filled.
pub struct TableColumn<K: 'static> {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub column_type: ColumnType,
    /// Its value.
    pub value: for<'a> fn(&'a K) -> Value<'a>,
}

impl<K> TableColumn<K> {
    /// A column of integers.
    pub const fn int(name: &'static str, value: for<'a> fn(&'a K) -> Value<'a>) -> Self {
        Self { name, column_type: ColumnType::Int, value }
    }

    /// A column of text.
    pub const fn text(name: &'static str, value: for<'a> fn(&'a K) -> Value<'a>) -> Self {
        Self { name, column_type: ColumnType::Text, value }
    }

    /// A column of bytes.
    pub const fn blob(name: &'static str, value: for<'a> fn(&'a K) -> Value<'a>) -> Self {
        Self { name, column_type: ColumnType::Blob, value }
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
    pub columns: Vec<(&'static str, ColumnType)>,
}

/// A kind without its type. Implemented for every [`RecordKind`] by [`Of`].
pub trait AnyKind: Sync {
    /// [`RecordKind::NUMBER`].
    fn number(&self) -> u8;
    /// [`RecordKind::NAME`].
    fn name(&self) -> &'static str;
    /// [`RecordKind::HOME`].
    fn home(&self) -> ScopeForm;
    /// [`RecordKind::PRIVACY`].
    fn privacy(&self) -> Privacy;
    /// [`RecordKind::SHAPE`].
    fn shape(&self) -> Shape;
    /// [`RecordKind::TABLE`], names and types.
    fn table(&self) -> TableInfo;
    /// [`RecordKind::TOPICS`].
    fn topics(&self) -> &'static [Topic];
    /// Whether there is [`RecordKind::SEARCHED`].
    fn is_searched(&self) -> bool;
    /// [`RecordKind::project`].
    ///
    /// # Errors
    /// [`Error::Malformed`] for a value that cannot be read.
    fn project(&self, id: DocumentId, fields: &Fields) -> Result<Option<Record>, Error>;
}

/// A kind as a value of its own; [`KINDS`] lists them.
pub struct Of<K>(PhantomData<fn() -> K>);

impl<K> Of<K> {
    /// The kind.
    pub const NEW: Self = Self(PhantomData);
}

impl<K: RecordKind> AnyKind for Of<K> {
    fn number(&self) -> u8 {
        K::NUMBER
    }

    fn name(&self) -> &'static str {
        K::NAME
    }

    fn home(&self) -> ScopeForm {
        K::HOME
    }

    fn privacy(&self) -> Privacy {
        K::PRIVACY
    }

    fn shape(&self) -> Shape {
        K::SHAPE
    }

    fn table(&self) -> TableInfo {
        K::TABLE.info()
    }

    fn topics(&self) -> &'static [Topic] {
        K::TOPICS
    }

    fn is_searched(&self) -> bool {
        K::SEARCHED.is_some()
    }

    fn project(&self, id: DocumentId, fields: &Fields) -> Result<Option<Record>, Error> {
        Ok(K::project(id.into(), fields)?.map(Record::new))
    }
}

/// A kind of record; the same kind has the same number.
#[derive(Clone, Copy)]
pub struct Kind(&'static dyn AnyKind);

impl Kind {
    /// The kind of a type.
    pub fn of<K: RecordKind>() -> Self {
        Self(&Of::<K>::NEW)
    }

    /// All kinds, by number.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        KINDS.iter().map(|kind| Self(*kind))
    }

    /// The kind of a number; `None` for one that a newer version made.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::all().find(|kind| kind.number() == number)
    }
}

impl std::ops::Deref for Kind {
    type Target = dyn AnyKind;
    fn deref(&self) -> &Self::Target {
        self.0
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.number() == other.number()
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
        self.number().cmp(&other.number())
    }
}

impl ToValue for Kind {
    fn to_value(&self) -> Value<'_> {
        Value::Int(self.number().into())
    }
}

impl FromValue for Kind {
    fn from_value(value: Value<'_>) -> Option<Self> {
        Self::from_number(u8::from_value(value)?)
    }
}

/// A record without its type.
trait AnyRecord: fmt::Debug + Send + Sync {
    fn kind(&self) -> Kind;
    fn document(&self) -> DocumentId;
    fn cells(&self) -> Vec<Value<'_>>;
    fn words(&self) -> Vec<String>;
    fn conflicts(&self) -> &[Conflict];
    fn created(&self) -> Option<Stamp>;
    fn newest_time(&self) -> HybridTime;
    fn own_scope(&self) -> Option<Scope>;
    fn subject(&self) -> (Kind, DocumentId);
    fn boxed(&self) -> Box<dyn AnyRecord>;
    fn as_any(&self) -> &dyn Any;
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
    fn equals(&self, other: &dyn Any) -> bool;
}

impl<K: RecordKind> AnyRecord for K {
    fn kind(&self) -> Kind {
        Kind::of::<K>()
    }

    fn document(&self) -> DocumentId {
        self.id().into()
    }

    fn cells(&self) -> Vec<Value<'_>> {
        K::TABLE.columns.iter().map(|column| (column.value)(self)).collect()
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

    fn boxed(&self) -> Box<dyn AnyRecord> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }

    fn equals(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<K>() == Some(self)
    }
}

/// A record of any kind.
pub struct Record(Box<dyn AnyRecord>);

impl Record {
    /// A record without its type.
    pub fn new<K: RecordKind>(record: K) -> Self {
        Self(Box::new(record))
    }

    /// The record, if it is of this kind.
    pub fn downcast_ref<K: RecordKind>(&self) -> Option<&K> {
        self.0.as_any().downcast_ref()
    }

    /// The record, if it is of this kind.
    pub fn downcast<K: RecordKind>(self) -> Option<K> {
        self.0.into_any().downcast().ok().map(|record| *record)
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        self.0.kind()
    }

    /// Its document.
    pub fn document(&self) -> DocumentId {
        self.0.document()
    }

    /// The values of the kind's own columns, in the order of [`TableInfo::columns`].
    pub fn cells(&self) -> Vec<Value<'_>> {
        self.0.cells()
    }

    /// The words by which people find it, folded, each once, in order.
    pub fn words(&self) -> Vec<String> {
        self.0.words()
    }

    /// [`RecordKind::conflicts`].
    pub fn conflicts(&self) -> &[Conflict] {
        self.0.conflicts()
    }

    /// [`RecordKind::created`].
    pub fn created(&self) -> Option<Stamp> {
        self.0.created()
    }

    /// [`RecordKind::newest_time`].
    pub fn newest_time(&self) -> HybridTime {
        self.0.newest_time()
    }

    /// [`RecordKind::own_scope`].
    pub fn own_scope(&self) -> Option<Scope> {
        self.0.own_scope()
    }

    /// [`RecordKind::subject`].
    pub fn subject(&self) -> (Kind, DocumentId) {
        self.0.subject()
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Clone for Record {
    fn clone(&self) -> Self {
        Self(self.0.boxed())
    }
}

impl PartialEq for Record {
    fn eq(&self, other: &Self) -> bool {
        self.0.equals(other.0.as_any())
    }
}

impl Eq for Record {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_listed_once_under_its_own_number_and_name() {
        let numbers: BTreeSet<u8> = Kind::all().map(|kind| kind.number()).collect();
        let names: BTreeSet<&str> = Kind::all().map(|kind| kind.name()).collect();
        let tables: BTreeSet<&str> = Kind::all().map(|kind| kind.table().name).collect();
        assert_eq!((numbers.len(), names.len(), tables.len()), (KINDS.len(), KINDS.len(), KINDS.len()));
        assert!(!numbers.contains(&0), "0 is a draft of a wiped phone");
        for kind in Kind::all() {
            assert_eq!(Kind::from_number(kind.number()), Some(kind));
        }
        assert_eq!(Kind::from_number(200), None);
    }

    #[test]
    fn no_key_begins_like_a_family_of_its_kind() {
        for kind in Kind::all() {
            for (rule, other) in kind.shape().0.iter().flat_map(|a| kind.shape().0.iter().map(move |b| (a, b))) {
                let is_hidden = rule.is_family() && rule.key != other.key && other.key.starts_with(rule.key);
                assert!(!is_hidden, "{kind:?}: {} begins {}", rule.key, other.key);
            }
        }
    }
}
