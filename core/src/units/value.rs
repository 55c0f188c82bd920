//! Values of columns and SQL parameters, and the Rust types that are stored as them. Independent of the database engine.

use std::borrow::Cow;

/// Type of a column or parameter; each may also be null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// A signed 64-bit integer.
    Int,
    /// Unicode text without NUL.
    Text,
    /// A string of bytes.
    Blob,
}

impl ColumnType {
    /// Returns the type's name for error messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Int => "an integer",
            Self::Text => "text",
            Self::Blob => "bytes",
        }
    }
}

/// Name and type of a column. The type is stated because it cannot be derived from a column of nulls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column<'a> {
    /// Name in the table or in the list of keys.
    pub name: &'a str,
    /// Type of its values.
    pub column_type: ColumnType,
}

impl<'a> Column<'a> {
    /// Returns a column of integers.
    pub const fn int(name: &'a str) -> Self {
        Self { name, column_type: ColumnType::Int }
    }

    /// Returns a column of text.
    pub const fn text(name: &'a str) -> Self {
        Self { name, column_type: ColumnType::Text }
    }

    /// Returns a column of bytes.
    pub const fn blob(name: &'a str) -> Self {
        Self { name, column_type: ColumnType::Blob }
    }
}

/// A value of a column or parameter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value<'a> {
    /// The SQL value `NULL`.
    Null,
    /// A signed 64-bit integer.
    Int(i64),
    /// Text without NUL; owned only if it was printed to make this value.
    Text(Cow<'a, str>),
    /// Bytes; owned only if they were encoded to make this value.
    Blob(Cow<'a, [u8]>),
    /// An integer that does not fit in an [`i64`]. No column can store it, so a statement with it fails.
    OutOfRange,
}

impl<'a> Value<'a> {
    /// Returns a value that borrows the text.
    pub const fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// Returns an integer value, or [`Self::OutOfRange`] if the number does not fit in an [`i64`].
    pub fn int(number: impl TryInto<i64>) -> Self {
        number.try_into().map_or(Self::OutOfRange, Self::Int)
    }

    /// Returns the integer, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(int) => Some(*int),
            _ => None,
        }
    }

    /// Returns the text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the bytes, if it is a blob.
    pub fn as_blob(&self) -> Option<&[u8]> {
        match self {
            Self::Blob(blob) => Some(blob),
            _ => None,
        }
    }

    /// Returns whether the value is of a column type: null of each, and of integers [`Self::OutOfRange`], although no column can store it.
    pub fn is_of(&self, column_type: ColumnType) -> bool {
        match self {
            Self::Null => true,
            Self::Int(_) | Self::OutOfRange => column_type == ColumnType::Int,
            Self::Text(_) => column_type == ColumnType::Text,
            Self::Blob(_) => column_type == ColumnType::Blob,
        }
    }
}

/// A type that can be read from a column.
pub trait FromValue: Sized {
    /// Converts a column's value; `None` if it is not a value of this type.
    fn from_value(value: Value<'_>) -> Option<Self>;
}

/// A type that can be stored in a column or passed as a parameter.
pub trait ToValue {
    /// Returns the value to store.
    fn to_value(&self) -> Value<'_>;
}

/// Makes an array of [`Value`](crate::units::Value)s from expressions of any [`ToValue`](crate::units::ToValue) types:
/// `values![document, scope, 7]`.
#[macro_export]
macro_rules! sql_values {
    ($($value:expr),* $(,)?) => {
        [$($crate::units::ToValue::to_value(&$value)),*]
    };
}

macro_rules! integers {
    ($($integer:ty)*) => {$(
        impl FromValue for $integer {
            fn from_value(value: Value<'_>) -> Option<Self> {
                value.as_int()?.try_into().ok()
            }
        }

        impl ToValue for $integer {
            fn to_value(&self) -> Value<'_> {
                Value::int(*self)
            }
        }
    )*};
}

integers!(i64 i32 i16 u64 u32 u16 u8 usize);

/// Reads 0 as false and 1 as true, and no other number.
impl FromValue for bool {
    fn from_value(value: Value<'_>) -> Option<Self> {
        match value.as_int()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl ToValue for bool {
    fn to_value(&self) -> Value<'_> {
        Value::Int(i64::from(*self))
    }
}

impl FromValue for String {
    fn from_value(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text.into_owned()),
            _ => None,
        }
    }
}

impl ToValue for str {
    fn to_value(&self) -> Value<'_> {
        Value::text(self)
    }
}

impl ToValue for String {
    fn to_value(&self) -> Value<'_> {
        Value::text(self)
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Blob(blob) => Some(blob.into_owned()),
            _ => None,
        }
    }
}

impl ToValue for [u8] {
    fn to_value(&self) -> Value<'_> {
        Value::Blob(self.into())
    }
}

impl ToValue for Vec<u8> {
    fn to_value(&self) -> Value<'_> {
        Value::Blob(self.into())
    }
}

impl<const N: usize> FromValue for [u8; N] {
    fn from_value(value: Value<'_>) -> Option<Self> {
        value.as_blob()?.try_into().ok()
    }
}

impl<const N: usize> ToValue for [u8; N] {
    fn to_value(&self) -> Value<'_> {
        Value::Blob(self.into())
    }
}

/// Reads null as `None`.
impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::from_value(value).map(Some),
        }
    }
}

impl<T: ToValue> ToValue for Option<T> {
    fn to_value(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null, ToValue::to_value)
    }
}

impl<T: ToValue + ?Sized> ToValue for &T {
    fn to_value(&self) -> Value<'_> {
        T::to_value(self)
    }
}

impl ToValue for Value<'_> {
    fn to_value(&self) -> Value<'_> {
        match self {
            Self::Text(text) => Value::text(text),
            Self::Blob(blob) => Value::Blob(Cow::Borrowed(blob)),
            other => other.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_outside_of_their_type_are_refused() {
        assert_eq!(u64::MAX.to_value(), Value::OutOfRange);
        assert_eq!(u64::from_value(Value::Int(-1)), None);
        assert_eq!(u8::from_value(Value::Int(256)), None);
        assert_eq!(i64::from_value(i64::MIN.to_value()), Some(i64::MIN));
        assert_eq!(bool::from_value(Value::Int(2)), None);
    }

    #[test]
    fn a_value_is_read_only_as_its_own_type() {
        assert_eq!(String::from_value(Value::Int(7)), None);
        assert_eq!(Vec::<u8>::from_value(Value::text("x")), None);
        assert_eq!(<[u8; 2]>::from_value(Value::Blob(b"xyz".into())), None);
        assert_eq!(i64::from_value(Value::Null), None);
        assert_eq!(Option::<i64>::from_value(Value::Null), Some(None));
        assert_eq!(Option::<i64>::from_value(Value::text("7")), None);
    }

    #[test]
    fn values_are_made_from_any_types() {
        let name = String::from("Asha");
        assert_eq!(
            values![7, name, None::<i64>, b"x", &name],
            [Value::Int(7), Value::text("Asha"), Value::Null, Value::Blob(b"x".into()), Value::text("Asha")]
        );
    }

    use crate::sql_values as values;
}
