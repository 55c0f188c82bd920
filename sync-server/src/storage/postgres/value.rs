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

/// A parameter, or an element of one that is an array.
#[derive(Debug)]
pub(super) struct Param<'a>(pub(super) &'a Value<'a>);

impl ToSql for Param<'_> {
    fn to_sql(&self, parameter: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match self.0 {
            Value::Null => return Ok(IsNull::Yes),
            Value::Int(int) if *parameter == Type::INT8 => out.put_i64(*int),
            Value::Text(text) if *parameter == Type::TEXT => out.put_slice(text.as_bytes()),
            Value::Blob(blob) if *parameter == Type::BYTEA => out.put_slice(blob),
            _ => return Err(format!("the statement expects {parameter} here").into()),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

pub(super) fn array_types(columns: &[Column<'_>]) -> Vec<Type> {
    let array_type = |column: &Column<'_>| match column.column_type {
        ColumnType::Int => Type::INT8_ARRAY,
        ColumnType::Text => Type::TEXT_ARRAY,
        ColumnType::Blob => Type::BYTEA_ARRAY,
    };
    columns.iter().map(array_type).collect()
}

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
