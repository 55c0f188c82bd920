//! Fields of simple kinds: registers, references, texts and bounds.

use std::ops::RangeInclusive;

use super::super::{Conflict, Error, Fields, Put, Stamp};
use crate::units::DocumentId;

/// A field that is kept in a register once it was changed; made by `register`.
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
