//! Kinds of decision: the trait that a kind implements, its type-erased form, and a decision of any kind.
//!
//! Owns [`DecisionKind`] and [`Decision`]. A kind's constants say where its decisions may be logged, what they are projected to, and what
//! is deleted with a scope, on phone and server. Does not own the database.
//! Invariants: numbers and names are in every message and database and are never reused; the bytes of a decision are never encoded again.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use minicbor::{Decode, Decoder, Encode, Encoder};

use super::{DECISIONS, DecidedBy, DecisionEnvelope, Error, Ruling};
use crate::codec::{decode, encode};
use crate::records::{Table, TableInfo};
use crate::scope::Scope;
use crate::units::{DocumentId, Value};

/// Audience of a kind, which determines the scopes in which its decisions may be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// All devices: the scope of the organisation.
    Organisation,
    /// One device: its own scope.
    Device,
    /// All devices that have the records named by the decision: the scope of the records, or of the device that they come from.
    Scope,
}

impl Audience {
    /// Returns whether a scope has a form for this audience. Does not compare it with the device or records that a decision names.
    pub fn is_of(self, scope: &Scope) -> bool {
        match self {
            Self::Organisation => *scope == Scope::Organisation,
            Self::Device => matches!(scope, Scope::Device(_)),
            Self::Scope => *scope != Scope::Organisation,
        }
    }
}

/// The form in which the decisions of a kind are stored beside their bytes.
pub enum StoredAs<D: 'static> {
    /// Only the last decision about a subject counts: in one scope by sequence number, of several scopes the one that was projected last.
    /// The function returns the subject as text. Kinds for [`Audience::Organisation`] are reference data, which is kept in memory.
    Latest(fn(&D) -> String),
    /// Each decision is a row of the kind's own table until its scope is purged or rewound; of several with the same key, the first counts.
    Rows(Table<D>),
    /// A decision has no row, only a [`DecisionKind::effect`].
    LogOnly,
}

/// [`StoredAs`] without the kind's type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredAsInfo {
    /// [`StoredAs::Latest`].
    Latest,
    /// [`StoredAs::Rows`], as names and types. The key is one of the columns.
    Rows(TableInfo),
    /// [`StoredAs::LogOnly`].
    LogOnly,
}

/// Position and envelope of a decision that is being applied.
#[derive(Clone, Copy, Debug)]
pub struct AppliedAt<'a> {
    /// Scope of the log that contains it.
    pub scope: &'a Scope,
    /// Sequence number in that log.
    pub sequence: u64,
    /// Envelope of the decision.
    pub envelope: &'a DecisionEnvelope,
}

/// An effect of a decision besides being stored: the caller of `project` carries it out, perhaps more than once for one decision.
#[derive(Clone, Copy, Debug)]
pub enum Effect<'a> {
    /// Erases the bytes of a document permanently.
    EraseDocument(DocumentId),
    /// Carries out a person's ruling on held changes.
    ApplyRuling(&'a Ruling),
}

/// A kind of decision. Its CBOR form is an array; a newer version may append fields.
pub trait DecisionKind:
    Clone + fmt::Debug + PartialEq + Encode<()> + for<'b> Decode<'b, ()> + Send + Sync + Sized + 'static
{
    /// Number of the kind in messages and databases. Never reused; 12 belonged to a kind that was removed.
    const NUMBER: u8;
    /// Name of the kind, the same everywhere.
    const NAME: &'static str;
    /// Audience of its decisions.
    const AUDIENCE: Audience;
    /// Form in which its decisions are stored.
    const STORED: StoredAs<Self>;

    /// Returns the ids of the records that the decision names, in any order and perhaps repeated; by default none.
    fn document_ids(&self) -> Vec<DocumentId> {
        Vec::new()
    }

    /// Returns the decision's effect beyond being stored, if any.
    fn effect(&self) -> Option<Effect<'_>> {
        None
    }
}

/// Constants and decoder of a kind, without its type.
pub struct DecisionKindInfo {
    /// [`DecisionKind::NUMBER`].
    pub number: u8,
    /// [`DecisionKind::NAME`].
    pub name: &'static str,
    /// [`DecisionKind::AUDIENCE`].
    pub audience: Audience,
    /// [`DecisionKind::STORED`], as names and types.
    pub stored: fn() -> StoredAsInfo,
    /// Decodes a body alone, not a whole decision; [`Error::Malformed`] if this version cannot read it.
    pub read: fn(&[u8]) -> Result<Content, Error>,
}

impl DecisionKindInfo {
    /// Returns the information about the kind `D`.
    pub const fn of<D: DecisionKind>() -> &'static Self {
        const {
            &Self {
                number: D::NUMBER,
                name: D::NAME,
                audience: D::AUDIENCE,
                stored: || match D::STORED {
                    StoredAs::Latest(_) => StoredAsInfo::Latest,
                    StoredAs::Rows(table) => StoredAsInfo::Rows(table.info()),
                    StoredAs::LogOnly => StoredAsInfo::LogOnly,
                },
                read: |body| Ok(Arc::new(read::<D>(body)?)),
            }
        }
    }
}

/// Returns the kind with a number; `None` if this version does not know it.
pub fn kind_of(number: u8) -> Option<&'static DecisionKindInfo> {
    DECISIONS.iter().copied().find(|kind| kind.number == number)
}

fn read<D: DecisionKind>(body: &[u8]) -> Result<D, Error> {
    decode(body).map_err(|error| Error::Malformed { kind: D::NAME, reason: error.to_string() })
}

/// The content of a decision of any known kind. Implemented for every [`DecisionKind`].
pub trait AnyContent: Any + fmt::Debug + Send + Sync {
    /// Returns the kind of the decision.
    fn kind(&self) -> &'static DecisionKindInfo;
    /// Returns the subject, for a kind that is [`StoredAs::Latest`]; `None` for other kinds.
    fn subject(&self) -> Option<String>;
    /// Returns the values of the kind's own columns, in the order of [`TableInfo::columns`]; empty for a kind without a table.
    fn cells(&self) -> Vec<Value<'_>>;
    /// Returns the records that the decision names, sorted and without duplicates.
    fn document_ids(&self) -> Vec<DocumentId>;
    /// Returns the decision's effect beyond being stored, if any.
    fn effect(&self) -> Option<Effect<'_>>;
}

impl<D: DecisionKind> AnyContent for D {
    fn kind(&self) -> &'static DecisionKindInfo {
        DecisionKindInfo::of::<D>()
    }

    fn subject(&self) -> Option<String> {
        match D::STORED {
            StoredAs::Latest(subject) => Some(subject(self)),
            StoredAs::Rows(_) | StoredAs::LogOnly => None,
        }
    }

    fn cells(&self) -> Vec<Value<'_>> {
        match D::STORED {
            StoredAs::Rows(table) => table.cells(self),
            StoredAs::Latest(_) | StoredAs::LogOnly => Vec::new(),
        }
    }

    fn document_ids(&self) -> Vec<DocumentId> {
        let mut documents = D::document_ids(self);
        documents.sort_unstable();
        documents.dedup();
        documents
    }

    fn effect(&self) -> Option<Effect<'_>> {
        D::effect(self)
    }
}

/// The content of a decision, of any known kind.
pub type Content = Arc<dyn AnyContent>;

impl dyn AnyContent {
    /// Returns the content if it is of the kind `D`.
    pub fn downcast_ref<D: DecisionKind>(&self) -> Option<&D> {
        let any: &dyn Any = self;
        any.downcast_ref()
    }
}

/// A decision of any kind, known or not, as its bytes: `[number, envelope, body]` and any fields that a newer version appended.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decision {
    number: u8,
    bytes: Box<[u8]>,
    /// Start and exclusive end of the body in `bytes`.
    body: (usize, usize),
    /// Start of the envelope, which ends where the body starts.
    envelope: usize,
}

impl Decision {
    /// Makes a decision to be logged in `scope`, which only its key depends on. Logs nothing, and does not check the kind's audience.
    pub fn of<D: DecisionKind>(content: &D, scope: &Scope, by: &DecidedBy) -> Self {
        let body = encode(content);
        let envelope = encode(&by.envelope(scope, D::NUMBER, &body));
        let head = encode(&D::NUMBER);
        // CBOR header of an array of three.
        let bytes = [&[0x83], head.as_slice(), &envelope, &body].concat();
        let begins = bytes.len() - body.len();
        Self { number: D::NUMBER, body: (begins, bytes.len()), envelope: begins - envelope.len(), bytes: bytes.into() }
    }

    /// Returns the number of the kind.
    pub fn number(&self) -> u8 {
        self.number
    }

    /// Returns the bytes of the whole decision, unchanged since they were made.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Decodes the body: `None` if the decision is of another kind than `D`, `Some(Err)` if this version cannot read it.
    pub fn get<D: DecisionKind>(&self) -> Option<Result<D, Error>> {
        (self.number == D::NUMBER).then(|| read(self.body()))
    }

    /// Decodes the body by the number of its kind.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a kind of a newer version, [`Error::Malformed`] for a body that this version cannot read.
    pub fn content(&self) -> Result<Content, Error> {
        let kind = kind_of(self.number).ok_or(Error::Unknown { number: self.number })?;
        (kind.read)(self.body())
    }

    /// Decodes the envelope of the decision.
    ///
    /// # Errors
    /// [`Error::Malformed`] if this version cannot read it.
    pub fn envelope(&self) -> Result<DecisionEnvelope, Error> {
        let bytes = self.bytes.get(self.envelope..self.body.0).unwrap_or_default();
        decode(bytes).map_err(|error| Error::Malformed { kind: "envelope", reason: error.to_string() })
    }

    /// Decodes the envelope and the body.
    ///
    /// # Errors
    /// Those of [`Self::envelope`] and [`Self::content`].
    pub fn read(&self) -> Result<(DecisionEnvelope, Content), Error> {
        Ok((self.envelope()?, self.content()?))
    }

    fn body(&self) -> &[u8] {
        self.bytes.get(self.body.0..self.body.1).unwrap_or_default()
    }

    /// Finds the parts of a decision in its bytes, without decoding envelope and body.
    fn parse(bytes: &[u8]) -> Result<Self, minicbor::decode::Error> {
        let mut decoder = Decoder::new(bytes);
        let fields = decoder.array()?.filter(|fields| *fields >= 3);
        let fields = fields.ok_or_else(|| minicbor::decode::Error::message("a decision has three fields"))?;
        let number = decoder.u8()?;
        let envelope = decoder.position();
        decoder.skip()?;
        let begins = decoder.position();
        decoder.skip()?;
        let ends = decoder.position();
        for _ in 3..fields {
            decoder.skip()?;
        }
        Ok(Self { number, bytes: bytes.into(), body: (begins, ends), envelope })
    }
}

impl fmt::Debug for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.content() {
            Ok(content) => content.fmt(f),
            Err(error) => write!(f, "Decision({error})"),
        }
    }
}

impl<C> Encode<C> for Decision {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.writer_mut().write_all(&self.bytes).map_err(minicbor::encode::Error::write)
    }
}

impl<'b, C> Decode<'b, C> for Decision {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let begins = d.position();
        d.skip()?;
        Self::parse(d.input().get(begins..d.position()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::decisions::{Centre, Lorry};
    use crate::units::{DecisionKey, Grams, Timestamp};

    #[test]
    fn each_kind_is_listed_once_under_its_own_number_name_and_table() {
        let numbers: BTreeSet<u8> = DECISIONS.iter().map(|kind| kind.number).collect();
        let names: BTreeSet<&str> = DECISIONS.iter().map(|kind| kind.name).collect();
        assert_eq!((numbers.len(), names.len()), (DECISIONS.len(), DECISIONS.len()));
        assert!(!numbers.contains(&12), "12 was used by a kind that is gone");
        let mut tables = BTreeSet::new();
        for kind in DECISIONS {
            assert_eq!(kind_of(kind.number).map(|it| it.name), Some(kind.name));
            match (kind.stored)() {
                StoredAsInfo::Rows(table) => {
                    assert!(tables.insert(table.name), "{} has its table twice", table.name);
                    let is_column = |name| name == "scope" || table.columns.iter().any(|column| column.name == name);
                    assert!(table.key.split(", ").all(is_column), "{} are no columns", table.key);
                }
                StoredAsInfo::Latest | StoredAsInfo::LogOnly => {}
            }
        }
        assert!(kind_of(200).is_none());
    }

    fn lorry() -> Lorry {
        Lorry { plate: "KA07A9999".parse().expect("a plate"), payload: Grams(9_000_000) }
    }

    #[test]
    fn a_decision_reads_back_as_its_own_kind_only() {
        let by = DecidedBy::operator(Timestamp(7), DecisionKey::from([1; 16])).because("it was repaired");
        let decision = Decision::of(&lorry(), &Scope::Organisation, &by);
        let read: Decision = decode(&encode(&decision)).expect("it reads");
        assert_eq!((&read, read.as_bytes()), (&decision, encode(&decision).as_slice()));
        assert_eq!(read.get::<Lorry>().expect("a lorry").expect("it reads"), lorry());
        assert!(read.get::<Centre>().is_none());
        let envelope = read.envelope().expect("an envelope");
        assert_eq!((envelope.decided_at, envelope.reason.as_str()), (by.decided_at, "it was repaired"));
    }

    #[test]
    fn the_key_of_a_conclusion_follows_from_it_and_that_of_a_command_from_the_command() {
        let key = |scope: &Scope, by: &DecidedBy| Decision::of(&lorry(), scope, by).envelope().expect("one").key;
        let (first, second) = (DecidedBy::server(Timestamp(1)), DecidedBy::server(Timestamp(2)));
        assert_eq!(key(&Scope::Organisation, &first), key(&Scope::Organisation, &second));
        assert_ne!(key(&Scope::Organisation, &first), key(&"c/KOLAR".parse().expect("a scope"), &first));
        let commands = [1, 2].map(|number| DecidedBy::operator(Timestamp(1), DecisionKey::from([number; 16])));
        assert_ne!(key(&Scope::Organisation, &commands[0]), key(&Scope::Organisation, &commands[1]));
    }

    #[test]
    fn further_fields_of_a_newer_version_are_passed_over() {
        let by = DecidedBy::server(Timestamp(7)).envelope(&Scope::Organisation, 4, &[]);
        let later = ("of a newer version", [1_u8, 2]);
        let envelope = (by.author, &by.role, by.decided_at, &by.basis, by.key, &by.reason, later);
        let bytes = encode(&(4, envelope, (lorry().plate, lorry().payload, later), later));
        let decision: Decision = decode(&bytes).expect("it reads");
        let (envelope, content) = decision.read().expect("it reads");
        assert_eq!((envelope, content.downcast_ref()), (by, Some(&lorry())));
        assert_eq!(encode(&decision), bytes);
    }

    #[test]
    fn what_is_not_known_is_kept_as_it_came() {
        let by = DecidedBy::server(Timestamp(7)).envelope(&Scope::Organisation, 200, &[]);
        let later = ("of a newer version", [1_u8, 2]);
        for (bytes, is_known) in [
            (encode(&(200, &by, [later], 7)), false),
            (encode(&(4, &by, [later], later)), true),
            (encode(&(4, [later], 0)), true),
        ] {
            let decision: Decision = decode(&bytes).expect("it reads");
            assert_eq!(encode(&decision), bytes);
            let error = decision.content().err();
            let is_named = match &error {
                Some(Error::Unknown { number: 200 }) => !is_known,
                Some(Error::Malformed { kind: "lorry", .. }) => is_known,
                _ => false,
            };
            assert!(is_named, "{error:?}");
        }
        for wrong in [encode(&(4, &by)), encode(&4), encode(&("4", &by, [later]))] {
            decode::<Decision>(&wrong).expect_err("not of the form of a decision");
        }
    }
}
