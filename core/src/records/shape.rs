//! Shape of a record kind: the keys of its documents, and how each may be written.
//!
//! Owns the table that commands, the check of foreign changes and the projection share. Invariant: a change that passes [`Shape::check`]
//! can be applied in any order after its dependencies; that it overwrites only values its author had seen is checked by `records::merge`.

use automerge::ScalarValue;
use automerge::legacy::{Key, ObjectId, OpType};

use super::stamp::{Stamp, Stamped};
use super::{Change, Error};
use crate::permission::Capability;

/// Key of the immutable value that the creating change writes.
pub(crate) const SNAPSHOT: &str = "v1";

/// How a key may be written, and how concurrent values are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Written only by the creating change.
    Snapshot,
    /// Family of keys: each write adds a new key that ends in the writer's actor and a number. Never overwritten; all values count.
    Add,
    /// Like [`Class::Add`], with the key that it refers to before the actor.
    AddAbout,
    /// Overwritten by an author who saw the old value. Concurrent values are all kept; a conflict if they differ.
    Register,
}

/// Rule for a key or a family of keys.
#[derive(Clone, Copy, Debug)]
pub struct KeyRule {
    /// The key, or the one-letter family of a [`Class::Add`] or [`Class::AddAbout`].
    pub key: &'static str,
    /// How the key may be written.
    pub class: Class,
    /// Capability that the author needs.
    pub capability: Capability,
    /// Description of the value, for people.
    pub describes: &'static str,
    /// Function that reads the stamp of a value.
    pub stamp: fn(&[u8]) -> Result<Stamp, Error>,
}

impl KeyRule {
    /// Returns the rule of the snapshot; `stamp` reads the stamp of its value.
    pub(crate) const fn snapshot(
        capability: Capability,
        describes: &'static str,
        stamp: fn(&[u8]) -> Result<Stamp, Error>,
    ) -> Self {
        Self { key: SNAPSHOT, class: Class::Snapshot, capability, describes, stamp }
    }

    /// Returns the rule of a register or a family of added keys, whose values begin with the stamp.
    pub(crate) const fn of(class: Class, key: &'static str, capability: Capability, describes: &'static str) -> Self {
        Self { key, class, capability, describes, stamp: leading_stamp }
    }

    /// Returns whether the rule applies to a family of keys.
    pub(crate) fn is_family(&self) -> bool {
        matches!(self.class, Class::Add | Class::AddAbout)
    }
}

/// Reads the stamp of a value that begins with it, as all values do except some snapshots.
pub(crate) fn leading_stamp(value: &[u8]) -> Result<Stamp, Error> {
    super::decode::<Stamped>(value).map(|stamped| stamped.stamp)
}

/// Rules for the keys of one record kind.
#[derive(Clone, Copy, Debug)]
pub struct Shape(pub &'static [KeyRule]);

impl Shape {
    /// Returns the rule of a key, or of the family with whose letter it begins; `None` if there is none. Ignores the rest of an added key.
    pub fn rule(&self, key: &str) -> Option<&KeyRule> {
        self.0.iter().find(|rule| if rule.is_family() { key.starts_with(rule.key) } else { key == rule.key })
    }

    /// Returns the capability that each value of a change needs; keys that are not declared add none.
    pub fn capabilities(&self, change: &Change) -> impl Iterator<Item = Capability> {
        change.values().filter_map(|(key, _)| self.rule(key)).map(|rule| rule.capability)
    }

    /// Returns the stamps of all values that a change writes.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a value that cannot be read, [`Error::Shape`] for a key that is not declared.
    pub fn stamps(&self, change: &Change) -> Result<Vec<Stamp>, Error> {
        let stamp = |(key, value): (&str, &[u8])| {
            let rule = self.rule(key).ok_or_else(|| refuse(key, "not a key of this kind"))?;
            (rule.stamp)(value)
        };
        change.values().map(stamp).collect()
    }

    /// Checks that a change writes only declared keys, each as its class allows. Reads neither values nor the document.
    ///
    /// # Errors
    /// [`Error::Shape`], with the key.
    pub fn check(&self, change: &Change) -> Result<(), Error> {
        if change.expanded.operations.is_empty() {
            return Err(refuse("", "an empty change"));
        }
        // This code writes none of these, and a time beyond the range of Automerge 0.12.0 damages the document for good.
        let change_itself = &change.expanded;
        if change_itself.time != 0 || change_itself.message.is_some() || !change_itself.extra_bytes.is_empty() {
            return Err(refuse("", "a time, message or bytes beside the keys"));
        }
        let actor = change.actor_prefix();
        for op in &change.expanded.operations {
            let Key::Map(key) = &op.key else {
                return Err(refuse("", "a list element"));
            };
            if op.obj != ObjectId::Root || op.insert {
                return Err(refuse(key, "a nested value"));
            }
            if !matches!(op.action, OpType::Put(ScalarValue::Bytes(_))) {
                return Err(refuse(key, "not a put of bytes"));
            }
            let rule = self.rule(key).ok_or_else(|| refuse(key, "not a key of this kind"))?;
            match rule.class {
                Class::Register => {}
                Class::Snapshot if change.is_first() && op.pred.is_empty() => {}
                Class::Snapshot => return Err(refuse(key, "a snapshot outside of the creating change")),
                Class::Add | Class::AddAbout if !op.pred.is_empty() => {
                    return Err(refuse(key, "an added key written twice"));
                }
                Class::Add | Class::AddAbout => {
                    if !is_own(rule, key, &actor) {
                        return Err(refuse(key, "an added key that does not end in its writer's actor and a number"));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Returns whether an added key has the form of its class and ends in `actor`, a prefix in hex, and a number.
fn is_own(rule: &KeyRule, key: &str, actor: &str) -> bool {
    let rest = key.strip_prefix(rule.key).and_then(|rest| rest.rsplit_once('-'));
    rest.is_some_and(|(head, n)| {
        let fits = match rule.class {
            Class::AddAbout => head.strip_suffix(actor).is_some_and(|about| about.len() > 1 && about.ends_with('-')),
            _ => head == actor,
        };
        fits && !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn refuse(key: &str, reason: &str) -> Error {
    Error::Shape { key: key.to_owned(), reason: reason.to_owned() }
}
