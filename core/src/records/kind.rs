//! Record kinds: the trait that declares a kind, its type-erased form, and the list of all kinds.
//!
//! Checks of changes, permissions, scopes, projection tables, wiping, erasure and events ask the constants of [`RecordKind`], on phone and
//! server. Invariant: numbers and names of kinds are in every database and message, and are never reused.

use std::any::Any;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::simple::SimpleAct;
use super::{
    Advance, AdvanceRequest, CashCount, CashMovement, Conflict, Contact, ContainerMovement, Delivery, Dispute, Error,
    Farmer, Feedback, Fields, InstrumentCheck, Load, LorryRequest, Note, Payout, Plot, QueueTicket, ReceivingNote,
    RetainedSample, Shape, Signature, Simple, Stamp, SupplyIntent, WeighbridgeTicket,
};
use crate::scope::{Scope, ScopeForm};
use crate::units::{Column, DocumentId, FarmerId, FromValue, HybridTime, ToValue, UnitError, Value};

/// All kinds, sorted by number. A new kind is added here.
pub const KINDS: [Kind; 22] = [
    Kind::of::<Delivery>(),
    Kind::of::<Load>(),
    Kind::of::<Farmer>(),
    Kind::of::<Contact>(),
    Kind::of::<Simple<Note>>(),
    Kind::of::<Simple<WeighbridgeTicket>>(),
    Kind::of::<Simple<ReceivingNote>>(),
    Kind::of::<Simple<LorryRequest>>(),
    Kind::of::<Simple<SupplyIntent>>(),
    Kind::of::<Simple<AdvanceRequest>>(),
    Kind::of::<Simple<Dispute>>(),
    Kind::of::<Simple<Feedback>>(),
    Kind::of::<Simple<QueueTicket>>(),
    Kind::of::<Simple<ContainerMovement>>(),
    Kind::of::<Simple<RetainedSample>>(),
    Kind::of::<Simple<InstrumentCheck>>(),
    Kind::of::<Simple<Signature>>(),
    Kind::of::<Payout>(),
    Kind::of::<Simple<Advance>>(),
    Kind::of::<Simple<CashMovement>>(),
    Kind::of::<Simple<CashCount>>(),
    Kind::of::<Simple<Plot>>(),
];

/// Whether a kind's records are personal data, which are erased when the person is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privacy {
    /// Names or describes a person; its bytes can be erased.
    Personal,
    /// Kept for good; refers to people by id only.
    Business,
}

/// Part of the data that an app reads again after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Current user, their permissions, and orders of the office.
    Session,
    /// Centres, commodities, bag types, lorries and names.
    Reference,
    /// Deliveries and drafts.
    Deliveries,
    /// Farmers and their contacts.
    Farmers,
    /// Loads and their totals.
    Loads,
    /// Simple records, such as notes and tickets.
    Records,
    /// Items that wait for a person.
    Inbox,
    /// Changes that the server does not have yet, and the progress of a sync.
    Sync,
}

impl Topic {
    /// All topics, in order of declaration.
    pub const ALL: [Self; 8] = [
        Self::Session,
        Self::Reference,
        Self::Deliveries,
        Self::Farmers,
        Self::Loads,
        Self::Records,
        Self::Inbox,
        Self::Sync,
    ];
}

/// Declaration of a record kind. Code that works on any kind depends only on these constants and functions.
pub trait RecordKind: Clone + fmt::Debug + PartialEq + Send + Sync + Sized + 'static {
    /// Number of the kind in messages and databases, from 1.
    const NUMBER: u8;
    /// Name of the kind, the same on every surface.
    const NAME: &'static str;
    /// Form of the scopes that contain its documents.
    const HOME: ScopeForm;
    /// Whether its records are personal data.
    const PRIVACY: Privacy;
    /// Keys of its documents.
    const SHAPE: Shape;
    /// Table of its projection; kinds that share one have a column `kind` there.
    const TABLE: Table<Self>;
    /// Topics that an app reads again after a record of the kind has changed, besides inbox and sync.
    const TOPICS: &'static [Topic];
    /// Function that returns the folded words by which a record is found; `None` if the kind is not searched.
    const WORDS: Option<fn(&Self) -> Vec<String>> = None;
    /// Second table with rows of its records.
    const DETAILS: Option<Details<Self>> = None;

    /// Type of its ids; a record's id is the id of its document.
    type Id: Copy + From<DocumentId> + Into<DocumentId>;

    /// Returns the record's id.
    fn id(&self) -> Self::Id;

    /// Projects the record from its document's keys, with the same result in every version; `None` while its creating change is missing.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a value that cannot be read.
    fn project(id: Self::Id, fields: &Fields) -> Result<Option<Self>, Error>;

    /// Returns the conflicts between concurrent changes.
    fn conflicts(&self) -> &[Conflict];

    /// Returns author, device and time of creation; `None` if unknown here or not recorded: permission then ignores creator and age.
    fn created(&self) -> Option<Stamp>;

    /// Returns the times which a phone's hybrid clock follows: those of creation and added values, not registers; in no order.
    fn times(&self) -> Vec<HybridTime> {
        self.created().into_iter().map(|stamp| stamp.at).collect()
    }

    /// Returns the farmer whom it names, if any. A personal record is erased with that farmer.
    fn farmer_id(&self) -> Option<FarmerId> {
        None
    }

    /// Returns the scope that the record's own content names, if any. The server holds a change whose entry names another.
    fn own_scope(&self) -> Option<Scope> {
        None
    }

    /// Returns the number of the rule set that is stamped on the record, if any: its windows limit changes by the author.
    fn rule_set(&self) -> Option<u32> {
        None
    }

    /// Returns what was done to a simple record after it was made, in the order of the times; none of other kinds.
    fn simple_acts(&self) -> Vec<SimpleAct> {
        Vec::new()
    }

    /// Returns kind and document of the record under which inbox items about this one are shown: by default, this one.
    fn shown_under(&self) -> (Kind, DocumentId) {
        (Kind::of::<Self>(), self.id().into())
    }
}

/// Projection table. Those of records also have the columns `arrival`, `scope`, `conflicts`; of decisions `scope`, `seq`, `decided_at_ms`.
pub struct Table<K: 'static> {
    /// Name of the table.
    pub name: &'static str,
    /// Column of the id, of a decision also `scope`. `columns` contains the id of a decision, but not that of a record.
    pub key: &'static str,
    /// The kind's own columns, each with the function that returns its value.
    pub columns: &'static [(Column<'static>, ValueOf<K>)],
}

/// Rows that a record has in a second table, such as the parts of a delivery. Its key is that of the record's own row and the column
/// `number`, which counts the rows of a record from 0.
pub struct Details<K: 'static> {
    /// Name of the table, which only this kind has.
    pub table: &'static str,
    /// Columns besides those of the key.
    pub columns: &'static [Column<'static>],
    /// Returns the values of these columns, row by row.
    pub rows: for<'a> fn(&'a K) -> Vec<Vec<Value<'a>>>,
}

/// Column that numbers the rows of [`Details`].
pub(crate) const DETAIL_NUMBER: &str = "number";

/// Function that returns the value of a column.
pub type ValueOf<K> = for<'a> fn(&'a K) -> Value<'a>;

impl<K> Table<K> {
    /// Returns the names and column types.
    pub fn info(&self) -> TableInfo {
        TableInfo { name: self.name, key: self.key, columns: self.columns.iter().map(|(column, _)| *column).collect() }
    }

    /// Returns the values of the kind's own columns, in order.
    pub fn cells<'a>(&self, of: &'a K) -> Vec<Value<'a>> {
        self.columns.iter().map(|(_, value)| storable(value(of))).collect()
    }
}

/// Returns a value that every database takes: a text with NUL, which core's own commands refuse, gets replacement characters instead.
fn storable(value: Value<'_>) -> Value<'_> {
    match value {
        Value::Text(text) if text.contains('\0') => Value::Text(text.replace('\0', "\u{fffd}").into()),
        value => value,
    }
}

/// Names and column types of a kind's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableInfo {
    /// Name of the table.
    pub name: &'static str,
    /// Column of the id.
    pub key: &'static str,
    /// The kind's own columns.
    pub columns: Vec<Column<'static>>,
}

/// Constants of a kind, without its Rust type.
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
    /// Names and column types of [`RecordKind::TABLE`].
    pub table: fn() -> TableInfo,
    /// Table and columns of [`RecordKind::DETAILS`]; the key is that of `table`.
    pub details: fn() -> Option<TableInfo>,
    /// [`RecordKind::TOPICS`].
    pub topics: &'static [Topic],
    /// Whether [`RecordKind::WORDS`] is set.
    pub is_searched: bool,
    /// [`RecordKind::project`].
    pub project: fn(DocumentId, &Fields) -> Result<Option<Record>, Error>,
}

/// Record kind as a value; kinds are compared by number.
#[derive(Clone, Copy)]
pub struct Kind(&'static KindInfo);

impl Kind {
    /// Returns the kind of a record type.
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
                    details: || {
                        K::DETAILS.map(|it| TableInfo {
                            name: it.table,
                            key: K::TABLE.key,
                            columns: it.columns.to_vec(),
                        })
                    },
                    topics: K::TOPICS,
                    is_searched: K::WORDS.is_some(),
                    project: |id, fields| Ok(K::project(id.into(), fields)?.map(|record| Arc::new(record) as Record)),
                }
            },
        )
    }

    /// Returns the kind with this number; `None` for 0, a draft of a wiped phone, and for a kind of a newer version.
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

/// Prints the name.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name)
    }
}

impl FromStr for Kind {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        KINDS.into_iter().find(|kind| kind.name == text).ok_or_else(|| UnitError::new("not a kind of record"))
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Kind {}

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

/// Type-erased view of a record, implemented for every [`RecordKind`].
pub trait AnyRecord: Any + fmt::Debug + Send + Sync {
    /// Returns the record's kind.
    fn kind(&self) -> Kind;
    /// Returns the id of its document.
    fn document(&self) -> DocumentId;
    /// Returns the values of the kind's own columns, in the order of [`TableInfo::columns`].
    fn cells(&self) -> Vec<Value<'_>>;
    /// Returns the rows of [`RecordKind::DETAILS`], without the columns of the key.
    fn details(&self) -> Vec<Vec<Value<'_>>>;
    /// Returns the folded search words, sorted and without duplicates.
    fn words(&self) -> Vec<String>;
    /// [`RecordKind::conflicts`].
    fn conflicts(&self) -> &[Conflict];
    /// [`RecordKind::created`].
    fn created(&self) -> Option<Stamp>;
    /// [`RecordKind::times`].
    fn times(&self) -> Vec<HybridTime>;
    /// [`RecordKind::farmer_id`].
    fn farmer_id(&self) -> Option<FarmerId>;
    /// [`RecordKind::own_scope`].
    fn own_scope(&self) -> Option<Scope>;
    /// [`RecordKind::rule_set`].
    fn rule_set(&self) -> Option<u32>;
    /// [`RecordKind::simple_acts`].
    fn simple_acts(&self) -> Vec<SimpleAct>;
    /// [`RecordKind::shown_under`].
    fn shown_under(&self) -> (Kind, DocumentId);
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

    fn details(&self) -> Vec<Vec<Value<'_>>> {
        K::DETAILS.map_or_else(Vec::new, |details| (details.rows)(self))
    }

    fn words(&self) -> Vec<String> {
        let words = K::WORDS.map_or_else(Vec::new, |words| words(self));
        words.into_iter().collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn conflicts(&self) -> &[Conflict] {
        K::conflicts(self)
    }

    fn created(&self) -> Option<Stamp> {
        K::created(self)
    }

    fn times(&self) -> Vec<HybridTime> {
        K::times(self)
    }

    fn farmer_id(&self) -> Option<FarmerId> {
        K::farmer_id(self)
    }

    fn own_scope(&self) -> Option<Scope> {
        K::own_scope(self)
    }

    fn rule_set(&self) -> Option<u32> {
        K::rule_set(self)
    }

    fn simple_acts(&self) -> Vec<SimpleAct> {
        K::simple_acts(self)
    }

    fn shown_under(&self) -> (Kind, DocumentId) {
        K::shown_under(self)
    }
}

/// Record of any kind.
pub type Record = Arc<dyn AnyRecord>;

impl dyn AnyRecord {
    /// Returns a reference to the record if it is a `K`.
    pub fn downcast_ref<K: RecordKind>(&self) -> Option<&K> {
        let any: &dyn Any = self;
        any.downcast_ref()
    }

    /// Returns the record if it is a `K`.
    pub fn downcast<K: RecordKind>(self: Arc<Self>) -> Option<K> {
        let any: Arc<dyn Any + Send + Sync> = self;
        any.downcast().ok().map(Arc::unwrap_or_clone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_listed_once_under_its_own_number_and_name() {
        let numbers: BTreeSet<u8> = KINDS.into_iter().map(|kind| kind.number).collect();
        let names: BTreeSet<&str> = KINDS.into_iter().map(|kind| kind.name).collect();
        assert_eq!((numbers.len(), names.len()), (KINDS.len(), KINDS.len()));
        let is_own = |kind: &Kind| (kind.table)().columns.iter().all(|column| column.name != "kind");
        let own: Vec<&str> = KINDS.into_iter().filter(is_own).map(|kind| (kind.table)().name).collect();
        let tables: BTreeSet<&str> = own.iter().copied().collect();
        assert_eq!(tables.len(), own.len(), "only a table with a column `kind` is that of several kinds");
        assert!(!numbers.contains(&0), "0 is a draft of a wiped phone");
        for kind in KINDS {
            assert_eq!(Kind::from_number(kind.number), Some(kind));
            assert_eq!(kind.to_string().parse(), Ok(kind));
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
