//! A flat Automerge document: scalar bytes under root keys.
//!
//! Does not know record kinds. Invariant: a document is in memory only during one call; at 18 KB each they would not fit a phone.

use crate::units::ChangeHash;
use automerge::legacy::{Key, ObjectId, Op, OpType as LegacyOpType, SortedVec};
use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, Automerge, ExpandedChange, ObjId, ROOT, ReadDoc, ScalarValue, Value};

use super::change::{check_size, guarded};
use super::{Change, Error};

/// Automerge actor of one opened store. Random and never stored, so that a copied database file cannot reuse its sequence numbers.
#[derive(Clone, Debug)]
pub struct Actor(ActorId);

impl Actor {
    /// Returns an actor of sixteen random bytes.
    pub fn new(random: [u8; 16]) -> Self {
        Self(ActorId::from(random))
    }
}

pub(crate) enum Put {
    /// Snapshot or register, under its own name.
    Key(&'static str, Vec<u8>),
    /// New key of an added family: letter of the family, key that it refers to (may be empty), value.
    Add(char, String, Vec<u8>),
}

/// One value of a key, with the change that wrote it.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) value: Vec<u8>,
    pub(crate) change: ChangeHash,
}

pub(crate) struct Document {
    inner: Automerge,
}

impl Document {
    pub(crate) fn new() -> Self {
        Self { inner: Automerge::new() }
    }

    pub(crate) fn load(saved: &[u8]) -> Result<Self, Error> {
        let inner = guarded(|| Automerge::load(saved))?.map_err(Error::malformed)?;
        Ok(Self { inner })
    }

    pub(crate) fn save(&self) -> Vec<u8> {
        self.inner.save_nocompress()
    }

    pub(crate) fn heads(&self) -> Vec<ChangeHash> {
        let mut heads: Vec<_> = self.inner.get_heads().into_iter().map(|hash| ChangeHash(hash.0)).collect();
        heads.sort_unstable();
        heads
    }

    pub(crate) fn contains(&self, change: ChangeHash) -> bool {
        self.inner.get_change_by_hash(&automerge::ChangeHash(change.0)).is_some()
    }

    pub(crate) fn missing(&self, change: &Change) -> Vec<ChangeHash> {
        change.dependencies().into_iter().filter(|hash| !self.contains(*hash)).collect()
    }

    /// Returns whether each operation overwrites only values of its own key that its author had seen. Automerge does not check this: an
    /// operation hides any operation that it names, under any key, so the write of a register could hide a void.
    pub(crate) fn overwrites_only_seen_values(&self, change: &Change) -> bool {
        change.expanded.operations.iter().filter(|op| !op.pred.is_empty()).all(|op| {
            let Key::Map(key) = &op.key else { return false };
            let seen = guarded(|| self.inner.get_all_at(ROOT, key.as_str(), change.inner.deps()));
            let Ok(Ok(seen)) = seen else { return false };
            let is_seen = |counter: u64, actor: &ActorId| {
                seen.iter().any(|(_, id)| matches!(id, ObjId::Id(n, of, _) if *n == counter && of == actor))
            };
            op.pred.iter().all(|overwritten| is_seen(overwritten.counter(), overwritten.actor()))
        })
    }

    /// Returns whether the change's operation ids continue directly after those of its dependencies. Automerge accepts other changes, but
    /// then cannot load the document it saves (0.12.0, "`max_op` is lower than `start_op`").
    pub(crate) fn continues_operation_ids(&self, change: &Change) -> bool {
        let before = change.inner.deps().iter().filter_map(|hash| self.inner.get_change_by_hash(hash));
        let newest = before.map(|change| change.max_op()).max().unwrap_or(0);
        newest.checked_add(1) == Some(change.inner.start_op().get())
    }

    pub(crate) fn apply(&mut self, change: &Change) -> Result<(), Error> {
        guarded(|| self.inner.apply_changes([change.inner.clone()]))?.map_err(Error::malformed)
    }

    /// Returns the document without these changes and everything that builds on them.
    pub(crate) fn without(&self, changes: &[ChangeHash]) -> Result<Self, Error> {
        let mut out: std::collections::HashSet<_> = changes.iter().map(|hash| automerge::ChangeHash(hash.0)).collect();
        let mut rest = Self::new();
        // Dependencies come first, so one pass is enough.
        for change in self.inner.get_changes(&[]) {
            if out.contains(&change.hash()) || change.deps().iter().any(|hash| out.contains(hash)) {
                out.insert(change.hash());
            } else {
                guarded(|| rest.inner.apply_changes([change]))?.map_err(Error::malformed)?;
            }
        }
        Ok(rest)
    }

    pub(crate) fn commit(&mut self, actor: &Actor, puts: Vec<Put>) -> Result<Change, Error> {
        self.inner.set_actor(actor.0.clone());
        let prefix = super::change::actor_prefix(&actor.0);
        let first_op = self.inner.stats().num_ops;
        let mut transaction = self.inner.transaction();
        for (index, put) in (first_op..).zip(last_of_each_key(puts)) {
            let (key, value) = match put {
                Put::Key(key, value) => (key.to_owned(), value),
                Put::Add(family, about, value) => (added_key(family, &about, &prefix, index), value),
            };
            transaction.put(ROOT, key, ScalarValue::Bytes(value)).map_err(Error::malformed)?;
        }
        transaction.commit_with(CommitOptions::default().with_time(0));
        let change = self
            .inner
            .get_last_local_change()
            .ok_or_else(|| Error::Malformed { reason: "nothing was written".into() })?;
        Change::from_inner(change)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = String> + '_ {
        self.inner.keys(ROOT)
    }

    /// Returns all concurrent values of a key, sorted by the hash of their change.
    pub(crate) fn values(&self, key: &str) -> Result<Vec<Written>, Error> {
        let mut written = Vec::new();
        for (value, id) in self.inner.get_all(ROOT, key).map_err(Error::malformed)? {
            let Value::Scalar(scalar) = value else { continue };
            let ScalarValue::Bytes(bytes) = scalar.into_owned() else { continue };
            let Some(hash) = self.inner.hash_for_opid(&id) else { continue };
            written.push(Written { value: bytes, change: ChangeHash(hash.0) });
        }
        written.sort_by_key(|value| value.change);
        Ok(written)
    }
}

/// Returns `<family><about>-<actor>-<n>`, without the first hyphen if `about` is empty. The actor keeps keys of cloned phones apart.
fn added_key(family: char, about: &str, actor_prefix: &str, n: u64) -> String {
    if about.is_empty() { format!("{family}{actor_prefix}-{n}") } else { format!("{family}{about}-{actor_prefix}-{n}") }
}

/// Returns a document's creating change without building the document: 5 µs instead of 12. A test compares it with Automerge's own.
/// [`Error::TooLarge`] if it is above the limit.
pub(crate) fn create(actor: &Actor, snapshot: Vec<u8>) -> Result<Change, Error> {
    let change = ExpandedChange {
        operations: vec![Op {
            action: LegacyOpType::Put(ScalarValue::Bytes(snapshot)),
            obj: ObjectId::Root,
            key: Key::Map(super::shape::SNAPSHOT.into()),
            pred: SortedVec::new(),
            insert: false,
        }],
        actor_id: actor.0.clone(),
        hash: None,
        seq: 1,
        start_op: std::num::NonZeroU64::MIN,
        time: 0,
        message: None,
        deps: Vec::new(),
        extra_bytes: Vec::new(),
        author: None,
    };
    let change = Change::from_inner(automerge::Change::from(change))?;
    check_size(change.raw())?;
    Ok(change)
}

/// Keeps the last put of each snapshot or register. A second put in the same change would overwrite a value that its author had not seen.
fn last_of_each_key(puts: Vec<Put>) -> Vec<Put> {
    let mut last: Vec<Put> = Vec::new();
    for put in puts {
        if let Put::Key(key, _) = &put {
            last.retain(|earlier| !matches!(earlier, Put::Key(other, _) if other == key));
        }
        last.push(put);
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(byte: u8) -> Actor {
        Actor::new([byte; 16])
    }

    #[test]
    fn a_change_made_without_a_document_equals_automerges_own() {
        for length in [0, 1, 200, 300, 40_000] {
            let direct = create(&actor(3), vec![7; length]).expect("a change");
            let own = Document::new().commit(&actor(3), vec![Put::Key("v1", vec![7; length])]).expect("a change");
            assert_eq!(direct.raw(), own.raw(), "{length} bytes");
        }
    }

    #[test]
    fn a_stripped_change_comes_back_whole() {
        for length in [0, 100, 127, 128, 300, 20_000] {
            let change = create(&actor(1), vec![9; length]).expect("a change");
            assert!(change.stripped().len() < change.raw().len());
            let back = Change::parse_stripped(change.stripped()).expect("it parses");
            assert_eq!((back.raw(), back.hash()), (change.raw(), change.hash()));
        }
    }

    #[test]
    fn a_register_that_is_put_twice_is_written_once() {
        let twice =
            || vec![Put::Key("load", vec![1]), Put::Add('e', String::new(), vec![2]), Put::Key("load", vec![3])];
        let once = vec![Put::Add('e', String::new(), vec![2]), Put::Key("load", vec![3])];
        let change = |puts| Document::new().commit(&actor(1), puts).expect("a change").hash();
        assert_eq!(change(twice()), change(once));
    }

    #[test]
    fn added_keys_never_meet() {
        let mut first = Document::new();
        let base = first.commit(&actor(1), vec![Put::Key("v1", vec![])]).expect("a change");
        let mut second = Document::new();
        second.apply(&base).expect("it applies");
        let note = || vec![Put::Add('n', String::new(), vec![1]), Put::Add('n', String::new(), vec![2])];
        let theirs = second.commit(&actor(2), note()).expect("a change");
        first.commit(&actor(1), note()).expect("a change");
        first.apply(&theirs).expect("it applies");
        assert_eq!(first.keys().count(), 5);
    }

    #[test]
    fn concurrent_registers_keep_every_value() {
        let mut first = Document::new();
        let base = first.commit(&actor(1), vec![Put::Key("v1", vec![])]).expect("a change");
        let mut second = Document::new();
        second.apply(&base).expect("it applies");
        first.commit(&actor(1), vec![Put::Key("load", vec![1])]).expect("a change");
        let theirs = second.commit(&actor(2), vec![Put::Key("load", vec![2])]).expect("a change");
        first.apply(&theirs).expect("it applies");
        assert_eq!(first.values("load").expect("values").len(), 2);
        first.commit(&actor(1), vec![Put::Key("load", vec![3])]).expect("a change");
        assert_eq!(first.values("load").expect("values").len(), 1);
    }
}
