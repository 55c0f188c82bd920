//! Conversion of the seam's values to and from PostgreSQL's binary format.

use std::error::Error as StdError;

use bytes::{BufMut, BytesMut};
use farmtally_core::store::sql::{Column, ColumnType, Error, Row, Value};
use postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

/// Returns the declared type of a parameter; PostgreSQL infers that of a null.
pub(super) fn type_of(value: &Value<'_>) -> Type {
    match value {
        Value::Null | Value::OutOfRange => Type::UNKNOWN,
        Value::Int(_) => Type::INT8,
        Value::Text(_) => Type::TEXT,
        Value::Blob(_) => Type::BYTEA,
    }
}

/// Returns whether a value can be sent as a parameter of a type.
pub(super) fn is_compatible(value: &Value<'_>, parameter: &Type) -> bool {
    match value {
        Value::Null => true,
        Value::Int(_) => matches!(*parameter, Type::INT8 | Type::INT4 | Type::INT2),
        Value::Text(_) => matches!(*parameter, Type::TEXT | Type::VARCHAR | Type::BPCHAR),
        Value::Blob(_) => *parameter == Type::BYTEA,
        Value::OutOfRange => false,
    }
}

#[derive(Debug)]
pub(super) struct Param<'a>(pub(super) &'a Value<'a>);

impl ToSql for Param<'_> {
    fn to_sql(&self, parameter: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        if !is_compatible(self.0, parameter) {
            return Err(format!("the statement expects {parameter} here").into());
        }
        match self.0 {
            Value::Null | Value::OutOfRange => return Ok(IsNull::Yes),
            Value::Int(int) if *parameter == Type::INT4 => out.put_i32(i32::try_from(*int)?),
            Value::Int(int) if *parameter == Type::INT2 => out.put_i16(i16::try_from(*int)?),
            Value::Int(int) => out.put_i64(*int),
            Value::Text(text) => out.put_slice(text.as_bytes()),
            Value::Blob(blob) => out.put_slice(blob),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// All values of one column, sent as one array.
#[derive(Debug)]
pub(super) enum Array<'a> {
    Int(Vec<Option<i64>>),
    Text(Vec<Option<&'a str>>),
    Blob(Vec<Option<&'a [u8]>>),
}

impl<'a> Array<'a> {
    /// Collects a column of rows that are complete and of their columns' types.
    pub(super) fn collect<'v: 'a>(
        column_type: ColumnType,
        number: usize,
        rows: impl Iterator<Item = &'v [Value<'v>]>,
    ) -> Self {
        let values = rows.map(|row| row.get(number));
        match column_type {
            ColumnType::Int => Self::Int(values.map(|value| value.and_then(Value::as_int)).collect()),
            ColumnType::Text => Self::Text(values.map(|value| value.and_then(Value::as_text)).collect()),
            ColumnType::Blob => Self::Blob(values.map(|value| value.and_then(Value::as_blob)).collect()),
        }
    }
}

impl ToSql for Array<'_> {
    fn to_sql(&self, parameter: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match self {
            Self::Int(values) => values.to_sql(parameter, out),
            Self::Text(values) => values.to_sql(parameter, out),
            Self::Blob(values) => values.to_sql(parameter, out),
        }
    }

    accepts!(INT8_ARRAY, TEXT_ARRAY, BYTEA_ARRAY);

    to_sql_checked!();
}

/// Returns the array types of these columns.
pub(super) fn array_types(columns: &[Column<'_>]) -> Vec<Type> {
    let array_type = |column: &Column<'_>| match column.column_type {
        ColumnType::Int => Type::INT8_ARRAY,
        ColumnType::Text => Type::TEXT_ARRAY,
        ColumnType::Blob => Type::BYTEA_ARRAY,
    };
    columns.iter().map(array_type).collect()
}

/// One value of a result row.
struct Field<'a>(Value<'a>);

impl<'a> FromSql<'a> for Field<'a> {
    fn from_sql(column: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(match *column {
            Type::INT8 => Value::Int(i64::from_sql(column, raw)?),
            Type::INT4 => Value::Int(i32::from_sql(column, raw)?.into()),
            Type::INT2 => Value::Int(i16::from_sql(column, raw)?.into()),
            Type::BOOL => Value::Int(bool::from_sql(column, raw)?.into()),
            Type::BYTEA => Value::Blob(raw.into()),
            _ => Value::text(<&str>::from_sql(column, raw)?),
        }))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(Value::Null))
    }

    accepts!(INT8, INT4, INT2, BOOL, BYTEA, TEXT, VARCHAR, BPCHAR, NAME, UNKNOWN);
}

pub(super) struct PostgresRow(pub(super) postgres::Row);

impl Row for PostgresRow {
    fn value(&self, column: usize) -> Result<Value<'_>, Error> {
        match self.0.try_get(column) {
            Ok(Field(value)) => Ok(value),
            Err(_wrong_type) if column < self.0.len() => {
                Err(Error::Type { column, expected: "an integer, text or bytes" })
            }
            Err(_no_such_column) => Err(Error::Type { column, expected: "in the result" }),
        }
    }
}
